"""What programs are told about resolving, as texts."""

import pytest

from kdns.dev.resolving import nsswitch_conf, resolv_conf

MACHINE = "# ours\nnameserver 192.0.2.53\nsearch office.example. lan\noptions edns0 ndots:2\noptions timeout:1\n"


def told(text: str, namespace: str | None) -> str:
    return resolv_conf(text, "127.0.54.53", zone="cluster.local", namespace=namespace)


def test_a_namespace_brings_the_search_path_of_its_pods_before_the_machines() -> None:
    assert told(MACHINE, "shop") == (
        "nameserver 127.0.54.53\n"
        "search shop.svc.cluster.local svc.cluster.local cluster.local office.example. lan\n"
        "options edns0 timeout:1 ndots:5\n"
    )


def test_without_a_namespace_only_the_name_server_is_another() -> None:
    assert told(MACHINE, None) == (
        "nameserver 127.0.54.53\nsearch office.example. lan\noptions edns0 ndots:2 timeout:1\n"
    )


def test_of_search_and_domain_the_last_counts() -> None:
    assert told("search a b\ndomain c d\n", None) == "nameserver 127.0.54.53\nsearch c\n"
    assert told("domain c\nsearch a b ; why\n", None) == "nameserver 127.0.54.53\nsearch a b\n"


def test_the_root_is_no_search_path() -> None:
    assert told("search .\n", None) == "nameserver 127.0.54.53\n"


@pytest.mark.parametrize(
    "text", ["", "hosts: files resolve [!UNAVAIL=return] dns\n", "  hosts : mdns4_minimal # dns\n"]
)
def test_hosts_come_from_files_and_the_dns_alone(text: str) -> None:
    assert nsswitch_conf(f"passwd: files systemd\n{text}# hosts: no\n") == (
        "passwd: files systemd\n# hosts: no\nhosts: files dns\n"
    )
