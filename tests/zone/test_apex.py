"""The zone's own names, as zone-file text."""

import pytest

from kdns.zone.entry import Kind
from tests.zone.clusters import Cluster, Service, Slice, index_of, packed, zone
from tests.zone.test_services import NODATA, NXDOMAIN, SOA
from tests.zone.zonefile import ask, dedent

OWN = (packed("10.1.0.5"), packed("fd00::5"), packed("169.254.20.10"), packed("fe80::1"))
EMPTY = index_of(Cluster(namespaces=frozenset({"shop"})))
SERVED = index_of(
    Cluster(
        {
            ("kube-system", "kube-dns"): Service(
                ips=("10.96.0.53", "fd00:96::53"), slices=(Slice((("10.1.0.5", ""), ("10.1.0.6", ""))),)
            ),
            ("kube-system", "headless"): Service(
                Kind.HEADLESS, slices=(Slice((("10.1.0.5", ""), ("10.1.0.6", "six"))), Slice((("fd00::6", "six"),)))
            ),
            ("kube-system", "gone"): Service(Kind.SLICES_ONLY, slices=(Slice((("10.1.0.5", ""),)),)),
            ("shop", "taken"): Service(ips=("10.1.0.5",)),
        }
    )
)


def test_the_soa_has_the_values_that_clusters_know() -> None:
    assert ask(EMPTY, zone(), "Cluster.local SOA") == (
        "NOERROR\nCluster.local. 5 SOA ns.dns.Cluster.local. hostmaster.Cluster.local. 1 7200 1800 86400 5"
    )


def test_the_soa_lives_five_minutes_at_most() -> None:
    assert ask(EMPTY, zone(ttl=3600), "cluster.local SOA") == (
        "NOERROR\ncluster.local. 300 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 3600"
    )


def test_a_denial_carries_the_soa_in_the_questions_case() -> None:
    assert ask(EMPTY, zone(), "not-a-service.shop.svc.ClUsTeR.lOcAl A") == dedent("""
        NXDOMAIN
        ; authority
        ClUsTeR.lOcAl. 5 SOA ns.dns.ClUsTeR.lOcAl. hostmaster.ClUsTeR.lOcAl. 1 7200 1800 86400 5
        """)


def test_without_a_service_of_its_own_the_server_is_ns_dns() -> None:
    there = zone(addresses=OWN)
    assert ask(EMPTY, there, "cluster.local NS") == dedent("""
        NOERROR
        cluster.local. 5 NS ns.dns.cluster.local.
        ; additional
        ns.dns.cluster.local. 5 A 10.1.0.5
        ns.dns.cluster.local. 5 AAAA fd00::5
        """)
    assert ask(EMPTY, there, "ns.dns.cluster.local A") == "NOERROR\nns.dns.cluster.local. 5 A 10.1.0.5"
    assert ask(EMPTY, there, "ns.dns.cluster.local AAAA") == "NOERROR\nns.dns.cluster.local. 5 AAAA fd00::5"


def test_without_addresses_there_is_a_server_all_the_same() -> None:
    assert ask(EMPTY, zone(), "cluster.local NS") == "NOERROR\ncluster.local. 5 NS ns.dns.cluster.local."
    assert ask(EMPTY, zone(), "ns.dns.cluster.local A") == NODATA


def test_the_services_that_select_the_server_are_its_names() -> None:
    there = zone(addresses=OWN)
    assert ask(SERVED, there, "cluster.local NS") == dedent("""
        NOERROR
        cluster.local. 5 NS 10-1-0-5.headless.kube-system.svc.cluster.local.
        cluster.local. 5 NS six.headless.kube-system.svc.cluster.local.
        cluster.local. 5 NS kube-dns.kube-system.svc.cluster.local.
        ; additional
        10-1-0-5.headless.kube-system.svc.cluster.local. 5 A 10.1.0.5
        six.headless.kube-system.svc.cluster.local. 5 A 10.1.0.6
        six.headless.kube-system.svc.cluster.local. 5 AAAA fd00::6
        kube-dns.kube-system.svc.cluster.local. 5 A 10.96.0.53
        kube-dns.kube-system.svc.cluster.local. 5 AAAA fd00:96::53
        """)
    assert ask(SERVED, there, "ns.dns.cluster.local A") == dedent("""
        NOERROR
        ns.dns.cluster.local. 5 A 10.1.0.5
        ns.dns.cluster.local. 5 A 10.1.0.6
        ns.dns.cluster.local. 5 A 10.96.0.53
        """)


@pytest.mark.parametrize("name", ["cluster.local", "svc.cluster.local", "pod.cluster.local", "shop.svc.cluster.local"])
@pytest.mark.parametrize("qtype", ["A", "AAAA", "TXT", "SRV", "MX", "ANY", "DS", "DNSKEY", "PTR"])
def test_names_above_services_have_no_data(name: str, qtype: str) -> None:
    assert ask(EMPTY, zone(), f"{name} {qtype}") == NODATA


@pytest.mark.parametrize("name", ["dns.cluster.local", "ns.dns.cluster.local"])
@pytest.mark.parametrize("qtype", ["TXT", "NS", "SOA", "SRV"])
def test_the_names_of_ns_dns_have_no_other_types(name: str, qtype: str) -> None:
    assert ask(EMPTY, zone(addresses=OWN), f"{name} {qtype}") == NODATA


def test_the_schemas_version_is_text() -> None:
    assert (
        ask(EMPTY, zone(), "dns-version.cluster.local TXT") == 'NOERROR\ndns-version.cluster.local. 28800 TXT "1.1.0"'
    )
    assert ask(EMPTY, zone(), "dns-version.cluster.local A") == NODATA


@pytest.mark.parametrize(
    "name",
    [
        "foo",
        "foo.svc",
        "*.svc",
        "any.svc",
        "x.dns-version",
        "x.dns",
        "x.ns.dns",
        "hostmaster",
        "ns",
        "shop",
        "web.shop",
        "x.y.z",
        "www.example.com",
        "svc.svc",
        "pod.svc",
    ],
)
@pytest.mark.parametrize("qtype", ["A", "TXT", "SOA", "NS"])
def test_anything_else_does_not_exist(name: str, qtype: str) -> None:
    assert ask(EMPTY, zone(), f"{name}.cluster.local {qtype}") == NXDOMAIN


def test_a_denials_serial_is_the_revisions() -> None:
    index = index_of(Cluster(), revision=7)
    assert ask(index, zone(), "cluster.local A") == f"NOERROR\n; authority\n{SOA.replace(' 1 7200', ' 7 7200')}"
