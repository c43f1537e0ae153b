"""Look-ups of names outside, as resolvers in pods do them: what they cost a server that goes through search lists, and one that doesn't.

A resolver sends A and AAAA together and goes on with the next domain of its list until one of them is answered by
records, as glibc and musl do with ndots:5. Each look-up is of a pod of another namespace, from that pod's address.
"""

import contextlib
import os
import random
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Final, NamedTuple

from bench.pods import Pod
from bench.processes import cpu_s
from bench.questions import Names, new_names, search_list, sites

LOOKUPS: Final = 3_000  # of a round; so many that ticks of CPU time are fine enough
PER: Final = 1_000  # what numbers are told for
NAMES: Final[dict[str, Names]] = {"200 names, again and again": sites, "each name once": new_names}

_TIMEOUT_S: Final = 2.0
_TYPES: Final = (1, 28)  # A and AAAA
# What the upstream says, as bench/answer.c has it; the end of a reply without anything behind its answers.
_FOUND: Final = (bytes((198, 51, 100, 7)), bytes.fromhex("20010db8000000000000000000000007"))


class Way(NamedTuple):
    """How a server is told to treat search lists."""

    name: str
    directives: str  # of its Corefile
    pods: str  # what its kubernetes directive says of pods
    own: bool = False  # which only kdns knows


WAYS: Final = (
    Way("", "", "insecure"),
    Way("searchpath", "searchpath", "insecure", own=True),
    Way("autopath", "autopath @kubernetes", "verified"),
)


@dataclass(frozen=True, slots=True)
class Walks:
    """Of one round."""

    lookups: int
    queries: int
    astray: int  # look-ups that didn't find what the upstream has, or no reply in time
    cpu_s: float  # of all processes of the server
    seconds: float


def walks(pid: int, port: int, pods: Sequence[Pod], names: Names, turn: int, core: int) -> Walks:
    """A round of look-ups, on the core."""
    chance = random.Random(f"walks {turn}")
    ids = count(1)
    queries = astray = 0
    with _pinned(core), contextlib.ExitStack() as stack:
        sockets = [(search_list(pod.namespace), stack.enter_context(_socket(pod, port))) for pod in pods]
        before, began = cpu_s(pid), time.monotonic()
        for name in islice(names(chance), LOOKUPS):
            domains, sock = chance.choice(sockets)
            asked, found = _look_up(sock, name, domains, ids)
            queries += asked
            astray += not found
        return Walks(LOOKUPS, queries, astray, cpu_s(pid) - before, time.monotonic() - began)


def _look_up(sock: socket.socket, name: str, domains: Sequence[str], ids: Iterator[int]) -> tuple[int, bool]:
    """How many questions it took, and whether the addresses were found."""
    asked = 0
    for candidate in (*(f"{name}.{domain}" for domain in domains), name):
        first = next(ids) & 0x7FFF
        for number, qtype in enumerate(_TYPES):
            sock.send(_question(candidate, qtype, first << 1 | number))
        asked += len(_TYPES)
        try:
            replies = _replies(sock, first)
        except TimeoutError:
            return asked, False
        if any(int.from_bytes(reply[6:8], "big") for reply in replies):
            return asked, all(reply.endswith(end) for reply, end in zip(replies, _FOUND, strict=True))
    return asked, False


def _replies(sock: socket.socket, first: int) -> list[bytes]:
    """The replies to both questions, in their order. Raises TimeoutError."""
    found: dict[int, bytes] = {}
    while len(found) < len(_TYPES):
        reply = sock.recv(4096)
        number = int.from_bytes(reply[:2], "big")
        if number >> 1 == first:  # or one that came too late
            found[number & 1] = reply
    return [found[0], found[1]]


def _question(name: str, qtype: int, number: int) -> bytes:
    """RFC 1035 section 4.1, without EDNS."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!xHH", qtype, 1)


def _socket(pod: Pod, port: int) -> socket.socket:
    """A socket with the pod's address, for questions to the port."""
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.settimeout(_TIMEOUT_S)
    sock.bind((pod.address, 0))
    sock.connect(("127.0.0.1", port))
    return sock


@contextlib.contextmanager
def _pinned(core: int) -> Iterator[None]:
    """Keeps this process on the core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
