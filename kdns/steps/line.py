"""A connection to an upstream, and the questions whose answers are waited for there.

What is spoken on it is handed in, as is TLS. Answers come in any order and are matched by the speech's key and the
question; what answers no question is counted and ignored. A connection that has been silent while a question waited
there in vain takes no more: so one that is dead, or never came to be, holds up nobody twice.
Standards: RFC 7766 sections 6.2.1, 6.2.3 (idle) and 7, RFC 7858.
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
from kdns.steps.speech import Speech
from kdns.steps.tls import Tunnel

_CHUNK: Final = 65536  # octets read at a time
_OUT_MAX: Final = 1 << 18  # octets to be sent, beyond which the other side only asks and doesn't read
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

    def speech(self) -> Speech:
        """What is spoken on a new connection."""
        ...

    def learn_case(self, *, kept: bool) -> None:
        """Told whether an answer that can't be forged had the question's name in its case."""
        ...


class Pool(Protocol):
    """Where lines are kept."""

    def rested(self, line: "Line") -> None:
        """Told by a line that nobody waits there any more."""
        ...

    def closed(self, line: "Line") -> None:
        """Told by a line that it has closed, once."""
        ...


class Line:
    """A connection, and the questions whose answers are waited for there."""

    __slots__ = (
        *("_expiry", "_flights", "_flushing", "_heard", "_keeper", "_made", "_out", "_pool", "_retired", "_since"),
        *("_socket", "_speech", "_tunnel", "_used", "_writing"),
    )

    def __init__(self, keeper: Keeper, pool: Pool) -> None:
        """Begins to connect. Raises OSError, TlsError among them."""
        self._keeper = keeper
        self._pool = pool
        self._tunnel = keeper.tunnel()
        self._speech = keeper.speech()
        self._socket = connected(keeper.address, socket.SOCK_STREAM, keeper.way.source)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._flights: dict[int, Flight] = {}  # by the speech's key
        self._out = bytearray(b"" if self._tunnel is None else self._tunnel.greet())
        self._made = False  # whether the connection has come about
        self._retired = False
        self._flushing = False
        self._writing = True  # whether the loop tells us when we can send
        self._since = self._used = self._heard = keeper.loop.time()
        self._expiry: asyncio.TimerHandle | None = None
        keeper.counts.lines += 1
        keeper.loop.add_writer(self._socket, self._writable)
        self._push()

    @property
    def waiting(self) -> int:
        """How many questions wait here."""
        return len(self._flights)

    def takes_more(self, now: float) -> bool:
        """Whether another question may be asked here."""
        if self._retired or len(self._flights) >= self._speech.room:
            return False
        if (age := self._keeper.way.max_age_s) and now - self._since > age:
            self.retire()
            return False
        return True

    def ask(self, flight: Flight) -> None:
        """Sends the flight's query under an id as the speech wants it. Raises OSError, and tells the flight nothing then."""
        keeper, query = self._keeper, flight.query
        ident = self.draw()
        name = keeper.chance.mixed(query.qname) if keeper.mixes else query.qname
        self.take(flight, ident, foreign.ask(query, ident, edns=flight.edns, qname=name))

    def draw(self) -> int:
        """The id that all questions have here, or one that none has."""
        if self._speech.ident is not None:
            return self._speech.ident
        ident = self._keeper.chance.draw()
        while ident in self._flights:
            ident = (ident + 1) % _IDS
        return ident

    def take(self, flight: Flight, ident: int, sent: bytes) -> None:
        """Sends octets that begin with this id, which draw gave, for the flight. Raises OSError, as ask."""
        self._flights[self._speech.say(ident, sent)] = flight
        flight.sent = sent
        flight.carrier = self
        self._keeper.counts.streamed += 1
        self._used = self._keeper.loop.time()
        self._push()

    def drop(self, flight: Flight) -> None:
        """As Carrier.drop."""
        key = next(key for key, each in self._flights.items() if each is flight)
        del self._flights[key]
        self._speech.forget(key)
        if self._heard <= flight.at:
            self._retired = True
        self._push()
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
            self._pool.closed(self)
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
        self._pool.rested(self)

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

    def _push(self) -> None:
        """Has sent what the speech wants to send."""
        octets = self._speech.pending()
        if octets:
            self._out += octets if self._tunnel is None else self._tunnel.send(octets)
        if self._out and self._made and not self._flushing and not self._writing:
            self._flushing = True
            self._keeper.loop.call_soon(self._flush)

    def _readable(self) -> None:
        try:
            octets = self._socket.recv(_CHUNK)
            ended = not octets
            if self._tunnel is not None and octets:
                octets, reply = self._tunnel.receive(octets)
                ended = self._tunnel.ended
                self._out += reply
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        heard = self._speech.hear(octets)
        for key, what in heard:
            self._match(key, what)
        self._push()
        if self._speech.end is not None or len(self._out) > _OUT_MAX:
            self._lose(self._speech.end or ConnectionAbortedError("asks, and doesn't read"))
        elif ended:
            self._lose(ConnectionAbortedError("closed before the answer"))
        elif not self._speech.room:
            self.retire()
        elif heard:
            self._rest()

    def _match(self, key: int, what: bytes | OSError) -> None:
        """Gives the flight what has come for it, if it is for it."""
        keeper = self._keeper
        flight = self._flights.get(key)
        if flight is None:
            keeper.counts.ignored += 1
        elif isinstance(what, OSError):
            del self._flights[key]
            flight.failed(what)
        elif _answers(flight, what):
            del self._flights[key]
            self._arrive(flight, what)
        else:
            keeper.counts.ignored += 1
            if self._speech.lone:
                del self._flights[key]
                flight.failed(ConnectionRefusedError("answered something else"))

    def _arrive(self, flight: Flight, message: bytes) -> None:
        keeper = self._keeper
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
