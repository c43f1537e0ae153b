"""cancel: when a question has taken too long, and that its client hears of it once."""

from collections.abc import Callable

import pytest

from kdns.dns import types
from kdns.dns.records import Answer
from kdns.steps.chain import Answered, Done, Failed, Outcome, Request
from tests.steps.cached import running_or_stopped
from tests.steps.telling import CLIENT, query, step
from tests.virtual_time import run

YES = Answered(Answer(), (), "the rest")
REQUEST = Request(query("www.example. A"), CLIENT, "udp")


class Scene:
    """A question that the rest answers after so many seconds, or never, and what came when."""

    def __init__(self, text: str, after_s: float | None) -> None:
        self.loop = running_or_stopped()
        self.came: list[tuple[float, Outcome]] = []
        self.step = step(text)
        self._after_s = after_s
        assert self.step.ask(REQUEST, self.rest, self.done) is None

    def rest(self, _request: Request, done: Done) -> Outcome | None:
        if self._after_s is not None:
            self.loop.call_later(self._after_s, done, YES)
        return None

    def done(self, outcome: Outcome) -> None:
        self.came.append((round(self.loop.time(), 3), outcome))


def play(text: str, after_s: float | None, then: Callable[[Scene], None] = lambda scene: None) -> Scene:
    async def stage() -> Scene:
        scene = Scene(text, after_s)
        then(scene)
        over = scene.loop.create_future()
        scene.loop.call_later(60, over.set_result, None)
        await over
        return scene

    return run(stage())


@pytest.mark.parametrize(("text", "seconds"), [("cancel", 5.001), ("cancel 300ms", 0.3)])
@pytest.mark.parametrize("after_s", [None, 30])
def test_a_question_fails_when_its_time_is_over_and_nothing_comes_later(
    text: str, seconds: float, after_s: float | None
) -> None:
    ((at, outcome),) = play(text, after_s).came
    assert at == seconds
    assert isinstance(outcome, Failed)
    assert (outcome.rcode, outcome.by) == (types.SERVFAIL, "cancel")
    assert outcome.error is not None
    assert outcome.error.text == f"no answer within {seconds:g} s"


def test_what_comes_in_time_is_the_answer() -> None:
    scene = play("cancel", 4)
    assert scene.came == [(4, YES)]
    assert scene.step.waiting == set()


def test_what_is_answered_at_once_waits_for_nothing() -> None:
    async def scene() -> None:
        one = step("cancel")
        assert one.ask(REQUEST, lambda request, done: YES, pytest.fail) is YES
        assert one.waiting == set()

    run(scene())


@pytest.mark.parametrize("after_s", [None, 1])
def test_whoever_waits_is_told_once_when_the_step_is_closed(after_s: float | None) -> None:
    ((at, outcome),) = play("cancel", after_s, lambda scene: scene.step.close()).came
    assert (at, isinstance(outcome, Failed)) == (0, True)
