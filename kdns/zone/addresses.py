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

    __slots__ = ("_live", "_segments", "_used")

    def __init__(self) -> None:
        self._segments = [array("Q", bytes(8 * _SMALLEST)) for _ in range(_SEGMENTS)]
        self._used = array("L", bytes(array("L").itemsize * _SEGMENTS))  # words not empty, deleted ones included
        self._live = array("L", bytes(array("L").itemsize * _SEGMENTS))

    def __len__(self) -> int:
        return sum(self._live)

    def add(self, addresses: Iterable[bytes], number: int) -> None:
        """Pairs each of the addresses with the number, once more if it is there."""
        segments, used, live = self._segments, self._used, self._live
        stored = number + _FIRST
        for address in addresses:
            fingerprint = hash(address) & 0xFFFFFFFF
            which = fingerprint >> 24
            segment = segments[which]
            if used[which] * 3 >= len(segment) * 2:
                segment = self._grow(which)
            mask = len(segment) - 1
            slot = fingerprint & mask
            while segment[slot] > _DELETED:
                slot = (slot + 1) & mask
            if segment[slot] == _EMPTY:
                used[which] += 1
            live[which] += 1
            segment[slot] = fingerprint << 32 | stored

    def remove(self, addresses: Iterable[bytes], number: int) -> None:
        """Takes one pair of each address out; nothing happens where there is none."""
        for address in addresses:
            fingerprint = hash(address) & 0xFFFFFFFF
            which = fingerprint >> 24
            segment = self._segments[which]
            mask = len(segment) - 1
            slot = fingerprint & mask
            wanted = fingerprint << 32 | (number + _FIRST)
            while word := segment[slot]:
                if word == wanted:
                    segment[slot] = _DELETED
                    self._live[which] -= 1
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

    def _grow(self, which: int) -> "array[int]":
        """The segment again without its deleted words, at most half full."""
        old = self._segments[which]
        size = _SMALLEST
        while size < self._live[which] * 2 + _SMALLEST:
            size *= 2
        mask = size - 1
        segment = array("Q", bytes(8 * size))
        for word in old:
            if word > _DELETED:
                slot = word >> 32 & mask
                while segment[slot]:
                    slot = (slot + 1) & mask
                segment[slot] = word
        self._segments[which] = segment
        self._used[which] = self._live[which]
        return segment
