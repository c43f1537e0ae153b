"""ExternalName Services, as zone-file text."""

import pytest

from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.zone.entry import Kind, address_owner, service_owner
from kdns.zone.schema import answer
from tests.zone.clusters import Cluster, Service, Slice, index_of, names, packed, zone
from tests.zone.test_services import NODATA, NXDOMAIN, SOA
from tests.zone.zonefile import ask, dedent


def to(target: str) -> Service:
    return Service(Kind.EXTERNAL_NAME, target=target, ports=(("http", "tcp", 80),))


INDEX = index_of(
    Cluster(
        {
            ("shop", "web"): Service(ips=("10.96.0.10",)),
            ("shop", "out"): to("www.Example.com."),
            ("shop", "in"): to("Web.shop.svc.cluster.Local."),
            ("shop", "twice"): to("in.shop.svc.cluster.local."),
            ("shop", "far"): to("out.shop.svc.cluster.local."),
            ("shop", "gone"): to("nope.shop.svc.cluster.local."),
            ("shop", "pod"): to("10-1-0-1.shop.pod.cluster.local."),
            ("shop", "self"): to("self.shop.svc.cluster.local."),
            ("shop", "ping"): to("pong.shop.svc.cluster.local."),
            ("shop", "pong"): to("ping.shop.svc.cluster.local."),
            ("shop", "below"): to("x.below.shop.svc.cluster.local."),
            ("shop", "back"): to("9.9.9.9.in-addr.arpa."),
            ("shop", "ip4"): to("10.0.0.1."),
            ("shop", "ip6"): to("fd00::1."),
            ("shop", "mapped"): to("::ffff:10.0.0.1."),
            ("shop", "digits"): to("10.0.0.256."),
            ("shop", "long"): to(f"{'l' * 58}.example."),
            ("shop", "none"): Service(Kind.EXTERNAL_NAME),
            **{("chain", f"c{i}"): to(f"c{i + 1}.chain.svc.cluster.local.") for i in range(9)},
            ("chain", "c9"): Service(ips=("10.96.0.9",)),
            ("shop", "slices"): Service(
                Kind.EXTERNAL_NAME, target="www.example.com.", slices=(Slice((("10.1.9.1", ""),)),)
            ),
        }
    )
)


def said(question: str) -> str:
    return ask(INDEX, zone(), question)


@pytest.mark.parametrize("qtype", ["A", "AAAA"])
def test_a_target_outside_is_somebody_elses_to_answer(qtype: str) -> None:
    assert said(f"out.shop.svc.cluster.local {qtype}") == dedent("""
        NOERROR
        out.shop.svc.cluster.local. 5 CNAME www.Example.com.
        ; chase www.Example.com.
        """)


def test_a_target_inside_is_answered_at_once_under_the_name_it_was_written() -> None:
    assert said("IN.shop.svc.cluster.local A") == dedent("""
        NOERROR
        IN.shop.svc.cluster.local. 5 CNAME Web.shop.svc.cluster.Local.
        Web.shop.svc.cluster.Local. 5 A 10.96.0.10
        """)


def test_a_chain_may_be_of_several_services_and_end_outside() -> None:
    assert said("far.shop.svc.cluster.local A") == dedent("""
        NOERROR
        far.shop.svc.cluster.local. 5 CNAME out.shop.svc.cluster.local.
        out.shop.svc.cluster.local. 5 CNAME www.Example.com.
        ; chase www.Example.com.
        """)


def test_every_owner_on_the_way_is_named() -> None:
    found = answer(INDEX, zone(), Query(from_text("twice.shop.svc.cluster.local"), types.A))
    assert found is not None
    assert found.owners == tuple(service_owner("shop", name) for name in ("twice", "in", "web"))


def test_a_target_inside_that_isnt_there_keeps_the_cname_and_is_nxdomain() -> None:
    assert said("gone.shop.svc.cluster.local A") == dedent(f"""
        NXDOMAIN
        gone.shop.svc.cluster.local. 5 CNAME nope.shop.svc.cluster.local.
        ; authority
        {SOA}
        """)


def test_a_target_inside_without_data_keeps_the_cname() -> None:
    assert said("pod.shop.svc.cluster.local AAAA") == dedent(f"""
        NOERROR
        pod.shop.svc.cluster.local. 5 CNAME 10-1-0-1.shop.pod.cluster.local.
        ; authority
        {SOA}
        """)


def test_cname_is_answered_unchased() -> None:
    assert said("gone.shop.svc.cluster.local CNAME") == (
        "NOERROR\ngone.shop.svc.cluster.local. 5 CNAME nope.shop.svc.cluster.local."
    )
    assert said("self.shop.svc.cluster.local CNAME") == (
        "NOERROR\nself.shop.svc.cluster.local. 5 CNAME self.shop.svc.cluster.local."
    )


@pytest.mark.parametrize("qtype", ["SRV", "TXT", "MX", "HTTPS", "SOA", "PTR", "TYPE65534"])
def test_an_alias_stands_for_every_type(qtype: str) -> None:
    assert said(f"out.shop.svc.cluster.local {qtype}") == said("out.shop.svc.cluster.local A")
    assert said(f"gone.shop.svc.cluster.local {qtype}") == said("gone.shop.svc.cluster.local A")


def test_any_has_no_data() -> None:
    assert said("out.shop.svc.cluster.local ANY") == NODATA


@pytest.mark.parametrize("below", ["x", "_tcp", "_http._tcp", "10-1-9-1"])
@pytest.mark.parametrize("service", ["out", "slices"])
def test_nothing_exists_below_an_external_name(below: str, service: str) -> None:
    assert said(f"{below}.{service}.shop.svc.cluster.local A") == NXDOMAIN


@pytest.mark.parametrize("service", ["ip4", "ip6", "mapped", "none"])
@pytest.mark.parametrize("qtype", ["A", "AAAA", "CNAME", "SRV", "TXT", "SOA"])
def test_a_target_that_is_an_address_makes_no_name(service: str, qtype: str) -> None:
    assert said(f"{service}.shop.svc.cluster.local {qtype}") == NXDOMAIN


@pytest.mark.parametrize("service", ["digits", "long"])
def test_a_target_that_only_resembles_an_address_is_a_name(service: str) -> None:
    assert said(f"{service}.shop.svc.cluster.local A").startswith(f"NOERROR\n{service}.shop.svc.cluster.local. 5 CNAME")


@pytest.mark.parametrize("name", ["self", "ping"])
@pytest.mark.parametrize("qtype", [types.A, types.AAAA])
def test_a_loop_is_servfail_with_an_extended_error(name: str, qtype: int) -> None:
    found = answer(INDEX, zone(), Query(from_text(f"{name}.shop.svc.cluster.local"), qtype))
    assert found is not None
    assert found.answer.rcode == types.SERVFAIL
    assert found.answer.error is not None
    assert found.answer.error.code == types.EDE_OTHER
    assert found.chase is None
    assert found.owners


def test_a_target_below_the_service_itself_is_no_loop() -> None:
    assert said("below.shop.svc.cluster.local A").startswith("NXDOMAIN\nbelow")


def test_eight_steps_are_followed_and_nine_are_not() -> None:
    assert said("c1.chain.svc.cluster.local A").splitlines()[-1] == "c9.chain.svc.cluster.local. 5 A 10.96.0.9"
    assert said("c0.chain.svc.cluster.local A").startswith("SERVFAIL")


def test_a_target_that_falls_through_is_somebody_elses_to_answer_until_it_exists() -> None:
    through = zone(fallthrough=names("in-addr.arpa"))
    asked = Query(from_text("back.shop.svc.cluster.local"), types.A)
    assert said("back.shop.svc.cluster.local A").startswith("NXDOMAIN\nback")
    found = answer(INDEX, through, asked)
    assert found is not None
    assert found.chase == from_text("9.9.9.9.in-addr.arpa")
    assert found.owners == (service_owner("shop", "back"), address_owner(packed("9.9.9.9")))


def test_an_unknown_service_falls_through_without_a_chase() -> None:
    assert ask(INDEX, zone(fallthrough=names("cluster.local")), "nope.shop.svc.cluster.local A") == "not ours"
