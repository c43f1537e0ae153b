"""A reply to a question for one name as the reply to another name's, which a CNAME leads on from.

Octets in, octets out: the CNAME is put in front of the records, which move, so each compression pointer is moved with what
it leads to. Where names stand in record data is known of all types whose data may be compressed, but for NAPTR. Of other
data nothing is read.
Standards: RFC 1034 section 3.6.2, RFC 1035 section 4.1.4, RFC 3597 section 4, RFC 2308 section 2.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from kdns.dns import foreign, types
from kdns.dns.names import Name
from kdns.dns.query import Query
from kdns.dns.reply import Rotation
from kdns.dns.wire import HEADER_SIZE, POINTER, POINTER_LIMIT, Record, WireError, end_of_name, records_at

_COUNTS: Final = struct.Struct("!4H").pack
_QUESTION: Final = struct.Struct("!HH").pack
_CNAME: Final = struct.Struct("!HHHIH").pack  # a pointer to the question's name, type, class, TTL, size of the data
_OF_QUESTION: Final = POINTER << 8 | HEADER_SIZE
_CNAME_SIZE: Final = 12  # of the record, up to its data
_QUESTION_REST: Final = 4  # type and class
_TTL_LIMIT: Final = 1 << 31  # from here on it means 0 (RFC 2181 section 8)
_NAPTR: Final = 35

# Octets in front of the names in record data, and how many names there are (RFC 3597 section 4, RFC 2782).
_NAMES: Final[dict[int, tuple[int, int]]] = {
    **dict.fromkeys((types.NS, 3, 4, types.CNAME, 7, 8, 9, types.PTR, types.DNAME), (0, 1)),
    **dict.fromkeys((types.MX, 18, 21, 36), (2, 1)),  # with AFSDB, RT and KX
    **dict.fromkeys((types.SOA, 14, 17), (0, 2)),  # with MINFO and RP
    types.SRV: (6, 1),
}


class Led(NamedTuple):
    """The octets of a reply without additional records, and where its addresses lie, if they may change places."""

    octets: bytes
    rotation: Rotation | None


def lead(query: Query, target: Name, received: bytes, rotation: Rotation | None, ttl_max: int) -> Led:
    """The reply to query made of one to the same question for target: a CNAME to it, then its answers and authority.

    The CNAME's TTL is that of the first record, at most ttl_max. Nothing of it is authentic. Of a truncated reply the
    question is left, truncated. Raises WireError for a reply that can't be moved so.
    """
    qname, behind = query.qname, HEADER_SIZE + len(target) + _QUESTION_REST
    flags = bytes((received[2], received[3] & ~types.AD & 0xFF))
    question = qname + _QUESTION(query.qtype, query.qclass)
    if foreign.truncated(received):
        return Led(b"".join((received[:2], flags, _COUNTS(1, 0, 0, 0), question)), None)
    answers, authority = int.from_bytes(received[6:8]), int.from_bytes(received[8:10])
    shift = len(qname) + _CNAME_SIZE
    moved = bytearray(received)
    end, ttl = behind, ttl_max
    for number, record in enumerate(records_at(received, behind, answers + authority)):
        if not number:
            ttl = min(ttl, record.ttl if record.ttl < _TTL_LIMIT else 0)
        for start in _names_of(received, record):
            _move(received, moved, start, behind - _QUESTION_REST, shift)
        end = record.end
    cname = _CNAME(_OF_QUESTION, types.CNAME, query.qclass, ttl, len(target)) + target
    counts = _COUNTS(1, answers + 1, authority, 0)
    octets = b"".join((received[:2], flags, counts, question, cname, moved[behind:end]))
    return Led(octets, rotation.behind(-shift) if rotation is not None else None)


def _names_of(received: bytes, record: Record) -> Iterator[int]:
    """Where the names of a record start: its owner, and those in its data. Raises WireError."""
    yield record.start
    if record.rtype == _NAPTR:
        raise WireError("the names in NAPTR records aren't looked for")
    skipped, count = _NAMES.get(record.rtype, (0, 0))
    position = record.data + skipped
    for _ in range(count):
        yield position
        position = end_of_name(received, position)
        if position > record.end:
            raise WireError(f"a name ends at {position}, its record at {record.end}")


def _move(received: bytes, moved: bytearray, position: int, question: int, shift: int) -> None:
    """Has the pointer that ends a name, if one does, lead to where that stands now; the question's name ends at question."""
    while length := received[position]:
        if length >= POINTER:
            led_to = (length << 8 | received[position + 1]) & (POINTER_LIMIT - 1)
            led_to += shift + _QUESTION_REST if led_to < question else shift
            if led_to >= POINTER_LIMIT:
                raise WireError(f"a pointer to {led_to}, expected less than {POINTER_LIMIT}")
            moved[position : position + 2] = (POINTER << 8 | led_to).to_bytes(2)
            return
        position += length + 1
