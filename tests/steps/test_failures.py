"""For how long what failed isn't asked again. U02, U23 and U42 of robustness."""

from kdns.dns import types
from kdns.dns.names import from_text
from kdns.steps.chain import Failed
from kdns.steps.failures import Failures
from tests.steps.cached import UNREACHED, WWW, Scene, relayed, running_or_stopped, said

SAID = Failed(types.SERVFAIL, by="cache")


class Clock:
    """Failures, and the time."""

    def __init__(self) -> None:
        self.loop = running_or_stopped()
        self.failures = Failures(self.loop)

    def held_s(self, key: bytes, step: float = 0.25) -> float:
        """For how long a question is held from now on, while another one is what is tried."""
        seconds = 0.0
        while key in self.failures:
            self.loop.jump(step)
            seconds += step
        return seconds

    def fail(self, key: bytes = b"a") -> float:
        self.failures.hold_unreached(key, SAID)
        return self.held_s(key)


def test_u02_what_nobody_answers_is_held_twice_as_long_each_time_up_to_five_minutes() -> None:
    clock = Clock()
    assert [clock.fail() for _ in range(11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_u02_who_is_not_asked_for_long_begins_anew() -> None:
    clock = Clock()
    for _ in range(4):
        clock.fail()
    clock.loop.jump(9)
    assert clock.fail() == 1


def test_u02_each_question_has_its_own_time() -> None:
    clock = Clock()
    for _ in range(4):
        clock.fail()
    assert clock.fail(b"b") == 1


def test_u42_an_answer_to_any_ends_long_waits_but_not_the_first_second() -> None:
    clock = Clock()
    for _ in range(5):
        clock.fail()
    clock.failures.hold_unreached(b"a", SAID)
    clock.loop.jump(0.5)
    clock.failures.answered(b"b")
    assert clock.failures.given(b"a") is SAID
    assert clock.held_s(b"a") == 0.5
    assert clock.fail() == 1


def test_u42_once_a_second_one_is_asked_in_spite() -> None:
    clock = Clock()
    for key in (b"a", b"b", b"c") * 6:
        clock.failures.hold_unreached(key, SAID)
    clock.loop.jump(0.99)
    assert [clock.failures.given(key) for key in (b"a", b"b")] == [SAID, SAID]
    clock.loop.jump(0.01)
    assert [clock.failures.given(key) for key in (b"a", b"a", b"b", b"c")] == [None, SAID, SAID, SAID]
    clock.loop.jump(4)
    assert clock.failures.given(b"b") is SAID  # one at a time: that for a may last so long
    clock.failures.hold_unreached(b"a", SAID)
    clock.loop.jump(1)
    assert [clock.failures.given(key) for key in (b"b", b"b", b"a")] == [None, SAID, SAID]


def test_other_failures_are_held_as_long_as_told_and_are_not_tried() -> None:
    clock = Clock()
    clock.failures.hold(b"a", SAID, 5)
    clock.failures.answered(b"b")
    clock.loop.jump(4.9)
    assert clock.failures.given(b"a") is SAID
    clock.loop.jump(0.2)
    assert clock.failures.given(b"a") is None


def test_an_answer_ends_its_own_question_s_failure() -> None:
    clock = Clock()
    clock.failures.hold(b"a", SAID, 5)
    clock.failures.answered(b"a")
    assert clock.failures.given(b"a") is None


def test_the_last_end_is_known_so_that_nobody_has_to_look_after_it() -> None:
    clock = Clock()
    clock.failures.hold_unreached(b"a", SAID)
    clock.failures.hold(b"b", SAID, 5)
    clock.loop.jump(5.01)
    assert clock.failures.given(b"b") is None
    assert clock.failures.last >= 5


def test_u02_through_the_cache_names_are_asked_ever_more_seldom_and_all_at_once_after_an_answer() -> None:
    scene = Scene(lambda _: UNREACHED)
    others = [WWW.replace(name=from_text(f"{n}.example.com."), qname=from_text(f"{n}.example.com.")) for n in range(9)]
    for _ in range(240):  # a minute
        for query in (*others, WWW):
            assert said(scene.ask(query)) == ["failed SERVFAIL"]
        scene.wait(0.25)
    # Without growth each of the ten were asked once a second: 600.
    assert 100 < scene.asked < 140
    scene.behind.say = lambda request: relayed(f"{request.query.name[1:2].decode()}.example.com. 60 IN A 192.0.2.1")(
        request
    )
    before = scene.asked
    scene.wait(1.01)
    for query in others:
        scene.ask(query)
    assert scene.asked == before + len(others)
