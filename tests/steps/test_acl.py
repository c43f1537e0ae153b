"""acl: whose questions are answered. Verdicts are CoreDNS' of the same file, question and client."""

from ipaddress import ip_network

import pytest

from kdns.config.directives.acl import Acl, Action, Policy
from kdns.config.domains import EVERY_TYPE
from kdns.config.endpoints import EVERY_NETWORK
from kdns.dns import types
from kdns.dns.names import ROOT, from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.steps.acl import AccessControl
from kdns.steps.chain import DROPPED, Answered, Outcome, Peer, Request


def policy(action: Action, qtypes: tuple[int, ...] = (EVERY_TYPE,), *networks: str) -> Policy:
    return Policy(action, qtypes, tuple(map(ip_network, networks)) or EVERY_NETWORK)


ONLY_TEN = Acl(zones=(ROOT,), policies=(policy("allow", (EVERY_TYPE,), "10.0.0.0/8", "fd00::/8"), policy("block")))
NO_A = Acl(zones=(ROOT,), policies=(policy("filter", (types.A,)),))
INNER = Acl(zones=(from_text("a.test"),), policies=(policy("drop", (EVERY_TYPE,), "192.0.2.1"),))
NONE = Acl(zones=(ROOT,))
VERDICTS: list[tuple[tuple[Acl, ...], str, str, int, str]] = [
    ((ONLY_TEN,), "10.1.2.3", "x.test", types.A, "allow"),
    ((ONLY_TEN,), "fd00::1", "x.test", types.A, "allow"),
    ((ONLY_TEN,), "11.1.2.3", "x.test", types.A, "block"),
    ((ONLY_TEN,), "2001:db8::1", "x.test", types.A, "block"),
    ((ONLY_TEN,), "::ffff:10.1.2.3", "x.test", types.A, "allow"),
    ((ONLY_TEN,), "fe80::1%eth0", "x.test", types.A, "block"),
    ((NO_A,), "10.1.2.3", "x.test", types.A, "filter"),
    ((NO_A,), "10.1.2.3", "x.test", types.AAAA, "allow"),
    ((INNER,), "192.0.2.1", "www.a.test", types.A, "drop"),
    ((INNER,), "192.0.2.1", "aa.test", types.A, "allow"),
    ((INNER,), "192.0.2.2", "www.a.test", types.A, "allow"),
    ((ONLY_TEN, NO_A), "10.1.2.3", "x.test", types.A, "allow"),
    ((NO_A, ONLY_TEN), "10.1.2.3", "x.test", types.A, "filter"),
    ((NO_A, ONLY_TEN), "11.1.2.3", "x.test", types.AAAA, "block"),
    ((INNER, ONLY_TEN), "192.0.2.1", "www.a.test", types.A, "drop"),
    ((NONE,), "192.0.2.1", "x.test", types.A, "allow"),
]


@pytest.mark.parametrize(("settings", "host", "name", "qtype", "action"), VERDICTS)
def test_the_first_policy_that_fits_decides(
    settings: tuple[Acl, ...], host: str, name: str, qtype: int, action: str
) -> None:
    assert AccessControl(settings).verdict(host, qtype, from_text(name))[0] == action


BEHIND = Answered(Answer(), by="behind")


def asked(acl: AccessControl, host: str, name: str, qtype: int = types.A) -> Outcome | None:
    request = Request(Query(from_text(name), qtype), Peer(host, 1), "udp")
    return acl.ask(request, lambda _request, _done: BEHIND, lambda _outcome: None)


def test_what_is_allowed_goes_on() -> None:
    acl = AccessControl((ONLY_TEN, INNER))
    assert asked(acl, "10.0.0.1", "x.test") is BEHIND
    assert not acl.counted


def test_what_is_blocked_is_refused_and_what_is_filtered_is_empty_with_the_reason() -> None:
    blocked, filtered = (
        asked(AccessControl((ONLY_TEN,)), "11.0.0.1", "x.test"),
        asked(AccessControl((NO_A,)), "11.0.0.1", "x.test"),
    )
    assert isinstance(blocked, Answered)
    assert isinstance(filtered, Answered)
    assert (blocked.answer.rcode, blocked.answer.error, blocked.by) == (types.REFUSED, (15, ""), "acl")
    assert (filtered.answer.rcode, filtered.answer.error, filtered.by) == (types.NOERROR, (17, ""), "acl")
    assert not blocked.answer.answers + filtered.answer.answers
    assert blocked.owners == filtered.owners == ()


def test_what_is_dropped_is_met_with_silence() -> None:
    assert asked(AccessControl((INNER,)), "192.0.2.1", "A.test") is DROPPED


def test_refusals_are_counted_by_the_zone_that_says_so() -> None:
    acl = AccessControl((INNER, ONLY_TEN))
    for host, name in (
        ("192.0.2.1", "a.test"),
        ("192.0.2.1", "b.test"),
        ("192.0.2.2", "a.test"),
        ("10.0.0.1", "b.test"),
    ):
        asked(acl, host, name)
    assert acl.counted == {
        ("coredns_acl_dropped_requests_total", "a.test."): 1,
        ("coredns_acl_blocked_requests_total", "."): 2,
    }


def test_kinds_are_of_policies_and_not_of_addresses() -> None:
    acl = AccessControl((ONLY_TEN, INNER))
    assert acl.kind("10.0.0.1") == acl.kind("10.9.9.9") == acl.kind("fd00::2") == (True, True, False)
    assert acl.kind("192.0.2.1") == (False, True, True)


def test_counts_have_the_names_and_labels_of_coredns() -> None:
    acl = AccessControl((INNER, ONLY_TEN))
    for host in ("192.0.2.1", "10.0.0.1", "10.0.0.2"):
        asked(acl, host, "a.test")
    assert acl.counts_at("dns://:53", ".", "inner") == {
        ("coredns_acl_dropped_requests_total", ("dns://:53", "a.test.", "inner")): 1,
    }
