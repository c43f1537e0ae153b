"""A configuration that changes under a server that is asked all the while: what changes, what stays, and that nothing is lost.

The Corefile is in a folder as the kubelet mounts a ConfigMap: a link to a link to a folder, of which the second link is
exchanged.
"""

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.asking import Ask, Asking
from tests.lab import HOW_TO_RUN, Lab, assets
from tests.server import ZONE, Server, alive, until

WEB = f"web.shop.{ZONE}"
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: shop}
status: {podIP: 10.244.0.1, phase: Running}
"""
COREFILE = """
. {{
    bind 127.0.0.1
    errors
    health 127.0.0.1:0
    ready 127.0.0.1:0
    prometheus 127.0.0.1:0
    kubernetes cluster.local {{
        ttl {ttl}
        {kubernetes}
    }}
    hosts {hosts} {{
        {address} host.example.
        no_reverse
        fallthrough
    }}
    {more}
}}
{below}
"""


class ConfigMap:
    """A folder with a Corefile, as a ConfigMap's volume is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "etc"
        self.folder.mkdir()
        self.number = 0
        self.hosts = folder / "hosts"
        self.hosts.touch()
        self.put()
        self.corefile.symlink_to("..data/Corefile")

    @property
    def corefile(self) -> Path:
        return self.folder / "Corefile"

    def put(
        self,
        address: str = "192.0.2.1",
        *,
        ttl: int = 5,
        kubernetes: str = "pods insecure",
        more: str = "reload 2s 0s",
        below: str = "",
    ) -> None:
        """Another content, there at once and as a whole."""
        text = COREFILE.format(
            address=address, ttl=ttl, kubernetes=kubernetes, more=more, below=below, hosts=self.hosts
        )
        self.write(text)

    def write(self, text: str) -> None:
        self.number += 1
        (self.folder / f"..{self.number}").mkdir()
        (self.folder / f"..{self.number}" / "Corefile").write_text(text)
        (self.folder / "..data_tmp").symlink_to(f"..{self.number}")
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        shutil.rmtree(self.folder / f"..{self.number - 1}", ignore_errors=True)


@pytest.fixture
def configuration(tmp_path: Path) -> ConfigMap:
    return ConfigMap(tmp_path)


def served(configuration: ConfigMap, folder: Path, *, workers: int = 1) -> Server:
    (folder / "cluster.yaml").write_text(MANIFEST)
    flags = ("-conf", str(configuration.corefile), "--manifests", str(folder / "cluster.yaml"), "-p", "0")
    return Server(*flags, "--workers", str(workers), folder=folder, workers=workers, plain=True)


@pytest.fixture
def server(configuration: ConfigMap, tmp_path: Path) -> Iterator[Server]:
    with served(configuration, tmp_path) as started:
        yield started


def reload(server: Server, times: int) -> None:
    """Asks for one by signal, and waits until it is the one of that number."""
    server.send(signal.SIGUSR1)
    until(lambda: len(server.events("reloaded")) >= times, why="nothing was reloaded")


def until_left(server: Server, pids: set[int]) -> None:
    until(lambda: not any(map(alive, pids)), why="who was there before doesn't leave")


# What changes


def test_a_configmap_that_changes_is_served_by_itself(server: Server, configuration: ConfigMap) -> None:
    assert server.said("host.example.") == {"192.0.2.1"}
    configuration.put("192.0.2.2")
    server.comes_to("host.example.", "A", {"192.0.2.2"})
    assert server.metric("kdns_reloads_total") == 1
    assert server.events("process_started", child="reader")


def test_a_signal_reloads_at_once_and_also_where_nothing_looks(server: Server, configuration: ConfigMap) -> None:
    configuration.put("192.0.2.2", more="")
    reload(server, 1)
    server.comes_to("host.example.", "A", {"192.0.2.2"})
    configuration.put("192.0.2.3", more="")
    reload(server, 2)
    server.comes_to("host.example.", "A", {"192.0.2.3"})


def test_the_controller_and_what_it_knows_stay(server: Server, configuration: ConfigMap) -> None:
    controller, worker = server.process("controller"), server.process("worker-0")
    configuration.put(ttl=77)
    reload(server, 1)
    until_left(server, {worker})
    assert server.process("controller") == controller
    assert server.ask(WEB).answer[0].ttl == 77
    assert len(server.events("synced")) == 1


def test_what_is_read_of_the_cluster_changes_too(server: Server, configuration: ConfigMap) -> None:
    unknown, known = (
        f"10-1-1-1.shop.pod.{ZONE.removeprefix('svc.')}",
        f"10-244-0-1.shop.pod.{ZONE.removeprefix('svc.')}",
    )
    assert server.said(unknown) == {"10.1.1.1"}
    configuration.put(kubernetes="pods verified")
    reload(server, 1)
    server.comes_to(unknown, "A", {"NXDOMAIN"})
    assert server.said(known) == {"10.244.0.1"}
    assert server.said(WEB) == {"10.96.0.1"}
    assert len(server.events("synced")) == 2
    (server.log.parent / "cluster.yaml").write_text(MANIFEST.replace("10.96.0.1", "10.96.0.9"))
    server.comes_to(WEB, "A", {"10.96.0.9"})


def test_serials_and_counters_go_on(server: Server, configuration: ConfigMap) -> None:
    asked = f'coredns_dns_requests_total{{server="dns://127.0.0.1:{server.port}",zone=".",view="",proto="udp"'
    asked += ',family="1",type="A"}'
    for _ in range(20):
        server.said(WEB)
    serial = server.ask("cluster.local.", "SOA").answer[0][0].serial
    worker = server.process("worker-0")
    configuration.put(kubernetes="pods verified")
    reload(server, 1)
    until_left(server, {worker})
    assert server.metric(asked) == 20
    assert server.metric("kdns_memo_hits_total") > 0
    assert server.ask("cluster.local.", "SOA").answer[0][0].serial >= serial
    assert server.metric("kdns_worker_restarts_total") == 0


# Where it listens


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def said_at(port: int) -> str:
    command = ["dig", "@127.0.0.1", "-p", str(port), "+short", "+time=2", "+tries=1", "host.example."]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def test_a_new_port_is_opened_and_an_old_one_closed(server: Server, configuration: ConfigMap) -> None:
    port = free_port()
    hosts = f"hosts {configuration.hosts} {{\n 192.0.2.7 host.example.\n }}"
    extra = f"example.:{port} {{\n bind 127.0.0.1\n {hosts}\n}}"
    configuration.put(below=extra)
    reload(server, 1)
    assert said_at(port) == "192.0.2.7"
    assert server.said("host.example.") == {"192.0.2.1"}
    before = server.process("worker-0")
    configuration.put()
    reload(server, 2)
    until_left(server, {before})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:  # nobody has it
        sock.bind(("127.0.0.1", port))
    assert server.said("host.example.") == {"192.0.2.1"}


def test_from_one_address_to_all_and_back(tmp_path: Path, configuration: ConfigMap) -> None:
    port = free_port()

    def text(bind: str, number: int) -> str:
        hosts = f"hosts {configuration.hosts} {{\n 192.0.2.{number} host.example.\n }}"
        return f".:{port} {{\n {bind}\n ready 127.0.0.1:0\n {hosts}\n}}\n"

    configuration.write(text("bind 127.0.0.1", 1))
    with served(configuration, tmp_path) as server:
        assert said_at(port) == "192.0.2.1"
        for number, bind in ((2, ""), (3, "bind 127.0.0.1")):
            configuration.write(text(bind, number))
            worker = server.process("worker-0")
            reload(server, number - 1)
            until_left(server, {worker})
            assert said_at(port) == f"192.0.2.{number}"


def test_pages_move(server: Server, configuration: ConfigMap) -> None:
    port = free_port()
    text = configuration.corefile.read_text()
    configuration.write(text.replace("health 127.0.0.1:0", f"health 127.0.0.1:{port}"))
    assert server.page("health", "/health")[0] == 200
    reload(server, 1)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
    assert until(lambda: server.page("health", "/health")[0] == 0)
    assert server.ready()[0] == 200


# What is wrong


def test_a_broken_file_leaves_what_is_served_and_is_told_of(server: Server, configuration: ConfigMap) -> None:
    configuration.put("192.0.2.2", more="reload 2s 0s\n    nonsense")
    failed = until(lambda: server.events("reload_failed"), why="it wasn't seen")
    place = re.match(rf"{configuration.corefile}:\d+:5: error: unknown directive", failed[0]["reason"])
    assert place, failed
    assert server.said("host.example.") == {"192.0.2.1"}
    status, body = server.ready()
    assert status == 200
    assert f"reload: failed: {place[0]}" in body
    assert server.metric("coredns_reload_failed_total") == 1
    configuration.put("192.0.2.3")
    server.comes_to("host.example.", "A", {"192.0.2.3"})
    assert "failed" not in server.ready()[1]
    assert server.metric("coredns_reload_failed_total") == 1
    assert len(server.events("reload_failed")) == 1


def test_back_to_what_is_served_needs_no_other_workers(server: Server, configuration: ConfigMap) -> None:
    worker = server.process("worker-0")
    configuration.put(more="reload 2s 0s\n    nonsense")
    until(lambda: server.events("reload_failed"))
    configuration.put()
    until(lambda: server.events("configuration_as_before"))
    until(lambda: "failed" not in server.ready()[1])
    assert server.process("worker-0") == worker


def test_a_port_that_somebody_else_has_is_named_and_nothing_changes(server: Server, configuration: ConfigMap) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        configuration.put("192.0.2.2", below=". {\n bind 127.0.0.1\n}".replace(". {", f"example.:{port} {{"))
        server.send(signal.SIGUSR1)
        failed = until(lambda: server.events("reload_failed"))
        assert f"listen on 127.0.0.1:{port} (TCP): another process has the port" in failed[0]["reason"]
        assert server.said("host.example.") == {"192.0.2.1"}
        assert server.page("health", "/health")[0] == 200
    server.send(signal.SIGUSR1)
    server.comes_to("host.example.", "A", {"192.0.2.2"})


def test_files_that_are_gone_for_a_moment_are_no_change(server: Server, configuration: ConfigMap) -> None:
    text = configuration.corefile.read_text()
    (configuration.folder / "..data").unlink()
    until(lambda: server.events("configuration_unreadable"))
    assert server.metric("kdns_reload_unreadable_total") > 0
    configuration.write(text)
    until(lambda: server.events("configuration_unreadable_over"))
    assert server.events("reloaded") == server.events("reload_failed") == []


# The end


def test_told_to_stop_in_the_middle_it_stops_as_ever(server: Server, configuration: ConfigMap) -> None:
    configuration.write(
        configuration.corefile.read_text().replace("health 127.0.0.1:0", "health 127.0.0.1:0 {\nlameduck 300ms\n}")
    )
    reload(server, 1)
    server.send(signal.SIGUSR1)
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert server.events("lameduck", seconds="0.3")
    assert not server.events("process_killed_at_stop")
    started = {int(each["pid"]) for each in server.events("process_started")}
    until_left(server, started)


# Nothing is lost


def test_nobody_who_asks_notices(configuration: ConfigMap, tmp_path: Path) -> None:
    with served(configuration, tmp_path, workers=2) as server:
        with Asking(server, Ask(WEB, "A", ({"10.96.0.1"},)), timeout_s=1.0) as asking:
            for number in range(1, 5):
                seen = asking.replies
                until(lambda seen=seen: asking.replies > seen + 50)  # type: ignore[misc] # bound here
                reload(server, number)
        asking.check()


@pytest.mark.skipif(shutil.which("dnsperf") is None, reason="needs dnsperf")
def test_no_query_is_lost_at_5000_a_second(configuration: ConfigMap, tmp_path: Path) -> None:
    questions = tmp_path / "questions"
    questions.write_text(f"{WEB} A\nhost.example. A\nnone.shop.{ZONE} A\n{WEB} AAAA\n")
    with served(configuration, tmp_path, workers=2) as server:
        command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d", str(questions), "-Q", "5000", "-l", "8"]
        with subprocess.Popen([*command, "-c", "20", "-t", "3"], stdout=subprocess.PIPE, text=True) as load:
            for number in range(1, 6):
                until(lambda number=number: server.metric("kdns_memo_hits_total") > 2000 * number)  # type: ignore[misc]
                configuration.put(ttl=number, kubernetes="pods verified" if number == 3 else "pods insecure")
                reload(server, number)
            said, _ = load.communicate(timeout=60)
    found = {
        key.strip(): value.split()[0]
        for key, _, value in (line.partition(":") for line in said.splitlines())
        if value.split()
    }
    assert found["Queries lost"] == "0", said
    assert found["Queries sent"] == found["Queries completed"]
    assert int(found["Queries sent"]) > 20_000


# The API server


@pytest.mark.lab
def test_while_the_api_server_is_away_another_configuration_is_served_all_the_same(
    configuration: ConfigMap, tmp_path: Path
) -> None:
    binaries = assets()
    if binaries is None:
        pytest.skip(HOW_TO_RUN)
    with closing(Lab(binaries, tmp_path)) as lab:
        lab.start()
        lab.create("namespaces", "", "shop")
        lab.create("services", "shop", "web", spec={"clusterIP": "10.98.0.1", "ports": [{"port": 80}]})
        flags = ("-conf", str(configuration.corefile), "--kubeconfig", str(lab.kubeconfig()), "-p", "0")
        with Server(*flags, "--workers", "1", folder=tmp_path, plain=True) as server:
            lab.stop()
            configuration.put("192.0.2.2", ttl=77)
            reload(server, 1)
            server.comes_to("host.example.", "A", {"192.0.2.2"})
            assert [(each.ttl, each[0].to_text()) for each in server.ask(WEB).answer] == [(77, "10.98.0.1")]
            lab.start()
            lab.delete("services", "shop", "web")
            server.comes_to(WEB, "A", {"NXDOMAIN"})
