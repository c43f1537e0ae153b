"""Services imported from other clusters (ServiceImport): their addresses, ports and endpoints, in zones of their own.

An endpoint's name is HOST.CLUSTER.S.N.svc, so two labels below a Service are a port's name only where one of them has an
underscore. Knows nothing of how clusters come to know of each other.
Source: KEP-1645 (Multi-Cluster Services API), section DNS; CoreDNS 1.14, plugin/kubernetes.
"""

from typing import Final

from kdns.dns.records import Answer
from kdns.zone import headless, ports, services
from kdns.zone.entry import Entry, Kind, Owner, Port
from kdns.zone.terms import NODATA, Asked, Family


def at_service(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """S.N.svc: the addresses in front of all clusters, or those of every endpoint."""
    return _AT_SERVICE[entry[0]](entry, owner, asked)


def at_below(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """X.S.N.svc: an endpoint that names no cluster; a cluster or _proto, which only stand above others."""
    found = headless.at_host(entry, owner, asked)
    if found is not None:
        return found
    label = asked.labels[0]
    if any(part.cluster == label for part in headless.slices_of(entry)):
        return NODATA
    return NODATA if ports.have_named(_ports(entry), ports.bare(label)) else None


def at_two(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """HOST.CLUSTER.S.N.svc, and _port._proto.S.N.svc."""
    left, right = asked.labels[0], asked.labels[1]
    if left[1:2] == b"_" or right[1:2] == b"_":
        return _AT_PORT[entry[0]](entry, owner, asked)
    return headless.at_host(entry, owner, asked, right)


def _ports(entry: Entry) -> tuple[Port, ...]:
    if entry[0] == Kind.CLUSTER_IP:
        return services.ports_of(entry)
    return tuple(port for part in headless.slices_of(entry) for port in part.ports)


_AT_SERVICE: Final[dict[int, Family]] = {Kind.CLUSTER_IP: services.at_service, Kind.HEADLESS: headless.at_service}
_AT_PORT: Final[dict[int, Family]] = {Kind.CLUSTER_IP: services.at_port, Kind.HEADLESS: headless.at_port}
