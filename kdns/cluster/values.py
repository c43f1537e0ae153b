"""Values: what texts and numbers in objects mean, where they are sound; each decoded on its own.

What can't stand in a DNS entry gives nothing, or is left out and complained of by its path. Knows no kinds of objects.
Sources: RFC 1123 section 2.1; RFC 2782 (ports); Kubernetes API v1.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from kdns.cluster import shapes
from kdns.cluster.shapes import Complaint, quoted
from kdns.dns import names
from kdns.dns.names import Name
from kdns.zone.entry import Port

# RFC 1123 section 2.1 as Kubernetes reads it: lower case only. \Z, since $ would allow a newline.
LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
SUBDOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")
_PROTOCOLS: Final = {"TCP": b"tcp", "UDP": b"udp", "SCTP": b"sctp"}
# The canonical decimals, so that no sign, space, leading zero or foreign digit passes.
_OCTETS: Final = {str(octet): bytes((octet,)) for octet in range(256)}
_LABEL_LIMIT: Final = 63  # characters
COUNT_LIMIT: Final = 255  # of ports, and of addresses of a Service: what an entry can hold


def ports_of(ports: Iterable[shapes.Port], path: str, complaints: list[Complaint]) -> tuple[Port, ...]:
    """The ports that can have an SRV record: those with a number and a known protocol."""
    made: list[Port] = []
    for at, port in enumerate(ports):
        if port.port is None:
            continue
        sound = _sound_port(port.port, port.name or "", port.protocol or "TCP")
        if sound is not None and len(made) < COUNT_LIMIT:
            made.append(sound)
            continue
        protocol = _PROTOCOLS.get((port.protocol or "TCP").upper())
        if not 0 < port.port < 65536:
            complaints.append(Complaint(f"{path}[{at}].port", quoted(port.port), "1 to 65535"))
        elif protocol is None:
            complaints.append(Complaint(f"{path}[{at}].protocol", quoted(port.protocol or ""), "TCP, UDP or SCTP"))
        elif len(made) == COUNT_LIMIT:
            complaints.append(Complaint(f"{path}[{at}]", "one more port", f"at most {COUNT_LIMIT}"))
            break
        else:
            name = _port_name(port.name, f"{path}[{at}].name", complaints) if port.name else b""
            made.append(Port(port.port, name, protocol))
    return tuple(made)


def _sound_port(number: int, name: str, protocol: str) -> Port | None:
    """The port, as nearly always, if nothing is wrong with it."""
    if len(name) > _LABEL_LIMIT or len(protocol) > _LABEL_LIMIT:
        return None
    return _remembered_port(number, name, protocol)


# All Services of a cluster have few different ports: 0.4 us for one that is remembered, 2 us for another.
@lru_cache(maxsize=1024)
def _remembered_port(number: int, name: str, protocol: str) -> Port | None:
    known = _PROTOCOLS.get(protocol.upper())
    lowered = name.lower()
    if known is None or not 0 < number < 65536 or (name and not (name.isascii() and LABEL.match(lowered))):
        return None
    return Port(number, lowered.encode("ascii"), known)


def _port_name(text: str, path: str, complaints: list[Complaint]) -> bytes:
    lowered = text.lower()
    if text.isascii() and LABEL.match(lowered):
        return lowered.encode("ascii")
    complaints.append(Complaint(path, quoted(text), "an RFC 1123 label"))
    return b""


def addresses_of(texts: Iterable[str], path: str, complaints: list[Complaint]) -> tuple[bytes, ...]:
    """The addresses of either family that the texts write, each once; path has {} for the number of a text."""
    made: dict[bytes, None] = {}
    for at, text in enumerate(texts):
        address = packed6(text) if ":" in text else packed4(text)
        if not address:
            complaints.append(Complaint(path.format(at), quoted(text), "an IPv4 or IPv6 address"))
        elif len(made) == COUNT_LIMIT:
            complaints.append(Complaint(path.format(at), "one more address", f"at most {COUNT_LIMIT}"))
            break
        else:
            made[address] = None
    return tuple(made)


def packed4(text: str) -> bytes:
    """The 4 octets of a dotted quad in its one strict form; none for any other text."""
    # Measured per address: 0.25 us so, 0.28 by bytes() of numbers, 2.3 by ipaddress.
    try:
        one, two, three, four = text.split(".")
        return _OCTETS[one] + _OCTETS[two] + _OCTETS[three] + _OCTETS[four]
    except (KeyError, ValueError):
        return b""


def packed6(text: str) -> bytes:
    """The 16 octets of an IPv6 address without zone; none for any other text."""
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return b""
    return b"" if address.scope_id else address.packed


def wire_name(text: str) -> Name:
    if SUBDOMAIN.match(text.lower().removesuffix(".")) and not packed4(text):
        try:
            return names.from_text(text)
        except ValueError:  # NameTextError: a label that is too long
            pass
    return Name(b"")
