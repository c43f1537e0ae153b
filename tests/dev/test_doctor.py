"""What the doctor finds, and that it changes nothing."""

import socket
from pathlib import Path

import pytest

from kdns.dev import doctor
from kdns.dev.doctor import Finding


def test_a_finding_says_why() -> None:
    assert (str(Finding("a port")), str(Finding("a port", "taken"))) == ("✔ a port", "✘ a port: taken")


def test_a_port_that_is_taken_is_found_by_udp_and_tcp() -> None:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as other:
            other.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                other.listen()
            assert doctor.look(other.getsockname())[1].why == "Address already in use"


def test_multicast_dns_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nsswitch.conf"
    monkeypatch.setattr(doctor, "_NSSWITCH_CONF", path)
    path.write_text("passwd: files\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n")
    assert doctor.look(("127.0.0.1", 0))[3].why == f"mdns4_minimal in {path} may keep them from the DNS"
    path.write_text("hosts: files dns\n")
    assert doctor.look(("127.0.0.1", 0))[3].why == ""


def test_namespaces_are_tried_elsewhere() -> None:
    before = [Path("/proc/self/ns", each).readlink() for each in ("net", "mnt", "user")]
    doctor.look(("127.0.0.1", 0))
    assert [Path("/proc/self/ns", each).readlink() for each in ("net", "mnt", "user")] == before
