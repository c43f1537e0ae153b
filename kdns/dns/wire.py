"""The octets of a message: where its names, records and options begin and end (parser rules P1 to P5 and P8).

Whoever reads a message steps over it with these functions: every read is bounded by the
message, a pointer leads only to earlier octets behind the header, and nothing recurses or
allocates by a count that the message claims. Meaning is the reader's: query knows what a
query may hold, foreign what a reply may. Nothing but WireError comes out.
Standards: RFC 1035 sections 4.1.1, 4.1.3 and 4.1.4, RFC 9267.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from kdns.dns.names import LABEL_LIMIT, NAME_LIMIT, Name

HEADER_SIZE: Final = 12
POINTER: Final = 0xC0  # the two upper bits of a compression pointer, and of its 16 bits
POINTER_LIMIT: Final = 0x4000  # the offsets below it can be pointed at

# A name has at most 127 labels, and a pointer that leads to a label saves at least one; pointers
# to pointers save nothing, so a reader that meets many of them is being led around.
_HOPS: Final = 32

_RECORD: Final = struct.Struct("!HHIH")
_OPTION: Final = struct.Struct("!HH").unpack_from


class WireError(ValueError):
    """Octets that are no DNS message."""


class Record(NamedTuple):
    """Where a record lies in its message; nothing of it is decoded but its fixed fields."""

    start: int
    rtype: int
    rclass: int
    ttl: int
    data: int  # where its data starts
    end: int


def option(options: bytes, code: int) -> bytes | None:
    """The data of the first EDNS option of that code among options that fill their record exactly; None without one."""
    position = 0
    while position < len(options):
        found, length = _OPTION(options, position)
        position += 4
        if found == code:
            return options[position : position + length]
        position += length
    return None


def end_of_plain_name(octets: bytes, position: int) -> int:
    """The offset behind the uncompressed name at position. Raises WireError, at a pointer too."""
    end = position
    try:
        while length := octets[end]:
            if length > LABEL_LIMIT:
                raise WireError(f"label type {length:#04x} at {end}, expected a length up to {LABEL_LIMIT}")
            end += length + 1
    except IndexError:
        raise WireError("a name has no end") from None
    end += 1
    if end - position > NAME_LIMIT:
        raise WireError(f"a name of {end - position} octets, expected at most {NAME_LIMIT}")
    return end


def end_of_name(octets: bytes, position: int) -> int:
    """The offset behind the name at position, compressed or not; what a pointer leads to isn't read as a name.

    The work is that of the name's own octets. Raises WireError.
    """
    end = position
    try:
        while length := octets[end]:
            if length >= POINTER:
                _check_pointer(octets, position, end)
                return end + 2
            if length > LABEL_LIMIT:
                raise WireError(f"label type {length:#04x} at {end}")
            end += length + 1
            if end - position >= NAME_LIMIT:
                raise WireError(f"a name of more than {NAME_LIMIT} octets")
    except IndexError:
        raise WireError("a name has no end") from None
    return end + 1


def _check_pointer(octets: bytes, earliest: int, position: int) -> None:
    """Raise WireError unless the pointer leads, by pointers each to earlier octets, to a label; IndexError past the end."""
    for _ in range(_HOPS):
        target = (octets[position] << 8 | octets[position + 1]) & (POINTER_LIMIT - 1)
        if not HEADER_SIZE <= target < earliest:
            raise WireError(f"a pointer at {position} to {target}, expected {HEADER_SIZE} to {earliest - 1}")
        if octets[target] < POINTER:
            return
        earliest = position = target
    raise WireError(f"more than {_HOPS} pointers in a name")


def read_name(octets: bytes, position: int) -> tuple[Name, int]:
    """The name at position, uncompressed, and the offset behind it (P2). Raises WireError."""
    labels: list[bytes] = []
    size, hops, earliest, end = 1, 0, position, 0
    try:
        while length := octets[position]:
            if length <= LABEL_LIMIT:
                size += length + 1
                if size > NAME_LIMIT:
                    raise WireError(f"a name of more than {NAME_LIMIT} octets")
                labels.append(octets[position : position + length + 1])
                position += length + 1
                continue
            if length < POINTER:
                raise WireError(f"label type {length:#04x} at {position}")
            target = (length << 8 | octets[position + 1]) & (POINTER_LIMIT - 1)
            hops += 1
            if hops > _HOPS or not HEADER_SIZE <= target < earliest:
                raise WireError(f"pointer {hops} of a name, at {position}, leads to {target}")
            end = end or position + 2
            earliest = position = target
    except IndexError:
        raise WireError("a name has no end") from None
    return Name(b"".join(labels) + b"\0"), end or position + 1


def record_at(octets: bytes, position: int) -> Record:
    """The record at position. Raises WireError where it isn't whole (P3, P4)."""
    data = end_of_name(octets, position) + 10
    if data > len(octets):
        raise WireError(f"a record at {position} has no end")
    rtype, rclass, ttl, length = _RECORD.unpack_from(octets, data - 10)
    end = data + length
    if end > len(octets):
        raise WireError(f"a record at {position} ends at {end}, the message at {len(octets)}")
    return Record(position, rtype, rclass, ttl, data, end)


def records_at(octets: bytes, position: int, count: int) -> Iterator[Record]:
    """The records from position on, count of them. Raises WireError at the first that isn't whole."""
    for _ in range(count):
        record = record_at(octets, position)
        yield record
        position = record.end
