"""Small clusters and the histories they can have, for the laws of store and compiler.

Few names, few addresses: so that objects meet, share and replace each other often.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from hypothesis import strategies as st

from kdns.cluster.objects import (
    RESOURCES,
    Delta,
    Drop,
    EndpointSlice,
    Import,
    Key,
    Namespace,
    Object,
    Pod,
    Put,
    Reset,
    Resource,
    Service,
    ServiceImport,
    Stamp,
    Synced,
)
from kdns.zone.entry import Outside, Port, pack_outside, pack_slice

T = TypeVar("T")
Objects: TypeAlias = dict[Resource, dict[Key, Object]]

ADDRESSES = (*(bytes((10, 0, 0, last)) for last in range(4)), bytes(15) + b"\1")
PORTS = (Port(80, b"http", b"tcp"), Port(53, b"", b"udp"))


def made(kind: Callable[..., T], *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """The kind of its fields in their order; those left out are its defaults, which st.builds would make up."""
    return st.tuples(*parts).map(lambda fields: kind(*fields))


names = st.sampled_from(("a", "b", "c"))
namespaces = st.sampled_from(("n", "m"))
keys = made(Key, namespaces, names)
namespace_keys = made(Key, st.just(""), namespaces)
stamps = st.sampled_from([Stamp(uid, version) for uid in ("u1", "u2") for version in ("1", "2")])
addresses = st.sampled_from(((), ADDRESSES[:1], ADDRESSES[1:3], ADDRESSES[2:], ADDRESSES[4:]))
ports = st.sampled_from(((), PORTS[:1], PORTS))
labels = st.sampled_from(((), (("app", "web"),)))
outsides = st.sampled_from((b"", b"", pack_outside(Outside(v4=ADDRESSES[0])), pack_outside(Outside(v6=ADDRESSES[-1]))))
external_names = st.sampled_from(("", "", "", "example.com", "192.0.2.1", "a..b"))
packed = st.sampled_from(
    [
        pack_slice(4, ports, [(address, name) for address in ADDRESSES[start : start + 2]])
        for start in range(3)
        for ports in (PORTS, ())
        for name in (b"", b"h")
    ]
)
imports = st.sampled_from((None, None, Import("a", "east"), Import("b", "west"), Import("a")))
objects: dict[Resource, st.SearchStrategy[Object]] = {
    "namespaces": made(Namespace, namespace_keys, stamps, labels),
    "services": made(Service, keys, stamps, addresses, st.booleans(), external_names, ports, labels, outsides),
    "endpointslices": made(
        EndpointSlice, keys, stamps, st.sampled_from(("", "a", "b")), packed, st.integers(0, 3), imports
    ),
    "serviceimports": made(ServiceImport, keys, stamps, addresses, st.booleans(), ports),
    "pods": made(Pod, keys, stamps, addresses),
}


def deltas_of(resource: Resource) -> st.SearchStrategy[Delta]:
    of_key = namespace_keys if resource == "namespaces" else keys
    whole = st.lists(objects[resource], max_size=4, unique_by=lambda each: each.key).map(tuple)
    this = st.just(resource)
    return st.one_of(
        made(Put, this, objects[resource]),
        made(Drop, this, of_key),
        made(Reset, this, whole, st.frozensets(of_key, max_size=4)),
        made(Synced, this),
    )


histories = st.lists(st.one_of([deltas_of(resource) for resource in RESOURCES]), max_size=25)


def after(history: Iterable[Delta]) -> Objects:
    """What there is after a history, by the meaning of each delta."""
    there: Objects = {resource: {} for resource in RESOURCES}
    for delta in history:
        here = there[delta.resource]
        if isinstance(delta, Put):
            here[delta.object.key] = delta.object
        elif isinstance(delta, Drop):
            here.pop(delta.key, None)
        elif isinstance(delta, Reset):
            kept = {key: here[key] for key in delta.unchanged if key in here}
            there[delta.resource] = kept | {each.key: each for each in delta.objects}
    return there


def from_nothing(there: Objects) -> list[Delta]:
    """The shortest history that ends there."""
    return [Reset(resource, tuple(found.values())) for resource, found in there.items()]
