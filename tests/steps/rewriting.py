"""A server block of rewrite or template lines before an upstream that knows a zone, asked as clients ask.

What the upstream knows is zone-file text; tests of both directives hold what comes out against what CoreDNS said of the
same lines before the same upstream.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import SystemRandom
from typing import Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from kdns.config.declarations import Settings
from kdns.dns import foreign, names, reply, types
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.steps.around import Around
from kdns.steps.chain import (
    Answered,
    Client,
    Done,
    Entrance,
    Failed,
    Outcome,
    Peer,
    Relayed,
    Request,
    Rest,
    Step,
    compose,
)
from kdns.steps.lineformat import Labels
from kdns.zone.index import Index
from tests.config.directives import chain as settings_of
from tests.steps.cached import running_or_stopped

ZONE: Final = """
a.new.example. 60 IN A 192.0.2.1
a.new.example. 60 IN A 192.0.2.2
a.new.example. 60 IN TXT "text"
a.new.example. 60 IN MX 10 mail.new.example.
b.new.example. 300 IN CNAME a.new.example.
deep.b.new.example. 5 IN A 192.0.2.3
_x._tcp.new.example. 60 IN SRV 1 2 80 a.new.example.
n.new.example. 60 IN NAPTR 1 2 "u" "E2U" "" a.new.example.
1.2.0.192.in-addr.arpa. 60 IN PTR a.new.example.
app.example. 200 IN CNAME app.cdn.example.
app.cdn.example. 300 IN CNAME edge.cdn.example.
edge.cdn.example. 300 IN A 192.0.2.9
app.other.example. 100 IN A 192.0.2.10
lost.example. 60 IN CNAME gone.cdn.example.
"""
BROKEN: Final = "broken.example."  # names below it are SERVFAIL


def response(question: dns.message.Message) -> dns.message.Message:
    """What the upstream says."""
    message = dns.message.make_response(question)
    message.flags |= dns.flags.RA
    asked = question.question[0]
    name = asked.name
    if name.is_subdomain(dns.name.from_text(BROKEN)):
        message.set_rcode(dns.rcode.SERVFAIL)
        return message
    for _ in range(9):
        own = [each for each in _SETS if each.name == name]
        found = next((each for each in own if each.rdtype == asked.rdtype), None)
        link = next((each for each in own if each.rdtype == dns.rdatatype.CNAME), None)
        if found is None and link is None:
            message.authority.append(_SOA)
            if not any(each.name.is_subdomain(name) for each in _SETS):
                message.set_rcode(dns.rcode.NXDOMAIN)
            return message
        if found is not None:
            message.answer.append(found)
            return message
        assert link is not None
        message.answer.append(link)
        name = link[0].target
    raise AssertionError(name)


def _sets() -> list[dns.rrset.RRset]:
    sets: dict[tuple[str, str], list[str]] = {}
    for line in ZONE.strip().splitlines():
        owner, ttl, _, rtype, data = line.split(maxsplit=4)
        sets.setdefault((owner, f"{ttl} {rtype}"), []).append(data)
    return [
        dns.rrset.from_text(owner, int(kind.split()[0]), "IN", kind.split()[1], *data)
        for (owner, kind), data in sets.items()
    ]


_SETS: Final = _sets()
_SOA: Final = dns.rrset.from_text("example.", 60, "IN", "SOA", "ns.example. host.example. 1 2 3 4 5")


def shown(message: dns.message.Message) -> list[str]:
    """What a client sees of a reply: rcode, then the records, each section's in an order of their own; authority by `;`."""
    lines = [dns.rcode.to_text(message.rcode())]
    for mark, section in (("", message.answer), ("; ", message.authority), ("+ ", message.additional)):
        lines += sorted(
            (
                f"{mark}{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}"
                for rrset in section
                for rdata in rrset
            ),
            key=str.lower,
        )
    return lines


def table(file: str) -> list[tuple[str, str, list[str]]]:
    """Lines of a Corefile, a question and what CoreDNS said, for each in a file beside this one.

    Blocks are parted by empty lines; in one come the Corefile's lines, and behind each `> question` what was said.
    """
    cases = []
    for block in (Path(__file__).parent / file).read_text().strip().split("\n\n"):
        lines, *asked = block.split("\n> ")
        for each in asked:
            question, *said = each.split("\n")
            cases.append((lines, question, said))
    return cases


class Upstream:
    """The steps behind: what an upstream says, as octets, at once or when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.later: list[tuple[Request, Done]] | None = None
        self.say: Callable[[Request], Outcome] = relayed

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        self.asked.append(request)
        if self.later is None:
            return self.say(request)
        self.later.append((request, done))
        return None

    def tell(self) -> None:
        """Answers what waits, and what comes of that, in turn."""
        while self.later:
            request, done = self.later.pop(0)
            done(self.say(request))


def relayed(request: Request) -> Relayed:
    sent = foreign.ask(request.query, 7)
    return Relayed(response(dns.message.from_wire(sent)).to_wire(max_size=65535), "forward", until=5.0)


CLIENT: Final = Peer("192.0.2.77", 5353)


class Scene:
    """A chain of the lines' steps before the upstream."""

    def __init__(
        self, lines: str, make: Callable[[Sequence[Settings], Around], Sequence[Step]], labels: Labels | None = None
    ) -> None:
        found = settings_of(lines, (names.ROOT,))
        assert [each for each in found.problems if each.severity == "error"] == []
        self.upstream = Upstream()
        self.entrance = Entrance()
        self.steps = make(found.settings, around(self.entrance, labels))
        self.chain = compose((*self.steps, self.upstream))
        self.entrance.lead_to(self.chain)

    def outcome(self, query: Query, client: Client = CLIENT) -> Outcome:
        """What comes of a query, now or when the upstream has answered."""
        told: list[Outcome] = []
        outcome = self.chain(Request(query, client, "udp"), told.append)
        if outcome is None:
            self.upstream.tell()
            (outcome,) = told
        assert outcome is not None
        return outcome

    def octets(self, query: Query) -> bytes:
        """The reply as a client gets it."""
        outcome = self.outcome(query)
        if isinstance(outcome, Relayed):
            return foreign.fit(query, outcome.octets, 65535, b"", outcome.error, outcome.tidy)
        assert isinstance(outcome, (Answered, Failed))
        answer = outcome.answer if isinstance(outcome, Answered) else Answer(outcome.rcode, authoritative=False)
        return reply.render(query, answer, limit=65535, recursion=True).octets

    def ask(self, question: str) -> list[str]:
        """What a client that asks "NAME TYPE [CLASS]" sees."""
        name, qtype, *qclass = question.split()
        query = Query(names.from_text(name), dns.rdatatype.from_text(qtype), types.CH if qclass else types.IN, id=1)
        message = dns.message.from_wire(self.octets(query))
        (echoed,) = message.question
        assert (str(echoed.name), int(echoed.rdtype), int(echoed.rdclass)) == (name, query.qtype, query.qclass)
        return shown(message)


def around(entrance: Rest, labels: Labels | None) -> Around:
    return Around(running_or_stopped(), SystemRandom(), entrance, Index(), (names.ROOT,), (), None, Silent(), labels)


class Silent:
    """A log that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **keys: object) -> None:
        self.said.append((event, keys))

    warning = error = info
