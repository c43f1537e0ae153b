"""Trouble: what is known of a question that the first upstream asked hasn't answered, and the last word where nobody does.

Made by the first setback only: most questions have none. Standards: RFC 8914.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from kdns.dns import types
from kdns.dns.records import ExtendedError
from kdns.steps.chain import Failed, Outcome, Relayed
from kdns.steps.servers import Server

NAME: Final = "forward"  # of the step, who says all these

_TEXT_LIMIT: Final = 200  # characters of an extended error: they fit 512 octets beside any question


class Trouble:
    """What has gone wrong so far with one question, and what is left to try."""

    __slots__ = (
        *("begun", "case", "expiry", "heard", "kept", "left", "odd", "reasons", "said", "silent", "streams", "tries"),
    )

    def __init__(self, begun: float, left: Iterable[Server]) -> None:
        self.begun = begun
        self.left = deque(left)  # whom to ask yet
        self.odd: set[Server] = set()  # whose datagrams made no sense, under the right id: TCP may bring what does
        self.silent: set[Server] = set()  # who let time pass, and is asked once more: a datagram may have got lost
        self.reasons: dict[Server, str] = {}  # what each said or did last
        self.kept: bytes | None = None  # a reply to pass on if no better one comes
        self.heard = False  # whether anyone answered at all
        self.said: set[int] = set()  # rcodes that were no help
        self.tries = 0  # that brought no reply
        self.streams = 0  # opened to the present upstream
        self.case = False  # whether the present upstream's answer by UDP was in another case, or one of forgeries
        self.expiry: asyncio.TimerHandle | None = None  # when all tries are over

    def last_word(self) -> Outcome:
        """The outcome if nothing better comes."""
        if self.kept is not None:
            return Relayed(self.kept, NAME)
        reached = self.heard or self.silent
        code = types.EDE_NO_REACHABLE_AUTHORITY if reached else types.EDE_NETWORK_ERROR
        text = "; ".join(f"{server.name} {reason}" for server, reason in self.reasons.items())
        return Failed(types.SERVFAIL, ExtendedError(code, text[:_TEXT_LIMIT]), NAME)
