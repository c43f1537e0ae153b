"""Addresses of one family for names outside: who can't use the others isn't given them, and upstreams aren't asked twice.

A question for the other family is asked as one for the clients' own, which they ask as well, so that one asking upstream
does for both. A name that exists has no data then (the extended error is Filtered, RFC 8914); one that doesn't is NXDOMAIN for
both. So the types of a name never disagree on whether it exists: a resolver that goes through a search list would stop at
the wrong name otherwise.
Standards: RFC 2308 sections 2 and 5, RFC 8914 section 4.18.
"""

from typing import Final

from kdns.config.directives.searchpath import Searchpath as Settings
from kdns.dns import foreign, reply, types
from kdns.dns.names import Name, from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet, soa
from kdns.dns.wire import HEADER_SIZE
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Failed, Outcome, Relayed, Request, Rest, Transfer, asked_then

NAME: Final = "searchpath"
TTL_S: Final = 30  # how long it is told that there is no data

_FILTERED: Final = ExtendedError(17, "clients have no addresses of this family")
_OTHER: Final = {"ipv4": (types.AAAA, types.A), "ipv6": (types.A, types.AAAA)}
_GOOD: Final = frozenset((types.NOERROR, types.NXDOMAIN))
_RNAME: Final = from_text("nobody.invalid.")


def made(settings: Settings, around: Around) -> "OneFamily | None":
    """The step; none where both families are used, or where that isn't known."""
    family = settings.family
    if family == "auto":
        sizes = {len(address) for address in around.addresses}
        family = {frozenset((4,)): "ipv4", frozenset((16,)): "ipv6"}.get(frozenset(sizes))  # type: ignore[assignment]
    return None if family is None else OneFamily(*_OTHER[family])


class OneFamily:
    """Answers questions for the other family's addresses, and passes all else on."""

    __slots__ = ("_other", "_own")

    def __init__(self, other: int, own: int) -> None:
        """The types of the addresses that clients can't use, and of those they can."""
        self._other = other
        self._own = own

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if query.qtype != self._other or query.qclass != types.IN:
            return rest(request, done)
        asked = request._replace(query=query.replace(qtype=self._own))
        return asked_then(lambda outcome: _without(query, outcome), rest, asked, done)


def _without(query: Query, outcome: Outcome) -> Outcome:
    """What is said of the name, by what was said of its addresses of the clients' family."""
    if isinstance(outcome, (Failed, Transfer)):
        return outcome
    if isinstance(outcome, Answered):
        if outcome.answer.rcode != types.NOERROR or not outcome.answer.answers:
            return outcome._replace(alike=None)
        return outcome._replace(answer=_nodata(query), by=NAME, alike=None)
    rcode = foreign.rcode(outcome.octets)
    if rcode not in _GOOD:
        return Failed(rcode, outcome.error, outcome.by)
    if rcode == types.NXDOMAIN:
        at = HEADER_SIZE + len(query.qname)
        octets = b"".join((outcome.octets[:at], query.qtype.to_bytes(2), outcome.octets[at + 2 :]))
        return outcome._replace(octets=octets, lasting=None)
    plain = Query(query.qname, query.qtype, query.qclass, name=query.name)
    said = reply.render(plain, _nodata(query), limit=reply.TCP_LIMIT, recursion=True)
    return Relayed(said.octets, NAME, outcome.until, _FILTERED, owners=outcome.owners)


def _nodata(query: Query) -> Answer:
    """No data, for a while: as of a zone that begins at the name."""
    zone = Name(query.qname)
    data = soa(zone, _RNAME, 1, 3600, 1200, 604800, TTL_S)
    return Answer(authority=(RecordSet(zone, types.SOA, TTL_S, (data,)),), authoritative=False, error=_FILTERED)
