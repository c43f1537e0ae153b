"""Processes that die, hang or are told to end: workers, controller, all; and what can't start says why in one line.

Faults of processes are made with their signals. The cluster is YAML, so these need no lab; the
test with an API server is marked.
"""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import pytest

from tests.integration.asking import Ask, Asking
from tests.integration.upstream import Upstream
from tests.lab import Lab
from tests.server import NOBODY, REPOSITORY, ZONE, Server, alive, run_serve, short, until

WEB = f"web.shop.{ZONE}"
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{clusterIP: {ip}, ports: [{{name: http, port: 80}}]}}
"""
PORTS = ("--listen", "127.0.0.1:0", "--health", "127.0.0.1:0", "--ready", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
QUIET = ("--upstream", NOBODY, "--workers", "1")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(MANIFEST.format(ip="10.96.0.1"))
    return path


@pytest.fixture
def server(manifest: Path, tmp_path: Path) -> Iterator[Server]:
    with Server("--manifests", str(manifest), folder=tmp_path) as started:
        yield started


@contextlib.contextmanager
def asked(server: Server, name: str, count: int = 1) -> Iterator[socket.socket]:
    """A socket by which so many questions were sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(server.addresses[0])
        for number in range(count):
            sock.send(dns.message.make_query(name, "A", id=number).to_wire())
        yield sock


def replies(sock: socket.socket, count: int) -> list[dns.message.Message]:
    return [dns.message.from_wire(sock.recv(512)) for _ in range(count)]


# Workers


def test_a_killed_worker_is_replaced_within_a_second_and_no_queued_query_is_lost(server: Server) -> None:
    server.send(signal.SIGSTOP, "worker-0")
    with asked(server, WEB, 100) as sock:
        killed = time.monotonic()
        old = server.send(signal.SIGKILL, "worker-0")
        found = replies(sock, 1)
        assert time.monotonic() - killed < 1.0  # measured: 0.01 s
        found += replies(sock, 99)
    assert {reply.id for reply in found} == set(range(100))
    assert [short(reply) for reply in found] == [{"10.96.0.1"}] * 100
    assert server.process("worker-0") != old
    until(lambda: server.metric("kdns_worker_restarts_total") == 1)
    assert server.ready()[0] == 200


def test_workers_killed_in_turn_lose_at_most_what_they_had_in_hand(manifest: Path, tmp_path: Path) -> None:
    with Server("--manifests", str(manifest), folder=tmp_path, workers=2) as server:
        with Asking(server, Ask(WEB, "A", ({"10.96.0.1"},)), timeout_s=1.0) as asking:
            for kill in range(6):
                seen = asking.replies
                until(lambda seen=seen: asking.replies > seen + 50)  # type: ignore[misc] # bound here
                server.send(signal.SIGKILL, f"worker-{kill % 2}")
                until(lambda kill=kill: len(server.events("process_started")) == 4 + kill)  # type: ignore[misc]
        assert asking.wrong == []
        assert asking.lost <= 6  # one at a time is asked
        server.until_ready()


def test_a_worker_that_stands_still_is_replaced_after_three_seconds(server: Server) -> None:
    held = time.monotonic()
    old = server.send(signal.SIGSTOP, "worker-0")
    with asked(server, WEB) as sock:
        assert short(*replies(sock, 1)) == {"10.96.0.1"}
    assert 2.0 < time.monotonic() - held < 6.0
    assert [line["pid"] for line in server.events("process_silent")] == [str(old)]
    assert not alive(old)


# The controller


def test_workers_go_on_without_a_controller_and_follow_the_next_one(server: Server, manifest: Path) -> None:
    right = ({"10.96.0.1"}, {"10.96.0.2"})
    with Asking(server, Ask(WEB, "A", right)) as asking:
        old = server.send(signal.SIGKILL, "controller")
        manifest.write_text(MANIFEST.format(ip="10.96.0.2"))
        server.comes_to(WEB, "A", {"10.96.0.2"})
        assert server.process("controller") != old
        until(lambda: server.ready()[0] == 200)
        manifest.write_text(MANIFEST.format(ip="10.96.0.1"))
        server.comes_to(WEB, "A", {"10.96.0.1"})
    asking.check()
    assert server.metric("kdns_worker_restarts_total") == 0


def test_a_controller_that_stands_still_is_replaced(server: Server, manifest: Path) -> None:
    with Asking(server, Ask(WEB, "A", ({"10.96.0.1"}, {"10.96.0.2"}))) as asking:
        old = server.send(signal.SIGSTOP, "controller")
        manifest.write_text(MANIFEST.format(ip="10.96.0.2"))
        server.comes_to(WEB, "A", {"10.96.0.2"})  # it is given 10 s
    asking.check()
    assert not alive(old)


@pytest.mark.lab
def test_what_changed_while_there_was_no_controller_is_seen(lab: Lab, tmp_path: Path) -> None:
    lab.create("namespaces", "", "processes")
    for name in ("old", "gone"):
        lab.create("services", "processes", name, spec={"ports": [{"port": 80}]})
    with Server("--kubeconfig", str(lab.kubeconfig()), folder=tmp_path, workers=2) as server:
        ip = lab.request("GET", "/api/v1/namespaces/processes/services/old")["spec"]["clusterIP"]
        server.send(signal.SIGSTOP, "controller")
        lab.delete("services", "processes", "gone")
        new = lab.create("services", "processes", "new", spec={"ports": [{"port": 80}]})["spec"]["clusterIP"]
        with Asking(server, Ask(f"old.processes.{ZONE}", "A", ({ip},))) as asking:
            server.send(signal.SIGKILL, "controller")
            server.comes_to(f"new.processes.{ZONE}", "A", {new})
            server.comes_to(f"gone.processes.{ZONE}", "A", {"NXDOMAIN"})
        asking.check()


# All


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_sigterm_lets_what_is_in_flight_finish(manifest: Path, tcp: bool, tmp_path: Path) -> None:
    with Upstream({("slow.example.", "A"): ("203.0.113.1",)}) as upstream:
        server = Server("--manifests", str(manifest), folder=tmp_path, upstream=upstream.address, workers=2)
        with server:
            processes = [server.process(name) for name in ("controller", "worker-0", "worker-1")]
            upstream.go_on.clear()
            with socket.create_connection(server.addresses[0], 10) if tcp else asked(server, "slow.example") as sock:
                if tcp:
                    octets = dns.message.make_query("slow.example", "A", id=0).to_wire()
                    sock.sendall(struct.pack("!H", len(octets)) + octets)
                until(lambda: upstream.asked)
                server.send(signal.SIGTERM)
                until(lambda: server.events("stopping"))
                upstream.go_on.set()
                reply = sock.recv(512)
                assert short(dns.message.from_wire(reply[2:] if tcp else reply)) == {"203.0.113.1"}
                assert server.wait() == os.EX_OK
        assert [pid for pid in processes if alive(pid)] == []


LAMEDUCK = """
.:0 {
    bind 127.0.0.1
    health 127.0.0.1:0 {
        lameduck 2s
    }
    ready 127.0.0.1:0
    prometheus 127.0.0.1:0
    kubernetes cluster.local
}
"""


def test_lameduck_answers_on_and_says_that_others_are_to_be_asked(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(LAMEDUCK)
    flags = ("-conf", str(tmp_path / "Corefile"), "--manifests", str(manifest), "--workers", "1")
    with Server(*flags, folder=tmp_path, plain=True) as server:
        begun = time.monotonic()
        server.send(signal.SIGTERM)
        until(lambda: server.ready()[0] == 503, why="it is still ready")
        with asked(server, WEB) as sock:
            assert [short(reply) for reply in replies(sock, 1)] == [{"10.96.0.1"}]
        assert server.wait() == 0
        assert time.monotonic() - begun >= 2


def test_sigterm_answers_what_is_queued(server: Server) -> None:
    server.send(signal.SIGSTOP, "worker-0")
    with asked(server, WEB, 50) as sock:
        server.send(signal.SIGTERM)
        until(lambda: server.events("stopping"))
        server.send(signal.SIGCONT, "worker-0")
        assert {reply.id for reply in replies(sock, 50)} == set(range(50))
    assert server.wait() == os.EX_OK


def test_the_pid_file_is_there_as_long_as_the_server(manifest: Path, tmp_path: Path) -> None:
    file = tmp_path / "kdns.pid"
    with Server("--manifests", str(manifest), f"-pidfile={file}", folder=tmp_path) as server:
        assert file.read_text() == f"{server.pid}\n"
        assert server.stop(signal.SIGINT) == os.EX_OK
    assert not file.exists()
    status, told = run_serve("--manifests", str(manifest), *PORTS, *QUIET, "--pidfile", f"{tmp_path}/none/kdns.pid")
    assert status == 1
    assert (
        told == f"kdns: {tmp_path}/none/kdns.pid: No such file or directory, expected to write the process id there\n"
    )


def test_quiet_says_nothing_of_the_start(manifest: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    command = [sys.executable, "-m", "kdns", "-quiet", "--manifests", str(manifest), *PORTS, *QUIET]
    with out.open("wb") as output, log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=errors, stdin=subprocess.DEVNULL)
        with process:
            until(lambda: "event=index_loaded" in log.read_text())
            process.terminate()
            assert process.wait() == os.EX_OK
    assert (out.read_text(), "event=listening" in log.read_text()) == ("", False)


def test_a_corefile_may_come_by_a_pipe(manifest: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "kdns", "-conf=stdin", "--manifests", str(manifest), "--workers=1"]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stderr=errors)
        with process:
            assert process.stdin is not None
            process.stdin.write(LAMEDUCK.encode())
            process.stdin.close()
            until(lambda: "event=index_loaded" in log.read_text())
            process.send_signal(signal.SIGQUIT)
            assert process.wait() == os.EX_OK


def test_without_their_supervisor_none_stays(server: Server) -> None:
    processes = [server.process(name) for name in ("controller", "worker-0")]
    server.send(signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in processes))


# What can't start


def test_a_taken_port_is_one_line(manifest: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        status, told = run_serve("--manifests", str(manifest), *PORTS, *QUIET, "--listen", f"127.0.0.1:{port}")
    assert status == 1
    assert told == (
        f"kdns: listen on 127.0.0.1:{port} (UDP): another process has the port; stop that process, "
        "or choose another port\n"
    )


def test_a_port_taken_by_another_kdns_is_one_line(server: Server, manifest: Path) -> None:
    for flag, port in (("--listen", server.port), ("--metrics", int(server.events("listening")[0]["metrics"][10:]))):
        status, told = run_serve("--manifests", str(manifest), *PORTS, *QUIET, flag, f"127.0.0.1:{port}")
        assert (status, told.count("\n")) == (1, 1)
        assert f"127.0.0.1:{port}" in told
        assert "another process has the port" in told


def test_a_missing_permission_is_one_line(manifest: Path) -> None:
    unprivileged = ["unshare", "--user", "--map-root-user"]
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 53:
        pytest.skip("any process may use port 53 here: net.ipv4.ip_unprivileged_port_start says so")
    if subprocess.run([*unprivileged, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces: unshare --user isn't allowed here")
    flags = ["--manifests", str(manifest), *PORTS, *QUIET, "--listen", "127.0.0.1:53"]
    status, told = run_serve(*flags, within=unprivileged)
    assert status == 1
    assert told == (
        "kdns: listen on 127.0.0.1:53 (UDP): no permission: ports below 1024 are for root and for processes with the "
        "capability NET_BIND_SERVICE; grant it, or choose another port\n"
    )


def test_broken_yaml_is_one_line_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("kind: Service\nmetadata:\n  name: [web\nspec: {}\n")
    status, told = run_serve("--manifests", str(path), *PORTS, *QUIET)
    assert (status, told) == (
        1,
        f"kdns: {path}:4:5: found ': {{}}', expected ',' or ']' while parsing a flow sequence from line 3\n",
    )


def test_an_unknown_context_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        "contexts: [{name: home, context: {cluster: home}}]\n"
        'clusters: [{name: home, cluster: {server: "https://127.0.0.1:1"}}]\n'
    )
    status, told = run_serve("--kubeconfig", str(path), "--context", "work", *PORTS, *QUIET)
    assert (status, told) == (
        1,
        f"kdns: {path}: found 'work', expected the name of one of the contexts there are: home\n",
    )


def test_a_kubeconfig_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    status, told = run_serve("--kubeconfig", str(tmp_path / "none"), *PORTS, *QUIET)
    assert (status, told) == (1, f"kdns: {tmp_path / 'none'}: no such file, expected a kubeconfig\n")
