"""Questions by TCP and TLS: connections to an upstream, kept and used again, with many questions in flight on each.

For answers that don't fit a datagram, for clients that asked by TCP, and wherever the settings want it. Replies come in
any order and are matched by id and question; what answers no question is counted and ignored. A connection that has
been silent while a question waited there in vain takes no more: so one that is dead, or never came to be, holds up
nobody twice. Whether a question that met the end of a connection is asked again is errand's matter.
Standards: RFC 1035 section 4.2.2, RFC 7766 sections 6.2.1 (use again, pipelining), 6.2.3 (idle) and 7, RFC 7858.
"""

import asyncio
import os
import socket
from typing import Final, Protocol

from kdns.config.settings import Address
from kdns.dns import foreign
from kdns.dns.foreign import ForeignError
from kdns.steps.carriers import Chance, Counts, Flight, Way, connected
from kdns.steps.durations import Durations
from kdns.steps.tls import Tunnel

IN_FLIGHT: Final = 32  # questions that wait on a connection before another one is opened

_CHUNK: Final = 65536  # octets read at a time
_IDS: Final = 65536


class Keeper(Protocol):
    """Who opens lines: the upstream, as they see it."""

    address: Address
    loop: asyncio.AbstractEventLoop
    chance: Chance
    counts: Counts
    durations: Durations
    mixes: bool
    way: Way

    def tunnel(self) -> Tunnel | None:
        """TLS for a new connection, None where none is wanted. Raises TlsError."""
        ...

    def learn_case(self, *, kept: bool) -> None:
        """Told whether an answer that can't be forged had the question's name in its case."""
        ...


class Lines:
    """The connections to an upstream."""

    __slots__ = ("_keeper", "open")

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.open: list[Line] = []

    def ask(self, flight: Flight, *, fresh: bool = False) -> None:
        """Sends the flight's query on a connection that is there, or a new one. Raises OSError, and tells nothing then."""
        line = None if fresh else self._free()
        if line is None:
            line = self.connect()
        line.ask(flight)

    def connect(self) -> "Line":
        """A new connection. Raises OSError."""
        line = Line(self._keeper, self)
        self.open.append(line)
        return line

    def retire(self) -> None:
        """Closes each connection as soon as nobody waits there any more."""
        for line in list(self.open):
            line.retire()

    def close(self) -> None:
        """Closes all; who waits is told nothing."""
        for line in list(self.open):
            line.close()

    def has_rested(self, line: "Line") -> None:
        """Told by a connection that nobody waits there any more."""
        most = self._keeper.way.max_idle
        if most and sum(not each.waiting for each in self.open) > most:
            line.close()

    def _free(self) -> "Line | None":
        """The connection used last that may take another question: so those that aren't needed expire."""
        now = self._keeper.loop.time()
        for line in reversed(self.open):
            if line.takes_more(now):
                return line
        return None


class Line:
    """A connection, and the questions whose answers are waited for there."""

    __slots__ = (
        "_expiry",
        "_flights",
        "_flushing",
        "_got",
        "_heard",
        "_keeper",
        "_lines",
        "_made",
        "_out",
        "_retired",
        "_since",
        "_socket",
        "_tunnel",
        "_used",
        "_writing",
    )

    def __init__(self, keeper: Keeper, lines: Lines) -> None:
        """Begins to connect. Raises OSError, TlsError among them."""
        self._keeper = keeper
        self._lines = lines
        self._tunnel = keeper.tunnel()
        self._socket = connected(keeper.address, socket.SOCK_STREAM, keeper.way.source)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._flights: dict[int, Flight] = {}
        self._out = bytearray(b"" if self._tunnel is None else self._tunnel.greet())
        self._got = bytearray()
        self._made = False  # whether the connection has come about
        self._retired = False
        self._flushing = False
        self._writing = True  # whether the loop tells us when we can send
        self._since = self._used = self._heard = keeper.loop.time()
        self._expiry: asyncio.TimerHandle | None = None
        keeper.counts.lines += 1
        keeper.loop.add_writer(self._socket, self._writable)

    @property
    def waiting(self) -> int:
        """How many questions wait here."""
        return len(self._flights)

    def takes_more(self, now: float) -> bool:
        """Whether another question may be asked here."""
        if self._retired or len(self._flights) >= IN_FLIGHT:
            return False
        if (age := self._keeper.way.max_age_s) and now - self._since > age:
            self.retire()
            return False
        return True

    def ask(self, flight: Flight) -> None:
        """Sends the flight's query under an id that no other question has here."""
        keeper, query = self._keeper, flight.query
        ident = self.draw()
        name = keeper.chance.mixed(query.qname) if keeper.mixes else query.qname
        self.take(flight, ident, foreign.ask(query, ident, edns=flight.edns, qname=name))

    def draw(self) -> int:
        """An id that no question has here."""
        ident = self._keeper.chance.draw()
        while ident in self._flights:
            ident = (ident + 1) % _IDS
        return ident

    def take(self, flight: Flight, ident: int, sent: bytes) -> None:
        """Sends octets that begin with this id, which draw gave, for the flight."""
        flight.sent = sent
        flight.carrier = self
        self._flights[ident] = flight
        self._keeper.counts.streamed += 1
        self._used = self._keeper.loop.time()
        framed = len(sent).to_bytes(2, "big") + sent
        self._out += framed if self._tunnel is None else self._tunnel.send(framed)
        if self._made and not self._flushing and not self._writing:
            self._flushing = True
            self._keeper.loop.call_soon(self._flush)

    def drop(self, flight: Flight) -> None:
        """As Carrier.drop."""
        del self._flights[int.from_bytes(flight.sent[:2], "big")]
        if self._heard <= flight.at:
            self._retired = True
        self._rest()

    def retire(self) -> None:
        """Closes as soon as nobody waits here any more."""
        self._retired = True
        self._rest()

    def close(self) -> None:
        """Closes the connection; may be called again."""
        if self._socket.fileno() >= 0:
            self._keeper.loop.remove_writer(self._socket)
            self._keeper.loop.remove_reader(self._socket)
            self._socket.close()
            self._lines.open.remove(self)
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _rest(self) -> None:
        """Nobody waits here any more, maybe: this is kept for a while, or not."""
        if self._flights or self._socket.fileno() < 0:
            return
        if self._retired:
            self.close()
            return
        if self._expiry is None:
            self._expiry = self._keeper.loop.call_at(self._used + self._keeper.way.expire_s, self._expire)
        self._lines.has_rested(self)

    def _expire(self) -> None:
        self._expiry = None
        if self._flights:
            return
        until = self._used + self._keeper.way.expire_s
        if until > self._keeper.loop.time():
            self._expiry = self._keeper.loop.call_at(until, self._expire)
        else:
            self.close()

    def _writable(self) -> None:
        if not self._made:
            if number := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._lose(_as_exception(number))
                return
            self._made = True
            self._keeper.loop.add_reader(self._socket, self._readable)
        self._flush()

    def _flush(self) -> None:
        """Sends what there is to send, and has the loop tell when there is room for what is left."""
        self._flushing = False
        if self._socket.fileno() < 0:
            return
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._lose(error)
            return
        if bool(self._out) != self._writing:
            self._writing = bool(self._out)
            if self._writing:
                self._keeper.loop.add_writer(self._socket, self._writable)
            else:
                self._keeper.loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            octets = self._socket.recv(_CHUNK)
            ended = not octets
            if self._tunnel is not None and octets:
                octets, reply = self._tunnel.receive(octets)
                ended = self._tunnel.ended
                self._out += reply
                if self._out and not self._writing:
                    self._flush()
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        self._got += octets
        self._read()
        if ended:
            self._lose(ConnectionAbortedError("closed before the answer"))

    def _read(self) -> None:
        """Hands out the whole messages that have come."""
        got = self._got
        start, size = 0, len(got)
        while size - start >= 2 and size - start >= (length := 2 + int.from_bytes(got[start : start + 2], "big")):
            self._match(bytes(got[start + 2 : start + length]))
            start += length
        if start:
            del got[:start]
            self._rest()

    def _match(self, message: bytes) -> None:
        keeper = self._keeper
        ident = int.from_bytes(message[:2], "big")
        flight = self._flights.get(ident)
        if flight is None or not _answers(flight, message):
            keeper.counts.ignored += 1
            return
        del self._flights[ident]
        now = self._heard = keeper.loop.time()
        keeper.durations.note(foreign.rcode(message), now - flight.at)
        if keeper.mixes:
            end = 12 + len(flight.query.qname)
            keeper.learn_case(kept=message[12:end] == flight.sent[12:end])
        flight.received(foreign.renamed(flight.query, message), whole=True)

    def _lose(self, error: OSError) -> None:
        """The connection brings no answers any more: tells all who wait."""
        waiting = list(self._flights.values())
        self._flights.clear()
        self._retired = True
        self.close()
        for flight in waiting:
            flight.failed(error)


def _answers(flight: Flight, message: bytes) -> bool:
    """Whether the message is a whole reply to the flight's question, in whatever case: nobody guesses a connection."""
    try:
        foreign.check(flight.query, message)
    except ForeignError:
        return False
    return True


def _as_exception(number: int) -> OSError:
    """The exception that the system's number of an error stands for."""
    return OSError(number, os.strerror(number))
