"""serve_stale in its modes, and which of several replies goes first. The cache without it is in test_cache_failures."""

import asyncio
from collections.abc import Callable

import pytest

from kdns.config.directives.cache import Cache as Settings
from kdns.config.directives.cache import Policy, Stale
from kdns.dns import types
from kdns.steps.chain import Failed, Outcome, Relayed, Request, Rest
from kdns.steps.forward import Forward
from tests import virtual_time
from tests.steps.cached import (
    CLIENT,
    EMPTY,
    FAULT,
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
)
from tests.steps.upstream_of_sins import UpstreamOfSins

NEW = relayed(OTHER)


def unreached(_request: Request) -> Outcome:
    return UNREACHED


def with_stale(stale: Stale, policy: Policy | None = None, *, servfail_s: float = 5.0) -> Settings:
    return Settings(ttl_s=30, serve_stale=stale, serve_stale_policy=policy, servfail_s=servfail_s)


def expired(settings: Settings, say: Callable[[Request], Outcome] = relayed(), after_s: float = 40) -> Scene:  # noqa: B008
    """A scene whose reply is past its time."""
    scene = Scene(say, settings)
    scene.ask()
    scene.wait(after_s)
    return scene


# Immediate


def test_at_once_what_is_stale_is_given_and_then_asked_for() -> None:
    scene = expired(with_stale(Stale()))
    scene.behind.say = NEW
    first = scene.ask()
    assert (said(first), scene.asked) == (["30 192.0.2.1"], 2)
    assert isinstance(first, Relayed)
    assert (first.until, first.error is not None and first.error.code) == (0, types.EDE_STALE_ANSWER)
    assert (said(scene.ask()), scene.asked) == (["30 192.0.2.2"], 2)
    assert (scene.cache.served_stale, scene.cache.prefetched) == (1, 1)


def test_at_once_one_question_is_in_flight() -> None:
    scene = expired(with_stale(Stale()))
    scene.behind.waits = True
    assert [said(scene.ask()) for _ in range(5)] == [["30 192.0.2.1"]] * 5
    assert (scene.asked, scene.cache.prefetched, scene.cache.served_stale) == (2, 1, 5)
    scene.behind.say = NEW
    scene.behind.tell()
    assert said(scene.ask()) == ["30 192.0.2.2"]


@pytest.mark.parametrize(("after_s", "expected"), [(89, "30 192.0.2.1"), (91, "30 192.0.2.2")])
def test_at_once_holds_for_the_duration(after_s: float, expected: str) -> None:
    scene = expired(with_stale(Stale(60.0)), after_s=after_s)
    scene.behind.say = NEW
    assert said(scene.ask()) == [expected]


def test_a_duration_of_0_gives_nothing_stale() -> None:
    scene = expired(with_stale(Stale(0.0)))
    scene.behind.say = unreached
    assert said(scene.ask()) == ["failed SERVFAIL"]


def test_the_ttl_of_what_is_stale_is_the_settings() -> None:
    scene = expired(with_stale(Stale(ttl_s=7.0)))
    scene.behind.say = unreached
    assert [said(scene.ask()), said(scene.ask())] == [["7 192.0.2.1"]] * 2


def test_a_denial_is_stale_as_an_answer_is() -> None:
    scene = expired(with_stale(Stale()), NXDOMAIN)
    scene.behind.say = NEW
    assert [said(scene.ask()), said(scene.ask())] == [["NXDOMAIN"], ["30 192.0.2.2"]]


@pytest.mark.parametrize(
    ("recheck_s", "seconds"),
    [pytest.param(0.0, 1.0, id="RFC 9520 a second at least"), pytest.param(30.0, 30.0, id="as the settings say")],
)
@pytest.mark.parametrize("fails", [unreached, EMPTY, relayed("", rcode="REFUSED")])
def test_at_once_a_failure_is_not_asked_again_for_the_recheck(
    recheck_s: float, seconds: float, fails: Callable[[Request], Outcome]
) -> None:
    scene = expired(with_stale(Stale(recheck_s=recheck_s)))
    scene.behind.say = fails
    for _ in range(3):
        assert said(scene.ask()) == ["30 192.0.2.1"]
    assert scene.asked == 2
    scene.wait(seconds - 0.01)
    assert (said(scene.ask()), scene.asked) == (["30 192.0.2.1"], 2)
    scene.wait(0.02)
    assert (said(scene.ask()), scene.asked) == (["30 192.0.2.1"], 3)
    assert scene.cache.served_stale == 5


def test_u04_a_servfail_is_not_asked_again_while_it_is_kept() -> None:
    scene = expired(with_stale(Stale()))
    scene.behind.say = SERVFAIL
    scene.ask()
    scene.wait(4.9)
    assert (said(scene.ask()), scene.asked) == (["30 192.0.2.1"], 2)


def test_at_once_a_fault_inside_is_logged_and_the_client_answered() -> None:
    scene = expired(with_stale(Stale()))
    scene.behind.say = lambda _: FAULT
    assert [said(scene.ask()) for _ in range(3)] == [["30 192.0.2.1"]] * 3
    assert [(event, keys["name"]) for event, keys in scene.log.errors] == [
        ("refresh_failed_inside", "www.example.com.")
    ]

    def raises(_request: Request) -> Outcome:
        raise ZeroDivisionError

    scene.wait(1.1)
    scene.behind.say = raises
    assert said(scene.ask()) == ["30 192.0.2.1"]
    assert isinstance(scene.log.errors[1][1]["exc_info"], ZeroDivisionError)


def test_who_comes_while_it_is_asked_for_beside_the_clients_waits_with_it() -> None:
    async def stage() -> None:
        scene, outcomes = expired(with_stale(Stale(60.0)), after_s=89), list[Outcome]()
        scene.behind.waits = True
        assert said(scene.ask()) == ["30 192.0.2.1"]
        scene.wait(10)  # what was stale is too old now
        scene.chain(Request(WWW, CLIENT, "udp"), outcomes.append)
        scene.behind.say = NEW
        scene.behind.tell()
        assert ([said(outcome) for outcome in outcomes], scene.asked) == ([["30 192.0.2.2"]], 2)

    virtual_time.run(stage())


# Verify


def test_verify_asks_first() -> None:
    scene = expired(with_stale(Stale(verify=True)))
    scene.behind.say = NEW
    assert (said(scene.ask()), scene.asked, scene.cache.served_stale) == (["30 192.0.2.2"], 2, 0)


@pytest.mark.parametrize("fails", [unreached, SERVFAIL, EMPTY])
def test_verify_gives_what_is_stale_where_that_fails(fails: Callable[[Request], Outcome]) -> None:
    scene = expired(with_stale(Stale(verify=True)))
    scene.behind.say = fails
    assert (said(scene.ask()), scene.asked, scene.cache.served_stale) == (["30 192.0.2.1"], 2, 1)


def test_verify_believes_a_denial() -> None:
    scene = expired(with_stale(Stale(verify=True)))
    scene.behind.say = NXDOMAIN
    assert [said(scene.ask()), said(scene.ask()), scene.asked] == [["NXDOMAIN"], ["NXDOMAIN"], 2]


def test_verify_waits_for_its_timeout_and_the_question_goes_on() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        await Asked(chain).said()
        await asyncio.sleep(30)
        upstream.udp, upstream.number = "late", 2
        stale = Asked(chain)
        await asyncio.sleep(2)
        meanwhile = Asked(chain)
        assert (await stale.said(), stale.at) == (["30 192.0.2.1"], 0.1)
        assert (await meanwhile.said(), meanwhile.at) == (["30 192.0.2.1"], 0.0)
        fresh = Asked(chain)
        assert (await fresh.said())[0].endswith("192.0.2.2")
        assert len(upstream.heard) == 2

    play(scene, settings=with_stale(Stale(verify=True, timeout_s=0.1)), read_timeout_s=4.0)


def test_verify_without_a_timeout_waits_for_the_upstreams() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        await Asked(chain).said()
        await asyncio.sleep(30)
        upstream.udp = "silent"
        stale = Asked(chain)
        assert (await stale.said(), stale.at) == (["30 192.0.2.1"], 4.0)

    play(scene, settings=with_stale(Stale(verify=True)))


def test_all_who_wait_for_what_fails_are_counted_as_served_stale() -> None:
    async def stage() -> None:
        scene, outcomes = expired(with_stale(Stale(verify=True))), list[Outcome]()
        scene.behind.waits = True
        for _ in range(3):
            scene.chain(Request(WWW, CLIENT, "udp"), outcomes.append)
        scene.behind.say = unreached
        scene.behind.tell()
        assert [said(outcome) for outcome in outcomes] == [["30 192.0.2.1"]] * 3
        assert (scene.cache.served_stale, scene.asked) == (3, 2)

    virtual_time.run(stage())


# Which goes first


@pytest.mark.parametrize("denial", [NXDOMAIN, NODATA])
@pytest.mark.parametrize("verify", [False, True])
def test_prefer_positive_gives_an_answer_past_its_time_before_a_denial(
    denial: Callable[[Request], Outcome], verify: bool
) -> None:
    scene = expired(with_stale(Stale(verify=verify), "prefer_positive"))
    scene.behind.say = denial
    for _ in range(4):
        assert said(scene.ask()) == ["30 192.0.2.1"]
        scene.wait(10)
    scene.behind.say = NEW
    scene.ask()
    assert said(scene.ask()) == ["30 192.0.2.2"]


def test_prefer_positive_ends_with_the_duration() -> None:
    scene = expired(with_stale(Stale(60.0), "prefer_positive"))
    scene.behind.say = NXDOMAIN
    scene.ask()
    scene.wait(51)
    assert said(scene.ask()) == ["NXDOMAIN"]


def test_prefer_positive_leaves_denials_without_an_answer_as_they_are() -> None:
    scene = expired(with_stale(Stale(), "prefer_positive"), NXDOMAIN)
    scene.behind.say = NODATA
    assert [said(scene.ask()), said(scene.ask())] == [["NXDOMAIN"], ["NOERROR"]]


def test_prefer_positive_believes_an_answer_that_may_not_be_kept() -> None:
    scene = expired(with_stale(Stale(verify=True), "prefer_positive"))
    scene.behind.say = relayed(OTHER.replace("60", "0"))
    assert said(scene.ask()) == ["0 192.0.2.2"]
    scene.behind.say = unreached
    assert isinstance(scene.ask(), Failed)
