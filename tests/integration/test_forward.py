"""kdns dev --forward against a real API server, before which port-forwarding is played: what programs reach, and what is said."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from kdns.steps.forwarding import Place
from tests.integration.portforward import Front
from tests.lab import ADMIN, Lab, _free_ports
from tests.server import NOBODY, REPOSITORY, until

pytestmark = [pytest.mark.lab, pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")]

SPACE = "forwarded"


class Pod:
    """A web server that says who it is, and echoes what comes on another port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.web, self.echo = (each.getsockname()[1] for each in self._listeners)
        for listener, serve in zip(self._listeners, (self._answer, _echo), strict=True):
            threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()

    def close(self) -> None:
        for each in self._listeners:
            each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _answer(self, client: socket.socket) -> None:
        client.recv(1 << 16)
        text = f"{self.name}\n".encode()
        client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text) + text)


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client:
                serve(client)


def _echo(client: socket.socket) -> None:
    while octets := client.recv(1 << 16):
        client.sendall(octets)


class Cluster:
    """Two pods behind a Service and a headless one."""

    def __init__(self, lab: Lab, front: Front) -> None:
        self.lab, self.front = lab, front
        self.pods = {name: Pod(name) for name in ("web-0", "web-1")}
        for name, pod in self.pods.items():
            front.pods |= {(name, 8080): pod.web, (name, 9090): pod.echo}

    def ready(self, *names: str) -> None:
        """These pods are, the others aren't; slices keep them all."""
        endpoints = [
            {
                "addresses": [f"10.0.9.{at}"],
                "conditions": {"ready": name in names},
                "hostname": name,
                "targetRef": {"kind": "Pod", "namespace": SPACE, "name": name},
            }
            for at, name in enumerate(self.pods)
        ]
        for service in ("web", "all"):
            path = f"/apis/discovery.k8s.io/v1/namespaces/{SPACE}/endpointslices/{service}-x"
            self.lab.request("PATCH", path, {"endpoints": endpoints})


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Front(tmp_path_factory.mktemp("front"), lab.port) as front:
        lab.create("namespaces", "", SPACE)
        cluster = Cluster(lab, front)
        for name in cluster.pods:
            lab.create("pods", SPACE, name, spec={"containers": [{"name": "web", "image": "web"}]})
        ports = [
            {"name": "http", "port": 18080, "targetPort": 8080},
            {"name": "echo", "port": 19090, "targetPort": 9090},
            {"name": "dns", "port": 15353, "protocol": "UDP"},
        ]
        lab.create("services", SPACE, "web", spec={"ports": ports})
        lab.create("services", SPACE, "all", spec={"clusterIP": "None", "ports": ports[:1]})
        of_pods = [{"name": "http", "port": 8080}, {"name": "echo", "port": 9090}]
        for name in ("web", "all"):
            labels = {"kubernetes.io/service-name": name}
            lab.create(
                "endpointslices", SPACE, f"{name}-x", labels=labels, addressType="IPv4", ports=of_pods, endpoints=[]
            )
        cluster.ready("web-0")
        yield cluster
        for pod in cluster.pods.values():
            pod.close()


def line(cluster: Cluster, *more: str) -> list[str]:
    config = json.loads(cluster.lab.kubeconfig({"token": ADMIN}).read_text())
    where = {"server": f"https://127.0.0.1:{cluster.front.port}", "certificate-authority": str(cluster.front.ca)}
    config["clusters"][0]["cluster"] = where
    kubeconfig = cluster.front.ca.with_name("config")
    kubeconfig.write_text(json.dumps(config))
    own = ["--kubeconfig", str(kubeconfig), "--upstream", NOBODY, "--search", SPACE, "--forward"]
    return [sys.executable, "-m", "kdns", "dev", *own, *more]


class Dev:
    """kdns dev that answers at a port, and what it says."""

    def __init__(self, cluster: Cluster) -> None:
        (self.port,) = _free_ports(1)
        command = line(cluster, "--listen", f"127.0.0.1:{self.port}")
        self._log = cluster.front.ca.with_name("dev.log")
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def addresses(self, name: str, rtype: str = "A") -> list[str]:
        """What is answered, once there is an answer."""

        def answered() -> dns.message.Message | None:
            with suppress(dns.exception.Timeout, OSError):
                reply = dns.query.udp(dns.message.make_query(name, rtype), "127.0.0.1", timeout=2, port=self.port)
                return None if reply.rcode() == dns.rcode.SERVFAIL else reply
            return None

        reply = until(answered, why=f"no answer; {self.said}")
        assert reply is not None
        return [each.to_text() for records in reply.answer for each in records if records.rdtype.name == rtype]


@contextmanager
def dev(cluster: Cluster) -> Iterator[Dev]:
    started = Dev(cluster)
    try:
        yield started
    finally:
        started.process.terminate()
        started.process.wait(20)


def page(address: str, port: int) -> str:
    done = subprocess.run(
        ["curl", "-s", "--max-time", "30", f"http://{address}:{port}/"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def test_a_service_and_a_headless_one_are_reached_by_their_names(cluster: Cluster) -> None:
    cluster.ready("web-0")
    curl = "curl -s --max-time 30"
    script = f"{curl} http://web:18080/; {curl} http://all.{SPACE}:18080/; {curl} http://all:8080/; getent ahostsv4 web"
    command = line(cluster, "--", "sh", "-c", script)
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    *pages, addresses = done.stdout.split("\n", 3)
    assert pages == ["web-0"] * 3, done.stderr
    assert re.match(r"127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+ ", addresses)
    assert "kdns dev: web.forwarded: port 15353 is of UDP, and only TCP can be forwarded\n" in done.stderr
    assert not cluster.front.connections


def test_a_pod_that_is_gone_is_replaced_by_another_ready_one(cluster: Cluster) -> None:
    cluster.ready("web-0")
    with dev(cluster) as running:
        (address,) = running.addresses("web")
        assert page(address, 18080) == "web-0"
        cluster.ready("web-1")
        assert page(address, 18080) == "web-1"
        cluster.ready("web-0", "web-1")
        refusing = cluster.front.pods.pop(("web-1", 8080))  # it is still said to be ready
        try:
            assert {page(address, 18080) for _ in range(8)} == {"web-0"}
            assert ("web-1", 8080) in cluster.front.asked
            cluster.ready("web-1")
            assert page(address, 18080) == ""
            until(lambda: "web.forwarded: port 18080: error forwarding port 8080 to pod web-1" in running.said)
        finally:
            cluster.front.pods["web-1", 8080] = refusing
        cluster.ready()
        assert page(address, 18080) == ""
        until(lambda: "web.forwarded: port 18080: there is no ready endpoint" in running.said)


def test_names_of_endpoints_lead_to_their_pods_and_other_types_have_no_addresses(cluster: Cluster) -> None:
    cluster.ready("web-0", "web-1")
    with dev(cluster) as running:
        for name in cluster.pods:
            (address,) = running.addresses(f"{name}.all.{SPACE}.svc.cluster.local")
            assert {page(address, 18080) for _ in range(3)} == {name}
        assert running.addresses("web", "AAAA") == []
        (target,) = {each.split()[-1] for each in running.addresses(f"_http._tcp.web.{SPACE}.svc.cluster.local", "SRV")}
        assert running.addresses(target) == running.addresses("web")


def test_as_much_as_one_likes_is_carried_both_ways(cluster: Cluster) -> None:
    cluster.ready("web-0")
    octets = bytes(range(256)) * 8192
    with dev(cluster) as running:
        (address,) = running.addresses("web")
        with socket.create_connection((address, 19090), timeout=60) as client:
            threading.Thread(target=client.sendall, args=(octets,), daemon=True).start()
            found = b""
            while len(found) < len(octets) and (part := client.recv(1 << 16)):
                found += part
        assert found == octets


def test_a_port_that_can_not_be_opened_is_told_of_and_others_are_open(cluster: Cluster) -> None:
    cluster.ready("web-0")
    address = socket.inet_ntoa(Place(SPACE, "web", "").address)
    with socket.create_server((address, 19090)), dev(cluster) as running:
        assert running.addresses("web") == [address]
        assert page(address, 18080) == "web-0"
        told = f"kdns dev: web.forwarded: port 19090 can't be opened on {address}: Address already in use: another program has it"
        until(lambda: told in running.said)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_at_the_end_nobody_listens_any_more(how: signal.Signals, cluster: Cluster) -> None:
    cluster.ready("web-0")
    with dev(cluster) as running:
        (address,) = running.addresses("web")
        with socket.create_connection((address, 19090), timeout=20) as client:
            client.sendall(b"hello")
            assert client.recv(16) == b"hello"
            running.process.send_signal(how)
            running.process.wait(20)
            with suppress(ConnectionError):
                assert client.recv(16) == b""
        until(lambda: not _listens(address, 19090))


def _listens(host: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0
