"""Whether a zone is answered for: one question for its SOA (RFC 1035 section 4.1), and a look at the reply's header."""

import socket
from typing import Final

from kdns.dns import names

_SOA, _IN = 6, 1
_HEADER: Final = bytes((0x4B, 0x44, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))  # an id, RD, one question
_REPLY: Final = 0x80


def question(zone: str) -> bytes:
    """The message that asks for the zone's SOA. Raises names.NameTextError."""
    return _HEADER + names.from_text(zone) + _SOA.to_bytes(2, "big") + _IN.to_bytes(2, "big")


def is_served(zone: str, server: tuple[str, int], *, timeout_s: float) -> bool:
    """Whether the server answers it without an error, in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(timeout_s)
        try:
            asker.connect(server)
            asker.send(question(zone))
            reply = asker.recv(4096)
        except OSError:
            return False
    return reply[:2] == _HEADER[:2] and len(reply) > 3 and bool(reply[2] & _REPLY) and not reply[3] & 15
