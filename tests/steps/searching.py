"""Clients that go through a search list, and upstreams that know some names, for tests of what goes through it for them."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kdns.dns import types
from kdns.dns.foreign import rcode
from kdns.dns.names import Name, fold, from_text, to_text
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request, Rest
from tests.steps.upstream_texts import reply

SOA = "example. 9 IN SOA ns.example. root.example. 1 2 3 4 7"


class Told(NamedTuple):
    """What a client gets of a name: the rcode, and its records without the CNAMEs that lead to them."""

    rcode: int
    records: frozenset[tuple[str, int, bytes]]


class Outside:
    """The step behind all others: addresses by name, NXDOMAIN for the others, and what it was asked."""

    def __init__(
        self, known: Mapping[str, str], *, wait: bool = False, until: float = 0.0, failing: frozenset[str] = frozenset()
    ) -> None:
        self.known = known
        self.failing = failing
        self.until = until
        self.asked: list[str] = []
        self.waiting: list[Callable[[], None]] | None = [] if wait else None

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        outcome = self._outcome(request.query)
        if self.waiting is None:
            return outcome
        self.waiting.append(lambda: done(outcome))
        return None

    def _outcome(self, query: Query) -> Outcome:
        name = to_text(query.name)
        self.asked.append(f"{name} {types.type_text(query.qtype)}")
        if name in self.failing:
            return Failed(types.SERVFAIL, by="forward")
        if name not in self.known:
            return Relayed(reply(query, authority=SOA, rcode="NXDOMAIN"), "forward", self.until)
        if query.qtype != types.A:
            return Relayed(reply(query, authority=SOA), "forward", self.until)
        return Relayed(reply(query, f"{name} 60 IN A {self.known[name]}"), "forward", self.until)


def told(outcome: Outcome | None) -> Told:
    """What an outcome tells a client."""
    if isinstance(outcome, Answered):
        answer = outcome.answer
    elif isinstance(outcome, Relayed):
        answer = read(outcome.octets)
    else:
        assert isinstance(outcome, Failed), outcome
        return Told(outcome.rcode, frozenset())
    records = ((to_text(fold(each.name)), each.rtype, data) for each in answer.answers for data in each.rdatas)
    return Told(answer.rcode, frozenset(each for each in records if each[1] != types.CNAME))


def read(octets: bytes) -> Answer:
    from kdns.dns import message  # noqa: PLC0415 - as elsewhere: dnslib

    found = message.read(octets)
    name, qtype, qclass = found.questions[0]
    return message.splice(Query(name, qtype, qclass), Answer(rcode(octets), authoritative=False), octets)


def asked(name: str, qtype: int, host: str = "10.0.0.1") -> Request:
    return Request(Query(from_text(name), qtype), Peer(host, 1), "udp")


def walked(chain: Rest, base: str, domains: Sequence[str], qtype: int, host: str = "10.0.0.1") -> Told:
    """What a client finds that asks for one name after the other until one exists."""
    for domain in domains:
        found = told(chain(asked(base + domain, qtype, host), never))
        if found.rcode != types.NXDOMAIN:
            return found
    return found


def never(_outcome: Outcome) -> None:
    """As chain.Done, where nothing is to be waited for."""
    raise AssertionError("nothing was to be waited for")


def cname_of(outcome: Outcome | None) -> str | None:
    """Where the first CNAME of an answer leads."""
    assert isinstance(outcome, (Answered, Relayed))
    answer = outcome.answer if isinstance(outcome, Answered) else read(outcome.octets)
    first = answer.answers[0] if answer.answers else None
    return to_text(Name(first.rdatas[0])) if first is not None and first.rtype == types.CNAME else None
