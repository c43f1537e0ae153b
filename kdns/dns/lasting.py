"""What of an upstream's reply may be kept, and for how long: the octets that speak of the question, and where their TTLs are.

A reply that lasts is cut behind its answers, or behind the proofs of a denial; nothing in
front of that moves, so pointers stay true. Where a record among them has no business there,
the rare path of message writes the reply anew from the CNAME chain alone. Whether it is kept,
and within which limits, is the cache's to decide.
Standards: RFC 2308 (denials), RFC 2181 sections 5.2 and 8 (TTLs), RFC 6604 (whose rcode it
is), RFC 4035 section 3.1.3 (proofs), RFC 8914.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from kdns.dns import foreign, types
from kdns.dns.foreign import CHAIN_LIMIT, ForeignError
from kdns.dns.names import Name, fold, is_below
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.dns.reply import OPT_SIZE, TCP_LIMIT, Rotation, opt_record, render
from kdns.dns.wire import HEADER_SIZE, Record, WireError, read_name, records_at

_TTL_LIMIT: Final = 1 << 31  # from here on it means 0 (RFC 2181 section 8)
_TTL_BEFORE_DATA: Final = 6  # octets from a record's TTL to its data
_COUNTS: Final = struct.Struct("!3H")
_NOT_PLAIN: Final = 0xFA0F  # flags: QR and the opcode, TC, the rcode
_COUNTED: Final = struct.Struct("!5H")  # flags and counts
_NUMBER: Final = struct.Struct("!I")
_TTL_AND_SIZE: Final = struct.Struct("!IH").unpack_from
_OPT_START: Final = b"\0\0\x29"  # the root, and type 41
_QNAME_POINTER: Final = b"\xc0\x0c"

_ADDRESSES: Final = frozenset((types.A, types.AAAA))
_SIGNED_DENIAL: Final = frozenset((types.SOA, types.RRSIG, types.NSEC, types.NSEC3))
# Authority records that go with an answer for a client that sent DO: proofs, and what zones above the name have.
_PROOFS: Final = frozenset((types.RRSIG, types.NSEC, types.NSEC3))
_OF_ZONES: Final = frozenset((types.NS, types.SOA, types.DS))

_Key: TypeAlias = tuple[Name, int]  # an owner, folded, and a type
_Sets: TypeAlias = dict[_Key, list[Record]]

# What most replies have in common, and so is looked into once: flags and counts with their number of answers, and OPT
# records that say nothing. So many of each are known.
_KNOWN: Final = 256
_plain_headers: Final[dict[bytes, int]] = {}
_bare_opts: Final[set[bytes]] = set()


class Lasting(NamedTuple):
    """A reply that says what the name has, or that it has nothing."""

    octets: bytes  # with that question and its id, and of the OPT record the extended errors alone
    ttls: tuple[int, ...]  # offsets of the TTL fields
    ttl: int  # the least of all, in seconds; 0 may be passed on and not kept
    denial: bool  # NXDOMAIN, or no answer at all
    rotation: Rotation | None  # addresses that may change places


_UNFIT: Final = Lasting(b"", (), 0, denial=False, rotation=None)


class _Chain(NamedTuple):
    """The CNAMEs from the question's name on."""

    names: list[Name]  # folded; the last one is where they end
    found: bool  # whether the last one has what was asked for


def with_ttl(octets: bytes, ttls: Sequence[int], seconds: int) -> bytes:
    """The reply with so many seconds in each of its TTL fields."""
    field = _NUMBER.pack(seconds)
    if len(ttls) == 1:
        return octets[: ttls[0]] + field + octets[ttls[0] + 4 :]
    changed = bytearray(octets)
    for offset in ttls:
        changed[offset : offset + 4] = field
    return bytes(changed)


def lasting(query: Query, received: bytes) -> Lasting | None:
    """What lasts of a whole reply to the query, whose records foreign.answers found in bounds.

    None for one that says nothing of the name: another rcode, a truncated one, an empty one without the SOA of a zone
    that the name lies in. Raises ForeignError for CNAMEs that never end, or records that can't be read.
    """
    try:
        found = _read(query, received)
        if found is _UNFIT:
            found = _read(query, _rewritten(query, received))
        return None if found is _UNFIT else found
    except WireError as error:
        raise ForeignError(str(error)) from error


def plain(query: Query, sent: bytes, received: bytes) -> Lasting | None:
    """What lasts of a reply to sent, which asks the query's question in whatever case, if it is of the most common form.

    That is: the question as sent, nothing but records of the question's own name and type, and no OPT record or a
    bare one; nothing else has to be checked of it then, since its id is how the question was found. None for any other
    octets. Looked at once as a whole, 1.6 µs for one record, where foreign.answers and lasting, which do for all
    replies, take 5.6 (CPython 3.11).
    """
    counted = received[2:HEADER_SIZE]
    answers = _plain_headers.get(counted) or _plain_header(counted)
    if not answers:
        return None
    first = position = HEADER_SIZE + len(query.qname) + 4
    if not received.startswith(sent[HEADER_SIZE:first], HEADER_SIZE):
        return None
    head = _QNAME_POINTER + received[first - 4 : first]
    least, ttls = _TTL_LIMIT, []
    size = 0
    for _ in range(answers):
        if not received.startswith(head, position) or len(received) < position + 12:
            return None
        seconds, size = _TTL_AND_SIZE(received, position + 6)
        if seconds < least:
            least = seconds
        elif seconds >= _TTL_LIMIT:
            least = 0
        ttls.append(position + 6)
        position += 12 + size
    if not counted[-1]:
        if position != len(received):
            return None
    elif (opt := received[position:]) not in _bare_opts and not _is_bare_opt(opt):
        return None
    octets = b"".join((received[:10], b"\0\0", query.qname, received[first - 4 : position]))
    alike = answers > 1 and query.qtype in _ADDRESSES and position - first == answers * (12 + size)
    rotation = Rotation(first, 12 + size, answers) if alike else None
    # As Lasting(...), for a third of the time.
    return tuple.__new__(Lasting, (octets, tuple(ttls), least, False, rotation))


def _plain_header(counted: bytes) -> int:
    """How many answers a reply has whose flags and counts are these octets; 0 if it is none of the most common form."""
    if len(counted) != _COUNTED.size:
        return 0
    flags, qd, an, ns, ar = _COUNTED.unpack(counted)
    if ns or ar > 1 or qd != 1 or flags & _NOT_PLAIN != types.QR:
        return 0
    if len(_plain_headers) < _KNOWN:
        _plain_headers[counted] = an
    return int(an)


def _is_bare_opt(opt: bytes) -> bool:
    """Whether octets are an OPT record that says nothing: no options, no rcode."""
    bare = len(opt) == OPT_SIZE and opt[:3] == _OPT_START and not opt[5] and opt[9:] == b"\0\0"
    if bare and len(_bare_opts) < _KNOWN:
        _bare_opts.add(opt)
    return bare


def _read(query: Query, received: bytes) -> Lasting | None:
    """As lasting, but _UNFIT for a reply that has to be written anew. Raises WireError, too."""
    an, ns, ar = _COUNTS.unpack_from(received, 6)
    records = list(records_at(received, HEADER_SIZE + len(query.qname) + 4, an + ns + ar))
    opt = next((record for record in records[an + ns :] if record.rtype == types.OPT), None)
    rcode = received[3] & 15
    upper = opt is not None and opt.ttl >> 24
    if upper or foreign.truncated(received) or rcode not in {types.NOERROR, types.NXDOMAIN}:
        return None
    sets, strangers = _sets(query, received, records[:an])
    chain = _follow(query, received, sets)
    if chain.found:
        if rcode == types.NXDOMAIN:
            return None
        clean = not strangers
        kept = an + ns if query.do and _goes_along(received, records[an : an + ns], chain) else an
        ttl = _TTL_LIMIT
    else:
        soa = _soa(received, records[an : an + ns], chain.names[-1])
        if soa is None:
            return None
        clean = not strangers and _is_denial(query, received, records[an : an + ns], soa)
        kept = an + ns
        (ttl,) = _NUMBER.unpack_from(received, soa.end - _NUMBER.size)
        ttl = _seconds(ttl)
    if not (clean and all(_belongs(query, chain, *key, found) for key, found in sets.items())):
        return _UNFIT
    ttl = min(ttl, *(_seconds(record.ttl) for record in records[:kept]))
    octets = _cut(received, records[kept - 1].end, an, kept - an, opt)
    ttls = tuple(record.data - _TTL_BEFORE_DATA for record in records[:kept])
    return Lasting(octets, ttls, ttl, not an or rcode == types.NXDOMAIN, _run(received, records[:an]))


def _seconds(ttl: int) -> int:
    return ttl if ttl < _TTL_LIMIT else 0


def _cut(received: bytes, end: int, an: int, ns: int, opt: Record | None) -> bytes:
    """The reply up to end, and behind it the extended errors."""
    errors = foreign.extended_errors(received[opt.data : opt.end]) if opt is not None else b""
    tail = opt_record(types.NOERROR, do=False, options=errors) if errors else b""
    return b"".join((received[:6], _COUNTS.pack(an, ns, 1 if tail else 0), received[HEADER_SIZE:end], tail))


def _run(received: bytes, answers: Sequence[Record]) -> Rotation | None:
    """The first addresses that lie one behind the other and are alike but for their data."""
    start, count = 0, 1
    for number, record in enumerate(answers):
        first = answers[start]
        if number and record.rtype in _ADDRESSES and _head(received, record) == _head(received, first):
            count += 1
        elif count > 1:
            break
        else:
            start = number
    return Rotation(answers[start].start, answers[start].end - answers[start].start, count) if count > 1 else None


def _head(received: bytes, record: Record) -> bytes:
    """A record but for its TTL and data. What points into one points to the same in any that is alike."""
    return received[record.start : record.data - _TTL_BEFORE_DATA] + received[record.data - 2 : record.data]


def _owner(received: bytes, record: Record, query: Query) -> Name:
    if received[record.start : record.start + 2] == _QNAME_POINTER:  # as most are
        return query.name
    return fold(read_name(received, record.start)[0])


def _sets(query: Query, received: bytes, answers: Sequence[Record]) -> tuple[_Sets, bool]:
    """The answers set by set, and whether some are of another class."""
    sets: _Sets = {}
    strangers = False
    for record in answers:
        if record.rclass == query.qclass:
            sets.setdefault((_owner(received, record, query), record.rtype), []).append(record)
        else:
            strangers = True
    return sets, strangers


def _follow(query: Query, received: bytes, sets: _Sets) -> _Chain:
    """Where the CNAMEs lead. Raises ForeignError, WireError."""
    names = [query.name]
    while len(names) <= CHAIN_LIMIT + 1:
        name = names[-1]
        if (name, query.qtype) in sets or (query.qtype == types.ANY and any(owner == name for owner, _ in sets)):
            return _Chain(names, found=True)
        link = sets.get((name, types.CNAME))
        if link is None:
            return _Chain(names, found=False)
        names.append(fold(read_name(received, link[0].data)[0]))
    raise ForeignError(f"more than {CHAIN_LIMIT} CNAMEs")


def _belongs(query: Query, chain: _Chain, owner: Name, rtype: int, records: list[Record]) -> bool:
    """Whether a set of answers is part of the chain, or signs it."""
    last = owner == chain.names[-1]
    if query.do and rtype in {types.RRSIG, types.DNAME}:
        return any(is_below(name, owner) for name in chain.names)
    if rtype == types.CNAME and not (last and chain.found):
        return owner in chain.names and len(records) == 1
    return last and query.qtype in {rtype, types.ANY}


def _goes_along(received: bytes, authority: Sequence[Record], chain: _Chain) -> bool:
    """Whether an authority section is fit to go with an answer, as a whole."""
    for record in authority:
        if record.rtype in _OF_ZONES:
            owner = fold(read_name(received, record.start)[0])
            if not any(is_below(name, owner) for name in chain.names):
                return False
        elif record.rtype not in _PROOFS:
            return False
    return True


def _soa(received: bytes, authority: Sequence[Record], name: Name) -> Record | None:
    """The SOA of a zone that name lies in."""
    for record in authority:
        if record.rtype == types.SOA and is_below(name, fold(read_name(received, record.start)[0])):
            return record
    return None


def _is_denial(query: Query, received: bytes, authority: Sequence[Record], soa: Record) -> bool:
    """Whether an authority section is the SOA alone, or, for a client that sent DO, with proofs of its zone."""
    if not query.do:
        return len(authority) == 1
    zone = fold(read_name(received, soa.start)[0])
    return all(
        record.rtype in _SIGNED_DENIAL and is_below(fold(read_name(received, record.start)[0]), zone)
        for record in authority
    )


def _rewritten(query: Query, received: bytes) -> bytes:
    """The reply with only what belongs to the question. Raises ForeignError."""
    # Imported by the first reply that needs it: it brings in dnslib, which nothing else in a worker needs.
    from kdns.dns import message  # noqa: PLC0415

    answer = message.splice(query, Answer(authoritative=False), received)
    plain = Query(query.qname, query.qtype, query.qclass, name=query.name, do=query.do)
    return render(plain, answer, limit=TCP_LIMIT, recursion=True).octets
