"""The API server's source against a real API server: every change seen, every fault outlived."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdns.cluster import patience, refusals, targets
from kdns.cluster import reflector as reflector_module
from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import Delta, EndpointSlice, Key, Object, Problem, Resource, Service
from kdns.cluster.store import Store
from kdns.cluster.targets import Request
from kdns.config.settings import ClusterSource, ReadSettings
from kdns.sources.api import ApiSource
from kdns.sources.credentials import Account, InPod
from kdns.sources.demand import demand_of
from kdns.sources.status import ResourceStatus
from tests.integration.gate import Gate
from tests.integration.watching import Watching
from tests.lab import ADMIN, READ_ALL, READER, Lab, seed_script

pytestmark = pytest.mark.lab


class Seen(Watching):
    """A source at work on the lab, and the store that it fills."""

    def __init__(self, settings: ClusterSource, account: Account | None, optional: frozenset[Resource]) -> None:
        super().__init__()
        self.store = Store()
        self.problems: list[Problem] = []
        self.source = ApiSource(
            settings,
            resources=demand_of(ReadSettings(pods=True)).resources,
            optional=optional,
            decode_options=DecodeOptions(),
            stamp=self.store.stamp,
            keys=self.store.keys,
            emit=self._emit,
            report=self.problems.append,
            log=self,
            account=account,
        )

    def _emit(self, deltas: list[Delta], _since: float) -> None:
        for delta in deltas:
            self.store.apply(delta)
        self.changed.set()

    def status(self, resource: Resource = "services") -> ResourceStatus:
        return self.source.status()[resource]

    def synced(self) -> bool:
        return all(each.synced for each in self.source.status().values())

    def get(self, resource: Resource, name: str) -> Object | None:
        return self.store.get(resource, Key("" if resource == "namespaces" else "api-test", name))

    def service(self, name: str) -> Service | None:
        return self.store.service(Key("api-test", name))


@contextlib.asynccontextmanager
async def watching(
    path: Path | None, account: Account | None = None, optional: frozenset[Resource] = frozenset()
) -> AsyncIterator[Seen]:
    seen = Seen(ClusterSource(kubeconfig=str(path)), account, optional)
    async with seen.at_work():
        yield seen


@pytest.fixture
def namespace(lab: Lab) -> Iterator[Lab]:
    """The lab, with an empty namespace api-test."""
    lab.create("namespaces", "", "api-test")
    yield lab
    for resource in ("services", "endpointslices", "pods"):
        for item in lab.request("GET", _all_of(resource))["items"]:
            lab.delete(resource, "api-test", item["metadata"]["name"])
    lab.delete("namespaces", "", "api-test")


def _all_of(resource: str) -> str:
    group = "apis/discovery.k8s.io/v1" if resource == "endpointslices" else "api/v1"
    return f"/{group}/namespaces/api-test/{resource}"


async def do(call: Callable[..., object], *arguments: Any, **fields: Any) -> None:
    """Calls the lab from another thread, so that the loop goes on meanwhile."""
    await asyncio.to_thread(lambda: call(*arguments, **fields))


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


SPEC = {"ports": [{"port": 80, "name": "http"}]}


def slice_of(service: str, *addresses: str) -> dict[str, Any]:
    return {
        "labels": {"kubernetes.io/service-name": service},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }


def test_everything_there_is_and_every_change_is_seen(namespace: Lab) -> None:
    async def scenario() -> None:
        await do(namespace.create, "services", "api-test", "before", spec=SPEC)
        async with watching(namespace.kubeconfig()) as seen:
            await seen.until(seen.synced)
            assert seen.service("before") is not None
            assert seen.get("namespaces", "kube-system") is not None

            await do(namespace.create, "services", "api-test", "web", spec=SPEC)
            await seen.until(lambda: seen.service("web"))
            await do(
                namespace.patch, "services", "api-test", "web", {"spec": {"ports": [{"port": 81, "name": "http"}]}}
            )
            await seen.until(lambda: (web := seen.service("web")) and web.ports[0].number == 81)

            await do(namespace.create, "endpointslices", "api-test", "web-1", **slice_of("web", "10.1.0.1", "10.1.0.2"))
            await seen.until(lambda: seen.store.slices(Key("api-test", "web")))
            await do(namespace.replace, "endpointslices", "api-test", "web-1", **slice_of("other", "10.1.0.3"))
            await seen.until(lambda: seen.store.slices(Key("api-test", "other")))
            assert seen.store.slices(Key("api-test", "web")) == []

            await do(namespace.create, "pods", "api-test", "pod", spec={"containers": [{"name": "c", "image": "i"}]})
            await do(
                namespace.patch,
                "pods",
                "api-test",
                "pod",
                {"status": {"podIP": "10.1.0.9", "podIPs": [{"ip": "10.1.0.9"}]}},
            )
            await seen.until(lambda: seen.store.pods_at("api-test", b"\x0a\x01\0\x09"))

            await do(namespace.delete, "services", "api-test", "web")
            await do(namespace.create, "services", "api-test", "web", spec={**SPEC, "clusterIP": "None"})
            await seen.until(lambda: (web := seen.service("web")) and web.headless)
            for resource, name in (("services", "web"), ("endpointslices", "web-1"), ("pods", "pod")):
                await do(namespace.delete, resource, "api-test", name)
            await seen.until(
                lambda: seen.service("web") is None and not seen.store.has_any("endpointslices", "api-test")
            )
            await seen.until(lambda: not seen.store.has_any("pods", "api-test"))

            await do(namespace.create, "namespaces", "", "api-test-2")
            await seen.until(lambda: seen.get("namespaces", "api-test-2"))
            await do(namespace.delete, "namespaces", "", "api-test-2")
            await seen.until(lambda: seen.get("namespaces", "api-test-2") is None)
            assert [status.trouble for status in seen.source.status().values()] == [None] * 4
            assert [status.counters.lists for status in seen.source.status().values()] == [1] * 4

    run(scenario())


@pytest.mark.parametrize("streams", [True, False])
def test_pages_and_streams_list_the_same(namespace: Lab, monkeypatch: pytest.MonkeyPatch, streams: bool) -> None:
    monkeypatch.setattr(targets, "PAGE_LIMIT", 7)

    class Streaming(reflector_module.Reflector):
        """Lists as it would after a token has expired."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._listing._stream_tries = 2

    if streams:
        monkeypatch.setattr("kdns.sources.api.source.Reflector", Streaming)
    names = {f"s{number}" for number in range(30)}

    async def scenario() -> None:
        for name in names:
            await do(namespace.create, "services", "api-test", name, spec=SPEC)
        async with watching(namespace.kubeconfig()) as seen:
            await seen.until(seen.synced)
            assert {key.name for key in seen.store.keys("services") if key.namespace == "api-test"} == names

    run(scenario())


def test_a_killed_api_server_is_found_again_and_nothing_of_the_gap_is_missed(namespace: Lab) -> None:
    async def scenario() -> None:
        for name in ("stays", "goes"):
            await do(namespace.create, "services", "api-test", name, spec=SPEC)
        async with Gate(namespace.port) as gate, watching(through(namespace, gate)) as seen:
            await seen.until(seen.synced)
            await gate.cut()
            await seen.until(lambda: all(status.trouble for status in seen.source.status().values()))
            assert seen.service("goes") is not None
            await do(namespace.delete, "services", "api-test", "goes")
            await do(namespace.create, "services", "api-test", "comes", spec=SPEC)
            # After its start the API server has no history, so that our version is too old.
            await do(namespace.compact)
            await do(namespace.restart)
            await gate.restore()
            await seen.until(lambda: seen.service("comes") and not seen.service("goes"))
            assert seen.service("stays") is not None
            await seen.until(lambda: not any(status.trouble for status in seen.source.status().values()))
            assert seen.status().counters.relists == 1

    run(scenario())


def through(lab: Lab, gate: Gate) -> Path:
    """A kubeconfig that leads through the gate."""
    path = lab.kubeconfig(name="through-gate")
    path.write_text(path.read_text().replace(f":{lab.port}", f":{gate.port}"))
    return path


def test_a_connection_that_breaks_is_taken_up_without_another_list(namespace: Lab) -> None:
    async def scenario() -> None:
        async with Gate(namespace.port) as gate, watching(through(namespace, gate)) as seen:
            await seen.until(seen.synced)
            # Something newer than the list, so that the server remembers where we were.
            await do(namespace.create, "services", "api-test", "first", spec=SPEC)
            await seen.until(lambda: seen.service("first"))
            await gate.cut()
            await seen.until(lambda: seen.status().trouble)
            await do(namespace.create, "services", "api-test", "second", spec=SPEC)
            await gate.restore()
            await seen.until(lambda: seen.service("second"))
            assert seen.status().counters.lists == 1
            assert seen.status().counters.reconnects >= 1

    run(scenario())


def test_a_connection_that_only_seems_alive_is_replaced(namespace: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WATCH_IDLE_S", 1.0)

    async def scenario() -> None:
        async with Gate(namespace.port) as gate, watching(through(namespace, gate)) as seen:
            await seen.until(seen.synced)
            gate.hold()
            await do(namespace.create, "services", "api-test", "unheard", spec=SPEC)
            await seen.until(lambda: seen.service("unheard"))
            assert {phrase for phrase, _ in seen.lines} == {"resource_synced"}

    run(scenario())


@pytest.mark.parametrize("cached", [True, False])
def test_a_version_that_etcd_forgot_leads_to_a_new_list(namespace: Lab, cached: bool) -> None:
    flags = [] if cached else ["--watch-cache=false"]

    async def scenario() -> None:
        await do(namespace.restart, flags)
        await do(namespace.create, "services", "api-test", "goes", spec=SPEC)
        async with Gate(namespace.port) as gate, watching(through(namespace, gate)) as seen:
            await seen.until(seen.synced)
            await gate.cut()
            await seen.until(lambda: seen.status().trouble)
            await do(namespace.delete, "services", "api-test", "goes")
            await do(namespace.compact)
            if cached:
                await do(namespace.restart)
            await gate.restore()
            await seen.until(lambda: not seen.service("goes"))
            assert seen.status().counters.relists == 1

    try:
        run(scenario())
    finally:
        if not cached:
            namespace.restart([])


def test_a_token_that_expired_between_pages_restarts_the_list(namespace: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "PAGE_LIMIT", 2)
    compacted = False

    class Reflector(reflector_module.Reflector):
        """Has etcd compacted once, between the first page of services and the second."""

        @property
        def ahead(self) -> Request | None:
            nonlocal compacted
            request = super().ahead
            if not compacted and self.resource == "services" and request is not None:
                compacted = True
                namespace.create("services", "api-test", "late", spec=SPEC)
                namespace.compact()
            return request

    monkeypatch.setattr("kdns.sources.api.source.Reflector", Reflector)

    async def scenario() -> None:
        await do(namespace.restart, ["--watch-cache=false"])
        for number in range(5):
            await do(namespace.create, "services", "api-test", f"s{number}", spec=SPEC)
        async with watching(namespace.kubeconfig()) as seen:
            await seen.until(seen.synced)
            assert seen.service("late") is not None
            assert compacted

    try:
        run(scenario())
    finally:
        namespace.restart([])


def test_a_permission_taken_away_is_named_and_found_when_it_is_back(
    namespace: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(refusals._ANSWERS, 403, refusals._ANSWERS[403]._replace(fixed_s=0.2))
    allowed = [dict(rule) for rule in READ_ALL]
    partly = [{**allowed[0], "resources": ["services", "namespaces"]}]

    async def scenario() -> None:
        await do(namespace.allow, partly)
        async with watching(namespace.kubeconfig(), optional=frozenset(("pods",))) as seen:
            await seen.until(lambda: seen.status("pods").synced and seen.status("endpointslices").trouble)
            await seen.until(lambda: seen.status().synced)
            assert not seen.status("endpointslices").synced
            assert str(seen.status("endpointslices").trouble).startswith(
                "endpointslices.discovery.k8s.io: 403: not allowed to list and watch; the role needs"
                ' {apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"]} (endpointslices'
            )
            await do(namespace.allow, READ_ALL)
            await seen.until(lambda: seen.status("endpointslices").synced and not seen.status("pods").trouble)

            # Taken away from a watch that is open, it is missed when that watch ends.
            await do(namespace.create, "services", "api-test", "kept", spec=SPEC)
            await seen.until(lambda: seen.service("kept"))
            await do(namespace.allow, [])
            await do(namespace.restart)
            await seen.until(lambda: "403" in (seen.status().trouble or ""))
            assert seen.service("kept") is not None
            assert seen.status().synced
            await do(namespace.allow, READ_ALL)
            await seen.until(lambda: seen.status().trouble is None)

    try:
        run(scenario())
    finally:
        namespace.allow(READ_ALL)


def pod(lab: Lab, folder: Path, token: str) -> InPod:
    """The account of a pod with this token."""
    (folder / "ca.crt").write_bytes(lab.ca.read_bytes())
    (folder / "token").write_text(token)
    return InPod({"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(lab.port)}, folder)


def test_a_pod_needs_its_folder_and_environment_only(namespace: Lab, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watching(None, pod(namespace, tmp_path, READER)) as seen:
            await seen.until(seen.synced)

    run(scenario())


def test_a_rotated_token_is_taken_at_the_401_of_the_old_one(namespace: Lab, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watching(None, pod(namespace, tmp_path, "old-token")) as seen:
            await seen.until(lambda: all("401" in str(status.trouble) for status in seen.source.status().values()))
            (tmp_path / "token").write_text(READER)
            await seen.until(seen.synced)
            await do(namespace.create, "services", "api-test", "web", spec=SPEC)
            await seen.until(lambda: seen.service("web"))

    run(scenario())


def test_exec_plugins_log_in(namespace: Lab, tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": READER},
    }
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(credential)}'\n")
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": credential["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}}

    async def scenario() -> None:
        async with watching(namespace.kubeconfig(user, "with-plugin")) as seen:
            await seen.until(seen.synced)

    run(scenario())


def test_client_certificates_log_in(lab: Lab, tmp_path: Path) -> None:
    openssl(
        tmp_path,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=ca -keyout ca.key -out ca.crt",
    )
    openssl(
        tmp_path,
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /O=kdns:readers/CN=kdns -keyout kdns.key -out kdns.csr",
    )
    openssl(tmp_path, "x509 -req -in kdns.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out kdns.crt")
    user = {"client-certificate": str(tmp_path / "kdns.crt"), "client-key": str(tmp_path / "kdns.key")}

    async def scenario() -> None:
        await do(lab.restart, [f"--client-ca-file={tmp_path / 'ca.crt'}"])
        async with watching(lab.kubeconfig(user, "with-certificate")) as seen:
            await seen.until(seen.synced)

    try:
        run(scenario())
    finally:
        lab.restart([])


def openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)


def test_a_server_whose_certificate_isnt_trusted_is_named(lab: Lab, tmp_path: Path) -> None:
    openssl(
        tmp_path,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=ca -keyout ca.key -out ca.crt",
    )
    path = lab.kubeconfig(name="untrusting")
    path.write_text(path.read_text().replace(str(lab.ca), str(tmp_path / "ca.crt")))

    async def scenario() -> None:
        async with watching(path) as seen:
            await seen.until(lambda: seen.status().trouble)
            assert f"{lab.url}: its certificate isn't trusted: " in str(seen.status().trouble)
            # The file is read again for each connection.
            (tmp_path / "ca.crt").write_bytes(lab.ca.read_bytes())
            await seen.until(seen.synced)

    run(scenario())


@pytest.mark.skipif(seed_script() is None, reason="needs the lab's seed.py: KDNS_LAB_SEED=FILE")
def test_the_whole_zoo_is_listed(lab: Lab) -> None:
    lab.seed("--mode", "zoo", "--services", "50", "--seed", "1")

    async def scenario() -> None:
        async with watching(lab.kubeconfig()) as seen:
            await seen.until(seen.synced)
            for resource in ("namespaces", "services"):
                listed = await asyncio.to_thread(lab.request, "GET", f"/api/v1/{resource}")
                names = {(each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in listed["items"]}
                assert {(key.namespace, key.name) for key in seen.store.keys(resource)} == names
            assert all(isinstance(each, EndpointSlice) for each in seen.store.objects("endpointslices"))
            assert [status.counters.undecodable for status in seen.source.status().values()] == [0] * 4

    run(scenario())


def test_the_lab_answers_its_administrator(lab: Lab) -> None:
    assert lab.request("GET", "/version")["major"] == "1"
    assert ADMIN in lab.tokens
