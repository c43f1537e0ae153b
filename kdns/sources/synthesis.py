"""Synthesis: what a cluster's controllers would have made of the objects in YAML.

A pure function from the objects of all files to those that DNS reads: Services with
addresses, EndpointSlices from Endpoints or from the Pods that a Service selects, Pods of
StatefulSets. What is given stands; only what is missing is made, and the same each time.
Reads values as they come and takes what is malformed for missing: decode complains of it.
Sources: the endpoint and StatefulSet controllers of Kubernetes, Service v1, Endpoints v1.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, TypeAlias

from kdns.cluster.objects import SERVICE_LABEL, Key, Problem
from kdns.sources.made_up import PODS, SERVICES, Pair, make_up

# What is read here; of these, what decode reads goes on to it.
KINDS: Final = ("Namespace", "Service", "EndpointSlice", "Endpoints", "Pod", "StatefulSet", "ServiceImport")

_FAMILIES: Final = ("IPv4", "IPv6")
_DUAL: Final = frozenset(("PreferDualStack", "RequireDualStack"))
_FINISHED: Final = frozenset(("Succeeded", "Failed"))
_REPLICAS_MAX: Final = 10_000  # a hand that slipped shall not fill the memory


class Found(NamedTuple):
    """An object of a file."""

    kind: str
    key: Key
    value: Mapping[str, Any]
    place: str  # FILE:LINE


class Completed(NamedTuple):
    """The objects that DNS reads, and what of them was made up."""

    objects: tuple[Found, ...]  # Namespaces, Services, EndpointSlices, Pods and ServiceImports
    made_up: frozenset[bytes]  # addresses, 4 or 16 octets each
    problems: tuple[Problem, ...]


class _Pod(NamedTuple):
    """A Pod as the endpoint controller sees it."""

    found: Found
    labels: Mapping[str, Any]
    addresses: tuple[str, ...]  # the primary one first
    governor: str = ""  # the Service that its StatefulSet names

    @property
    def spec(self) -> dict[str, Any]:
        return _mapping(self.found.value, "spec")

    def hostname_in(self, service: str) -> str:
        """Its name below the Service, which it has where it names the Service as its subdomain."""
        return _text(self.spec, "hostname") if _text(self.spec, "subdomain") == service else ""

    def number_of(self, port: Mapping[str, Any]) -> Any:
        """The port of the Pod that a Service's port leads to: targetPort, by number or name, else the same number."""
        target = port.get("targetPort")
        if isinstance(target, int):
            return target
        containers = (_mapping(each) for each in _list(self.spec, "containers"))
        own = (_mapping(each) for container in containers for each in _list(container, "ports"))
        named = (each.get("containerPort") for each in own if target and each.get("name") == target)
        return next(named, port.get("port"))


def complete(found: Sequence[Found]) -> Completed:
    """The objects with all that a cluster would have added to them; of each kind a key stands once in found."""
    problems: list[Problem] = []
    by_kind: dict[str, list[Found]] = {kind: [] for kind in KINDS}
    for each in found:
        by_kind[each.kind].append(each)
    cluster_ips = _cluster_ips(by_kind["Service"])
    pods, pod_ips = _pods(by_kind["Pod"], by_kind["StatefulSet"], problems)
    slices = list(by_kind["EndpointSlice"])
    covered = {Key(each.key.namespace, _text(each.value, "metadata", "labels", SERVICE_LABEL)) for each in slices}
    for endpoints in by_kind["Endpoints"]:
        if endpoints.key not in covered:
            slices += _of_endpoints(endpoints, problems)
    covered.update(endpoints.key for endpoints in by_kind["Endpoints"])
    slices += _of_pods((service for service in by_kind["Service"] if service.key not in covered), pods)
    services = [_with_addresses(service, cluster_ips.get(service.key)) for service in by_kind["Service"]]
    objects = (*by_kind["Namespace"], *services, *slices, *(pod.found for pod in pods), *by_kind["ServiceImport"])
    made_up = _packed(text for made in (cluster_ips, pod_ips) for texts in made.values() for text in texts)
    return Completed(objects, made_up, tuple(problems))


# Services


def _cluster_ips(services: Sequence[Found]) -> dict[Key, tuple[str, ...]]:
    """The addresses that Services lack."""
    missing = {service.key: lacks for service in services if (lacks := _lacking(_mapping(service.value, "spec")))}
    given = _packed(text for service in services for text in _given(_mapping(service.value, "spec")))
    return {key: _of(pair, missing[key]) for key, pair in make_up(missing, SERVICES, given).items()}


def _with_addresses(service: Found, made: tuple[str, ...] | None) -> Found:
    if made is None:
        return service
    spec = _mapping(service.value, "spec")
    spec = {**spec, "clusterIPs": [*_given(spec), *made]}
    return service._replace(value={**service.value, "spec": spec})


def _lacking(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The families that a Service asks for and has no address of."""
    given = _given(spec)
    if spec.get("type") == "ExternalName" or "None" in given:
        return ()
    asked = _asked_families(spec)
    if not given:
        return asked or ("IPv4",)
    has = {_family(text) for text in given}
    return tuple(family for family in asked if family not in has) if len(asked) > 1 else ()


def _given(spec: Mapping[str, Any]) -> list[str]:
    texts = _list(spec, "clusterIPs") or [spec.get("clusterIP")]
    return [text for text in texts if isinstance(text, str) and text]


def _asked_families(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The families that a Service names, or asks for by its policy; none where it leaves the choice to the cluster."""
    named = tuple(family for family in _list(spec, "ipFamilies") if family in _FAMILIES)
    if _text(spec, "ipFamilyPolicy") in _DUAL:
        return (*named, *(family for family in _FAMILIES if family not in named))
    return named


# Pods


def _pods(
    given: Sequence[Found], sets: Iterable[Found], problems: list[Problem]
) -> tuple[list[_Pod], dict[Key, tuple[str, ...]]]:
    """The Pods there are and those of StatefulSets, finished ones left out, and which addresses of them are made up."""
    by_key = {each.key: _Pod(each, _mapping(each.value, "metadata", "labels"), _pod_ips(each)) for each in given}
    for stateful in sets:
        for pod in _replicas(stateful, problems):
            by_key[pod.found.key] = _governed(by_key.get(pod.found.key, pod), pod)
    pods = [pod for pod in by_key.values() if _text(pod.found.value, "status", "phase") not in _FINISHED]
    taken = _packed(text for pod in pods for text in pod.addresses)
    pairs = make_up((pod.found.key for pod in pods if not pod.addresses), PODS, taken)
    problems += [
        Problem(
            "Pod", pod.found.key, "status.podIP", "none", f"an address, since {PODS.v4} is used up", pod.found.place
        )
        for pod in pods
        if not (pod.addresses or pod.found.key in pairs)
    ]
    return [_with_pair(pod, pairs.get(pod.found.key)) for pod in pods], {
        key: tuple(pair) for key, pair in pairs.items()
    }


def _replicas(stateful: Found, problems: list[Problem]) -> Iterator[_Pod]:
    """The Pods that a StatefulSet makes."""
    spec = _mapping(stateful.value, "spec")
    template = _mapping(spec, "template")
    labels = _mapping(template, "metadata", "labels")
    replicas, start = spec.get("replicas"), _mapping(spec, "ordinals").get("start")
    count = 1 if replicas is None else replicas
    if not isinstance(count, int) or not 0 <= count <= _REPLICAS_MAX:
        expected = f"a number up to {_REPLICAS_MAX}"
        problems.append(Problem("StatefulSet", stateful.key, "spec.replicas", repr(replicas), expected, stateful.place))
        return
    first = start if isinstance(start, int) else 0
    for ordinal in range(first, first + count):
        key = Key(stateful.key.namespace, f"{stateful.key.name}-{ordinal}")
        own = {**_mapping(template, "spec"), "hostname": key.name, "subdomain": _text(spec, "serviceName")}
        value = {"metadata": {"name": key.name, "namespace": key.namespace, "labels": labels}, "spec": own}
        yield _Pod(Found("Pod", key, value, stateful.place), labels, (), _text(spec, "serviceName"))


def _governed(pod: _Pod, replica: _Pod) -> _Pod:
    """The pod with what the StatefulSet's controller gives to each of its own."""
    value = {**pod.found.value, "spec": {**replica.spec, **pod.spec}}
    return pod._replace(found=pod.found._replace(value=value), governor=replica.governor)


def _with_pair(pod: _Pod, pair: Pair | None) -> _Pod:
    if pair is None:
        return pod
    status = {**_mapping(pod.found.value, "status"), "podIPs": [{"ip": text} for text in pair]}
    return pod._replace(found=pod.found._replace(value={**pod.found.value, "status": status}), addresses=tuple(pair))


def _pod_ips(pod: Found) -> tuple[str, ...]:
    status = _mapping(pod.value, "status")
    texts = [_mapping(each).get("ip") for each in _list(status, "podIPs")] or [status.get("podIP")]
    return tuple(text for text in texts if isinstance(text, str) and text)


def _is_ready(pod: _Pod) -> bool:
    """Whether the Pod says it is ready, or says nothing to the contrary."""
    if "deletionTimestamp" in _mapping(pod.found.value, "metadata"):
        return False
    status = _mapping(pod.found.value, "status")
    for condition in map(_mapping, _list(status, "conditions")):
        if condition.get("type") == "Ready":
            return bool(condition.get("status") == "True")
    return _text(status, "phase") in {"", "Running"}


# Slices


def _of_pods(services: Iterable[Found], pods: Iterable[_Pod]) -> Iterator[Found]:
    """The slices of the Services that select Pods, or govern a StatefulSet."""
    around: dict[str, list[_Pod]] = {}
    for pod in pods:
        around.setdefault(pod.found.key.namespace, []).append(pod)
    for service in services:
        spec = _mapping(service.value, "spec")
        if spec.get("type") != "ExternalName":
            own = [pod for pod in around.get(service.key.namespace, ()) if _is_behind(pod, service.key.name, spec)]
            yield from _slices(service, _endpoints(service.key.name, spec, own))


def _is_behind(pod: _Pod, service: str, spec: Mapping[str, Any]) -> bool:
    selector = _mapping(spec, "selector")
    if selector and all(pod.labels.get(name) == value for name, value in selector.items()):
        return True
    return pod.governor == service and "None" in _given(spec)


_Ports: TypeAlias = list[dict[str, Any]]


class _Endpoint(NamedTuple):
    address: str
    hostname: str
    ready: bool
    ports: _Ports


def _endpoints(service: str, spec: Mapping[str, Any], pods: Iterable[_Pod]) -> Iterator[_Endpoint]:
    wanted = _asked_families(spec) or tuple(dict.fromkeys(_family(text) for text in _given(spec) if text != "None"))
    for pod in pods:
        ports = [{**port, "port": pod.number_of(port)} for port in map(_mapping, _list(spec, "ports"))]
        ready = _is_ready(pod) or spec.get("publishNotReadyAddresses") is True
        for text in pod.addresses if wanted else pod.addresses[:1]:
            if not wanted or _family(text) in wanted:
                yield _Endpoint(text, pod.hostname_in(service), ready, ports)


def _of_endpoints(endpoints: Found, problems: list[Problem]) -> Iterator[Found]:
    """The slices that say what an Endpoints object says."""
    listed: list[_Endpoint] = []
    for at, subset in enumerate(map(_mapping, _list(endpoints.value, "subsets"))):
        ports = [_mapping(port) for port in _list(subset, "ports")]
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for which, each in enumerate(map(_mapping, _list(subset, field))):
                if _address(each.get("ip")):
                    listed.append(_Endpoint(each["ip"], _text(each, "hostname"), ready, ports))
                    continue
                path, found = f"subsets[{at}].{field}[{which}].ip", ascii(each.get("ip"))
                expected = "an IPv4 or IPv6 address"
                problems.append(Problem("Endpoints", endpoints.key, path, found, expected, endpoints.place))
    return _slices(endpoints, listed)


def _slices(of: Found, endpoints: Iterable[_Endpoint]) -> Iterator[Found]:
    """Slices of the Service of that key, one for each family and set of ports."""
    # By the ports' text, since malformed ones can't be keys.
    groups: dict[tuple[str, str], tuple[_Ports, list[dict[str, Any]]]] = {}
    for each in endpoints:
        item = {"addresses": [each.address], "hostname": each.hostname or None, "conditions": {"ready": each.ready}}
        _, items = groups.setdefault((_family(each.address), repr(each.ports)), (each.ports, []))
        items.append(item)
    for number, ((family, _), (ports, items)) in enumerate(groups.items()):
        # A dot, so that no slice that Kubernetes named has the same name: it writes NAME-SUFFIX.
        key = Key(of.key.namespace, f"{of.key.name}.{number}")
        # As the controllers have it, slices have the labels of what they are made of.
        labels = {**_mapping(of.value, "metadata", "labels"), SERVICE_LABEL: of.key.name}
        metadata = {"name": key.name, "namespace": key.namespace, "labels": labels}
        value = {"metadata": metadata, "addressType": family, "endpoints": items, "ports": ports}
        yield Found("EndpointSlice", key, value, of.place)


# Values as they come


def _mapping(value: Any, *path: str) -> dict[str, Any]:
    """The mapping there, or an empty one."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _list(value: Any, name: str) -> list[Any]:
    """The list of that name, or an empty one."""
    found = _mapping(value).get(name)
    return found if isinstance(found, list) else []


def _text(value: Any, *path: str) -> str:
    """The text there, or an empty one."""
    found = _mapping(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _packed(texts: Iterable[Any]) -> frozenset[bytes]:
    """The addresses among the texts."""
    return frozenset(address for text in texts if (address := _address(text)))


def _address(text: Any) -> bytes:
    """The 4 or 16 octets of an address; none where it is something else."""
    try:
        return ip_address(text).packed if isinstance(text, str) else b""
    except ValueError:
        return b""


def _of(pair: Pair, families: Iterable[str]) -> tuple[str, ...]:
    return tuple(pair.v6 if family == "IPv6" else pair.v4 for family in families)
