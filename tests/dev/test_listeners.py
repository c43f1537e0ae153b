"""Listeners on loopback addresses: opened once, and told of where they can't be."""

import socket
import subprocess
import sys
from collections.abc import Hashable
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue

import pytest

from kdns.dev.listeners import Listeners
from tests.server import REPOSITORY, until

HOST = "127.64.9.9"
ROOT_S = """
import os
from kdns.dev.listeners import Listeners
if os.geteuid() == 0:
    os.setuid(65534)
print(*Listeners(lambda *_: None).open("127.64.9.9", [443], "web"), sep="\\n")
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address")


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def test_a_connection_is_served_as_what_it_was_opened_for() -> None:
    served: SimpleQueue[tuple[Hashable, int]] = SimpleQueue()

    def serve(client: socket.socket, whose: Hashable, port: int) -> None:
        client.close()
        served.put((whose, port))

    ports = [free_port(), free_port()]
    with closing(Listeners(serve)) as listeners:
        assert listeners.open(HOST, ports, "web") == []
        assert listeners.open(HOST, ports, "web") == []  # they are open
        for port in ports:
            socket.create_connection((HOST, port)).close()
            assert served.get(timeout=20) == ("web", port)
    until(lambda: not listens(ports[0]))


def test_a_port_that_is_taken_is_told_of_once_and_opened_when_it_is_free() -> None:
    port = free_port()
    with closing(Listeners(lambda client, *_: client.close())) as listeners:
        with socket.create_server((HOST, port)):
            told = f"port {port} can't be opened on {HOST}: Address already in use: another program has it"
            assert listeners.open(HOST, [port], "web") == [told]
            assert listeners.open(HOST, [port], "web") == []
        assert listeners.open(HOST, [port], "web") == []
        assert listens(port)
        assert listeners.open(HOST, [port], "db") == [f"port {port} can't be opened on {HOST}: web has it"]


def test_an_address_that_is_not_there_is_told_of() -> None:
    with closing(Listeners(lambda client, *_: client.close())) as listeners:
        (told,) = listeners.open("192.0.2.1", [1], "web")
    assert told.startswith("port 1 can't be opened on 192.0.2.1: Cannot assign requested address: this machine has no")


def test_roots_ports_are_told_of() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first <= 443:
        pytest.skip("here all ports are everybody's")
    command = [sys.executable, "-c", ROOT_S]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout == (
        "port 443 can't be opened on 127.64.9.9: Permission denied: ports below 1024 are root's: as root,"
        " sysctl net.ipv4.ip_unprivileged_port_start=443 lets others open it\n"
    )
