"""One question's plan: which upstream first, for how long, who next, and what to say when nobody helps.

Plain callbacks: no task, no future and no timer per question. Whatever comes, done is called exactly once. The octets of
a reply are neither changed nor read further than its header and question.
Standards: RFC 1035 section 7.2 (whom next), RFC 6891 section 7 (FORMERR), RFC 7766 section 5 (TCP), RFC 8914.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from kdns.dns import foreign, types
from kdns.dns.lasting import Lasting
from kdns.dns.records import ExtendedError
from kdns.steps.carriers import Flight
from kdns.steps.chain import Done, Failed, Outcome, Relayed, Request, Rest
from kdns.steps.ports import DATAGRAM_LIMIT, Port
from kdns.steps.servers import Server
from kdns.steps.trouble import NAME, Trouble

_STREAMS: Final = 2  # connections tried for one question at one upstream

# Rcodes that another upstream, or another way of asking, may better; any other is the answer.
_DOUBTFUL: Final = frozenset((types.FORMERR, types.SERVFAIL, types.REFUSED))


class Rules(Protocol):
    """What an errand asks of the step that sends it."""

    loop: asyncio.AbstractEventLoop
    waiting: "dict[Errand, float]"
    total_s: float  # for all tries together
    tries_max: int  # that bring no reply; 0 for any number
    again: bool  # whether who was silent is asked more than twice, as far as tries_max goes
    failover: frozenset[int]  # rcodes
    lead_on: frozenset[int]  # rcodes upon which the next forward is asked
    lead_on_nodata: bool

    def wait(self, errand: "Errand", now: float) -> None:
        """Starts the time of one try."""
        ...

    def others(self, first: Server) -> Iterable[Server]:
        """Whom to ask after the first, in order."""
        ...


class Errand(Flight):
    """One question and its plan: the first upstream first, the next one when it doesn't help."""

    __slots__ = ("_done", "_request", "_rest", "_rules", "_server", "_streamed", "_trouble")

    def __init__(
        self, rules: Rules, server: Server, request: Request, rest: Rest, done: Done, *, streamed: bool
    ) -> None:
        """Streamed: asked by TCP or TLS, not UDP."""
        self.query = request.query
        self.edns = server.upstream.edns
        self.sent = b""
        self.carrier = None
        self.at = rules.loop.time()
        self._rules = rules
        self._server = server
        self._request = request
        self._rest = rest
        self._done = done
        self._streamed = streamed
        self._trouble: Trouble | None = None

    def depart(self) -> Outcome | None:
        """Sends the question to the first upstream that takes it; the outcome if none does."""
        try:
            if self._streamed:
                self._server.upstream.ask_by_stream(self)
            else:
                self._server.upstream.ask(self)
        except OSError as error:
            self._blame(error)
            return self._settled(self._next())
        self._rules.wait(self, self.at)
        return None

    def worry(self) -> None:
        """Told before it departs that the upstream isn't known to be well: an answer would be news."""
        self._in_trouble()

    def answered(self, octets: bytes, found: Lasting) -> None:  # noqa: ARG002 - the name is the client's in found
        """As Flight.answered."""
        # As Relayed(...), for a third of the time. What is plain is tidy.
        outcome = tuple.__new__(Relayed, (found.octets, NAME, 0.0, None, found.rotation, True, found, ()))
        if self._trouble is None:
            del self._rules.waiting[self]
            self._done(outcome)
        else:
            self._arrive(outcome)

    def received(self, octets: bytes, *, whole: bool) -> None:
        """As Flight.received."""
        rcode = foreign.rcode(octets)
        if not whole:
            self._ask_whole(octets)
        elif rcode in self._rules.failover:
            self._fail_over(octets, rcode)
        elif rcode in _DOUBTFUL:
            self._doubt(octets, rcode)
        else:
            self._arrive(Relayed(octets, NAME))

    def failed(self, error: OSError) -> None:
        """As Flight.failed."""
        trouble = self._setback()
        if trouble.streams and trouble.streams < _STREAMS and not isinstance(error, ConnectionRefusedError):
            self._ask_by_stream(fresh=True)
        elif trouble.streams and trouble.case and self._server.upstream.learn_case_without_proof():
            self._ask_again()
        else:
            self._blame(error)
            self._go_on()

    def puzzled(self) -> None:
        """As Flight.puzzled."""
        self._in_trouble().odd.add(self._server)

    def doubted(self) -> None:
        """As Flight.doubted."""
        self._setback().case = True
        self._ask_by_stream()

    def overdue(self) -> None:
        """The time of this try is up."""
        self._leave()
        trouble, server = self._setback(), self._server
        if server not in trouble.silent or self._rules.again:
            trouble.left.append(server)
        trouble.silent.add(server)
        trouble.reasons[server] = "timed out"
        trouble.tries += 1
        server.upstream.counts.timed_out += 1
        server.health.blame()
        if trouble.case:
            server.upstream.learn_case_without_proof()
        self._go_on()

    def abandon(self, why: str) -> None:
        """Ends the question now, with the best there is."""
        self._leave()
        trouble = self._setback()
        trouble.silent.add(self._server)
        trouble.reasons.setdefault(self._server, why)
        self._finish(trouble.last_word())

    def _arrive(self, outcome: Relayed) -> None:
        """This is the answer."""
        self._server.health.clear()
        if not self.edns and self._server.upstream.edns:
            self._server.upstream.learn_plain()
        self._finish(outcome)

    def _doubt(self, octets: bytes, rcode: int) -> None:
        """Does what may bring something better than this reply."""
        if rcode == types.FORMERR:
            self._doubt_edns(octets)
            return
        trouble = self._setback()
        if rcode == types.SERVFAIL:
            if rcode in trouble.said:  # two say so: the name is at fault, not the server
                self._arrive(Relayed(octets, NAME))
                return
            trouble.kept = trouble.kept or octets
        self._disappoint(trouble, rcode)

    def _fail_over(self, octets: bytes, rcode: int) -> None:
        """The settings say that another upstream may know better."""
        trouble = self._setback()
        trouble.kept = octets
        self._disappoint(trouble, rcode)

    def _disappoint(self, trouble: Trouble, rcode: int) -> None:
        trouble.said.add(rcode)
        trouble.heard = True
        trouble.reasons[self._server] = f"answered {types.rcode_text(rcode)}"
        self._server.health.clear()
        self._go_on()

    def _doubt_edns(self, octets: bytes) -> None:
        """FORMERR without an OPT record may mean that EDNS isn't known there (RFC 6891 section 7): asks without."""
        if not self.edns or foreign.has_edns(octets):
            self._arrive(Relayed(octets, NAME))
            return
        self._setback()
        self.edns = False
        self._ask_again()

    def _ask_again(self) -> None:
        """Asks the same upstream once more."""
        self._in_trouble().streams = 0
        if not self._sent():
            self._go_on()

    def _ask_whole(self, octets: bytes) -> None:
        """Asks the same upstream by TCP; what came is kept for a client that can do with a part."""
        trouble = self._setback()
        if self._request.transport == "udp" and len(octets) <= DATAGRAM_LIMIT:
            trouble.kept = trouble.kept or octets
        self._ask_by_stream()

    def _ask_by_stream(self, *, fresh: bool = False) -> None:
        try:
            self._stream(fresh=fresh)
        except OSError as error:
            self._blame(error)
            self._go_on()
        else:
            self._wait()

    def _stream(self, *, fresh: bool) -> None:
        """Raises OSError."""
        self._in_trouble().streams += 1
        self.at = self._rules.loop.time()
        self._server.upstream.ask_by_stream(self, fresh=fresh)

    def _go_on(self) -> None:
        outcome = self._next()
        if outcome is not None:
            self._finish(outcome)

    def _next(self) -> Outcome | None:
        """Asks the next upstream that takes the question; the outcome if there is none left."""
        rules, trouble = self._rules, self._in_trouble()
        trouble.streams = 0
        trouble.case = False
        while trouble.left and not (rules.tries_max and trouble.tries >= rules.tries_max):
            self._server = trouble.left.popleft()
            if trouble.kept is not None and self._server in trouble.silent:
                break  # worth more than asking a second time
            self.edns = self._server.upstream.edns
            if self._sent():
                return None
        return trouble.last_word()

    def _sent(self) -> bool:
        """Whether the question is on its way to the present upstream."""
        self.at = self._rules.loop.time()
        try:
            if self._streamed or not self._server.by_datagram or self._server in self._in_trouble().odd:
                self._stream(fresh=False)
            else:
                self._server.upstream.ask(self)
        except OSError as error:
            self._blame(error)
            return False
        self._wait()
        return True

    def _wait(self) -> None:
        rules, trouble = self._rules, self._in_trouble()
        rules.wait(self, self.at)
        if trouble.expiry is None:
            trouble.expiry = rules.loop.call_at(trouble.begun + rules.total_s, self.abandon, "timed out")

    def _blame(self, error: OSError) -> None:
        trouble = self._in_trouble()
        trouble.tries += 1
        trouble.reasons[self._server] = error.strerror or str(error)
        self._server.upstream.counts.failed += 1
        self._server.health.blame()

    def _in_trouble(self) -> Trouble:
        if self._trouble is None:
            self._trouble = Trouble(self.at, self._rules.others(self._server))
            self._trouble.streams = not isinstance(self.carrier, Port) and self.carrier is not None
        return self._trouble

    def _setback(self) -> Trouble:
        """This try is over, and the question isn't answered."""
        self._rules.waiting.pop(self, None)
        return self._in_trouble()

    def _leave(self) -> None:
        """Doesn't listen any more where it waits."""
        if self.carrier is not None:
            self.carrier.drop(self)
            self.carrier = None

    def _finish(self, outcome: Outcome) -> None:
        self._rules.waiting.pop(self, None)
        settled = self._settled(outcome)
        if settled is not None:
            self._done(settled)

    def _settled(self, outcome: Outcome | None) -> Outcome | None:
        """The outcome, or that of the next forward where the settings say so; None if done will be called with it."""
        if outcome is None:
            return None
        if self._trouble is not None and self._trouble.expiry is not None:
            self._trouble.expiry.cancel()
        if not isinstance(outcome, Relayed) or not self._leads_on(outcome.octets):
            return outcome

        def better(found: Outcome) -> Outcome:
            return found if found.by == NAME else outcome  # there is no other forward for this name

        try:
            found = self._rest(self._request, lambda later: self._done(better(later)))
        except Exception as fault:  # noqa: BLE001 - whoever runs the chain isn't below us any more; it gets the fault as a value
            return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), cause=fault)
        return None if found is None else better(found)

    def _leads_on(self, octets: bytes) -> bool:
        rcode = foreign.rcode(octets)
        if rcode in self._rules.lead_on:
            return True
        return self._rules.lead_on_nodata and rcode == types.NOERROR and foreign.empty(octets)


class Wary(Errand):
    """An errand to which no reply is an answer before its rcode has been looked at."""

    __slots__ = ()

    def answered(self, octets: bytes, found: Lasting) -> None:  # noqa: ARG002 - as Wary
        """As Flight.answered."""
        self.received(found.octets, whole=True)
