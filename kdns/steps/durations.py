"""How long an upstream's replies took, by rcode: cells of a histogram.

To sort a number into its cell costs more than to note it. So those of the most common rcode are noted, and sorted
when somebody looks, or when there are many.
"""

from typing import Final

from kdns.dns import types
from kdns.ops.cells import Cells

_NOTED: Final = 4096  # at the most before they are sorted


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
