"""The rare path on which a foreign message is read record by record, and the one importer of dnslib.

splice joins an upstream's reply to CNAMEs of our own: the only place where foreign record data
becomes a RecordSet. read takes a whole message apart, for who compares or shows it. dnslib knows how the data of each type is laid out; where names are concerned our
own rules hold (wire), for its reader recurses and refuses octets that aren't UTF-8. Import this
module where it is used: dnslib takes longer to load than all of dns.
Standards: RFC 1034 section 3.6.2, RFC 2308 section 2, RFC 3597 section 4, RFC 6604 section 3.
"""

import struct
from typing import Any, Final, NamedTuple, TypeAlias

import dnslib
from dnslib.buffer import BufferError as DnslibBufferError
from dnslib.label import DNSLabelError

from kdns.dns import foreign, types
from kdns.dns.foreign import CHAIN_LIMIT, ForeignError
from kdns.dns.names import Name, fold, is_below, labels_of
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.dns.wire import HEADER_SIZE, Record, WireError, read_name, record_at, records_at

_HEADER: Final = struct.Struct("!6H").unpack_from
_QUESTION: Final = struct.Struct("!HH").unpack_from
_OPCODE: Final = 0x7800
_TTL_LIMIT: Final = 1 << 31  # from here on it means 0 (RFC 2181 section 8)

# The types whose data may hold compressed names, by the layout dnslib knows (RFC 3597 section 4; those without
# a number in types are obsolete). All other data is taken as it is.
_LAYOUTS: Final[dict[int, Any]] = {
    **dict.fromkeys((types.NS, types.CNAME, types.PTR, types.DNAME, 3, 4, 7, 8, 9), dnslib.CNAME),
    **dict.fromkeys((types.MX, 18, 21, 36), dnslib.MX),  # with AFSDB, RT and KX: a number and a name
    **dict.fromkeys((14, 17), dnslib.RP),  # with MINFO: two names
    types.SOA: dnslib.SOA,
    types.SRV: dnslib.SRV,
    types.NAPTR: dnslib.NAPTR,
}
_SIZES: Final = {types.A: 4, types.AAAA: 16}  # which the renderer relies on

# What proves that something isn't there, and what a client that sent DO needs to check it (RFC 4035 section 3.1.3).
_DENIAL: Final = frozenset((types.SOA,))
_SIGNED_DENIAL: Final = frozenset((types.SOA, types.RRSIG, 47, 50))  # with NSEC and NSEC3
_DNSLIB_ERRORS: Final = (dnslib.DNSError, DnslibBufferError, DNSLabelError)


def splice(query: Query, prefix: Answer, received: bytes) -> Answer:
    """The answers of prefix, then those of the upstream's reply that continue them.

    received answers the question for the target of prefix's last CNAME (for the query's own name, if there is
    none). Kept of it are the rcode, the records on the CNAME chain from that target on, and where the chain leads to
    nothing the denial: its SOA and, for a client that sent DO, the proofs. Record data comes out uncompressed. Raises
    ForeignError and nothing else, whatever the octets are; for a truncated reply, too, since an Answer can't say that
    it is part of one.
    """
    targets = [records.rdatas[0] for records in prefix.answers if records.rtype == types.CNAME]
    target = Name(targets[-1]) if targets else query.qname
    foreign.check(query.replace(qname=target), received)
    if foreign.truncated(received):
        raise ForeignError("a truncated reply")
    try:
        reader = _Reader(received)
        sets = _sets_of(reader, query, HEADER_SIZE + len(target) + 4)
        answers, end = _chain(reader, query, sets, fold(target))
        authority = _denial(reader, query, sets, end) if end else ()
    except (WireError, *_DNSLIB_ERRORS) as error:
        raise ForeignError(str(error)) from error
    return prefix._replace(
        rcode=foreign.rcode(received), answers=prefix.answers + answers, authority=authority, additional=()
    )


class Line(NamedTuple):
    """A record of a message, as its sender wrote it."""

    name: Name
    rtype: int
    rclass: int
    ttl: int  # seconds
    data: bytes  # uncompressed


class Edns(NamedTuple):
    """What an OPT record says (RFC 6891 section 6.1)."""

    payload: int  # octets
    version: int
    do: bool
    options: tuple[tuple[int, bytes], ...]  # code and data


class Message(NamedTuple):
    """A whole message, section by section."""

    id: int
    opcode: int
    flags: int  # the header's field without opcode and rcode
    rcode: int  # with its upper bits, if there is an OPT record
    questions: tuple[tuple[Name, int, int], ...]  # name, type and class
    answer: tuple[Line, ...]
    authority: tuple[Line, ...]
    additional: tuple[Line, ...]  # without OPT
    edns: Edns | None
    size: int  # octets


def read(octets: bytes) -> Message:
    """Every record of a message. Raises ForeignError, and nothing else, for octets that are no whole message."""
    if len(octets) < HEADER_SIZE:
        raise ForeignError(f"{len(octets)} octets, expected at least {HEADER_SIZE}")
    try:
        return _read(_Reader(octets), _HEADER(octets))
    except (WireError, struct.error, *_DNSLIB_ERRORS) as error:
        raise ForeignError(str(error)) from error


class _Reader(dnslib.DNSBuffer):  # type: ignore[misc]  # dnslib has no types
    """What dnslib reads record data from and writes it to: names by our rules, and never compressed."""

    data: bytearray
    offset: int

    def __init__(self, octets: bytes = b"") -> None:
        super().__init__(octets)
        self.octets = octets

    def decode_name(self, last: int = -1) -> Any:  # noqa: ARG002 - dnslib's signature
        name, self.offset = read_name(self.octets, self.offset)
        return dnslib.DNSLabel(list(labels_of(name)))

    def encode_name(self, name: Any) -> None:
        self.encode_name_nocompress(name)


def _read(reader: _Reader, header: tuple[int, ...]) -> Message:
    """The message of a reader. Raises ForeignError, WireError, struct.error or an error of dnslib."""
    ident, field, *counts = header
    octets, position = reader.octets, HEADER_SIZE
    questions = []
    for _ in range(counts[0]):
        name, position = read_name(octets, position)
        questions.append((name, *_QUESTION(octets, position)))
        position += 4
    edns, upper = None, 0
    sections: list[list[Line]] = [[], [], []]
    for section, count in zip(sections, counts[1:], strict=True):
        for _ in range(count):
            record = record_at(octets, position)
            position = record.end
            if record.rtype == types.OPT:
                edns, upper = _edns(octets, record), record.ttl >> 24
                continue
            owner, _ = read_name(octets, record.start)
            section.append(Line(owner, record.rtype, record.rclass, record.ttl, _record_data(reader, record)))
    if position != len(octets):
        raise ForeignError(f"{len(octets) - position} octets behind the message")
    answer, authority, additional = map(tuple, sections)
    rcode = upper << 4 | field & 0xF
    flags = field & ~(_OPCODE | 0xF)
    opcode = (field & _OPCODE) >> 11
    return Message(ident, opcode, flags, rcode, tuple(questions), answer, authority, additional, edns, len(octets))


def _edns(octets: bytes, record: Record) -> Edns:
    """What an OPT record says. Raises struct.error or WireError where its options don't fill it."""
    options, position = [], record.data
    while position < record.end:
        code, length = _QUESTION(octets, position)
        position += 4 + length
        options.append((code, octets[position - length : position]))
    if position != record.end:
        raise WireError(f"EDNS options end at {position}, their record at {record.end}")
    return Edns(record.rclass, record.ttl >> 16 & 0xFF, record.ttl & 0x8000 != 0, tuple(options))


_Key: TypeAlias = tuple[Name, int]  # an owner, folded, and a type


class _Sets(NamedTuple):
    """The records of the question's class, set by set."""

    answers: dict[_Key, list[Record]]
    authority: dict[_Key, list[Record]]


def _sets_of(reader: _Reader, query: Query, position: int) -> _Sets:
    """The sets of a reply that foreign.check found whole, and whose records start at position. Raises WireError."""
    octets = reader.octets
    an, ns = int.from_bytes(octets[6:8], "big"), int.from_bytes(octets[8:10], "big")
    sets = _Sets({}, {})
    for number, record in enumerate(records_at(octets, position, an + ns)):
        if record.rclass == query.qclass:
            owner, _ = read_name(octets, record.start)
            section = sets.answers if number < an else sets.authority
            section.setdefault((fold(owner), record.rtype), []).append(record)
    return sets


def _chain(reader: _Reader, query: Query, sets: _Sets, name: Name) -> tuple[tuple[RecordSet, ...], Name | None]:
    """The sets that answer the query for name, and the name at which the CNAMEs ended in nothing, if they did."""
    chain: list[RecordSet] = []
    for _ in range(CHAIN_LIMIT + 1):
        found = [key for key in sets.answers if key[0] == name and query.qtype in {key[1], types.ANY}]
        for key in found:
            chain += _signed(reader, query, sets, key, sets.answers[key])
        link = sets.answers.get((name, types.CNAME))
        if found or link is None:
            return tuple(chain), None if found else name
        chain += _signed(reader, query, sets, (name, types.CNAME), link[:1])
        name = fold(_record_data(reader, link[0]))
    raise ForeignError(f"more than {CHAIN_LIMIT} CNAMEs")


def _signed(reader: _Reader, query: Query, sets: _Sets, key: _Key, records: list[Record]) -> list[RecordSet]:
    """The set of records under key and, for a client that sent DO, its signatures (RFC 4035 section 3.1.1)."""
    name, rtype = key
    covered = rtype.to_bytes(2, "big")
    signatures = sets.answers.get((name, types.RRSIG), []) if query.do and query.qtype != types.ANY else []
    own = [record for record in signatures if reader.octets[record.data : record.data + 2] == covered]
    return [_record_set(reader, group) for group in (records, own) if group]


def _denial(reader: _Reader, query: Query, sets: _Sets, name: Name) -> tuple[RecordSet, ...]:
    """What the authority section says about name not being there: nothing without the SOA of a zone that it lies in."""
    wanted = _SIGNED_DENIAL if query.do else _DENIAL
    zone = next((owner for owner, rtype in sets.authority if rtype == types.SOA and is_below(name, owner)), None)
    if zone is None:
        return ()
    return tuple(
        _record_set(reader, records)
        for (owner, rtype), records in sets.authority.items()
        if rtype in wanted and is_below(owner, zone)
    )


def _record_set(reader: _Reader, records: list[Record]) -> RecordSet:
    """Records of one owner and type, with the least of their TTLs (RFC 2181 section 5.2)."""
    first = records[0]
    owner, _ = read_name(reader.octets, first.start)
    ttl = min(record.ttl if record.ttl < _TTL_LIMIT else 0 for record in records)
    rdatas = tuple(_record_data(reader, record) for record in records)
    return RecordSet(owner, first.rtype, ttl, rdatas, first.rclass)


def _record_data(reader: _Reader, record: Record) -> bytes:
    """Record data without compression. Raises ForeignError, WireError or an error of dnslib."""
    size = record.end - record.data
    layout = _LAYOUTS.get(record.rtype)
    if layout is None:
        if size != _SIZES.get(record.rtype, size):
            raise ForeignError(f"an address of {size} octets")
        return reader.octets[record.data : record.end]
    reader.offset = record.data
    data = layout.parse(reader, size)
    if reader.offset != record.end:
        raise ForeignError(f"data of {reader.offset - record.data} octets in a record of {size}")
    written = _Reader()
    data.pack(written)
    return bytes(written.data)
