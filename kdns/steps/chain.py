"""The steps that a question goes through, in their fixed order, and what comes of it.

A step answers at once (an outcome), asks the rest of the chain (what came of that is its
to change), or waits: it returns None and calls done exactly once later, from the event
loop. So nothing is allocated for waiting where nothing waits.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError
from kdns.zone.entry import Owner


class Request(NamedTuple):
    """A query and where it came from."""

    query: Query
    client: tuple[str, int]  # address and port
    transport: str  # "udp" or "tcp"


class Answered(NamedTuple):
    """An answer of our own making; owners are what it depends on, all of them, or () where it may not be remembered."""

    answer: Answer
    owners: tuple[Owner, ...] = ()
    by: str = ""  # the step that answered, for metrics


class Relayed(NamedTuple):
    """An upstream's reply, its octets as they came, already checked to answer this question."""

    octets: bytes
    by: str = ""


class Failed(NamedTuple):
    """No answer could be had: the rcode to give, and why."""

    rcode: int
    error: ExtendedError | None = None
    by: str = ""


Outcome: TypeAlias = Answered | Relayed | Failed
Done: TypeAlias = Callable[[Outcome], None]
Rest: TypeAlias = Callable[[Request, Done], Outcome | None]


class Step(Protocol):
    """One link of the chain."""

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """The outcome, or None if done will be called with it later."""
        ...
