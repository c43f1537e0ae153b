"""How long the questions of a door took, from reading one to having sent its reply: histograms by server block.

To look at the clock for each would cost more than many an answer. So a whole batch is timed, by whoever reads it, and
each question that was answered at once counts with the time of its batch: none took longer. What had to be waited for is timed
by itself. Which block's questions were in a batch isn't known; how many each block has answered is. So when somebody
looks, what batches took since the last look is shared out by these numbers: for a door with one block that is exact.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Final, TypeAlias

from kdns.ops.cells import BUCKETS, Cells

Where: TypeAlias = tuple[str, str]  # zone and view of a server block

_NOTED: Final = 4096  # at the most before they are sorted: to note a number costs less


class Timing:
    """A door's."""

    __slots__ = ("_blocks", "_dealt", "_late", "_noted", "_seconds", "_within", "began")

    def __init__(self) -> None:
        self.began = 0.0  # when what is being answered was read, by the loop's clock; for whoever reads to set
        # Of what was answered at once and hasn't been shared out: how many by bucket, and the sum.
        self._within = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._noted: dict[Where, list[float]] = {}  # seconds of what was waited for, not sorted yet
        self._late: dict[Where, int] = {}  # how many of those there were
        self._blocks: dict[Where, Cells] = {}  # all that is told
        self._dealt: dict[Where, int] = {}  # how many of those were answered at once

    def answered(self, questions: int, now: float) -> None:
        """So many that were read when it began have been answered by now."""
        took = now - self.began
        self._within[bisect_left(BUCKETS, took)] += questions
        self._seconds += took * questions

    def waited(self, where: Where, seconds: float) -> None:
        """A reply that had to be waited for was sent so long after its question was read."""
        noted = self._noted.get(where)
        if noted is None:
            noted = self._noted[where] = []
        noted.append(seconds)
        if len(noted) >= _NOTED:
            self._sort(where, noted)

    def by_block(self, given: Mapping[Where, int]) -> Mapping[Where, Cells]:
        """The histograms of all so far, each of which only grows; takes how many replies each block has given."""
        for where, noted in self._noted.items():
            self._sort(where, noted)
        whole = sum(self._within)
        if whole:
            for where, number in given.items():
                self._deal(where, number - self._late.get(where, 0) - self._dealt.get(where, 0), whole)
            self._within, self._seconds = [0] * len(self._within), 0.0
        return self._blocks

    def _deal(self, where: Where, number: int, whole: int) -> None:
        """Adds so many of the whole to a block's, in buckets as all of them are."""
        if number <= 0:
            return
        cells = self._blocks.setdefault(where, Cells())
        before = dealt = 0
        for bucket, count in enumerate(self._within):
            before += count
            share = number * before // whole - dealt
            cells.counts[bucket] += share
            dealt += share
        cells.sum += self._seconds * number / whole
        self._dealt[where] = self._dealt.get(where, 0) + number

    def _sort(self, where: Where, noted: list[float]) -> None:
        self._blocks.setdefault(where, Cells()).add(noted)
        self._late[where] = self._late.get(where, 0) + len(noted)
        noted.clear()
