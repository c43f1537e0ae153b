"""What the compiler publishes and the index applies: patches and images, and their octets.

A revision is a number that grows by one with each published change; serial is the zone's
SOA serial at that revision (RFC 1982 arithmetic is the reader's). A Patch leads from
revision base to revision; an Image is the whole zone at a revision, sent in parts that
bear no meaning before the last has come. Either may be stale: what leads to it comes, in part
or whole, from a snapshot. The frame around the octets is serve/channel's.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from kdns.zone.entry import Entry, Owner

_HEAD: Final = struct.Struct("!QQQ?I")


class Patch(NamedTuple):
    """Entries put and owners dropped on the way from revision base to revision."""

    base: int
    revision: int
    serial: int
    puts: Mapping[Owner, Entry]
    drops: tuple[Owner, ...] = ()
    stale: bool = False  # the zone at revision


class Image(NamedTuple):
    """Every entry there is at a revision."""

    revision: int
    serial: int
    entries: Mapping[Owner, Entry]
    stale: bool = False


class PatchError(ValueError):
    """Octets that are no patch."""


def encode_entries(entries: Iterable[tuple[Owner, Entry]]) -> bytes:
    """Owners and entries one after the other: u16 length, owner, u32 length, entry."""
    return b"".join(
        struct.pack("!H", len(owner)) + owner + struct.pack("!I", len(entry)) + entry for owner, entry in entries
    )


def decode_entries(octets: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[Owner, Entry]]:
    """What encode_entries wrote between start and end. Raises PatchError."""
    position, end = start, len(octets) if end is None else end
    while position < end:
        owner, position = _take(octets, position, end, "!H", 2)
        entry, position = _take(octets, position, end, "!I", 4)
        yield Owner(owner), Entry(entry)


def encode_patch(patch: Patch) -> bytes:
    """The octets of a patch."""
    drops = b"".join(struct.pack("!H", len(owner)) + owner for owner in patch.drops)
    head = _HEAD.pack(patch.base, patch.revision, patch.serial, patch.stale, len(drops))
    return head + drops + encode_entries(patch.puts.items())


def decode_patch(octets: bytes) -> Patch:
    """The patch that encode_patch wrote. Raises PatchError."""
    try:
        base, revision, serial, stale, length = _HEAD.unpack_from(octets)
    except struct.error as error:
        raise PatchError(f"a patch of {len(octets)} octets, expected at least {_HEAD.size}") from error
    position, end = _HEAD.size, _HEAD.size + length
    if end > len(octets):
        raise PatchError(f"drops end at {end}, the patch at {len(octets)}")
    drops = []
    while position < end:
        owner, position = _take(octets, position, end, "!H", 2)
        drops.append(Owner(owner))
    return Patch(base, revision, serial, dict(decode_entries(octets, end)), tuple(drops), stale)


def _take(octets: bytes, position: int, end: int, form: str, size: int) -> tuple[bytes, int]:
    if position + size > end:
        raise PatchError(f"a length field at {position} reaches past {end}")
    (length,) = struct.unpack_from(form, octets, position)
    position += size
    if position + length > end:
        raise PatchError(f"{length} octets at {position} reach past {end}")
    return octets[position : position + length], position + length
