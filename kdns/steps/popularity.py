"""Popularity: which names are asked for so often that their replies are worth asking for again in time.

A name is popular once it was asked for so many times, never longer apart than a duration.
What is popular may be remembered by others for a second without being counted; so the time
from which a gap counts is the end of that second.
"""

from typing import Final

from cachetools import LRUCache

from kdns.config.directives.cache import Prefetch

NAMES_MAX: Final = 4096  # counted at a time; those that weren't asked for longest make way
_REMEMBERED_S: Final = 1.0


class Popularity:
    """How often names were asked for that the cache had a reply to."""

    __slots__ = ("_amount", "_duration_s", "_percent", "_seen")

    def __init__(self, settings: Prefetch) -> None:
        self._amount = settings.amount
        self._duration_s = settings.duration_s
        self._percent = settings.percent
        self._seen: LRUCache[bytes, tuple[int, float]] = LRUCache(NAMES_MAX)  # how often, and when last

    def asked(self, key: bytes, now: float) -> bool:
        """Counts a question; whether the name is popular now, and so needs to be seen but once in a second."""
        times, last = self._seen.get(key, (0, now))
        times = 1 if now - last > self._duration_s else times + 1
        popular = times >= self._amount
        self._seen[key] = times, now + _REMEMBERED_S if popular else now
        return popular

    def is_late(self, left_s: int, lifetime_s: int) -> bool:
        """Whether so little is left of a reply's time that it is to be asked for again: a share, rounded up to seconds."""
        return (left_s - 1) * 100 < self._percent * lifetime_s
