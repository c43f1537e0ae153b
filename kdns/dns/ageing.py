"""TTLs of a message that has been on its way for a while: lowered, in place; nothing else of it changes.

Standards: RFC 1035 section 3.2.1, RFC 2181 section 8, RFC 8484 section 5.1 (the age of a reply over HTTP).
"""

import struct
from typing import Final

from kdns.dns import types
from kdns.dns.wire import HEADER_SIZE, WireError, end_of_plain_name, records_at

_COUNTS: Final = struct.Struct("!4H")
_TTL: Final = struct.Struct("!I")
_TTL_BEFORE_DATA: Final = 6  # octets from a record's TTL to its data
_TTL_MAX: Final = 2**31 - 1


def aged(octets: bytes, seconds: int, most: int | None = None) -> bytes:
    """The message with each TTL so many seconds lower, down to 0, and none above most. Raises WireError.

    A TTL whose highest bit is set stays as it is: it means 0. The OPT record has none.
    """
    if len(octets) < HEADER_SIZE:
        raise WireError(f"a message of {len(octets)} octets, expected at least {HEADER_SIZE}")
    questions, *counts = _COUNTS.unpack_from(octets, 4)
    position = HEADER_SIZE
    for _ in range(questions):
        position = end_of_plain_name(octets, position) + 4
    lowered = bytearray(octets)
    limit = _TTL_MAX if most is None else most
    for record in records_at(octets, position, sum(counts)):
        if record.rtype != types.OPT and record.ttl <= _TTL_MAX:
            _TTL.pack_into(lowered, record.data - _TTL_BEFORE_DATA, min(max(record.ttl - seconds, 0), limit))
    return bytes(lowered)
