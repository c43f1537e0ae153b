"""An event loop whose clock stands still while anything happens, and jumps to the next timer when nothing does.

Sockets are real: what is ready on one always comes before a jump. Data on loopback isn't there the
instant it was sent, so before jumping the loop looks at its sockets once more for GRACE_S of real
time; everything that talks must live in this loop, or answer within the grace. A loop that waits
without a timer for something that never comes ends with AssertionError after STUCK_S real seconds.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

GRACE_S: Final = 0.003
STUCK_S: Final = 10.0

_T = TypeVar("_T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """time() begins at 0 and moves only by jumps, so that a test can say exactly when what happened."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        """Moves the clock on."""
        self._now += seconds


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, makes time pass."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        ready = super().select(STUCK_S if timeout is None else GRACE_S)
        if not ready:
            assert timeout is not None, f"nothing came in {STUCK_S} s, and no timer is set"
            self._loop.jump(timeout)
        return ready


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """What the coroutine returns, run to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
