"""Pod names in the three modes, as zone-file text."""

import pytest

from tests.zone.clusters import Cluster, index_of, zone
from tests.zone.test_services import NODATA, NXDOMAIN
from tests.zone.zonefile import ask, dedent

INDEX = index_of(
    Cluster(namespaces=frozenset({"shop"}), pods=frozenset({("shop", "10.1.0.1"), ("shop", "fd00::1")})),
)


def said(question: str, pods: str = "insecure") -> str:
    return ask(INDEX, zone(pods=pods), question)


@pytest.mark.parametrize("mode", ["insecure", "verified"])
@pytest.mark.parametrize(
    ("label", "qtype", "address"),
    [("10-1-0-1", "A", "10.1.0.1"), ("fd00--1", "AAAA", "fd00::1"), ("fd00-0-0-0-0-0-0-1", "AAAA", "fd00::1")],
)
def test_a_pod_name_has_the_address_it_spells(mode: str, label: str, qtype: str, address: str) -> None:
    name = f"{label}.shop.pod.cluster.local"
    assert said(f"{name} {qtype}", mode) == f"NOERROR\n{name}. 5 {qtype} {address}"
    assert said(f"{name} {'A' if qtype == 'AAAA' else 'AAAA'}", mode) == NODATA
    assert said(f"{name} TXT", mode) == NODATA


def test_srv_at_a_pod_names_the_name_itself() -> None:
    assert said("10-1-0-1.Shop.pod.CLUSTER.local SRV") == dedent("""
        NOERROR
        10-1-0-1.Shop.pod.CLUSTER.local. 5 SRV 0 100 0 10-1-0-1.shop.pod.CLUSTER.local.
        ; additional
        10-1-0-1.shop.pod.CLUSTER.local. 5 A 10.1.0.1
        """)


def test_insecure_needs_the_namespace_and_verified_the_pod() -> None:
    assert said("10-1-0-2.shop.pod.cluster.local A").startswith("NOERROR")
    assert said("10-1-0-2.shop.pod.cluster.local A", "verified") == NXDOMAIN
    assert said("10-1-0-1.other.pod.cluster.local A") == NXDOMAIN
    assert said("10-1-0-1.other.pod.cluster.local A", "verified") == NXDOMAIN


@pytest.mark.parametrize("mode", ["insecure", "verified"])
def test_the_namespace_of_pods_has_no_data(mode: str) -> None:
    assert said("shop.pod.cluster.local A", mode) == NODATA
    assert said("other.pod.cluster.local A", mode) == NXDOMAIN


def test_disabled_has_nothing_below_pod() -> None:
    assert said("pod.cluster.local A", "disabled") == NODATA
    assert said("shop.pod.cluster.local A", "disabled") == NXDOMAIN
    assert said("10-1-0-1.shop.pod.cluster.local A", "disabled") == NXDOMAIN


@pytest.mark.parametrize(
    "label",
    [
        "01-2-3-4",
        "256-1-1-1",
        "1-2-3",
        "\uff11-2-3-4",
        "-1-2-3-4",
        "1-2-3-4-",
        "1-2-3-4-5",
        "1--2-3-4x",
        "+1-2-3-4",
        "1_0-2-3-4",
        "1--1--1",
        "1---1",
        "--",
        "g--1",
        "12345--1",
        "1-2-3-4-5-6-7-8-9",
        "1-2-3-4--5-6-7-8",
        "-1--1",
        "1--1-",
        r"--1%25eth0",
        r"fd00\:\:1",
        r"1\.2\.3\.4",
        "web",
        "*",
        "0x1-2-3-4",
        r"1-2-3-\032",
        "--1_0",
    ],
)
def test_labels_that_spell_no_address_do_not_exist(label: str) -> None:
    expected = NXDOMAIN if label != "--" else "NOERROR\n--.shop.pod.cluster.local. 5 AAAA ::"
    assert said(f"{label}.shop.pod.cluster.local AAAA") == expected


@pytest.mark.parametrize(
    "label", ["--1", "1--", "2001-db8--1", "1-2-3-4-5-6-7-8", "1--3-4-5-6-7-8", "0001--", "--ffff-102-304"]
)
def test_every_spelling_of_an_ipv6_address_exists(label: str) -> None:
    assert said(f"{label}.shop.pod.cluster.local AAAA").startswith(f"NOERROR\n{label}.shop.pod.cluster.local. 5 AAAA")


@pytest.mark.parametrize("below", ["x", "x.y", "_http._tcp"])
def test_nothing_exists_below_a_pod(below: str) -> None:
    assert said(f"{below}.10-1-0-1.shop.pod.cluster.local A") == NXDOMAIN
