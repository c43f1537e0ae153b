"""Which owners have an address: a multimap in two machine words per address, without objects.

150,000 endpoint addresses in a dictionary cost 20 MiB and a walk of the garbage collector;
here each is one 64-bit word, a 32-bit fingerprint of the address and a 32-bit number of the
owner, in open addressing with linear probing. Fingerprints can coincide, so what find
returns are candidates: the caller looks into the entry. The table is cut into 256 segments
that grow each on its own: growing never stops the process for more than a fraction of a
millisecond. Python's hash of octets is keyed per process, so nobody can choose collisions.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

_SEGMENTS: Final = 256
_SMALLEST: Final = 8  # words of an empty segment
_EMPTY: Final = 0
_DELETED: Final = 1
_FIRST: Final = 2  # numbers are stored from here on, so that no word of an owner is one of the above


class AddressTable:
    """A multiset of (address, number) pairs; number is from 0 to 2**32 - 3."""

    __slots__ = ("_room", "_segments")

    def __init__(self) -> None:
        self._segments = [array("Q", bytes(8 * _SMALLEST)) for _ in range(_SEGMENTS)]
        self._room = [_room(_SMALLEST)] * _SEGMENTS  # words that a segment takes until it grows

    def __len__(self) -> int:
        return sum(word > _DELETED for segment in self._segments for word in segment)

    def add(self, addresses: Iterable[bytes], number: int) -> None:
        """Pairs each of the addresses with the number, once more if it is there."""
        segments, room = self._segments, self._room
        stored = number + _FIRST
        for address in addresses:
            fingerprint = hash(address) & 0xFFFFFFFF
            which = fingerprint >> 24
            if not room[which]:
                self._grow(which)
            segment = segments[which]
            mask = len(segment) - 1
            slot = fingerprint & mask
            while segment[slot]:
                slot = (slot + 1) & mask
            room[which] -= 1
            segment[slot] = fingerprint << 32 | stored

    def remove(self, addresses: Iterable[bytes], number: int) -> None:
        """Takes one pair of each address out; nothing happens where there is none."""
        for address in addresses:
            fingerprint = hash(address) & 0xFFFFFFFF
            segment = self._segments[fingerprint >> 24]
            mask = len(segment) - 1
            slot = fingerprint & mask
            wanted = fingerprint << 32 | (number + _FIRST)
            while word := segment[slot]:
                if word == wanted:
                    segment[slot] = _DELETED  # a word that nothing is put in; growing takes it out
                    break
                slot = (slot + 1) & mask

    def find(self, address: bytes) -> Iterator[int]:
        """The numbers paired with the address, and perhaps, rarely, with another of the same fingerprint."""
        fingerprint = hash(address) & 0xFFFFFFFF
        segment = self._segments[fingerprint >> 24]
        mask = len(segment) - 1
        slot = fingerprint & mask
        while word := segment[slot]:
            if word >> 32 == fingerprint and word > _DELETED:
                yield (word & 0xFFFFFFFF) - _FIRST
            slot = (slot + 1) & mask

    def _grow(self, which: int) -> None:
        """Makes the segment again without its deleted words, at most half full."""
        words = [word for word in self._segments[which] if word > _DELETED]
        size = _SMALLEST
        while size < len(words) * 2 + _SMALLEST:
            size *= 2
        mask = size - 1
        segment = array("Q", bytes(8 * size))
        for word in words:
            slot = word >> 32 & mask
            while segment[slot]:
                slot = (slot + 1) & mask
            segment[slot] = word
        self._segments[which] = segment
        self._room[which] = _room(size) - len(words)


def _room(words: int) -> int:
    """How many of a segment's words may be used: two thirds, so that a search is short, and always ends."""
    return words * 2 // 3
