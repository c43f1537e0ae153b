"""The cluster that is measured: the lab's API server, filled by its generator, and what is in it.

Beside the generator's Services, one in ten headless, it has a namespace of the benchmark's own:
headless Services with 100 and 1,000 endpoints, and small ones whose endpoints are changed.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.api import NAMESPACE, Api
from bench.processes import pin
from tests.lab import Lab, assets

LARGE: Final = (100, 1000)  # endpoints of the large headless Services
CHANGED: Final = 200  # Services whose endpoints are changed
_HEADLESS_SHARE: Final = 0.1
_NAMESPACES: Final = 100
_PAGE: Final = 500
_SERVICE_NAME: Final = "kubernetes.io/service-name"


class Service(NamedTuple):
    """A Service as the questions and the zone file need it."""

    namespace: str
    name: str
    cluster_ip: str | None  # None: headless
    ports: tuple[tuple[str, str, int], ...]  # name, protocol, number


class Contents(NamedTuple):
    """What is in the cluster."""

    services: tuple[Service, ...]  # the generator's
    endpoints: Mapping[tuple[str, str], tuple[str, ...]]  # addresses of all headless Services, by namespace and name


@contextlib.contextmanager
def cluster(binaries: Path, folder: Path, services: int, endpoints: int) -> Iterator[tuple[Lab, Contents]]:
    """A cluster of that size while this lasts, on all cores."""
    folder.mkdir()
    lab = Lab(binaries, folder)
    try:
        lab.start()
        size = ["--services", str(services), "--endpoints-per-service", str(endpoints)]
        lab.seed("--mode", "scale", *size, "--namespaces", str(_NAMESPACES), "--headless-share", str(_HEADLESS_SHARE))
        own = _own(lab)
        yield lab, _contents(lab, own)
    finally:
        lab.close()


@contextlib.contextmanager
def apart(what: str, services: int, endpoints: int) -> Iterator[tuple[Path, Lab, Contents]]:
    """A folder of its own, and a cluster in it, for a measurement by itself; ends the process where there is no lab."""
    binaries = assets()
    if binaries is None:
        sys.exit(f"{what}: needs the lab: KUBEBUILDER_ASSETS names its folder")
    with tempfile.TemporaryDirectory(prefix="kdns-bench-") as name:
        folder = Path(name)
        with cluster(binaries, folder / "lab", services, endpoints) as (lab, contents):
            yield folder, lab, contents


def keep_on(lab: Lab, cores: Iterable[int]) -> None:
    """Keeps the lab's processes on these cores."""
    for process in lab.pids:
        pin(process, cores)


def changed_name(number: int) -> str:
    """The name of a Service whose endpoints are changed."""
    return f"changed-{number}"


def _own(lab: Lab) -> dict[tuple[str, str], tuple[str, ...]]:
    """Makes the benchmark's own Services; their addresses."""
    sizes = {f"headless-{size}": size for size in LARGE} | {changed_name(number): 3 for number in range(CHANGED)}
    made = {}
    first = IPv4Address("10.64.0.1")
    with Api(lab) as api:
        api.create_namespace()
        for name, size in sizes.items():
            addresses = tuple(str(first + number) for number in range(size))
            first += size
            api.create_headless(name, addresses)
            made[NAMESPACE, name] = addresses
    return made


def _contents(lab: Lab, own: Mapping[tuple[str, str], tuple[str, ...]]) -> Contents:
    services = [_service(each) for each in _pages(lab, "/api/v1/services") if _namespace(each).startswith("ns-")]
    headless = {(each.namespace, each.name) for each in services if each.cluster_ip is None}
    endpoints: dict[tuple[str, str], tuple[str, ...]] = dict(own)
    for each in _pages(lab, "/apis/discovery.k8s.io/v1/endpointslices"):
        key = (_namespace(each), each["metadata"]["labels"][_SERVICE_NAME])
        if key in headless:
            addresses = tuple(address for endpoint in each["endpoints"] for address in endpoint["addresses"])
            endpoints[key] = endpoints.get(key, ()) + addresses
    return Contents(tuple(services), endpoints)


def _service(fields: Mapping[str, Any]) -> Service:
    spec = fields["spec"]
    ports = tuple((port["name"], port["protocol"].lower(), port["port"]) for port in spec["ports"])
    address = spec["clusterIP"]
    return Service(_namespace(fields), fields["metadata"]["name"], None if address == "None" else address, ports)


def _namespace(fields: Mapping[str, Any]) -> str:
    return str(fields["metadata"]["namespace"])


def _pages(lab: Lab, path: str) -> Iterator[dict[str, Any]]:
    """All objects at the path, a page at a time."""
    token = ""
    while True:
        page = lab.request("GET", f"{path}?limit={_PAGE}&continue={token}")
        yield from page["items"]
        token = page["metadata"].get("continue", "")
        if not token:
            return
