"""Endpoints: the addresses of a headless Service, and the name of each endpoint of any Service.

An endpoint's name is its hostname if it has one, its dashed address otherwise, never both.
All slices of a Service answer together; an address in several of them is one record.
Without ready endpoints a headless Service doesn't exist, nor does any name below it.
Standards: the Kubernetes DNS specification section 2.4; RFC 8020 for the names between.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

from kdns.dns import types
from kdns.dns.names import NAME_LIMIT, Name
from kdns.dns.records import Answer, RecordSet
from kdns.zone import dashed, ports
from kdns.zone.entry import Entry, Owner, Port, Slice, slice_index, unpack_service, unpack_slice
from kdns.zone.terms import ADDRESS_SIZES, NODATA, Asked, address_set


def at_service(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """S.N.svc: every endpoint's address; SRV for every endpoint and port, with a name or without."""
    slices = slices_of(entry)
    return of_slices(slices, slices, owner, asked)


def of_slices(chosen: Sequence[Slice], every: Sequence[Slice], owner: Owner, asked: Asked) -> Answer | None:
    """What a name has that stands for some of a Service's slices, or parts of them, each with endpoints; None for none."""
    if asked.qtype == types.SRV:
        return _srv(owner, asked, every, [(part, part.ports) for part in chosen])
    return _addresses(asked, chosen)


def at_endpoint(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """HOST.S.N.svc: the endpoint of that name; _proto.S.N.svc, above a port's name, has no records of its own."""
    found = at_host(entry, owner, asked)
    protocol = ports.bare(asked.labels[0])
    # The search of octets first: most labels that get here are no protocol, and large entries cost time to unpack.
    if (
        found is None
        and entry.find(protocol) >= 0
        and any(ports.have_named(part.ports, protocol) for part in slices_of(entry))
    ):
        return NODATA
    return found


def at_port(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """_port._proto.S.N.svc: the endpoints that have such a port, as SRV or as addresses."""
    slices = slices_of(entry)
    matched = [(part, fitting) for part in slices if (fitting := ports.matching(part.ports, asked))]
    if asked.qtype == types.SRV:
        return _srv(owner, asked, slices, matched)
    return _addresses(asked, [part for part, _ in matched])


def at_host(entry: Entry, owner: Owner, asked: Asked, cluster: bytes = b"") -> Answer | None:
    """HOST.S.N.svc of any Service that has endpoints: the addresses of that name, and SRV for its ports.

    Those of one cluster alone, a label with its length octet; nothing for what wasn't imported.
    """
    text = asked.labels[0][1:]
    address = dashed.parse(text)
    if address is not None and dashed.write(address) != text:
        address = None  # another spelling, which no endpoint has for its name
    slices = [_only(packed, text, address) for packed in unpack_service(entry).slices]
    found = [part for part in slices if part is not None and part.cluster == cluster]
    if asked.qtype == types.SRV:
        return _srv(owner, asked, found, [(part, part.ports) for part in found])
    return _addresses(asked, found)


def hosts(part: Slice) -> list[bytes]:
    """The name of each endpoint of a slice, as a label with its length octet; of an imported slice with its cluster's."""
    texts: Iterable[bytes] = map(dashed.write, _each(part))
    if part.names:
        texts = (name or text for name, text in zip(part.names, texts, strict=True))
    return [bytes((len(text),)) + text + part.cluster for text in texts]


def hosts_at(packed: bytes, address: bytes) -> list[bytes]:
    """The names that a packed slice has for one address, as labels with their length octets."""
    if packed[0] != len(address) or slice_index(packed, address) < 0:
        return []
    part = unpack_slice(packed)
    names = [name for own, name in zip(_each(part), part.names, strict=True) if own == address] if part.names else [b""]
    return [bytes((len(text),)) + text for text in (name or dashed.write(address) for name in names)]


def host_sets(entry: Entry, service: Name, ttl: int) -> tuple[RecordSet, ...]:
    """The A and AAAA records of every endpoint's name; service is that of the Service."""
    return tuple(_sets(_by_name(slices_of(entry), service).items(), ttl))


def slices_of(entry: Entry) -> list[Slice]:
    """The slices that have endpoints."""
    return [part for part in map(unpack_slice, unpack_service(entry).slices) if part.addresses]


def within(part: Slice, zone: bytes) -> Slice | None:
    """The slice with the endpoints of a topology zone alone; None if it has none."""
    kept = [at for at, own in enumerate(part.zones) if own == zone]
    if not kept:
        return None
    addresses = list(_each(part))
    names = tuple(part.names[at] for at in kept) if part.names else ()
    return Slice(part.size, part.ports, b"".join(addresses[at] for at in kept), names)


def _only(packed: bytes, text: bytes, address: bytes | None) -> Slice | None:
    """The slice with the endpoints of one name alone, which is the dashed form of address; None if it has none.

    Most slices of a large Service are passed over by two searches of octets.
    """
    has_address = address is not None and len(address) == packed[0] and slice_index(packed, address) >= 0
    if not has_address and text not in packed:
        return None
    part = unpack_slice(packed)
    names = part.names or (b"",) * (len(part.addresses) // part.size)
    kept = [own for own, name in zip(_each(part), names, strict=True) if name == text or (not name and own == address)]
    return Slice(part.size, part.ports, b"".join(kept), (text,) * len(kept), (), part.cluster) if kept else None


def _each(part: Slice) -> Iterator[bytes]:
    """The addresses of a slice."""
    return (address for (address,) in struct.iter_unpack(f"{part.size}s", part.addresses))


def _addresses(asked: Asked, slices: Sequence[Slice]) -> Answer | None:
    if not slices:
        return None
    size = ADDRESS_SIZES.get(asked.qtype)
    fitting = [part for part in slices if part.size == size]
    if size is None or not fitting:
        return NODATA
    return Answer(0, (address_set(asked.qname, asked.ttl, size, _distinct(fitting, size)),))


def _distinct(slices: Sequence[Slice], size: int) -> bytes:
    """The addresses of slices of one size, each once; an object per address only where some may be equal."""
    octets = b"".join([part.addresses for part in slices])
    if len(slices) == 1 and not slices[0].names:
        return octets
    distinct = dict.fromkeys(struct.iter_unpack(f"{size}s", octets))
    if len(distinct) * size == len(octets):
        return octets
    return b"".join([address for (address,) in distinct])


def _srv(
    owner: Owner, asked: Asked, slices: Sequence[Slice], matched: Sequence[tuple[Slice, tuple[Port, ...]]]
) -> Answer | None:
    """The SRV records of matched slices and ports; slices are all whose addresses their targets may have."""
    if not matched:
        return None
    below = asked.service(owner)
    offers = [ports.Offer(fitting, _names(hosts(part), below)) for part, fitting in matched]

    def glue(targets: Iterable[Name]) -> tuple[RecordSet, ...]:
        known = _by_name(slices, below)
        return tuple(_sets(((target, known[target]) for target in targets), asked.ttl))

    return ports.srv(asked, offers, glue)


def _names(labels: Iterable[bytes], below: Name) -> list[Name]:
    """The names of labels below a name; those past the limit of RFC 1035 can't be asked for and are left out."""
    return [Name(label + below) for label in labels if len(label) + len(below) <= NAME_LIMIT]


def _by_name(slices: Iterable[Slice], below: Name) -> dict[Name, dict[bytes, None]]:
    """The addresses of every endpoint's name, over all slices."""
    found: dict[Name, dict[bytes, None]] = {}
    for part in slices:
        for label, address in zip(hosts(part), _each(part), strict=True):
            for name in _names((label,), below):
                found.setdefault(name, {})[address] = None
    return found


def _sets(names: Iterable[tuple[Name, dict[bytes, None]]], ttl: int) -> Iterator[RecordSet]:
    for name, addresses in names:
        for size in (4, 16):
            fitting = [address for address in addresses if len(address) == size]
            if fitting:
                yield address_set(name, ttl, size, b"".join(fitting))
