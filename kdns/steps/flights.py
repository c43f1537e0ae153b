"""Questions in flight: equal ones are asked once, and all who asked are told.

Who comes while a question is on its way waits for the same outcome, so that a popular name
costs one question upstream, and a spoofer has one id and port to guess at instead of many
(CVE-2023-30464). How many may wait is bounded over all questions: each costs a kilobyte.
What equal means, and what the outcome is made into, is the caller's.
"""

from typing import Final

from kdns.dns import types
from kdns.dns.records import ExtendedError
from kdns.steps.chain import Done, Failed, Outcome, Request, Rest

WAITING_MAX: Final = 4096


class Flights:
    """The questions that are waited for, by a key."""

    __slots__ = ("flying", "waiting")

    def __init__(self) -> None:
        self.flying: dict[bytes, Flight] = {}
        self.waiting = 0  # who waits, for all of them


class Flight:
    """One question on its way to the rest of the chain; a subclass says what is made of the outcome."""

    __slots__ = ("_flights", "_key", "_waiting")

    def __init__(self, flights: Flights, key: bytes) -> None:
        self._flights = flights
        self._key = key
        self._waiting: list[Done] = []

    def depart(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """What learn makes of the rest's outcome; None if done will be called with it later."""
        outcome = rest(request, self._land)
        if outcome is not None:
            return self.learn(outcome)
        flights = self._flights
        flights.flying[self._key] = self
        flights.waiting += 1
        self._waiting.append(done)
        return None

    def join(self, done: Done) -> Failed | None:
        """Waits with those who wait already; a failure if too many do, for whatever."""
        flights = self._flights
        if flights.waiting >= WAITING_MAX:
            text = f"{flights.waiting} questions are waiting for upstreams already"
            return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text))
        flights.waiting += 1
        self._waiting.append(done)
        return None

    def relieve(self, outcome: Outcome) -> None:
        """Tells all who wait so far; the question stays in flight."""
        waiting, self._waiting = self._waiting, []
        self._flights.waiting -= len(waiting)
        for done in waiting:
            done(outcome)

    def learn(self, outcome: Outcome) -> Outcome:
        """What is to be said of the rest's outcome; asked once."""
        raise NotImplementedError

    def _land(self, outcome: Outcome) -> None:
        flights, waiting = self._flights, self._waiting
        del flights.flying[self._key]
        try:
            learned = self.learn(outcome)
        except Exception as fault:  # noqa: BLE001 - whoever runs the chain isn't below us any more; it gets the fault as a value
            learned = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), cause=fault)
        flights.waiting -= len(waiting)
        for done in waiting:
            done(learned)
