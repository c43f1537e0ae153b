"""Questions by UDP: connected sockets, and which question waits on each under which id.

A spoofer has to guess the socket's port (the kernel's choice among its ephemeral ports, random on Linux, macOS and the
BSDs), a 16-bit id and, of an upstream that keeps it, the case of each letter. No id is used twice on a socket: so an
answer that comes late, or a second time, meets no question. What doesn't answer a waiting question is counted and
ignored, and the wait goes on; once much of that has come, the questions that wait there are told to go by TCP.
What the network says instead of the upstream (ICMP) ends the wait of all on that socket at once.
Standards: RFC 5452 sections 4, 9.1 and 9.2, RFC 1122 section 4.1.3.3 (ICMP), ip(7).
"""

import asyncio
import errno
import os
import socket
import struct
import sys
from typing import Final, Protocol

from kdns.config.settings import Address
from kdns.dns import foreign
from kdns.dns.foreign import ForeignError
from kdns.dns.lasting import plain
from kdns.steps.carriers import Chance, Counts, Datagrams, Flight, connected
from kdns.steps.durations import Durations
from kdns.steps.turns import Turns

QUESTIONS: Final = 256  # of one socket's life: opening and closing one costs 30 to 40 µs, so about 0.15 a question
SECONDS: Final = 10.0  # of one socket's life
BATCH: Final = 64  # datagrams read before others have their turn
DATAGRAM_LIMIT: Final = 4096  # octets; what exceeds it is asked again by TCP
FORGED: Final = 10  # replies under ids that were never asked, after which a socket isn't trusted any more

_DATAGRAM_MAX: Final = 65535  # octets read, so that what is too large is known for what it is
_FEW: Final = 2  # answers waited for, up to which they are read one by one
# Linux: without these only some ICMP errors reach a connected socket (ip(7), ipv6(7)).
_RECVERR: Final = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_ERROR_QUEUE: Final = 0x2000  # MSG_ERRQUEUE
_LINUX: Final = sys.platform.startswith("linux")
_CONTROL: Final = 512  # octets for what an error's message says of it
_ERRNO: Final = struct.Struct("=I")


class Keeper(Protocol):
    """Who opens ports: the upstream, as they see it."""

    address: Address
    loop: asyncio.AbstractEventLoop
    chance: Chance
    datagrams: Datagrams | None
    counts: Counts
    durations: Durations
    turns: Turns
    mixes: bool
    folds: bool

    @property
    def source(self) -> str:
        """The address to send from; the system's choice where empty."""
        ...

    def packed(self, port: "Port") -> None:
        """Told by a port that what it has taken is sent."""
        ...

    def closed(self, port: "Port") -> None:
        """Told by a port that it has closed."""
        ...


class Port:
    """A connected UDP socket and the questions asked on it."""

    __slots__ = ("_flights", "_pack", "_retired", "_socket", "_strange", "_upstream", "_waiting", "left", "until")

    def __init__(self, upstream: Keeper) -> None:
        """Raises OSError: no descriptor left, no route."""
        self._upstream = upstream
        self._socket = connected(upstream.address, socket.SOCK_DGRAM, upstream.source)
        if _LINUX:
            self._socket.setsockopt(*_RECVERR[self._socket.family], 1)
        self._flights: dict[int, Flight | None] = {}  # every id used so far; None once its answer isn't waited for
        self._waiting = 0  # how many aren't None
        self._pack: list[bytes] = []  # asked, and not sent yet
        self._strange = 0  # datagrams that nothing sent here explains
        self._retired = False
        self.left = QUESTIONS
        self.until = upstream.loop.time() + SECONDS
        upstream.loop.add_reader(self._socket, upstream.turns.of(self._readable))

    def ask(self, flight: Flight) -> None:
        """Sends the flight's query under an id never used on this socket, with all that this turn of the loop brings.

        Sent one by one, each would wake the upstream's process where it runs on the same machine, and cost a system
        call: 15 µs instead of 4.
        """
        upstream, query, flights = self._upstream, flight.query, self._flights
        chance = upstream.chance
        if upstream.mixes:
            ident, name = chance.disguised(query.qname)
        else:
            ident, name = chance.draw(), query.name if upstream.folds else query.qname
        while ident in flights:
            ident = chance.draw()
        self.take(flight, ident, foreign.ask(query, ident, name, edns=flight.edns))

    def draw(self) -> int:
        """An id never used on this socket."""
        draw = self._upstream.chance.draw
        ident = draw()
        while ident in self._flights:
            ident = draw()
        return ident

    def take(self, flight: Flight, ident: int, sent: bytes) -> None:
        """Sends octets that begin with this id, which draw gave, for the flight."""
        flight.sent = sent
        self._flights[ident] = flight
        flight.carrier = self
        self.left -= 1
        self._waiting += 1
        if not self._pack:
            self._upstream.turns.soon(self._send)
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
        if self._socket.fileno() < 0:
            return
        pack, self._pack = self._pack, []
        datagrams = self._upstream.datagrams
        sent = datagrams.send(self._socket, pack) if datagrams is not None and len(pack) > 1 else 0
        for octets in pack[sent:]:
            try:
                self._socket.send(octets)
            except BlockingIOError as error:
                self._unsent(octets, error)
            except OSError as error:
                if (
                    error.errno != errno.ENOBUFS
                ):  # what became of an earlier datagram, or no way at all: as for all here
                    self._lost(error)
                    return
                self._unsent(octets, error)

    def _unsent(self, octets: bytes, error: OSError) -> None:
        ident = int.from_bytes(octets[:2], "big")
        flight = self._flights[ident]
        if flight is not None:
            self._forget(ident)
            flight.failed(error)

    def _readable(self) -> None:
        upstream = self._upstream
        datagrams, now = upstream.datagrams, upstream.loop.time()
        if datagrams is not None and self._waiting > _FEW:
            received = datagrams.receive(self._socket)
            for octets in received:
                self._read(octets, now)
            if received:  # if there is more, the loop comes again
                return
        for _ in range(BATCH):
            try:
                octets = self._socket.recv(_DATAGRAM_MAX)
            except BlockingIOError:
                self._look_for_errors()
                return
            except OSError as error:
                self._lost(error)
                return
            self._read(octets, now)
            if not self._waiting:  # most often so: spares the read that finds nothing
                return

    def _look_for_errors(self) -> None:
        """Takes an error out of the socket's queue: until then the socket is readable, and has nothing to read."""
        if not _LINUX or self._socket.fileno() < 0:
            return
        try:
            _, control, _, _ = self._socket.recvmsg(0, _CONTROL, _ERROR_QUEUE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        for _, _, data in control:
            if len(data) >= _ERRNO.size:
                (number,) = _ERRNO.unpack_from(data)
                self._lost(OSError(number, os.strerror(number)))
                return

    def _read(self, octets: bytes, now: float) -> None:
        ident = int.from_bytes(octets[:2], "big")
        flight = self._flights.get(ident)
        if flight is None:
            self._ignore(known=ident in self._flights)
            return
        found = plain(flight.query, flight.sent, octets)
        if found is not None and len(octets) <= DATAGRAM_LIMIT:
            self._forget(ident)
            self._upstream.durations.fresh.append(now - flight.at)
            flight.answered(octets, found)
        elif foreign.answers(flight.sent, octets):
            self._forget(ident)
            self._upstream.durations.note(foreign.rcode(octets), now - flight.at)
            octets = foreign.renamed(flight.query, octets)
            flight.received(octets, whole=len(octets) <= DATAGRAM_LIMIT and not foreign.truncated(octets))
        elif self._is_in_other_case(flight, octets):
            self._upstream.counts.ignored += 1
            self._forget(ident)
            flight.doubted()
        else:
            flight.puzzled()
            self._ignore(known=False)

    def _is_in_other_case(self, flight: Flight, octets: bytes) -> bool:
        """Whether the datagram would be the answer but for the case of the name."""
        if octets[:2] != flight.sent[:2]:
            return False
        try:
            foreign.check(flight.query, octets)
        except ForeignError:
            return False
        return True

    def _ignore(self, *, known: bool) -> None:
        """Counts a datagram that answers no waiting question; those under a known id may be late, or come twice."""
        self._upstream.counts.ignored += 1
        self._strange += not known
        if self._strange == FORGED:
            self.left = 0
            self._upstream.packed(self)
            waiting = self._waited_for()
            self.retire()
            for flight in waiting:
                flight.doubted()

    def _waited_for(self) -> list[Flight]:
        """Who waits; from now on nobody does."""
        waiting = [flight for flight in self._flights.values() if flight is not None]
        self._flights = dict.fromkeys(self._flights)
        self._waiting = 0
        return waiting

    def _lost(self, error: OSError) -> None:
        """The socket brings no answers any more: tells all who wait."""
        waiting = self._waited_for()
        self.left = 0
        self.close()
        for flight in waiting:
            flight.failed(error)
