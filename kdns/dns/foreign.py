"""An upstream's reply on its way to our client: is it the answer, and what of it the client gets.

Records are stepped over, never decoded. Invariant: nothing in front of a kept record moves, for
the client's question has the very length of the upstream's, and only what lies behind the last
kept record is cut off or replaced; so the compression pointers inside record data stay true, and
a record behind the upstream's OPT record is dropped. What concerns one hop only (id, cookies,
payload size, padding, keepalive) never travels on.
Standards: RFC 1035 section 4.1, RFC 5452 section 9.1 (matching), RFC 6891 section 6.1.1, RFC 2181 section 9.
"""

import struct
from bisect import bisect_right
from typing import Final, NamedTuple

from kdns.dns import types
from kdns.dns.query import Query
from kdns.dns.records import ExtendedError
from kdns.dns.reply import opt_record
from kdns.dns.wire import HEADER_SIZE, WireError, end_of_name, end_of_plain_name

RECORD_LIMIT: Final = 500  # records of a reply; what has more is no answer to a question of ours
CHAIN_LIMIT: Final = 16  # CNAMEs of a reply that are followed

_ECHOED: Final = types.RD | types.CD
_ANSWER: Final = types.QR | types.RA
_KIND: Final = 0xF800  # QR and the opcode

_HEADER: Final = struct.Struct("!6H")
_START: Final = struct.Struct("!HH").pack
_QUESTION: Final = struct.Struct("!HH").pack
_FIXED: Final = struct.Struct("!H2xIH").unpack_from  # type, TTL and size of a record's data
_FIXED_SIZE: Final = 10
_OPTION: Final = struct.Struct("!HH").unpack_from
_QNAME_POINTER: Final = b"\xc0\x0c"
_OPT: Final = opt_record(types.NOERROR, do=False)
_OPT_DO: Final = opt_record(types.NOERROR, do=True)
_ALONE: Final = struct.pack("!4H", 1, 0, 0, 0)  # counts of a question
_WITH_OPT: Final = struct.pack("!4H", 1, 0, 0, 1)


class ForeignError(ValueError):
    """Octets that are no reply to the question, or a reply past our limits."""


class _Opt(NamedTuple):
    """The upstream's OPT record: the rcode's upper bits in their place, and the options."""

    rcode: int
    options: bytes


class _Layout(NamedTuple):
    """Where the records of a reply end, up to the OPT record."""

    answers: int  # how many they are
    authority: int
    ends: list[int]
    opt: _Opt | None

    def kept(self, room: int) -> int:
        """How many records lie within the first room octets, additional ones only if all of them do."""
        if not self.ends or self.ends[-1] <= room:
            return len(self.ends)
        return min(bisect_right(self.ends, room), self.answers + self.authority)


def ask(query: Query, ident: int, qname: bytes | None = None, *, edns: bool = True) -> bytes:
    """The question for an upstream: the client's, with its CD and DO, and upstream_options.

    It is asked in the client's case, or in that of qname, the same name.

    RD and AD are always set: so the answer is the same for clients that don't, who are told AD no more than before (RFC
    6840 section 5.7). edns=False is for an upstream that doesn't understand EDNS (RFC 6891 section 7).
    """
    name = query.qname if qname is None else qname
    head = _START(ident, types.RD | types.AD | query.flags & types.CD)
    if not edns:
        return b"".join((head, _ALONE, name, _QUESTION(query.qtype, query.qclass)))
    opt = _OPT_DO if query.do else _OPT
    if query.upstream_options:
        opt = opt_record(types.NOERROR, do=query.do, options=query.upstream_options)
    return b"".join((head, _WITH_OPT, name, _QUESTION(query.qtype, query.qclass), opt))


def renamed(query: Query, received: bytes) -> bytes:
    """A reply to the query's question in whatever case, with the name as the client wrote it."""
    return b"".join((received[:HEADER_SIZE], query.qname, received[HEADER_SIZE + len(query.qname) :]))


def answers(sent: bytes, received: bytes) -> bool:
    """Whether received is a whole reply to the question sent: same id, same question in the same case, all in bounds."""
    if len(received) < HEADER_SIZE or received[:2] != sent[:2]:
        return False
    end = end_of_plain_name(sent, HEADER_SIZE) + 4
    if received[HEADER_SIZE:end] != sent[HEADER_SIZE:end]:
        return False
    try:
        _layout(received, end)
    except ForeignError:
        return False
    return True


def truncated(octets: bytes) -> bool:
    """Whether the TC bit is set in a reply (of at least 12 octets)."""
    return octets[2] << 8 & types.TC != 0


def empty(octets: bytes) -> bool:
    """Whether a reply (of at least 12 octets) has no answers."""
    return not (octets[6] or octets[7])


def tidy(octets: bytes) -> bool:
    """Whether a reply that lasting made is tidy in fit's sense: without additional records."""
    return not octets[11]


def rcode(octets: bytes) -> int:
    """The rcode of a reply (of at least 12 octets), its upper bits included.

    Rcodes above 15 come without answers, so a reply with answers isn't searched for its OPT record.
    """
    low = octets[3] & 15
    if octets[6] or octets[7]:
        return low
    opt = _opt(octets)
    return low if opt is None else opt.rcode | low


def has_edns(octets: bytes) -> bool:
    """Whether a reply (of at least 12 octets) has an OPT record."""
    return _opt(octets) is not None


def fit(
    query: Query,
    received: bytes,
    limit: int,
    options: bytes = b"",
    error: ExtendedError | None = None,
    tidy: bool = False,
) -> bytes:
    """The reply for the client, of at most limit (at least 512) octets. Raises ForeignError.

    Id, question, RD and CD are the client's, RA is set, AA clear; AD is told to who asked for it (RFC 6840
    section 5.8). The upstream's OPT record gives way to ours, or to none for a client without EDNS, to whom an
    rcode above 15 is SERVFAIL; of its options only extended errors go along, where there is room, before error. Records that
    don't fit are cut off with TC, except an additional section, which is left out whole and without TC, since
    part of a record set could be taken for all of it. A tidy reply ends with the last record of its authority section
    and isn't truncated: where all of it fits, none of it is looked at.
    """
    qname = query.qname
    end = HEADER_SIZE + len(qname) + 4
    told = types.AD if query.do or query.flags & types.AD else 0
    if tidy and error is None:
        flags = _ANSWER | query.flags & _ECHOED | received[3] & (15 | told)
        if not query.edns and len(received) <= limit:
            return b"".join((_START(query.id, flags), received[4:HEADER_SIZE], qname, received[end - 4 :]))
        opt = opt_record(types.NOERROR, do=query.do, options=options) if query.edns else b""
        if len(received) + len(opt) <= limit:
            return b"".join((_START(query.id, flags), received[4:10], b"\0\1", qname, received[end - 4 :], opt))
    layout = _layout_for(query, received)
    high = layout.opt.rcode if layout.opt else 0
    opt = opt_record(high, do=query.do, options=options) if query.edns else b""
    kept = layout.kept(limit - len(opt))
    cut = layout.ends[kept - 1] if kept else end
    theirs = extended_errors(layout.opt.options) if layout.opt else b""
    if opt and (theirs or error):
        full = opt_record(high, do=query.do, options=options + theirs, error=error)
        opt = full if cut + len(full) <= limit else opt
    an = min(kept, layout.answers)
    ns = min(kept - an, layout.authority)
    flags = _ANSWER | query.flags & _ECHOED
    flags |= types.SERVFAIL if high and not opt else received[3] & 15
    flags |= received[3] & told
    if truncated(received) or kept < layout.answers + layout.authority:
        flags |= types.TC
    head = _HEADER.pack(query.id, flags, 1, an, ns, kept - an - ns + (1 if opt else 0))
    return b"".join((head, query.qname, received[end - 4 : cut], opt))


def check(query: Query, received: bytes) -> None:
    """Raise ForeignError unless received is a whole reply to the query's question, in whatever case and with any id."""
    _layout_for(query, received)


def _layout_for(query: Query, received: bytes) -> _Layout:
    """The layout of a reply to the query's question. Raises ForeignError."""
    end = HEADER_SIZE + len(query.qname)
    if received[HEADER_SIZE:end].lower() != query.name or received[end : end + 4] != _QUESTION(
        query.qtype, query.qclass
    ):
        raise ForeignError("a reply to another question")
    return _layout(received, end + 4)


def _opt(octets: bytes) -> _Opt | None:
    """The OPT record of a reply, None where there is none or the octets are no reply."""
    try:
        return _layout(octets, end_of_plain_name(octets, HEADER_SIZE) + 4).opt
    except (ForeignError, WireError):
        return None


def _layout(octets: bytes, position: int) -> _Layout:
    """The layout of a reply whose records start at position. Raises ForeignError."""
    try:
        _, flags, questions, an, ns, ar = _HEADER.unpack_from(octets)
        if flags & _KIND != types.QR or questions != 1:
            raise ForeignError(f"flags {flags:#06x} and {questions} questions, expected a reply to one")
        if an + ns + ar > RECORD_LIMIT:
            raise ForeignError(f"{an + ns + ar} records, expected at most {RECORD_LIMIT}")
        return _walk(octets, position, an, ns, ar)
    except (WireError, struct.error) as error:
        raise ForeignError(str(error)) from error


def _walk(octets: bytes, position: int, an: int, ns: int, ar: int) -> _Layout:
    """The layout of so many records from position on. Raises ForeignError, WireError, struct.error."""
    ends: list[int] = []
    opt = None
    for number in range(an + ns + ar):
        start = position
        if octets[position : position + 2] == _QNAME_POINTER:  # as most are
            position += 2
        else:
            position = end_of_name(octets, position)
        rtype, ttl, size = _FIXED(octets, position)
        data = position + _FIXED_SIZE
        position = data + size
        if position > len(octets):
            raise ForeignError(f"a record ends at {position}, the message at {len(octets)}")
        if rtype == types.OPT:
            if opt is not None or number < an + ns or octets[start]:
                raise ForeignError("two OPT records, or one out of place or not of the root")
            opt = _Opt(ttl >> 24 << 4, octets[data:position])
        elif opt is None:
            ends.append(position)
    return _Layout(an, ns, ends, opt)


def extended_errors(options: bytes) -> bytes:
    """The extended errors among options (RFC 8914), as options again, up to where they make no sense."""
    errors = b""
    position = 0
    while position + 4 <= len(options):
        code, length = _OPTION(options, position)
        end = position + 4 + length
        if code == types.OPTION_EDE and length >= 2 and end <= len(options):
            errors += options[position:end]
        position = end
    return errors
