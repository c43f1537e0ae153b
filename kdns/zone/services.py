"""Services with a ClusterIP: their addresses, at their name and at their ports' names.

Names of endpoints exist below them too; those are headless' to answer.
Standards: the Kubernetes DNS specification section 2.3.
"""

from collections.abc import Iterable

from kdns.dns import types
from kdns.dns.names import Name
from kdns.dns.records import Answer, RecordSet
from kdns.zone import headless, ports
from kdns.zone.entry import Entry, Owner, Port, cluster_ips, unpack_service
from kdns.zone.terms import ADDRESS_SIZES, NODATA, Asked, address_set


def at_service(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """S.N.svc: the ClusterIPs; SRV for every port, with a name or without."""
    if asked.qtype == types.SRV:
        return _srv(entry, owner, asked, unpack_service(entry).ports)
    return _addresses(entry, asked)


def at_endpoint(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """HOST.S.N.svc: the endpoint of that name; _proto.S.N.svc, above a port's name, has no records of its own."""
    found = headless.at_host(entry, owner, asked)
    if found is None and ports.have_named(unpack_service(entry).ports, ports.bare(asked.labels[0])):
        return NODATA
    return found


def at_port(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """_port._proto.S.N.svc: SRV for the ports of that name, and the ClusterIPs themselves."""
    matched = ports.matching(unpack_service(entry).ports, asked)
    if not matched:
        return None
    if asked.qtype == types.SRV:
        return _srv(entry, owner, asked, matched)
    return _addresses(entry, asked)


def ports_of(entry: Entry) -> tuple[Port, ...]:
    """The ports of the Service itself."""
    return unpack_service(entry).ports


def address_sets(entry: Entry, name: Name, ttl: int) -> tuple[RecordSet, ...]:
    """The A and AAAA records that name has if it is the Service's."""
    return tuple(address_set(name, ttl, size, octets) for size in (4, 16) if (octets := cluster_ips(entry, size)))


def _addresses(entry: Entry, asked: Asked) -> Answer:
    size = ADDRESS_SIZES.get(asked.qtype)
    if size is None:
        return NODATA
    octets = cluster_ips(entry, size)
    return Answer(0, (address_set(asked.qname, asked.ttl, size, octets),)) if octets else NODATA


def _srv(entry: Entry, owner: Owner, asked: Asked, matched: tuple[Port, ...]) -> Answer:
    target = asked.service(owner)
    addresses = len(cluster_ips(entry, 4)) // 4 + len(cluster_ips(entry, 16)) // 16

    def glue(targets: Iterable[Name]) -> tuple[RecordSet, ...]:
        return tuple(found for name in targets for found in address_sets(entry, name, asked.ttl))

    return ports.srv(asked, [ports.Offer(matched, [target] * addresses)], glue)
