"""Outer zones, as zone-file text."""

import pytest

from kdns.dns import types
from kdns.dns.names import from_text, to_text
from kdns.dns.query import Query
from kdns.zone.entry import APEX, STATIC, Kind, address_owner, namespace_owner, service_owner
from kdns.zone.listing import outer_listing
from kdns.zone.outer import Outer, answer
from tests.zone.clusters import Cluster, Service, Slice, index_of, names, packed
from tests.zone.zonefile import dedent, lines, text

HTTP, DNS, PLAIN = ("http", "tcp", 80), ("dns", "udp", 53), ("", "tcp", 81)
ENDPOINTS = (Slice((("10.1.0.1", "db-0"), ("10.1.0.2", "")), (HTTP,)),)
INDEX = index_of(
    Cluster(
        {
            ("shop", "web"): Service(
                ips=("10.0.0.1",),
                ports=(HTTP, PLAIN),
                outside=("192.0.2.1", "192.0.2.2", "2001:db8::1"),
                slices=ENDPOINTS,
            ),
            ("shop", "inner"): Service(ips=("10.0.0.2",), ports=(HTTP,), slices=ENDPOINTS),
            ("shop", "db"): Service(Kind.HEADLESS, slices=ENDPOINTS),
            ("shop", "elb"): Service(ports=(HTTP,), outside=("LB-1.example.com.", "lb-2.example.com.")),
            ("shop", "both"): Service(ports=(DNS,), outside=("lb-1.example.com.", "192.0.2.3")),
            ("shop", "bare"): Service(outside=("192.0.2.1",)),
            ("dns", "web"): Service(outside=("192.0.2.9",)),
        }
    )
)
OUTER = Outer(names("example.org"), reverse=names("in-addr.arpa"), addresses=(packed("10.9.9.9"),))
HEADLESS = Outer(names("example.org"), headless=True)
SOA = "example.org. 5 SOA ns1.dns.example.org. hostmaster.dns.example.org. 1 7200 1800 86400 5"
NODATA, NXDOMAIN = f"NOERROR\n; authority\n{SOA}", f"NXDOMAIN\n; authority\n{SOA}"


def said(question: str, outer: Outer = OUTER) -> str:
    name, qtype = question.split()
    found = answer(INDEX, outer, Query(from_text(name), getattr(types, qtype)))
    if found is None:
        return "not ours"
    return text(found.answer) + ("" if found.chase is None else f"\n; chase {to_text(found.chase)}")


def test_a_service_has_its_addresses_outside() -> None:
    assert said("Web.shop.example.org A") == dedent("""
        NOERROR
        Web.shop.example.org. 5 A 192.0.2.1
        Web.shop.example.org. 5 A 192.0.2.2
        """)
    assert said("web.shop.example.org AAAA") == "NOERROR\nweb.shop.example.org. 5 AAAA 2001:db8::1"
    assert said("bare.shop.example.org AAAA") == NODATA


def test_ports_have_srv_records() -> None:
    assert said("_http._tcp.web.shop.example.org SRV") == dedent("""
        NOERROR
        _http._tcp.web.shop.example.org. 5 SRV 0 33 80 web.shop.example.org.
        ; additional
        web.shop.example.org. 5 A 192.0.2.1
        web.shop.example.org. 5 A 192.0.2.2
        web.shop.example.org. 5 AAAA 2001:db8::1
        """)
    assert said("web.shop.example.org SRV").splitlines()[1:3] == [
        "web.shop.example.org. 5 SRV 0 16 80 web.shop.example.org.",
        "web.shop.example.org. 5 SRV 0 16 81 web.shop.example.org.",
    ]
    assert said("http.tcp.web.shop.example.org A").startswith("NOERROR\nhttp.tcp.web")
    assert said("bare.shop.example.org SRV") == NODATA


def test_a_host_name_is_a_cname_that_leads_on() -> None:
    cname = "elb.shop.example.org. 5 CNAME LB-1.example.com."
    assert said("elb.shop.example.org A") == f"NOERROR\n{cname}\n; chase LB-1.example.com."
    assert said("elb.shop.example.org CNAME") == f"NOERROR\n{cname}"
    assert said("elb.shop.example.org TXT") == NODATA


def test_srv_records_lead_to_host_names_too() -> None:
    assert said("elb.shop.example.org SRV") == dedent("""
        NOERROR
        elb.shop.example.org. 5 SRV 0 50 80 LB-1.example.com.
        elb.shop.example.org. 5 SRV 0 50 80 lb-2.example.com.
        """)
    assert said("_dns._udp.both.shop.example.org SRV") == dedent("""
        NOERROR
        _dns._udp.both.shop.example.org. 5 SRV 0 50 53 both.shop.example.org.
        _dns._udp.both.shop.example.org. 5 SRV 0 50 53 lb-1.example.com.
        ; additional
        both.shop.example.org. 5 A 192.0.2.3
        """)


def test_beside_an_address_no_host_name_is_given() -> None:
    assert said("both.shop.example.org A") == "NOERROR\nboth.shop.example.org. 5 A 192.0.2.3"
    assert said("both.shop.example.org AAAA") == NODATA
    assert said("both.shop.example.org CNAME") == NODATA


@pytest.mark.parametrize(
    "name",
    [
        *("inner.shop", "db.shop", "nope.shop", "web.nowhere", "nowhere", "x.web.shop", "db-0.db.shop", "*.shop"),
        *("_http._udp.web.shop", "_._tcp.web.shop", "a._http._tcp.web.shop", "x.dns", "web.dns", "x.ns1.dns"),
    ],
)
def test_what_is_not_outside_is_not_there(name: str) -> None:
    assert said(f"{name}.example.org A") == NXDOMAIN


@pytest.mark.parametrize("name", ["shop", "dns", "_tcp.web.shop", "udp.both.shop"])
def test_names_above_others_are_there(name: str) -> None:
    assert said(f"{name}.example.org A") == NODATA


def test_with_headless_endpoints_are_outside() -> None:
    assert said("db.shop.example.org A", HEADLESS) == dedent("""
        NOERROR
        db.shop.example.org. 5 A 10.1.0.1
        db.shop.example.org. 5 A 10.1.0.2
        """)
    assert said("_http._tcp.db.shop.example.org SRV", HEADLESS) == dedent("""
        NOERROR
        _http._tcp.db.shop.example.org. 5 SRV 0 50 80 db-0.db.shop.example.org.
        _http._tcp.db.shop.example.org. 5 SRV 0 50 80 10-1-0-2.db.shop.example.org.
        ; additional
        db-0.db.shop.example.org. 5 A 10.1.0.1
        10-1-0-2.db.shop.example.org. 5 A 10.1.0.2
        """)
    assert said("db-0.inner.shop.example.org A", HEADLESS) == "NOERROR\ndb-0.inner.shop.example.org. 5 A 10.1.0.1"
    assert said("inner.shop.example.org A", HEADLESS) == NODATA
    assert said("db-0.web.shop.example.org A", HEADLESS) == NXDOMAIN


def test_the_zone_has_soa_and_a_name_server() -> None:
    assert said("example.org SOA") == f"NOERROR\n{SOA}"
    assert said("example.org NS") == dedent("""
        NOERROR
        example.org. 5 NS ns1.dns.example.org.
        ; additional
        ns1.dns.example.org. 5 A 10.9.9.9
        """)
    assert said("ns1.dns.example.org A") == "NOERROR\nns1.dns.example.org. 5 A 10.9.9.9"
    assert said("ns1.dns.example.org AAAA") == NODATA
    assert said("example.org A") == NODATA


def test_the_name_server_is_where_the_service_in_front_of_it_is_outside() -> None:
    outer = Outer(names("example.org"), apex=b"\3sys", addresses=(packed("10.1.0.1"),), ttl=60)
    assert said("ns1.sys.example.org AAAA", outer) == "NOERROR\nns1.sys.example.org. 60 AAAA 2001:db8::1"
    assert said("web.dns.example.org A", outer) == "NOERROR\nweb.dns.example.org. 60 A 192.0.2.9"
    reached = {line.split()[-1] for line in said("ns1.sys.example.org A", outer).splitlines()[1:]}
    assert reached == {"192.0.2.1", "192.0.2.2"}


def test_addresses_outside_have_reverse_names() -> None:
    assert said("1.2.0.192.in-addr.arpa PTR") == dedent("""
        NOERROR
        1.2.0.192.in-addr.arpa. 5 PTR web.shop.example.org.
        1.2.0.192.in-addr.arpa. 5 PTR bare.shop.example.org.
        """)
    assert said("1.2.0.192.in-addr.arpa A").startswith("NOERROR\n; authority\nin-addr.arpa. 5 SOA ns1.dns.example.org.")
    assert said("1.0.0.10.in-addr.arpa PTR").startswith("NXDOMAIN")


def test_only_namespaces_that_are_shown() -> None:
    outer = Outer(names("example.org"), reverse=names("in-addr.arpa"), namespaces=frozenset((b"\5other",)))
    assert said("web.shop.example.org A", outer) == NXDOMAIN
    assert said("shop.example.org A", outer) == NXDOMAIN
    assert said("1.2.0.192.in-addr.arpa PTR", outer).startswith("NXDOMAIN")


def test_what_is_not_there_falls_through_but_for_the_name_servers() -> None:
    outer = Outer(names("example.org"), reverse=names("in-addr.arpa"), fallthrough=names("."))
    assert said("nope.shop.example.org A", outer) == "not ours"
    assert said("1.0.0.10.in-addr.arpa PTR", outer) == "not ours"
    assert said("x.dns.example.org A", outer) == NXDOMAIN
    assert said("shop.example.org A", outer) == NODATA
    assert said("www.example.com A", outer) == "not ours"


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("web.shop.example.org", service_owner("shop", "web")),
        ("nope.shop.example.org", service_owner("shop", "nope")),
        ("_http._tcp.web.shop.example.org", service_owner("shop", "web")),
        ("shop.example.org", namespace_owner("shop")),
        ("example.org", APEX),
        ("ns1.dns.example.org", APEX),
        ("x.dns.example.org", STATIC),
        ("1.2.0.192.in-addr.arpa", address_owner(packed("192.0.2.1"))),
    ],
)
def test_the_owner_of_a_name_is_that_of_the_same_thing_inside(name: str, owner: bytes) -> None:
    found = answer(INDEX, OUTER, Query(from_text(name), types.A))
    assert found is not None
    assert found.owners == (owner,)


def test_all_of_a_zone() -> None:
    cluster = Cluster(
        {
            ("shop", "web"): Service(ports=(HTTP,), outside=("192.0.2.1", "2001:db8::1")),
            ("shop", "elb"): Service(ports=(HTTP,), outside=("lb.example.com.",)),
            ("shop", "inner"): Service(ips=("10.0.0.2",)),
            ("dns", "web"): Service(outside=("192.0.2.9",)),
        }
    )
    assert (
        lines(tuple(outer_listing(index_of(cluster), OUTER, names("example.org")[0])))
        == dedent(f"""
        {SOA}
        example.org. 5 NS ns1.dns.example.org.
        ns1.dns.example.org. 5 A 10.9.9.9
        web.shop.example.org. 5 A 192.0.2.1
        web.shop.example.org. 5 AAAA 2001:db8::1
        web.shop.example.org. 5 SRV 0 50 80 web.shop.example.org.
        _http._tcp.web.shop.example.org. 5 SRV 0 50 80 web.shop.example.org.
        elb.shop.example.org. 5 CNAME lb.example.com.
        elb.shop.example.org. 5 SRV 0 100 80 lb.example.com.
        _http._tcp.elb.shop.example.org. 5 SRV 0 100 80 lb.example.com.
        """).splitlines()
    )
