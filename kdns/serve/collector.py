"""Garbage collection of a worker: while nobody waits, of what has come since the last.

What a question leaves behind is freed by its reference counts: nothing of it is cyclic, however it ends (tests/serve/
test_collector.py). Cyclic is what asyncio makes of a TCP connection, some ten objects, and little else. So the collector's
walks hardly ever find anything; but those that the interpreter starts by itself come while questions are answered, and
walk over all that wait: with 2,000 questions a second to an upstream that was silent, 12,000 of them, they took 10 to 100 ms
of CPU, twice a second. Here it walks once a second, if few questions wait, and of all that a long walk has found to live
later ones know nothing (gc.freeze).
"""

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Final

_LOOK_S: Final = 1.0
# Waiting questions that a walk may meet: each is a dozen objects, so many take a millisecond.
_FEW: Final = 100
# Containers made, less those freed, since the last walk: fewer aren't worth one.
_WORTH: Final = 1_000
# So many, and the interpreter walks by itself, whoever waits: garbage of some 20 MB.
_AT_LAST: Final = 200_000
_NEVER: Final = 1 << 30
_LONG_S: Final = 0.002  # of CPU time


class Collector:
    """Of one process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, waiting: Callable[[], int]) -> None:
        """Waiting is how many questions wait for somebody else."""
        self._loop = loop
        self._waiting = waiting

    def begin(self) -> None:
        """From now on walks come when they disturb least."""
        gc.set_threshold(_AT_LAST, _NEVER, _NEVER)
        self._loop.call_later(_LOOK_S, self._again)

    def settle(self) -> None:
        """Much has come that will live long: no walk shall grow with it."""
        if self._waiting() <= _FEW:
            gc.collect()
        gc.freeze()

    def look(self) -> None:
        """Walks, if that is worth it and few wait."""
        if gc.get_count()[0] < _WORTH or self._waiting() > _FEW:
            return
        began = time.thread_time()
        gc.collect()
        if time.thread_time() - began > _LONG_S:
            gc.freeze()

    def _again(self) -> None:
        self.look()
        self._loop.call_later(_LOOK_S, self._again)
