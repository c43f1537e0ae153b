"""What failed, and for how long it isn't asked again.

What nobody answered is held for a second, then for twice as long each time, up to five minutes. Yet the network's return
is noticed soon: once a second one question is asked in spite of that, and the first answer to any ends all waits that are
older than a second.
Standards: RFC 9520 section 3.2 (at least one second, at most five minutes, longer each time).
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from cachetools import TLRUCache

from kdns.steps.chain import Outcome

UNREACHED_S: Final = 1.0  # that a question nobody answered isn't asked again, at first
UNREACHED_MAX_S: Final = 300.0

_KEPT: Final = 1024
_TRY_EVERY_S: Final = 1.0
_TRY_LASTS_S: Final = 5.0  # no question is longer on its way


@dataclass(slots=True)
class _Failure:
    outcome: Outcome
    since: float
    hold_s: float
    era: int  # which answer it came after; -1 where that doesn't matter


class Failures:
    """Failures by the key of their question."""

    __slots__ = ("_era", "_kept", "_loop", "_next_try", "last")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # For as long again as it is held, since then it may fail once more.
        self._kept: TLRUCache[bytes, _Failure] = TLRUCache(
            _KEPT, ttu=lambda _key, failure, _now: failure.since + 2 * failure.hold_s, timer=loop.time
        )
        self._era = 0  # answers so far
        self._next_try = 0.0
        self.last = 0.0  # until then there may be some: to look costs 0.4 µs, for nothing where nothing fails

    def __contains__(self, key: bytes) -> bool:
        """Whether a question is held."""
        failure = self._kept.get(key)
        return failure is not None and self._holds(failure)

    def given(self, key: bytes) -> Outcome | None:
        """What to say unasked; None if the question may be asked."""
        failure = self._kept.get(key)
        if failure is None or not self._holds(failure):
            return None
        now = self._loop.time()
        if failure.era >= 0 and now >= self._next_try:
            self._next_try = now + _TRY_LASTS_S
            return None
        return failure.outcome

    def hold(self, key: bytes, outcome: Outcome, hold_s: float) -> None:
        """Holds a question for so long."""
        self._put(key, outcome, hold_s, -1)

    def hold_unreached(self, key: bytes, outcome: Outcome) -> None:
        """Holds a question that nobody answered, longer than the last time."""
        before = self._kept.get(key)
        again = before is not None and before.era == self._era
        hold_s = min(2 * before.hold_s, UNREACHED_MAX_S) if before is not None and again else UNREACHED_S
        self._put(key, outcome, hold_s, self._era)
        self._next_try = self._loop.time() + _TRY_EVERY_S

    def answered(self, key: bytes) -> None:
        """This question has an answer; so upstreams can be reached."""
        self._era += 1
        self._kept.pop(key, None)

    def _holds(self, failure: _Failure) -> bool:
        """What was held before an answer came is held for the first second alone."""
        longest = failure.hold_s if failure.era in {-1, self._era} else UNREACHED_S
        return failure.since + longest > self._loop.time()

    def _put(self, key: bytes, outcome: Outcome, hold_s: float, era: int) -> None:
        now = self._loop.time()
        self._kept[key] = _Failure(outcome, now, hold_s, era)
        self.last = max(self.last, now + 2 * hold_s)
