r"""Entries: what one owner needs for all its answers, as one compact octet string.

An *owner* is the key that a name, a remembered reply and a change share; an *entry* is
its value. Both are plain octets: 10,000 Services of 15 endpoints are 20,000 objects that
no garbage collector walks, and a patch sends them as they are. Written by the compiler
(cluster), read by the record families (zone); this file is the only one that knows the layout.

Owners: a Service is the wire form of its two labels as they stand in a query
(`\x03web\x04shop`, in lower case); every other kind begins with a tag octet above 63,
which no label can begin with.

Layout of a Service's entry (integers in network order):

    kind u8 | n4 u8 | n6 u8 | n4 x 4 octets | n6 x 16 octets | target: u8 length, wire name
    | ports | u16 number of slices | slices, each u32 length and a slice | outside, to the end, where there is any

    outside: u8 n4 | u8 n6 | n4 x 4 octets | n6 x 16 octets | host names to the end, each u8 length and a wire name
    ports:  u8 number, each: u16 port | u8 length, name | u8 length, protocol  (lower case, no underscore)
    slice:  u8 address size (4, 16) | ports | u32 number of endpoint addresses | the addresses
            | u8 what follows, 1: names, 2: topology zones, 4: cluster | for each address: u8 length, its name (0: none)
            | for each address: u8 length, its zone (0: none) | u8 length, the cluster that it was imported from
"""

import enum
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, NewType

from kdns.dns.names import Name

Owner = NewType("Owner", bytes)
Entry = NewType("Entry", bytes)

_ADDRESS: Final = b"\x40"
_NAMESPACE: Final = b"\x41"
_POD: Final = b"\x42"
APEX: Final = Owner(b"\x43")  # NS, SOA and ns.dns of the zone; touched by every revision
_FILE: Final = b"\x45"
STATIC: Final = Owner(b"\x44")  # what the configuration alone decides; never touched
_IMPORT: Final = b"\x46"

_NAMED: Final = 1
_ZONED: Final = 2
_CLUSTERED: Final = 4


def _label(text: str) -> bytes:
    octets = text.encode("ascii").lower()
    return bytes((len(octets),)) + octets


def service_owner(namespace: str, name: str) -> Owner:
    """The owner of a Service and of every name below it."""
    return Owner(_label(name) + _label(namespace))


def import_owner(namespace: str, name: str) -> Owner:
    """The owner of a Service imported from other clusters and of every name below it."""
    return import_owner_of(service_owner(namespace, name))


def import_owner_of(labels: bytes) -> Owner:
    """import_owner for name and namespace as they stand in a folded name: with their length octets."""
    return Owner(_IMPORT + labels)


def namespace_owner(namespace: str) -> Owner:
    """The owner of a namespace's own names, N.svc and N.pod."""
    return Owner(_NAMESPACE + _label(namespace))


def pod_owner(namespace: str, address: bytes) -> Owner:
    """The owner of the pod name of an address (4 or 16 octets) in a namespace."""
    return Owner(_POD + _label(namespace) + address)


def address_owner(address: bytes) -> Owner:
    """The owner of the reverse name of an address (4 or 16 octets)."""
    return Owner(_ADDRESS + address)


def namespace_of(owner: Owner) -> bytes:
    """The namespace of a Service's owner, as it stands in a folded name: with its length octet."""
    return owner[owner[0] + 1 :]


def file_owner(origin: bytes, path: str) -> Owner:
    """The owner of all that a zone's file says."""
    return Owner(_FILE + origin + path.encode(errors="surrogateescape"))


def namespace_owner_of(label: bytes) -> Owner:
    """namespace_owner for a namespace as it stands in a folded name: with its length octet."""
    return Owner(_NAMESPACE + label)


def pod_owner_of(label: bytes, address: bytes) -> Owner:
    """pod_owner for a namespace as it stands in a folded name: with its length octet."""
    return Owner(_POD + label + address)


def is_import(owner: bytes) -> bool:
    """Whether the owner is a Service's that was imported; its labels follow the first octet."""
    return owner[:1] == _IMPORT


def is_service(owner: bytes) -> bool:
    """Whether the owner is a Service's, and its entry therefore has addresses."""
    return owner[0] < 0x40


class Kind(enum.IntEnum):
    """What the owner of an entry is."""

    CLUSTER_IP = 1
    HEADLESS = 2
    EXTERNAL_NAME = 3
    # Slices that name a Service which isn't there: their addresses have reverse names, nothing else exists.
    SLICES_ONLY = 4
    NAMESPACE = 5
    POD = 6


class Port(NamedTuple):
    """A port as SRV sees it; the name is empty where the port has none."""

    number: int
    name: bytes  # lower case, without underscore
    protocol: bytes  # lower case, without underscore: tcp, udp, sctp


class Slice(NamedTuple):
    """The ready endpoints of one EndpointSlice: count x size octets of addresses, no address twice."""

    size: int  # octets of an address: 4 or 16
    ports: tuple[Port, ...]
    addresses: bytes
    names: tuple[bytes, ...]  # a label for each address or an empty one; () where no endpoint has a name
    zones: tuple[bytes, ...] = ()  # a topology zone for each address or an empty one; () where none is known
    # The cluster it was imported from, which stands behind its endpoints' names: a label with its length octet, or empty.
    cluster: bytes = b""


class Service(NamedTuple):
    """A Service's entry, unpacked."""

    kind: Kind
    v4: bytes = b""  # ClusterIPs, 4 octets each
    v6: bytes = b""  # ClusterIPs, 16 octets each
    target: bytes = b""  # the wire name an ExternalName leads to, in the case it was written
    ports: tuple[Port, ...] = ()
    slices: tuple[bytes, ...] = ()  # packed; unpack_slice reads one
    outside: bytes = b""  # packed, where there is any; unpack_outside reads it


class Outside(NamedTuple):
    """Where a Service is reached from outside the cluster, in the order in which it was written."""

    v4: bytes = b""  # 4 octets each
    v6: bytes = b""  # 16 octets each
    hosts: tuple[Name, ...] = ()  # in the case they were written


NAMESPACE_ENTRY: Final = Entry(bytes((Kind.NAMESPACE,)))
POD_ENTRY: Final = Entry(bytes((Kind.POD,)))


def pack_ports(ports: Iterable[Port]) -> bytes:
    """The packed form of at most 255 ports."""
    packed = [
        struct.pack("!HB", port.number, len(port.name)) + port.name + bytes((len(port.protocol),)) + port.protocol
        for port in ports
    ]
    return bytes((len(packed),)) + b"".join(packed)


def pack_slice(size: int, ports: Iterable[Port], endpoints: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The packed form of (address, name) pairs; name is empty for an endpoint without one.

    A pair that comes again is left out; an address with two names is kept under both.
    """
    return _pack(size, ports, list(dict.fromkeys(endpoints)), ())


def pack_zoned(size: int, ports: Iterable[Port], endpoints: Iterable[tuple[bytes, bytes, bytes]]) -> bytes:
    """As pack_slice, of (address, name, topology zone); the zone, at most 255 octets, is empty where it isn't known."""
    zones: dict[tuple[bytes, bytes], bytes] = {}
    for address, name, zone in endpoints:
        zones.setdefault((address, name), zone)
    return _pack(size, ports, list(zones), tuple(zones.values()))


def _pack(size: int, ports: Iterable[Port], pairs: Sequence[tuple[bytes, bytes]], zones: Sequence[bytes]) -> bytes:
    named, zoned = any(name for _, name in pairs), any(zones)
    return b"".join(
        (
            bytes((size,)),
            pack_ports(ports),
            struct.pack("!I", len(pairs)),
            *(address for address, _ in pairs),
            bytes((named * _NAMED | zoned * _ZONED,)),
            _pack_texts(name for _, name in pairs) if named else b"",
            _pack_texts(zones) if zoned else b"",
        )
    )


def _pack_texts(texts: Iterable[bytes]) -> bytes:
    return b"".join(bytes((len(text),)) + text for text in texts)


def with_cluster(packed: bytes, cluster: bytes) -> bytes:
    """A packed slice that was imported from a cluster, a label in lower case without length octet; as it is if that is empty."""
    if not cluster:
        return packed
    start, count = _slice_span(packed)
    at = start + count * packed[0]
    return packed[:at] + bytes((packed[at] | _CLUSTERED,)) + packed[at + 1 :] + bytes((len(cluster),)) + cluster


def pack_unnamed(size: int, ports: Iterable[Port], addresses: Iterable[bytes]) -> bytes:
    """As pack_slice, of endpoints of which none has a name."""
    unique = dict.fromkeys(addresses)
    return b"".join((bytes((size,)), pack_ports(ports), struct.pack("!I", len(unique)), *unique, b"\0"))


def pack_service(service: Service) -> Entry:
    """The entry of a Service."""
    return Entry(
        b"".join(
            (
                bytes((service.kind, len(service.v4) // 4, len(service.v6) // 16)),
                service.v4,
                service.v6,
                bytes((len(service.target),)),
                service.target,
                pack_ports(service.ports),
                struct.pack("!H", len(service.slices)),
                *(struct.pack("!I", len(packed)) + packed for packed in service.slices),
                service.outside,
            )
        )
    )


def pack_outside(outside: Outside) -> bytes:
    """The packed form of at most 255 addresses of each family, and host names; nothing of nothing."""
    if not any(outside):
        return b""
    counts = bytes((len(outside.v4) // 4, len(outside.v6) // 16))
    return counts + outside.v4 + outside.v6 + _pack_texts(outside.hosts)


def unpack_outside(packed: bytes) -> Outside:
    """The places that pack_outside packed."""
    if not packed:
        return Outside()
    split = 2 + packed[0] * 4
    position = split + packed[1] * 16
    v4, v6 = packed[2:split], packed[split:position]
    hosts = []
    while position < len(packed):
        start, position = position + 1, position + 1 + packed[position]
        hosts.append(Name(packed[start:position]))
    return Outside(v4, v6, tuple(hosts))


def outside_addresses(packed: bytes) -> list[bytes]:
    """The addresses that pack_outside packed."""
    v4, v6, _ = unpack_outside(packed)
    return [v4[at : at + 4] for at in range(0, len(v4), 4)] + [v6[at : at + 16] for at in range(0, len(v6), 16)]


def kind_of(entry: Entry) -> Kind:
    """What the entry's owner is."""
    return Kind(entry[0])


def cluster_ips(entry: Entry, size: int) -> bytes:
    """The ClusterIPs of one family, size octets each, without unpacking the rest."""
    split = 3 + entry[1] * 4
    return entry[3:split] if size == 4 else entry[split : split + entry[2] * 16]


def unpack_service(entry: Entry) -> Service:
    """The Service that pack_service packed."""
    split = 3 + entry[1] * 4
    position = split + entry[2] * 16
    v4, v6 = entry[3:split], entry[split:position]
    position += 1
    target = entry[position : position + entry[position - 1]]
    ports, position = _unpack_ports(entry, position + len(target))
    slices = []
    (count,) = struct.unpack_from("!H", entry, position)
    position += 2
    for _ in range(count):
        (length,) = struct.unpack_from("!I", entry, position)
        slices.append(entry[position + 4 : position + 4 + length])
        position += 4 + length
    return Service(Kind(entry[0]), v4, v6, target, ports, tuple(slices), entry[position:])


def unpack_slice(packed: bytes) -> Slice:
    """The slice that pack_slice packed."""
    size = packed[0]
    ports, position = _unpack_ports(packed, 1)
    (count,) = struct.unpack_from("!I", packed, position)
    position += 4
    addresses = packed[position : position + count * size]
    position += count * size
    follows = packed[position]
    if not follows:
        return Slice(size, ports, addresses, ())
    position += 1
    names: tuple[bytes, ...] = ()
    zones: tuple[bytes, ...] = ()
    if follows & _NAMED:
        names, position = _unpack_texts(packed, position, count)
    if follows & _ZONED:
        zones, position = _unpack_texts(packed, position, count)
    return Slice(size, ports, addresses, names, zones, packed[position:] if follows & _CLUSTERED else b"")


def _unpack_texts(packed: bytes, position: int, count: int) -> tuple[tuple[bytes, ...], int]:
    texts = []
    for _ in range(count):
        length = packed[position]
        texts.append(packed[position + 1 : position + 1 + length])
        position += 1 + length
    return tuple(texts), position


def entry_addresses(entry: Entry) -> list[bytes]:
    """The ClusterIPs, endpoint and outside addresses of a Service's entry, as often as they stand in it."""
    split = 3 + entry[1] * 4
    position = split + entry[2] * 16
    found = [entry[at : at + 4] for at in range(3, split, 4)]
    found += [entry[at : at + 16] for at in range(split, position, 16)]
    position = _ports_end(entry, position + 1 + entry[position])
    (slices,) = struct.unpack_from("!H", entry, position)
    position += 2
    for _ in range(slices):
        (length,) = struct.unpack_from("!I", entry, position)
        size, start, count = entry[position + 4], *_slice_span(entry, position + 4)
        found += [entry[at : at + size] for at in range(start, start + count * size, size)]
        position += 4 + length
    return found + outside_addresses(entry[position:])


def slice_addresses(packed: bytes) -> Sequence[bytes]:
    """The endpoint addresses of a packed slice, in its order."""
    size = packed[0]
    start, count = _slice_span(packed)
    return [packed[at : at + size] for at in range(start, start + count * size, size)]


def has_address(entry: Entry, address: bytes) -> bool:
    """Whether the address is a ClusterIP, an endpoint's or one outside of the Service's entry."""
    size = len(address)
    if _holds(cluster_ips(entry, size), address):
        return True
    service = unpack_service(entry)
    if any(packed[0] == size and slice_index(packed, address) >= 0 for packed in service.slices):
        return True
    return has_outside(service.outside, address)


def has_outside(packed: bytes, address: bytes) -> bool:
    """Whether the address is among those that pack_outside packed."""
    if not packed:
        return False
    outside = unpack_outside(packed)
    return _holds(outside.v4 if len(address) == 4 else outside.v6, address)


def has_endpoints(packed: bytes) -> bool:
    """Whether the packed slice has a ready endpoint."""
    return _slice_span(packed)[1] > 0


def slice_index(packed: bytes, address: bytes) -> int:
    """Which endpoint of the packed slice first has the address (of the slice's size); -1 for none."""
    start, count = _slice_span(packed)
    return _position(packed, address, start, start + count * packed[0])


def _holds(octets: bytes, address: bytes) -> bool:
    return _position(octets, address, 0, len(octets)) >= 0


def _position(octets: bytes, address: bytes, start: int, end: int) -> int:
    """Where address stands among the addresses of its size between start and end: its number, or -1."""
    size = len(address)
    at = octets.find(address, start, end)
    while at >= 0:
        if (at - start) % size == 0:
            return (at - start) // size
        at = octets.find(address, at + 1, end)
    return -1


def _slice_span(octets: bytes, position: int = 0) -> tuple[int, int]:
    """Where the addresses of the packed slice at the position start, and how many they are."""
    position = _ports_end(octets, position + 1)
    (count,) = struct.unpack_from("!I", octets, position)
    return position + 4, count


def _ports_end(octets: bytes, position: int) -> int:
    """Where the ports end that begin at the position."""
    count = octets[position]
    position += 1
    for _ in range(count):
        position += 3 + octets[position + 2]
        position += 1 + octets[position]
    return position


def _unpack_ports(octets: bytes, position: int) -> tuple[tuple[Port, ...], int]:
    count = octets[position]
    position += 1
    ports = []
    for _ in range(count):
        number, length = struct.unpack_from("!HB", octets, position)
        position += 3
        name = octets[position : position + length]
        position += length
        length = octets[position]
        protocol = octets[position + 1 : position + 1 + length]
        position += 1 + length
        ports.append(Port(number, name, protocol))
    return tuple(ports), position
