"""Decode: octets of the Kubernetes API to slim objects, pages, events and statuses.

One object at a time, only the fields that DNS needs, each checked on its own: what is wrong
is left out and named in a Problem, what is right stays (robustness rules K20, K48, K50).
Any octets at all give a value or DecodeError. Knows nothing of where octets come from, nor
of what is done with objects. Shapes says which fields are read.
Sources: Kubernetes API v1 and discovery.k8s.io/v1; RFC 1123 section 2.1; RFC 2782 (ports).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Any, Final, NamedTuple

import msgspec

from kdns.cluster import shapes
from kdns.cluster.objects import EndpointSlice, Key, Namespace, Object, Pod, Problem, Resource, Service, Stamp
from kdns.cluster.shapes import Complaint, DecodeError, Octets, Reader, quoted
from kdns.dns import names
from kdns.dns.names import Name
from kdns.zone.entry import Outside, Port, pack_outside, pack_unnamed, pack_zoned

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

# RFC 1123 section 2.1 as Kubernetes reads it: lower case only. \Z, since $ would allow a newline.
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")
_PROTOCOLS: Final = {"TCP": b"tcp", "UDP": b"udp", "SCTP": b"sctp"}
_EVENTS: Final = frozenset(("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"))
_FINISHED: Final = frozenset(("Succeeded", "Failed", "Unknown"))  # pods whose address may be another's by now
_SIZES: Final = {"IPv4": 4, "IPv6": 16}
# The canonical decimals, so that no sign, space, leading zero or foreign digit passes.
_OCTETS: Final = {str(octet): bytes((octet,)) for octet in range(256)}
_LABEL_LIMIT: Final = 63  # characters
_ZONE_LIMIT: Final = 255  # characters, as many as an entry can hold
_COUNT_LIMIT: Final = 255  # of ports, and of addresses of a Service: what an entry can hold


class DecodeOptions(NamedTuple):
    """What beyond the plain contract is wanted of objects."""

    endpoint_pod_names: bool = False  # endpoints without hostname are named after their pod
    labels: bool = False  # of Namespaces and Services, for selectors
    zones: bool = False  # the topology zones of endpoints
    outside: bool = False  # where Services are reached from outside the cluster


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
    in_dns = resource in {"namespaces", "services"}
    if not (_LABEL if in_dns else _SUBDOMAIN).match(key.name):
        expected = "an RFC 1123 label in lower case" if in_dns else "an RFC 1123 subdomain in lower case"
        complaints.append(Complaint("metadata.name", quoted(key.name), expected))
        return False
    if resource != "namespaces" and not _LABEL.match(key.namespace):
        complaints.append(Complaint("metadata.namespace", quoted(key.namespace), "an RFC 1123 label in lower case"))
        return False
    return True


def _namespace(seen: shapes.Namespace, key: Key, stamp: Stamp, _: list[Complaint]) -> Namespace:
    return Namespace(key, stamp, _labels(seen.metadata))


def _service(seen: shapes.Service, key: Key, stamp: Stamp, complaints: list[Complaint]) -> Service:
    spec = seen.spec
    ports = _ports(spec.ports, "spec.ports", complaints)
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
    cluster_ips = _addresses((text for text in texts if text), path, complaints)
    return Service(key, stamp, cluster_ips, False, "", ports, labels, outside)


def _outside(seen: shapes.OutsideService, complaints: list[Complaint]) -> bytes:
    """The addresses of spec.externalIPs and the load balancer's, in this order, and its host names where it has no address."""
    ingress = seen.status.load_balancer.ingress
    if not (seen.spec.external_ips or ingress):
        return b""
    path = "status.loadBalancer.ingress[{}].ip"
    given = _addresses(seen.spec.external_ips, "spec.externalIPs[{}]", complaints)
    found = [_addresses((each.ip,), path.format(at), complaints) for at, each in enumerate(ingress) if each.ip]
    addresses = [*dict.fromkeys(address for each in (given, *found) for address in each)]
    hosts = [_host(each.hostname, at, complaints) for at, each in enumerate(ingress) if each.hostname and not each.ip]
    v4, v6 = ([address for address in addresses if len(address) == size][:_COUNT_LIMIT] for size in (4, 16))
    return pack_outside(Outside(b"".join(v4), b"".join(v6), tuple(dict.fromkeys(host for host in hosts if host))))


def _host(text: str, at: int, complaints: list[Complaint]) -> Name:
    """The host name of a load balancer; empty where it is none, or an address."""
    name = _wire_name(text)
    if not name:
        complaints.append(Complaint(f"status.loadBalancer.ingress[{at}].hostname", quoted(text), "a domain name"))
    return name


def _wire_name(text: str) -> Name:
    if _SUBDOMAIN.match(text.lower().removesuffix(".")) and not _packed4(text):
        try:
            return names.from_text(text)
        except ValueError:  # NameTextError: a label that is too long
            pass
    return Name(b"")


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
    ports = _ports(seen.ports or (), "ports", complaints)
    packed = pack_zoned(size, ports, named) if plain is None else pack_unnamed(size, ports, plain)
    service = _service_label(seen.metadata, complaints)
    return EndpointSlice(key, stamp, service, packed, len(given) - len(ready))


def _plain_addresses(endpoints: Sequence[shapes.Endpoint], size: int) -> list[bytes] | None:
    """The endpoints' addresses if none of them has a name and nothing is wrong, as nearly always; else None."""
    packed_of = _packed4 if size == 4 else _packed6
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
    packed_of = _packed4 if _SIZES[family] == 4 else _packed6
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
        if _LABEL.match(endpoint.hostname):
            return endpoint.hostname.encode("ascii")
        complaints.append(
            Complaint(f"endpoints[{at}].hostname", quoted(endpoint.hostname), "an RFC 1123 label in lower case")
        )
    if isinstance(endpoint, shapes.TargetedEndpoint):
        target = endpoint.target
        if target.kind == "Pod" and _LABEL.match(target.name):
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
    if service and not _LABEL.match(service):
        complaints.append(
            Complaint("metadata.labels.kubernetes.io/service-name", quoted(service), "the name of a Service")
        )
        return ""
    return service


def _pod(seen: shapes.Pod, key: Key, stamp: Stamp, complaints: list[Complaint]) -> Pod | None:
    if seen.status.phase in _FINISHED:
        return None
    if seen.status.ips:
        return Pod(key, stamp, _addresses((each.ip for each in seen.status.ips), "status.podIPs[{}].ip", complaints))
    texts = (seen.status.ip,) if seen.status.ip else ()
    return Pod(key, stamp, _addresses(texts, "status.podIP", complaints))


def _ports(ports: Iterable[shapes.Port], path: str, complaints: list[Complaint]) -> tuple[Port, ...]:
    """The ports that can have an SRV record: those with a number and a known protocol."""
    made: list[Port] = []
    for at, port in enumerate(ports):
        if port.port is None:
            continue
        sound = _sound_port(port.port, port.name or "", port.protocol or "TCP")
        if sound is not None and len(made) < _COUNT_LIMIT:
            made.append(sound)
            continue
        protocol = _PROTOCOLS.get((port.protocol or "TCP").upper())
        if not 0 < port.port < 65536:
            complaints.append(Complaint(f"{path}[{at}].port", quoted(port.port), "1 to 65535"))
        elif protocol is None:
            complaints.append(Complaint(f"{path}[{at}].protocol", quoted(port.protocol or ""), "TCP, UDP or SCTP"))
        elif len(made) == _COUNT_LIMIT:
            complaints.append(Complaint(f"{path}[{at}]", "one more port", f"at most {_COUNT_LIMIT}"))
            break
        else:
            name = _port_name(port.name, f"{path}[{at}].name", complaints) if port.name else b""
            made.append(Port(port.port, name, protocol))
    return tuple(made)


def _sound_port(number: int, name: str, protocol: str) -> Port | None:
    """The port, as nearly always, if nothing is wrong with it."""
    if len(name) > _LABEL_LIMIT or len(protocol) > _LABEL_LIMIT:
        return None
    return _remembered_port(number, name, protocol)


# All Services of a cluster have few different ports: 0.4 us for one that is remembered, 2 us for another.
@lru_cache(maxsize=1024)
def _remembered_port(number: int, name: str, protocol: str) -> Port | None:
    known = _PROTOCOLS.get(protocol.upper())
    lowered = name.lower()
    if known is None or not 0 < number < 65536 or (name and not (name.isascii() and _LABEL.match(lowered))):
        return None
    return Port(number, lowered.encode("ascii"), known)


def _port_name(text: str, path: str, complaints: list[Complaint]) -> bytes:
    lowered = text.lower()
    if text.isascii() and _LABEL.match(lowered):
        return lowered.encode("ascii")
    complaints.append(Complaint(path, quoted(text), "an RFC 1123 label"))
    return b""


def _addresses(texts: Iterable[str], path: str, complaints: list[Complaint]) -> tuple[bytes, ...]:
    """The addresses of either family that the texts write, each once; path has {} for the number of a text."""
    made: dict[bytes, None] = {}
    for at, text in enumerate(texts):
        address = _packed6(text) if ":" in text else _packed4(text)
        if not address:
            complaints.append(Complaint(path.format(at), quoted(text), "an IPv4 or IPv6 address"))
        elif len(made) == _COUNT_LIMIT:
            complaints.append(Complaint(path.format(at), "one more address", f"at most {_COUNT_LIMIT}"))
            break
        else:
            made[address] = None
    return tuple(made)


def _packed4(text: str) -> bytes:
    """The 4 octets of a dotted quad in its one strict form; none for any other text."""
    # Measured per address: 0.25 us so, 0.28 by bytes() of numbers, 2.3 by ipaddress.
    try:
        one, two, three, four = text.split(".")
        return _OCTETS[one] + _OCTETS[two] + _OCTETS[three] + _OCTETS[four]
    except (KeyError, ValueError):
        return b""


def _packed6(text: str) -> bytes:
    """The 16 octets of an IPv6 address without zone; none for any other text."""
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return b""
    return b"" if address.scope_id else address.packed


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
            for shape in (shapes.Slice, shapes.TargetedSlice, shapes.ZonedSlice, shapes.ZonedTargetedSlice)
        ),
        lambda options: options.endpoint_pod_names + 2 * options.zones,
    ),
    "pods": _Form("Pod", _pod, (Reader(shapes.Pod, "a Pod"),), lambda _options: 0),
}
