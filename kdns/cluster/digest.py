"""Digests: one number for all objects of a resource, the same in every replica that has the same objects (K52).

The sum of a checksum of each object, so that a change costs the same however many there are, and the way that led there
doesn't matter. 52 bits: what a float holds exactly, and so a metric. CRC-32, as it tells replicas apart that differ by
accident, not by somebody's design; it takes a third of the time of a cryptographic hash.
"""

from typing import Final
from zlib import crc32

_MASK: Final = (1 << 52) - 1
_SPREAD: Final = 0x9E3779B97F4A7  # odd; else the sum of a few checksums would be a small number


class Digest:
    """Of one resource."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0  # of nothing

    def add(self, namespace: str, name: str, row: bytes) -> None:
        """An object has come; row is all of it but its key."""
        self.value = (self.value + _checksum(namespace, name, row)) & _MASK

    def remove(self, namespace: str, name: str, row: bytes) -> None:
        """An object has gone that was added so."""
        self.value = (self.value - _checksum(namespace, name, row)) & _MASK


def _checksum(namespace: str, name: str, row: bytes) -> int:
    return crc32(row, crc32(f"{namespace}/{name}".encode())) * _SPREAD
