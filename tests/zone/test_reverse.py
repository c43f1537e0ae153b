"""Reverse names, as zone-file text."""

import pytest

from kdns.zone.entry import Kind
from tests.zone.clusters import Cluster, Service, Slice, index_of, names, zone
from tests.zone.zonefile import ask, dedent

INDEX = index_of(
    Cluster(
        {
            ("shop", "web"): Service(
                ips=("10.96.0.10", "fd00:96::10"), slices=(Slice((("10.1.0.1", ""), ("10.1.0.2", "w"))),)
            ),
            ("shop", "db"): Service(
                Kind.HEADLESS, slices=(Slice((("10.1.0.1", "db-0"),)), Slice((("fd00::", ""), ("10:1::1", ""))))
            ),
            ("shop", "shadow"): Service(Kind.HEADLESS, slices=(Slice((("10.96.0.10", ""),)),)),
            ("shop", "ext"): Service(Kind.EXTERNAL_NAME, target="a.example.", slices=(Slice((("10.1.0.3", ""),)),)),
            ("gone", "gone"): Service(Kind.SLICES_ONLY, slices=(Slice((("10.1.0.4", "g"), ("10.1.0.4", "h"))),)),
        }
    )
)
ARPA6 = "0." * 31


def soa(origin: str) -> str:
    return f"{origin} 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"


V4_NXDOMAIN = f"NXDOMAIN\n; authority\n{soa('in-addr.arpa.')}"
V4_NODATA = f"NOERROR\n; authority\n{soa('in-addr.arpa.')}"


def said(question: str) -> str:
    return ask(INDEX, zone(), question)


def nibbles(digits: str) -> str:
    return ".".join(reversed(digits)) + ".ip6.arpa"


def test_a_cluster_ip_has_its_service_for_its_only_name() -> None:
    assert said("10.0.96.10.IN-addr.arpa PTR") == (
        "NOERROR\n10.0.96.10.IN-addr.arpa. 5 PTR web.shop.svc.cluster.local."
    )
    name = nibbles("fd000096000000000000000000000010")
    assert said(f"{name} PTR") == f"NOERROR\n{name}. 5 PTR web.shop.svc.cluster.local."


def test_an_endpoint_has_a_name_for_every_service_that_selects_it() -> None:
    assert said("1.0.1.10.in-addr.arpa PTR") == dedent("""
        NOERROR
        1.0.1.10.in-addr.arpa. 5 PTR db-0.db.shop.svc.cluster.local.
        1.0.1.10.in-addr.arpa. 5 PTR 10-1-0-1.web.shop.svc.cluster.local.
        """)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("2.0.1.10.in-addr.arpa", "w.web.shop.svc.cluster.local."),
        ("3.0.1.10.in-addr.arpa", "10-1-0-3.ext.shop.svc.cluster.local."),
        (nibbles("fd00" + "0" * 28), "fd00--0.db.shop.svc.cluster.local."),
        (nibbles("00100001" + "0" * 23 + "1").upper(), "10-1--1.db.shop.svc.cluster.local."),
    ],
)
def test_the_slices_label_decides_over_an_endpoints_name(name: str, target: str) -> None:
    assert said(f"{name} PTR") == f"NOERROR\n{name}. 5 PTR {target}"


def test_slices_of_a_service_that_isnt_there_give_names_too() -> None:
    assert said("4.0.1.10.in-addr.arpa PTR") == dedent("""
        NOERROR
        4.0.1.10.in-addr.arpa. 5 PTR g.gone.gone.svc.cluster.local.
        4.0.1.10.in-addr.arpa. 5 PTR h.gone.gone.svc.cluster.local.
        """)


@pytest.mark.parametrize("qtype", ["A", "TXT", "SRV", "ANY", "SOA", "NS", "CNAME"])
def test_other_types_at_a_reverse_name_have_no_data(qtype: str) -> None:
    assert said(f"1.0.1.10.in-addr.arpa {qtype}") == V4_NODATA


@pytest.mark.parametrize(
    "name",
    [
        "9.0.1.10",
        "256.0.0.10",
        "01.0.1.10",
        "0.1.10",
        "1.0.1.10.10",
        "x.1.0.1.10",
        "-1.0.1.10",
        "a.b.c.d",
        r"1\.0.1.10.1",
        "\u0661.0.1.10",
        "1.0.1.1_0",
        "+1.0.1.10",
        "ns.dns",
        "svc",
    ],
)
@pytest.mark.parametrize("qtype", ["PTR", "A"])
def test_names_of_no_address_do_not_exist(name: str, qtype: str) -> None:
    assert said(f"{name}.in-addr.arpa {qtype}") == V4_NXDOMAIN
    through = zone(fallthrough=names("in-addr.arpa"))
    assert ask(INDEX, through, f"{name}.in-addr.arpa {qtype}") == "not ours"


@pytest.mark.parametrize(
    "name",
    [
        ARPA6.removeprefix("0."),
        ARPA6 + "0.0.",
        ARPA6 + "g.",
        ARPA6 + "00.",
        ARPA6 + r"\032.",
        ARPA6 + "_.",
        ARPA6 + "0.",
    ],
)
def test_ipv6_names_are_32_single_hexadecimal_digits(name: str) -> None:
    assert said(f"{name}ip6.arpa PTR") == f"NXDOMAIN\n; authority\n{soa('ip6.arpa.')}"


def test_a_reverse_zone_itself_has_the_primary_zones_servers() -> None:
    assert said("in-addr.arpa SOA") == f"NOERROR\n{soa('in-addr.arpa.')}"
    assert said("in-addr.arpa A") == V4_NODATA
    assert ask(INDEX, zone(addresses=(b"\x0a\1\0\2",)), "ip6.arpa NS") == dedent("""
        NOERROR
        ip6.arpa. 5 NS web.shop.svc.cluster.local.
        ; additional
        web.shop.svc.cluster.local. 5 A 10.96.0.10
        web.shop.svc.cluster.local. 5 AAAA fd00:96::10
        """)


def test_a_narrower_zone_answers_alone_for_what_is_in_it() -> None:
    narrow = zone(reverse=names("1.10.in-addr.arpa"))
    assert ask(INDEX, narrow, "2.0.1.10.in-addr.arpa PTR").startswith("NOERROR\n2.0.1.10")
    assert ask(INDEX, narrow, "9.0.1.10.in-addr.arpa PTR") == f"NXDOMAIN\n; authority\n{soa('1.10.in-addr.arpa.')}"
    assert ask(INDEX, narrow, "10.0.96.10.in-addr.arpa PTR") == "not ours"


def test_a_reverse_name_without_data_does_not_fall_through() -> None:
    through = zone(fallthrough=names("."))
    assert ask(INDEX, through, "1.0.1.10.in-addr.arpa A") == V4_NODATA
    assert ask(INDEX, through, "in-addr.arpa TXT") == V4_NODATA
