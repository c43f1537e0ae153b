"""Services from outside the cluster: the addresses they have there, at their name and at their ports' names.

These are what load balancers were given and what spec.externalIPs names; whether somebody answers there is not known here.
A load balancer that has a host name instead of an address is a CNAME. A CNAME stands alone, so the first host name counts,
and none where there are addresses; SRV records lead to all of them.
Standards: RFC 1034 section 3.6.2, RFC 2181 section 10.1, RFC 2782. Source: CoreDNS 1.14, plugin/k8s_external; no specification.
"""

from collections.abc import Iterable
from typing import Final

from kdns.dns import types
from kdns.dns.names import Name
from kdns.dns.records import Answer, RecordSet
from kdns.zone import ports
from kdns.zone.entry import Entry, Outside, Owner, Port, unpack_outside, unpack_service
from kdns.zone.terms import ADDRESS_SIZES, NODATA, Asked, address_set

_LED: Final = frozenset((*ADDRESS_SIZES, types.CNAME))


def at_service(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """S.N: the addresses, or the host name; SRV for every port, with a name or without."""
    service = unpack_service(entry)
    return _said(unpack_outside(service.outside), service.ports, owner, asked)


def at_protocol(entry: Entry, _owner: Owner, asked: Asked) -> Answer | None:
    """_proto.S.N, which only stands above ports' names."""
    return NODATA if ports.have_named(unpack_service(entry).ports, ports.bare(asked.labels[0])) else None


def at_port(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """_port._proto.S.N: SRV for the ports of that name, and what the Service's own name has."""
    service = unpack_service(entry)
    matched = ports.matching(service.ports, asked)
    return _said(unpack_outside(service.outside), matched, owner, asked) if matched else None


def _said(outside: Outside, matched: tuple[Port, ...], owner: Owner, asked: Asked) -> Answer:
    if asked.qtype == types.SRV:
        return _srv(outside, matched, owner, asked)
    if not (outside.v4 or outside.v6):
        if asked.qtype not in _LED:
            return NODATA
        return Answer(0, (RecordSet(asked.qname, types.CNAME, asked.ttl, outside.hosts[:1]),))
    found = [each for each in _sets(outside, asked.qname, asked.ttl) if each.rtype == asked.qtype]
    return Answer(0, tuple(found)) if found else NODATA


def _srv(outside: Outside, matched: tuple[Port, ...], owner: Owner, asked: Asked) -> Answer:
    own = asked.service(owner)
    targets = [own] * (len(outside.v4) // 4 + len(outside.v6) // 16) + list(outside.hosts)

    def glue(found: Iterable[Name]) -> tuple[RecordSet, ...]:
        return _sets(outside, own, asked.ttl) if own in found else ()

    return ports.srv(asked, [ports.Offer(matched, targets)], glue)


def _sets(outside: Outside, name: Name, ttl: int) -> tuple[RecordSet, ...]:
    """The A and AAAA records that the name has if it is the Service's."""
    families = ((4, outside.v4), (16, outside.v6))
    return tuple(address_set(name, ttl, size, octets) for size, octets in families if octets)
