"""What a name denotes: zones, case, falling through, owners, and the time before the first image."""

import pytest

from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.zone.entry import (
    APEX,
    STATIC,
    Kind,
    Owner,
    address_owner,
    namespace_owner,
    pod_owner,
    service_owner,
)
from kdns.zone.index import Index
from kdns.zone.schema import answer
from tests.zone.clusters import Cluster, Service, Slice, index_of, names, packed, zone
from tests.zone.test_services import NODATA, NXDOMAIN
from tests.zone.zonefile import ask, dedent

INDEX = index_of(
    Cluster(
        {
            ("shop", "web"): Service(ips=("10.96.0.10",), ports=(("http", "tcp", 80),)),
            ("shop", "db"): Service(Kind.HEADLESS, slices=(Slice((("10.1.0.1", "h"),), (("sql", "tcp", 1),)),)),
        }
    )
)


def said(question: str) -> str:
    return ask(INDEX, zone(), question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "_HtTp._TcP.wEb.sHoP.SvC.cLuStEr.LoCaL SRV",
            """
            NOERROR
            _HtTp._TcP.wEb.sHoP.SvC.cLuStEr.LoCaL. 5 SRV 0 100 80 web.shop.svc.cLuStEr.LoCaL.
            ; additional
            web.shop.svc.cLuStEr.LoCaL. 5 A 10.96.0.10
            """,
        ),
        (
            "DB.SHOP.SVC.CLUSTER.local SRV",
            """
            NOERROR
            DB.SHOP.SVC.CLUSTER.local. 5 SRV 0 100 1 h.db.shop.svc.CLUSTER.local.
            ; additional
            h.db.shop.svc.CLUSTER.local. 5 A 10.1.0.1
            """,
        ),
        ("WEB.Shop.svc.cluster.LOCAL A", "NOERROR\nWEB.Shop.svc.cluster.LOCAL. 5 A 10.96.0.10"),
        ("H.db.shop.svc.cluster.local A", "NOERROR\nH.db.shop.svc.cluster.local. 5 A 10.1.0.1"),
    ],
)
def test_the_case_asked_is_kept_in_the_name_and_in_the_zones_part(question: str, expected: str) -> None:
    assert said(question) == dedent(expected)


@pytest.mark.parametrize(
    "name",
    [
        "example.com",
        ".",
        "local",
        "xcluster.local",
        "web.shop.svc.cluster.local.example.com",
        r"x\007cluster.local",
        r"web.shop.svc\.cluster.local",
        "10.in-addr.arpa.example",
        r"1.0.1.10\.in-addr.arpa",
    ],
)
def test_names_of_other_zones_are_not_ours(name: str) -> None:
    there = zone(reverse=names("10.in-addr.arpa"))
    assert ask(INDEX, there, f"{name} A") == "not ours"
    assert ask(Index(), there, f"{name} A") == "not ours"


def test_the_zone_with_the_most_labels_answers() -> None:
    both = zone(origins=names("local", "cluster.local"))
    assert ask(INDEX, both, "web.shop.svc.cluster.local A").startswith("NOERROR\nweb")
    assert ask(INDEX, both, "web.shop.svc.local A").startswith("NOERROR\nweb")
    assert ask(INDEX, both, "cluster.local SOA").startswith("NOERROR\ncluster.local.")
    assert ask(INDEX, both, "1.0.1.10.in-addr.arpa PTR").endswith(" h.db.shop.svc.local.")


@pytest.mark.parametrize("order", [("b.z", "ab.z", "z"), ("z", "ab.z", "b.z"), ("ab.z", "z", "b.z")])
def test_the_order_of_zones_does_not_matter(order: tuple[str, ...]) -> None:
    there = zone(origins=names(*order))
    assert ask(INDEX, there, "ab.z SOA").startswith("NOERROR\nab.z. 5 SOA ns.dns.ab.z.")
    assert ask(INDEX, there, "a.b.z TXT").splitlines()[-1].startswith("b.z.")


def test_only_unknown_names_fall_through() -> None:
    through = zone(fallthrough=names("svc.cluster.local"))
    assert ask(INDEX, through, "nope.shop.svc.cluster.local A") == "not ours"
    assert ask(INDEX, through, "nope.svc.cluster.local A") == "not ours"
    assert ask(INDEX, through, "web.shop.svc.cluster.local TXT") == NODATA
    assert ask(INDEX, through, "shop.svc.cluster.local A") == NODATA
    assert ask(INDEX, through, "nope.cluster.local A") == NXDOMAIN


@pytest.mark.parametrize(
    ("question", "owners"),
    [
        ("web.shop.svc.cluster.local A", [service_owner("shop", "web")]),
        ("Nope.Shop.svc.cluster.local A", [service_owner("shop", "nope")]),
        ("x.web.shop.svc.cluster.local A", [service_owner("shop", "web")]),
        ("_http._tcp.web.shop.svc.cluster.local SRV", [service_owner("shop", "web")]),
        ("a.b.c.web.shop.svc.cluster.local A", [service_owner("shop", "web")]),
        ("SHOP.svc.cluster.local A", [namespace_owner("shop")]),
        ("nope.svc.cluster.local A", [namespace_owner("nope")]),
        ("shop.pod.cluster.local A", [namespace_owner("shop")]),
        ("1-2-3-4.shop.pod.cluster.local A", [namespace_owner("shop")]),
        ("1.0.1.10.in-addr.arpa PTR", [address_owner(packed("10.1.0.1"))]),
        ("9.9.9.9.in-addr.arpa PTR", [address_owner(packed("9.9.9.9"))]),
        ("cluster.local SOA", [APEX]),
        ("cluster.local NS", [APEX]),
        ("ns.dns.cluster.local A", [APEX]),
        ("in-addr.arpa NS", [APEX]),
        ("svc.cluster.local A", [STATIC]),
        ("www.example.com.cluster.local A", [STATIC]),
        ("dns-version.cluster.local TXT", [STATIC]),
        ("x.1-2-3-4.shop.pod.cluster.local A", [STATIC]),
    ],
)
def test_an_answer_names_all_owners_it_depends_on(question: str, owners: list[Owner]) -> None:
    name, qtype = question.split()
    found = answer(INDEX, zone(), Query(from_text(name), getattr(types, qtype)))
    assert found is not None
    assert list(found.owners) == owners


def test_a_verified_pod_depends_on_itself() -> None:
    found = answer(INDEX, zone(pods="verified"), Query(from_text("1-2-3-4.shop.pod.cluster.local"), types.A))
    assert found is not None
    assert found.owners == (pod_owner("shop", packed("1.2.3.4")),)


@pytest.mark.parametrize(
    "name",
    [
        "web.shop.svc.cluster.local",
        "cluster.local",
        "dns-version.cluster.local",
        "foo.cluster.local",
        "svc.cluster.local",
        "10-1-0-1.shop.pod.cluster.local",
        "1.0.0.10.in-addr.arpa",
        "1.0.16.172.in-addr.arpa",
        "1.0.31.172.in-addr.arpa",
        "1.0.168.192.in-addr.arpa",
        "1.0.64.100.in-addr.arpa",
        "1.0.127.100.in-addr.arpa",
        "0." * 30 + "c.f.ip6.arpa",
        "0." * 30 + "D.F.ip6.arpa",
        "in-addr.arpa",
        "x.3.2.1.in-addr.arpa",
        "4.3.2.1.in-addr.arpa",
    ],
)
@pytest.mark.parametrize("qtype", ["A", "PTR", "SOA", "TXT"])
def test_before_the_first_image_every_name_that_may_be_ours_is_servfail(name: str, qtype: str) -> None:
    there = zone(reverse=names("in-addr.arpa", "ip6.arpa", "3.2.1.in-addr.arpa"), fallthrough=names("."))
    found = answer(Index(), there, Query(from_text(name), getattr(types, qtype)))
    assert found is not None
    assert found.owners == ()
    assert found.answer.rcode == types.SERVFAIL
    assert found.answer.authority == ()
    assert found.answer.error is not None
    assert found.answer.error.code == types.EDE_NOT_READY


@pytest.mark.parametrize(
    "name",
    [
        "8.8.8.8.in-addr.arpa",
        "1.0.32.172.in-addr.arpa",
        "1.0.15.172.in-addr.arpa",
        "1.0.128.100.in-addr.arpa",
        "1.0.63.100.in-addr.arpa",
        "1.0.169.192.in-addr.arpa",
        "0." * 30 + "e.f.ip6.arpa",
        "0." * 31 + "2.ip6.arpa",
        "x.in-addr.arpa",
        "1.10.in-addr.arpa",
    ],
)
def test_before_the_first_image_other_reverse_names_go_on_if_they_may(name: str) -> None:
    assert ask(Index(), zone(fallthrough=names("in-addr.arpa", "ip6.arpa")), f"{name} PTR") == "not ours"
    assert ask(Index(), zone(), f"{name} PTR") == "SERVFAIL"
