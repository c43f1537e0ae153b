"""Translation: IPv6 addresses that stand for IPv4 ones, and replies to A questions as ones to AAAA questions.

What is said here is how octets and records become others; when they may, dns64 decides.
Standards: RFC 6052 section 2.2 (addresses, whose bits 64 to 71 are zero), RFC 6147 section 5.1.7 (TTLs) and 5.3 (records of
other types stay as they are), RFC 2308.
"""

import struct
from typing import Final, NamedTuple

from kdns.dns import foreign, types
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.dns.reply import Rotation
from kdns.dns.wire import HEADER_SIZE, POINTER, POINTER_LIMIT, Record, records_at

TTL_MAX: Final = 600  # seconds, where no SOA says how long the name has no IPv6 address (RFC 6147 section 5.1.7)

_COUNTS: Final = struct.Struct("!3H")
_FIXED: Final = struct.Struct("!HHIH").pack
_QUESTION: Final = struct.Struct("!HH").pack
_RESERVED: Final = 8  # the octet that has to be zero
_TTL_LIMIT: Final = 1 << 31  # from here on it means 0 (RFC 2181 section 8)
_FIXED_SIZE: Final = 10  # octets between a record's owner and its data


class Prefix:
    """Where in IPv6 the IPv4 addresses lie."""

    __slots__ = ("_cut", "_head")

    def __init__(self, network: bytes, bits: int) -> None:
        """Of 16 octets, of which so many bits count: 32, 40, 48, 56, 64, 72, 80, 88 or 96."""
        self._head = network[: bits // 8]
        self._cut = _RESERVED - bits // 8  # octets of the address in front of the reserved one, where there are any

    def of(self, address: bytes) -> bytes:
        """The 16 octets that stand for four."""
        head, cut = self._head, self._cut
        if len(head) > _RESERVED:
            return (head + address).ljust(16, b"\0")
        return (head + address[:cut] + b"\0" + address[cut:]).ljust(16, b"\0")


class Translated(NamedTuple):
    """The octets of a reply, and where its addresses lie, if they may change places."""

    octets: bytes
    rotation: Rotation | None


def translate_sets(answer: Answer, prefix: Prefix, ttl_max: int) -> Answer:
    """An answer to an A question as one to an AAAA question; no address is given for longer than ttl_max seconds.

    It isn't authoritative: no zone has what is made up.
    """
    sets = tuple(_translate_set(records, prefix, ttl_max) for records in answer.answers)
    return answer._replace(answers=sets, authoritative=False)


def _translate_set(records: RecordSet, prefix: Prefix, ttl_max: int) -> RecordSet:
    if records.rtype != types.A:
        return records
    rdatas = tuple(prefix.of(address) for address in records.rdatas)
    return records._replace(rtype=types.AAAA, ttl=min(records.ttl, ttl_max), rdatas=rdatas)


def translate_reply(query: Query, received: bytes, prefix: Prefix, ttl_max: int) -> Translated | None:
    """A reply to the A question for the query's name as one to the query, cut behind its answers.

    None for one that isn't of the common form, CNAMEs and then the addresses of one name; and for one without
    addresses. What stands before the addresses doesn't move, so its pointers stay true. Of a truncated one that isn't of
    that form the question alone is left: its client asks again by TCP. Raises WireError.
    """
    end = HEADER_SIZE + len(query.qname) + 4
    answers = list(records_at(received, end, int.from_bytes(received[6:8], "big")))
    first = next((number for number, record in enumerate(answers) if record.rtype == types.A), len(answers))
    addresses = answers[first:]
    if not (addresses and all(map(_is_address, addresses)) and _have_one_owner(received, addresses)):
        return Translated(_start(query, received, 0), None) if foreign.truncated(received) else None
    start = addresses[0].start
    parts = [_start(query, received, len(answers)), received[end:start]]
    for record in addresses:
        ttl = min(record.ttl if record.ttl < _TTL_LIMIT else 0, ttl_max)
        parts += (
            received[record.start : record.data - _FIXED_SIZE],
            _FIXED(types.AAAA, record.rclass, ttl, 16),
            prefix.of(received[record.data : record.end]),
        )
    short = addresses[0].data - start == 2 + _FIXED_SIZE
    size = 2 + _FIXED_SIZE + 16
    return Translated(b"".join(parts), Rotation(start, size, len(addresses)) if short and len(addresses) > 1 else None)


def _start(query: Query, received: bytes, count: int) -> bytes:
    """Header and question of a reply with so many answers; what is made up can't be authentic, so AD is clear."""
    flags = bytes((received[2], received[3] & ~types.AD & 0xFF))
    question = query.qname + _QUESTION(types.AAAA, query.qclass)
    return received[:2] + flags + b"\0\1" + _COUNTS.pack(count, 0, 0) + question


def _is_address(record: Record) -> bool:
    return record.rtype == types.A and record.rclass == types.IN and record.end - record.data == 4


def _have_one_owner(received: bytes, addresses: list[Record]) -> bool:
    """Whether all but the first have pointers for names, to the first or to what stands before it."""
    end = addresses[0].data - _FIXED_SIZE
    for record in addresses[1:]:
        pointer = int.from_bytes(received[record.start : record.start + 2], "big")
        if record.data - _FIXED_SIZE - record.start != 2 or pointer < POINTER << 8:
            return False
        if pointer & (POINTER_LIMIT - 1) >= end:
            return False
    return True


def has_type(query: Query, received: bytes, rtype: int) -> bool:
    """Whether there are records of a type among the answers of a reply to the query. Raises WireError."""
    count = int.from_bytes(received[6:8], "big")
    return any(record.rtype == rtype for record in records_at(received, _behind(query), count))


def soa_ttl(query: Query, received: bytes) -> int:
    """The TTL of the SOA among the authority records of a reply to the query, TTL_MAX without one. Raises WireError."""
    an, ns, _ = _COUNTS.unpack_from(received, 6)
    if ns:
        for number, record in enumerate(records_at(received, _behind(query), an + ns)):
            if number >= an and record.rtype == types.SOA:
                return record.ttl if record.ttl < _TTL_LIMIT else 0
    return TTL_MAX


def _behind(query: Query) -> int:
    return HEADER_SIZE + len(query.qname) + 4
