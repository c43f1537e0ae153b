"""The cache of upstreams' replies: what is kept, for how long, for whom, and how much of it. Ids are robustness' rows."""

import tracemalloc
from collections.abc import Callable
from itertools import product
from typing import Final

import dns.flags
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.cache import Cache as Settings
from kdns.config.directives.cache import Keeping
from kdns.dns import foreign, types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError
from kdns.steps.chain import Answered, Failed, Outcome, Relayed, Request
from tests.steps.cached import EMPTY, FAULT, NXDOMAIN, OTHER, SERVFAIL, UNREACHED, WWW, A, Scene, relayed, said, ttl
from tests.steps.upstream_texts import lines, reply, soa

# How long


@pytest.mark.parametrize(
    ("say", "first", "seconds"),
    [
        pytest.param(relayed(), 30, 30, id="at most as the settings say"),
        pytest.param(relayed(A.replace("60", "12")), 12, 12, id="as the upstream says"),
        pytest.param(relayed(A.replace("60", "1")), 5, 5, id="at least 5 s"),
        pytest.param(relayed(f"{A}\n{OTHER.replace('60', '7')}"), 7, 7, id="U26 the least of a set"),
        pytest.param(relayed(A.replace("60", "0")), 0, 0, id="U26 not at all for 0"),
        pytest.param(
            lambda request: Relayed(reply(request.query, A).replace(b"\0\0\0\x3c", b"\x80\0\0\x3c"), "forward"),
            0,
            0,
            id="U26 not at all with the high bit",
        ),
        pytest.param(NXDOMAIN, 30, 30, id="U27 a denial, at most as the settings say"),
        pytest.param(relayed("", soa(60, 10), rcode="NXDOMAIN"), 10, 10, id="U27 the SOA's minimum"),
        pytest.param(relayed("", soa(8, 3600)), 8, 8, id="U27 the SOA's TTL"),
        pytest.param(relayed("", soa(1, 1)), 5, 5, id="U27 at least 5 s"),
        pytest.param(relayed("", soa(60, 50, "example.org."), rcode="NXDOMAIN"), 60, 0, id="U27 another zone's SOA"),
    ],
)
def test_a_reply_is_kept_for_its_time_and_no_longer(
    say: Callable[[Request], Outcome], first: int, seconds: int
) -> None:
    scene = Scene(say)
    assert ttl(scene.ask()) == first
    for second in range(seconds):
        assert ttl(scene.ask()) == seconds - second
        scene.wait(1)
    assert scene.asked == 1
    scene.ask()
    assert scene.asked == 2


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(EMPTY, id="U06 nothing, without SOA"),
        pytest.param(relayed("", rcode="NXDOMAIN"), id="U27 NXDOMAIN without SOA"),
        pytest.param(relayed(flags=dns.flags.TC), id="U16 truncated"),
        pytest.param(relayed("", rcode="REFUSED"), id="REFUSED"),
        pytest.param(relayed("", rcode="NOTIMP"), id="NOTIMP"),
        pytest.param(lambda _: Answered(Answer(), (), "hosts"), id="an answer of our own"),
        pytest.param(lambda _: FAULT, id="a fault of our own"),
        pytest.param(
            lambda _: Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "too many")), id="U21 over max_concurrent"
        ),
    ],
)
def test_what_says_nothing_that_lasts_passes_and_is_not_kept(say: Callable[[Request], Outcome]) -> None:
    scene = Scene(say)
    assert [scene.ask() for _ in range(3)] == [say(scene.behind.asked[0])] * 3
    assert scene.asked == 3


@pytest.mark.parametrize(
    ("say", "seconds"),
    [
        pytest.param(SERVFAIL, 5, id="U04 SERVFAIL"),
        pytest.param(lambda _: UNREACHED, 1, id="U02 nobody answered"),
        pytest.param(relayed("www.example.com. 60 IN CNAME www.example.com."), 5, id="U30 CNAMEs without end"),
    ],
)
def test_a_failure_is_not_asked_again_at_once(say: Callable[[Request], Outcome], seconds: int) -> None:
    scene = Scene(say)
    first = scene.ask()
    assert said(first)[0].endswith("SERVFAIL")
    scene.wait(seconds - 0.1)
    again = scene.ask()
    assert isinstance(again, Relayed | Failed)
    assert (again._replace(by=""), again.by, scene.asked) == (first._replace(by=""), "cache", 1)
    scene.wait(0.2)
    scene.ask()
    assert scene.asked == 2


def test_u29_what_is_kept_and_given_is_what_speaks_of_the_question() -> None:
    bank = "bank.example.org. 600 IN A 192.0.2.66"
    scene = Scene(relayed(f"{bank}\n{A}", bank.replace("A 192.0.2.66", "NS ns.example.org."), additional=bank))
    for outcome in (scene.ask(), scene.ask()):
        assert isinstance(outcome, Relayed)
        assert lines(outcome.octets) == [["www.example.com. 30 in a 192.0.2.1"], [], []]
    scene.ask(WWW.replace(qname=from_text("bank.example.org.")))
    assert scene.asked == 2


def test_u30_five_hundred_records_are_kept() -> None:
    scene = Scene(relayed("\n".join(f"www.example.com. 9 IN A 10.0.{n >> 8}.{n & 255}" for n in range(500))))
    assert [len(said(scene.ask())), len(said(scene.ask())), scene.asked] == [500, 500, 1]


@given(st.integers(0, 1 << 31), st.lists(st.floats(0, 20), max_size=20), st.booleans())
def test_ttl_never_grows_and_nothing_is_given_past_its_time(seconds: int, pauses: list[float], denied: bool) -> None:
    seconds = min(seconds, (1 << 31) - 1)
    say = relayed("", soa(seconds, seconds)) if denied else relayed(A.replace("60", str(seconds)))
    scene = Scene(say)
    born, last = 0.0, 1 << 31
    for pause in pauses:
        scene.wait(pause)
        before, now = scene.asked, scene.loop.time()
        told = ttl(scene.ask())
        if scene.asked > before:
            born, last = now, told
            assert told == (max(5, min(seconds, 30)) if seconds else 0)
            continue
        assert now - born < max(5, min(seconds, 30))
        assert 0 < told <= last
        assert int(now) + told <= int(born) + max(5, min(seconds, 30))
        last = told


def test_k37_the_wall_clock_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: pytest.fail("the wall clock was read"))
    scene = Scene()
    scene.ask()
    scene.wait(10)
    assert ttl(scene.ask()) == 20


def test_within_a_second_a_reply_is_not_made_again() -> None:
    scene = Scene()
    scene.ask()
    scene.wait(1.1)
    first = scene.ask()
    scene.wait(0.8)
    assert scene.ask() is first
    assert isinstance(first, Relayed)
    assert first.until == 2
    scene.wait(0.2)
    assert ttl(scene.ask()) == ttl(first) - 1


# For whom

VARIANTS: Final = [
    Query(
        from_text(name),
        qtype,
        flags=types.RD | cd,
        edns=do,
        do=do,
    )
    for name, qtype, do, cd in product(
        ("www.example.com.", "mail.example.com."), (types.A, types.AAAA), (False, True), (0, types.CD)
    )
]


def numbered(request: Request) -> Outcome:
    """A reply of its own for each of the variants, as an address."""
    query = request.query
    like = next(
        number
        for number, each in enumerate(VARIANTS)
        if (each.name, each.qtype, each.do, each.flags & types.CD)
        == (query.name, query.qtype, query.do, query.flags & types.CD)
    )
    kind = "A 192.0.2." if query.qtype == types.A else "AAAA 2001:db8::"
    name = dns.name.from_wire(query.name, 0)[0]
    return Relayed(reply(query, f"{name} 60 IN {kind}{like}"), "forward")


@given(st.permutations(range(len(VARIANTS))), st.data())
def test_adv_08_do_cd_type_and_name_do_not_mix_and_case_does(order: list[int], data: st.DataObject) -> None:
    scene = Scene(numbered)
    for number in [*order, *order]:
        query = VARIANTS[number]
        flips = data.draw(st.integers(0, (1 << len(query.qname)) - 1))
        cased = bytes(
            octet ^ 32 if chr(octet).isalpha() and flips >> at & 1 else octet for at, octet in enumerate(query.name)
        )
        outcome = scene.ask(query.replace(qname=cased))
        assert said(outcome, query)[0].endswith((f".{number}", f"::{number:x}", f"::{number}"))
        assert isinstance(outcome, Relayed)
        told = foreign.fit(query.replace(qname=cased, id=0xABCD), outcome.octets, limit=512)
        assert (told[:2], told[12 : 12 + len(cased)]) == (b"\xab\xcd", cased)
    assert scene.asked == len(VARIANTS)


def test_adv_08_classes_do_not_mix() -> None:
    scene = Scene()
    scene.ask()
    scene.behind.say = lambda _: Failed(types.REFUSED)
    assert said(scene.ask(WWW.replace(qclass=types.CH))) == ["failed REFUSED"]


def test_h18_who_asks_without_rd_or_ad_is_answered_as_all_others() -> None:
    scene = Scene(relayed(flags=dns.flags.AD))
    assert [said(scene.ask(WWW.replace(flags=flags))) for flags in (0, types.RD, types.AD)] == [["30 192.0.2.1"]] * 3
    assert scene.asked == 1


# Bounds


def test_u38_a_scan_leaves_more_than_nine_of_ten_hot_hits() -> None:
    scene = Scene(lambda request: Relayed(reply_of(request.query), "forward"))
    hot = [WWW.replace(qname=from_text(f"hot{number}.example.com.")) for number in range(1000)]
    hits = 0
    for number in range(40_000):
        scene.ask(WWW.replace(qname=from_text(f"scan{number}.example.com.")))
        before = scene.asked
        scene.ask(hot[number % len(hot)])
        hits += scene.asked == before
    assert scene.cache.success.evicted > 20_000
    assert hits > 0.9 * 39_000


def test_what_is_kept_is_bounded_in_number_and_octets() -> None:
    settings = Settings(success=Keeping(300), denial=Keeping(200))
    scene = Scene(lambda request: Relayed(reply_of(request.query), "forward"), settings)
    for number in range(1000):
        scene.ask(WWW.replace(qname=from_text(f"a{number}.example.com.")))
    scene.behind.say = lambda request: Relayed(reply(request.query, "", soa(60, 50), rcode="NXDOMAIN"), "forward")
    for number in range(1000):
        scene.ask(WWW.replace(qname=from_text(f"b{number}.example.com.")))
    assert (len(scene.cache.success.items), len(scene.cache.denial.items)) == (300, 200)
    scene.behind.say = lambda request: Relayed(reply_of(request.query, b"\0\x10", bytes(30_000)), "forward")
    for number in range(300):
        scene.ask(Query(from_text(f"c{number}.example.com."), types.TXT))
    assert len(scene.cache.success.items) < 200
    assert scene.cache.success.octets <= settings.kept_success.octets < 1 << 20


def reply_of(query: Query, rtype: bytes = b"\0\1", rdata: bytes = b"\xc0\0\2\1") -> bytes:
    """The question's name with one record, made faster than by the library."""
    sent = foreign.ask(query, 7, edns=False)
    record = b"\xc0\x0c" + rtype + b"\0\1\0\0\0\x3c" + len(rdata).to_bytes(2, "big") + rdata
    return sent[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + sent[12:] + record


def test_what_is_kept_costs_no_more_than_it_counts() -> None:
    scene = Scene(lambda request: Relayed(reply_of(request.query), "forward"))
    queries = [WWW.replace(qname=from_text(f"name{number}.example.com.")) for number in range(4000)]
    scene.ask()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for query in queries:
        scene.ask(query)
        scene.ask(query)
    scene.behind.asked.clear()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 * scene.cache.success.octets < after - before < scene.cache.success.octets
