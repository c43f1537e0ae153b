"""Clients that go through a search list, and upstreams that know some names, for tests of what goes through it for them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Final, NamedTuple

from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.foreign import rcode
from kdns.dns.names import Name, fold, from_text, to_text
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request, Rest
from kdns.zone.entry import Kind
from tests.steps.upstream_texts import reply
from tests.zone.clusters import Cluster, Service, Slice

SOA = "example. 9 IN SOA ns.example. root.example. 1 2 3 4 7"

# One of each kind that differs in which of its names exist, and of which types: more is tests/zone's to prove, and
# takes most of a law's time to draw.
_NAMED: Final = Slice((("10.0.0.1", "h0"), ("10.0.0.2", "")), (("http", "tcp", 80),))
_NAMED_V6: Final = Slice((("fd00::1", "h0"),), (("", "udp", 81),))
_TARGETS: Final = (
    *("web.a.svc.Cluster.local.", "db.b.svc.cluster.local.", "h0.db.a.svc.cluster.local.", "cluster.local."),
    *("_http._tcp.web.b.svc.cluster.local.", "10-0-0-1.a.pod.cluster.local.", "nowhere.a.svc.cluster.local."),
    *("1.0.0.10.in-addr.arpa.", "www.Example.com.", "10.0.0.1."),
)
_SERVICES: Final = (
    *(Service(ips=ips, ports=_NAMED.ports) for ips in (("10.0.1.0",), ("fd00::",), ("10.0.1.0", "fd00::"), ())),
    Service(ips=("10.0.1.0",), slices=(_NAMED,)),
    *(Service(Kind.HEADLESS, slices=each) for each in ((_NAMED,), (_NAMED_V6,), (_NAMED, _NAMED_V6), ())),
    *(Service(Kind.EXTERNAL_NAME, target=target) for target in _TARGETS),
    Service(Kind.SLICES_ONLY, slices=(_NAMED,)),
    Service(Kind.SLICES_ONLY),
)
_KEYS: Final = tuple(product(("a", "b"), ("web", "db", "tcp")))


def _cluster(services: Sequence[Service | None], namespaces: frozenset[str], pods: frozenset[str]) -> Cluster:
    there = {key: service for key, service in zip(_KEYS, services, strict=True) if service is not None}
    return Cluster(there, namespaces, frozenset((space, "10.0.0.1") for space in pods))


# Namespaces a, b and empty; Services web, db and tcp; pods of 10.0.0.1.
clusters: Final = st.builds(
    _cluster,
    st.tuples(*[st.none() | st.sampled_from(_SERVICES)] * len(_KEYS)),
    st.sampled_from([frozenset(each) for each in ((), ("a",), ("empty",), ("a", "b", "empty"))]),
    st.sampled_from([frozenset(each) for each in ((), ("a",), ("b",), ("a", "b"))]),
)


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
        return Relayed(_said(query.qname, query.qtype, self.known.get(name)), "forward", self.until)


@cache  # laws ask for the same few names again and again
def _said(qname: Name, qtype: int, address: str | None) -> bytes:
    """What upstreams say of a name with this address; None: of one that isn't there."""
    query = Query(qname, qtype)
    if address is None:
        return reply(query, authority=SOA, rcode="NXDOMAIN")
    if qtype != types.A:
        return reply(query, authority=SOA)
    return reply(query, f"{to_text(query.name)} 60 IN A {address}")


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
