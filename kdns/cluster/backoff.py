"""Back-off: how long to wait before the next try, longer with each that came to nothing.

Exponential with jitter, so that clients that lost the same server don't come back together.
Chance is an argument; what counts as coming to nothing is the caller's to say.
"""

from collections.abc import Callable
from typing import Final

_FIRST_S: Final = 0.2
_DOUBLINGS_MAX: Final = 16


class Backoff:
    """Counts tries that came to nothing; random gives numbers from 0 to 1."""

    __slots__ = ("_random", "_tries")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._tries = 0

    def delay_s(self, cap_s: float) -> float:
        """The wait before the next try: half of it certain, half by chance, cap_s at most."""
        whole = min(cap_s, _FIRST_S * (1 << min(self._tries, _DOUBLINGS_MAX)))
        self._tries += 1
        return whole * (0.5 + 0.5 * self._random())

    def spread_s(self, width_s: float) -> float:
        """A moment between now and width_s from now."""
        return width_s * self._random()

    def reset(self) -> None:
        """A try came to something."""
        self._tries = 0

    @property
    def tries(self) -> int:
        """How many have come to nothing since the last that came to something."""
        return self._tries
