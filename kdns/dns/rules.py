"""Rules for all replies of a server block: what is left out, which flags are set or clear, what the server is called, how large.

Each is a function of a reply alone, or of a reply and its question, so a reply that has gone through may be remembered by
the octets of its question. Where each belongs: the flags of a question before the chain sees it, minimal before a reply is
cut to its limit, the identifier among the options that it is rendered with, the flags of a reply last.
Standards: RFC 1035 section 4.1.1 (flags), RFC 5001 (the identifier), RFC 6891 section 6.2.5 (sizes), RFC 4035 section 3.1.3
(proofs are part of an answer for who sent DO).
"""

import struct
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

from kdns.dns import types
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.dns.reply import udp_limit
from kdns.dns.wire import HEADER_SIZE, end_of_plain_name, option, records_at

OPTION_NSID: Final = 3
# Octets of an identifier: with it, a cookie and the longest name, the OPT record fits 512.
NSID_MAX: Final = 128

FLAGS: Final = {"aa": types.AA, "ra": types.RA, "rd": types.RD}

_ALL: Final = 0xFFFF
_RCODE: Final = 15
_COUNTS: Final = struct.Struct("!3H")
_FLAGS: Final = struct.Struct("!H")


class FlagChange(NamedTuple):
    """What becomes of the 16 bits of a header's flags: those of keep stay, those of put are set."""

    keep: int = _ALL
    put: int = 0

    def of(self, flags: int) -> int:
        """The flags as they are to be."""
        return flags & self.keep | self.put

    def of_query(self, query: Query) -> Query:
        """The query with other flags; itself where nothing changes."""
        flags = self.of(query.flags)
        return query if flags == query.flags else query.replace(flags=flags)

    def of_reply(self, octets: bytes) -> bytes:
        """A reply (of at least 12 octets) with other flags; itself where nothing changes."""
        (before,) = _FLAGS.unpack_from(octets, 2)
        flags = self.of(before)
        return octets if flags == before else octets[:2] + _FLAGS.pack(flags) + octets[4:]


UNCHANGED: Final = FlagChange()


def flag_change(rules: Iterable[tuple[bool, Iterable[str]]]) -> FlagChange:
    """What the rules do one after the other, the last of a flag having its way; a rule is whether to set, and names of FLAGS."""
    keep, put = _ALL, 0
    for is_set, names in rules:
        for name in names:
            bit = FLAGS[name]
            keep &= ~bit & _ALL
            put = put | bit if is_set else put & ~bit
    return FlagChange(keep, put)


def minimal(query: Query, answer: Answer) -> Answer:
    """An answer without what its records don't need: without additional records, and without others of authority.

    Denials, errors and what has no answers stay as they are, and for a client that sent DO so do proofs.
    """
    if answer.rcode or not answer.answers or not (answer.authority or answer.additional):
        return answer
    return answer._replace(authority=answer.authority if query.do else (), additional=())


def minimal_reply(query: Query, octets: bytes) -> bytes:
    """The same of a whole reply to the query that isn't rendered here; an OPT record stays. Raises WireError.

    To be done before the reply is cut to a limit: what isn't needed mustn't set TC.
    """
    an, ns, ar = _COUNTS.unpack_from(octets, 6)
    if not an or octets[3] & _RCODE or not (ns or ar):
        return octets
    kept_ns = ns if query.do else 0
    position = end_of_plain_name(octets, HEADER_SIZE) + 4
    cut = 0
    opt = b""
    for number, record in enumerate(records_at(octets, position, an + ns + ar), 1):
        if number == an + kept_ns:
            cut = record.end
        if number > an + ns and record.rtype == types.OPT:
            opt = octets[record.start : record.end]
    counts = _COUNTS.pack(an, kept_ns, 1 if opt else 0)
    return octets[:6] + counts + octets[HEADER_SIZE:cut] + opt


def nsid_option(asked: bytes, identifier: bytes) -> bytes:
    """The EDNS option that names the server, if the options that were asked with (checked by parse) ask for it, else nothing.

    identifier has at most NSID_MAX octets.
    """
    if option(asked, OPTION_NSID) is None:
        return b""
    return struct.pack("!HH", OPTION_NSID, len(identifier)) + identifier


def size_limit(octets: int) -> Callable[[Query], int]:
    """How large a reply over UDP may be where it may have so many octets at the most: what the client takes, and no more."""
    return partial(udp_limit, most=octets)
