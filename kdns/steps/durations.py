"""How long an upstream's replies took, by rcode: cells of a histogram.

To sort a number into its cell costs more than to note it. So those of the most common rcode are noted, and sorted
when somebody looks, or when there are many.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from kdns.dns import types

# Upper bounds in seconds: a quarter of a millisecond to 8 s, as CoreDNS has them.
BUCKETS: Final = tuple(0.00025 * 2**number for number in range(16))

_NOTED: Final = 4096  # at the most before they are sorted


class Cells:
    """A histogram: how many were in each bucket, and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)  # the last one is for what exceeds all bounds
        self.sum = 0.0

    def add(self, seconds: Sequence[float]) -> None:
        counts = self.counts
        for each in seconds:
            counts[bisect_left(BUCKETS, each)] += 1
        self.sum += sum(seconds)

    def cumulative(self) -> Iterator[tuple[str, int]]:
        """Each bound as text with how many didn't exceed it, +Inf last."""
        return zip((*map(repr, BUCKETS), "+Inf"), accumulate(self.counts), strict=True)


class Durations:
    """An upstream's."""

    __slots__ = ("_cells", "fresh")

    def __init__(self) -> None:
        self.fresh: list[float] = []  # seconds of NOERROR replies, not sorted yet
        self._cells: dict[int, Cells] = {}

    def note(self, rcode: int, seconds: float) -> None:
        """Adds a reply's."""
        self._cells.setdefault(rcode, Cells()).add((seconds,))

    def settle(self) -> None:
        """Sorts what was noted, if it is much; to be called now and then."""
        if len(self.fresh) >= _NOTED:
            self._sort()

    def by_rcode(self) -> dict[int, Cells]:
        """All so far."""
        self._sort()
        return self._cells

    def _sort(self) -> None:
        if self.fresh:
            self._cells.setdefault(types.NOERROR, Cells()).add(self.fresh)
            self.fresh.clear()
