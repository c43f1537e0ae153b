"""A datagram or message becomes a Query, or the error that the RFCs ask for, or silence.

Only the header, the one question and the OPT record are decoded; any other record is
stepped over (parser rules P1 to P12). Nothing but QueryError and Ignored comes out of parse.
Standards: RFC 1035 sections 4.1.1 and 4.1.2, RFC 6891, RFC 9619 (one question), RFC 9267.
"""


class QueryError(Exception):
    """The query gets an error reply, made of its 12 header octets alone (P12)."""

    def __init__(self, rcode: int, reason: str) -> None:
        super().__init__(reason)
        self.rcode = rcode


class Ignored(Exception):  # noqa: N818 - silence is no error
    """The octets get no reply at all: too short for a header, or themselves a response."""


class Query:
    """One question as it was asked.

    qname keeps its case; name is folded. payload is what the client can take over UDP, in
    octets, after the limits of RFC 6891 section 6.2.3 (512 without EDNS; at least 512).
    """

    __slots__ = ("do", "edns", "edns_version", "flags", "id", "name", "options", "payload", "qclass", "qname", "qtype")
