"""A datagram or message becomes a Query, or the error that the RFCs ask for, or silence.

Only the header, the one question and the OPT record are decoded; any other record is
stepped over (parser rules P1 to P12). Nothing but QueryError and Ignored comes out of parse.
What a server does with the question, refuse a class or a transfer for instance, isn't decided here.
Standards: RFC 1035 sections 4.1.1 and 4.1.2, RFC 6891, RFC 6895, RFC 7873 section 5.4 (none, but a cookie),
RFC 9619 (one question), RFC 9267.
"""

import struct
from typing import Any, Final

from kdns.dns import types
from kdns.dns.names import Name, fold
from kdns.dns.records import ExtendedError
from kdns.dns.wire import HEADER_SIZE, Record, WireError, end_of_plain_name, option, records_at

PLAIN_PAYLOAD: Final = 512  # octets every client takes over UDP (RFC 1035 section 4.2.1)

_QR_AND_OPCODE: Final = 0xF800
_ONE_QUESTION: Final = 0x0001_0000_0000_0000  # the four counts as one number: QDCOUNT 1, all others 0
_DO: Final = 0x8000

_HEADER: Final = struct.Struct("!HHQ").unpack_from
_QUESTION: Final = struct.Struct("!HH").unpack_from
_OPT_START: Final = b"\0\0\x29"  # the root, and type 41
_OPT: Final = struct.Struct("!HxBHH").unpack_from  # payload, version, flags, length of the options
_OPTION: Final = struct.Struct("!HH").unpack_from

_OPTION_COOKIE: Final = 10
_COOKIE_SIZES: Final = frozenset((8, *range(16, 41)))  # RFC 7873 section 4

# Types that can't be asked for, the rcode they get and why (RFC 6895 section 3.1, RFC 9824 section 3.5).
_NO_QUESTION_TYPES: Final[dict[int, tuple[int, str, ExtendedError | None]]] = {
    0: (types.FORMERR, "type 0 is reserved", None),
    types.OPT: (types.FORMERR, "OPT is no type to ask for", None),
    types.NXNAME: (
        types.FORMERR,
        "NXNAME is no type to ask for",
        ExtendedError(types.EDE_INVALID_QUERY_TYPE),
    ),
    types.TKEY: (types.NOTIMP, "no key exchange", None),
    types.TSIG: (types.FORMERR, "TSIG is no type to ask for", None),
    types.MAILB: (types.NOTIMP, "MAILB is obsolete", None),
    types.MAILA: (types.NOTIMP, "MAILA is obsolete", None),
}


class QueryError(Exception):
    """The query gets an error reply, made of its 12 header octets alone (P12).

    edns says that the reply carries an OPT record, since the client spoke EDNS (RFC 6891 section 7);
    error is sent only in one. Where the rcode is NOERROR, no more than the server's cookie was asked for
    (RFC 7873 section 5.4), and options are the query's, checked as those of a Query.
    """

    def __init__(
        self, rcode: int, reason: str, *, edns: bool = False, error: ExtendedError | None = None, options: bytes = b""
    ) -> None:
        super().__init__(reason)
        self.rcode = rcode
        self.edns = edns
        self.error = error
        self.options = options


class Ignored(Exception):  # noqa: N818 - silence is no error
    """The octets get no reply at all: too short for a header, or themselves a response."""


_FIELDS: Final = (
    *("do", "edns", "edns_version", "flags", "id", "name", "options", "payload", "qclass", "qname", "qtype"),
    "upstream_options",
)


class Query:
    """One question as it was asked; a value, never changed once made.

    qname keeps its case; name is folded, and may be left out where it is to be made of qname.
    flags are the header's 16 bits. payload is what the client can take over UDP, in octets, after
    the limits of RFC 6891 section 6.2.3 (512 without EDNS; at least 512). options is the data of
    the OPT record, for those who know an option; it is never echoed. upstream_options are those
    that go along to upstreams: none of the client's, but what a step puts there.
    """

    __slots__ = _FIELDS

    def __init__(
        self,
        qname: Name,
        qtype: int,
        qclass: int = types.IN,
        id: int = 0,  # noqa: A002 - the header's word
        flags: int = types.RD,
        name: Name | None = None,
        edns: bool = False,
        payload: int = PLAIN_PAYLOAD,
        do: bool = False,
        options: bytes = b"",
        edns_version: int = 0,
        upstream_options: bytes = b"",
    ) -> None:
        self.qname = qname
        self.name = fold(qname) if name is None else name
        self.qtype = qtype
        self.qclass = qclass
        self.id = id
        self.flags = flags
        self.edns = edns
        self.payload = payload
        self.do = do
        self.options = options
        self.edns_version = edns_version
        self.upstream_options = upstream_options

    def replace(self, **changes: Any) -> "Query":
        """This query with other values for some fields; a new qname brings its own folded name."""
        values = {field: getattr(self, field) for field in _FIELDS}
        if "qname" in changes:
            values["name"] = None
        return Query(**values | changes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Query) and all(getattr(self, field) == getattr(other, field) for field in _FIELDS)

    def __hash__(self) -> int:
        return hash((self.id, self.qname, self.qtype, self.qclass))

    def __repr__(self) -> str:
        return f"Query({', '.join(f'{field}={getattr(self, field)!r}' for field in _FIELDS)})"


def parse(octets: bytes) -> Query:
    """The one question of a message, which octets after its counted sections don't hurt.

    Raises QueryError, or Ignored where no reply may be given, and nothing else whatever the octets are.
    Costs about a microsecond for a question alone or with a plain OPT record behind it.
    """
    if len(octets) < HEADER_SIZE:
        raise Ignored(f"{len(octets)} octets, expected at least {HEADER_SIZE}")
    ident, flags, counts = _HEADER(octets)
    if flags & _QR_AND_OPCODE or counts >> 32 != _ONE_QUESTION >> 32:
        raise _no_question(octets, flags, counts)
    try:
        end = end_of_plain_name(octets, HEADER_SIZE)
        qtype, qclass = _QUESTION(octets, end)
        qname = Name(octets[HEADER_SIZE:end])
        if counts == _ONE_QUESTION:
            query = Query(qname, qtype, qclass, ident, flags, Name(qname.lower()))
        else:
            edns = _edns(octets, end + 4, counts, qtype)
            query = Query(qname, qtype, qclass, ident, flags, Name(qname.lower()), *edns)
    except (WireError, struct.error) as error:
        raise QueryError(types.FORMERR, str(error)) from error
    if qtype in _NO_QUESTION_TYPES or not qclass:
        raise _unaskable(query)
    return query


def _edns(octets: bytes, position: int, counts: int, qtype: int) -> tuple[bool, int, bool, bytes]:
    """The edns, payload, do and options of a Query whose records start at position. Raises QueryError, WireError."""
    if counts == _ONE_QUESTION + 1 and octets[position : position + 3] == _OPT_START:
        payload, version, flags, length = _OPT(octets, position + 3)
        if not length and not version:
            return True, max(payload, PLAIN_PAYLOAD), flags & _DO != 0, b""
    opt = _opt_record(octets, position, counts, qtype)
    if opt is None:
        return False, PLAIN_PAYLOAD, False, b""
    if version := opt.ttl >> 16 & 0xFF:
        raise QueryError(types.BADVERS, f"EDNS version {version}", edns=True)
    options = octets[opt.data : opt.end]
    _check_options(options)
    return True, max(opt.rclass, PLAIN_PAYLOAD), opt.ttl & _DO != 0, options


def _opt_record(octets: bytes, position: int, counts: int, qtype: int) -> Record | None:
    """The OPT record among the authority and additional records. Raises QueryError, WireError."""
    authority = counts >> 16 & 0xFFFF
    if authority and qtype != types.IXFR:  # RFC 1995 section 3
        raise QueryError(types.FORMERR, f"{authority} authority records in a query")
    opt = None
    for number, record in enumerate(records_at(octets, position, authority + (counts & 0xFFFF))):
        if record.rtype == types.OPT:
            if opt is not None or number < authority or octets[record.start]:
                raise QueryError(types.FORMERR, "two OPT records, or one out of place or not of the root", edns=True)
            opt = record
        elif record.rtype == types.TSIG:
            raise QueryError(types.FORMERR, "signed with TSIG, which isn't spoken here")
    return opt


def _check_options(options: bytes) -> None:
    """Raise QueryError unless the options fill the record exactly and cookies have a cookie's size (RFC 7873)."""
    position, end = 0, len(options)
    while position < end:
        if position + 4 > end:
            raise QueryError(types.FORMERR, f"{end - position} octets where an EDNS option starts", edns=True)
        code, length = _OPTION(options, position)
        position += 4 + length
        if position > end or (code == _OPTION_COOKIE and length not in _COOKIE_SIZES):
            raise QueryError(types.FORMERR, f"EDNS option {code} of {length} octets", edns=True)


def _no_question(octets: bytes, flags: int, counts: int) -> QueryError | Ignored:
    """What a message gets that isn't a query for one question. Raises QueryError as well."""
    if flags & types.QR:
        return Ignored("a response")
    if flags & _QR_AND_OPCODE:
        return QueryError(types.NOTIMP, f"opcode {flags >> 11 & 15}")
    return _not_one_question(octets, counts)


def _not_one_question(octets: bytes, counts: int) -> QueryError:
    """What a message gets whose counts of questions and answers aren't 1 and 0. Raises QueryError as well."""
    if counts == 1:  # an additional record and nothing else
        try:
            options = _edns(octets, HEADER_SIZE, counts, 0)[-1]
        except (WireError, struct.error) as error:
            return QueryError(types.FORMERR, str(error))
        if option(options, _OPTION_COOKIE) is not None:
            return QueryError(types.NOERROR, "no question, but a cookie", edns=True, options=options)
    questions, answers = counts >> 48, counts >> 32 & 0xFFFF
    return QueryError(types.FORMERR, f"{questions} questions and {answers} answers, expected 1 and 0")


def _unaskable(query: Query) -> QueryError:
    """Why a type or class can't be asked for."""
    if not query.qclass:
        return QueryError(types.FORMERR, "class 0 is reserved", edns=query.edns)
    rcode, reason, error = _NO_QUESTION_TYPES[query.qtype]
    return QueryError(rcode, reason, edns=query.edns, error=error)
