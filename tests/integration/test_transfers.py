"""Zones that others copy: a real server by a Corefile, dig as the secondary, and one that hears of changes."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.opcode
import dns.rcode
import pytest

from tests.server import REPOSITORY, Server, until

ZONE = """$TTL 300
@ SOA ns hostmaster {serial} 7200 1800 86400 60
@ NS ns
ns A 192.0.2.1
$GENERATE 1-{hosts} host$ A 192.0.2.1
"""

pytestmark = pytest.mark.skipif(shutil.which("dig") is None, reason="needs dig")


def dig(server: Server, *arguments: str) -> list[str]:
    """The records that dig prints, a line each."""
    options = ("+noall", "+answer", "@127.0.0.1", "-p", str(server.port))
    done = subprocess.run(["dig", *options, *arguments], capture_output=True, text=True, check=False, timeout=60)
    return [" ".join(line.split()) for line in done.stdout.splitlines() if line and not line.startswith(";")]


@contextmanager
def serving(folder: Path, corefile: str) -> Iterator[Server]:
    (folder / "Corefile").write_text(corefile)
    manifests = ("--manifests", str(REPOSITORY / "examples"))
    server = Server("-conf", str(folder / "Corefile"), *manifests, folder=folder, plain=True)
    server.start(ready=False)
    try:
        yield server
    finally:
        server.close()


def write(path: Path, serial: int, hosts: int) -> None:
    new = path.with_suffix(".new")
    new.write_text(ZONE.format(serial=serial, hosts=hosts))
    new.replace(path)


def test_a_zone_of_a_file_is_copied_and_its_changes_are_told(tmp_path: Path) -> None:
    write(tmp_path / "db", 1, 3000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as secondary:
        secondary.bind(("127.0.0.1", 0))
        secondary.settimeout(20)
        to = f"127.0.0.1:{secondary.getsockname()[1]}"
        block = f"file {tmp_path / 'db'} {{\nreload 100ms\n}}\ntransfer {{\nto {to}\n}}"
        with serving(tmp_path, f"example.org:0 {{\nbind 127.0.0.1\n{block}\n}}") as server:
            heard(secondary)
            whole = until(lambda: dig(server, "AXFR", "example.org"))
            soa = "example.org. 300 IN SOA ns.example.org. hostmaster.example.org. 1 7200 1800 86400 60"
            assert (whole[0], whole[-1], len(whole), len(set(whole))) == (soa, soa, 3004, 3003)
            assert "host3000.example.org. 300 IN A 192.0.2.1" in whole
            assert until(lambda: dig(server, "IXFR=1", "example.org")) == [soa]
            write(tmp_path / "db", 2, 1)
            heard(secondary)
            changed = until(lambda: [] if (found := dig(server, "IXFR=1", "example.org")) == [soa] else found)
            assert len(changed) == 5
            assert server.events("zone_sent", zone="example.org.", records="3003", whole="true")


def heard(secondary: socket.socket) -> None:
    """Waits for one NOTIFY, and answers it."""
    octets, address = secondary.recvfrom(512)
    message = dns.message.from_wire(octets)
    assert (message.opcode(), str(message.question[0].name)) == (dns.opcode.NOTIFY, "example.org.")
    secondary.sendto(dns.message.make_response(message).to_wire(), address)


def test_the_clusters_zone_is_copied_and_every_record_of_it_is_answered(tmp_path: Path) -> None:
    with serving(
        tmp_path, ".:0 {\nbind 127.0.0.1\ntransfer cluster.local {\nto *\n}\nkubernetes cluster.local\n}"
    ) as server:
        whole = until(lambda: dig(server, "AXFR", "cluster.local"))
        assert len(whole) > 50
        assert whole[0] == whole[-1]
        for line in whole[1:-1]:
            name, _, _, rtype, data = line.split(" ", 4)
            assert data in {each.split(" ", 4)[4] for each in dig(server, "+tcp", name, rtype)}


@pytest.mark.parametrize("block", ["", "transfer {\nto 192.0.2.1\n}", "transfer example.org {\nto *\n}"])
def test_others_get_nothing(tmp_path: Path, block: str) -> None:
    with serving(tmp_path, f".:0 {{\nbind 127.0.0.1\n{block}\nkubernetes cluster.local\n}}") as server:
        server.until_loaded()
        assert dig(server, "AXFR", "cluster.local") == []
        assert server.ask("cluster.local", "AXFR").rcode() == dns.rcode.REFUSED
