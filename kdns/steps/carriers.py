"""What leads to an upstream: a question on its way, the sockets that carry it, the chance that hides it, the counts.

The words that datagrams, streams, probes and plans share; each of them knows these and not the others.
Standards: RFC 5452 sections 4 and 9.2 (random ids), draft-vixie-dnsext-dns0x20-00 (random case).
"""

import socket
from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from kdns.config.settings import Address
from kdns.dns.lasting import Lasting
from kdns.dns.query import Query

_DRAWN: Final = 1024  # ids drawn from the system at a time: 0.06 µs each, one by one 0.57
_DRAWS: Final = 64  # drawings, before tables for random case are drawn as well, which takes 2 ms
_NO_PORT_YET: Final = 24  # IP_BIND_ADDRESS_NO_PORT of linux/in.h: a port is chosen as the connection is made


class Random(Protocol):
    """What of random.SystemRandom is used here."""

    def randbytes(self, n: int, /) -> bytes: ...


class Datagrams(Protocol):
    """Many datagrams of a connected socket with one system call."""

    def send(self, sock: socket.socket, octets: Sequence[bytes]) -> int:
        """Sends them in order; how many, up to the first that can't be sent now."""
        ...

    def receive(self, sock: socket.socket) -> list[bytes]:
        """What has come, or the first of it; nothing, too, if there is an error to be told."""
        ...


class Carrier(Protocol):
    """A socket on which an answer is waited for."""

    def drop(self, flight: "Flight") -> None:
        """Waits for the flight's answer no longer."""
        ...


class Flight:
    """A question on its way to an upstream; who sends it is told what comes of it, exactly once for each asking."""

    __slots__ = ("at", "carrier", "edns", "query", "sent")

    def __init__(self, query: Query, at: float = 0.0) -> None:
        self.query = query
        self.edns = True  # whether it is to be asked with an OPT record
        self.sent = b""  # as last sent
        self.at = at  # when, in the loop's time
        self.carrier: Carrier | None = None

    def answered(self, octets: bytes, found: Lasting) -> None:
        """An answer has come of the most common form; found is what lasts of it."""
        raise NotImplementedError

    def received(self, octets: bytes, *, whole: bool) -> None:
        """Another answer has come; whole unless the rest has to be asked for by TCP."""
        raise NotImplementedError

    def failed(self, error: OSError) -> None:
        """No answer can come any more."""
        raise NotImplementedError

    def puzzled(self) -> None:
        """Something has come under its id that is no answer; the wait goes on."""

    def doubted(self) -> None:
        """What came by UDP can't be told from a forgery, and the wait there is over: TCP can."""
        raise NotImplementedError


class Counts:
    """What an upstream has done, for metrics."""

    __slots__ = ("asked", "failed", "ignored", "lines", "ports", "probes_failed", "streamed", "timed_out")

    def __init__(self) -> None:
        self.asked = 0  # datagrams sent
        self.ports = 0  # sockets opened for these
        self.streamed = 0  # messages sent by TCP or TLS
        self.lines = 0  # connections opened for these
        self.ignored = 0  # datagrams and messages that answered no waiting question
        self.timed_out = 0
        self.failed = 0  # questions ended by an error of the network
        self.probes_failed = 0


class Chance:
    """Random ids, and random cases of names."""

    __slots__ = ("_drawn", "_draws", "_random", "_tables")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._drawn: list[int] = []
        self._draws = 0  # left until new tables are due
        self._tables: list[bytes] = []

    def draw(self) -> int:
        """A number from 0 to 65535."""
        if not self._drawn:
            self._draw()
        return self._drawn.pop()

    def mixed(self, name: bytes) -> bytes:
        """The name with its letters in random case: as many bits more that a spoofer has to guess (0x20)."""
        return self.disguised(name)[1]

    def disguised(self, name: bytes) -> tuple[int, bytes]:
        """A number as draw's, and the name as mixed's.

        In each half of the name a letter has one case, wherever it stands: so it is two translations by tables drawn
        beforehand, half the time of a bit for each octet.
        """
        drawn = self._drawn
        if len(drawn) < 2 or not self._tables:
            self._draw()
        number, tables, half = drawn.pop(), self._tables, len(name) >> 1
        return drawn.pop(), name[:half].translate(tables[number & 255]) + name[half:].translate(tables[number >> 8])

    def _draw(self) -> None:
        """Draws numbers, and now and then tables."""
        self._drawn.extend(array("H", self._random.randbytes(2 * _DRAWN)))
        if not self._draws:
            self._draws = _DRAWS
            self._tables = _tables(self._random)
        self._draws -= 1


def _tables(random: Random) -> list[bytes]:
    """256 translations that put each letter into a case of its own; no length of a label is a letter."""
    tables = []
    for _ in range(256):
        bits = int.from_bytes(random.randbytes(4), "big")
        table = bytearray(range(256))
        for letter in range(26):
            case = bits >> letter & 1
            table[65 + letter] = table[97 + letter] = (65, 97)[case] + letter
        tables.append(bytes(table))
    return tables


class Way(NamedTuple):
    """How a server is reached: from where, and how long a connection to it is kept."""

    source: str = ""  # our address; the system's choice where empty
    expire_s: float = 10.0  # that a connection may be unused
    max_age_s: float = 0.0  # that a connection is given questions; 0 for ever
    max_idle: int = 0  # unused connections kept; 0 for any number


def connected(address: Address, kind: socket.SocketKind, source: str = "") -> socket.socket:
    """A socket that doesn't block, connected to address, or about to be. Raises OSError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    opened = socket.socket(family, kind)
    try:
        opened.setblocking(False)
        if source:
            if kind == socket.SOCK_STREAM and hasattr(socket, "SO_REUSEPORT"):
                _leave_port_open(opened)
            opened.bind((source, 0))
        opened.connect(address)
    except BlockingIOError:
        pass
    except OSError:
        opened.close()
        raise
    return opened


def _leave_port_open(opened: socket.socket) -> None:
    """Lets connections to different servers have the same port of ours, where the system can."""
    try:
        opened.setsockopt(socket.IPPROTO_IP, _NO_PORT_YET, 1)
    except OSError:
        return
