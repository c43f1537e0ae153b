"""family: what is said of addresses that clients can't use, and that nobody asks upstreams for them."""

from types import SimpleNamespace
from typing import cast

import pytest

from kdns.config.directives.searchpath import Family
from kdns.config.directives.searchpath import Searchpath as Settings
from kdns.dns import foreign, types
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Failed, Outcome, Relayed, compose
from kdns.steps.family import OneFamily, made
from kdns.steps.kubernetes import Kubernetes
from kdns.steps.searchpath import Searchpath
from tests.steps.searching import Outside, asked, cname_of, never, read, told
from tests.zone.clusters import Cluster, Service, index_of, names, zone

KNOWN = {"www.example.com.": "192.0.2.7"}


def ask(name: str, qtype: int, outside: Outside | None = None) -> Outcome | None:
    return compose([OneFamily(types.AAAA, types.A), outside or Outside(KNOWN, until=9.0)])(asked(name, qtype), never)


def test_a_name_that_exists_has_no_data_of_the_other_family() -> None:
    outside = Outside(KNOWN, until=9.0)
    outcome = ask("www.example.com.", types.AAAA, outside)
    assert isinstance(outcome, Relayed)
    assert told(outcome) == (types.NOERROR, frozenset())
    assert [each.rtype for each in read(outcome.octets).authority] == [types.SOA]
    assert (outcome.until, outcome.error and outcome.error.code) == (9.0, 17)
    assert outside.asked == ["www.example.com. A"]


def test_a_name_that_does_not_exist_is_denied_for_both() -> None:
    outcome = ask("nope.example.com.", types.AAAA)
    assert isinstance(outcome, Relayed)
    assert told(outcome).rcode == types.NXDOMAIN
    foreign.check(asked("nope.example.com.", types.AAAA).query, outcome.octets)


@pytest.mark.parametrize("qtype", [types.A, types.HTTPS, types.TXT])
def test_other_types_are_asked_for_as_ever(qtype: int) -> None:
    outside = Outside(KNOWN)
    ask("www.example.com.", qtype, outside)
    assert outside.asked == [f"www.example.com. {types.type_text(qtype)}"]


def test_a_failure_stays_one() -> None:
    assert isinstance(ask("a.example.", types.AAAA, Outside({}, failing=frozenset({"a.example."}))), Failed)


def test_names_of_the_cluster_have_both_families_and_completed_names_agree() -> None:
    cluster = Cluster({("shop", "six"): Service(ips=("fd00::9",))})
    index = index_of(cluster)
    search = Searchpath(index, names("cluster.local."), names("corp.example."), names("."), Settings(), 5)
    outside = Outside(KNOWN)
    chain = compose([search, Kubernetes(index, zone()), OneFamily(types.AAAA, types.A), outside])
    outcome = chain(asked("six.shop.svc.cluster.local.", types.AAAA), never)
    assert isinstance(outcome, Answered)
    assert outcome.answer.answers
    for qtype in (types.A, types.AAAA):
        outcome = chain(asked("www.example.com.shop.svc.cluster.local.", qtype), never)
        assert cname_of(outcome) == "www.example.com."
    assert {each.rpartition(" ")[2] for each in outside.asked} == {"A"}


@pytest.mark.parametrize(
    ("family", "addresses", "other"),
    [
        ("ipv4", (), types.AAAA),
        ("ipv6", (bytes(4),), types.A),
        ("auto", (bytes(4), bytes(4)), types.AAAA),
        ("auto", (bytes(16),), types.A),
        ("auto", (bytes(4), bytes(16)), None),
        ("auto", (), None),
        (None, (bytes(4),), None),
    ],
)
def test_the_family_is_said_or_that_of_the_server(
    family: Family | None, addresses: tuple[bytes, ...], other: int | None
) -> None:
    step = made(Settings(family=family), cast("Around", SimpleNamespace(addresses=addresses)))
    assert (step and step._other) == other
