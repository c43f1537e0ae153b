"""A sieve on a socket: the kernel lets through a part of what some clients send, and drops the rest.

The kernel runs a few instructions (classic BPF, SO_ATTACH_FILTER of socket(7)) on each datagram before it is queued: is it of
this client, let it through by such a chance; or of that one; any other by another chance. A datagram that is dropped so costs
the server nothing, and takes nobody's place in the queue. Whoever may open a socket may do this. It stays with the socket,
also beyond the process, until taken off. On another system than Linux there is none, and everything passes.
"""

import array
import contextlib
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

# An IPv4 address, or two halves of an IPv6 /64, as numbers whose octets are in the order of the network.
Client: TypeAlias = int | tuple[int, ...]

# Clients with a chance of their own. To attach so many takes 120 us (one: 15 us); each costs a datagram two instructions.
MOST: Final = 32

# The socket module lacks these; the numbers are Linux' (asm-generic/socket.h).
_ATTACH_FILTER: Final = 26
_DETACH_FILTER: Final = 27
_MEMINFO: Final = 55
# linux/sock_diag.h: SK_MEMINFO_RMEM_ALLOC, octets that the queue takes; SK_MEMINFO_DROPS, by the sieve or since it was full.
_MEMINFO_WORDS: Final = struct.Struct("@9I")
_QUEUED, _DROPS = 0, 8

# linux/filter.h: struct sock_fprog, struct sock_filter, and loads from the network's header and of a random number.
_PROGRAM: Final = struct.Struct("@HP")
_INSTRUCTION: Final = struct.Struct("@HBBI")
_HEADER: Final = 0xFFF0_0000
_RANDOM: Final = 0xFFFF_F000 + 56
# linux/bpf_common.h: load a word; skip if it is equal, if it is at least; return.
_LOAD: Final = 0x20
_IF_EQUAL: Final = 0x15
_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_DROP: Final = 0
_KEEP: Final = 0xFFFF_FFFF

# Where in the network's header a client's words are (RFC 791 section 3.1, RFC 8200 section 3).
_CLIENT_AT: Final = {socket.AF_INET: (12,), socket.AF_INET6: (8, 12)}

_Instruction: TypeAlias = tuple[int, int, int, int]  # code; how many to skip if so, if not; operand


@dataclass(frozen=True, slots=True)
class Chances:
    """Of a datagram to be let through: from 0 to 1."""

    of: Mapping[Client, float] = field(default_factory=dict)  # at most MOST
    others: float = 1.0

    def __getitem__(self, client: Client) -> float:
        return self.of.get(client, self.others)


OPEN: Final = Chances()


class Queue(NamedTuple):
    """What the kernel says of a socket's queue."""

    octets: int
    dropped: int  # datagrams since the sieve was made: by it, or since the queue was full


class Sieve:
    """Of one UDP socket; open at first, whatever an earlier process has left there."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._program = b""
        self._dropped = 0
        self.put(OPEN)
        self._drops = self._words()[_DROPS]

    def put(self, chances: Chances) -> None:
        """Lets through by these chances from now on. Raises OSError where the system won't have them."""
        if not sys.platform.startswith("linux"):
            return
        if chances == OPEN:
            with contextlib.suppress(OSError):  # there was none
                self._socket.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
            return
        pointer, size = (room := array.array("B", program(chances, self._socket.family))).buffer_info()
        filled = _PROGRAM.pack(size // _INSTRUCTION.size, pointer)
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, filled)
        del room  # it had to live until here

    def queue(self) -> Queue:
        """As it is now; nothing where the system doesn't say."""
        words = self._words()
        self._dropped += (words[_DROPS] - self._drops) % (1 << 32)
        self._drops = words[_DROPS]
        return Queue(words[_QUEUED], self._dropped)

    def _words(self) -> tuple[int, ...]:
        if sys.platform.startswith("linux"):
            with contextlib.suppress(OSError, struct.error):  # before Linux 4.12
                return _MEMINFO_WORDS.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _MEMINFO, _MEMINFO_WORDS.size))
        return (0,) * 9


def program(chances: Chances, family: int) -> bytes:
    """The instructions: a block for each client that has a chance of its own, and one for the others."""
    places = _CLIENT_AT[socket.AddressFamily(family)]
    made = [step for client, chance in chances.of.items() for step in _block(client, places, chance)]
    return b"".join(_INSTRUCTION.pack(*step) for step in (*made, *_by_chance(chances.others)))


def _block(client: Client, places: tuple[int, ...], chance: float) -> Iterator[_Instruction]:
    """What is done with the client's datagrams; any other's go on behind it."""
    words = client if isinstance(client, tuple) else (client,)
    verdict = tuple(_by_chance(chance))
    for left, (place, word) in zip(range(len(places) - 1, -1, -1), zip(places, words, strict=True), strict=True):
        yield _LOAD, 0, 0, _HEADER + place
        yield _IF_EQUAL, 0, 2 * left + len(verdict), socket.ntohl(word)
    yield from verdict


def _by_chance(chance: float) -> Iterator[_Instruction]:
    if chance < 1:
        yield _LOAD, 0, 0, _RANDOM
        yield _IF_AT_LEAST, 0, 1, int(chance * (1 << 32))
        yield _RETURN, 0, 0, _DROP
    yield _RETURN, 0, 0, _KEEP
