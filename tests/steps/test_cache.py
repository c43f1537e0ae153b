"""The cache of upstreams' replies: what is kept and for how long, what is asked once, what is given while upstreams fail.

Ids are robustness' rows. Time is virtual; the steps behind are a script, or Forward and a misbehaving upstream.
"""

import asyncio
import random
import tracemalloc
from collections.abc import Callable, Coroutine
from itertools import product
from typing import Any, Final

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.settings import CacheSettings, ForwardSettings, Keeping
from kdns.dns import foreign, types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError
from kdns.steps.cache import Cache
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request, Rest, compose
from kdns.steps.flights import WAITING_MAX
from kdns.steps.forward import Forward
from tests import virtual_time
from tests.steps.upstream_of_sins import UpstreamOfSins
from tests.steps.upstream_texts import lines, reply, soa
from tests.virtual_time import VirtualTimeLoop

SETTINGS: Final = CacheSettings(Keeping(9984, 30), Keeping(9984, 30))  # those of `cache 30`
WWW: Final = Query(from_text("www.example.com."), types.A)
CLIENT: Final = Peer("127.0.0.1", 5353)
A: Final = "www.example.com. 60 IN A 192.0.2.1"
OTHER: Final = "www.example.com. 60 IN A 192.0.2.2"
UNREACHED: Final = Failed(types.SERVFAIL, ExtendedError(types.EDE_NO_REACHABLE_AUTHORITY, "timed out"), "forward")

FAULT: Final = Failed(types.SERVFAIL, cause=ZeroDivisionError())


def relayed(answers: str = A, authority: str = "", **more: Any) -> Callable[[Request], Outcome]:
    """What upstreams say to any question."""
    return lambda request: Relayed(reply(request.query, answers, authority, **more), "forward")


NXDOMAIN: Final = relayed("", soa(60, 50), rcode="NXDOMAIN")
NODATA: Final = relayed("", soa(60, 50))
SERVFAIL: Final = relayed("", rcode="SERVFAIL")
EMPTY: Final = relayed("")


class Scripted:
    """The steps behind: say what they are told to, at once or, while they wait, when they are told to."""

    def __init__(self, say: Callable[[Request], Outcome]) -> None:
        self.say = say
        self.waits = False
        self.asked: list[Request] = []
        self.waiting: list[tuple[Request, Done]] = []

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        self.asked.append(request)
        if not self.waits:
            return self.say(request)
        self.waiting.append((request, done))
        return None

    def tell(self) -> None:
        """Answers whatever waits."""
        waiting, self.waiting = self.waiting, []
        for request, done in waiting:
            done(self.say(request))


def running_or_stopped() -> VirtualTimeLoop:
    """The loop that runs, or one of which only the clock is used."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        stopped = VirtualTimeLoop()
        stopped.close()
        return stopped
    assert isinstance(running, VirtualTimeLoop)
    return running


class Scene:
    """A cache before scripted steps, and the time."""

    def __init__(self, say: Callable[[Request], Outcome] = relayed(), settings: CacheSettings = SETTINGS) -> None:  # noqa: B008
        self.loop = running_or_stopped()
        self.behind = Scripted(say)
        self.cache = Cache(settings, self.loop)
        self.chain = compose((self.cache, self.behind))

    def wait(self, seconds: float) -> None:
        self.loop.jump(seconds)

    def ask(self, query: Query = WWW, transport: str = "udp") -> Outcome:
        outcome = self.chain(Request(query, CLIENT, transport), never)
        assert outcome is not None
        return outcome

    @property
    def asked(self) -> int:
        """How often upstreams were asked."""
        return len(self.behind.asked)


def never(outcome: Outcome) -> None:
    raise AssertionError(outcome)


def said(outcome: Outcome, query: Query = WWW) -> list[str]:
    """What a client is told: rcode, TTLs, data."""
    if isinstance(outcome, Failed):
        return [f"failed {types.rcode_text(outcome.rcode)}"]
    assert isinstance(outcome, Relayed)
    message = dns.message.from_wire(foreign.fit(query, outcome.octets, limit=65535, error=outcome.error))
    records = [f"{rrset.ttl} {rdata}" for rrset in message.answer for rdata in rrset]
    return records or [dns.rcode.to_text(message.rcode())]


def ttl(outcome: Outcome) -> int:
    """The TTL that a client is told, in every record."""
    assert isinstance(outcome, Relayed)
    message = dns.message.from_wire(outcome.octets)
    (seconds,) = {rrset.ttl for section in message.sections[1:] for rrset in section}
    return int(seconds)


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
    (request,) = scene.behind.asked
    assert request.query.flags == types.RD | types.AD


# Asked once


def test_equal_questions_in_flight_are_asked_once_and_all_are_told() -> None:
    scene, outcomes = Scene(relayed(A.replace("60", "0"))), list[Outcome]()
    scene.behind.waits = True
    cases = ["www.example.com.", "WWW.example.com.", "www.EXAMPLE.com."]
    for name in cases:
        assert scene.chain(Request(WWW.replace(qname=from_text(name)), CLIENT, "udp"), outcomes.append) is None
    assert (scene.asked, outcomes) == (1, [])
    scene.behind.tell()
    assert [said(outcome) for outcome in outcomes] == [["0 192.0.2.1"]] * 3
    assert scene.chain(Request(WWW, CLIENT, "udp"), outcomes.append) is None
    assert scene.asked == 2  # TTL 0: merged, not kept


def test_a_fault_in_what_was_waited_for_is_told_to_all() -> None:
    scene, outcomes = Scene(lambda _: Relayed(b"", "forward")), list[Outcome]()
    scene.behind.waits = True
    for _ in range(2):
        scene.chain(Request(WWW, CLIENT, "udp"), outcomes.append)
    scene.behind.tell()
    assert len(outcomes) == 2
    assert all(isinstance(outcome, Failed) and outcome.cause is not None for outcome in outcomes)
    assert not scene.cache.flights.flying
    assert scene.cache.flights.waiting == 0


def test_who_waits_is_bounded() -> None:
    scene, outcomes = Scene(), list[Outcome]()
    scene.behind.waits = True
    for _ in range(WAITING_MAX):
        assert scene.chain(Request(WWW, CLIENT, "udp"), outcomes.append) is None
    assert said(scene.ask()) == ["failed SERVFAIL"]
    scene.behind.tell()
    assert len(outcomes) == WAITING_MAX
    assert said(scene.ask()) == ["30 192.0.2.1"]


def test_half_an_answer_is_told_to_nobody_who_asked_by_tcp() -> None:
    scene, outcomes = Scene(), dict[str, list[Outcome]](udp=[], tcp=[])
    scene.behind.waits = True
    for transport in ("udp", "tcp", "udp", "tcp"):
        scene.chain(Request(WWW, CLIENT, transport), outcomes[transport].append)
    assert [request.transport for request in scene.behind.asked] == ["udp", "tcp"]
    truncated = relayed(flags=dns.flags.TC)
    scene.behind.say = lambda request: truncated(request) if request.transport == "udp" else UNREACHED
    scene.behind.tell()
    assert [type(outcome) for outcome in outcomes["udp"]] == [Relayed, Relayed]
    assert [type(outcome) for outcome in outcomes["tcp"]] == [Failed, Failed]


# Stale


def expired(say: Callable[[Request], Outcome] = relayed(), *, after_s: float = 40) -> Scene:  # noqa: B008
    """A scene whose reply is past its time."""
    scene = Scene(say)
    scene.ask()
    scene.wait(after_s)
    return scene


@pytest.mark.parametrize(
    "fails",
    [
        pytest.param(lambda _: UNREACHED, id="U36 nobody answered"),
        pytest.param(SERVFAIL, id="U04 SERVFAIL"),
        pytest.param(relayed("", rcode="REFUSED"), id="REFUSED"),
        pytest.param(EMPTY, id="U37 empty"),
        pytest.param(relayed("www.example.com. 60 IN CNAME www.example.com."), id="U30 CNAMEs without end"),
        pytest.param(lambda _: Failed(types.SERVFAIL, ExtendedError(0, "too many")), id="U21 over max_concurrent"),
    ],
)
def test_u36_what_is_past_its_time_is_given_once_upstreams_fail(fails: Callable[[Request], Outcome]) -> None:
    scene = expired()
    scene.behind.say = fails
    outcome = scene.ask()
    assert (said(outcome), scene.asked) == (["30 192.0.2.1"], 2)
    assert isinstance(outcome, Relayed)
    assert (outcome.by, outcome.until) == ("cache", 0)


@pytest.mark.parametrize(("say", "code"), [(relayed(), 3), (NODATA, 3), (NXDOMAIN, 19)])
def test_u36_it_says_that_it_is_stale_and_why(say: Callable[[Request], Outcome], code: int) -> None:
    scene = expired(say)
    scene.behind.say = lambda _: UNREACHED
    outcome = scene.ask()
    assert isinstance(outcome, Relayed)
    told = dns.message.from_wire(foreign.fit(WWW.replace(edns=True), outcome.octets, limit=512, error=outcome.error))
    assert told.options == (dns.edns.EDEOption(dns.edns.EDECode(code), "timed out"),)
    assert ttl(outcome) == 30


def test_u36_upstreams_are_asked_again_after_30_s_and_then_what_they_say_counts() -> None:
    scene = expired()
    scene.behind.say = lambda _: UNREACHED
    for _ in range(30):
        assert said(scene.ask()) == ["30 192.0.2.1"]
        scene.wait(0.99)
    assert scene.asked == 2
    scene.behind.say = relayed(OTHER)
    scene.wait(1)
    assert [said(scene.ask()), said(scene.ask()), scene.asked] == [["30 192.0.2.2"], ["30 192.0.2.2"], 3]


@pytest.mark.parametrize(("after_s", "expected"), [(3629, "30 192.0.2.1"), (3631, "failed SERVFAIL")])
def test_u36_an_hour_past_its_time_is_the_limit(after_s: float, expected: str) -> None:
    scene = expired(after_s=after_s)
    scene.behind.say = lambda _: UNREACHED
    assert said(scene.ask()) == [expected]


def test_u36_the_limit_holds_while_upstreams_are_not_asked_again() -> None:
    scene = expired(after_s=3620)
    scene.behind.say = lambda _: UNREACHED
    assert said(scene.ask()) == ["30 192.0.2.1"]
    scene.wait(10.1)
    assert said(scene.ask()) == ["failed SERVFAIL"]


def test_nothing_is_stale_where_the_settings_say_so() -> None:
    scene = Scene(settings=CacheSettings(stale_s=0))
    scene.ask()
    scene.wait(61)
    scene.behind.say = lambda _: UNREACHED
    assert said(scene.ask()) == ["failed SERVFAIL"]


@pytest.mark.parametrize(
    ("first", "then", "stale"),
    [
        pytest.param(relayed(), NXDOMAIN, "NXDOMAIN", id="U37 NXDOMAIN replaces an answer"),
        pytest.param(relayed(), NODATA, "NOERROR", id="U37 so does NODATA"),
        pytest.param(NXDOMAIN, relayed(), "30 192.0.2.1", id="an answer replaces a denial"),
        pytest.param(relayed(), EMPTY, "30 192.0.2.1", id="U37 emptiness doesn't"),
        pytest.param(relayed(), SERVFAIL, "30 192.0.2.1", id="U37 nor does SERVFAIL"),
        pytest.param(relayed(), relayed(OTHER.replace("60", "0")), "failed SERVFAIL", id="what isn't kept does"),
    ],
)
def test_u37_what_replaces_what(
    first: Callable[[Request], Outcome], then: Callable[[Request], Outcome], stale: str
) -> None:
    scene = expired(first)
    scene.behind.say = then
    scene.ask()
    scene.wait(100)
    scene.behind.say = lambda _: UNREACHED
    assert said(scene.ask()) == [stale]


def test_u37_what_is_held_as_stale_goes_with_the_next_answer() -> None:
    async def stage() -> None:
        scene, outcomes = expired(), list[Outcome]()
        scene.behind.waits = True
        for transport in ("udp", "tcp"):
            scene.chain(Request(WWW, CLIENT, transport), outcomes.append)
        fresh = relayed(OTHER.replace("60", "7"))
        scene.behind.say = lambda request: UNREACHED if request.transport == "udp" else fresh(request)
        scene.behind.tell()
        assert [said(outcome) for outcome in outcomes] == [["30 192.0.2.1"], ["7 192.0.2.2"]]
        scene.wait(7)
        scene.behind.waits = False
        scene.behind.say = relayed(OTHER.replace("60", "9"))
        assert said(scene.ask()) == ["9 192.0.2.2"]

    virtual_time.run(stage())


# With upstreams

Play = Callable[[Rest, Forward, UpstreamOfSins], Coroutine[Any, Any, None]]


def play(scene: Play, udp: str = "honest", tcp: str = "honest", **settings: Any) -> None:
    """The scene, in virtual time, with a cache before Forward and one upstream."""

    async def stage() -> None:
        async with UpstreamOfSins(udp, tcp) as upstream:
            loop = asyncio.get_running_loop()
            forward = Forward(ForwardSettings((upstream.address,), **settings), loop=loop, random=random.SystemRandom())
            try:
                await scene(compose((Cache(SETTINGS, loop), forward)), forward, upstream)
            finally:
                forward.close()

    virtual_time.run(stage())


class Asked:
    """One question, what came of it and when."""

    def __init__(self, chain: Rest, name: str = "www.example.com.", transport: str = "udp") -> None:
        self.outcomes: list[Outcome] = []
        self.at = -1.0
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        outcome = chain(Request(Query(from_text(name), types.A), CLIENT, transport), self._done)
        if outcome is not None:
            self._done(outcome)

    def _done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.at = round(self._loop.time() - self._begun, 1)

    async def said(self) -> list[str]:
        """What was said, after a time in which anything more would have come."""
        await asyncio.sleep(10)
        (outcome,) = self.outcomes
        return said(outcome)


def test_adv_07_a_thousand_equal_questions_are_one_datagram() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        asked = [Asked(chain) for _ in range(1000)]
        assert {tuple(await asked[0].said())} == {("30 192.0.2.1",)}
        assert [len(each.outcomes) for each in asked] == [1] * 1000
        assert len(upstream.heard) == 1

    play(scene, "slow")


@pytest.mark.parametrize("sin", ["wrong name", "wrong id", "other type", "other class", "stranger", "garbage"])
def test_adv_02_what_is_no_answer_is_neither_kept_nor_given(sin: str) -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        assert await Asked(chain).said() == ["failed SERVFAIL"]
        upstream.udp = "honest"
        assert await Asked(chain).said() == ["30 192.0.2.1"]

    play(scene, sin)


def test_u15_a_truncated_answer_is_kept_whole() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        assert len(await Asked(chain).said()) == 300
        assert len(await Asked(chain, transport="tcp").said()) == 300
        assert (len(upstream.heard), len(upstream.streamed)) == (1, 1)

    play(scene, "truncated")


def test_u16_half_an_answer_is_not_kept() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        for times in (1, 2):
            await Asked(chain).said()
            assert len(upstream.heard) == times

    play(scene, "truncated", "gone")


def test_u02_silence_is_stale_after_1_8_s_and_failure_after_all_tries() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        await Asked(chain).said()
        upstream.udp = "silent"
        await asyncio.sleep(30)
        known, unknown = Asked(chain), Asked(chain, "unknown.example.com.")
        assert (await known.said(), known.at) == (["30 192.0.2.1"], 1.8)
        assert (await unknown.said(), unknown.at) == (["failed SERVFAIL"], 4.0)
        again = Asked(chain)
        assert (again.at, len(upstream.heard)) == (0.0, 5)

    play(scene)


def test_u02_an_answer_that_comes_after_the_stale_one_is_kept() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        await Asked(chain).said()
        await asyncio.sleep(30)
        upstream.udp, upstream.number = "late", 2
        stale = Asked(chain)
        assert (await stale.said(), stale.at) == (["30 192.0.2.1"], 1.8)
        fresh = Asked(chain)
        assert (await fresh.said(), fresh.at) == (["23 192.0.2.2"], 0.0)

    play(scene, timeout_s=4.0)


def test_u02_an_answer_in_time_ends_the_wait_for_it() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        await Asked(chain).said()
        await asyncio.sleep(30)
        upstream.udp, upstream.number = "slow", 2
        slow = Asked(chain)
        await asyncio.sleep(31.5)
        assert [said(outcome) for outcome in slow.outcomes] == [["30 192.0.2.2"]]
        upstream.udp, upstream.number = "honest", 3
        assert await Asked(chain).said() == ["30 192.0.2.3"]

    play(scene)


def test_u42_names_are_asked_again_a_second_after_the_network_is_back() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        failed = Asked(chain)
        await asyncio.sleep(4.5)
        assert [said(outcome) for outcome in failed.outcomes] == [["failed SERVFAIL"]]
        upstream.udp = "honest"
        await asyncio.sleep(0.6)
        assert await Asked(chain).said() == ["30 192.0.2.1"]

    play(scene, "silent")


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
    settings = CacheSettings(Keeping(300, 30), Keeping(200, 30), octets=400_000)
    scene = Scene(lambda request: Relayed(reply_of(request.query), "forward"), settings)
    for number in range(1000):
        scene.ask(WWW.replace(qname=from_text(f"a{number}.example.com.")))
    scene.behind.say = lambda request: Relayed(reply(request.query, "", soa(60, 50), rcode="NXDOMAIN"), "forward")
    for number in range(1000):
        scene.ask(WWW.replace(qname=from_text(f"b{number}.example.com.")))
    assert (len(scene.cache.success.items), len(scene.cache.denial.items)) == (300, 200)
    scene.behind.say = lambda request: Relayed(reply(request.query, f"{TEXT}\n{TEXT}b"), "forward")
    for number in range(1000):
        scene.ask(Query(from_text(f"c{number}.example.com."), types.TXT))
    assert scene.cache.success.octets <= 200_000


TEXT: Final = f"x.example.com. 60 IN TXT {'a' * 200}"


def reply_of(query: Query) -> bytes:
    """The question's name with one address, made faster than by the library."""
    sent = foreign.ask(query, 7, edns=False)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
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
