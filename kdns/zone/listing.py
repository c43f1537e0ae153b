"""All records of a primary or outer zone, for who copies it: what the families say of every name that one can know of.

Not among them is what has no end or another form besides: pods' names, topology zones' names, addresses at ports' names.
A listing is of the moment at which it is asked for, whatever patches come while it is read: it holds on to the entries of
then, which are octets that nobody changes, and makes the records of one Service after the other.
Standards: the Kubernetes DNS specification sections 2.3 to 2.5, RFC 5936 section 2.2 (the SOA first).
"""

from collections.abc import Iterator
from typing import Final

from kdns.dns import types
from kdns.dns.names import NAME_LIMIT, Name, is_below
from kdns.dns.query import Query
from kdns.dns.records import RecordSet
from kdns.zone import apex, external, headless, services
from kdns.zone.entry import (
    Entry,
    Kind,
    Owner,
    Port,
    is_import,
    is_service,
    kind_of,
    namespace_of,
    outside_addresses,
    unpack_service,
    unpack_slice,
)
from kdns.zone.index import Index
from kdns.zone.outer import Outer, family
from kdns.zone.outer import answer as outer_answer
from kdns.zone.terms import SVC, Asked, Family, Zone, service_name

_TYPES: Final = (types.A, types.AAAA, types.SRV)
_SERVER: Final = [b"\2ns", b"\3dns"]
_VERSION: Final = [b"\x0bdns-version"]
_AT_SERVICE: Final[dict[Kind, tuple[Family, tuple[int, ...]]]] = {
    Kind.CLUSTER_IP: (services.at_service, _TYPES),
    Kind.HEADLESS: (headless.at_service, _TYPES),
    Kind.EXTERNAL_NAME: (external.at_service, (types.CNAME,)),
}
_AT_PORT: Final[dict[Kind, Family]] = {Kind.CLUSTER_IP: services.at_port, Kind.HEADLESS: headless.at_port}


def listing(index: Index, zone: Zone, origin: Name) -> Iterator[RecordSet]:
    """The record sets of a zone (folded), its SOA first; an index that has been synced."""
    top = [_asked(zone, origin, [], rtype) for rtype in (types.SOA, types.NS)]
    server = [_asked(zone, origin, _SERVER, rtype) for rtype in (types.A, types.AAAA)]
    found = [apex.at_apex(index, zone, each, origin) for each in top]
    found += [apex.at_server(index, zone, each) for each in server]
    found.append(apex.at_version(_asked(zone, origin, _VERSION, types.TXT)))
    return _all([one for each in found for one in each.answers], index.entries.copy(), zone, origin)


def _all(top: list[RecordSet], entries: dict[Owner, Entry], zone: Zone, origin: Name) -> Iterator[RecordSet]:
    yield from top
    imported = zone.is_import(origin)
    for each, entry in entries.items():
        if is_import(each) if imported else is_service(each):
            owner = Owner(each[1:]) if imported else each
            if zone.shows(namespace_of(owner)):
                yield from _service(owner, entry, zone, origin)


def _service(owner: Owner, entry: Entry, zone: Zone, origin: Name) -> Iterator[RecordSet]:
    """The records at a Service's name, at those of its ports, and at those of its endpoints."""
    kind = kind_of(entry)
    if kind not in _AT_SERVICE:
        return
    below = [owner[: owner[0] + 1], owner[owner[0] + 1 :], SVC]
    family, rtypes = _AT_SERVICE[kind]
    yield from _found(family, entry, owner, [_asked(zone, origin, below, rtype) for rtype in rtypes])
    if kind in _AT_PORT:
        for labels in _ports(entry, kind):
            yield from _found(_AT_PORT[kind], entry, owner, [_asked(zone, origin, labels + below, types.SRV)])
        yield from headless.host_sets(entry, service_name(owner, origin), zone.ttl)


def outer_listing(index: Index, outer: Outer, origin: Name) -> Iterator[RecordSet]:
    """The record sets of an outer zone (folded), its SOA first; an index that has been synced."""
    server = outer.server(origin)
    questions = ((origin, types.SOA), (origin, types.NS), (server, types.A), (server, types.AAAA))
    found = [outer_answer(index, outer, Query(*question)) for question in questions]
    top = [one for each in found if each is not None for one in each.answer.answers]
    return _all_outer(top, index.entries.copy(), outer, origin)


def _all_outer(top: list[RecordSet], entries: dict[Owner, Entry], outer: Outer, origin: Name) -> Iterator[RecordSet]:
    yield from top
    for owner, entry in entries.items():
        if is_service(owner) and outer.shows(namespace_of(owner)) and not _is_hidden(owner, outer, origin):
            yield from _outer_service(owner, entry, outer, origin)


def _is_hidden(owner: Owner, outer: Outer, origin: Name) -> bool:
    """Whether names of a Service are those of the zone's name servers, or of a zone within this one."""
    name = Name(owner + origin)
    inner = any(
        is_below(name, other) for other in outer.origins if len(other) > len(origin) and is_below(other, origin)
    )
    return inner or namespace_of(owner) == outer.apex or len(name) > NAME_LIMIT


def _outer_service(owner: Owner, entry: Entry, outer: Outer, origin: Name) -> Iterator[RecordSet]:
    """The records at a Service's name, at those of its ports, and at those of its endpoints, as outside sees them."""
    service = unpack_service(entry)
    own = [owner[: owner[0] + 1], namespace_of(owner)]

    def asked(labels: list[bytes], rtype: int) -> Asked:
        name = Name(b"".join(labels) + origin)
        return Asked(name, rtype, name, labels, origin, outer.ttl, b"")

    is_alias = bool(service.outside) and not outside_addresses(service.outside)
    rtypes = (types.CNAME, types.SRV) if is_alias else _TYPES
    yield from _found(family(entry, 2, endpoints=outer.headless), entry, owner, [asked(own, each) for each in rtypes])
    for labels in _ports(entry, Kind.CLUSTER_IP if service.outside else service.kind):
        at_port = family(entry, 4, endpoints=outer.headless)
        yield from _found(at_port, entry, owner, [asked(labels + own, types.SRV)])
    if outer.headless and not service.outside and service.kind in _AT_PORT:
        yield from headless.host_sets(entry, Name(owner + origin), outer.ttl)


def _found(family: Family, entry: Entry, owner: Owner, questions: list[Asked]) -> Iterator[RecordSet]:
    for asked in questions:
        found = family(entry, owner, asked) if len(asked.qname) <= NAME_LIMIT else None
        if found is not None:
            yield from found.answers


def _ports(entry: Entry, kind: Kind) -> Iterator[list[bytes]]:
    """The labels _port._proto of every port that has a name, each once."""
    unpacked = unpack_service(entry)
    ports: list[Port] = list(unpacked.ports)
    if kind == Kind.HEADLESS:
        ports = [port for packed in unpacked.slices for port in unpack_slice(packed).ports]
    for name, protocol in dict.fromkeys((port.name, port.protocol) for port in ports):
        if name:
            yield [_underscored(name), _underscored(protocol)]


def _underscored(text: bytes) -> bytes:
    return bytes((len(text) + 1,)) + b"_" + text


def _asked(zone: Zone, origin: Name, labels: list[bytes], rtype: int) -> Asked:
    name = Name(b"".join(labels) + origin)
    return Asked(name, rtype, name, labels, origin, zone.ttl)
