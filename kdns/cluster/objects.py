"""Slim objects: of each Kubernetes object only what DNS needs, checked and compact.

Made by decode (API) and by sources/manifests, kept by the store, read by the compiler.
Names are lower-case labels (RFC 1123, checked by decode); addresses are packed octets.
uid and version (metadata.resourceVersion) tell two states of an object apart by equality,
never by order, and are empty where a manifest has none.
"""

from ipaddress import ip_address
from typing import Final, Literal, NamedTuple, TypeAlias

from kdns.dns import names
from kdns.zone.entry import Port

Resource: TypeAlias = Literal["namespaces", "services", "endpointslices", "pods", "serviceimports"]
RESOURCES: Final[tuple[Resource, ...]] = ("namespaces", "services", "endpointslices", "pods", "serviceimports")
# Those that an API server may not have, or a role may not allow.
OPTIONAL: Final[frozenset[Resource]] = frozenset(("pods", "serviceimports"))

# Of an EndpointSlice: the Service that it belongs to.
SERVICE_LABEL: Final = "kubernetes.io/service-name"


class Key(NamedTuple):
    """Where an object lies within its resource; namespace is empty for a Namespace."""

    namespace: str
    name: str


class Stamp(NamedTuple):
    """Which state of which object this is; compare for equality only."""

    uid: str
    version: str


class Namespace(NamedTuple):
    key: Key
    stamp: Stamp
    labels: tuple[tuple[str, str], ...] = ()  # only where a selector asks for them


class Service(NamedTuple):
    key: Key
    stamp: Stamp
    cluster_ips: tuple[bytes, ...] = ()  # 4 or 16 octets each; empty for headless and ExternalName
    headless: bool = False
    external_name: str = ""  # as written; type ExternalName exactly where not empty
    ports: tuple[Port, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    outside: bytes = b""  # where it is reached from outside, as zone.entry.pack_outside writes it; only where asked for

    @property
    def target(self) -> bytes:
        """The wire name that external_name leads to; empty where it is no name but an address, nothing or odd."""
        try:
            ip_address(self.external_name)
        except ValueError:
            try:
                name = names.from_text(self.external_name)
            except ValueError:  # NameTextError, or text that is no Unicode
                return b""
            return b"" if name == names.ROOT else name
        return b""


class Import(NamedTuple):
    """That a slice is of a Service imported from another cluster."""

    service: str  # the label multicluster.kubernetes.io/service-name
    cluster: str = ""  # the label multicluster.kubernetes.io/source-cluster, in lower case; empty where there is none


class EndpointSlice(NamedTuple):
    key: Key
    stamp: Stamp
    service: str  # the label SERVICE_LABEL, empty where there is none
    packed: bytes  # the ready endpoints, as zone.entry.pack_slice writes them
    not_ready: int = 0  # endpoints left out because they aren't ready
    imported: Import | None = None  # only where asked for


class ServiceImport(NamedTuple):
    key: Key
    stamp: Stamp
    ips: tuple[bytes, ...] = ()  # of the cluster set, 4 or 16 octets each; empty for headless
    headless: bool = False
    ports: tuple[Port, ...] = ()


class Pod(NamedTuple):
    key: Key
    stamp: Stamp
    addresses: tuple[bytes, ...] = ()  # status.podIPs, 4 or 16 octets each


Object: TypeAlias = Namespace | Service | EndpointSlice | Pod | ServiceImport


class Problem(NamedTuple):
    """Something of an object that was left out: counted, and logged once by whoever decoded it."""

    kind: str
    key: Key
    field: str  # a path such as spec.clusterIPs[1]
    found: str
    expected: str
    place: str = ""  # FILE:LINE of a manifest; the API has none


# Deltas: what a source emits, in order, for each resource on its own


class Put(NamedTuple):
    """The object is now this."""

    resource: Resource
    object: Object
    triggered: float = 0.0  # when what it tells of happened, in Unix seconds; 0 where that isn't known


class Drop(NamedTuple):
    """The object is gone."""

    resource: Resource
    key: Key


class Reset(NamedTuple):
    """A whole list: exactly these objects and, as they were, those under unchanged; all else is gone."""

    resource: Resource
    objects: tuple[Object, ...]
    unchanged: frozenset[Key] = frozenset()


class Synced(NamedTuple):
    """The resource has been listed whole, or isn't there to be listed (optional, forbidden, not installed)."""

    resource: Resource


Delta: TypeAlias = Put | Drop | Reset | Synced
