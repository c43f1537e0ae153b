"""The API server as the benchmark writes to it: Services of a namespace of its own, and their endpoints.

One connection that is kept: the lab's own requests open one each, which would be what is measured.
"""

import http.client
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from tests.lab import ADMIN, Lab

NAMESPACE: Final = "bench"
_SERVICES: Final = f"/api/v1/namespaces/{NAMESPACE}/services"
_SLICES: Final = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
_CONFIG_MAPS: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_PORTS: Final = ({"name": "http", "port": 80, "protocol": "TCP"},)
_SLICE_SIZE: Final = 100  # endpoints that the EndpointSlice controller puts in a slice
# Whole lists as the API server counts them: in pages, and as watches that begin with one (WatchList).
_LISTS: Final = re.compile(
    r'^(?:apiserver_request_total\{[^}]*resource="endpointslices"[^}]*verb="LIST"'
    r'|apiserver_watch_list_duration_seconds_count\{[^}]*resource="endpointslices")[^}]*\} (\d+)',
    re.MULTILINE,
)


class Api:
    """A connection to the API server; what it is asked raises RuntimeError where it refuses."""

    def __init__(self, lab: Lab) -> None:
        context = ssl.create_default_context(cafile=lab.ca)
        self._connection = http.client.HTTPSConnection("127.0.0.1", lab.port, context=context, timeout=10)

    def __enter__(self) -> Self:
        self._connection.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def create_namespace(self) -> None:
        """Makes the namespace that all else is in."""
        self._ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})

    def create_headless(self, name: str, addresses: Sequence[str]) -> None:
        """Makes a headless Service with these endpoints."""
        self._ask("POST", _SERVICES, {"metadata": {"name": name}, "spec": {"clusterIP": "None", "ports": _PORTS}})
        for start in range(0, len(addresses), _SLICE_SIZE):
            part = addresses[start : start + _SLICE_SIZE]
            self._ask("POST", _SLICES, _slice(name, start // _SLICE_SIZE, part))

    def create_pod(self, namespace: str, name: str, address: str) -> None:
        """Makes a Pod that runs and has the address."""
        spec = {"nodeName": "node-0", "containers": [{"name": "main", "image": "example.com/main"}]}
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": "192.168.0.1"}
        body = {"metadata": {"name": name}, "spec": spec, "status": status}
        self._ask("POST", f"/api/v1/namespaces/{namespace}/pods", body)

    def change(self, name: str, addresses: Sequence[str]) -> None:
        """Gives the headless Service, which has one slice, other endpoints."""
        self._ask("PUT", f"{_SLICES}/{name}-0", _slice(name, 0, addresses))

    def write_unrelated(self) -> None:
        """Writes what no DNS server watches: the cluster's revision is then ahead of every watch."""
        self._ask("POST", _CONFIG_MAPS, {"metadata": {"generateName": "any-"}})

    def lists(self) -> int:
        """How many lists of EndpointSlices it has given since its start; a page is one."""
        return sum(map(int, _LISTS.findall(self._ask("GET", "/metrics"))))

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> str:
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")
        return text


def _slice(service: str, number: int, addresses: Sequence[str]) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{service}-{number}", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": _PORTS,
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}} for each in addresses],
    }
