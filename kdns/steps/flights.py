"""Questions in flight: equal ones are asked once, and all who asked are told.

Who comes while a question is on its way waits for the same outcome, so that a popular name
costs one question upstream, and a spoofer has one id and port to guess at instead of many
(CVE-2023-30464). How many may wait is bounded over all questions: each costs a kilobyte.
What equal means, and what the outcome is made into, is the caller's.
"""

from collections.abc import Callable
from typing import Final

from kdns.dns import types
from kdns.dns.records import ExtendedError
from kdns.steps.chain import Done, Failed, Outcome, Request, Rest, asked_then

WAITING_MAX: Final = 4096


class Flights:
    """Questions that are waited for, by a key."""

    __slots__ = ("_flying", "_waiting")

    def __init__(self) -> None:
        self._flying: dict[bytes, list[Done]] = {}
        self._waiting = 0

    def __contains__(self, key: bytes) -> bool:
        return key in self._flying

    def depart(
        self, key: bytes, request: Request, rest: Rest, done: Done, change: Callable[[Outcome], Outcome]
    ) -> Outcome | None:
        """What change makes of the rest's outcome; None if done will be called with it later."""
        outcome = asked_then(change, rest, request, lambda outcome: self._tell(self._flying.pop(key), outcome))
        if outcome is None:
            self._flying[key] = [done]
            self._waiting += 1
        return outcome

    def join(self, key: bytes, done: Done) -> Failed | None:
        """Waits with those who wait for a question in flight; a failure if too many do."""
        if self._waiting >= WAITING_MAX:
            text = f"{self._waiting} questions are waiting for upstreams already"
            return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text))
        self._flying[key].append(done)
        self._waiting += 1
        return None

    def relieve(self, key: bytes, outcome: Outcome) -> None:
        """Tells all who wait for a question so far; it stays in flight."""
        waiting, self._flying[key] = self._flying[key], []
        self._tell(waiting, outcome)

    def _tell(self, waiting: list[Done], outcome: Outcome) -> None:
        self._waiting -= len(waiting)
        for done in waiting:
            done(outcome)
