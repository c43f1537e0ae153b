"""Reverse names: which address a name stands for, and the names that the cluster has for an address.

A ClusterIP has one name, its Service's; an endpoint has one per Service whose slices hold
it, whether or not that Service is there. They are of the first primary zone, and only of namespaces that it shows.
Standards: RFC 1035 section 3.5, RFC 3596 section 2.5, RFC 1918, RFC 6598, RFC 4193; the
Kubernetes DNS specification sections 2.3.3 and 2.4.3.
"""

from binascii import Error as NotHex
from binascii import unhexlify
from typing import Final

from kdns.dns import types
from kdns.dns.names import NAME_LIMIT, Name
from kdns.dns.records import Answer, RecordSet
from kdns.zone import dashed, headless
from kdns.zone.entry import Owner, cluster_ips, namespace_of, unpack_service
from kdns.zone.index import Index
from kdns.zone.terms import NODATA, Asked, Zone, service_name

IN_ADDR: Final = Name(b"\7in-addr\4arpa\0")
IP6: Final = Name(b"\3ip6\4arpa\0")

_NIBBLES: Final = b"\1" * 32
# Networks that clusters number from: the bits to shift an IPv4 address by, and what is left of it then.
_PRIVATE: Final = ((24, 10), (20, 0xAC1), (16, 0xC0A8), (22, 0x191))  # RFC 1918; 100.64.0.0/10 of RFC 6598


def address_of(asked: Asked) -> bytes | None:
    """The address (4 or 16 octets) whose full reverse name was asked for; None for any other name."""
    name = asked.name
    if name.endswith(IN_ADDR):
        parts = name[: -len(IN_ADDR)]
        return _quad(parts)
    if name.endswith(IP6):
        return _nibbles(name[: -len(IP6)])
    return None


def at_address(index: Index, zone: Zone, address: bytes, asked: Asked) -> Answer | None:
    """The PTR records of an address."""
    owners = [owner for owner in index.owners_at(address) if zone.shows(namespace_of(owner))]
    targets = _targets(index, zone.origins[0], address, owners) if owners else ()
    if not targets:
        return None
    if asked.qtype != types.PTR:
        return NODATA
    return Answer(0, (RecordSet(asked.qname, types.PTR, asked.ttl, tuple(targets)),))


def may_be_ours(zone: Name, address: bytes | None) -> bool:
    """Whether a name of a reverse zone may be the cluster's, as far as one can tell without knowing the cluster."""
    if zone not in {IN_ADDR, IP6}:
        return True  # somebody gave the cluster's own networks
    if address is None:
        return False
    if len(address) == 4:
        number = int.from_bytes(address, "big")
        return any(number >> shift == network for shift, network in _PRIVATE)
    return address[0] & 0xFE == 0xFC  # RFC 4193


def _targets(index: Index, origin: Name, address: bytes, owners: list[Owner]) -> list[Name]:
    for owner in owners:
        octets, size = cluster_ips(index.entries[owner], len(address)), len(address)
        if any(octets[at : at + size] == address for at in range(0, len(octets), size)):
            return [service_name(owner, origin)]
    names = dict.fromkeys(
        Name(label + service_name(owner, origin))
        for owner in owners
        for packed in unpack_service(index.entries[owner]).slices
        for label in headless.hosts_at(packed, address)
    )
    return [name for name in names if len(name) <= NAME_LIMIT]


def _quad(octets: bytes) -> bytes | None:
    """The address of four decimal labels, the last octet first."""
    parts = []
    position = 0
    while position < len(octets):
        length = octets[position]
        parts.append(octets[position + 1 : position + 1 + length])
        position += 1 + length
    return dashed.quad(parts[::-1]) if position == len(octets) else None


def _nibbles(octets: bytes) -> bytes | None:
    """The address of 32 labels of one hexadecimal digit, the last first."""
    if len(octets) != 64 or octets[::2] != _NIBBLES:
        return None
    try:
        return unhexlify(octets[:0:-2])
    except NotHex:
        return None
