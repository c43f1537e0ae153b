"""The cache while upstreams fail: what isn't asked again at once, and what is given past its time. Ids are robustness' rows."""

import asyncio
from collections.abc import Callable

import dns.edns
import dns.message
import pytest

from kdns.config.directives.cache import Cache as Settings
from kdns.config.directives.cache import Stale
from kdns.dns import foreign, types
from kdns.dns.records import ExtendedError
from kdns.steps.chain import Failed, Outcome, Relayed, Request, Rest
from kdns.steps.forward import Forward
from tests import virtual_time
from tests.steps.cached import (
    CLIENT,
    EMPTY,
    NODATA,
    NXDOMAIN,
    OTHER,
    SERVFAIL,
    UNREACHED,
    WWW,
    Asked,
    Scene,
    play,
    relayed,
    said,
    ttl,
)
from tests.steps.upstream_of_sins import UpstreamOfSins

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
    scene = Scene(settings=Settings(serve_stale=Stale(0.0)))
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


@pytest.mark.parametrize("sin", ["wrong name", "wrong id", "other type", "other class", "stranger", "garbage"])
def test_adv_02_what_is_no_answer_is_neither_kept_nor_given(sin: str) -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        upstream.tcp = "closed"  # where they are asked who only answered nonsense
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

    play(scene, read_timeout_s=4.0)


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
