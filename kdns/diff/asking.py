"""Many questions put to one server over real sockets, and its replies in their order.

A few questions are on their way at a time. What isn't answered by UDP is asked for again before it counts as
unanswered; over TCP all go through one connection, until it ends. Replies are matched by their id
and read whole: octets that are no message are an error, for a server must not send such; whether a reply repeats its
question is for who compares.
Standards: RFC 1035 section 4.2, RFC 7766 (replies in any order).
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from kdns.diff.difference import SILENCE
from kdns.diff.question import Question
from kdns.dns.foreign import ForeignError
from kdns.dns.message import Message, read

AT_ONCE: Final = 16
TRIES: Final = 2
_LARGEST: Final = 65535

Address = tuple[str, int]


def ask(address: Address, questions: Sequence[Question], *, timeout_s: float, at_once: int = AT_ONCE) -> list[Message]:
    """Each question's reply, and SILENCE for one that has none within timeout_s. Raises OSError, ForeignError."""
    replies: dict[int, Message] = {}
    numbered = [*enumerate(questions)]
    datagrams = [each for each in numbered if not each[1].tcp]
    for _ in range(TRIES):
        missing = [each for each in datagrams if each[0] not in replies]
        for batch in _batches(missing, at_once):
            replies |= _by_udp(address, batch, timeout_s)
    for batch in _batches([each for each in numbered if each[1].tcp], at_once):
        replies |= _by_tcp(address, batch, timeout_s)
    return [replies.get(number, SILENCE) for number, _ in numbered]


_Batch = Sequence[tuple[int, Question]]


def _batches(numbered: _Batch, size: int) -> Iterator[_Batch]:
    return (numbered[at : at + size] for at in range(0, len(numbered), size))


def _by_udp(address: Address, batch: _Batch, timeout_s: float) -> dict[int, Message]:
    """The replies that came in time, by the question's number."""
    found: dict[int, Message] = {}
    with socket.socket(_family(address), socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        for ident, (_, question) in enumerate(batch):
            sock.send(question.octets(ident))
        end = time.monotonic() + timeout_s
        while len(found) < len(batch) and (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            with contextlib.suppress(TimeoutError):
                _take(batch, sock.recv(_LARGEST), found)
    return found


def _by_tcp(address: Address, batch: _Batch, timeout_s: float) -> dict[int, Message]:
    """The replies that came in time, or before the connection's end."""
    found: dict[int, Message] = {}
    with socket.create_connection(address, timeout=timeout_s) as sock, sock.makefile("rb") as stream:
        for ident, (_, question) in enumerate(batch):
            octets = question.octets(ident)
            sock.sendall(len(octets).to_bytes(2) + octets)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while len(found) < len(batch) and (octets := _message(stream)):
                _take(batch, octets, found)
    return found


def _message(stream: BinaryIO) -> bytes:
    """The next message; empty at the end."""
    return stream.read(int.from_bytes(stream.read(2)))


def _take(batch: _Batch, octets: bytes, found: dict[int, Message]) -> None:
    """Keeps a reply if it is one to a query of the batch. Raises ForeignError."""
    reply = read(octets)
    if reply.id >= len(batch):
        raise ForeignError(f"a reply with the id {reply.id}, which no query had")
    found.setdefault(batch[reply.id][0], reply)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
