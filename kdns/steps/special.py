"""Special-use names, answered here and never leaked to an upstream.

localhost and the loopback's reverse names; invalid and onion, which don't exist; the
resolver's own name; the reverse zones of addresses that mean nothing beyond a machine or a
document. The private ranges (RFC 1918, 6598, ULA) are not among them: clusters and their
networks use them, and an upstream often knows their names.
Standards: RFC 6761 sections 6.3 and 6.4, RFC 7686, RFC 9462 section 6.4, RFC 6303 sections 4.2 to 4.6.
"""

from typing import Final

from kdns.dns import types
from kdns.dns.names import Name, from_text, is_below
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet, soa
from kdns.steps.chain import Answered, Done, Outcome, Request, Rest
from kdns.zone.entry import STATIC

TTL: Final = 10800  # seconds; the SOA's minimum in RFC 6303 section 3

_LOCALHOST: Final = from_text("localhost.")
_ONE_V6: Final = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."
_ZERO_V6: Final = "0" + _ONE_V6[1:]

# Names with records: all that there are below the zones that follow.
_RECORDS: Final[dict[tuple[Name, int], bytes]] = {
    (_LOCALHOST, types.A): bytes((127, 0, 0, 1)),
    (_LOCALHOST, types.AAAA): bytes(15) + b"\1",
    (from_text("1.0.0.127.in-addr.arpa."), types.PTR): _LOCALHOST,
    (from_text(_ONE_V6), types.PTR): _LOCALHOST,
}
_NAMES: Final = frozenset(
    (
        *(name for name, _ in _RECORDS),
        *map(from_text, ("0.127.in-addr.arpa.", "0.0.127.in-addr.arpa.")),  # exist, since one below does (RFC 8020)
    )
)

_ZONES: Final = tuple(
    from_text(text)
    for text in (
        "localhost.",
        "invalid.",
        "onion.",
        "resolver.arpa.",
        "0.in-addr.arpa.",
        "127.in-addr.arpa.",
        "254.169.in-addr.arpa.",
        "2.0.192.in-addr.arpa.",
        "100.51.198.in-addr.arpa.",
        "113.0.203.in-addr.arpa.",
        "255.255.255.255.in-addr.arpa.",
        _ZERO_V6,
        _ONE_V6,
        "8.e.f.ip6.arpa.",
        "9.e.f.ip6.arpa.",
        "a.e.f.ip6.arpa.",
        "b.e.f.ip6.arpa.",
        "8.b.d.0.1.0.0.2.ip6.arpa.",
    )
)
_LAST_LABELS: Final = tuple(map(Name, (b"\x09localhost\0", b"\x07invalid\0", b"\x05onion\0", b"\x04arpa\0")))
# Zones whose every name has the records of the zone's own (RFC 6761 section 6.3) or none (RFC 9462 section 6.4).
_WHOLE: Final = frozenset((_LOCALHOST, from_text("resolver.arpa.")))
# Zones that don't exist even at their top (RFC 6761 section 6.4, RFC 7686 section 2).
_ABSENT: Final = frozenset((from_text("invalid."), from_text("onion.")))
# Zones without SOA and NS to ask for: those, and the one with addresses alone (RFC 6761 section 6.3).
_BARE: Final = _ABSENT | {_LOCALHOST}


class Special:
    """Answers special-use names and passes all others on."""

    __slots__ = ()
    places: Final = _LAST_LABELS

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if not query.name.endswith(_LAST_LABELS) or query.qclass != types.IN:  # nearly every name
            return rest(request, done)
        answer = special_answer(query)
        return rest(request, done) if answer is None else Answered(answer, (STATIC,), "special")


def special_answer(query: Query) -> Answer | None:
    """The answer to a special-use name, None for any other."""
    name = query.name
    zone = next((zone for zone in _ZONES if is_below(name, zone)), None)
    if zone is None:
        return None
    owner = zone if zone in _WHOLE else name
    rdata = _RECORDS.get((owner, query.qtype))
    if rdata is None and name == zone and zone not in _BARE:
        rdata = _of_zone(zone, query.qtype)
    if rdata is not None:
        return Answer(answers=(RecordSet(query.qname, query.qtype, TTL, (rdata,)),))
    exists = owner in _NAMES or (owner == zone and zone not in _ABSENT)
    denial = (RecordSet(zone, types.SOA, TTL, (_soa(zone),)),)
    return Answer(types.NOERROR if exists else types.NXDOMAIN, authority=denial)


def _of_zone(zone: Name, qtype: int) -> bytes | None:
    """What a locally served zone has at its top (RFC 6303 section 3)."""
    if qtype == types.SOA:
        return _soa(zone)
    return zone if qtype == types.NS else None


def _soa(zone: Name) -> bytes:
    """The SOA of RFC 6303 section 3."""
    return soa(zone, from_text("nobody.invalid."), 1, 3600, 1200, 604800, TTL)
