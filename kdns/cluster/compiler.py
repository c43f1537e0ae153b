"""The compiler: deltas in, patches out; the one place where objects become entries.

However many deltas come in one call, readers see them in one step (decision D8), and what
they see depends on the objects alone, not on the way that led there (the compile law).
Nothing is published before every required resource has been seen whole (D1). Time is an
argument; who sends deltas and who gets patches is not known here.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from kdns.cluster.objects import RESOURCES, Delta, Key, Resource, Service
from kdns.cluster.snapshot import Rows
from kdns.cluster.store import Store, Touched, nothing_touched
from kdns.zone import entry as zone
from kdns.zone.entry import Entry, Kind, Owner
from kdns.zone.patch import Image, Patch

_SLICE_LIMIT: Final = 65535  # what an entry can count; an API server that holds more for one Service is made up


class CompileOptions(NamedTuple):
    """What of the cluster is shown."""

    pods_verified: bool = False  # pod names exist where a pod has the address
    listed_namespaces: bool = (
        False  # a Namespace that isn't there hides all that is in it, since a selector left it out
    )
    endpoints: bool = True  # slices count; those of imported Services always do
    empty_services: bool = True  # Services with a ClusterIP are there without a ready endpoint, too


PLAIN: Final = CompileOptions()
REQUIRED: Final[tuple[Resource, ...]] = ("namespaces", "services", "endpointslices")


class Compiler:
    """The cluster's store and the entries made of it. Revision 0 is that of nothing published yet."""

    __slots__ = ("_entries", "_options", "_published_stale", "_required", "revision", "serial", "store")

    def __init__(self, options: CompileOptions = PLAIN, required: tuple[Resource, ...] = REQUIRED) -> None:
        self.store = Store()
        self.revision = 0
        self.serial = 0  # of the zone's SOA
        self._options = options
        self._required = required
        self._entries: dict[Owner, Entry] = {}
        self._published_stale = False

    @property
    def entries(self) -> int:
        """How many are published."""
        return len(self._entries)

    @property
    def stale(self) -> bool:
        """Whether any resource is as a snapshot had it, and hasn't been listed since."""
        return any(self.store.stale(resource) for resource in RESOURCES)

    @property
    def synced(self) -> bool:
        """Whether all required resources have been seen whole; once so, always so."""
        return all(self.store.synced(resource) for resource in self._required)

    def restore(self, rows: Rows, serial: int, now: int) -> Patch | None:
        """Publishes what a snapshot has of the resources that aren't synced yet; serial is the zone's of that time.

        To be called before anything was published. None where something required is neither there nor synced. Raises
        ValueError for what are no rows, and changes nothing then.
        """
        self.store.restore(rows)
        self.serial = max(self.serial, serial)
        return self.apply((), now)

    def apply(self, deltas: Iterable[Delta], now: int) -> Patch | None:
        """Takes all deltas in and returns the one patch they make; None where no entry changed, nor whether all are stale.

        The first patch leads from revision 0 to all there is, be it nothing, once synced;
        until then there is none. now is in Unix seconds; serials grow with every revision,
        whatever the clock does.
        """
        touched = nothing_touched()
        for delta in deltas:
            touched.update(self.store.apply(delta))
        if not self.synced:
            return None
        first = self.revision == 0
        if first:
            touched = self.store.everything()
        elif self._options.listed_namespaces:
            self._spread(touched)
        puts, drops = self._changes(touched)
        stale = self.stale
        if not (puts or drops or first or stale != self._published_stale):
            return None
        self._published_stale = stale
        self._entries.update(puts)
        for owner in drops:
            del self._entries[owner]
        self.revision += 1
        self.serial = max(now, self.serial + 1)
        return Patch(self.revision - 1, self.revision, self.serial, puts, drops, stale)

    def image(self) -> Image:
        """All entries at the current revision, in a dictionary that stays as it is."""
        return Image(self.revision, self.serial, dict(self._entries), self._published_stale)

    def _spread(self, touched: Touched) -> None:
        """Adds all that is in the namespaces that come or go."""
        for namespace in tuple(touched.namespaces):
            if (zone.namespace_owner(namespace) in self._entries) != self._exists(namespace):
                touched.update(self.store.within(namespace))

    def _changes(self, touched: Touched) -> tuple[dict[Owner, Entry], tuple[Owner, ...]]:
        puts: dict[Owner, Entry] = {}
        drops = []
        for owner, entry in self._compiled(touched):
            if entry is None:
                if owner in self._entries:
                    drops.append(owner)
            elif self._entries.get(owner) != entry:
                puts[owner] = entry
        return puts, tuple(drops)

    def _compiled(self, touched: Touched) -> Iterator[tuple[Owner, Entry | None]]:
        """The owners touched, each with its entry as it must be now; None for one that isn't there."""
        for key in touched.services:
            entry = _service_entry(self.store, key, self._options) if self._shows(key.namespace) else None
            yield zone.service_owner(key.namespace, key.name), entry
        for key in touched.imports:
            entry = _import_entry(self.store, key, self._options) if self._shows(key.namespace) else None
            yield zone.import_owner(key.namespace, key.name), entry
        for namespace in touched.namespaces:
            yield zone.namespace_owner(namespace), zone.NAMESPACE_ENTRY if self._exists(namespace) else None
        if self._options.pods_verified:
            for namespace, address in touched.pods:
                there = self.store.pods_at(namespace, address) and self._shows(namespace)
                yield zone.pod_owner(namespace, address), zone.POD_ENTRY if there else None

    def _exists(self, namespace: str) -> bool:
        """Whether the namespace itself or anything with a name in it has been seen (decision D9)."""
        return self.store.has("namespaces", Key("", namespace)) or (
            not self._options.listed_namespaces
            and (
                self.store.has_any("services", namespace)
                or self.store.has_any("serviceimports", namespace)
                or (self._options.pods_verified and self.store.has_any("pods", namespace))
            )
        )

    def _shows(self, namespace: str) -> bool:
        """Whether what is in the namespace has names."""
        return not self._options.listed_namespaces or self._exists(namespace)


def _service_entry(store: Store, key: Key, options: CompileOptions) -> Entry | None:
    """The entry of a Service with its slices; of slices alone where they name a Service that isn't there."""
    service = store.service(key)
    slices = tuple(store.slices(key)[:_SLICE_LIMIT]) if options.endpoints else ()
    if service is None:
        return zone.pack_service(zone.Service(Kind.SLICES_ONLY, slices=slices)) if slices else None
    if not (options.empty_services or _kind(service) != Kind.CLUSTER_IP or any(map(zone.has_endpoints, slices))):
        return None
    return zone.pack_service(
        zone.Service(
            _kind(service),
            v4=b"".join(address for address in service.cluster_ips if len(address) == 4),
            v6=b"".join(address for address in service.cluster_ips if len(address) == 16),
            target=service.target if service.external_name else b"",
            ports=service.ports,
            slices=slices,
            outside=service.outside,
        )
    )


def _import_entry(store: Store, key: Key, options: CompileOptions) -> Entry | None:
    """The entry of an imported Service with its slices; None where it isn't there."""
    found = store.service_import(key)
    if found is None:
        return None
    slices = tuple(store.imported_slices(key)[:_SLICE_LIMIT])
    if not (options.empty_services or found.headless or any(map(zone.has_endpoints, slices))):
        return None
    return zone.pack_service(
        zone.Service(
            Kind.HEADLESS if found.headless else Kind.CLUSTER_IP,
            v4=b"".join(address for address in found.ips if len(address) == 4),
            v6=b"".join(address for address in found.ips if len(address) == 16),
            ports=found.ports,
            slices=slices,
        )
    )


def _kind(service: Service) -> Kind:
    if service.external_name:
        return Kind.EXTERNAL_NAME
    return Kind.HEADLESS if service.headless else Kind.CLUSTER_IP
