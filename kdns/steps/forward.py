"""Forwarding: asks the upstreams, in their order, what no step before could answer.

Holds the plan of a question: whom to ask, for how long, whom next, and what to say when
nobody helps. Plain callbacks: no task, no future and no timer per question. Whatever comes,
done is called exactly once. The octets of a reply are neither changed nor read further than
its header and question. Sockets and ids are upstream's matter.
Standards: RFC 1035 section 7.2 (whom next), RFC 6891 section 7 (FORMERR), RFC 8914.
"""

import asyncio
from collections import deque
from typing import Final

from kdns.config.directives.forward import Forward as Settings
from kdns.config.settings import Address, ForwardSettings
from kdns.dns import foreign, types
from kdns.dns.lasting import Lasting
from kdns.dns.records import ExtendedError
from kdns.steps.around import Around
from kdns.steps.chain import Done, Failed, Outcome, Relayed, Request, Rest
from kdns.steps.stream import Stream
from kdns.steps.upstream import DATAGRAM_LIMIT, Chance, Datagrams, Flight, Random, Upstream

TOTAL_S: Final = 4.5  # for all tries together: stub resolvers give up after 5
NAME: Final = "forward"

_STREAMS: Final = 2  # connections tried for one question at one upstream
_TICK_S: Final = 0.001  # deadlines are kept no finer than this
_TEXT_LIMIT: Final = 200  # characters of an extended error: they fit 512 octets beside any question

# Rcodes that another upstream, or another way of asking, may better; any other is the answer.
_DOUBTFUL: Final = frozenset((types.FORMERR, types.SERVFAIL, types.REFUSED))

_NO_UPSTREAM: Final = Failed(
    types.SERVFAIL, ExtendedError(types.EDE_NO_REACHABLE_AUTHORITY, "no upstream is set"), NAME
)


class Forward:
    """The step that asks upstreams; the last of its chain."""

    __slots__ = ("_timeout_s", "_timer", "loop", "rejected", "settings", "upstreams", "waiting")

    def __init__(
        self,
        settings: ForwardSettings,
        *,
        loop: asyncio.AbstractEventLoop,
        random: Random,
        datagrams: Datagrams | None = None,
    ) -> None:
        """Opens nothing yet. random is the system's generator."""
        chance = Chance(random)
        self.settings = settings
        self._timeout_s = settings.timeout_s
        self.loop = loop
        self.upstreams = tuple(
            Upstream(address, loop=loop, chance=chance, datagrams=datagrams) for address in settings.upstreams
        )
        self.rejected = 0  # questions over max_concurrent
        # The questions in flight, and when their try is over. All tries last the same, so the oldest comes first and
        # one timer does for all; with a timer each, a question costs 12.6 µs instead of 10.7 (Python 3.11, 2 cores).
        self.waiting: dict[Errand, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:  # noqa: ARG002 - nothing comes after
        """As Step.ask; answers at once only where nothing can be sent."""
        if len(self.waiting) >= self.settings.max_concurrent:
            self.rejected += 1
            text = f"{len(self.waiting)} questions are waiting for upstreams already"
            return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text), NAME)
        if not self.upstreams:
            return _NO_UPSTREAM
        return Errand(self, request, done).depart()

    def close(self) -> None:
        """Fails what is in flight and closes all sockets."""
        for errand in list(self.waiting):
            errand.abandon("had no time left: shutting down")
        for upstream in self.upstreams:
            upstream.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wait(self, errand: "Errand", now: float) -> None:
        """Starts the time of one try."""
        deadline = self.waiting[errand] = now + self._timeout_s
        if self._timer is None:
            self._timer = self.loop.call_at(deadline, self._sweep)

    def _sweep(self) -> None:
        """Ends the tries whose time is up, and comes again when the next one's is."""
        self._timer = None
        now = self.loop.time() + _TICK_S
        overdue = []
        for errand, deadline in self.waiting.items():
            if deadline > now:
                self._timer = self.loop.call_at(deadline, self._sweep)
                break
            overdue.append(errand)
        for errand in overdue:
            errand.overdue()


class Trouble:
    """What has gone wrong so far with one question, and what is left to try."""

    __slots__ = ("expiry", "heard", "kept", "left", "reasons", "servfail", "silent", "streams")

    def __init__(self, left: tuple[Upstream, ...]) -> None:
        self.left = deque(left)  # whom to ask yet
        self.silent: set[Upstream] = set()  # who let time pass, and is asked once more: a datagram may have got lost
        self.reasons: dict[Upstream, str] = {}  # what each said or did last
        self.kept: bytes | None = None  # a reply to pass on if no better one comes
        self.heard = False  # whether anyone answered at all
        self.servfail = False  # whether someone answered SERVFAIL
        self.streams = 0  # opened to the present upstream
        self.expiry: asyncio.TimerHandle | None = None  # when all tries are over

    def last_word(self) -> Outcome:
        """The outcome if nothing better comes."""
        if self.kept is not None:
            return Relayed(self.kept, NAME)
        reached = self.heard or self.silent
        code = types.EDE_NO_REACHABLE_AUTHORITY if reached else types.EDE_NETWORK_ERROR
        text = "; ".join(f"{upstream.address} {reason}" for upstream, reason in self.reasons.items())
        return Failed(types.SERVFAIL, ExtendedError(code, text[:_TEXT_LIMIT]), NAME)


class Errand(Flight):
    """One question and its plan: the first upstream first, the next one when it doesn't help."""

    __slots__ = ("_begun", "_done", "_forward", "_trouble", "_udp", "_upstream")

    def __init__(self, forward: Forward, request: Request, done: Done) -> None:
        self.query = request.query
        self.edns = True
        self.sent = b""
        self.carrier = None
        self._forward = forward
        self._done = done
        self._udp = request.transport == "udp"
        self._begun = forward.loop.time()
        self._upstream = forward.upstreams[0]
        self._trouble: Trouble | None = None

    def depart(self) -> Outcome | None:
        """Sends the question to the first upstream that takes it; the outcome if none does."""
        try:
            self._upstream.ask(self)
        except OSError as error:
            self._blame(error)
            return self._next()
        self._forward.wait(self, self._begun)
        return None

    def answered(self, octets: bytes, found: Lasting) -> None:
        """As Flight.answered."""
        outcome = Relayed(octets, NAME, 0.0, None, None, False, found)
        if self._trouble is None:
            del self._forward.waiting[self]
            self._done(outcome)
        else:
            self._finish(outcome)

    def received(self, octets: bytes, *, whole: bool) -> None:
        """As Flight.received."""
        if not whole:
            self._ask_whole(octets)
        elif foreign.rcode(octets) in _DOUBTFUL:
            self._doubt(octets)
        else:
            self._finish(Relayed(octets, NAME))

    def failed(self, error: OSError) -> None:
        """As Flight.failed."""
        trouble = self._setback()
        again = isinstance(self.carrier, Stream) and trouble.streams < _STREAMS
        if again and not isinstance(error, ConnectionRefusedError):
            self._ask_by_stream()
        else:
            self._blame(error)
            self._go_on()

    def overdue(self) -> None:
        """The time of this try is up."""
        self._leave()
        trouble = self._setback()
        upstream = self._upstream
        if upstream not in trouble.silent:
            trouble.left.append(upstream)
        trouble.silent.add(upstream)
        trouble.reasons[upstream] = "timed out"
        upstream.counts.timed_out += 1
        self._go_on()

    def abandon(self, why: str) -> None:
        """Ends the question now, with the best there is."""
        self._leave()
        trouble = self._setback()
        trouble.silent.add(self._upstream)
        trouble.reasons.setdefault(self._upstream, why)
        self._finish(trouble.last_word())

    def _doubt(self, octets: bytes) -> None:
        """Does what may bring something better than this reply."""
        trouble = self._setback()
        rcode = foreign.rcode(octets)
        if rcode == types.FORMERR:
            self._doubt_edns(octets)
            return
        if rcode == types.SERVFAIL:
            if trouble.servfail:  # two say so: the name is at fault, not the server
                self._finish(Relayed(octets, NAME))
                return
            trouble.servfail = True
            trouble.kept = trouble.kept or octets
        trouble.heard = True
        trouble.reasons[self._upstream] = f"answered {types.rcode_text(rcode)}"
        self._go_on()

    def _doubt_edns(self, octets: bytes) -> None:
        """FORMERR without an OPT record may mean that EDNS isn't known there (RFC 6891 section 7): asks without."""
        if not self.edns or foreign.has_edns(octets):
            self._finish(Relayed(octets, NAME))
            return
        self.edns = False
        if not self._sent():
            self._go_on()

    def _ask_whole(self, octets: bytes) -> None:
        """Asks the same upstream by TCP; what came is kept for a client that can do with a part."""
        trouble = self._setback()
        if self._udp and len(octets) <= DATAGRAM_LIMIT:
            trouble.kept = trouble.kept or octets
        self._ask_by_stream()

    def _ask_by_stream(self) -> None:
        trouble = self._in_trouble()
        trouble.streams += 1
        try:
            Stream(self._upstream, self)
        except OSError as error:
            self._blame(error)
            self._go_on()
        else:
            self._wait()

    def _go_on(self) -> None:
        outcome = self._next()
        if outcome is not None:
            self._finish(outcome)

    def _next(self) -> Outcome | None:
        """Asks the next upstream that takes the question; the outcome if there is none left."""
        trouble = self._in_trouble()
        trouble.streams = 0
        self.edns = True
        while trouble.left:
            self._upstream = trouble.left.popleft()
            if trouble.kept is not None and self._upstream in trouble.silent:
                break  # worth more than asking a second time
            if self._sent():
                return None
        return trouble.last_word()

    def _sent(self) -> bool:
        """Whether the question is on its way to the present upstream."""
        try:
            self._upstream.ask(self)
        except OSError as error:
            self._blame(error)
            return False
        self._wait()
        return True

    def _wait(self) -> None:
        forward, trouble = self._forward, self._trouble
        forward.wait(self, forward.loop.time())
        if trouble is not None and trouble.expiry is None:
            trouble.expiry = forward.loop.call_at(self._begun + TOTAL_S, self.abandon, "timed out")

    def _blame(self, error: OSError) -> None:
        self._upstream.counts.failed += 1
        self._in_trouble().reasons[self._upstream] = error.strerror or str(error)

    def _in_trouble(self) -> Trouble:
        if self._trouble is None:
            self._trouble = Trouble(self._forward.upstreams[1:])
        return self._trouble

    def _setback(self) -> Trouble:
        """This try is over, and the question isn't answered."""
        self._forward.waiting.pop(self, None)
        return self._in_trouble()

    def _leave(self) -> None:
        """Doesn't listen any more where it waits."""
        if self.carrier is not None:
            self.carrier.drop(self)

    def _finish(self, outcome: Outcome) -> None:
        self._forward.waiting.pop(self, None)
        if self._trouble is not None and self._trouble.expiry is not None:
            self._trouble.expiry.cancel()
        self._done(outcome)


def make(settings: Settings, around: Around) -> "Forward":
    """The step of the directive."""
    addresses = tuple(Address(each.host, each.port) for each in settings.upstreams)
    asked = ForwardSettings(addresses, settings.read_timeout_s, settings.max_concurrent or 1 << 30)
    return Forward(asked, loop=around.loop, random=around.random, datagrams=around.datagrams)
