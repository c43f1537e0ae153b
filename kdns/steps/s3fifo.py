"""What to keep of more than there is room for: S3-FIFO, bounded in number and in octets.

What is new waits in a small queue, a tenth of the room. Asked for again meanwhile, it moves to
the main queue; if not, it goes, and leaves only a mark, so that it enters the main queue at
once if it comes back soon. What is at the front of the main queue goes round again for as
often as it was asked for, three times at the most. So names asked for once pass through the
small queue and push nothing out that is in use, however many they are.
Source: Yang and others, "FIFO queues are all you need for cache eviction" (SOSP 2023).
"""

from array import array
from collections import deque
from typing import Final, Generic, TypeVar

_SMALL: Final = 10  # the small queue's share is one part in so many
_USES_MAX: Final = 3
_LARGEST: Final = 8  # what takes more than one part in so many of the octets isn't kept
_PLACES: Final = (1 << 14) - 1  # for marks of what went from the small queue, two octets each; the last one's number


class Kept:
    """A value with what S3Fifo has to know of it."""

    __slots__ = ("is_main", "size", "uses")

    def __init__(self, size: int) -> None:
        self.size = size  # octets, with all that it costs
        self.uses = 0  # how often it was asked for since it was last looked at
        self.is_main = False

    def use(self) -> None:
        """Takes note that it was asked for."""
        if self.uses < _USES_MAX:
            self.uses += 1


_T = TypeVar("_T", bound=Kept)


class S3Fifo(Generic[_T]):
    """At most capacity values, and at most limit octets of them."""

    __slots__ = ("_capacity", "_limit", "_main", "_marks", "_small", "_small_octets", "evicted", "items", "octets")

    def __init__(self, capacity: int, limit: int) -> None:
        self._capacity = capacity
        self._limit = limit
        self.items: dict[bytes, _T] = {}  # to look into; whoever finds a value there says so by use
        self.octets = 0
        self.evicted = 0
        # Every key of items is in the one queue that its value names, once.
        self._small: deque[bytes] = deque()
        self._main: deque[bytes] = deque()
        self._small_octets = 0
        self._marks = array("H", bytes(2 * (_PLACES + 1)))

    def put(self, key: bytes, value: _T) -> bool:
        """Keeps the value under its key, in the place of the one that is there; False if it is too large."""
        items, size = self.items, value.size
        if size * _LARGEST > self._limit:
            return False
        old = items.get(key)
        if old is not None:
            value.is_main, value.uses = old.is_main, old.uses
            self.octets -= old.size
            if not old.is_main:
                self._small_octets -= old.size
        elif self._marks[hash(key) & _PLACES] and self._take_mark(key):
            value.is_main = True
            self._main.append(key)
        else:
            self._small.append(key)
        items[key] = value
        self.octets += size
        if not value.is_main:
            self._small_octets += size
        while len(items) > self._capacity or self.octets > self._limit:
            self._evict()
        return True

    def _evict(self) -> None:
        """Brings one value closer to its end: the first of the queue that has more than its share."""
        small = self._small
        if not self._main or len(small) * _SMALL > self._capacity or self._small_octets * _SMALL > self._limit:
            self._leave_small(small.popleft())
        else:
            self._leave_main(self._main.popleft())

    def _leave_small(self, key: bytes) -> None:
        value = self.items[key]
        self._small_octets -= value.size
        if value.uses:
            value.is_main, value.uses = True, 0
            self._main.append(key)
        else:
            sight = hash(key)
            self._marks[sight & _PLACES] = sight >> 14 & 0xFFFF | 1
            self.octets -= value.size
            del self.items[key]
            self.evicted += 1

    def _leave_main(self, key: bytes) -> None:
        value = self.items[key]
        if value.uses:
            value.uses -= 1
            self._main.append(key)
        else:
            self.octets -= value.size
            del self.items[key]
            self.evicted += 1

    def _take_mark(self, key: bytes) -> bool:
        """Whether the key went from the small queue not too long ago; its mark is gone then.

        Place and mark are 30 bits of the key's hash, which differs from process to process.
        """
        sight = hash(key)
        place = sight & _PLACES
        if self._marks[place] != sight >> 14 & 0xFFFF | 1:
            return False
        self._marks[place] = 0
        return True
