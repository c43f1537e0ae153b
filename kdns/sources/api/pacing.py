"""Pacing: how often and how many at once an API server is asked.

A token bucket, as client-go has it, and a limit to the requests that wait for an answer; either may be missing. One
Pace is shared by all who ask the same server. Whoever has had the head of a watch's answer doesn't count any more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from kdns.config.settings import ApiLimits

_BURST: Final = 10  # client-go's, where only a rate is given


class Pace:
    """Lets requests through, first come first served."""

    def __init__(self, limits: ApiLimits, now: Callable[[], float]) -> None:
        """Takes now: the clock, in seconds."""
        self._now = now
        self._open = asyncio.Semaphore(limits.in_flight) if limits.in_flight else None
        self._interval_s = 1 / limits.rate if limits.rate else 0.0
        self._slack_s = ((limits.burst or _BURST) - 1) * self._interval_s
        self._next = 0.0  # when the next is due, if all come at the rate

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """While this lasts, a request may be sent and its answer waited for."""
        if wait_s := self._wait_s():
            await asyncio.sleep(wait_s)
        if self._open is None:
            yield
        else:
            async with self._open:
                yield

    def _wait_s(self) -> float:
        """How long the next request has to wait; takes its place."""
        if not self._interval_s:
            return 0.0
        now = self._now()
        due = max(self._next, now)
        self._next = due + self._interval_s
        return max(0.0, due - self._slack_s - now)
