"""The responder: what is remembered answers as if nothing were, and what can't be answered ends nothing."""

import time
from collections.abc import Callable
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.cache import Cache as Settings
from kdns.dns import names, types
from kdns.dns.cookies import cookie_option
from kdns.dns.lasting import lasting
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.dns.reply import udp_limit
from kdns.serve.memo import Memo
from kdns.serve.responder import Door, Responder, Rules
from kdns.steps.cache import Cache
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request, Rest, compose
from kdns.steps.kubernetes import Kubernetes
from kdns.zone.entry import Entry, Kind, Owner, Port, Service, pack_service, pack_slice, service_owner
from kdns.zone.index import Index
from kdns.zone.patch import Image, Patch
from kdns.zone.schema import Zone
from tests.serve.replies_of import replies_of
from tests.serve.routed import WHERE, everywhere, tcp_limit
from tests.steps.cached import Logged
from tests.steps.upstream_texts import reply
from tests.virtual_time import VirtualTimeLoop

ORIGIN = names.from_text("cluster.local.")
ORIGINS, REVERSE = (ORIGIN,), (names.from_text("in-addr.arpa."),)
ZONE = Zone(ORIGINS, REVERSE, (), 5, "insecure", (bytes((10, 0, 0, 1)),))
CLIENT = Peer("127.0.0.1", 4053)


class Silent:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def error(self, event: str, **_keys: object) -> None:
        self.events.append(event)


class Step:
    """A step that does what a function says."""

    def __init__(self, act: Rest) -> None:
        self._act = act

    def ask(self, request: Request, _rest: Rest, done: Done) -> Outcome | None:
        return self._act(request, done)


def responder(
    chain: Rest, log: Silent | None = None, *, clock: Callable[[], float] = time.monotonic, transport: str = "udp"
) -> Responder:
    door = Door("dns://:53", transport, "1")
    limit = udp_limit if transport == "udp" else tcp_limit
    rules = Rules(limit, cookie=cookie, clock=clock)
    return Responder(door, everywhere(chain), rules, Memo(1 << 20), log or Silent())


def cookie(client: bytes, address: str) -> bytes:
    return cookie_option(client, address, bytes(16), 1_800_000_000)


def acting(act: Rest) -> Responder:
    return responder(compose((Step(act),)))


def wire(name: str, rtype: str, **more: Any) -> bytes:
    return dns.message.make_query(name, rtype, **more).to_wire()


def never(_octets: bytes) -> None:
    pytest.fail("nothing was to be sent later")


def given_reply(to: Responder, octets: bytes) -> dns.message.Message:
    reply = to.recall(octets) or to.respond(octets, CLIENT, never)
    assert reply is not None
    assert reply[:2] == octets[:2]
    return dns.message.from_wire(reply)


def meaning(message: dns.message.Message) -> tuple[object, ...]:
    """The reply, whatever the order of its records and the serial of a remembered denial."""
    sections = [
        sorted(
            (str(rrset.name), rrset.rdtype, rrset.ttl, *sorted(str(rdata) for rdata in rrset if rrset.rdtype != 6))
            for rrset in section
        )
        for section in message.sections[1:]
    ]
    return message.rcode(), message.flags, sections


HTTP = (Port(80, b"http", b"tcp"),)
addresses = st.integers(1, 6).map(lambda i: bytes((10, 0, 0, i)))
slices = st.lists(st.tuples(addresses, st.sampled_from([b"", b"a", b"b"])), max_size=4).map(
    lambda endpoints: pack_slice(4, HTTP, endpoints)
)
services = st.one_of(
    st.lists(slices, max_size=2).map(lambda packed: Service(Kind.HEADLESS, slices=tuple(packed))),
    addresses.map(lambda address: Service(Kind.CLUSTER_IP, v4=address, ports=HTTP)),
    st.sampled_from("abc").map(
        lambda name: Service(Kind.EXTERNAL_NAME, target=names.from_text(f"{name}.n.svc.cluster.local."))
    ),
)
states = st.dictionaries(st.sampled_from([service_owner("n", name) for name in "abc"]), services.map(pack_service))
questions = st.tuples(
    st.sampled_from(
        [
            f"{name}.n.svc.cluster.local."
            for name in ("a", "b", "c", "A", "x", "_http._tcp.a", "a.b", "10-0-0-1.c", "x.b")
        ]
        + [f"{i}.0.0.10.in-addr.arpa." for i in (1, 2, 3)]
        + ["cluster.local.", "ns.dns.cluster.local.", "n.svc.cluster.local."]
    ),
    st.sampled_from(["A", "AAAA", "SRV", "PTR", "NS", "SOA"]),
)


@given(
    st.lists(st.tuples(states, st.lists(questions, min_size=1, max_size=8)), min_size=1, max_size=4),
    st.sampled_from([{}, {"use_edns": 0}]),
)
def test_any_interleaving_of_patches_and_questions_answers_as_without_a_memo(
    history: list[tuple[dict[Owner, Entry], list[tuple[str, str]]]], edns: dict[str, int]
) -> None:
    index = Index()
    index.load(Image(1, 1, {}))
    remembering = responder(compose((Kubernetes(index, ZONE),)))
    before: dict[Owner, Entry] = {}
    for revision, (state, asked) in enumerate(history, 1):
        drops = tuple(owner for owner in before if owner not in state)
        remembering.forget(index.apply(Patch(revision, revision + 1, revision + 1, state, drops)))
        before = state
        for name, rtype in (*asked, *asked, *asked):
            octets = wire(name, rtype, **edns)
            forgetful = responder(compose((Kubernetes(index, ZONE),)))
            assert meaning(given_reply(remembering, octets)) == meaning(given_reply(forgetful, octets))


PODS = Zone(ORIGINS, REVERSE, REVERSE, 5, "insecure")
FOREIGN = st.tuples(
    st.sampled_from(["www.example.com.", "WWW.example.com.", *(f"{i}.0.0.10.in-addr.arpa." for i in (1, 2, 3))]),
    st.sampled_from(["A", "PTR"]),
)


@given(
    st.lists(
        st.tuples(states, st.lists(st.tuples(FOREIGN, st.sampled_from([0.0, 0.3, 1.0, 7.0])), max_size=8)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([{}, {"use_edns": 0}]),
)
def test_any_interleaving_of_patches_time_and_foreign_names_answers_as_without_a_memo(
    history: list[tuple[dict[Owner, Entry], list[tuple[tuple[str, str], float]]]], edns: dict[str, int]
) -> None:
    index, loop = Index(), VirtualTimeLoop()
    loop.close()  # only its clock is used
    index.load(Image(1, 1, {}))
    cache = Cache(Settings(ttl_s=30), loop, Logged())
    chain = compose((Kubernetes(index, PODS), cache, Step(by_time(loop.time))))
    remembering = responder(chain, clock=loop.time)
    before: dict[Owner, Entry] = {}
    for revision, (state, asked) in enumerate(history, 1):
        drops = tuple(owner for owner in before if owner not in state)
        remembering.forget(index.apply(Patch(revision, revision + 1, revision + 1, state, drops)))
        before = state
        for (name, rtype), pause in (*asked, *asked):
            octets = wire(name, rtype, **edns)
            for _ in range(3):
                forgetful = responder(chain, clock=loop.time)
                assert meaning(given_reply(remembering, octets)) == meaning(given_reply(forgetful, octets))
            loop.jump(pause)


def by_time(clock: Callable[[], float]) -> Rest:
    """An upstream whose every answer tells when it was given, and lasts for some seconds."""

    def act(request: Request, _done: Done) -> Outcome:
        now = int(clock())
        record = f"192.0.2.{now}" if request.query.qtype == types.A else f"at{now}.example.com."
        name = dns.name.from_wire(request.query.name, 0)[0]
        rtype = types.type_text(request.query.qtype)
        return Relayed(reply(request.query, f"{name} {now % 9} IN {rtype} {record}"), "forward")

    return act


def passing(*records: str, until: float = 8.0) -> tuple[Responder, list[Query], VirtualTimeLoop]:
    """A responder to whom an upstream says something that may be given again for a while, what it asked, and the time."""
    seen: list[Query] = []
    loop = VirtualTimeLoop()
    loop.close()
    loop.jump(7.5)

    def act(request: Request, _done: Done) -> Outcome:
        seen.append(request.query)
        found = lasting(request.query, reply(request.query, "\n".join(records)))
        assert found is not None
        return Relayed(found.octets, "cache", until, rotation=found.rotation)

    return responder(compose((Step(act),)), clock=loop.time), seen, loop


A = "a. 60 IN A 10.0.0.{}"


def test_what_upstreams_said_is_given_again_until_the_time_that_it_names() -> None:
    answering, seen, loop = passing(A.format(1))
    query = wire("a.", "A")
    for _ in range(5):
        assert str(given_reply(answering, query).answer[0][0]) == "10.0.0.1"
    assert len(seen) == 1
    assert replies_of(answering.tally) == {(types.A, types.NOERROR, "cache", False, WHERE): 5}
    assert answering.tally.recalled == 4
    loop.jump(0.5)
    given_reply(answering, query)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("until", "query"),
    [
        (0.0, wire("a.", "A")),
        (7.0, wire("a.", "A")),
        (8.0, wire("a.", "A", options=[dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"x")])),
    ],
    ids=["that names no time", "whose time is over", "to a query with options"],
)
def test_what_upstreams_said_is_asked_for_each_time(until: float, query: bytes) -> None:
    answering, seen, _ = passing(A.format(1), until=until)
    for _ in range(3):
        given_reply(answering, query)
    assert len(seen) == 3


def test_addresses_that_upstreams_said_change_their_order_from_reply_to_reply() -> None:
    answering, seen, _ = passing(*(A.format(number) for number in (1, 2, 3)))
    first = [str(given_reply(answering, wire("a.", "A", id=0)).answer[0][0]) for _ in range(6)]
    assert first == ["10.0.0.1", "10.0.0.2", "10.0.0.3"] * 2
    assert len(seen) == 1


def test_what_does_not_fit_is_cut_and_not_turned() -> None:
    answering, _, _ = passing(*(A.format(number) for number in range(100)))
    for _ in range(3):
        message = given_reply(answering, wire("a.", "A", id=5))
        assert message.flags & dns.flags.TC
        assert str(message.answer[0][0]) == "10.0.0.0"


def test_large_replies_are_not_given_again_unasked() -> None:
    seen: list[Query] = []

    def act(request: Request, _done: Done) -> Outcome:
        seen.append(request.query)
        return Relayed(reply(request.query, "\n".join(A.format(number) for number in range(100))), "cache", 1.0)

    answering = responder(compose((Step(act),)), clock=lambda: 0.5, transport="tcp")
    for _ in range(3):
        assert len(given_reply(answering, wire("a.", "A")).answer[0]) == 100
    assert len(seen) == 3


def test_few_enough_replies_are_given_again_unasked() -> None:
    answering, seen, loop = passing("a. 60 IN TXT x")
    answering._routes = everywhere(lambda request, _: Relayed(reply(request.query), "cache", 8.0))
    for number in range(3000):
        given_reply(answering, wire(f"a{number}.", "TXT"))
    assert len(answering._passing.replies) == 2048
    loop.jump(1)
    answering._routes = everywhere(lambda request, _: Relayed(reply(request.query), "cache", 9.0))
    given_reply(answering, wire("a0.", "TXT"))
    assert (len(answering._passing.replies), seen) == (1, [])


def test_what_is_wrong_with_what_upstreams_said_is_told() -> None:
    error = ExtendedError(types.EDE_STALE_ANSWER, "timed out")
    answering = acting(lambda request, _: Relayed(reply(request.query, A.format(1)), "cache", error=error))
    (told,) = given_reply(answering, wire("a.", "A", use_edns=0)).options
    assert told == dns.edns.EDEOption(dns.edns.EDECode(3), "timed out")


def test_the_soa_asked_for_is_always_the_current_one() -> None:
    index = Index()
    index.load(Image(1, 7, {}))
    asked = responder(compose((Kubernetes(index, ZONE),)))
    assert given_reply(asked, wire("cluster.local.", "SOA")).answer[0][0].serial == 7
    asked.forget(index.apply(Patch(1, 2, 8, {})))
    assert given_reply(asked, wire("cluster.local.", "SOA")).answer[0][0].serial == 8


def test_addresses_change_their_order_from_reply_to_reply() -> None:
    index = Index()
    packed = pack_slice(4, (), [(bytes((10, 0, 0, i)), b"") for i in range(3)])
    index.load(Image(1, 1, {service_owner("n", "h"): pack_service(Service(Kind.HEADLESS, slices=(packed,)))}))
    asked = responder(compose((Kubernetes(index, ZONE),)))
    first = {str(given_reply(asked, wire("h.n.svc.cluster.local.", "A")).answer[0][0]) for _ in range(6)}
    assert first == {"10.0.0.0", "10.0.0.1", "10.0.0.2"}


def test_addresses_change_their_order_in_replies_that_are_not_remembered() -> None:
    index = Index()
    packed = pack_slice(4, (), [(bytes((10, 0, 0, i)), b"") for i in range(3)])
    index.load(Image(1, 1, {service_owner("n", "h"): pack_service(Service(Kind.HEADLESS, slices=(packed,)))}))
    asked = responder(compose((Kubernetes(index, ZONE),)))
    nsid = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")  # queries with options are not remembered
    queries = [wire("h.n.svc.cluster.local.", "A", id=number, use_edns=0, options=[nsid]) for number in range(3)]
    first = [str(given_reply(asked, octets).answer[0][0]) for octets in queries]
    assert first == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]


def answer_once(owners: tuple[Owner, ...]) -> tuple[Responder, list[Query]]:
    seen: list[Query] = []

    def act(request: Request, _done: Done) -> Outcome:
        seen.append(request.query)
        address = RecordSet(request.query.qname, types.A, 5, (bytes((10, 0, 0, 1)),))
        return Answered(Answer(answers=(address,)), owners)

    return acting(act), seen


@pytest.mark.parametrize(
    ("owners", "query", "asked"),
    [
        ((Owner(b"o"),), wire("a.", "A"), 2),
        ((), wire("a.", "A"), 3),
        ((Owner(b"o"),), wire("a.", "A", options=[dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"x")]), 3),
    ],
    ids=["with owners", "without owners", "with EDNS options"],
)
def test_an_answer_is_remembered_only_if_nothing_else_could_change_it(
    owners: tuple[Owner, ...], query: bytes, asked: int
) -> None:
    answering, seen = answer_once(owners)
    for _ in range(3):  # a question enters on second sight
        given_reply(answering, query)
    assert len(seen) == asked


def test_names_that_never_repeat_leave_nothing() -> None:
    answering, _ = answer_once((Owner(b"o"),))
    for i in range(2_000):
        given_reply(answering, wire(f"x{i}.", "A"))
    assert len(answering.memos[0]) <= 2  # a chance of 2,000 / 2**15 that two share place and mark


def test_letter_case_edns_and_flags_have_replies_of_their_own() -> None:
    answering, seen = answer_once((Owner(b"o"),))
    variants = [wire("a.", "A"), wire("A.", "A"), wire("a.", "A", use_edns=0), wire("a.", "A", want_dnssec=True)]
    for query in variants:
        given_reply(answering, query)
    replies = [answering.respond(query, CLIENT, never) for query in variants]
    assert len(seen) == 8
    for query, made in zip(variants, replies, strict=True):
        assert answering.recall(b"\xab\xcd" + query[2:]) == b"\xab\xcd" + (made or b"")[2:]


def test_what_was_waited_for_is_sent_later_and_not_remembered() -> None:
    waiting: list[Done] = []
    answering = acting(lambda _request, done: waiting.append(done))
    sent: list[bytes] = []
    query = wire("a.", "A")
    assert answering.respond(query, CLIENT, sent.append) is None
    waiting[0](Answered(Answer(), (Owner(b"o"),)))
    assert dns.message.from_wire(sent[0]).rcode() == dns.rcode.NOERROR
    assert answering.recall(query) is None


def fault(_request: Request, _done: Done) -> Outcome:
    raise RuntimeError("a fault of our own")


@pytest.mark.parametrize("act", [fault, lambda _request, _done: Failed(types.SERVFAIL, cause=RuntimeError("later"))])
def test_a_fault_inside_is_one_servfail_counted_and_logged(act: Rest) -> None:
    log = Silent()
    answering = responder(compose((Step(act),)), log)
    assert given_reply(answering, wire("a.", "A")).rcode() == dns.rcode.SERVFAIL
    assert (answering.tally.panics, log.events) == (1, ["query_failed_inside"])


@pytest.mark.parametrize(
    "query",
    [
        wire("version.bind.", "TXT", rdclass="CH"),
        wire("a.", "A", rdclass="HS"),
        wire("a.", "A", rdclass="ANY"),
        wire("cluster.local.", "AXFR"),
        wire("cluster.local.", "IXFR"),
    ],
    ids=["C01", "C02 HS", "C02 ANY", "Y09", "Y12"],
)
def test_other_classes_and_transfers_are_refused(query: bytes) -> None:
    answering, seen = answer_once((Owner(b"o"),))
    assert given_reply(answering, query).rcode() == dns.rcode.REFUSED
    assert not seen


@pytest.mark.parametrize(
    "octets",
    [b"", b"\0" * 11, wire("a.", "A")[:2] + b"\x80" + wire("a.", "A")[3:]],
    ids=["nothing", "eleven octets", "a response"],
)
def test_no_header_and_responses_are_met_with_silence(octets: bytes) -> None:
    answering, _ = answer_once((Owner(b"o"),))
    assert answering.recall(octets) is None
    assert answering.respond(octets, CLIENT, never) is None
    assert sum(answering.tally.dropped.values()) == 1


def test_counts_tell_types_rcodes_and_what_was_remembered() -> None:
    answering, _ = answer_once((Owner(b"o"),))
    for _ in range(4):
        given_reply(answering, wire("a.", "A"))
    assert replies_of(answering.tally) == {(types.A, types.NOERROR, "", False, WHERE): 4}
    assert answering.tally.recalled == 2


@pytest.mark.parametrize("rest", [b"", bytes(16), bytes(32)], ids=["E15 client only", "E17 not ours", "longest"])
def test_who_sends_a_cookie_gets_it_back_with_our_part(rest: bytes) -> None:
    answering, _ = answer_once((Owner(b"o"),))
    sent = dns.edns.CookieOption(b"12345678", rest)
    (option,) = given_reply(answering, wire("a.", "A", options=[sent])).options
    assert isinstance(option, dns.edns.CookieOption)
    assert (option.client, len(option.server), option.server[:4]) == (b"12345678", 16, b"\1\0\0\0")


def test_e19_who_sends_a_cookie_alone_gets_it_back_with_our_part_and_nothing_else() -> None:
    answering, seen = answer_once((Owner(b"o"),))
    query = dns.message.QueryMessage(id=7)
    query.use_edns(0, options=[dns.edns.CookieOption(b"12345678", b"")])
    message = given_reply(answering, query.to_wire())
    (option,) = message.options
    assert isinstance(option, dns.edns.CookieOption)
    assert (option.client, len(option.server)) == (b"12345678", 16)
    assert (message.rcode(), message.sections, seen) == (dns.rcode.NOERROR, [[], [], [], []], [])


KEEPALIVE = dns.edns.GenericOption(dns.edns.OptionType(11), b"")
WITH_TIME = dns.edns.GenericOption(dns.edns.OptionType(11), b"\0\1")


@pytest.mark.parametrize(
    ("idle_s", "asked", "rcode", "told"),
    [
        (12.5, KEEPALIVE, dns.rcode.NOERROR, [b"\0\x7d"]),
        (12.5, WITH_TIME, dns.rcode.FORMERR, []),
        (None, KEEPALIVE, dns.rcode.NOERROR, []),
        (None, WITH_TIME, dns.rcode.NOERROR, []),
    ],
    ids=["S16 TCP", "E21 TCP, with a time", "E21 UDP", "E21 UDP, with a time"],
)
def test_how_long_a_connection_may_be_silent_is_told_over_tcp_to_who_asks(
    idle_s: float | None, asked: dns.edns.Option, rcode: int, told: list[bytes]
) -> None:
    rules = Rules(udp_limit, cookie=cookie, idle_s=idle_s)
    chain = compose((Step(lambda request, _: Answered(Answer(), (Owner(b"o"),))),))
    answering = Responder(Door("dns://:53", "tcp", "1"), everywhere(chain), rules, Memo(1 << 20), Silent())
    for _ in range(3):
        message = given_reply(answering, wire("a.", "A", options=[asked]))
        assert (message.rcode(), [option.to_wire() for option in message.options]) == (rcode, told)


@pytest.mark.parametrize("more", [[], [KEEPALIVE], [WITH_TIME]])
def test_e19_nothing_but_the_cookie_counts(more: list[dns.edns.Option]) -> None:
    rules = Rules(udp_limit, cookie=cookie, idle_s=10.0)
    answering = Responder(Door("dns://:53", "tcp", "1"), everywhere(compose(())), rules, Memo(1 << 20), Silent())
    query = dns.message.QueryMessage(id=7)
    query.use_edns(0, options=[*more, dns.edns.CookieOption(b"12345678", b"")])
    assert [type(option) for option in given_reply(answering, query.to_wire()).options] == [dns.edns.CookieOption]


def test_other_options_are_not_answered() -> None:
    answering, _ = answer_once((Owner(b"o"),))
    sent = dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"x")
    assert given_reply(answering, wire("a.", "A", options=[sent])).options == ()
