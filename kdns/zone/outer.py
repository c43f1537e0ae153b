"""Outer zones: what a name denotes in a zone for those outside the cluster, and so whose change could change its answer.

S.N.Z is the Service S of the namespace N, as far as it can be reached from outside (outside); with headless also by its
endpoints. The owner of a name is that of the Service's names inside. The zone's name servers are below a label of its own,
which no namespace's names are seen behind. Reverse names are those of addresses outside alone.
Standards: RFC 1035 section 3.3.13, RFC 2308, RFC 8020, RFC 4343. Source: CoreDNS 1.14, plugin/k8s_external; no specification.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from kdns.dns import types
from kdns.dns.names import NAME_LIMIT, Name, is_below
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.zone import apex, headless, outside, reverse
from kdns.zone.entry import (
    APEX,
    STATIC,
    Entry,
    Kind,
    Owner,
    address_owner,
    has_outside,
    kind_of,
    namespace_of,
    namespace_owner_of,
    outside_addresses,
    slice_addresses,
    unpack_service,
)
from kdns.zone.index import Index
from kdns.zone.terms import (
    ADDRESS_SIZES,
    NODATA,
    NOT_READY,
    Asked,
    Family,
    Found,
    address_set,
    labels_before,
    nowhere,
    reachable,
)

_BRANCH: Final = b""  # nothing stands between a namespace and the zone
_NS: Final = b"\3ns1"

_Denoted: TypeAlias = tuple[Answer | None, Owner]


@dataclass(frozen=True, slots=True)
class Outer:
    """What the operator decided about outer zones."""

    origins: tuple[Name, ...]  # folded; the first one's names are what reverse names lead to
    reverse: tuple[Name, ...] = ()  # folded: in-addr.arpa., ip6.arpa. or narrower ones
    fallthrough: tuple[Name, ...] = ()  # folded zones whose unknown names go on to the next step
    ttl: int = 5  # seconds
    apex: bytes = b"\3dns"  # the label below which name servers are, folded, with its length octet
    headless: bool = False  # whether Services without addresses outside have their endpoints' instead
    addresses: tuple[bytes, ...] = ()  # the server's own, 4 or 16 octets; link-local ones are left out here
    # The only namespaces that are there, as labels with their length octets, folded; all if there are none.
    namespaces: frozenset[bytes] = frozenset()
    places: tuple[tuple[Name, bool], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Leaves link-local addresses out, and orders the zones: the longest first, and whether it is a reverse one."""
        places = dict.fromkeys(self.reverse, True) | dict.fromkeys(self.origins, False)
        object.__setattr__(self, "places", tuple(sorted(places.items(), key=lambda place: -len(place[0]))))
        object.__setattr__(self, "addresses", reachable(self.addresses))

    def shows(self, namespace: bytes) -> bool:
        """Whether names in the namespace, a folded label with its length octet, may exist."""
        return not self.namespaces or namespace in self.namespaces

    def server(self, origin: Name) -> Name:
        """The name of the name server of a zone."""
        return Name(_NS + self.apex + origin)


def answer(index: Index, outer: Outer, query: Query) -> Found | None:
    """The answer to a query of class IN, with the owner that it depends on.

    None for a name that isn't the zones', or that doesn't exist and falls through: the next step may answer. With chase,
    that name has to be asked for and its answer added.
    """
    name = query.name
    for origin, is_reverse in outer.places:
        if name.endswith(origin):
            end = len(name) - len(origin)
            labels = labels_before(name, end)
            if labels is not None:
                asked = Asked(query.qname, query.qtype, name, labels, Name(query.qname[end:]), outer.ttl, _BRANCH)
                if not index.synced:
                    return _before_sync(outer, origin, asked, is_reverse)
                return _in_zone(index, outer, asked, is_reverse)
    return None


def family(entry: Entry, labels: int, *, endpoints: bool) -> Family:
    """Who answers a name of so many labels, of which the last two are a Service's; 2 to 4."""
    if unpack_service(entry).outside:
        return _OUTSIDE[labels - 2]
    return _ENDPOINTS.get(kind_of(entry), _NOWHERE)[labels - 2] if endpoints else nowhere


def _in_zone(index: Index, outer: Outer, asked: Asked, is_reverse: bool) -> Found | None:
    found, owner = (_reverse if is_reverse else _primary)(index, outer, asked)
    if found is not None and found.answers:
        first = found.answers[0]
        leads_on = first.rtype == types.CNAME != asked.qtype
        return Found(found, (owner,), Name(first.rdatas[0]) if leads_on else None)
    of_apex = not is_reverse and asked.labels[-1:] == [outer.apex]
    if found is None and not of_apex and _falls_through(outer, asked.name):
        return None
    primary = outer.origins[0] if is_reverse else asked.origin
    rcode = types.NXDOMAIN if found is None else types.NOERROR
    return Found(_denial(rcode, asked.origin, outer.server(primary), index.serial, outer.ttl), (owner,))


def _falls_through(outer: Outer, name: Name) -> bool:
    return any(is_below(name, through) for through in outer.fallthrough)


def _before_sync(outer: Outer, origin: Name, asked: Asked, is_reverse: bool) -> Found | None:
    """Nothing is known of the cluster: nothing that may be its own is denied or left to others."""
    others = is_reverse and asked.labels and not reverse.may_be_ours(origin, reverse.address_of(asked))
    return None if others and _falls_through(outer, asked.name) else NOT_READY


def _primary(index: Index, outer: Outer, asked: Asked) -> _Denoted:
    labels = asked.labels
    if not labels:
        return _at_apex(index, outer, asked, asked.origin), APEX
    if labels[-1] == outer.apex:
        return _below_apex(index, outer, asked)
    namespace = labels[-1]
    owner = namespace_owner_of(namespace)
    if len(labels) > 1:
        owner = Owner(labels[-2] + namespace)
    if not outer.shows(namespace) or len(labels) > 4:
        return None, owner
    entry = index.entries.get(owner)
    if entry is None or len(labels) == 1:
        return None if entry is None else NODATA, owner
    return family(entry, len(labels), endpoints=outer.headless)(entry, owner, asked), owner


def _above_endpoints(entry: Entry, _owner: Owner, _asked: Asked) -> Answer | None:
    """S.N of a Service that has nothing outside but its endpoints, which have names below it."""
    return NODATA if headless.slices_of(entry) else None


_NOWHERE: Final[tuple[Family, Family, Family]] = (nowhere, nowhere, nowhere)
# By the number of labels left of the Service's: S.N, X.S.N, Y.X.S.N
_OUTSIDE: Final[tuple[Family, Family, Family]] = (outside.at_service, outside.at_protocol, outside.at_port)
_ENDPOINTS: Final[dict[Kind, tuple[Family, Family, Family]]] = {
    Kind.HEADLESS: (headless.at_service, headless.at_endpoint, headless.at_port),
    Kind.CLUSTER_IP: (_above_endpoints, headless.at_host, nowhere),
}


# The zone itself


def _at_apex(index: Index, outer: Outer, asked: Asked, primary: Name) -> Answer:
    server = outer.server(primary)
    if asked.qtype == types.SOA:
        return Answer(0, (_soa(asked.qname, server, index.serial, outer.ttl),))
    if asked.qtype == types.NS:
        return Answer(0, (RecordSet(asked.qname, types.NS, asked.ttl, (server,)),), (), _servers(index, outer, server))
    return NODATA


def _below_apex(index: Index, outer: Outer, asked: Asked) -> _Denoted:
    """The label of the name server and what is below it, none of which falls through: ns1.dns alone has records."""
    if len(asked.labels) == 1:
        return NODATA, STATIC
    if asked.labels[:-1] != [_NS]:
        return None, STATIC
    found = tuple(each for each in _servers(index, outer, asked.qname) if each.rtype == asked.qtype)
    return Answer(0, found) if found else NODATA, APEX


def _servers(index: Index, outer: Outer, name: Name) -> tuple[RecordSet, ...]:
    """The addresses of the name server: those outside of the Services that this server is an endpoint of, or its own."""
    owners = dict.fromkeys(owner for own in outer.addresses for owner in apex.selecting(index, outer.shows, own))
    found = [address for owner in owners for address in _reached_at(index.entries[owner], outer)]
    by_size = {
        size: b"".join(dict.fromkeys(each for each in found or outer.addresses if len(each) == size))
        for size in ADDRESS_SIZES.values()
    }
    return tuple(address_set(name, outer.ttl, size, octets) for size, octets in by_size.items() if octets)


def _reached_at(entry: Entry, outer: Outer) -> list[bytes]:
    service = unpack_service(entry)
    if outer.headless and service.kind == Kind.HEADLESS and not service.outside:
        return [address for packed in service.slices for address in slice_addresses(packed)]
    return outside_addresses(service.outside)


@lru_cache(maxsize=256)
def _denial(rcode: int, origin: Name, server: Name, serial: int, ttl: int) -> Answer:
    """No data (NOERROR) or no name (NXDOMAIN) in the zone origin."""
    return Answer(rcode, authority=(_soa(origin, server, serial, ttl),))


def _soa(origin: Name, server: Name, serial: int, ttl: int) -> RecordSet:
    rdata = apex.authority(server, Name(server[len(_NS) :]), serial, ttl)
    return RecordSet(origin, types.SOA, ttl, (rdata,))


# Reverse names


def _reverse(index: Index, outer: Outer, asked: Asked) -> _Denoted:
    if not asked.labels:
        return _at_apex(index, outer, asked, outer.origins[0]), APEX
    address = reverse.address_of(asked)
    if address is None:
        return None, STATIC
    owners = [owner for owner in index.owners_at(address) if outer.shows(namespace_of(owner))]
    every = [Name(each + outer.origins[0]) for each in owners if _is_outside(index.entries[each], address)]
    names = tuple(name for name in every if len(name) <= NAME_LIMIT)
    owner = address_owner(address)
    if not names:
        return None, owner
    if asked.qtype != types.PTR:
        return NODATA, owner
    return Answer(0, (RecordSet(asked.qname, types.PTR, asked.ttl, names),)), owner


def _is_outside(entry: Entry, address: bytes) -> bool:
    return has_outside(unpack_service(entry).outside, address)


__all__ = ["Outer", "answer", "family"]
