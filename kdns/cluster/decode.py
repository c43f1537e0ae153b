"""Decode: octets of the Kubernetes API to slim objects, pages, events and statuses.

One object at a time, only the fields that DNS needs, each checked on its own: what is wrong
is left out and named in a Problem, what is right stays (robustness rules K20, K48, K50).
Any octets at all give a value or DecodeError. Knows nothing of where octets come from, nor
of what is done with objects. Shapes says which fields are read, values what is sound in them.
Sources: Kubernetes API v1, discovery.k8s.io/v1 and multicluster.x-k8s.io/v1alpha1.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from kdns.cluster import shapes
from kdns.cluster.objects import (
    SERVICE_LABEL,
    EndpointSlice,
    Import,
    Key,
    Namespace,
    Object,
    Pod,
    Problem,
    Resource,
    Service,
    ServiceImport,
    Stamp,
)
from kdns.cluster.shapes import Complaint, DecodeError, Octets, Reader, quoted
from kdns.cluster.values import COUNT_LIMIT, LABEL, SUBDOMAIN, addresses_of, packed4, packed6, ports_of, wire_name
from kdns.dns.names import Name
from kdns.zone.entry import Outside, pack_outside, pack_unnamed, pack_zoned

__all__ = [
    "Bookmark",
    "DecodeError",
    "DecodeOptions",
    "Decoded",
    "Event",
    "Head",
    "Page",
    "Status",
    "bookmark",
    "event",
    "head",
    "headed",
    "item",
    "page",
    "status",
]

_EVENTS: Final = frozenset(("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"))
_FINISHED: Final = frozenset(("Succeeded", "Failed", "Unknown"))  # pods whose address may be another's by now
_SIZES: Final = {"IPv4": 4, "IPv6": 16}
_ZONE_LIMIT: Final = 255  # characters, as many as an entry can hold


class DecodeOptions(NamedTuple):
    """What beyond the plain contract is wanted of objects."""

    endpoint_pod_names: bool = False  # endpoints without hostname are named after their pod
    labels: bool = False  # of Namespaces and Services, for selectors
    zones: bool = False  # the topology zones of endpoints
    outside: bool = False  # where Services are reached from outside the cluster
    imports: bool = False  # which imported Service and which cluster slices are of


PLAIN: Final = DecodeOptions()


class Page(NamedTuple):
    """One page of a list."""

    version: str
    token: str  # continues the list; empty on its last page
    remaining: int | None  # as the server estimates it
    items: list[msgspec.Raw]


class Event(NamedTuple):
    """One line of a watch."""

    type: str  # ADDED, MODIFIED, DELETED, BOOKMARK or ERROR
    object: msgspec.Raw


class Bookmark(NamedTuple):
    """How far a watch has come."""

    version: str
    initial_events_end: bool  # all that was there when the watch began has been sent


class Status(NamedTuple):
    """What the API server says instead of an answer (metav1.Status)."""

    code: int
    reason: str
    message: str
    retry_after_s: float | None
    causes: tuple[str, ...]  # the reasons of details.causes


class Head(NamedTuple):
    """Which object this is, and which state of it."""

    key: Key
    stamp: Stamp


class Decoded(NamedTuple):
    """An object, or None where it is left out whole, and what of it was left out."""

    object: Object | None
    problems: tuple[Problem, ...]


def page(octets: bytes) -> Page:
    """The page of a list, its items unread. Raises DecodeError."""
    seen = _PAGE.strictly(octets)
    return Page(seen.metadata.version, seen.metadata.token, seen.metadata.remaining, seen.items or [])


def event(line: bytes) -> Event:
    """The event of a line, its object unread. Raises DecodeError."""
    seen = _EVENT.strictly(line)
    if seen.type not in _EVENTS:
        raise DecodeError(f"expected a watch event: its type is {quoted(seen.type)}")
    return Event(seen.type, seen.object)


def bookmark(raw: Octets) -> Bookmark:
    """The object of a BOOKMARK event. Raises DecodeError."""
    meta = _BOOKMARK.strictly(raw).metadata
    return Bookmark(meta.version, meta.annotations.get("k8s.io/initial-events-end") == "true")


def status(octets: Octets) -> Status:
    """The Status in an error's body or in the object of an ERROR event. Raises DecodeError."""
    seen = _STATUS.strictly(octets)
    if seen.kind != "Status":
        raise DecodeError(f"expected a Status: its kind is {quoted(seen.kind)}")
    details = seen.details or shapes.StatusDetails()
    causes = tuple(cause.reason for cause in details.causes or ())
    return Status(seen.code, seen.reason, seen.message, details.retry_after_s, causes)


def head(resource: Resource, raw: Octets) -> Head:
    """Key and stamp of an object, all else unread. Raises DecodeError, also where it has no name."""
    meta = _HEAD.strictly(raw).metadata
    if not meta.name:
        raise DecodeError("expected an object: it has no metadata.name")
    return Head(_key(resource, meta), Stamp(meta.uid, meta.version))


def item(resource: Resource, raw: Octets, options: DecodeOptions = PLAIN) -> Decoded:
    """The object and each part of it that was left out. Raises DecodeError where it is no JSON object.

    The object is None where it is of no use to DNS: its name or namespace is none, a slice
    is of no family of addresses, a pod has finished (the last without a Problem).
    """
    return headed(resource, raw, options)[1]


def headed(resource: Resource, raw: Octets, options: DecodeOptions = PLAIN) -> tuple[Head, Decoded]:
    """Head and item in one pass. Raises as item does; where the object has no name, that in its head is empty."""
    form = _FORMS[resource]
    complaints: list[Complaint] = []
    seen = form.readers[form.which(options)].leniently(raw, complaints)
    meta = seen.metadata
    key = _key(resource, meta)
    stamp = Stamp(meta.uid, meta.version)
    made = None
    if _is_usable(resource, key, complaints):
        made = form.make(seen, key, stamp, complaints)
    problems = tuple(Problem(form.kind, key, *complaint) for complaint in complaints) if complaints else ()
    return Head(key, stamp), Decoded(made, problems)


def _key(resource: Resource, meta: shapes.Meta) -> Key:
    return Key("" if resource == "namespaces" else meta.namespace, meta.name)


def _is_usable(resource: Resource, key: Key, complaints: list[Complaint]) -> bool:
    """Whether what becomes part of DNS names can be one; Kubernetes names slices and pods more freely."""
    in_dns = resource in {"namespaces", "services", "serviceimports"}
    if not (LABEL if in_dns else SUBDOMAIN).match(key.name):
        expected = "an RFC 1123 label in lower case" if in_dns else "an RFC 1123 subdomain in lower case"
        complaints.append(Complaint("metadata.name", quoted(key.name), expected))
        return False
    if resource != "namespaces" and not LABEL.match(key.namespace):
        complaints.append(Complaint("metadata.namespace", quoted(key.namespace), "an RFC 1123 label in lower case"))
        return False
    return True


def _namespace(seen: shapes.Namespace, key: Key, stamp: Stamp, _: list[Complaint]) -> Namespace:
    return Namespace(key, stamp, _labels(seen.metadata))


def _service(seen: shapes.Service, key: Key, stamp: Stamp, complaints: list[Complaint]) -> Service:
    spec = seen.spec
    ports = ports_of(spec.ports, "spec.ports", complaints)
    labels = _labels(seen.metadata)
    outside = _outside(seen, complaints) if isinstance(seen, shapes.OutsideService) else b""
    if spec.type == "ExternalName":
        made = Service(key, stamp, (), False, spec.external_name, ports, labels, outside)
        if not made.target:
            complaints.append(Complaint("spec.externalName", quoted(spec.external_name), "a domain name"))
        return made
    texts = spec.cluster_ips or [spec.cluster_ip]
    if "None" in (spec.cluster_ip, *texts):
        return Service(key, stamp, (), True, "", ports, labels, outside)
    path = "spec.clusterIPs[{}]" if spec.cluster_ips else "spec.clusterIP"
    cluster_ips = addresses_of((text for text in texts if text), path, complaints)
    return Service(key, stamp, cluster_ips, False, "", ports, labels, outside)


def _outside(seen: shapes.OutsideService, complaints: list[Complaint]) -> bytes:
    """The addresses of spec.externalIPs and the load balancer's, in this order, and its host names where it has no address."""
    ingress = seen.status.load_balancer.ingress
    if not (seen.spec.external_ips or ingress):
        return b""
    path = "status.loadBalancer.ingress[{}].ip"
    given = addresses_of(seen.spec.external_ips, "spec.externalIPs[{}]", complaints)
    found = [addresses_of((each.ip,), path.format(at), complaints) for at, each in enumerate(ingress) if each.ip]
    addresses = [*dict.fromkeys(address for each in (given, *found) for address in each)]
    hosts = [_host(each.hostname, at, complaints) for at, each in enumerate(ingress) if each.hostname and not each.ip]
    v4, v6 = ([address for address in addresses if len(address) == size][:COUNT_LIMIT] for size in (4, 16))
    return pack_outside(Outside(b"".join(v4), b"".join(v6), tuple(dict.fromkeys(host for host in hosts if host))))


def _host(text: str, at: int, complaints: list[Complaint]) -> Name:
    """The host name of a load balancer; empty where it is none, or an address."""
    name = wire_name(text)
    if not name:
        complaints.append(Complaint(f"status.loadBalancer.ingress[{at}].hostname", quoted(text), "a domain name"))
    return name


def _labels(meta: shapes.Meta) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(meta.labels.items())) if isinstance(meta, shapes.LabelledMeta) else ()


def _slice(seen: shapes.AnySlice, key: Key, stamp: Stamp, complaints: list[Complaint]) -> EndpointSlice | None:
    size = _SIZES.get(seen.family)
    if size is None:
        complaints.append(Complaint("addressType", quoted(seen.family), "IPv4 or IPv6"))
        return None
    given = seen.endpoints or ()
    ready = [endpoint for endpoint in given if endpoint.conditions.ready is not False]
    plain = _plain_addresses(ready, size) if isinstance(seen, shapes.Slice) else None
    named = () if plain is not None else _named_addresses(given, seen.family, complaints)
    ports = ports_of(seen.ports or (), "ports", complaints)
    packed = pack_zoned(size, ports, named) if plain is None else pack_unnamed(size, ports, plain)
    service = _service_label(seen.metadata, complaints)
    imported = _import(seen.metadata.labels, complaints) if isinstance(seen, _IMPORTED) else None
    return EndpointSlice(key, stamp, service, packed, len(given) - len(ready), imported)


def _plain_addresses(endpoints: Sequence[shapes.Endpoint], size: int) -> list[bytes] | None:
    """The endpoints' addresses if none of them has a name and nothing is wrong, as nearly always; else None."""
    packed_of = packed4 if size == 4 else packed6
    made: list[bytes] = []
    for endpoint in endpoints:
        if endpoint.hostname:
            return None
        made += map(packed_of, endpoint.addresses)
    return made if all(made) else None


def _named_addresses(
    endpoints: Sequence[shapes.Endpoint], family: str, complaints: list[Complaint]
) -> list[tuple[bytes, bytes, bytes]]:
    """The addresses of endpoints that are ready, each with its name or an empty one, and its topology zone likewise."""
    packed_of = packed4 if _SIZES[family] == 4 else packed6
    made: list[tuple[bytes, bytes, bytes]] = []
    for at, endpoint in enumerate(endpoints):
        if endpoint.conditions.ready is False:
            continue
        name = _endpoint_name(endpoint, at, complaints)
        zone = _endpoint_zone(endpoint, at, complaints) if isinstance(endpoint, _ZONED) else b""
        for which, text in enumerate(endpoint.addresses):
            address = packed_of(text)
            if address:
                made.append((address, name, zone))
            else:
                complaints.append(
                    Complaint(f"endpoints[{at}].addresses[{which}]", quoted(text), f"an {family} address")
                )
    return made


def _endpoint_name(endpoint: shapes.Endpoint, at: int, complaints: list[Complaint]) -> bytes:
    """The label of an endpoint's name below its Service; empty where it has none but its dashed address."""
    if endpoint.hostname:
        if LABEL.match(endpoint.hostname):
            return endpoint.hostname.encode("ascii")
        complaints.append(
            Complaint(f"endpoints[{at}].hostname", quoted(endpoint.hostname), "an RFC 1123 label in lower case")
        )
    if isinstance(endpoint, shapes.TargetedEndpoint):
        target = endpoint.target
        if target.kind == "Pod" and LABEL.match(target.name):
            return target.name.encode("ascii")
    return b""


_ZONED: Final = (shapes.ZonedEndpoint, shapes.ZonedTargetedEndpoint)


def _endpoint_zone(
    endpoint: shapes.ZonedEndpoint | shapes.ZonedTargetedEndpoint, at: int, complaints: list[Complaint]
) -> bytes:
    """The topology zone of an endpoint, in lower case; empty where it isn't said."""
    zone = endpoint.zone or ""
    if zone.isascii() and len(zone) <= _ZONE_LIMIT:
        return zone.lower().encode("ascii")
    complaints.append(Complaint(f"endpoints[{at}].zone", quoted(zone), "the value of a label"))
    return b""


def _service_label(meta: shapes.SliceMeta, complaints: list[Complaint]) -> str:
    service = meta.labels.service
    if service and not LABEL.match(service):
        complaints.append(Complaint(f"metadata.labels.{SERVICE_LABEL}", quoted(service), "the name of a Service"))
        return ""
    return service


def _import(labels: shapes.ImportedSliceLabels, complaints: list[Complaint]) -> Import | None:
    """The imported Service that a slice is of, None where there is none; without a cluster where that can't be a label."""
    if not labels.imported:
        return None
    path = "metadata.labels.multicluster.kubernetes.io/"
    if not LABEL.match(labels.imported):
        complaints.append(Complaint(f"{path}service-name", quoted(labels.imported), "the name of a ServiceImport"))
        return None
    cluster = labels.cluster.lower()
    if cluster and not (labels.cluster.isascii() and LABEL.match(cluster)):
        complaints.append(Complaint(f"{path}source-cluster", quoted(labels.cluster), "an RFC 1123 label"))
        cluster = ""
    return Import(labels.imported, cluster)


_IMPORTED: Final = (
    shapes.ImportedSlice,
    shapes.ImportedTargetedSlice,
    shapes.ImportedZonedSlice,
    shapes.ImportedZonedTargetedSlice,
)
_HEADLESS: Final = {"Headless": True, "ClusterSetIP": False}


def _service_import(seen: shapes.ServiceImport, key: Key, stamp: Stamp, complaints: list[Complaint]) -> ServiceImport:
    spec = seen.spec
    if spec.type not in _HEADLESS:
        complaints.append(Complaint("spec.type", quoted(spec.type), "ClusterSetIP or Headless"))
    ips = addresses_of(spec.ips or (), "spec.ips[{}]", complaints)
    ports = ports_of(spec.ports or (), "spec.ports", complaints)
    is_headless = _HEADLESS.get(spec.type, False)
    return ServiceImport(key, stamp, () if is_headless else ips, is_headless, ports)


def _pod(seen: shapes.Pod, key: Key, stamp: Stamp, complaints: list[Complaint]) -> Pod | None:
    if seen.status.phase in _FINISHED:
        return None
    if seen.status.ips:
        return Pod(key, stamp, addresses_of((each.ip for each in seen.status.ips), "status.podIPs[{}].ip", complaints))
    texts = (seen.status.ip,) if seen.status.ip else ()
    return Pod(key, stamp, addresses_of(texts, "status.podIP", complaints))


class _Form(NamedTuple):
    """How the objects of a resource are read."""

    kind: str
    make: Callable[..., Object | None]
    readers: tuple[Reader[Any], ...]  # the plain one, and others by what options ask for
    which: Callable[[DecodeOptions], int]  # the number of the reader


_PAGE: Final = Reader(shapes.List, "a list")
_EVENT: Final = Reader(shapes.WatchEvent, "a watch event")
_BOOKMARK: Final = Reader(shapes.Mark, "a bookmark")
_STATUS: Final = Reader(shapes.Status, "a Status")
_HEAD: Final = Reader(shapes.Headed, "an object")
_FORMS: Final[dict[Resource, _Form]] = {
    "namespaces": _Form(
        "Namespace",
        _namespace,
        (Reader(shapes.Namespace, "a Namespace"), Reader(shapes.LabelledNamespace, "a Namespace")),
        lambda options: int(options.labels),
    ),
    "services": _Form(
        "Service",
        _service,
        tuple(
            Reader(shape, "a Service")
            for shape in (
                shapes.Service,
                shapes.LabelledService,
                shapes.OutsideService,
                shapes.LabelledOutsideService,
            )
        ),
        lambda options: options.labels + 2 * options.outside,
    ),
    "endpointslices": _Form(
        "EndpointSlice",
        _slice,
        tuple(
            Reader(shape, "an EndpointSlice")
            for shape in (
                *(shapes.Slice, shapes.TargetedSlice, shapes.ZonedSlice, shapes.ZonedTargetedSlice),
                *_IMPORTED,
            )
        ),
        lambda options: options.endpoint_pod_names + 2 * options.zones + 4 * options.imports,
    ),
    "serviceimports": _Form(
        "ServiceImport", _service_import, (Reader(shapes.ServiceImport, "a ServiceImport"),), lambda _options: 0
    ),
    "pods": _Form("Pod", _pod, (Reader(shapes.Pod, "a Pod"),), lambda _options: 0),
}
