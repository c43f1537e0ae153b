"""The responder: from a query's octets to its reply's, or to nothing.

recall is the hot path: a remembered reply, found by the question's octets, gets the query's
id and is sent. respond is the way of a question not remembered: denied as one that ends alike was, or
parse, the route to a server block, its chain of steps, render; an answer that says what it depends on is remembered.

Why a reply may be remembered by octets alone: everything that decides it is in them (flags,
question in its case, EDNS size, DO), in the owners whose change forgets it, or in this
responder, which serves one door (transport, family, routes to blocks and their manners). Queries with EDNS options
aren't remembered: options such as cookies differ per client and would only fill the memo. Where an acl or a view looks
at the client, what comes in is a marked question (serve.audiences), and its mark is among the octets.

Doors differ in nothing but what their replies may measure. So one that is whole, and fits a
datagram to this client, is the same at all doors, and is kept once for them, beside what is
cut to fit; what only a stream takes is kept apart, where it can't push the others out.

A zone transfer is many messages: they are handed over as an iterator, and each is rendered when there is
room to send it.

What an upstream said depends on time as well: it passes, on the second of the loop's clock
that its outcome names (serve.passing).
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from kdns.dns import cookies, foreign, reply, types
from kdns.dns.keepalive import keepalive_option
from kdns.dns.query import Ignored, Query, QueryError, parse
from kdns.dns.records import Answer, ExtendedError
from kdns.dns.reply import Reply
from kdns.dns.rules import UNCHANGED, minimal, minimal_reply, nsid_option
from kdns.dns.serials import serial_of
from kdns.serve.audiences import OTHERS
from kdns.serve.denials import Denials
from kdns.serve.memo import Memo, Remembered
from kdns.serve.passing import Passing
from kdns.serve.routes import NOBODY, Block, Routes
from kdns.serve.tally import Shared, Tally
from kdns.serve.timing import Timing
from kdns.steps.chain import SILENCE, Answered, Client, Failed, Outcome, Peer, Relayed, Request, Transfer
from kdns.zone.entry import Owner

if TYPE_CHECKING:  # most servers log no questions, and don't carry what that needs
    from kdns.serve.querylog import Line, QueryLog
    from kdns.steps.lineformat import Rule

Send = Callable[[bytes], None]
# Takes the messages of a transfer, where the transport can carry several; whoever lets them go unread closes them.
Stream = Callable[[Iterator[bytes]], None]


class Log(Protocol):
    """What of a structlog logger is used here."""

    def error(self, event: str, **keys: object) -> object: ...


_NO_TRANSFER: Final = Failed(types.REFUSED, ExtendedError(types.EDE_OTHER, "a zone is sent over TCP only"))
# Octets of a transfer's messages: as far as names can be pointed at, and so few that no other client waits for one.
_MESSAGE: Final = 16 << 10


class Door(NamedTuple):
    """Where queries come in; its words are labels of the metrics."""

    server: str  # as CoreDNS writes it: dns://:53
    transport: str  # udp, tcp
    family: str  # 1 for IPv4, 2 for IPv6
    place: int = 0  # where it counts in cells: its number among the doors that share replies


class Rules(NamedTuple):
    """What all replies of a door follow."""

    limit: Callable[[Query, int], int]  # octets that the reply to a query may have, and a datagram at the most
    cookie: Callable[[bytes, str], bytes]  # the EDNS option for a client's cookie and address
    clock: Callable[[], float] = time.monotonic  # the loop's, in seconds
    idle_s: float | None = None  # how long a connection may be silent; None where there are none


class Responder:
    """Replies to what comes in at one door.

    What its memo holds is its own, unless it is the shared one, as at doors for datagrams.
    """

    __slots__ = (
        *("_clock", "_cookie", "_denials", "_idle_s", "_limit", "_log", "_memo", "_passing", "_place", "_routes"),
        *("_shared", "_whole", "audiences", "door", "querylog", "tally", "timing"),
    )

    def __init__(
        self,
        door: Door,
        routes: Routes,
        rules: Rules,
        memo: Memo,
        log: Log,
        shared: Shared | None = None,
        querylog: "QueryLog | None" = None,
    ) -> None:
        shared = shared or Shared(memo)
        self.door = door
        self.tally = Tally(shared, door.place)
        self.timing = Timing()
        self._place = door.place
        self._shared = shared.memo
        self._whole = memo is not shared.memo  # of the shared replies, only whole ones are given
        self._routes = routes
        self._limit, self._cookie, self._clock, self._idle_s = rules
        self._memo = memo
        self._passing = Passing()
        self._denials = Denials(door.place)
        self._log = log
        self.querylog = querylog
        self.audiences = shared.audiences

    @property
    def guarded(self) -> frozenset[tuple[str, str]]:
        """Zone and view of the server blocks whose questions acl looks at."""
        return self._routes.guarded

    def marked(self, octets: bytes, host: str) -> bytes:
        """A question as recall and respond take it."""
        return octets if self.audiences is None else octets + bytes((self.audiences.of(host),))

    def recall(self, octets: bytes, client: Client | None = None) -> bytes | None:
        """The remembered reply to these octets of a marked question, its addresses one further round; None if there is none.

        With a client it is logged, if it leaves a line.
        """
        key = octets[2:]
        shared = self._shared
        found = shared.replies.get(key)
        if found is None or (found.cut and self._whole):
            found = self._passing.replies.get(key)
            if found is not None:
                if self._clock() >= self._passing.until:
                    return None
            elif self._whole or key in shared.older:
                found = self._recover(key)
        if found is None:
            return None
        found.cell[self._place] += 1
        if found.line is not None and client is not None and self.querylog is not None:
            self.querylog.again(found.line, self._unmarked(octets), found.octets, client, time.perf_counter_ns())
        return octets[:2] + (found.turned() if found.count else found.octets)

    def _size(self, asked: "_Asked") -> int:
        """Octets of a question as it came in."""
        return len(asked.marked) - (self.audiences is not None)

    def _unmarked(self, octets: bytes) -> bytes:
        """A question without its mark."""
        return octets if self.audiences is None else octets[:-1]

    def _recover(self, key: bytes) -> Remembered | None:
        """What isn't among the young of the shared replies, or is cut there."""
        if not self._whole:
            return self._shared.recover(key)
        own = self._memo.replies.get(key) or self._memo.recover(key)
        if own is not None:
            return own
        found = self._shared.recover(key)
        return None if found is None or found.cut else found

    def forget(self, owners: set[Owner]) -> None:
        """Forgets what was remembered of these owners."""
        for memo in self.memos:
            for owner in owners:
                memo.forget(owner)
        self._passing.forget(owners)

    def forget_all(self) -> None:
        """Forgets everything that was remembered."""
        for memo in self.memos:
            memo.clear()
        self._passing.clear()
        self._denials.clear()

    @property
    def memos(self) -> tuple[Memo, ...]:
        """Where replies are remembered for this door."""
        return (self._shared, self._memo) if self._whole else (self._shared,)

    def converse(
        self, octets: bytes, client: tuple[str, int], send: Send, stream: Stream | None = None
    ) -> bytes | None:
        """As respond, of a marked question, remembered or not; for a transport that doesn't look into the memo itself."""
        found = self._shared.replies.get(octets[2:])
        if found is not None and not found.cut and found.line is None:  # without another call: most of what is asked
            found.cell[self._place] += 1
            return octets[:2] + (found.turned() if found.count else found.octets)
        peer = Peer(*client)
        return self.recall(octets, peer) or self.respond(octets, peer, send, stream)

    def converse_unmarked(
        self, octets: bytes, client: tuple[str, int], send: Send, stream: Stream | None = None
    ) -> bytes | None:
        """As converse, of a question as it came in."""
        return self.converse(self.marked(octets, client[0]), client, send, stream)

    def respond(self, marked: bytes, client: Client, send: Send, stream: Stream | None = None) -> bytes | None:
        """The reply to a marked question; None if send will be called with it later, or never since there is none to give.

        None, too, where stream is called with all that there is to send, now or later, instead of send.
        """
        octets = marked if self.audiences is None else marked[:-1]
        denied = self._denials.reply(marked)
        if denied is not None:
            if self.querylog is not None and self._denials.line is not None:
                self.querylog.denied(self._denials.line, octets, denied, client, time.perf_counter_ns())
            return denied
        try:
            query = parse(octets)
            options = self._options(query.options, client) if query.options else b""
        except Ignored:
            self.tally.drop("response" if len(octets) >= 12 else "short")
            return None
        except QueryError as problem:
            cookie = self._cookie_option(problem.options, client)
            said = reply.error(octets, problem, recursion=self._routes.recursion, options=cookie)
            self.tally.count(0, problem.rcode, "", NOBODY.where, len(octets), len(said))
            return said

        block = self._routes.only
        if block is None or query.qclass != types.IN:
            block = self._block(query, client)
        manner = block.manner
        if manner.asks is not UNCHANGED:
            query = manner.asks.of_query(query)
        if manner.identifier and query.options:
            options += nsid_option(query.options, manner.identifier)
        since_ns = time.perf_counter_ns() if block.logs and self.querylog is not None else 0
        # As Request(...), for a third of the time.
        request: Request = tuple.__new__(Request, (query, client, self.door.transport, 0, None))
        if query.qtype == types.IXFR:
            request = request._replace(since=serial_of(octets))
        asked = _Asked(self, marked, query, block, options, client, send, stream, since_ns)
        try:
            outcome = block.chain(request, asked.done)
        except Exception as fault:  # noqa: BLE001 - the root of a query: it must not end the process
            self._panic(query, fault)
            outcome = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"))
        if outcome is None:
            return None
        remember = manner.remembers and (octets is marked or marked[-1] != OTHERS)
        return self.conclude(asked, outcome, remember=remember)

    def timed(self, where: tuple[str, str], began: float) -> None:
        """Notes that a reply was sent for which its client has waited since then."""
        self.timing.waited(where, self._clock() - began)

    def conclude(self, asked: "_Asked", outcome: Outcome, *, remember: bool) -> bytes | None:
        """The octets of the reply, None where there is none to give; counts and logs it, and remembers it if it may be.

        What was waited for is never remembered: an owner may have changed since it was answered.
        """
        try:
            if isinstance(outcome, Relayed):
                made: bytes | None = self._relay(asked, outcome, remember)
            elif isinstance(outcome, Transfer):
                made = self._transfer(asked, outcome)
            elif isinstance(outcome, Failed):
                made = self._fail(asked, outcome)
            else:
                made = self._render(asked, outcome, remember)
        except Exception as fault:  # noqa: BLE001 - the root of a query
            self._panic(asked.query, fault)
            asked.options = b""
            made = self._render(asked, Failed(types.SERVFAIL), remember=False)
        if asked.since_ns:
            self._log_query(asked, outcome, made)
        return made

    def _line(self, block: Block, query: Query, outcome: Outcome) -> "Line | None":
        """What a remembered reply leaves each time that it is given; None where it isn't logged."""
        if self.querylog is None or not block.logs:
            return None
        from kdns.serve.querylog import Line, noted  # noqa: PLC0415 - as above

        rule = _rule(block, query)
        return None if rule is None else Line(rule, noted(rule, outcome))

    def _log_query(self, asked: "_Asked", outcome: Outcome, reply: bytes | None) -> None:
        """Writes the line of a question, if there is a rule for its name."""
        rule = _rule(asked.block, asked.query)
        if rule is not None and self.querylog is not None:
            from kdns.serve.querylog import noted  # noqa: PLC0415 - as above

            labels = noted(rule, outcome)
            self.querylog.made(rule, self._unmarked(asked.marked), reply, asked.client, asked.since_ns, labels)

    def _transfer(self, asked: "_Asked", outcome: Transfer) -> bytes | None:
        """Hands over a zone to be sent, or says why it isn't."""
        query, stream = asked.query, asked.stream
        if stream is None:
            return self._fail(asked, _NO_TRANSFER)
        size = self._size(asked)
        self.tally.count(query.qtype, types.NOERROR, outcome.by, asked.block.where, size, 0, empty=False, do=query.do)
        stream(self._messages(query, outcome, asked.options))
        return None

    def _fail(self, asked: "_Asked", outcome: Failed) -> bytes | None:
        if outcome.rcode == SILENCE:
            self.tally.drop("acl")
            return None
        if asked.block.failed is not None:
            asked.block.failed(asked.query, outcome)
        return self._render(asked, outcome, remember=False)

    def _messages(self, query: Query, transfer: Transfer, options: bytes) -> Iterator[bytes]:
        """The transfer's messages. Raises what is raised while they are made, which is counted and logged."""
        try:
            yield from reply.messages(query, transfer.sets, limit=_MESSAGE, options=options)
        except Exception as fault:
            self._panic(query, fault)
            raise

    def _block(self, query: Query, client: Client) -> Block:
        """Who answers. Other classes than a block's are refused."""
        block = self._routes.find(query, client)
        if query.qclass != types.IN and not (query.qclass == types.CH and block.manner.chaos):
            return NOBODY
        return block

    def _options(self, asked: bytes, client: Client) -> bytes:
        """The reply's EDNS options: a cookie for who sent one, and over TCP the time for who asks. Raises QueryError."""
        keepalive = b"" if self._idle_s is None else keepalive_option(asked, self._idle_s)
        return self._cookie_option(asked, client) + keepalive

    def _cookie_option(self, asked: bytes, client: Client) -> bytes:
        cookie = cookies.client_cookie(asked)
        return b"" if cookie is None else self._cookie(cookie, client.host)

    def _render(self, asked: "_Asked", outcome: Answered | Failed, remember: bool) -> bytes:
        marked, query, block, options = asked.marked, asked.query, asked.block, asked.options
        manner = block.manner
        limit = self._limit(query, manner.datagram)
        alike = until = None
        if isinstance(outcome, Answered):
            answer, owners, alike, until = outcome.answer, outcome.owners, outcome.alike, outcome.until
        else:
            if outcome.cause is not None:
                self._panic(query, outcome.cause)
            answer, owners = Answer(outcome.rcode, authoritative=False, error=outcome.error), ()
        if manner.minimal:
            answer = minimal(query, answer)
        # The id is the client's chance: without it all who aren't remembered would be sent to the same address first.
        first = query.id if manner.rotate else 0
        made = reply.render(query, answer, limit=limit, recursion=manner.recursion, first=first, options=options)
        if not manner.rotate:
            made = made._replace(rotation=None)
        if manner.says is not UNCHANGED:
            made = made._replace(octets=manner.says.of_reply(made.octets))
        cell = self.tally.count(
            *(query.qtype, answer.rcode, outcome.by, block.where, self._size(asked), len(made.octets)),
            empty=not answer.answers,
            do=query.do,
        )
        if remember and owners and not query.options:
            key = marked[2:]
            line = self._line(block, query, outcome)
            if until is not None:
                self._passing.put(key, _remembered(made, owners, cell, line), until)
            elif alike is None or not self._denials.learn(marked, len(query.qname), made.octets, alike, cell, line):
                memo = (
                    self._shared
                    if made.whole and len(made.octets) <= reply.udp_limit(query, manner.datagram)
                    else self._memo
                )
                if memo.seen(key):
                    memo.remember(key, _remembered(made, owners, cell, line))
        return made.octets

    def _relay(self, asked: "_Asked", outcome: Relayed, remember: bool) -> bytes:
        """An upstream's reply as the client gets it, remembered for as long as it may be."""
        said, by, until, error, rotation, tidy, _, owners = outcome
        query, block = asked.query, asked.block
        manner = block.manner
        if manner.minimal:
            said = minimal_reply(query, said)
        made = foreign.fit(query, said, self._limit(query, manner.datagram), asked.options, error, tidy)
        if rotation is not None and manner.rotate:
            rotation = None if foreign.truncated(made) else rotation
            made = made if rotation is None else rotation.turn(made, query.id)
        if manner.says is not UNCHANGED:
            made = manner.says.of_reply(made)
        cell = self.tally.count(
            *(query.qtype, foreign.rcode(said), by, block.where, self._size(asked), len(made)),
            empty=foreign.empty(said),
            do=query.do,
        )
        if remember and until and not query.options:
            reply = Reply(made, foreign.truncated(made), rotation if manner.rotate else None)
            line = self._line(block, query, outcome)
            self._passing.put(asked.marked[2:], _remembered(reply, owners, cell, line), until)
        return made

    def _panic(self, query: Query, fault: Exception) -> None:
        self.tally.panics += 1
        self._log.error(
            "query_failed_inside", name=repr(bytes(query.qname)), type=types.type_text(query.qtype), exc_info=fault
        )


class _Asked:
    """A question that a server block's chain was asked, until there is an outcome."""

    __slots__ = ("began", "block", "client", "marked", "options", "query", "responder", "send", "since_ns", "stream")

    def __init__(
        self,
        responder: Responder,
        marked: bytes,
        query: Query,
        block: Block,
        options: bytes,
        client: Client,
        send: Send,
        stream: Stream | None,
        since_ns: int,
    ) -> None:
        """Options are those of the reply; since_ns is 0 where it isn't logged."""
        self.began = responder.timing.began
        self.responder = responder
        self.marked = marked
        self.query = query
        self.block = block
        self.options = options
        self.client = client
        self.send = send
        self.stream = stream
        self.since_ns = since_ns

    def done(self, outcome: Outcome) -> None:
        """As chain.Done: what had to be waited for is there."""
        responder = self.responder
        made = responder.conclude(self, outcome, remember=False)
        if made is not None:
            self.send(made)
            responder.timed(self.block.where, self.began)


def _remembered(reply: Reply, owners: tuple[Owner, ...], cell: list[int], line: "Line | None") -> Remembered:
    remembered = Remembered(reply, owners, cell)
    remembered.line = line
    return remembered


def _rule(block: Block, query: Query) -> "Rule | None":
    """The rule by which a question is logged, None if it isn't."""
    from kdns.steps.log import rule_for  # noqa: PLC0415 - most servers log no questions

    return rule_for(block.logs, query.name)
