"""From what the API server lists, as plain JSON, to the slow reference's Cluster.

Written from the Kubernetes API's documentation alone and as directly as can be; must not use
kdns.cluster, whose reading of the same objects it is there to check.
"""

from typing import Any, Final

from kdns.zone.entry import Kind
from tests.lab import Lab
from tests.zone.clusters import Cluster, Endpoint, PortText, Service, Slice

SERVICE_NAME: Final = "kubernetes.io/service-name"
PATHS: Final = {
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/services",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "pods": "/api/v1/pods",
}
_FINISHED: Final = {"Succeeded", "Failed", "Unknown"}

Json = dict[str, Any]


def cluster(lab: Lab, *, pods: bool = False) -> Cluster:
    """The cluster as the API server lists it now; pods for the mode verified."""
    namespaces, services, slices, pods_ = (lab.request("GET", path)["items"] for path in PATHS.values())
    parts = _slices(slices)
    found = {_key(each): _service(each["spec"], parts.pop(_key(each), ())) for each in services}
    found |= {key: Service(Kind.SLICES_ONLY, slices=left) for key, left in parts.items()}
    return Cluster(
        found, frozenset(each["metadata"]["name"] for each in namespaces), _pods(pods_) if pods else frozenset()
    )


def _service(spec: Json, slices: tuple[Slice, ...]) -> Service:
    ports = _ports(spec.get("ports"))
    if spec["type"] == "ExternalName":
        target = spec["externalName"].removesuffix(".") + "."
        return Service(Kind.EXTERNAL_NAME, target=target, ports=ports, slices=slices)
    if spec["clusterIP"] == "None":
        return Service(Kind.HEADLESS, ports=ports, slices=slices)
    return Service(Kind.CLUSTER_IP, tuple(spec["clusterIPs"]), ports=ports, slices=slices)


def _slices(items: list[Json]) -> dict[tuple[str, str], tuple[Slice, ...]]:
    """The slices of each Service that they say they belong to."""
    found: dict[tuple[str, str], tuple[Slice, ...]] = {}
    for each in items:
        service = each["metadata"].get("labels", {}).get(SERVICE_NAME)
        if service and each["addressType"] != "FQDN":
            key = each["metadata"]["namespace"], service
            found[key] = (*found.get(key, ()), Slice(_endpoints(each["endpoints"]), _ports(each["ports"])))
    return found


def _endpoints(items: list[Json] | None) -> tuple[Endpoint, ...]:
    return tuple(
        (address, each.get("hostname") or "")
        for each in items or ()
        if each.get("conditions", {}).get("ready") is not False
        for address in each["addresses"]
    )


def _ports(items: list[Json] | None) -> tuple[PortText, ...]:
    return tuple(
        ((each.get("name") or "").lower(), (each.get("protocol") or "TCP").lower(), each["port"])
        for each in items or ()
        if each.get("port") is not None
    )


def _pods(items: list[Json]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (each["metadata"]["namespace"], ip["ip"])
        for each in items
        if each["status"].get("phase") not in _FINISHED
        for ip in each["status"].get("podIPs") or ()
    )


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]
