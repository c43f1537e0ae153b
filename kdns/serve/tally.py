"""The tally: how many replies of which kind a door has given, and what it has left without one.

Cells are lists of numbers, one for each door, which the hot path adds to without looking anything up: a remembered reply
carries its cell. So whatever is to be told apart of replies is a part of their kind, and has to be the same each time
that a reply is given.
"""

from typing import Final, TypeAlias

from kdns.dns import types
from kdns.serve.audiences import Audiences
from kdns.serve.memo import Memo
from kdns.serve.sizes import bucket_of, told

# Type, rcode, who answered, whether without any answer, zone and view of the server block, the sizes that are told of
# question and reply (0 for none), and whether DNSSEC records were asked for.
Kind: TypeAlias = tuple[int, int, str, bool, tuple[str, str], int, int, bool]
# Kinds with sizes as they are told; past that, with the bounds of their buckets, so that no client can make many more.
_FINE: Final = 4096


class Shared:
    """What so many doors have in common: a memo of replies that are the same at each, to each audience where there are several.

    And the cells that count them.
    """

    __slots__ = ("audiences", "cells", "doors", "memo")

    def __init__(self, memo: Memo, doors: int = 1, audiences: Audiences | None = None) -> None:
        self.memo = memo
        self.doors = doors
        self.audiences = audiences
        self.cells: dict[Kind, list[int]] = {}  # replies at each door


class Tally:
    """What a door has seen, counted in cells that the hot path adds to without looking anything up."""

    __slots__ = ("_doors", "_place", "cells", "dropped", "made", "panics")

    def __init__(self, shared: Shared, place: int) -> None:
        self.cells = shared.cells
        self._doors = shared.doors
        self._place = place
        self.dropped: dict[str, int] = {}  # why -> datagrams without a reply
        self.made = 0  # replies that weren't remembered ones
        self.panics = 0

    @property
    def recalled(self) -> int:
        """How many replies were remembered ones."""
        return sum(self.given.values()) - self.made

    @property
    def given(self) -> dict[Kind, int]:
        """Replies by kind; none that were never given."""
        return {kind: cell[self._place] for kind, cell in self.cells.items() if cell[self._place]}

    def count(
        self,
        qtype: int,
        rcode: int,
        by: str,
        where: tuple[str, str],
        asked: int,
        given: int,
        *,
        empty: bool = True,
        do: bool = False,
    ) -> list[int]:
        """Counts a reply that was made; the cell of its kind, for when it is given again.

        Takes the octets of question and reply, for the latter 0 where they aren't known.
        """
        self.made += 1
        key = (qtype if qtype in types.TYPE_NAMES else 0, rcode, by, empty, where, told(asked), told(given), do)
        cell = self.cells.get(key)
        if cell is None:
            if len(self.cells) >= _FINE:
                key = (*key[:5], bucket_of(asked), bucket_of(given), do)
            cell = self.cells.setdefault(key, [0] * self._doors)
        cell[self._place] += 1
        return cell

    def drop(self, why: str) -> None:
        """Counts a datagram that gets no reply."""
        self.dropped[why] = self.dropped.get(why, 0) + 1
