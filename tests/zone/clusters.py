"""Clusters as plain values for tests, and the entries they make.

Addresses, names and ports are text and numbers as a manifest has them; entries_of packs
them one by one, as simply as can be.
"""

import ipaddress
from dataclasses import dataclass, field

from kdns.dns.names import Name, from_text
from kdns.zone.entry import (
    NAMESPACE_ENTRY,
    POD_ENTRY,
    Entry,
    Kind,
    Outside,
    Owner,
    Port,
    import_owner,
    namespace_owner,
    pack_outside,
    pack_service,
    pack_slice,
    pack_zoned,
    pod_owner,
    service_owner,
    with_cluster,
)
from kdns.zone.entry import Service as ServiceEntry
from kdns.zone.index import Index
from kdns.zone.patch import Image, Patch
from kdns.zone.schema import Zone

PortText = tuple[str, str, int]  # name, protocol, number
Endpoint = tuple[str, str]  # address, hostname or ""


@dataclass(frozen=True)
class Slice:
    endpoints: tuple[Endpoint, ...]  # of one family
    ports: tuple[PortText, ...] = ()
    zones: tuple[str, ...] = ()  # a topology zone for each endpoint, or none at all
    cluster: str = ""  # that it was imported from


@dataclass(frozen=True)
class Service:
    kind: Kind = Kind.CLUSTER_IP
    ips: tuple[str, ...] = ()
    target: str = ""
    ports: tuple[PortText, ...] = ()
    slices: tuple[Slice, ...] = ()
    outside: tuple[str, ...] = ()  # addresses, and names that end in a dot


@dataclass(frozen=True)
class Cluster:
    """namespaces are the empty ones; those of Services exist as well. Keys are (namespace, name)."""

    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    pods: frozenset[tuple[str, str]] = frozenset()  # (namespace, address)
    imports: dict[tuple[str, str], Service] = field(default_factory=dict)

    @property
    def every_namespace(self) -> frozenset[str]:
        known = {space for (space, _), one in self.services.items() if one.kind != Kind.SLICES_ONLY}
        known |= {space for space, _ in self.imports}
        return self.namespaces | known | {space for space, _ in self.pods}


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def zone(**changes: object) -> Zone:
    settings: dict[str, object] = {
        "origins": (from_text("cluster.local"),),
        "reverse": (from_text("in-addr.arpa"), from_text("ip6.arpa")),
        "fallthrough": (),
        "ttl": 5,
        "pods": "insecure",
        "addresses": (),
    }
    return Zone(**settings | changes)  # type: ignore[arg-type] # the tests name fields of Zone only


def names(*texts: str) -> tuple[Name, ...]:
    return tuple(from_text(text) for text in texts)


def index_of(cluster: Cluster, revision: int = 1) -> Index:
    index = Index()
    index.load(Image(revision, revision, entries_of(cluster)))
    return index


def patch_between(old: Cluster, new: Cluster, base: int = 1) -> Patch:
    before, after = entries_of(old), entries_of(new)
    puts = {owner: entry for owner, entry in after.items() if before.get(owner) != entry}
    return Patch(base, base + 1, base + 1, puts, tuple(owner for owner in before if owner not in after))


def entries_of(cluster: Cluster) -> dict[Owner, Entry]:
    entries = {namespace_owner(space): NAMESPACE_ENTRY for space in cluster.every_namespace}
    entries |= {pod_owner(space, packed(address)): POD_ENTRY for space, address in cluster.pods}
    entries |= {service_owner(space, name): _service(one) for (space, name), one in cluster.services.items()}
    entries |= {import_owner(space, name): _service(one) for (space, name), one in cluster.imports.items()}
    return entries


def _service(service: Service) -> Entry:
    ips = [packed(ip) for ip in service.ips]
    return pack_service(
        ServiceEntry(
            service.kind,
            b"".join(ip for ip in ips if len(ip) == 4),
            b"".join(ip for ip in ips if len(ip) == 16),
            from_text(service.target) if service.target else b"",
            _ports(service.ports),
            tuple(_slice(one) for one in service.slices),
            pack_outside(_outside(service.outside)),
        )
    )


def _outside(places: tuple[str, ...]) -> Outside:
    ips = [packed(place) for place in places if not place.endswith(".")]
    hosts = tuple(from_text(place) for place in places if place.endswith("."))
    return Outside(b"".join(ip for ip in ips if len(ip) == 4), b"".join(ip for ip in ips if len(ip) == 16), hosts)


def _slice(part: Slice) -> bytes:
    return with_cluster(_plain_slice(part), part.cluster.encode())


def _plain_slice(part: Slice) -> bytes:
    endpoints = [(packed(address), host.encode()) for address, host in part.endpoints]
    size = len(endpoints[0][0]) if endpoints else 4
    if not part.zones:
        return pack_slice(size, _ports(part.ports), endpoints)
    zoned = [(*endpoint, zone.encode()) for endpoint, zone in zip(endpoints, part.zones, strict=True)]
    return pack_zoned(size, _ports(part.ports), zoned)


def _ports(ports: tuple[PortText, ...]) -> tuple[Port, ...]:
    return tuple(Port(number, name.encode(), protocol.encode()) for name, protocol, number in ports)
