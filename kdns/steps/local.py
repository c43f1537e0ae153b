"""local: names that mean the machine itself, and reverse zones of addresses that mean nothing to others, never leave it.

localhost and whatever lies below; localhost.DOMAIN, unless that is switched off; 0, 127 and 255 of in-addr.arpa. TTL and SOA
are CoreDNS'. Answers aren't authoritative, as there.
Standards: RFC 6761 section 6.3, RFC 6303, RFC 8020 (a name above one that exists does exist).
"""

from typing import Final

from kdns.config.directives.local import Local as Settings
from kdns.dns import types
from kdns.dns.names import ROOT, Name, from_text, is_below
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet, soa
from kdns.steps.apart import apart
from kdns.steps.around import Around, Samples
from kdns.steps.chain import Answered, Done, Outcome, Request, Rest
from kdns.zone.entry import STATIC

NAME: Final = "local"
TTL: Final = 604800  # seconds

_LOCALHOST: Final = from_text("localhost.")
_PREFIX: Final = _LOCALHOST[:-1]
_ZONES: Final = tuple(map(from_text, ("localhost.", "0.in-addr.arpa.", "127.in-addr.arpa.", "255.in-addr.arpa.")))
_LOOPBACK: Final = {types.A: bytes((127, 0, 0, 1)), types.AAAA: bytes(15) + b"\1"}
_REVERSE: Final = from_text("1.0.0.127.in-addr.arpa.")
_ABOVE: Final = frozenset(map(from_text, ("0.127.in-addr.arpa.", "0.0.127.in-addr.arpa.")))
_SOA: Final = soa(_LOCALHOST, from_text("root.localhost."), 1, 0, 0, 0, TTL)


def make(settings: Settings, around: Around) -> "Local":  # noqa: ARG001 - every step is made so
    """The step."""
    return Local(settings)


class Local:
    """Answers local names and passes all others on."""

    __slots__ = ("_anywhere", "_endings", "_prefix", "localhosts")

    def __init__(self, settings: Settings) -> None:
        self._endings = _ZONES
        self._prefix = _PREFIX if settings.localhost_prefix else _LOCALHOST
        self._anywhere = (ROOT,) if settings.localhost_prefix else ()  # where a name of ours may be
        self.localhosts = 0  # questions for names below localhost, and for localhost.DOMAIN

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        name = query.name
        if not (name.endswith(self._endings) or name.startswith(self._prefix)):
            return apart(rest(request, done), self._anywhere)
        if name != _LOCALHOST and (is_below(name, _LOCALHOST) or name.startswith(self._prefix)):
            self.localhosts += 1
            # Not remembered, since each is counted.
            return Answered(_of_localhost(query), (), NAME)
        zone = next((zone for zone in _ZONES if is_below(name, zone)), None)
        return rest(request, done) if zone is None else Answered(_in_zone(query, zone), (STATIC,), NAME)

    def counts_at(self, server: str, zones: str, view: str) -> Samples:  # noqa: ARG002 - as every step's
        """Samples as steps.around has them."""
        return {("coredns_local_localhost_requests_total", ()): float(self.localhosts)}


def _of_localhost(query: Query) -> Answer:
    """Addresses of the loopback for any name that is localhost's."""
    address = _LOOPBACK.get(query.qtype)
    return _denial(types.NOERROR, query.qname) if address is None else _answer(query, address)


def _in_zone(query: Query, zone: Name) -> Answer:
    name = query.name
    if name == zone:
        if query.qtype == types.SOA:
            return _answer(query, _SOA)
        if query.qtype == types.NS:
            return _answer(query, _LOCALHOST)
        return _of_localhost(query) if zone == _LOCALHOST else _denial(types.NOERROR, query.qname)
    if name == _REVERSE and query.qtype == types.PTR:
        return _answer(query, _LOCALHOST)
    exists = name == _REVERSE or name in _ABOVE
    return _denial(types.NOERROR if exists else types.NXDOMAIN, Name(query.qname[-len(zone) :]))


def _answer(query: Query, rdata: bytes) -> Answer:
    return Answer(answers=(RecordSet(query.qname, query.qtype, TTL, (rdata,)),), authoritative=False)


def _denial(rcode: int, zone: Name) -> Answer:
    return Answer(rcode, authority=(RecordSet(zone, types.SOA, TTL, (_SOA,)),), authoritative=False)
