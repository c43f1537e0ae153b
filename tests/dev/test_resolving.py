"""What programs are told about resolving, as texts."""

import pytest

from kdns.dev.resolving import Path, nsswitch_conf, path_of, resolv_conf

MACHINE = "# ours\nnameserver 192.0.2.53\nsearch office.example. lan\noptions edns0 ndots:2\noptions timeout:1\n"


def told(text: str) -> str:
    return resolv_conf(("127.0.54.53",), path_of(text))


def test_of_a_machine_only_the_name_server_is_another() -> None:
    assert told(MACHINE) == ("nameserver 127.0.54.53\nsearch office.example. lan\noptions edns0 ndots:2 timeout:1\n")


def test_a_path_may_have_no_domain_twice_and_other_name_servers_follow() -> None:
    assert resolv_conf(("127.0.54.53", "192.0.2.1"), Path(("a", "b", "a"), ("ndots:5",))) == (
        "nameserver 127.0.54.53\nnameserver 192.0.2.1\nsearch a b\noptions ndots:5\n"
    )


def test_of_search_and_domain_the_last_counts() -> None:
    assert told("search a b\ndomain c d\n") == "nameserver 127.0.54.53\nsearch c\n"
    assert told("domain c\nsearch a b ; why\n") == "nameserver 127.0.54.53\nsearch a b\n"


def test_the_root_is_no_search_path() -> None:
    assert told("search .\n") == "nameserver 127.0.54.53\n"


@pytest.mark.parametrize(
    "text", ["", "hosts: files resolve [!UNAVAIL=return] dns\n", "  hosts : mdns4_minimal # dns\n"]
)
def test_hosts_come_from_files_and_the_dns_alone(text: str) -> None:
    assert nsswitch_conf(f"passwd: files systemd\n{text}# hosts: no\n") == (
        "passwd: files systemd\n# hosts: no\nhosts: files dns\n"
    )
