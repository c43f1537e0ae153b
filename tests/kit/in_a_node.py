"""The deployment, in a node of its own: test_deployment.py runs these tests in a network namespace, with the image's folder.

The lab's API server is the cluster's, with access as the manifest's role gives it. The node's address is the API server's.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import dns.message
import dns.query
import pytest

from tests.kit import kit, node
from tests.kit.node import SERVICE, Api, Pod
from tests.lab import READER, Lab, assets
from tests.server import short, until
from tests.steps.certificates import authority, signed

QPS: Final = 5_000
# For so long the old pod goes on getting questions, as long as nobody has told every node that it ends.
UNTOLD_S: Final = 2.0
KUBEADM: Final = Path(__file__).parents[1] / "config" / "corefiles" / "kubeadm.Corefile"
WEB: Final = "web.shop.svc.cluster.local"
NET_BIND_SERVICE: Final = 1 << 10


class Cluster(Lab):
    """A lab whose API server is reached at the node's address, too."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._authority = authority(folder)
        own = signed(folder, self._authority, f"IP:127.0.0.1,IP:{node.GATEWAY}")
        flags = ("--bind-address=0.0.0.0", f"--tls-cert-file={own.certificate}", f"--tls-private-key-file={own.key}")
        super().__init__(binaries, folder, flags)

    @property
    def ca(self) -> Path:
        return self._authority.certificate


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    binaries = assets()
    assert binaries is not None
    node.prepare()
    started = Cluster(binaries, tmp_path_factory.mktemp("lab"))
    started.allow(_policy(kit.one("ClusterRole", kit.objects(kit.kustomize("overlays/side-by-side")))))
    try:
        started.start()
        started.create("services", "shop", "web", spec={"clusterIP": "10.96.0.80", "ports": [{"port": 80}]})
        yield started
    finally:
        started.close()


def _policy(role: dict[str, Any]) -> list[dict[str, object]]:
    """What the lab lets the pod's account do: the manifest's role, word for word."""
    return [
        {
            "groups": ["kdns:readers"],
            "verbs": rule["verbs"],
            "resources": [f"{name}.{group}".strip(".") for group in rule["apiGroups"] for name in rule["resources"]],
            "namespaces": ["*"],
        }
        for rule in role["rules"]
    ]


@pytest.fixture
def start(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    """Starts pods of rendered manifests."""
    with ExitStack() as stack:
        count = iter(range(10, 200))

        def start(folder: str, *, corefile: str | None = None, without: tuple[str, ...] = ()) -> Pod:
            found = kit.objects(kit.kustomize(folder))
            deployment = kit.one("Deployment", found)
            for key in without:
                deployment["spec"]["template"]["spec"].get("securityContext", {}).pop(key, None)
            configs = {each["metadata"]["name"]: each["data"] for each in found if each["kind"] == "ConfigMap"}
            if corefile is not None:
                configs["coredns"] = {"Corefile": corefile}
            number = next(count)
            image = Path(os.environ["KDNS_IMAGE"])
            api = Api(cluster.port, cluster.ca, READER)
            pod = Pod(f"pod{number}", number, tmp_path / f"pod{number}", image, deployment, configs, api)
            return stack.enter_context(pod)

        yield start


def asked(name: str, address: str, port: int, *, tcp: bool = False) -> set[str]:
    query = dns.message.make_query(name, "A")
    send = dns.query.tcp if tcp else dns.query.udp
    return short(send(query, address, 5.0, port))


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_our_manifest_runs_without_any_privilege(cluster: Cluster, start: Callable[..., Pod]) -> None:
    pod = start("overlays/side-by-side")
    pod.until_ready()
    assert pod.probe("liveness") == 200
    for tcp in (False, True):
        assert asked(WEB, pod.address, 1053, tcp=tcp) == {"10.96.0.80"}
    for pid in pod.pids:
        seen = status_of(pid)
        assert seen["Uid"].split() == ["65532"] * 4
        assert (seen["CapPrm"], seen["CapEff"], seen["CapBnd"], seen["NoNewPrivs"]) == (
            "0" * 16,
            "0" * 16,
            "0" * 16,
            "1",
        )
    with pytest.raises(OSError, match="Read-only file system"):
        Path(f"/proc/{pod.pid}/root/written").touch()
    cluster.create("services", "shop", "late", spec={"clusterIP": "10.96.0.81", "ports": [{"port": 80}]})
    until(lambda: asked("late.shop.svc.cluster.local", pod.address, 1053) == {"10.96.0.81"})
    until(lambda: list((pod.folder / "empty-state").iterdir()))
    page = pod.page(9153, "/metrics")
    assert "coredns_dns_requests_total{" in page
    assert "process_resident_memory_bytes" in page
    assert pod.memory_bytes < pod.limit_bytes
    assert pod.killed == 0
    assert "resource_in_trouble" not in pod.log
    print(f"{len(pod.pids)} processes take {pod.memory_bytes >> 20} MiB of {pod.limit_bytes >> 20}")  # noqa: T201


@pytest.mark.parametrize("without", [(), ("runAsUser", "runAsGroup", "runAsNonRoot", "fsGroup", "seccompProfile")])
def test_coredns_manifest_gets_port_53(start: Callable[..., Pod], without: tuple[str, ...]) -> None:
    pod = start("overlays/replace-coredns", corefile=KUBEADM.read_text(), without=without)
    pod.until_ready()
    for tcp in (False, True):
        assert asked(WEB, pod.address, 53, tcp=tcp) == {"10.96.0.80"}
    seen = status_of(pod.pid)
    assert seen["Uid"].split() == ["65532"] * 4
    assert (int(seen["CapEff"], 16), seen["NoNewPrivs"]) == (NET_BIND_SERVICE, "1")
    assert "process_resident_memory_bytes" in pod.page(9153, "/metrics")


def test_lameduck_answers_until_its_time_is_over(start: Callable[..., Pod]) -> None:
    pod = start("overlays/side-by-side")
    pod.until_ready()
    begun = time.monotonic()
    pod.terminate()
    until(lambda: pod.probe("readiness") == 503)
    assert pod.probe("liveness") == 200
    answers = 0
    while time.monotonic() - begun < 4.5:  # of 5 s
        assert asked(WEB, pod.address, 1053) == {"10.96.0.80"}
        answers += 1
    assert pod.wait() == 0
    assert time.monotonic() - begun >= 5
    assert answers > 10


def test_a_rolling_restart_loses_no_answer(cluster: Cluster, start: Callable[..., Pod], tmp_path: Path) -> None:
    del cluster
    serving = [start("overlays/side-by-side") for _ in range(2)]
    pods = list(serving)
    for pod in serving:
        pod.until_ready()
    node.lead_to(serving)
    with dnsperf(tmp_path) as load:
        for old in list(serving):
            new = start("overlays/side-by-side")
            new.until_ready()
            serving.append(new)
            pods.append(new)
            node.lead_to(serving)
            until(lambda each=old: questions(each) > QPS // 10, why="no question goes to who is to be restarted")  # type: ignore[misc]
            old.terminate()
            _pass(UNTOLD_S)
            serving.remove(old)
            node.lead_to(serving)
            assert old.wait() == 0
        assert load.poll() is None, "the load was over before the restart was"
    said = (tmp_path / "dnsperf.out").read_text()
    counts = {
        name.strip(): value.split()[0]
        for name, _, value in (line.partition(":") for line in said.splitlines())
        if value.strip()
    }
    print(said)  # noqa: T201
    assert int(counts["Queries lost"]) == 0, whereabouts(pods)
    assert "NOERROR" in said
    assert "SERVFAIL" not in said
    assert int(counts["Queries sent"]) > QPS * 5


def whereabouts(pods: list[Pod]) -> str:
    """Where a question or a reply may have stayed: the kernel's counts of both ends, and what the pods have said."""
    lines = [f"who asks: {node.datagrams(os.getpid())}"]
    for pod in pods:
        lines += [f"{pod.name}: {pod.datagrams}", pod.log]
    return "\n".join(lines)


def questions(pod: Pod) -> float:
    """How many a pod has been asked."""
    lines = [line for line in pod.page(9153, "/metrics").splitlines() if line.startswith("coredns_dns_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@contextlib.contextmanager
def dnsperf(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Questions at a steady rate for the Service's address, until the block ends."""
    (folder / "names").write_text(
        f"{WEB} A\nkubernetes.default.svc.cluster.local A\nnothing.shop.svc.cluster.local A\n"
    )
    command = [
        "dnsperf",
        "-s",
        SERVICE,
        "-p",
        "1053",
        "-d",
        str(folder / "names"),
        "-Q",
        str(QPS),
        "-c",
        "20",
        "-l",
        "300",
    ]
    with (folder / "dnsperf.out").open("wb") as out:
        process = subprocess.Popen([*command, "-t", "5"], stdout=out, stderr=out)
        with process:
            until(lambda: asked(WEB, SERVICE, 1053))
            yield process
            process.send_signal(2)  # it tells what it counted


def _pass(seconds: float) -> None:
    """Lets time go by, which is what the nodes take to hear of a change."""
    begun = time.monotonic()
    until(lambda: time.monotonic() - begun >= seconds)
