"""One upstream: the sockets that lead to it, and which questions wait on each.

Questions go out by UDP from a few connected sockets, those that come together from the same
one. A spoofer has to guess the socket's port (the kernel's choice among its ephemeral ports,
random on Linux, macOS and the BSDs) and a 16-bit id from the system's generator. A socket is
used for a bounded number of questions and seconds, and no id twice on it: so an answer that
comes late, or a second time, meets no question. What doesn't answer a waiting question is counted and ignored, and the wait goes
on. Whole answers to truncated ones come by TCP, in stream. What a reply means for the
question, when time is up and who is asked next is forward's.
Standards: RFC 5452 sections 4, 9.1 and 9.2, RFC 9210 section 5 (fallback to TCP).
"""

import asyncio
import socket
from array import array
from collections.abc import Sequence
from typing import Final, Protocol

from kdns.config.settings import Address
from kdns.dns import foreign
from kdns.dns.lasting import Lasting, plain
from kdns.dns.query import Query

SOCKETS: Final = 16  # in use at a time; as many ports a spoofer can't tell apart
QUESTIONS: Final = 256  # of one socket's life: opening and closing one costs 30 to 40 µs, so about 0.15 a question
SECONDS: Final = 10.0  # of one socket's life
BATCH: Final = 64  # datagrams read before others have their turn
DATAGRAM_LIMIT: Final = 4096  # octets; what exceeds it is asked again by TCP

_DATAGRAM_MAX: Final = 65535  # octets read, so that what is too large is known for what it is
_DRAWN: Final = 1024  # ids drawn from the system at a time: 0.06 µs each, one by one 0.57
_FEW: Final = 2  # answers waited for, up to which they are read one by one


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

    __slots__ = ("carrier", "edns", "query", "sent")

    def __init__(self, query: Query) -> None:
        self.query = query
        self.edns = True  # whether it is to be asked with an OPT record
        self.sent = b""  # as last sent
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


class Counts:
    """What an upstream has done, for metrics."""

    __slots__ = ("asked", "failed", "ignored", "streamed", "timed_out")

    def __init__(self) -> None:
        self.asked = 0  # datagrams sent
        self.streamed = 0  # connections opened
        self.ignored = 0  # datagrams and messages that answered no waiting question
        self.timed_out = 0
        self.failed = 0  # questions ended by an error of the network


class Chance:
    """Random 16-bit numbers."""

    __slots__ = ("_drawn", "_random")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._drawn: list[int] = []

    def draw(self) -> int:
        """A number from 0 to 65535."""
        if not self._drawn:
            self._drawn = array("H", self._random.randbytes(2 * _DRAWN)).tolist()
        return self._drawn.pop()


class Upstream:
    """A server that questions can be sent to."""

    __slots__ = ("_open", "_packing", "_slots", "address", "chance", "counts", "datagrams", "loop")

    def __init__(
        self, address: Address, *, loop: asyncio.AbstractEventLoop, chance: Chance, datagrams: Datagrams | None = None
    ) -> None:
        """Without datagrams each is sent and read by a system call of its own."""
        self.address = address
        self.loop = loop
        self.chance = chance
        self.datagrams = datagrams
        self.counts = Counts()
        self._slots: list[Port | None] = [None] * SOCKETS
        self._open: set[Port] = set()  # those in slots, and those that still wait for answers
        self._packing: Port | None = None  # the one that takes the questions of this turn of the loop

    def ask(self, flight: Flight) -> None:
        """Sends the flight's query by UDP, with an id of its own. Raises OSError, and tells the flight nothing then."""
        port = self._packing
        if port is None or not port.left:
            port = self._packing = self._port()
        port.ask(flight)
        self.counts.asked += 1

    def close(self) -> None:
        """Closes all UDP sockets; who waits on them is told nothing."""
        for port in list(self._open):
            port.close()

    def packed(self, port: "Port") -> None:
        """Told by a port that what it has taken is sent."""
        if self._packing is port:
            self._packing = None

    def closed(self, port: "Port") -> None:
        """Told by a port that it has closed."""
        self._open.discard(port)
        self.packed(port)

    def _port(self) -> "Port":
        slot = self.chance.draw() % SOCKETS
        port = self._slots[slot]
        if port is not None:
            if port.left and port.until > self.loop.time():
                return port
            self._slots[slot] = None
            port.retire()
        port = self._slots[slot] = Port(self)
        self._open.add(port)
        return port


class Port:
    """A connected UDP socket and the questions asked on it."""

    __slots__ = ("_flights", "_pack", "_retired", "_socket", "_upstream", "_waiting", "left", "until")

    def __init__(self, upstream: Upstream) -> None:
        """Raises OSError: no descriptor left, no route."""
        self._upstream = upstream
        self._socket = connected(upstream.address, socket.SOCK_DGRAM)
        self._flights: dict[int, Flight | None] = {}  # every id used so far; None once its answer isn't waited for
        self._waiting = 0  # how many aren't None
        self._pack: list[bytes] = []  # asked, and not sent yet
        self._retired = False
        self.left = QUESTIONS
        self.until = upstream.loop.time() + SECONDS
        upstream.loop.add_reader(self._socket, self._readable)

    def ask(self, flight: Flight) -> None:
        """Sends the flight's query under an id never used on this socket, with all that this turn of the loop brings.

        Sent one by one, each would wake the upstream's process where it runs on the same machine, and cost a system
        call: 15 µs instead of 4.
        """
        flights = self._flights
        draw = self._upstream.chance.draw
        ident = draw()
        while ident in flights:
            ident = draw()
        flight.sent = sent = foreign.ask(flight.query, ident, edns=flight.edns)
        flights[ident] = flight
        flight.carrier = self
        self.left -= 1
        self._waiting += 1
        if not self._pack:
            self._upstream.loop.call_soon(self._send)
        self._pack.append(sent)

    def drop(self, flight: Flight) -> None:
        """As Carrier.drop."""
        self._forget(int.from_bytes(flight.sent[:2], "big"))

    def retire(self) -> None:
        """Closes as soon as nobody waits here any more."""
        self._retired = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Closes the socket; may be called again."""
        if self._socket.fileno() >= 0:
            self._upstream.loop.remove_reader(self._socket)
            self._socket.close()
            self._upstream.closed(self)

    def _forget(self, ident: int) -> None:
        self._flights[ident] = None
        self._waiting -= 1
        if self._retired and not self._waiting:
            self.close()

    def _send(self) -> None:
        self._upstream.packed(self)
        pack, self._pack = self._pack, []
        datagrams = self._upstream.datagrams
        sent = datagrams.send(self._socket, pack) if datagrams is not None and len(pack) > 1 else 0
        for octets in pack[sent:]:
            try:
                self._socket.send(octets)
            except ConnectionError as error:  # an earlier datagram was refused: the answer to all who wait here
                self._lost(error)
                return
            except OSError as error:
                self._unsent(octets, error)

    def _unsent(self, octets: bytes, error: OSError) -> None:
        ident = int.from_bytes(octets[:2], "big")
        flight = self._flights[ident]
        if flight is not None:
            self._forget(ident)
            flight.failed(error)

    def _readable(self) -> None:
        datagrams = self._upstream.datagrams
        if datagrams is not None and self._waiting > _FEW:
            received = datagrams.receive(self._socket)
            for octets in received:
                self._read(octets)
            if received:  # if there is more, the loop comes again
                return
        for _ in range(BATCH):
            try:
                octets = self._socket.recv(_DATAGRAM_MAX)
            except BlockingIOError:
                return
            except OSError as error:
                self._lost(error)
                return
            self._read(octets)
            if not self._waiting:  # most often so: spares the read that finds nothing
                return

    def _read(self, octets: bytes) -> None:
        ident = int.from_bytes(octets[:2], "big")
        flight = self._flights.get(ident)
        if flight is None:
            self._upstream.counts.ignored += 1
            return
        found = plain(flight.query, flight.sent, octets)
        if found is not None and len(octets) <= DATAGRAM_LIMIT:
            self._forget(ident)
            flight.answered(octets, found)
        elif foreign.answers(flight.sent, octets):
            self._forget(ident)
            flight.received(octets, whole=len(octets) <= DATAGRAM_LIMIT and not foreign.truncated(octets))
        else:
            self._upstream.counts.ignored += 1

    def _lost(self, error: OSError) -> None:
        """The socket brings no answers any more: tells all who wait."""
        waiting = [flight for flight in self._flights.values() if flight is not None]
        self._flights.clear()
        self._waiting = 0
        self.left = 0
        self.close()
        for flight in waiting:
            flight.failed(error)


def connected(address: Address, kind: socket.SocketKind) -> socket.socket:
    """A socket that doesn't block, connected to address, or about to be. Raises OSError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    opened = socket.socket(family, kind)
    try:
        opened.setblocking(False)
        opened.connect(address)
    except BlockingIOError:
        pass
    except OSError:
        opened.close()
        raise
    return opened
