"""Why there is nothing: what each part of a name that has no records is short of, and what may have been meant.

A candidate gets one sentence, why; reasons are what may help, each with a code that programs can tell apart. What is looked
through for names that are near is bounded, since anybody who reaches a server's pages may ask.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from kdns.cluster.objects import EndpointSlice, Key
from kdns.config.complaints import nearest_several
from kdns.dns import types
from kdns.explain.evidence import Below, Evidence, address_text, key_of, reverse_address, text
from kdns.explain.explanation import Reason, Reply
from kdns.explain.makers import owner_of
from kdns.zone import dashed, headless, zonal
from kdns.zone import entry as entries
from kdns.zone.described import label
from kdns.zone.entry import Kind, Port, namespace_owner
from kdns.zone.pods import DISABLED
from kdns.zone.terms import Zone

_LOOKED_AT: Final = 5000  # objects
_COMPARED: Final = 1000  # names, some 5 ms; a search path of 32 domains then takes 0.2 s, were all of them such
_SHOWN: Final = 3
_FAMILIES: Final = {types.A: (4, "IPv4"), types.AAAA: (16, "IPv6")}
_BRANCHES: Final = ("svc", "pod")


class Denied(NamedTuple):
    """A name without records, where it lies, and what was said to each question."""

    evidence: Evidence
    place: Below
    replies: tuple[Reply, ...]
    as_given: bool  # it is the name as it was asked for, not one of the search path's making


class Hints(NamedTuple):
    why: str
    reasons: tuple[Reason, ...] = ()


def hints(denied: Denied) -> Hints:
    """Why the name has no records, and what may be the matter."""
    if not denied.evidence.index.synced:
        return Hints("the cluster hasn't been read yet", (Reason(code="not-synced", text=_unsynced(denied.evidence)),))
    errors = [reply.error for reply in denied.replies if reply.rcode not in {"NOERROR", "NXDOMAIN"} and reply.error]
    if errors and "circle" in errors[0]:
        return Hints(errors[0], (Reason(code="external-loop", text=_circle(denied)),))
    if errors:
        return Hints(errors[0])
    if not denied.place.labels:
        return Hints("the zone's own name has no such records")
    if not denied.place.is_primary:
        return _of_address(denied)
    branch = denied.place.labels[-1]
    if branch == "svc":
        return _of_svc(denied)
    return _of_pod(denied) if branch == "pod" else _astray(denied, branch)


def beside(zones: Iterable[Zone], labels: list[str], primary: str) -> Iterator[Reason]:
    """What is to be said of an absolute name, by its labels, that isn't the cluster's, or nothing in it."""
    lowered = [each.lower() for each in labels]
    for branch in _BRANCHES:
        if branch in lowered[1:]:
            at = lowered.index(branch, 1)
            behind = ".".join(labels[at + 1 :])
            if behind.lower() not in _origins(zones):
                found = f'the zone is "{behind}"' if behind else "there is no zone behind it"
                meant = ".".join((*labels[: at + 1], primary))
                yield Reason(code="wrong-zone", text=f"{found}, this cluster's is {primary}: did you mean {meant}?")
                return


def _origins(zones: Iterable[Zone]) -> set[str]:
    return {text(origin) for zone in zones for origin in zone.origins}


def _unsynced(evidence: Evidence) -> str:
    missing = [each for each in evidence.freshness.resources if not each.synced]
    said = "; ".join(f"{each.name}: {each.trouble or 'not listed yet'}" for each in missing)
    return f"nothing is denied before the cluster has been read: {said or 'it is being read'}"


def _circle(denied: Denied) -> str:
    record = next((record for reply in denied.replies for record in reply.records), None)
    names = [record.name for reply in denied.replies[:1] for record in reply.records]
    last = [record.data for reply in denied.replies[:1] for record in reply.records][-1:]
    way = " -> ".join((*names, *last)) if record is not None else "the way isn't known"
    return f"ExternalNames lead on and on: {way}; one of them has to hold another name"


# Below svc


def _of_svc(denied: Denied) -> Hints:
    labels, evidence = denied.place.labels, denied.evidence
    if len(labels) == 1:
        return Hints("it only stands above namespaces")
    namespace = labels[-2]
    if not denied.place.zone.shows(label(namespace)):
        return Hints(f"this zone shows some namespaces only, and {namespace} is none of them", (_HIDDEN,))
    exists = namespace_owner(namespace) in evidence.index.entries
    if len(labels) == 2:
        return Hints("a namespace has no records of its own") if exists else _no_namespace(denied, namespace, "")
    service = labels[-3]
    entry = evidence.index.entries.get(owner_of(denied.place))
    if denied.place.is_import:
        return _of_import(denied, Key(namespace, service), exists=entry is not None)
    if entry is None:
        return _no_namespace(denied, namespace, service) if not exists else _no_service(denied, Key(namespace, service))
    kind = entries.kind_of(entry)
    key = Key(namespace, service)
    if kind == Kind.SLICES_ONLY:
        return _no_service(denied, key, "EndpointSlices name it, but that makes no names")
    if kind == Kind.EXTERNAL_NAME:
        return _of_external(denied, key)
    if kind == Kind.HEADLESS and not headless.slices_of(entry):
        return _no_endpoints(denied, key, f"Service {_named(key)} is headless and has no ready endpoint")
    if all(reply.rcode == "NOERROR" for reply in denied.replies):
        return _no_data(denied, key, kind)
    return _below_service(denied, key, kind)


def _of_import(denied: Denied, key: Key, *, exists: bool) -> Hints:
    """In a zone of multicluster, which has no Services of this cluster."""
    if exists:
        return Hints(f"ServiceImport {_named(key)} is there, and has no such name below it or no such records")
    freshness = next((each for each in denied.evidence.freshness.resources if each.name == "serviceimports"), None)
    trouble = f": {freshness.trouble}" if freshness is not None and freshness.trouble else ""
    return Hints(f"there is no ServiceImport {_named(key)}{trouble}")


_HIDDEN: Final = Reason(code="hidden", text="the option namespaces of the directive kubernetes says which are shown")


def _named(key: Key) -> str:
    return f"{key.namespace}/{key.name}"


def _near(word: str, known: Iterable[str]) -> list[str]:
    """Names that are spelt alike, of the thousand that are about as long."""
    alike = sorted(known, key=lambda each: abs(len(each) - len(word)))[:_COMPARED]
    return nearest_several(word, alike, _SHOWN)


def _no_namespace(denied: Denied, namespace: str, service: str) -> Hints:
    evidence = denied.evidence
    known = {key.name for key in evidence.store.keys("namespaces")}
    reasons = [
        Reason(code="near-namespace", text=f"there is a namespace {near}: did you mean {_with(denied, -2, near)}?")
        for near in _near(namespace, sorted(known - {namespace}))
        if not service or evidence.store.has("services", Key(near, service))
    ]
    if namespace in known or evidence.store.has_any("services", namespace):
        why = f"namespace {namespace} is left out, by namespace_labels or since nothing in it has a name"
        return Hints(why, (Reason(code="hidden", text=f"namespace {namespace} hasn't the labels that are asked for"),))
    return Hints(f"there is no namespace {namespace}", (*reasons, *_elsewhere(denied, Key(namespace, service))))


def _elsewhere(denied: Denied, key: Key) -> Iterator[Reason]:
    """The same Service in other namespaces."""
    if not key.name:
        return
    found = [each for each in denied.evidence.store.namespaces_with("services", key.name) if each != key.namespace]
    shown = [each for each in found if denied.place.zone.shows(label(each))]
    if shown:
        names = ", ".join(_with(denied, -2, each) for each in shown[:_SHOWN])
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        yield Reason(code="elsewhere", text=f"a Service {key.name} is in another namespace: {names}{more}")


def _with(denied: Denied, at: int, other: str) -> str:
    """The name with another label, from that of the branch (-1) to the left."""
    labels = list(denied.place.labels)
    labels[at] = other
    return ".".join((*labels, denied.place.origin))


def _no_service(denied: Denied, key: Key, why: str = "") -> Hints:
    evidence = denied.evidence
    if evidence.store.service(key) is not None:
        said = f"Service {_named(key)} is there, but has no ready endpoint, and ignore empty_service leaves such out"
        return _no_endpoints(denied, key, said)
    known = evidence.store.names("services", key.namespace)
    reasons = [
        Reason(code="near-service", text=f"there is a Service {near}: did you mean {_with(denied, -3, near)}?")
        for near in _near(key.name, known)
    ]
    said = f"there is no Service {key.name} in namespace {key.namespace}"
    return Hints(f"{said}; {why}" if why else said, (*reasons, *_elsewhere(denied, key)))


def _of_external(denied: Denied, key: Key) -> Hints:
    service = denied.evidence.store.service(key)
    target = "" if service is None else service.external_name
    if len(denied.place.labels) > 3:
        return Hints(f"Service {_named(key)} is an ExternalName, which has no names below it")
    rcodes = {reply.rcode for reply in denied.replies}
    if rcodes == {"NOERROR"}:
        return Hints(f"Service {_named(key)} is an ExternalName, which has a CNAME alone")
    text = f'spec.externalName of {_named(key)} is "{target}", expected the name of a host, not an address'
    return Hints(
        f'Service {_named(key)} leads to "{target}", which is no host\'s name', (_reason("external-name", text),)
    )


def _reason(code: str, text: str) -> Reason:
    return Reason(code=code, text=text)


# Endpoints


def _no_endpoints(denied: Denied, key: Key, why: str) -> Hints:
    return Hints(why, tuple(_of_readiness(denied.evidence, key)))


def _of_readiness(evidence: Evidence, key: Key) -> Iterator[Reason]:
    if not evidence.reading.endpoints:
        yield _reason(
            "no-endpoints-read", "noendpoints says that no EndpointSlices are read: headless Services have no names"
        )
        return
    members = evidence.store.members(key)
    waiting = sum(part.not_ready for part in members)
    if waiting:
        slices = ", ".join(part.key.name for part in members[:_SHOWN])
        text = f"{waiting} endpoint{'s' if waiting != 1 else ''} of {_named(key)} {'are' if waiting != 1 else 'is'} not ready ({slices})"
        details = evidence.details.get(key)
        if details is not None and not details.publishes_not_ready:
            text += "; publishNotReadyAddresses would have them answered all the same"
        yield _reason("no-ready-endpoints", text)
    elif members:
        yield _reason("no-ready-endpoints", f"the EndpointSlices of {_named(key)} are empty: its selector takes no pod")
    else:
        yield _reason(
            "no-slices", f"no EndpointSlice names {_named(key)}: it has no selector, or no controller makes them"
        )
    yield from _unlabelled(evidence, key)


def _unlabelled(evidence: Evidence, key: Key) -> Iterator[Reason]:
    """Slices of the namespace that name no Service, or one that isn't there, and may be meant for this one."""
    for name in islice(evidence.store.names("endpointslices", key.namespace), _LOOKED_AT):
        if name != key.name and not name.startswith(f"{key.name}-"):
            continue
        part = evidence.store.get("endpointslices", Key(key.namespace, name))
        if isinstance(part, EndpointSlice) and part.service != key.name:
            found = f'says "{part.service}"' if part.service else "isn't there"
            text = f"EndpointSlice {key.namespace}/{name}: the label kubernetes.io/service-name {found}, so it counts not for {key.name}"
            yield _reason("slice-without-label", text)


# Below a Service


def _below_service(denied: Denied, key: Key, kind: Kind) -> Hints:
    labels = denied.place.labels
    if denied.place.zone.zonal and len(labels) > 3 and labels[-4] == zonal.ANCHOR[1:].decode():
        return Hints(f"Service {_named(key)} has no ready endpoint in that topology zone, or isn't headless")
    if len(labels) == 4:
        return _no_host(denied, key)
    if len(labels) == 5:
        return _no_port(denied, key, kind)
    return Hints(f"nothing below Service {_named(key)} has so many labels")


def _no_host(denied: Denied, key: Key) -> Hints:
    host = denied.place.labels[0]
    entry = denied.evidence.index.entries[owner_of(denied.place)]
    known = [host_[1:].decode() for part in headless.slices_of(entry) for host_ in headless.hosts(part)]
    reasons = [
        _reason("near-endpoint", f"there is an endpoint {near}: did you mean {_with(denied, 0, near)}?")
        for near in _near(host, known)
    ]
    if host.startswith("_"):
        said = f"Service {_named(key)} has no port with a name and the protocol {host[1:]}"
        return Hints(said, tuple(reasons))
    waiting = sum(part.not_ready for part in denied.evidence.store.members(key))
    if waiting:
        reasons.append(
            _reason("no-ready-endpoints", f"{waiting} of {_named(key)}'s endpoints aren't ready, and have no names")
        )
    return Hints(f"Service {_named(key)} has no ready endpoint {host}", tuple(reasons))


def _no_port(denied: Denied, key: Key, kind: Kind) -> Hints:
    name, protocol = (each.removeprefix("_").lower() for each in denied.place.labels[:2])
    ports = _ports(denied, kind)
    there = [(port.name.decode(), port.protocol.decode()) for port in ports]
    named = [each for each, _ in there if each]
    others = [proto for each, proto in there if each == name and proto != protocol]
    reasons = [
        _reason("wrong-protocol", f"port {name} is {other}: did you mean {_with(denied, 1, f'_{other}')}?")
        for other in others
    ]
    if not others:
        reasons += [
            _reason("near-port", f"there is a port {near}: did you mean {_with(denied, 0, f'_{near}')}?")
            for near in _near(name, [each for each in named if each != name])
        ]
    if not named and there:
        reasons.append(
            _reason("ports-without-names", f"the ports of {_named(key)} have no names, so none can be asked for")
        )
    shown = ", ".join(f"{each or 'no name'} ({proto})" for each, proto in dict.fromkeys(there)) or "none"
    return Hints(f"Service {_named(key)} has no port {name} by {protocol}; its ports: {shown}", tuple(reasons))


def _ports(denied: Denied, kind: Kind) -> list[Port]:
    entry = denied.evidence.index.entries[owner_of(denied.place)]
    if kind == Kind.CLUSTER_IP:
        return list(entries.unpack_service(entry).ports)
    return [port for part in headless.slices_of(entry) for port in part.ports]


def _no_data(denied: Denied, key: Key, kind: Kind) -> Hints:
    """The name is there, records of these types aren't."""
    asked = [reply.type for reply in denied.replies]
    families = [_FAMILIES[number] for number in _FAMILIES if types.type_text(number) in asked]
    what = "endpoints" if kind == Kind.HEADLESS or len(denied.place.labels) == 4 else "ClusterIPs"
    if families:
        return Hints(f"{_named(key)} is there, its {what} are not {' nor '.join(family for _, family in families)}")
    if "SRV" in asked:
        return Hints(f"{_named(key)} is there, but has no ports")
    return Hints(f"{_named(key)} is there, but has no {' or '.join(asked)} records")


# Other branches


def _of_pod(denied: Denied) -> Hints:
    labels, zone = denied.place.labels, denied.place.zone
    if zone.pods == DISABLED:
        return Hints("names of pods are off", (_reason("pods-disabled", "pods insecure or verified gives pods names"),))
    if len(labels) == 1:
        return Hints("it only stands above namespaces")
    namespace = labels[-2]
    if namespace_owner(namespace) not in denied.evidence.index.entries:
        return _no_namespace(denied, namespace, "")
    if len(labels) != 3:
        return Hints("a namespace has no records of its own" if len(labels) == 2 else "nothing is below a pod's name")
    if all(reply.rcode == "NOERROR" for reply in denied.replies):
        return Hints("the address in it is of the other family")
    if zone.pods == "verified":
        return Hints(f"no pod in namespace {namespace} has that address", tuple(_pod_elsewhere(denied)))
    text = "a pod's name is its address in dashes, such as 10-1-2-3, not the pod's own"
    return Hints(f'"{labels[0]}" is no address in dashes', (_reason("pod-name", text),))


def _pod_elsewhere(denied: Denied) -> Iterator[Reason]:
    address = dashed.parse(denied.place.labels[0].encode("ascii", "replace"))
    if address is None:
        yield _reason("pod-name", "a pod's name is its address in dashes, such as 10-1-2-3, not the pod's own")
        return
    store = denied.evidence.store
    for key in islice(store.keys("namespaces"), _LOOKED_AT):
        if store.pods_at(key.name, address):
            yield _reason("elsewhere", f"a pod in namespace {key.name} has it: {_with(denied, -2, key.name)}")


def _of_address(denied: Denied) -> Hints:
    address = reverse_address(denied.place.name)
    if address is None:
        return Hints("it isn't the whole of a reverse name")
    shown = address_text(address)
    owners = denied.evidence.index.owners_at(address)
    if owners and all(reply.rcode == "NOERROR" for reply in denied.replies):
        return Hints(f"{shown} has a name; PTR records alone lead to it")
    if owners:
        services = ", ".join(_named(key_of(owner)) for owner in owners[:_SHOWN])
        return Hints(f"{shown} is of {services}, whose namespace this zone doesn't show", (_HIDDEN,))
    pods = _pods_at(denied.evidence, address)
    said = f"; it is that of a pod in {', '.join(pods)}, which no Service has as an endpoint" if pods else ""
    return Hints(f"no Service has {shown} as ClusterIP or as a ready endpoint{said}")


def _pods_at(evidence: Evidence, address: bytes) -> list[str]:
    names = islice((key.name for key in evidence.store.keys("namespaces")), _LOOKED_AT)
    return [name for name in names if evidence.store.pods_at(name, address)][:_SHOWN]


def _astray(denied: Denied, branch: str) -> Hints:
    """A name in the zone that is none of its branches'."""
    labels, origin = denied.place.labels, denied.place.origin
    why = f'"{branch}" means nothing below {origin}; Services are below svc.{origin}'
    if not denied.as_given:
        return Hints(why)
    reasons = []
    if len(labels) > 1 and denied.evidence.store.has("services", Key(labels[-1], labels[-2])):
        meant = ".".join((*labels, "svc", origin))
        reasons.append(_reason("svc-missing", f"svc is missing: did you mean {meant}?"))
    else:
        reasons += [
            _reason("near-branch", f"did you mean {_with(denied, -1, near)}?") for near in _near(branch, _BRANCHES)
        ]
    return Hints(why, tuple(reasons))
