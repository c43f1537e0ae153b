"""Headless Services and endpoints, as zone-file text."""

import pytest

from kdns.zone.entry import Kind
from tests.zone.clusters import Cluster, Service, Slice, index_of, names, zone
from tests.zone.test_services import NODATA, NXDOMAIN
from tests.zone.zonefile import ask, dedent

HTTP = (("http", "tcp", 80),)
INDEX = index_of(
    Cluster(
        {
            ("shop", "db"): Service(
                Kind.HEADLESS,
                slices=(
                    Slice((("10.1.0.1", "db-0"), ("10.1.0.2", "")), HTTP),
                    Slice((("10.1.0.2", ""), ("10.1.0.3", "db-0")), HTTP),
                    Slice((("fd00::1", "db-0"),), HTTP),
                ),
            ),
            ("shop", "six"): Service(
                Kind.HEADLESS,
                slices=(
                    Slice(
                        (
                            *(("172.0.0.1", "e1"), ("172.0.0.2", "e1"), ("172.0.0.3", "e3")),
                            *(("172.0.0.4", "e4"), ("172.0.0.5", "e5"), ("172.0.0.6", "e6")),
                        ),
                        (("c", "tcp", 8080),),
                    ),
                ),
            ),
            ("shop", "portless"): Service(Kind.HEADLESS, slices=(Slice((("10.1.2.1", ""),)),)),
            ("shop", "mixed"): Service(
                Kind.HEADLESS, slices=(Slice((("10.1.3.1", ""),)), Slice((("10.1.3.2", ""),), (("", "tcp", 90),)))
            ),
            ("shop", "empty"): Service(Kind.HEADLESS, ports=HTTP, slices=(Slice((), HTTP),)),
            ("shop", "split"): Service(
                Kind.HEADLESS,
                slices=(Slice((("10.1.4.1", "m"),), HTTP), Slice((("10.1.4.2", "m"),), (("other", "tcp", 81),))),
            ),
            ("shop", "ghost"): Service(Kind.SLICES_ONLY, slices=(Slice((("10.1.5.1", "g"),), HTTP),)),
        }
    )
)


def said(question: str) -> str:
    return ask(INDEX, zone(), question)


def test_slices_merge_and_an_address_in_two_of_them_is_one_record() -> None:
    assert said("db.shop.svc.cluster.local A") == dedent("""
        NOERROR
        db.shop.svc.cluster.local. 5 A 10.1.0.1
        db.shop.svc.cluster.local. 5 A 10.1.0.2
        db.shop.svc.cluster.local. 5 A 10.1.0.3
        """)
    assert said("db.shop.svc.cluster.local AAAA") == "NOERROR\ndb.shop.svc.cluster.local. 5 AAAA fd00::1"


@pytest.mark.parametrize("qtype", ["TXT", "MX", "CNAME", "ANY", "PTR"])
def test_other_types_have_no_data(qtype: str) -> None:
    assert said(f"db.shop.svc.cluster.local {qtype}") == NODATA
    assert said(f"db-0.db.shop.svc.cluster.local {qtype}") == NODATA
    assert said(f"_http._tcp.db.shop.svc.cluster.local {qtype}") == NODATA


def test_addresses_of_one_hostname_answer_together_over_slices_and_families() -> None:
    assert said("db-0.db.shop.svc.cluster.local A") == dedent("""
        NOERROR
        db-0.db.shop.svc.cluster.local. 5 A 10.1.0.1
        db-0.db.shop.svc.cluster.local. 5 A 10.1.0.3
        """)
    assert said("db-0.db.shop.svc.cluster.local AAAA") == "NOERROR\ndb-0.db.shop.svc.cluster.local. 5 AAAA fd00::1"


def test_an_endpoint_with_a_hostname_has_no_dashed_name() -> None:
    assert said("10-1-0-1.db.shop.svc.cluster.local A") == NXDOMAIN
    assert said("10-1-0-2.db.shop.svc.cluster.local A") == "NOERROR\n10-1-0-2.db.shop.svc.cluster.local. 5 A 10.1.0.2"


@pytest.mark.parametrize("name", ["empty", "db-0.empty", "_http._tcp.empty", "_tcp.empty", "10-1-0-1.empty"])
@pytest.mark.parametrize("qtype", ["A", "AAAA", "SRV", "TXT"])
def test_headless_without_ready_endpoints_is_nxdomain(name: str, qtype: str) -> None:
    assert said(f"{name}.shop.svc.cluster.local {qtype}") == NXDOMAIN


@pytest.mark.parametrize("name", ["ghost", "g.ghost", "_http._tcp.ghost", "_tcp.ghost"])
def test_slices_of_a_service_that_isnt_there_have_no_names(name: str) -> None:
    assert said(f"{name}.shop.svc.cluster.local A") == NXDOMAIN


def test_five_names_of_six_addresses_weigh_16_each() -> None:
    assert said("_c._tcp.six.shop.svc.cluster.local SRV") == dedent("""
        NOERROR
        _c._tcp.six.shop.svc.cluster.local. 5 SRV 0 16 8080 e1.six.shop.svc.cluster.local.
        _c._tcp.six.shop.svc.cluster.local. 5 SRV 0 16 8080 e3.six.shop.svc.cluster.local.
        _c._tcp.six.shop.svc.cluster.local. 5 SRV 0 16 8080 e4.six.shop.svc.cluster.local.
        _c._tcp.six.shop.svc.cluster.local. 5 SRV 0 16 8080 e5.six.shop.svc.cluster.local.
        _c._tcp.six.shop.svc.cluster.local. 5 SRV 0 16 8080 e6.six.shop.svc.cluster.local.
        ; additional
        e1.six.shop.svc.cluster.local. 5 A 172.0.0.1
        e1.six.shop.svc.cluster.local. 5 A 172.0.0.2
        e3.six.shop.svc.cluster.local. 5 A 172.0.0.3
        e4.six.shop.svc.cluster.local. 5 A 172.0.0.4
        e5.six.shop.svc.cluster.local. 5 A 172.0.0.5
        e6.six.shop.svc.cluster.local. 5 A 172.0.0.6
        """)


def test_a_portless_service_has_addresses_but_no_srv() -> None:
    assert said("portless.shop.svc.cluster.local A") == "NOERROR\nportless.shop.svc.cluster.local. 5 A 10.1.2.1"
    assert said("portless.shop.svc.cluster.local SRV") == NODATA
    assert said("10-1-2-1.portless.shop.svc.cluster.local SRV") == NODATA


def test_srv_at_the_bare_name_has_unnamed_ports_and_counts_portless_addresses() -> None:
    assert said("mixed.shop.svc.cluster.local SRV") == dedent("""
        NOERROR
        mixed.shop.svc.cluster.local. 5 SRV 0 50 90 10-1-3-2.mixed.shop.svc.cluster.local.
        ; additional
        10-1-3-2.mixed.shop.svc.cluster.local. 5 A 10.1.3.2
        """)


def test_srv_at_an_endpoint_has_its_ports() -> None:
    assert said("10-1-0-2.db.shop.svc.cluster.local SRV") == dedent("""
        NOERROR
        10-1-0-2.db.shop.svc.cluster.local. 5 SRV 0 50 80 10-1-0-2.db.shop.svc.cluster.local.
        ; additional
        10-1-0-2.db.shop.svc.cluster.local. 5 A 10.1.0.2
        """)


def test_additional_holds_all_addresses_of_a_target_also_those_without_the_port() -> None:
    assert said("_http._tcp.split.shop.svc.cluster.local SRV") == dedent("""
        NOERROR
        _http._tcp.split.shop.svc.cluster.local. 5 SRV 0 100 80 m.split.shop.svc.cluster.local.
        ; additional
        m.split.shop.svc.cluster.local. 5 A 10.1.4.1
        m.split.shop.svc.cluster.local. 5 A 10.1.4.2
        """)


def test_a_port_name_has_the_addresses_that_have_the_port() -> None:
    assert said("_http._tcp.split.shop.svc.cluster.local A") == (
        "NOERROR\n_http._tcp.split.shop.svc.cluster.local. 5 A 10.1.4.1"
    )


@pytest.mark.parametrize("name", ["_tcp.db", "tcp.split"])
def test_a_protocol_above_a_named_port_is_an_empty_non_terminal(name: str) -> None:
    assert said(f"{name}.shop.svc.cluster.local A") == NODATA
    assert said("_tcp.mixed.shop.svc.cluster.local A") == NXDOMAIN


def test_five_thousand_endpoints_answer_with_all_addresses_and_srv_without_glue() -> None:
    parts = tuple(Slice(tuple((f"10.2.{i}.{j}", "") for j in range(100)), HTTP) for i in range(50))
    index = index_of(Cluster({("shop", "big"): Service(Kind.HEADLESS, slices=parts)}))
    addresses = ask(index, zone(), "big.shop.svc.cluster.local A").splitlines()
    srv = ask(index, zone(), "big.shop.svc.cluster.local SRV").splitlines()
    assert (len(addresses), len(set(addresses))) == (5001, 5001)
    assert srv[1] == "big.shop.svc.cluster.local. 5 SRV 0 1 80 10-2-0-0.big.shop.svc.cluster.local."
    assert (len(srv), len(set(srv))) == (5001, 5001)


def test_a_target_past_the_limit_of_names_is_left_out() -> None:
    origin = ".".join(["z" * 63, "y" * 61])  # leaves 3 octets for a label, length included
    endpoints = (("10.1.0.1", "long"), ("10.1.0.2", "ok"))
    index = index_of(Cluster({("n" * 60, "s" * 59): Service(Kind.HEADLESS, slices=(Slice(endpoints, HTTP),))}))
    there = zone(origins=names(origin))
    below = f"{'s' * 59}.{'n' * 60}.svc.{origin}."
    assert ask(index, there, f"{below} SRV") == dedent(f"""
        NOERROR
        {below} 5 SRV 0 100 80 ok.{below}
        ; additional
        ok.{below} 5 A 10.1.0.2
        """)
    assert ask(index, there, "2.0.1.10.in-addr.arpa PTR") == f"NOERROR\n2.0.1.10.in-addr.arpa. 5 PTR ok.{below}"
    assert ask(index, there, "1.0.1.10.in-addr.arpa PTR").startswith("NXDOMAIN")


@pytest.mark.parametrize(
    "label", [r"\000", r"\255", r"a\.b", r"\"\\\010\027", r"db\.shop", "\uff44\uff42", "\u212a", "*", "any"]
)
@pytest.mark.parametrize("place", ["{}.db.shop.svc", "{}.shop.svc", "{}.svc", "{}.shop.pod", "{}.pod", "{}"])
def test_a_label_may_hold_any_octets_and_is_taken_literally(label: str, place: str) -> None:
    assert said(f"{place.format(label)}.cluster.local A") == NXDOMAIN
