"""Turns: what is to be sent is sent together, once all that came in at a socket has been seen, and before the loop goes round.

Another round costs as much as an answer: a question that is forwarded and comes alone took four rounds of the event loop,
and takes two so. What fails is told as any reader's failure, and what is left is done when the loop goes round.
"""

import asyncio
from collections.abc import Callable


class Turns:
    """The turns of an event loop: one for each time that a socket is read."""

    __slots__ = ("_due", "_loop", "_within")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._within = False
        self._due: list[Callable[[], None]] = []

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls back at the end of this turn; outside of one when the loop goes round."""
        if self._within:
            self._due.append(callback)
        else:
            self._loop.call_soon(callback)

    def of(self, read: Callable[[], None]) -> Callable[[], None]:
        """What reads a socket, as a turn."""
        due = self._due

        def turn() -> None:
            self._within = True
            try:
                read()
                while due:  # each may bring more
                    due.pop()()
            finally:
                self._within = False
                for left in due:  # behind one that has failed
                    self._loop.call_soon(left)
                due.clear()

        return turn
