"""ClusterIP Services, as zone-file text."""

import pytest

from tests.zone.clusters import Cluster, Service, Slice, index_of, zone
from tests.zone.zonefile import ask, dedent

INDEX = index_of(
    Cluster(
        {
            ("shop", "web"): Service(
                ips=("10.96.0.10", "fd00:96::10"),
                ports=(("http", "tcp", 80), ("https", "tcp", 443)),
                slices=(
                    Slice((("10.1.0.1", ""), ("10.1.0.2", "")), (("http", "tcp", 8080),)),
                    Slice((("fd00:1::1", ""), ("2001:db8::", "")), (("http", "tcp", 8080),)),
                ),
            ),
            ("shop", "plain"): Service(ips=("10.96.0.11",), ports=(("", "tcp", 7000),)),
            ("shop", "three"): Service(ips=("10.96.0.12",), ports=(("a", "tcp", 1), ("b", "tcp", 2), ("", "udp", 3))),
            ("shop", "bare"): Service(ips=("10.96.0.13",)),
            ("kube-system", "kube-dns"): Service(
                ips=("10.96.0.53",), ports=(("dns", "udp", 53), ("dns-tcp", "tcp", 53))
            ),
        }
    )
)
SOA = "cluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"
NODATA = f"NOERROR\n; authority\n{SOA}"
NXDOMAIN = f"NXDOMAIN\n; authority\n{SOA}"


def said(question: str) -> str:
    return ask(INDEX, zone(), question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "web.shop.svc.cluster.local A",
            "NOERROR\nweb.shop.svc.cluster.local. 5 A 10.96.0.10",
        ),
        (
            "web.shop.svc.cluster.local AAAA",
            "NOERROR\nweb.shop.svc.cluster.local. 5 AAAA fd00:96::10",
        ),
        ("plain.shop.svc.cluster.local AAAA", NODATA),
        *(
            (f"web.shop.svc.cluster.local {other}", NODATA)
            for other in ("TXT", "MX", "CNAME", "SOA", "NS", "DS", "ANY")
        ),
        ("web.shop.svc.cluster.local TYPE1000", NODATA),
        *((f"nope.shop.svc.cluster.local {every}", NXDOMAIN) for every in ("A", "SRV", "TXT", "SOA", "ANY")),
    ],
)
def test_a_service_has_the_cluster_ips_of_the_family_asked_for(question: str, expected: str) -> None:
    assert said(question) == expected


def test_srv_at_a_named_port_shares_the_weight_among_the_addresses() -> None:
    assert said("_http._tcp.web.shop.svc.cluster.local SRV") == dedent("""
        NOERROR
        _http._tcp.web.shop.svc.cluster.local. 5 SRV 0 50 80 web.shop.svc.cluster.local.
        ; additional
        web.shop.svc.cluster.local. 5 A 10.96.0.10
        web.shop.svc.cluster.local. 5 AAAA fd00:96::10
        """)


def test_srv_at_the_bare_name_has_every_port_unnamed_ones_included() -> None:
    assert said("three.shop.svc.cluster.local SRV") == dedent("""
        NOERROR
        three.shop.svc.cluster.local. 5 SRV 0 33 1 three.shop.svc.cluster.local.
        three.shop.svc.cluster.local. 5 SRV 0 33 2 three.shop.svc.cluster.local.
        three.shop.svc.cluster.local. 5 SRV 0 33 3 three.shop.svc.cluster.local.
        ; additional
        three.shop.svc.cluster.local. 5 A 10.96.0.12
        """)


def test_udp_and_tcp_of_one_number_are_one_record_of_half_the_weight() -> None:
    assert said("kube-dns.kube-system.svc.cluster.local SRV") == dedent("""
        NOERROR
        kube-dns.kube-system.svc.cluster.local. 5 SRV 0 50 53 kube-dns.kube-system.svc.cluster.local.
        ; additional
        kube-dns.kube-system.svc.cluster.local. 5 A 10.96.0.53
        """)


def test_without_ports_there_is_no_srv() -> None:
    assert said("bare.shop.svc.cluster.local SRV") == NODATA


@pytest.mark.parametrize("port", ["_http._tcp", "http._tcp", "_http.tcp", "http.tcp"])
def test_underscores_may_be_left_out(port: str) -> None:
    assert said(f"{port}.web.shop.svc.cluster.local SRV").startswith("NOERROR\n" + port)


@pytest.mark.parametrize("port", ["_http._tcp", "http.tcp"])
def test_a_port_name_has_the_addresses_too(port: str) -> None:
    name = f"{port}.web.shop.svc.cluster.local"
    assert said(f"{name} A") == f"NOERROR\n{name}. 5 A 10.96.0.10"
    assert said(f"{name} TXT") == NODATA


@pytest.mark.parametrize(
    "port",
    [
        "_nope._tcp",
        "_http._udp",
        "_http._sctp",
        "_._tcp",
        "_http._",
        "__http._tcp",
        "_http.__tcp",
        "*._tcp",
        "_http.*",
        "any.any",
        "_" + "x" * 62 + "._tcp",
        "_tcp._http",
        "_http._tcp.x",
        "x._http._tcp",
        "a.b.c.d",
    ],
)
@pytest.mark.parametrize("qtype", ["SRV", "A", "TXT"])
def test_a_port_that_isnt_there_has_no_name(port: str, qtype: str) -> None:
    assert said(f"{port}.web.shop.svc.cluster.local {qtype}") == NXDOMAIN


def test_an_unnamed_port_has_no_name_of_its_own() -> None:
    assert said("_._tcp.plain.shop.svc.cluster.local SRV") == NXDOMAIN
    assert said("_tcp.plain.shop.svc.cluster.local SRV") == NXDOMAIN


@pytest.mark.parametrize("protocol", ["_tcp", "tcp"])
@pytest.mark.parametrize("qtype", ["A", "SRV", "TXT", "ANY"])
def test_a_protocol_above_a_named_port_is_an_empty_non_terminal(protocol: str, qtype: str) -> None:
    assert said(f"{protocol}.web.shop.svc.cluster.local {qtype}") == NODATA
    assert said(f"_udp.web.shop.svc.cluster.local {qtype}") == NXDOMAIN


@pytest.mark.parametrize(
    ("host", "qtype", "address"),
    [
        ("10-1-0-1", "A", "10.1.0.1"),
        ("fd00-1--1", "AAAA", "fd00:1::1"),
        ("2001-db8--0", "AAAA", "2001:db8::"),
    ],
)
def test_endpoints_have_names_below_a_cluster_ip_too(host: str, qtype: str, address: str) -> None:
    name = f"{host}.web.shop.svc.cluster.local"
    assert said(f"{name} {qtype}") == f"NOERROR\n{name}. 5 {qtype} {address}"


@pytest.mark.parametrize("label", ["*", "any", "10-1-0-3", "10-1-00-1", "2001-db8--", "fd00-1-0--1", "10-96-0-10"])
def test_other_labels_below_a_service_do_not_exist(label: str) -> None:
    assert said(f"{label}.web.shop.svc.cluster.local A") == NXDOMAIN


@pytest.mark.parametrize("below", ["x.10-1-0-1", "_http._tcp.10-1-0-1", "10-1-0-1.10-1-0-1"])
def test_nothing_exists_below_an_endpoint(below: str) -> None:
    assert said(f"{below}.web.shop.svc.cluster.local A") == NXDOMAIN
