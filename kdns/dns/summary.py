"""What can be said of a query and its reply from their octets: for log lines, and for who sorts replies.

The words are those of CoreDNS, and so are the sizes: a reply's is that of its records without compression, and without
an OPT record, which belongs to the way and not to the answer. Both messages are ones that were parsed or made here, or
checked as foreign; of octets that aren't whole nothing worse comes out than WireError.
Standards: RFC 1035 section 4.1, RFC 6891, RFC 2308 section 2 (kinds of replies).
"""

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from kdns.dns import types
from kdns.dns.names import Name, fold, labels_of
from kdns.dns.wire import HEADER_SIZE, POINTER, Record, WireError, end_of_plain_name, read_name, record_at, records_at

# Printable ASCII but for what miekg/dns escapes with a backslash.
_SPECIAL: Final = b". '@;()\"\\"
_PLAIN: Final = bytes(octet for octet in range(0x21, 0x7F) if octet not in _SPECIAL)
_FLAGS: Final = (
    *((types.QR, "qr"), (types.AA, "aa"), (types.TC, "tc"), (types.RD, "rd"), (types.RA, "ra")),
    *((0x40, "z"), (types.AD, "ad"), (types.CD, "cd")),
)

_FLAG_BITS: Final = 0x87F0  # the header's field without opcode and rcode

_COUNTS: Final = struct.Struct("!HHHHHH").unpack_from
_QUESTION: Final = struct.Struct("!HH").unpack_from

# Names in the data of a type, which may be compressed (RFC 3597 section 4): octets before them, and how many.
_NAMES_IN: Final = {
    **dict.fromkeys((types.NS, 3, 4, types.CNAME, 7, 8, 9, types.PTR, types.DNAME), (0, 1)),
    **dict.fromkeys((types.SOA, 14, 17), (0, 2)),
    **dict.fromkeys((types.MX, 18, 21, 36), (2, 1)),
    types.SRV: (6, 1),
}
_TO_QUESTION: Final = b"\xc0\x0c"  # a pointer to the question's name
_ADDRESS_SIZES: Final = {types.A: 4, types.AAAA: 16}


class Asked(NamedTuple):
    """A query."""

    id: int
    opcode: int
    name: Name  # folded
    qtype: int
    qclass: int
    size: int  # octets
    edns: bool
    payload: int  # as it was sent; 0 without EDNS
    do: bool


class Told(NamedTuple):
    """A reply."""

    rcode: int
    flags: str  # "qr,aa,rd"
    size: int  # octets, uncompressed and without OPT
    kind: str  # "NODATA" and the like
    sort: str  # success, denial or error


# Where nothing was replied.
SILENCE: Final = Told(-1, "-", 0, "OTHERERROR", "error")


def asked(octets: bytes) -> Asked:
    """What a query asks that has a question and is whole."""
    ident, flags, _, answers, authority, additional = _COUNTS(octets)
    end = end_of_plain_name(octets, HEADER_SIZE)
    qtype, qclass = _question(octets, end)
    edns, payload, do = False, 0, False
    if additional:
        for record in records_at(octets, end + 4, answers + authority + additional):
            if record.rtype == types.OPT:
                edns, payload, do = True, record.rclass, record.ttl & 0x8000 != 0
                break
    name = fold(octets[HEADER_SIZE:end])
    return Asked(ident, flags >> 11 & 15, name, qtype, qclass, len(octets), edns, payload, do)


def told(octets: bytes) -> Told:
    """What a reply says that has one question and is whole."""
    _, flags, _, answers, authority, additional = _COUNTS(octets)
    end = end_of_plain_name(octets, HEADER_SIZE) + 4
    qtype, _ = _question(octets, end - 4)
    size, position = _addresses(octets, end, answers)
    has_soa = has_ns = False
    rcode = flags & 15
    if position == end:
        for _ in range(answers):
            size, position = _added(octets, record_at(octets, position), size)
    for _ in range(authority):
        record = record_at(octets, position)
        has_soa, has_ns = has_soa or record.rtype == types.SOA, has_ns or record.rtype == types.NS
        size, position = _added(octets, record, size)
    for _ in range(additional):
        record = record_at(octets, position)
        if record.rtype == types.OPT:
            rcode |= record.ttl >> 24 << 4
            position = record.end
        else:
            size, position = _added(octets, record, size)
    kind = _kind(qtype, rcode, answers > 0, has_soa, has_ns)
    return Told(rcode, flags_text(flags), size, kind, _SORTS.get(kind, "error"))


def _question(octets: bytes, position: int) -> tuple[int, int]:
    """Type and class at position."""
    if len(octets) < position + 4:
        raise WireError("a question has no end")
    qtype, qclass = _QUESTION(octets, position)
    return qtype, qclass


def _kind(qtype: int, rcode: int, answers: bool, soa: bool, ns: bool) -> str:
    """As CoreDNS tells replies apart (plugin/pkg/response), but that it looks at signatures' times, too."""
    if qtype in {types.AXFR, types.IXFR}:
        return "META"
    if answers:
        return "NOERROR" if rcode == types.NOERROR else "SERVERERROR" if rcode in _SERVERS else "OTHERERROR"
    if rcode == types.NOERROR:
        return "NODATA" if soa else "DELEGATION" if ns else "NOERROR"
    return "NXDOMAIN" if rcode == types.NXDOMAIN else "SERVERERROR" if rcode in _SERVERS else "OTHERERROR"


_SERVERS: Final = frozenset((types.SERVFAIL, types.NOTIMP))
_SORTS: Final = {"NOERROR": "success", "DELEGATION": "success", "NXDOMAIN": "denial", "NODATA": "denial"}


def name_text(name: bytes) -> str:
    r"""A name in lower case and presentation form as miekg/dns writes it, its own escapes among it."""
    labels = list(labels_of(name))
    if not labels:
        return "."
    joined = b".".join(labels).lower()
    if len(joined.translate(None, _PLAIN)) == len(labels) - 1:
        return joined.decode("ascii") + "."
    return "".join(f"{''.join(map(_character, label.lower()))}." for label in labels)


def _character(octet: int) -> str:
    if octet in _SPECIAL:
        return f"\\{chr(octet)}"
    return chr(octet) if 0x20 < octet < 0x7F else f"\\{octet:03d}"


def flags_text(flags: int) -> str:
    """The flags of a header that are set, with commas."""
    return _flags_text(flags & _FLAG_BITS)


@lru_cache(maxsize=256)
def _flags_text(flags: int) -> str:
    return ",".join(word for mask, word in _FLAGS if flags & mask)


def _addresses(octets: bytes, start: int, count: int) -> tuple[int, int]:
    """The size with all answers, and where they end, if they are addresses of the question's own name; or up to start."""
    if not count:
        return start, start
    rtype = octets[start + 3] if len(octets) > start + 12 else 0
    length = _ADDRESS_SIZES.get(rtype, 0)
    step = 12 + length
    end = start + count * step
    head = octets[start : start + 6]
    if not length or end > len(octets) or head[:2] != _TO_QUESTION:
        return start, start
    fixed = (*enumerate(head), (10, 0), (11, length))
    if any(octets[start + at : end : step] != bytes((octet,)) * count for at, octet in fixed):
        return start, start
    return start + count * (start - HEADER_SIZE - 4 + 10 + length), end


def _added(octets: bytes, record: Record, size: int) -> tuple[int, int]:
    """The size with one more record, and where that ends."""
    size += _plain_size(octets, record.start) + 10
    inside = _NAMES_IN.get(record.rtype)
    if inside is None or record.data == record.end:
        return size + record.end - record.data, record.end
    before, count = inside
    at = record.data + before
    for _ in range(count):
        name, at = read_name(octets, at)
        size += len(name)
    if at > record.end:
        raise WireError(f"a name in the data of a record ends at {at}, the record at {record.end}")
    return size + before + record.end - at, record.end


def _plain_size(octets: bytes, position: int) -> int:
    """The octets of the name at position without compression."""
    if octets[position] < POINTER and not octets[position]:
        return 1
    return len(read_name(octets, position)[0])
