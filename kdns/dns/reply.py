"""An Answer becomes the octets of a reply: compression, EDNS, truncation, rotation.

What a reply takes from its query is decided here and nowhere else (id, question in the case it
was asked, RD and CD, EDNS or none); what it says is the Answer's. Names are compressed where they
own a record, and in record data only of the types of RFC 1035 that RFC 3597 section 4 names;
case is never lost to it, since only equal octets are pointed at. A reply is cut at a record
boundary, and the cost is that of the records sent, not of those there are.
Standards: RFC 1035 section 4.1, RFC 2181 sections 5 and 9, RFC 6891, RFC 8914, RFC 9715 (1232 octets).
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from kdns.dns import types
from kdns.dns.names import Name
from kdns.dns.query import Query, QueryError
from kdns.dns.records import Answer, ExtendedError, Packed, RecordSet
from kdns.dns.wire import HEADER_SIZE, POINTER, POINTER_LIMIT, end_of_plain_name

UDP_LIMIT: Final = 1232  # octets; own payload size too (RFC 9715 section 3.1, DNS Flag Day 2020)
TCP_LIMIT: Final = 65535

_OPCODES: Final = 0x7800
_ECHOED: Final = types.RD | types.CD  # RFC 1035 section 4.1.1, RFC 4035 section 3.2.2
_DO: Final = 0x8000
_EXTENDED: Final = 15  # rcodes above need an OPT record

_HEADER: Final = struct.Struct("!6H")
_QUESTION: Final = struct.Struct("!HH").pack
_RECORD: Final = struct.Struct("!HHIH").pack
_RECORD_SIZE: Final = 10  # without the owner's name
_POINTER: Final = struct.Struct("!H").pack
_POINTER_BITS: Final = POINTER << 8
_OPT: Final = struct.Struct("!BHHIH").pack
OPT_SIZE: Final = 11
_QNAME_POINTER: Final = b"\xc0\x0c"

_ADDRESS_SIZES: Final = {types.A: 4, types.AAAA: 16}

# Where the names start in record data that may be compressed, and how many follow one another.
_NAMES_IN_DATA: Final = {types.NS: (0, 1), types.CNAME: (0, 1), types.SOA: (0, 2), types.PTR: (0, 1), types.MX: (2, 1)}


@dataclass(frozen=True, slots=True)
class Rotation:
    """Where count records of size octets each lie, one behind the other, that may change places."""

    start: int
    size: int
    count: int

    def behind(self, skipped: int) -> "Rotation":
        """The same records where so many octets were cut off the front: a memo keeps replies without their id."""
        return Rotation(self.start - skipped, self.size, self.count)

    def turn(self, octets: bytes, by: int) -> bytes:
        """The octets with the records in cyclic order from number `by` on."""
        start = self.start
        cut = start + by % self.count * self.size
        end = start + self.count * self.size
        return b"".join((octets[:start], octets[cut:end], octets[start:cut], octets[end:]))


class Reply(NamedTuple):
    """The octets of a reply, and what a memo has to know of them."""

    octets: bytes
    truncated: bool
    rotation: Rotation | None
    whole: bool = True  # nothing was left out: where it fits, another limit makes the same octets


def udp_limit(query: Query, most: int = UDP_LIMIT) -> int:
    """Octets of a reply over UDP: what the client takes, but at most so many of ours (at least 512)."""
    return min(query.payload, most)


def rotate(reply: Reply, by: int) -> bytes:
    """The reply with its run of addresses in cyclic order from number `by` on; as it is where nothing may move."""
    return reply.octets if reply.rotation is None else reply.rotation.turn(reply.octets, by)


def error(octets: bytes, problem: QueryError, *, recursion: bool, options: bytes = b"") -> bytes:
    """The reply to octets that are no query, made of the 12 of their header and of options of ours alone (P12).

    It has no question. Where the opcode isn't QUERY no flag is echoed (the reading of ISC's compliance tests).
    """
    ident, flags = struct.unpack_from("!HH", octets)
    flags &= _OPCODES | (0 if flags & _OPCODES else _ECHOED)
    if recursion and not flags & _OPCODES:
        flags |= types.RA
    flags |= types.QR | problem.rcode & _EXTENDED
    opt = opt_record(problem.rcode, do=False, options=options, error=problem.error) if problem.edns else b""
    return _HEADER.pack(ident, flags, 0, 0, 0, len(opt) and 1) + opt


def opt_record(rcode: int, *, do: bool, options: bytes = b"", error: ExtendedError | None = None) -> bytes:
    """Our OPT record: payload size 1232, version 0, the upper bits of the rcode, and an extended error if there is one."""
    if error is not None:
        text = error.text.encode(errors="replace")
        options += struct.pack("!HHH", types.OPTION_EDE, 2 + len(text), error.code) + text
    return _OPT(0, types.OPT, UDP_LIMIT, rcode >> 4 << 24 | (_DO if do else 0), len(options)) + options


_PLAIN_OPT: Final = opt_record(0, do=False)
_PLAIN_OPT_DO: Final = opt_record(0, do=True)


def render(query: Query, answer: Answer, *, limit: int, recursion: bool, first: int = 0, options: bytes = b"") -> Reply:
    """The reply to query that means answer, of at most limit (at least 512) octets.

    options are EDNS options (a few dozen octets) for our OPT record, sent only if the client spoke EDNS.

    The first set of several addresses among the answers is sent in cyclic order from number `first` on.
    Answers that don't fit set TC, and then authority and additional are left out; so does an authority set that doesn't
    fit. Additional sets are extras: the first that doesn't fit ends the reply, without TC (RFC 2181 section 9). Room
    for the OPT record is kept; an extended error is left out where it has none. An rcode above 15 is SERVFAIL to a
    client without EDNS.
    """
    if not (answer.answers or answer.additional or answer.error or options):
        denial = _render_denial(query, answer, limit, recursion)
        if denial is not None:
            return denial
    page = _Page(query, limit - OPT_SIZE - len(options) if query.edns else limit)
    an = page.answers(answer.answers, first)
    ns = 0 if page.full or not answer.authority else page.whole_sets(answer.authority)
    truncated = page.full
    ar = 0 if page.full or not answer.additional else page.whole_sets(answer.additional)

    octets, rcode = page.octets, answer.rcode
    if query.edns:
        ar += 1
        opt = opt_record(rcode, do=query.do, options=options, error=answer.error)
        if len(octets) + len(opt) > limit:
            opt = opt_record(rcode, do=query.do, options=options)
            page.full = True
        octets += opt
    elif rcode > _EXTENDED:
        rcode = types.SERVFAIL
    flags = types.QR | query.flags & _ECHOED | rcode & _EXTENDED
    if answer.authoritative:
        flags |= types.AA
    if truncated:
        flags |= types.TC
    if recursion:
        flags |= types.RA
    _HEADER.pack_into(octets, 0, query.id, flags, 1, an, ns, ar)
    return Reply(bytes(octets), truncated, page.rotation, whole=not page.full)


def messages(query: Query, sets: Iterable[RecordSet], *, limit: int, options: bytes = b"") -> Iterator[bytes]:
    """The messages that carry all records of the sets in their order (RFC 5936 section 2.2), each rendered when asked for.

    Each has the question, and our OPT record where the client spoke EDNS. None has more than limit (at most TCP_LIMIT)
    octets, but for one that begins with a record larger than that. Raises ValueError at a record that fits none.
    """
    opt = opt_record(types.NOERROR, do=query.do, options=options) if query.edns else b""
    flags = types.QR | types.AA | query.flags & _ECHOED
    room, count = limit, 0
    page = _Page(query, room - len(opt))

    def finished() -> bytes:
        _HEADER.pack_into(page.octets, 0, query.id, flags, 1, count, 0, len(opt) and 1)
        return bytes(page.octets + opt)

    for records in sets:
        left = records
        while True:
            written = page.records(left)
            count += written
            if not page.full:
                break
            if count:
                yield finished()
                room = limit
            elif room == TCP_LIMIT:
                raise ValueError(f"a record of {len(left.rdatas[0])} octets fits no message")
            else:
                room = TCP_LIMIT
            page, count = _Page(query, room - len(opt)), 0
            left = left._replace(rdatas=left.rdatas[written:])
    if count:
        yield finished()


def _render_denial(query: Query, answer: Answer, limit: int, recursion: bool) -> Reply | None:
    """The reply of authority records alone that belong to a zone the question is in; None for any other, or none fits.

    Names that don't exist are most of what a cluster's search paths ask for: a third of what render costs otherwise.
    """
    qname, authority = query.qname, answer.authority
    if len(authority) != 1 or not qname.endswith(authority[0].name) or answer.rcode > _EXTENDED:
        return None
    ending = _ending(authority, len(qname))
    flags = types.QR | query.flags & _ECHOED | answer.rcode
    if answer.authoritative:
        flags |= types.AA
    if recursion:
        flags |= types.RA
    opt = (_PLAIN_OPT_DO if query.do else _PLAIN_OPT) if query.edns else b""
    head = _HEADER.pack(query.id, flags, 1, 0, len(authority[0].rdatas), len(opt) and 1)
    octets = b"".join((head, qname, _QUESTION(query.qtype, query.qclass), ending, opt))
    return Reply(octets, False, None) if len(octets) <= limit else None


@lru_cache(maxsize=512)
def _ending(authority: tuple[RecordSet, ...], length: int) -> bytes:
    """The authority records behind a question of that many octets whose name ends in theirs, whatever stands before."""
    zone = authority[0].name
    question = Query(Name(bytes(length - len(zone)) + zone), 0)  # zeros: no name in a record looks like that
    page = _Page(question, TCP_LIMIT)
    start = len(page.octets)
    page.whole_sets(authority)
    return bytes(page.octets[start:])


class _Page:
    """A reply while it is written: a blank header, the question, and records for as long as they fit.

    Once something didn't fit nothing more is written, so every name in known was indeed sent.
    """

    __slots__ = ("full", "known", "octets", "qname", "room", "rotation")

    def __init__(self, query: Query, room: int) -> None:
        self.octets = bytearray(HEADER_SIZE) + query.qname + _QUESTION(query.qtype, query.qclass)
        self.qname = query.qname
        self.room = room  # octets that may be written
        self.full = False  # something didn't fit
        self.known: dict[bytes, int] = {}  # names and their endings written behind the question, and where
        self.rotation: Rotation | None = None

    def answers(self, sets: Sequence[RecordSet], first: int) -> int:
        """Write the sets, as many records as fit; how many they were."""
        written = 0
        for records in sets:
            if records.rtype in _ADDRESS_SIZES and len(records.rdatas) > 1 and self.rotation is None:
                written += self.addresses(records, first)
            else:
                written += self.records(records)
            if self.full:
                break
        return written

    def whole_sets(self, sets: Sequence[RecordSet]) -> int:
        """Write the sets up to the first that doesn't fit whole; how many records they were."""
        written = 0
        for records in sets:
            mark = len(self.octets)
            count = self.records(records)
            if self.full:
                del self.octets[mark:]
                break
            written += count
        return written

    def records(self, records: RecordSet) -> int:
        """Write a set, as many records as fit; how many they were."""
        octets = self.octets
        written = 0
        for rdata in records.rdatas:
            owner = self.name(records.name, len(octets))
            data = self.data(records.rtype, rdata, len(octets) + len(owner) + _RECORD_SIZE)
            if len(octets) + len(owner) + _RECORD_SIZE + len(data) > self.room:
                self.full = True
                break
            octets += owner + _RECORD(records.rtype, records.rclass, records.ttl, len(data)) + data
            written += 1
        return written

    def addresses(self, records: RecordSet, first: int) -> int:
        """Write a set of addresses beginning with number first, as many as fit; how many they were."""
        octets, start, count = self.octets, len(self.octets), len(records.rdatas)
        owner = self.name(records.name, start)
        again = owner if len(owner) <= 2 or start >= POINTER_LIMIT else _POINTER(_POINTER_BITS | start)
        size = _ADDRESS_SIZES[records.rtype]
        fixed = _RECORD(records.rtype, records.rclass, records.ttl, size)
        size += len(again) + _RECORD_SIZE
        written = max(0, min(count, (self.room - start - len(owner) + len(again)) // size))
        if written < count:
            self.full = True
        if written:
            octets += owner + fixed + (again + fixed).join(_in_turn(records.rdatas, first % count, written))
        if written > 1 and owner is again:
            self.rotation = Rotation(start, size, written)
        return written

    def name(self, name: bytes, at: int) -> bytes:
        """The name as it is to be written at offset at: its ending is a pointer where those octets were sent before."""
        qname, known = self.qname, self.known
        if name == qname:
            return _QNAME_POINTER
        start = 0
        while length := name[start]:
            ending = name[start:]
            offset = known.get(ending)
            if offset is None and qname.endswith(ending):
                offset = HEADER_SIZE + len(qname) - len(ending)
            if offset is not None:
                return name[:start] + _POINTER(_POINTER_BITS | offset)
            if at + start < POINTER_LIMIT:
                known[ending] = at + start
            start += length + 1
        return name

    def data(self, rtype: int, rdata: bytes, at: int) -> bytes:
        """Record data as it is to be written at offset at, its names compressed where the type allows that."""
        if rtype not in _NAMES_IN_DATA:
            return rdata
        position, names = _NAMES_IN_DATA[rtype]
        data = rdata[:position]
        for _ in range(names):
            end = end_of_plain_name(rdata, position)
            data += self.name(rdata[position:end], at + len(data))
            position = end
        return data + rdata[position:]


def _in_turn(rdatas: Sequence[bytes], first: int, count: int) -> list[bytes]:
    """So many of the rdatas from number first on, the last being followed by the first; others aren't touched."""
    over = max(first + count - len(rdatas), 0)
    if isinstance(rdatas, Packed):
        octets, size = rdatas.octets, rdatas.size
        run = range(first * size, (first + count - over) * size, size)
        return [octets[at : at + size] for part in (run, range(0, over * size, size)) for at in part]
    return [*rdatas[first : first + count - over], *rdatas[:over]]
