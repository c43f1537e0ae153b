"""Sizes of messages as they are told: octets in CoreDNS' buckets, and so few of them that a cell may be kept for each.

A remembered reply and its question have a size each, which never changes; so has the cell that counts it, and nothing is
added per reply. Cells for every single size would be many. So a size is told as a multiple of 16 near it, above 1,023 of
512, in the bucket in which it is: counts in buckets are exact, sums off by 8 octets a message at most, or by 256.
"""

from bisect import bisect_left
from typing import Final

# Octets, as CoreDNS has them.
BUCKETS: Final = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000)
_LARGEST: Final = 65_535
_COARSE: Final = 1024  # from here on steps are larger


def told(size: int) -> int:
    """How a size, in octets, is told."""
    return _SMALL[size] if size < _COARSE else _told(size)


def bucket_of(size: int) -> int:
    """The bound of a size's bucket; of what exceeds all of them, the largest size there is."""
    return (*BUCKETS, _LARGEST)[bisect_left(BUCKETS, size)]


def _told(size: int) -> int:
    step = 16 if size < _COARSE else 512
    bucket = bisect_left(BUCKETS, size)
    smallest = BUCKETS[bucket - 1] + 1 if bucket else 0
    largest = BUCKETS[bucket] if bucket < len(BUCKETS) else _LARGEST
    return min(max((size + step // 2) // step * step, smallest), largest)


_SMALL: Final = tuple(map(_told, range(_COARSE)))
