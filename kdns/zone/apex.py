"""What the zones themselves have: SOA and NS, the name servers' addresses, and how a denial says whose it is.

Name servers are the Services that the server's own addresses are endpoints of; where there
is none, or the zone has no names of this cluster's Services, ns.dns below the primary zone with those addresses. Reverse zones have no names of
their own, so theirs are the first primary zone's.
Standards: RFC 1035 section 3.3.13, RFC 2308 sections 3 and 5; the values of the SOA and the
schema's version are those that clusters know from CoreDNS.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from kdns.dns import records, types
from kdns.dns.names import Name
from kdns.dns.records import Answer, RecordSet
from kdns.zone import headless, services
from kdns.zone.entry import Entry, Kind, Owner, kind_of, namespace_of, slice_index, unpack_service
from kdns.zone.index import Index
from kdns.zone.terms import ADDRESS_SIZES, NODATA, Asked, Zone, address_set, service_name

_NS: Final = b"\2ns\3dns"
HOSTMASTER: Final[bytes] = b"\x0ahostmaster"
_REFRESH, _RETRY, _EXPIRE = 7200, 1800, 86400  # seconds
_SOA_TTL_LIMIT: Final = 300  # seconds
_VERSION: Final = records.txt(b"1.1.0")
_VERSION_TTL: Final = 28800  # seconds, as the specification's example has it


@lru_cache(maxsize=256)
def denial(rcode: int, origin: Name, primary: Name, serial: int, ttl: int) -> Answer:
    """No data (NOERROR) or no name (NXDOMAIN) in the zone origin, whose SOA names the primary zone's server."""
    return Answer(rcode, authority=(_soa(origin, primary, serial, ttl),))


def at_apex(index: Index, zone: Zone, asked: Asked, primary: Name) -> Answer:
    """The zone's own name; primary is the zone that the name servers are in."""
    if asked.qtype == types.SOA:
        return Answer(0, (_soa(asked.qname, primary, index.serial, zone.ttl),))
    if asked.qtype == types.NS:
        servers = _servers(index, zone, primary)
        names = tuple(dict.fromkeys(server.name for server in servers)) or (_server_name(primary),)
        return Answer(0, (RecordSet(asked.qname, types.NS, asked.ttl, names),), (), servers)
    return NODATA


def at_server(index: Index, zone: Zone, asked: Asked) -> Answer:
    """ns.dns: the addresses of all name servers."""
    size = ADDRESS_SIZES.get(asked.qtype)
    servers = _servers(index, zone, asked.origin)
    octets = [address for server in servers if server.rtype == asked.qtype for address in server.rdatas]
    if size is None or not octets:
        return NODATA
    return Answer(0, (address_set(asked.qname, asked.ttl, size, b"".join(dict.fromkeys(octets))),))


def at_version(asked: Asked) -> Answer:
    """dns-version: the version of the Kubernetes DNS specification."""
    if asked.qtype != types.TXT:
        return NODATA
    return Answer(0, (RecordSet(asked.qname, types.TXT, _VERSION_TTL, (_VERSION,)),))


def _soa(origin: Name, primary: Name, serial: int, ttl: int) -> RecordSet:
    rdata = authority(_server_name(primary), primary, serial, ttl)
    return RecordSet(origin, types.SOA, min(ttl, _SOA_TTL_LIMIT), (rdata,))


def authority(server: Name, parent: Name, serial: int, ttl: int) -> bytes:
    """The data of a SOA record: the server, the hostmaster below the parent, and for how long denials may be kept, in seconds."""
    return records.soa(server, Name(HOSTMASTER + parent), serial, _REFRESH, _RETRY, _EXPIRE, ttl)


def _server_name(primary: Name) -> Name:
    return Name(_NS + primary)


def _servers(index: Index, zone: Zone, primary: Name) -> tuple[RecordSet, ...]:
    """The addresses of the name servers, by name and family."""
    owners = dict.fromkeys(owner for own in zone.addresses for owner in selecting(index, zone.shows, own))
    found = tuple(
        server for owner in owners for server in _service_sets(index.entries[owner], owner, primary, zone.ttl)
    )
    if found and not zone.is_import(primary):
        return found
    addresses = [address for server in found for address in server.rdatas] or zone.addresses
    by_size = {size: b"".join(dict.fromkeys(a for a in addresses if len(a) == size)) for size in (4, 16)}
    name = _server_name(primary)
    return tuple(address_set(name, zone.ttl, size, octets) for size, octets in by_size.items() if octets)


def selecting(index: Index, shows: Callable[[bytes], bool], address: bytes) -> list[Owner]:
    """The Services, of the namespaces that are shown, that have the address among their endpoints."""
    return [
        owner
        for owner in index.owners_at(address)
        if shows(namespace_of(owner))
        and any(
            packed[0] == len(address) and slice_index(packed, address) >= 0
            for packed in unpack_service(index.entries[owner]).slices
        )
    ]


def _service_sets(entry: Entry, owner: Owner, primary: Name, ttl: int) -> tuple[RecordSet, ...]:
    """The addresses under which the server is reached through a Service of its own."""
    kind = kind_of(entry)
    if kind == Kind.CLUSTER_IP:
        return services.address_sets(entry, service_name(owner, primary), ttl)
    if kind == Kind.HEADLESS:
        return headless.host_sets(entry, service_name(owner, primary), ttl)
    return ()
