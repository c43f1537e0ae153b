"""The store: the cluster's objects as last seen, and which of them belong together.

Slices are joined under their Service by namespace and label, and pods counted by address,
in any order of arrival and whether or not the Service or the Namespace is there yet. Every
delta says what has to be compiled again; how, the store doesn't know. Deltas of a resource
are applied in the order they come, without a look at versions (robustness rules K11 to K19).
An object lies here as one octet string under its name: 10,000 Services of 15 endpoints are
20,000 strings and 6.4 MB, and no garbage collector walks them.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from types import GenericAlias
from typing import Any, Final, NamedTuple, TypeAlias, get_type_hints

import msgspec

from kdns.cluster.digest import Digest
from kdns.cluster.objects import (
    RESOURCES,
    Delta,
    Drop,
    EndpointSlice,
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
from kdns.cluster.snapshot import Rows
from kdns.zone.entry import with_cluster

# By namespace and the Service's name: the names of its slices, in alphabetical order.
_Members: TypeAlias = dict[str, dict[str, tuple[str, ...]]]


class Touched(NamedTuple):
    """What a delta may have changed, and the compiler must look at again."""

    services: set[Key]  # Services there are, were, or that slices name
    namespaces: set[str]
    pods: set[tuple[str, bytes]]  # namespace and address
    imports: set[Key]  # ServiceImports there are, were, or that slices name

    def update(self, other: "Touched") -> None:
        """Adds what the other touched."""
        self.services.update(other.services)
        self.namespaces.update(other.namespaces)
        self.pods.update(other.pods)
        self.imports.update(other.imports)


def nothing_touched() -> Touched:
    """Four empty sets."""
    return Touched(set(), set(), set(), set())


class Store:
    """The objects of one cluster."""

    __slots__ = ("_digests", "_imported", "_members", "_pods", "_rows", "_stale", "_synced")

    def __init__(self) -> None:
        # By resource, namespace and name: all of the object but its key.
        self._rows: dict[Resource, dict[str, dict[str, bytes]]] = {resource: {} for resource in RESOURCES}
        self._members: _Members = {}
        self._imported: _Members = {}  # likewise of ServiceImports
        # By namespace and address: how many pods have it.
        self._pods: dict[str, dict[bytes, int]] = {}
        self._synced: set[Resource] = set()
        self._stale: set[Resource] = set()  # restored, and not listed since
        self._digests = {resource: Digest() for resource in RESOURCES}

    def apply(self, delta: Delta) -> Touched:
        """Takes the delta in and returns what it touched; nothing where everything is as it was."""
        touched = nothing_touched()
        match delta:
            case Put(resource, new):
                self._put(resource, new, touched)
            case Drop(resource, key):
                self._drop(resource, key, touched)
            case Reset():
                self._reset(delta, touched)
            case Synced(resource):
                if resource in self._stale:  # there is nothing to list any more
                    self._reset(Reset(resource, ()), touched)
                self._synced.add(resource)
        return touched

    def restore(self, rows: Rows) -> None:
        """Takes rows as rows() gave them, each resource of which nothing is there yet, as what was last seen of it whole.

        They are stale until the resource is reset. Raises ValueError for what are no rows, and changes nothing then.
        """
        staged = Store()
        new = [resource for resource in rows if resource not in self._synced]
        for resource in new:
            staged._restore(resource, rows[resource])
        for resource in new:
            self._rows[resource], self._digests[resource] = staged._rows[resource], staged._digests[resource]
        if "endpointslices" in new:
            self._members, self._imported = staged._members, staged._imported
        if "pods" in new:
            self._pods = staged._pods
        self._synced.update(new)
        self._stale.update(new)

    def _restore(self, resource: Resource, namespaces: Mapping[str, Mapping[str, bytes]]) -> None:
        digest, touched = self._digests[resource], nothing_touched()
        for namespace, named in namespaces.items():
            for name, row in named.items():
                self._rows[resource].setdefault(namespace, {})[name] = row
                key = Key(namespace, name)
                try:
                    new = _object(resource, key, row)
                except msgspec.MsgspecError as error:
                    raise ValueError(f"{resource} {namespace}/{name}: {error}") from error
                digest.add(namespace, name, row)
                self._changed(None, new, touched)

    def rows(self, resources: Iterable[Resource]) -> Rows:
        """What is there of these resources, in dictionaries that stay as they are; the rows themselves are shared."""
        return {
            resource: {namespace: dict(named) for namespace, named in self._rows[resource].items()}
            for resource in resources
        }

    def stale(self, resource: Resource) -> bool:
        """Whether the resource is as it was restored, and hasn't been seen since."""
        return resource in self._stale

    def synced(self, resource: Resource) -> bool:
        """Whether the resource has been seen whole; once so, always so."""
        return resource in self._synced

    def stamp(self, resource: Resource, key: Key) -> Stamp | None:
        """Which state of the object lies here; None where there is none."""
        row = self._row(resource, key)
        return None if row is None else _STAMPS.decode(row).stamp

    def get(self, resource: Resource, key: Key) -> Object | None:
        """The object as it was put; None where there is none."""
        row = self._row(resource, key)
        return None if row is None else _object(resource, key, row)

    def service(self, key: Key) -> Service | None:
        """The Service; None where there is none."""
        row = self._row("services", key)
        return None if row is None else Service(key, *_READERS["services"].decode(row))

    def service_import(self, key: Key) -> ServiceImport | None:
        """The ServiceImport; None where there is none."""
        row = self._row("serviceimports", key)
        return None if row is None else ServiceImport(key, *_READERS["serviceimports"].decode(row))

    def imported_slices(self, key: Key) -> list[bytes]:
        """The packed slices, with their clusters, that name the ServiceImport, in the order of the slices' names."""
        found = self.imported_members(key)
        return [with_cluster(each.packed, each.imported.cluster.encode()) for each in found if each.imported]

    def slices(self, service: Key) -> list[bytes]:
        """The packed slices that name the Service, in the order of the slices' names."""
        members = self._members.get(service.namespace, {}).get(service.name, ())
        rows = self._rows["endpointslices"].get(service.namespace, {})
        return [_SLICES.decode(rows[name]).packed for name in members]

    def members(self, service: Key) -> list[EndpointSlice]:
        """The slices that name the Service, as they were put, in the order of their names."""
        members = self._members.get(service.namespace, {}).get(service.name, ())
        found = (self.get("endpointslices", Key(service.namespace, name)) for name in members)
        return [each for each in found if isinstance(each, EndpointSlice)]

    def imported_members(self, key: Key) -> list[EndpointSlice]:
        """The slices that name the ServiceImport, as they were put, in the order of their names."""
        members = self._imported.get(key.namespace, {}).get(key.name, ())
        found = (self.get("endpointslices", Key(key.namespace, name)) for name in members)
        return [each for each in found if isinstance(each, EndpointSlice)]

    def names(self, resource: Resource, namespace: str) -> list[str]:
        """The names of all objects of the resource in the namespace, "" for Namespaces."""
        return list(self._rows[resource].get(namespace, ()))

    def namespaces_with(self, resource: Resource, name: str) -> list[str]:
        """The namespaces that have an object of the resource by that name, in alphabetical order."""
        return sorted(namespace for namespace, rows in self._rows[resource].items() if name in rows)

    def pods_at(self, namespace: str, address: bytes) -> int:
        """How many pods of the namespace have the address (4 or 16 octets)."""
        return self._pods.get(namespace, {}).get(address, 0)

    def has(self, resource: Resource, key: Key) -> bool:
        """Whether there is such an object."""
        return self._row(resource, key) is not None

    def has_any(self, resource: Resource, namespace: str) -> bool:
        """Whether an object of the resource lies in the namespace."""
        return namespace in self._rows[resource]

    def count(self, resource: Resource) -> int:
        """How many objects of the resource there are."""
        return sum(len(rows) for rows in self._rows[resource].values())

    def digest(self, resource: Resource) -> int:
        """A number of 52 bits that is the same exactly where the objects of the resource are, as good as surely."""
        return self._digests[resource].value

    def keys(self, resource: Resource) -> Iterator[Key]:
        """The keys of all objects of the resource; the store mustn't change meanwhile."""
        for namespace, rows in self._rows[resource].items():
            for name in rows:
                yield Key(namespace, name)

    def objects(self, resource: Resource) -> Iterator[Object]:
        """All objects of the resource as they were put; the store mustn't change meanwhile."""
        for namespace, rows in self._rows[resource].items():
            for name, row in rows.items():
                yield _object(resource, Key(namespace, name), row)

    def everything(self) -> Touched:
        """All that a compiler that has seen nothing must look at."""
        touched = nothing_touched()
        touched.services.update(self.keys("services"))
        for namespace, services in self._members.items():
            touched.services.update(Key(namespace, name) for name in services)
        touched.namespaces.update(key.name for key in self.keys("namespaces"))
        touched.imports.update(self.keys("serviceimports"))
        touched.namespaces.update(self._rows["services"], self._rows["pods"], self._rows["serviceimports"])
        for namespace, addresses in self._pods.items():
            touched.pods.update((namespace, address) for address in addresses)
        return touched

    def within(self, namespace: str) -> Touched:
        """All of a namespace that a compiler has an entry of, but for the namespace itself."""
        names = {*self._rows["services"].get(namespace, ()), *self._members.get(namespace, ())}
        pods = {(namespace, address) for address in self._pods.get(namespace, ())}
        imports = {Key(namespace, name) for name in self._rows["serviceimports"].get(namespace, ())}
        return Touched({Key(namespace, name) for name in names}, set(), pods, imports)

    def _row(self, resource: Resource, key: Key) -> bytes | None:
        rows = self._rows[resource].get(key.namespace)
        return None if rows is None else rows.get(key.name)

    def _put(self, resource: Resource, new: Object, touched: Touched) -> None:
        key = new.key
        row = _row_of(new)
        before = self._row(resource, key)
        if row != before:
            self._rows[resource].setdefault(key.namespace, {})[key.name] = row
            self._digests[resource].add(key.namespace, key.name, row)
            if before is not None:
                self._digests[resource].remove(key.namespace, key.name, before)
            self._changed(None if before is None else _object(resource, key, before), new, touched)

    def _drop(self, resource: Resource, key: Key, touched: Touched) -> None:
        row = self._row(resource, key)
        if row is not None:
            rows = self._rows[resource][key.namespace]
            del rows[key.name]
            self._digests[resource].remove(key.namespace, key.name, row)
            if not rows:
                del self._rows[resource][key.namespace]
            self._changed(_object(resource, key, row), None, touched)

    def _reset(self, reset: Reset, touched: Touched) -> None:
        self._stale.discard(reset.resource)
        kept = reset.unchanged.union(new.key for new in reset.objects)
        for key in [key for key in self.keys(reset.resource) if key not in kept]:
            self._drop(reset.resource, key, touched)
        for new in reset.objects:
            self._put(reset.resource, new, touched)

    def _changed(self, before: Object | None, after: Object | None, touched: Touched) -> None:
        """Notes that one object has become another; where one is None it has come or gone."""
        match before or after:
            case Namespace(key):
                touched.namespaces.add(key.name)
            case Service(key):
                touched.services.add(key)
                if before is None or after is None:
                    touched.namespaces.add(key.namespace)
            case ServiceImport(key):
                touched.imports.add(key)
                if before is None or after is None:
                    touched.namespaces.add(key.namespace)
            case EndpointSlice(key):
                _rejoin(self._members, key, _service_of(before), _service_of(after), touched.services)
                _rejoin(self._imported, key, _import_of(before), _import_of(after), touched.imports)
            case Pod(key):
                self._recount(key.namespace, _addresses_of(before), _addresses_of(after), touched)
                if before is None or after is None:
                    touched.namespaces.add(key.namespace)

    def _recount(self, namespace: str, before: set[bytes], after: set[bytes], touched: Touched) -> None:
        counts = self._pods.setdefault(namespace, {})
        for address in before ^ after:
            touched.pods.add((namespace, address))
            counts[address] = counts.get(address, 0) + (1 if address in after else -1)
            if not counts[address]:
                del counts[address]
        if not counts:
            del self._pods[namespace]


def _rejoin(members: _Members, key: Key, before: str, after: str, touched: set[Key]) -> None:
    """Moves a slice from one Service to another, both by name or empty, or only touches the one it stays with."""
    touched.update(Key(key.namespace, service) for service in (before, after) if service)
    if before == after:
        return
    services = members.setdefault(key.namespace, {})
    if before:
        at = bisect_left(services[before], key.name)
        services[before] = services[before][:at] + services[before][at + 1 :]
        if not services[before]:
            del services[before]
    if after:
        found = services.get(after, ())
        at = bisect_left(found, key.name)
        services[after] = (*found[:at], key.name, *found[at:])
    if not services:
        del members[key.namespace]


def _service_of(slice_: Object | None) -> str:
    return slice_.service if isinstance(slice_, EndpointSlice) else ""


def _import_of(slice_: Object | None) -> str:
    return slice_.imported.service if isinstance(slice_, EndpointSlice) and slice_.imported else ""


def _addresses_of(pod: Object | None) -> set[bytes]:
    return set(pod.addresses) if isinstance(pod, Pod) else set()


class _StampRow(msgspec.Struct, array_like=True, gc=False):
    """The beginning of any row."""

    stamp: Stamp


class _SliceRow(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a slice's row, of which only the endpoints are read."""

    stamp: msgspec.Raw
    service: msgspec.Raw
    packed: bytes


_KINDS: Final[dict[Resource, Any]] = {
    "namespaces": Namespace,
    "services": Service,
    "endpointslices": EndpointSlice,
    "pods": Pod,
    "serviceimports": ServiceImport,
}


def _reader(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """Of rows: the fields of a kind of object behind its key, in their order."""
    hints = get_type_hints(kind)
    return msgspec.msgpack.Decoder(GenericAlias(tuple, tuple(hint for name, hint in hints.items() if name != "key")))


_WRITER: Final = msgspec.msgpack.Encoder()
_READERS: Final = {resource: _reader(kind) for resource, kind in _KINDS.items()}
_STAMPS: Final = msgspec.msgpack.Decoder(_StampRow)
_SLICES: Final = msgspec.msgpack.Decoder(_SliceRow)


def _row_of(new: Object) -> bytes:
    # encode() would be shorter, but returns strings with up to half as much again of unused room behind them.
    buffer = bytearray()
    _WRITER.encode_into(new[1:], buffer)
    return bytes(buffer)


def _object(resource: Resource, key: Key, row: bytes) -> Object:
    made: Object = _KINDS[resource](key, *_READERS[resource].decode(row))
    return made
