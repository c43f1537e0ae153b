"""The intake: objects as they come in lists, events and rereads, read; and what couldn't be read of them, told, counted and wanted again.

It also recognizes objects that are another cluster's (K26). Knows nothing of where in a list or watch they came, nor what
becomes of them.
"""

from collections.abc import Callable, Sequence
from typing import Final

from kdns.cluster.counters import Counters
from kdns.cluster.decode import DecodeOptions
from kdns.cluster.doubts import Doubts
from kdns.cluster.draft import Item, Known, read
from kdns.cluster.history import is_of_another_cluster
from kdns.cluster.objects import Problem, Resource
from kdns.cluster.rereads import Rereads
from kdns.cluster.shapes import Octets


class Intake:
    """Of one resource."""

    __slots__ = ("_counters", "_doubts", "_known", "_options", "_report", "_rereads", "_resource", "moves", "trusts")

    def __init__(
        self,
        resource: Resource,
        options: DecodeOptions,
        known: Known,
        report: Callable[[Problem], None],
        notes: tuple[Counters, Doubts, Rereads],
    ) -> None:
        """Takes known: which state of an object was last emitted; and report: is told what is left out of objects."""
        self.moves = 0  # how often another cluster was found to answer
        self.trusts = True  # whether what is known is this cluster's, as far as is known
        self._resource: Final[Resource] = resource
        self._options = options
        self._known = known
        self._report = report
        self._counters, self._doubts, self._rereads = notes

    def read(self, raw: Octets) -> Item:
        """An object as far as it can be read, of which nothing is noted yet."""
        return read(self._resource, raw, self._options)

    def count(self, made: Item | None, now: float) -> None:
        """Notes what couldn't be read of an object, and has it read again where that was all of it."""
        if made is None:
            return
        self.note(made)
        if not made.decoded:
            self._counters.undecodable += 1
            if made.head:
                self._rereads.want(made.head.key, now)

    def note(self, made: Item) -> None:
        """Notes what was left out of an object."""
        self.recognize(made)
        if made.head and made.decoded and made.object is None:
            self._doubts.note_left_out(made.head)
        self.complain(made.problems)

    def complain(self, problems: Sequence[Problem]) -> None:
        """Counts problems, and tells of them."""
        self._counters.count(problems)
        for problem in problems:
            self._report(problem)

    def recognize(self, made: Item) -> None:
        """Counts a move where the object is another cluster's."""
        if self.trusts and made.head and is_of_another_cluster(self._resource, made.head, self._known(made.head.key)):
            self.moves += 1
