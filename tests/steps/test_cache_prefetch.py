"""prefetch: popular replies are asked for again before their time ends, once at a time; U39."""

from collections.abc import Callable

import pytest

from kdns.config.directives.cache import Cache as Settings
from kdns.config.directives.cache import Prefetch
from kdns.steps.chain import Outcome, Relayed, Request
from tests.steps.cached import FAULT, NXDOMAIN, OTHER, SERVFAIL, UNREACHED, Scene, relayed, said, ttl

NEW = relayed(OTHER)


def popular(prefetch: Prefetch = Prefetch(3), say: Callable[[Request], Outcome] = relayed()) -> Scene:  # noqa: B008
    """A scene whose reply of 60 s was asked for three times since it came."""
    scene = Scene(say, Settings(prefetch=prefetch))
    for _ in range(4):
        scene.ask()
    scene.behind.say = NEW
    return scene


@pytest.mark.parametrize(("percent", "second"), [(10, 54), (90, 6)], ids=["a tenth is left", "nine tenths are left"])
def test_a_popular_reply_is_asked_for_when_its_time_is_nearly_over(percent: int, second: int) -> None:
    scene = popular(Prefetch(3, 60.0, percent))
    scene.wait(second - 0.1)
    assert (said(scene.ask())[0].endswith(".1"), scene.asked) == (True, 1)
    scene.wait(0.1)
    assert (ttl(scene.ask()), scene.asked, scene.cache.prefetched) == (60 - second, 2, 1)
    assert (said(scene.ask()), scene.asked) == (["60 192.0.2.2"], 2)


def test_a_short_reply_is_asked_for_in_its_last_second() -> None:
    scene = popular(say=relayed(OTHER.replace("60", "5")))
    scene.wait(3.9)
    scene.ask()
    assert scene.asked == 1
    scene.wait(0.1)
    scene.ask()
    assert scene.asked == 2


def test_it_stays_popular_after_it() -> None:
    scene = popular()
    scene.wait(55)
    scene.ask()
    scene.wait(55)
    scene.ask()
    assert (scene.asked, scene.cache.prefetched) == (3, 2)


@pytest.mark.parametrize(("asked", "times"), [(1, 1), (2, 1), (3, 2)])
def test_what_was_asked_for_less_often_is_not(asked: int, times: int) -> None:
    scene = Scene(settings=Settings(prefetch=Prefetch(3)))
    scene.ask()
    for _ in range(asked - 1):
        scene.ask()
    scene.wait(55)
    scene.ask()
    assert scene.asked == times


def test_a_gap_of_the_duration_begins_anew() -> None:
    scene = popular(Prefetch(3, 20.0))
    scene.wait(30)
    scene.ask()
    scene.wait(19)
    scene.ask()
    scene.wait(6)
    scene.ask()
    assert scene.asked == 2


def test_the_duration_is_not_over_before_its_end() -> None:
    scene = popular(Prefetch(3, 60.0))
    scene.wait(59)
    scene.ask()
    assert scene.asked == 2


def test_until_it_is_popular_nobody_else_gives_it() -> None:
    scene = Scene(settings=Settings(prefetch=Prefetch(3)))
    scene.ask()
    outcomes = [scene.ask() for _ in range(3)]
    assert [isinstance(outcome, Relayed) and outcome.until for outcome in outcomes] == [0.0, 0.0, 1]


def test_u39_one_question_is_in_flight() -> None:
    scene = popular()
    scene.behind.waits = True
    scene.wait(55)
    for _ in range(10):
        assert said(scene.ask()) == ["5 192.0.2.1"]
    assert (scene.asked, scene.cache.prefetched) == (2, 1)
    scene.behind.tell()
    assert said(scene.ask()) == ["60 192.0.2.2"]


@pytest.mark.parametrize(
    "fails", [lambda _: UNREACHED, SERVFAIL, lambda _: FAULT], ids=["silence", "SERVFAIL", "fault"]
)
def test_u39_a_failure_is_not_asked_again_at_once_and_what_is_kept_is_given(
    fails: Callable[[Request], Outcome],
) -> None:
    scene = popular()
    scene.behind.say = fails
    scene.wait(55)
    for _ in range(10):
        assert said(scene.ask()) == ["5 192.0.2.1"]
    assert (scene.asked, scene.cache.served_stale) == (2, 0)


def test_a_denial_takes_the_place_of_an_answer_at_once() -> None:
    scene = popular()
    scene.behind.say = NXDOMAIN
    scene.wait(55)
    scene.ask()
    assert said(scene.ask()) == ["NXDOMAIN"]


def test_a_denial_is_prefetched_as_well() -> None:
    scene = popular(say=NXDOMAIN)
    scene.wait(46)
    assert said(scene.ask()) == ["NXDOMAIN"]
    assert said(scene.ask()) == ["60 192.0.2.2"]


def test_0_prefetches_nothing() -> None:
    scene = popular(Prefetch(0))
    for _ in range(60):
        scene.wait(0.99)
        scene.ask()
    assert scene.cache.prefetched == 0
