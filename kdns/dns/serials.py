"""Serials of zones: which of two is newer, and which one a question for what has changed names.

Standards: RFC 1982 section 3.2, RFC 1995 section 3.
"""

import struct
from typing import Final

from kdns.dns import types
from kdns.dns.wire import HEADER_SIZE, WireError, end_of_plain_name, records_at

_COUNTS: Final = struct.Struct(
    "!H2xHH"
)  # behind the id and the flags: questions, authority records and additional ones
_NUMBERS: Final = struct.Struct("!IIIII")  # that end a SOA's data, the serial first
_HALF: Final = 1 << 31


def is_newer(one: int, other: int) -> bool:
    """Whether one is a later serial than other; of two that are half the numbers apart neither is."""
    return 0 < (one - other & 0xFFFFFFFF) < _HALF


def serial_of(octets: bytes) -> int | None:
    """The serial in the SOA that is the one authority record of a question for IXFR; None where there is no such record.

    octets are those of a message that query.parse made a Query of.
    """
    _, authority, _ = _COUNTS.unpack_from(octets, 4)
    if authority != 1:
        return None
    try:
        start = end_of_plain_name(octets, HEADER_SIZE) + 4
        record = next(records_at(octets, start, 1))
    except WireError:
        return None
    if record.rtype != types.SOA or record.end - record.data < _NUMBERS.size:
        return None
    serial, *_ = _NUMBERS.unpack_from(octets, record.end - _NUMBERS.size)
    return int(serial)
