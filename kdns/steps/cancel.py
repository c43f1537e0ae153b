"""cancel: no question takes longer than so many seconds; then it fails, whatever comes of it later.

What upstreams say later isn't lost: the cache, which stands behind, keeps it for the next who asks.
"""

import asyncio
from typing import Final

from kdns.config.directives.places import Cancel as Settings
from kdns.dns import types
from kdns.dns.records import ExtendedError
from kdns.steps.around import Around
from kdns.steps.chain import Done, Failed, Outcome, Request, Rest

NAME: Final = "cancel"


def make(settings: Settings, around: Around) -> "Cancel":
    """The step."""
    return Cancel(settings.timeout_s, around.loop)


class Cancel:
    """Lets the rest answer for as long as there is time."""

    __slots__ = ("_failed", "_loop", "_timeout_s", "waiting")

    def __init__(self, timeout_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self._timeout_s = timeout_s
        self._loop = loop
        self._failed = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, f"no answer within {timeout_s:g} s"), NAME)
        self.waiting: set[_Waiting] = set()

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        waiting = _Waiting(self, done)
        outcome = rest(request, waiting.tell)
        if outcome is None:
            waiting.begin()
        return outcome

    def close(self) -> None:
        """Fails what waits."""
        for waiting in list(self.waiting):
            waiting.give_up()

    def begin(self, waiting: "_Waiting") -> asyncio.TimerHandle:
        """Starts the time of a question."""
        self.waiting.add(waiting)
        return self._loop.call_later(self._timeout_s, waiting.give_up)

    @property
    def failed(self) -> Failed:
        """What a question gets that has taken too long."""
        return self._failed


class _Waiting:
    """A question that the rest hasn't answered at once."""

    __slots__ = ("_cancel", "_done", "_timer")

    def __init__(self, cancel: Cancel, done: Done) -> None:
        self._cancel = cancel
        self._done = done
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._timer = self._cancel.begin(self)

    def tell(self, outcome: Outcome) -> None:
        """Passes on what came, if it still has a use."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._cancel.waiting.discard(self)
            self._done(outcome)

    def give_up(self) -> None:
        self.tell(self._cancel.failed)
