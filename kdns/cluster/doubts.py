"""Doubts: objects that an audit suspects to be otherwise than they are known, until it is certain what they are.

Each is read again, alone or in a list of all; what comes is right, whatever the audit saw. Counts those that had to be
mended. Remembers also which states of objects were left out whole, finished pods above all, as the store has nothing of
them and an audit would miss them each time.
"""

from collections.abc import Mapping
from typing import Final

from kdns.cluster.audit import Audit
from kdns.cluster.counters import Counters
from kdns.cluster.decode import Head
from kdns.cluster.draft import Known
from kdns.cluster.objects import Key, Stamp

REREADS_MAX: Final = 64  # objects that are read again one by one; of more, the resource is listed anew
_LEFT_OUT_MAX: Final = 50_000  # states, 5 MB; others are read once more by each audit


class Doubts:
    """Those of one resource."""

    __slots__ = ("_counters", "_left_out", "_suspects")

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._suspects: dict[Key, Stamp | None] = {}  # and what is known of them
        self._left_out: set[int] = set()  # hashes of heads: 64 bits are enough

    def note_left_out(self, head: Head) -> None:
        """The object, in this state, is of no use to DNS."""
        if len(self._left_out) < _LEFT_OUT_MAX:
            self._left_out.add(hash(head))

    def left_out(self) -> set[int]:
        """The hashes of all heads that were left out, for an audit to take away those that it sees."""
        return set(self._left_out)

    def take(self, audit: Audit) -> Mapping[Key, Stamp | None]:
        """What an audit came to: its suspects, and no others, are in doubt now."""
        self._counters.audits += 1
        self._left_out -= audit.left_out
        self._suspects = audit.second_look()
        return dict(self._suspects)

    def heard(self, key: Key) -> None:
        """The watch has told of the object after all."""
        self._suspects.pop(key, None)

    def settled(self, key: Key, after: Stamp | None) -> None:
        """The object has been read again; None where it is gone, or of no use."""
        if key not in self._suspects:
            return
        before = self._suspects.pop(key)
        if before != after:
            self._counters.repairs["missing" if before is None else "outdated" if after else "gone"] += 1

    def settle_all(self, after: Known) -> None:
        """All objects have been read again."""
        for key in tuple(self._suspects):
            self.settled(key, after(key))
