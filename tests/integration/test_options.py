"""What options of the directive kubernetes show of a real cluster: directive, source, compiler and zone as one."""

import asyncio
import contextlib
import ipaddress
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from kdns.cluster.compiler import Compiler
from kdns.cluster.objects import Delta
from kdns.cluster.selection import matches, written
from kdns.config.clusters import reading_of, source_of
from kdns.config.directives.kubernetes import ClientCertificate, Kubeconfig, Kubernetes
from kdns.config.kinds import FilePath
from kdns.config.labels import parse
from kdns.dns import types
from kdns.dns.names import Name, from_text, to_text
from kdns.dns.query import Query
from kdns.sources.api import ApiSource
from kdns.sources.demand import demand_of
from kdns.steps.kubernetes import zone_of
from kdns.zone import schema
from kdns.zone.index import Index
from tests.integration.watching import Watching
from tests.lab import Lab, assets

pytestmark = pytest.mark.lab

ZONES = (from_text("cluster.local"), from_text("in-addr.arpa"))
OPEN, SHUT = "options-open", "options-shut"
HTTP = {"ports": [{"port": 80, "name": "http"}]}


class Served(Watching):
    """What one directive serves of the lab."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        super().__init__()
        demand = demand_of(reading_of([kubernetes]))
        self.compiler = Compiler(demand.compile, demand.required)
        self.index = Index()
        self.zone = zone_of(kubernetes, ())
        self.warnings: list[str] = []
        self.source = ApiSource(
            source_of(kubernetes),
            resources=demand.resources,
            optional=frozenset(("pods",)),
            decode_options=demand.decode,
            stamp=self.compiler.store.stamp,
            keys=self.compiler.store.keys,
            emit=self._emit,
            report=print,
            log=self,
            selectors=demand.selectors,
        )

    def _emit(self, deltas: list[Delta], _since: float) -> None:
        patch = self.compiler.apply(deltas, 0)
        if patch is not None and patch.base == 0:
            self.index.load(self.compiler.image())
        elif patch is not None:
            self.index.apply(patch)
        self.changed.set()

    def warning(self, event: str, /, **keys: Any) -> None:
        self.warnings.append(f"{event} {keys}")
        super().warning(event, **keys)

    def answer(self, name: str, qtype: int = types.A) -> list[str]:
        """The addresses or names of the answer, NODATA or an rcode."""
        found = schema.answer(self.index, self.zone, Query(from_text(name), qtype))
        assert found is not None
        rdatas = [rdata for one in found.answer.answers for rdata in one.rdatas]
        if not rdatas:
            return [types.rcode_text(found.answer.rcode) if found.answer.rcode else "NODATA"]
        return sorted(to_text(Name(each)) if qtype == types.PTR else str(ipaddress.ip_address(each)) for each in rdatas)

    async def comes_to(self, expected: dict[str, list[str]], qtype: int = types.A) -> None:
        """Until each name has this answer."""
        await self.until(lambda: {name: self.answer(name, qtype) for name in expected} == expected)


@contextlib.asynccontextmanager
async def serving(lab: Lab, **options: Any) -> AsyncIterator[Served]:
    """With options of the directive; the lab by its kubeconfig."""
    where: dict[str, Any] = (
        {} if "endpoints" in options else {"kubeconfig": Kubeconfig(FilePath(str(lab.kubeconfig())))}
    )
    served = Served(Kubernetes(zones=ZONES, **where, **options))
    async with served.at_work():
        yield served


@pytest.fixture
def spaces(lab: Lab) -> Iterator[Lab]:
    """The lab, with two namespaces; in each a Service web and a headless db with an endpoint."""
    for number, space in enumerate((OPEN, SHUT)):
        lab.create("namespaces", "", space, labels={"access": space.removeprefix("options-")})
        lab.create(
            "services", space, "web", labels={"app": "web"}, spec={**HTTP, "clusterIP": f"10.96.77.{number + 1}"}
        )
        lab.create("services", space, "db", labels={"app": "db"}, spec={**HTTP, "clusterIP": "None"})
        lab.create("endpointslices", space, "db-1", **slice_of("db", f"10.200.77.{number + 1}"))
    yield lab
    for space in (OPEN, SHUT):
        for name in ("web", "db"):
            lab.delete("services", space, name)
        lab.delete("endpointslices", space, "db-1")
        lab.delete("namespaces", "", space)


def slice_of(service: str, address: str) -> dict[str, Any]:
    return {
        "labels": {"kubernetes.io/service-name": service, "app": service},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }


def name_of(service: str, space: str) -> str:
    return f"{service}.{space}.svc.cluster.local"


def reverse(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


async def do(call: Callable[..., object], *arguments: Any) -> None:
    """Calls the lab from another thread, so that the loop goes on meanwhile."""
    await asyncio.to_thread(call, *arguments)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


ALL_OF_IT = {
    OPEN: {
        name_of("web", OPEN): ["10.96.77.1"],
        name_of("db", OPEN): ["10.200.77.1"],
        f"{OPEN}.svc.cluster.local": ["NODATA"],
    },
    SHUT: {
        name_of("web", SHUT): ["10.96.77.2"],
        name_of("db", SHUT): ["10.200.77.2"],
        f"{SHUT}.svc.cluster.local": ["NODATA"],
    },
}
POINTERS = {
    OPEN: {
        reverse("10.96.77.1"): [f"{name_of('web', OPEN)}."],
        reverse("10.200.77.1"): [f"10-200-77-1.{name_of('db', OPEN)}."],
    },
    SHUT: {
        reverse("10.96.77.2"): [f"{name_of('web', SHUT)}."],
        reverse("10.200.77.2"): [f"10-200-77-2.{name_of('db', SHUT)}."],
    },
}


def denied(names: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: ["NXDOMAIN"] for name in names}


def test_without_options_everything_is_there(spaces: Lab) -> None:
    async def scenario() -> None:
        async with serving(spaces) as served:
            for space in (OPEN, SHUT):
                await served.comes_to(ALL_OF_IT[space])
                await served.comes_to(POINTERS[space], types.PTR)

    run(scenario())


def test_names_of_other_namespaces_are_not_there(spaces: Lab) -> None:
    async def scenario() -> None:
        async with serving(spaces, namespaces=(OPEN,)) as served:
            await served.comes_to(ALL_OF_IT[OPEN] | denied(ALL_OF_IT[SHUT]))
            await served.comes_to(POINTERS[OPEN] | denied(POINTERS[SHUT]), types.PTR)

    run(scenario())


def test_all_of_a_namespace_comes_and_goes_with_its_labels(spaces: Lab) -> None:
    async def scenario() -> None:
        async with serving(spaces, namespace_labels=parse("access in (open, opened)")) as served:
            await served.comes_to(ALL_OF_IT[OPEN] | denied(ALL_OF_IT[SHUT]))
            await served.comes_to(POINTERS[OPEN] | denied(POINTERS[SHUT]), types.PTR)
            for space, access in ((SHUT, "opened"), (OPEN, None)):
                await do(spaces.patch, "namespaces", "", space, {"metadata": {"labels": {"access": access}}})
            await served.comes_to(ALL_OF_IT[SHUT] | denied(ALL_OF_IT[OPEN]))
            await served.comes_to(POINTERS[SHUT] | denied(POINTERS[OPEN]), types.PTR)

    run(scenario())


def test_services_and_slices_come_and_go_with_their_labels(spaces: Lab) -> None:
    async def scenario() -> None:
        async with serving(spaces, labels=parse("app!=web")) as served:
            web, db, pointer = name_of("web", OPEN), name_of("db", OPEN), reverse("10.200.77.1")
            await served.comes_to({web: ["NXDOMAIN"], db: ["10.200.77.1"]})
            await served.comes_to(POINTERS[OPEN] | {reverse("10.96.77.1"): ["NXDOMAIN"]}, types.PTR)
            await do(spaces.patch, "services", OPEN, "web", {"metadata": {"labels": {"app": "other"}}})
            await served.comes_to({web: ["10.96.77.1"]})
            await do(spaces.patch, "endpointslices", OPEN, "db-1", {"metadata": {"labels": {"app": "web"}}})
            await served.comes_to({web: ["10.96.77.1"], db: ["NXDOMAIN"]})
            await served.comes_to({pointer: ["NXDOMAIN"]}, types.PTR)

    run(scenario())


def test_without_endpoints_headless_services_have_no_names(spaces: Lab) -> None:
    async def scenario() -> None:
        async with serving(spaces, no_endpoints=True) as served:
            await served.comes_to({name_of("web", OPEN): ["10.96.77.1"], name_of("db", OPEN): ["NXDOMAIN"]})
            await served.comes_to({reverse("10.200.77.1"): ["NXDOMAIN"]}, types.PTR)
            assert set(served.source.status()) == {"namespaces", "services"}

    run(scenario())


def test_services_without_a_ready_endpoint_can_be_left_out(spaces: Lab) -> None:
    async def scenario() -> None:
        async with serving(spaces, ignore_empty_services=True) as served:
            await served.comes_to({name_of("web", OPEN): ["NXDOMAIN"], name_of("db", OPEN): ["10.200.77.1"]})
            labels = {"metadata": {"labels": {"kubernetes.io/service-name": "web"}}}
            await do(spaces.patch, "endpointslices", OPEN, "db-1", labels)
            await served.comes_to({name_of("web", OPEN): ["10.96.77.1"], name_of("db", OPEN): ["NXDOMAIN"]})

    run(scenario())


@pytest.mark.parametrize(
    "text",
    [
        "app",
        "!app",
        "app=web",
        "app!=web",
        "app in (web,db)",
        "app notin (web)",
        "app,app!=web",
        "none!=x",
        "app in (x,)",
    ],
)
def test_a_selector_means_to_the_api_server_what_it_means_to_manifests(spaces: Lab, text: str) -> None:
    selector = parse(text)
    path = f"/api/v1/namespaces/{OPEN}/services"
    everything = spaces.request("GET", path)["items"]
    selected = spaces.request("GET", f"{path}?labelSelector={quote(written(selector))}")["items"]
    taken = [each["metadata"]["name"] for each in everything if matches(selector, each["metadata"].get("labels", {}))]
    assert [each["metadata"]["name"] for each in selected] == taken


def test_one_request_at_a_time_is_enough_to_see_every_change(spaces: Lab) -> None:
    async def scenario() -> None:
        async with serving(spaces, api_max_in_flight=1, api_qps=50.0, api_burst=1) as served:
            await served.comes_to(ALL_OF_IT[OPEN])
            await do(spaces.delete, "services", OPEN, "web")
            await served.comes_to({name_of("web", OPEN): ["NXDOMAIN"]})

    run(scenario())


# An endpoint and a client certificate


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Path]]:
    """A lab that takes a client certificate, which is in the folder, for a reader."""
    binaries = assets()
    assert binaries is not None
    folder = tmp_path_factory.mktemp("certified")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/O=kdns:readers/CN=kdns",
            ),
            *("-addext", "extendedKeyUsage=clientAuth", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    lab = Lab(binaries, tmp_path_factory.mktemp("lab-certified"), [f"--client-ca-file={folder / 'cert.pem'}"])
    try:
        lab.start()
        yield lab, folder
    finally:
        lab.close()


def test_an_endpoint_knows_us_by_our_certificate(certified: tuple[Lab, Path]) -> None:
    lab, folder = certified
    files = (folder / "cert.pem", folder / "key.pem", lab.ca)
    tls = ClientCertificate(*(FilePath(str(path)) for path in files))

    async def scenario() -> None:
        async with serving(lab, endpoints=(lab.url,), tls=tls) as served:
            await served.comes_to({"kube-system.svc.cluster.local": ["NODATA"]})
            assert served.warnings == []

    run(scenario())


def test_an_endpoint_that_does_not_know_us_says_so(certified: tuple[Lab, Path]) -> None:
    lab, _ = certified
    tls = ClientCertificate(FilePath(""), FilePath(""), FilePath(str(lab.ca)))

    async def scenario() -> None:
        async with serving(lab, endpoints=(lab.url,), tls=tls) as served:
            await served.until(lambda: served.warnings)
            assert "services: 40" in "".join(served.warnings) or "namespaces: 40" in "".join(served.warnings)
            assert served.answer("kube-system.svc.cluster.local") == ["SERVFAIL"]

    run(scenario())
