"""Cells of a histogram: how many values were in each bucket, their number and their sum; and the series that tell them.

Bounds are upper ones, themselves within. What is counted, and where, is the business of whoever has the cells.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

# Seconds: a quarter of a millisecond to 8 s, as CoreDNS has them.
BUCKETS: Final = tuple(0.00025 * 2**number for number in range(16))


class Cells:
    """A histogram."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float] = BUCKETS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last one is for what exceeds all bounds
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    def add(self, values: Sequence[float]) -> None:
        """Counts each of the values."""
        bounds, counts = self.bounds, self.counts
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        self.sum += sum(values)

    def put(self, value: float, times: int = 1) -> None:
        """Counts a value so many times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def series(self, name: str, labels: tuple[str, ...]) -> Iterator[tuple[tuple[str, tuple[str, ...]], float]]:
        """The family's series with these labels: buckets, each with all below it, then sum and count."""
        for bound, within in zip((*map(_text, self.bounds), "+Inf"), accumulate(self.counts), strict=True):
            yield (f"{name}_bucket", (*labels, bound)), within
        yield (f"{name}_sum", labels), self.sum
        yield (f"{name}_count", labels), self.count


def _text(bound: float) -> str:
    """A bound as Prometheus' own libraries write it, so that it is the same series as theirs: 0.5, 100, 16000."""
    return repr(int(bound)) if bound == int(bound) else repr(bound)
