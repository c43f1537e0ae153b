"""The machine's own addresses: what the operator named, or what the interfaces have, as far as clients can ask there.

The system is the real one; only where Linux' files would say what no test machine has, one is written.
"""

import ipaddress
import socket
from pathlib import Path

import pytest

from kdns.config.settings import Address
from kdns.serve import local
from kdns.serve.local import own_addresses

IF_INET6 = """\
fe80000000000000020c29fffe000001 02 40 20 80     eth0
fd000000000000000000000000000002 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000007 03 80 00 80 an-interface15c
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Linux' file of IPv6 addresses, in the hands of the test; not there yet."""
    path = tmp_path / "net" / "if_inet6"
    path.parent.mkdir()
    monkeypatch.setattr(local, "_IF_INET6", path)
    return path


def own(*hosts: str) -> list[str]:
    return [str(ipaddress.ip_address(address)) for address in own_addresses(Address(host, 53) for host in hosts)]


def sixes(*hosts: str) -> list[str]:
    return [address for address in own(*hosts) if ":" in address]


def fours(*hosts: str) -> list[str]:
    return [address for address in own(*hosts) if ":" not in address]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ((), []),
        (("192.0.2.1",), ["192.0.2.1"]),
        (("127.0.0.1", "::1"), ["127.0.0.1", "::1"]),
        (("2001:db8::5", "192.0.2.9", "192.0.2.1"), ["2001:db8::5", "192.0.2.9", "192.0.2.1"]),
        (("192.0.2.1", "2001:db8::5", "192.0.2.1"), ["192.0.2.1", "2001:db8::5"]),
        (("2001:DB8:0::5", "2001:db8::5"), ["2001:db8::5"]),
        (("fe80::1%lo",), ["fe80::1"]),
    ],
)
def test_addresses_that_are_listened_on_are_taken_as_they_stand_each_once(
    hosts: tuple[str, ...], expected: list[str]
) -> None:
    assert own(*hosts) == expected


def test_addresses_are_four_or_sixteen_octets() -> None:
    assert own_addresses((Address("192.0.2.1", 53), Address("2001:db8::5", 53))) == (
        bytes((192, 0, 2, 1)),
        bytes.fromhex("20010db8000000000000000000000005"),
    )


def test_every_address_means_those_of_the_interfaces_without_the_loopback_s(files: Path) -> None:
    files.write_text(IF_INET6)
    assert sixes("") == ["fe80::20c:29ff:fe00:1", "fd00::2", "2001:db8::7"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0::0"])
def test_every_address_of_a_family_means_those_of_that_family(host: str, files: Path) -> None:
    files.write_text(IF_INET6)
    assert own(host) == (sixes("") if ":" in host else fours(""))
    assert own("0.0.0.0", "::") == own("")


def test_a_named_address_is_there_once_beside_every_address(files: Path) -> None:
    files.write_text(IF_INET6)
    assert sixes("fd00::2", "") == ["fd00::2", "fe80::20c:29ff:fe00:1", "2001:db8::7"]


def test_where_ipv6_is_switched_off_there_are_no_addresses_of_it(files: Path) -> None:
    assert not files.exists()
    assert sixes("") == []


def test_where_the_system_has_no_such_files_the_host_s_name_is_looked_up(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.parent.rmdir()
    monkeypatch.setattr(socket, "gethostname", lambda: "192.0.2.7")
    assert own("") == ["192.0.2.7"]
    monkeypatch.setattr(socket, "gethostname", lambda: "127.0.1.1")
    assert own("") == []


def test_a_host_whose_name_has_no_address_has_none(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_asked: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    files.parent.rmdir()
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert own("") == []


def test_what_this_machine_is_said_to_have_can_be_bound_and_is_no_loopback() -> None:
    for address in own_addresses((Address("", 53),)):
        found = ipaddress.ip_address(address)
        assert not found.is_loopback
        family = socket.AF_INET if found.version == 4 else socket.AF_INET6
        if not found.is_link_local:  # those need an interface beside them
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.bind((str(found), 0))


def test_the_order_is_the_same_each_time() -> None:
    assert own("") == own("")
