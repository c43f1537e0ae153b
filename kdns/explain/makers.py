"""Who makes an answer: the objects behind its owners, and by which rule of the schema they do.

The owners are those that the answer itself names; here they become the objects that an operator knows.
Source: the Kubernetes DNS specification 1.1.0; zone.schema for what each name denotes.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from kdns.cluster.objects import EndpointSlice, Key, Pod, Resource, Service, Stamp
from kdns.explain.details import marked
from kdns.explain.evidence import Below, Evidence, address_text, key_of
from kdns.explain.explanation import Endpoint, Object
from kdns.zone import entry as entries
from kdns.zone.entry import APEX, STATIC, Kind, Owner

_KINDS: Final[dict[Resource, str]] = {
    "namespaces": "Namespace",
    "services": "Service",
    "endpointslices": "EndpointSlice",
    "pods": "Pod",
    "serviceimports": "ServiceImport",
}

# By the entry's kind and the number of labels left of svc, as zone.schema has it.
RULES: Final[dict[tuple[Kind, int], str]] = {
    (Kind.CLUSTER_IP, 2): "a Service's name has its ClusterIPs, and SRV records of all its ports",
    (Kind.CLUSTER_IP, 3): "an endpoint's name below its Service: its hostname, else its address in dashes",
    (Kind.CLUSTER_IP, 4): "a port's name, _port._protocol, has the Service's ClusterIPs",
    (Kind.HEADLESS, 2): "a headless Service's name has the addresses of all its ready endpoints",
    (Kind.HEADLESS, 3): "an endpoint's name below its Service: its hostname, else its address in dashes",
    (Kind.HEADLESS, 4): "a port's name, _port._protocol, has all ready endpoints with that port",
    (Kind.EXTERNAL_NAME, 2): "an ExternalName is an alias (CNAME) of the name that it holds",
}
_IMPORTED: Final[dict[int, str]] = {
    2: "an imported Service's name has the addresses of its ServiceImport, or of all ready endpoints if that is headless",
    3: "an endpoint that names no cluster, by its hostname or its address in dashes",
    4: "an endpoint of one cluster, HOST.CLUSTER, or a port's name, _port._protocol",
}
_ZONAL: Final = "a topology zone's name has the ready endpoints in that zone"
_POD: Final = "a pod's name has the address in it, in the mode pods {mode}"
_REVERSE: Final = "a reverse name leads to the Service with that ClusterIP, else to the endpoints with that address"
_OF_BRANCH: Final = {
    "dns": "the server's own name",
    "dns-version": "the version of the DNS specification",
}
_APEX: Final = "the zone's own name"


def rule(evidence: Evidence, place: Below) -> str:
    """By which rule a name has its records; empty where it can have none."""
    if not place.labels:
        return _APEX
    if not place.is_primary:
        return _REVERSE
    branch = place.labels[-1].lower()
    if branch == "pod":
        return _POD.format(mode=place.zone.pods)
    if branch != "svc":
        return _OF_BRANCH.get(branch, "")
    if len(place.labels) < 3:
        return ""
    entry = evidence.index.entries.get(owner_of(place))
    depth = len(place.labels) - 1
    if entry is not None and place.is_import:
        return _IMPORTED.get(depth, "")
    if entry is not None and place.zone.zonal and depth > 2 and place.labels[-4] == "_zone":
        return _ZONAL
    return RULES.get((entries.kind_of(entry), depth), "") if entry is not None else ""


def owner_of(place: Below) -> Owner:
    """The owner of a name below svc with at least two labels before that."""
    if place.is_import:
        return entries.import_owner(place.labels[-2], place.labels[-3])
    return entries.service_owner(place.labels[-2], place.labels[-3])


def objects(evidence: Evidence, owners: Iterable[Owner], answers: frozenset[bytes]) -> tuple[Object, ...]:
    """The objects behind the owners, each once, the most important first; answers are the addresses in the records."""
    found = [each for owner in owners for each in _behind(evidence, owner, answers)]
    return tuple({(each.kind, each.namespace, each.name): each for each in found}.values())


def _behind(evidence: Evidence, owner: Owner, answers: frozenset[bytes]) -> Iterator[Object]:
    if owner in {APEX, STATIC}:
        return
    if entries.is_service(owner):
        yield from service_objects(evidence, key_of(owner), answers)
        return
    tag, rest = owner[:1], owner[1:]
    if entries.is_import(owner):
        yield from _imported(evidence, key_of(Owner(rest)), answers)
    if tag == entries.address_owner(b"")[:1]:
        for service in evidence.index.owners_at(rest):
            yield from service_objects(evidence, key_of(service), frozenset((rest,)))
    elif tag == entries.namespace_owner("")[:1]:
        yield from _plain(evidence, "namespaces", Key("", rest[1:].decode("ascii", "replace")))
    elif tag == entries.pod_owner("", b"")[:1]:
        namespace = rest[1 : 1 + rest[0]].decode("ascii", "replace")
        yield from _pods(evidence, namespace, rest[1 + rest[0] :])


def service_objects(evidence: Evidence, key: Key, answers: frozenset[bytes]) -> Iterator[Object]:
    """The Service and its slices."""
    service = evidence.store.service(key)
    if service is not None:
        yield _object(evidence, "services", key, service.stamp, says=_service_says(service))
    if service is not None and service.external_name:
        return
    details = evidence.details.get(key)
    for part in evidence.store.members(key) if evidence.reading.endpoints else ():
        known = details.slices.get(part.key.name) if details is not None else None
        endpoints = (
            _endpoints(part, answers)
            if known is None
            else marked(known.endpoints, frozenset(map(address_text, answers)))
        )
        yield _object(
            evidence,
            "endpointslices",
            part.key,
            part.stamp,
            changed=None if known is None else known.changed,
            endpoints=endpoints,
            not_ready=part.not_ready,
        )


def _imported(evidence: Evidence, key: Key, answers: frozenset[bytes]) -> Iterator[Object]:
    """The ServiceImport and the slices of other clusters that name it."""
    yield from _plain(evidence, "serviceimports", key)
    for part in evidence.store.imported_members(key):
        endpoints = _endpoints(part, answers)
        yield _object(evidence, "endpointslices", part.key, part.stamp, endpoints=endpoints, not_ready=part.not_ready)


def _service_says(service: Service) -> str:
    if service.external_name:
        return f"ExternalName {service.external_name}"
    said = "headless" if service.headless else ", ".join(map(address_text, service.cluster_ips)) or "no ClusterIP"
    ports = ", ".join(f"{port.name.decode()} {port.number}/{port.protocol.decode()}".strip() for port in service.ports)
    return f"{said}; {ports}" if ports else said


def _endpoints(part: EndpointSlice, answers: frozenset[bytes]) -> tuple[Endpoint, ...]:
    """Those that are ready, which is all that the store has of them."""
    unpacked = entries.unpack_slice(part.packed)
    size, octets = unpacked.size, unpacked.addresses
    addresses = [octets[at : at + size] for at in range(0, len(octets), size)]
    hosts = unpacked.names or (b"",) * len(addresses)
    return tuple(
        Endpoint(addresses=(address_text(address),), ready=True, counts=address in answers, hostname=host.decode())
        for address, host in zip(addresses, hosts, strict=True)
    )


def _pods(evidence: Evidence, namespace: str, address: bytes) -> Iterator[Object]:
    for name in evidence.store.names("pods", namespace):
        pod = evidence.store.get("pods", Key(namespace, name))
        if isinstance(pod, Pod) and address in pod.addresses:
            yield _object(evidence, "pods", pod.key, pod.stamp, says=address_text(address))


def _plain(evidence: Evidence, resource: Resource, key: Key) -> Iterator[Object]:
    stamp = evidence.store.stamp(resource, key)
    if stamp is not None:
        yield _object(evidence, resource, key, stamp)


def _object(
    evidence: Evidence,
    resource: Resource,
    key: Key,
    stamp: Stamp,
    *,
    says: str = "",
    changed: str | None = None,
    endpoints: tuple[Endpoint, ...] = (),
    not_ready: int = 0,
) -> Object:
    kind = _KINDS[resource]
    return Object(
        kind=kind,
        namespace=key.namespace,
        name=key.name,
        resource_version=stamp.version,
        uid=stamp.uid,
        place=evidence.places.get((kind, key), ""),
        says=says,
        changed=changed,
        endpoints=endpoints,
        not_ready=not_ready,
    )
