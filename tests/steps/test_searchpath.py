"""searchpath: one answer is what a client would find that goes through its list, over the same state of the cluster."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.config.directives.searchpath import Searchpath as Settings
from kdns.dns import types
from kdns.dns.names import ROOT, from_text
from kdns.steps.chain import Answered, Failed, Outcome, Relayed, Rest, Step, compose
from kdns.steps.kubernetes import Kubernetes
from kdns.steps.searchpath import NAME, Searchpath
from kdns.zone.alike import Elsewhere, Uncompleted
from kdns.zone.entry import Kind, namespace_owner, service_owner
from kdns.zone.index import Index
from tests.steps.searching import Outside, Told, asked, clusters, cname_of, never, told, walked
from tests.zone.clusters import Cluster, Service, index_of, names, zone

OWN = "corp.example."
BASES = (
    *("web.b.", "web.b.svc.", "www.example.com.", "web.b.svc.cluster.local.", "x.y.", "h0.db.a.", "web.com."),
    *(
        "x.web.",
        "h0.db.",
        "_http._tcp.web.b.",
        "_http._tcp.www.example.com.",
        "a.svc.",
        "b.cluster.local.",
        "10-0-0-1.a.pod.",
        "db.",
        "x.",
    ),
    "web.a.",
)
OUTSIDE = (
    "www.example.com.",
    "x.y.",
    "x.y.corp.example.",
    "web.b.corp.example.",
    "web.b.",
    "web.com.",
    "db.",
    "a.svc.",
)
SPACES = ("a", "b", "empty", "nowhere")


def completing(index: Index, outside: Step, said: Settings | None = None, **changes: Any) -> Rest:
    step = Searchpath(index, names("cluster.local."), names(OWN), (ROOT,), said or Settings(), 5)
    return compose([step, Kubernetes(index, zone(**changes)), outside])


def plain(index: Index, outside: Step) -> Rest:
    return compose([Kubernetes(index, zone()), outside])


def listed(namespace: str) -> tuple[str, ...]:
    return (f"{namespace}.svc.cluster.local.", "svc.cluster.local.", "cluster.local.", OWN, "")


def is_completed(cluster: Cluster, base: str, namespace: str) -> bool:
    """Whether it is, by what the documents say."""
    labels = base.rstrip(".").split(".")
    service = cluster.services.get((namespace, labels[-1]))
    unowned = service is None or service.kind == Kind.SLICES_ONLY
    return len(labels) > 1 and namespace in cluster.every_namespace and unowned


@settings(max_examples=300)
@given(
    clusters,
    st.sampled_from(BASES),
    st.sampled_from(SPACES),
    st.sets(st.sampled_from(OUTSIDE)),
    st.sets(st.sampled_from(OUTSIDE), max_size=1),
)
def test_one_answer_is_what_a_client_finds_that_goes_through_its_list(
    cluster: Cluster, base: str, namespace: str, known: set[str], failing: set[str]
) -> None:
    index = index_of(cluster)
    outside = Outside(dict.fromkeys(known, "192.0.2.1"), failing=frozenset(failing))
    for qtype in (types.A, types.AAAA, types.SRV, types.HTTPS):
        expected = walked(plain(index, outside), base, listed(namespace), qtype)
        assert walked(completing(index, outside), base, listed(namespace), qtype) == expected
        if is_completed(cluster, base, namespace):
            first = asked(f"{base}{namespace}.svc.cluster.local.", qtype)
            assert told(completing(index, outside)(first, never)) == expected


@given(clusters, st.sampled_from(BASES), st.sampled_from(SPACES), st.sets(st.sampled_from(OUTSIDE)))
def test_all_types_of_a_name_are_completed_to_the_same_name(
    cluster: Cluster, base: str, namespace: str, known: set[str]
) -> None:
    chain = completing(index_of(cluster), Outside(dict.fromkeys(known, "192.0.2.1")))
    if is_completed(cluster, base, namespace):
        outcomes = [chain(asked(f"{base}{namespace}.svc.cluster.local.", qtype), never) for qtype in (1, 28, 65, 33)]
        found = {None if isinstance(each, Failed) else cname_of(each) for each in outcomes}
        assert len(found) == 1


@given(clusters, st.sampled_from(BASES), st.sampled_from(SPACES), st.sets(st.sampled_from(OUTSIDE)))
def test_who_waits_for_upstreams_is_told_the_same(cluster: Cluster, base: str, namespace: str, known: set[str]) -> None:
    index, addresses = index_of(cluster), dict.fromkeys(known, "192.0.2.1")
    question = asked(f"{base}{namespace}.svc.cluster.local.", types.A)
    at_once = completing(index, Outside(addresses))(question, never)
    slow, got = Outside(addresses, wait=True), list[Outcome]()
    assert slow.waiting is not None
    outcome = completing(index, slow)(question, got.append)
    while slow.waiting:
        assert outcome is None
        slow.waiting.pop()()
    assert told(outcome or got[0]) == told(at_once)
    assert len(got) == (outcome is None)


# The table

CLUSTER = Cluster(
    {
        ("shop", "web"): Service(ips=("10.96.0.1",)),
        ("shop", "gone"): Service(Kind.SLICES_ONLY),
        ("edge", "web"): Service(ips=("10.96.0.2",)),
    },
    frozenset({"empty"}),
)
KNOWN = {"www.example.com.": "192.0.2.7", "here.x.corp.example.": "192.0.2.8"}


def ask(name: str, qtype: int = types.A, said: Settings | None = None, until: float = 9.0) -> Outcome | None:
    return completing(index_of(CLUSTER), Outside(KNOWN, until=until), said)(asked(name, qtype), never)


@pytest.mark.parametrize(
    ("name", "leads_to"),
    [
        ("www.example.com.shop.svc.cluster.local.", "www.example.com."),
        ("www.example.com.empty.svc.cluster.local.", "www.example.com."),
        ("web.edge.shop.svc.cluster.local.", "web.edge.svc.cluster.local."),
        ("web.edge.svc.shop.svc.cluster.local.", "web.edge.svc.cluster.local."),
        ("here.x.shop.svc.cluster.local.", "here.x.corp.example."),
        ("WEB.Edge.shop.svc.cluster.LOCAL.", "WEB.Edge.svc.cluster.LOCAL."),
        ("web.edge.gone.svc.cluster.local.", None),  # there is no such namespace
        ("web.shop.svc.cluster.local.", None),
        ("x.gone.shop.svc.cluster.local.", None),
    ],
)
def test_a_name_leads_to_the_first_that_exists(name: str, leads_to: str | None) -> None:
    assert cname_of(ask(name)) == leads_to


@pytest.mark.parametrize(
    "name",
    [
        "x.web.shop.svc.cluster.local.",  # what is below a Service is its own
        "www.shop.svc.cluster.local.",
        "www.example.com.nowhere.svc.cluster.local.",
        "www.example.com.pod.cluster.local.",
    ],
)
def test_what_may_be_the_cluster_s_or_has_one_label_is_left_as_it_is(name: str) -> None:
    outside = Outside(KNOWN)
    outcome = completing(index_of(CLUSTER), outside)(asked(name, types.A), never)
    assert isinstance(outcome, Answered)
    assert (outcome.answer.rcode, outcome.by) == (types.NXDOMAIN, "kubernetes")
    assert not outside.asked


def test_what_nobody_knows_is_denied_once_for_as_long_as_all_denials_last() -> None:
    outcome = ask("no.where.shop.svc.cluster.local.")
    assert isinstance(outcome, Answered)
    assert (outcome.answer.rcode, outcome.until, outcome.alike) == (types.NXDOMAIN, 9.0, None)
    (soa,) = outcome.answer.authority
    assert (soa.name, soa.ttl) == (from_text("cluster.local."), 5)
    assert {service_owner("shop", "where"), namespace_owner("shop"), service_owner("where", "no")} <= set(
        outcome.owners
    )


def test_an_answer_of_upstreams_depends_on_the_second_and_on_every_owner_on_the_way() -> None:
    outcome = ask("www.example.com.shop.svc.cluster.local.")
    assert isinstance(outcome, Relayed)
    assert (outcome.until, outcome.by) == (9.0, NAME)
    expected = {service_owner("shop", "com"), namespace_owner("shop"), service_owner("com", "example")}
    assert expected <= set(outcome.owners)


def test_an_answer_of_the_cluster_depends_on_owners_alone() -> None:
    outcome = ask("web.edge.shop.svc.cluster.local.")
    assert isinstance(outcome, Answered)
    assert outcome.until is None
    assert {service_owner("shop", "edge"), namespace_owner("shop"), service_owner("edge", "web")} == set(outcome.owners)


def test_nothing_is_remembered_where_upstreams_say_nothing_of_the_time() -> None:
    outcome = ask("www.example.com.shop.svc.cluster.local.", until=0.0)
    assert isinstance(outcome, Relayed)
    assert outcome.until == 0.0
    denied = ask("no.where.shop.svc.cluster.local.", until=0.0)
    assert isinstance(denied, Answered)
    assert denied.owners == ()


def test_a_service_that_comes_wins_at_once() -> None:
    name = "www.example.com.shop.svc.cluster.local."
    services = CLUSTER.services | {("shop", "com"): Service(ips=("10.96.0.9",))}
    outcome = completing(index_of(Cluster(services)), Outside(KNOWN))(asked(name, types.A), never)
    assert told(outcome) == Told(types.NXDOMAIN, frozenset())


def test_before_the_cluster_is_read_nothing_is_completed() -> None:
    outcome = completing(Index(), Outside(KNOWN))(asked("www.example.com.shop.svc.cluster.local.", types.A), never)
    assert told(outcome).rcode == types.SERVFAIL


def test_a_question_for_cname_gets_the_one_that_leads_on() -> None:
    outcome = ask("www.example.com.shop.svc.cluster.local.", types.CNAME)
    assert cname_of(outcome) == "www.example.com."
    assert isinstance(outcome, Answered)
    assert not outcome.answer.authoritative  # upstreams say what is there
    outcome = ask("web.edge.shop.svc.cluster.local.", types.CNAME)
    assert isinstance(outcome, Answered)
    assert outcome.answer.authoritative


def test_a_denial_holds_for_no_name_that_is_completed() -> None:
    outcome = ask("x.web.shop.svc.cluster.local.")
    assert isinstance(outcome, Answered)
    assert outcome.alike is None
    outcome = ask("nope.shop.svc.cluster.local.")
    assert isinstance(outcome, Answered)
    assert isinstance(outcome.alike, Uncompleted)
    holds = outcome.alike.holds
    assert holds(b"\3nix\4shop", below=False)
    assert not holds(b"\3web\4shop", below=False)
    assert not holds(b"\3com\4shop", below=True)
    assert holds(b"\3com\7nowhere", below=True)
    assert not holds(b"\4shop", below=False)
    elsewhere = ask("www.example.com.cluster.local.")
    assert isinstance(elsewhere, Answered)
    assert isinstance(elsewhere.alike, Elsewhere)


def test_what_a_server_block_is_not_for_is_not_asked_for() -> None:
    index, outside = index_of(CLUSTER), Outside(KNOWN)
    step = Searchpath(index, names("cluster.local."), (), names("cluster.local."), Settings(), 5)
    chain = compose([step, Kubernetes(index, zone()), outside])
    outcome = chain(asked("www.example.com.shop.svc.cluster.local.", types.A), never)
    assert told(outcome).rcode == types.NXDOMAIN
    assert not outside.asked
    assert cname_of(chain(asked("web.edge.shop.svc.cluster.local.", types.A), never)) == "web.edge.svc.cluster.local."


def test_a_failure_on_the_way_is_the_answer() -> None:
    chain = completing(index_of(CLUSTER), Outside(KNOWN, failing=frozenset({"www.example.com.corp.example."})))
    outcome = chain(asked("www.example.com.shop.svc.cluster.local.", types.A), never)
    assert isinstance(outcome, Failed)
    assert outcome.rcode == types.SERVFAIL


@pytest.mark.parametrize(
    ("name", "leads_to"),
    [
        ("web.", "web.shop.svc.cluster.local."),
        ("web.edge.", "web.edge.svc.cluster.local."),
        ("web.edge.svc.", "web.edge.svc.cluster.local."),
        ("x.web.shop.svc.", None),
        ("www.example.com.", None),
        ("nope.", None),
    ],
)
def test_short_names_are_completed_as_in_a_pod_of_the_namespace(name: str, leads_to: str | None) -> None:
    outcome = ask(name, said=Settings(short=("empty", "shop")))
    assert cname_of(outcome) == leads_to
    assert told(ask(name)).rcode == (types.NOERROR if name in KNOWN else types.NXDOMAIN)  # off without it


@given(
    clusters,
    st.sampled_from(("web.b.", "www.example.com.", "db.", "x.y.", "h0.db.a.", "a.svc.", "_http._tcp.web.b.")),
    st.integers(min_value=0, max_value=5),
    st.sets(st.sampled_from(OUTSIDE)),
    st.sampled_from((types.A, types.AAAA, types.SRV)),
)
def test_by_a_list_a_name_is_answered_as_a_client_with_this_list_finds_it(
    cluster: Cluster, base: str, ndots: int, known: set[str], qtype: int
) -> None:
    index, outside = index_of(cluster), Outside(dict.fromkeys(known, "192.0.2.1"))
    domains = ("a.svc.cluster.local.", OWN)
    order = (*domains, "") if base.count(".") - 1 < ndots else ("", *domains)
    said = Settings(list=names(*domains), ndots=ndots, no_completion=True)
    expected = walked(plain(index, outside), base, order, qtype)
    assert told(completing(index, outside, said)(asked(base, qtype), never)) == expected


def test_by_a_list_names_of_the_cluster_and_of_addresses_are_left_as_they_are() -> None:
    said = Settings(list=names("edge.svc.cluster.local.", OWN))
    assert cname_of(ask("web.", said=said)) == "web.edge.svc.cluster.local."
    assert cname_of(ask("web.shop.svc.cluster.local.", said=said)) is None
    outside = Outside(KNOWN)
    completing(index_of(CLUSTER), outside, said)(asked("1.2.0.192.in-addr.arpa.", types.PTR), never)
    assert not outside.asked


def test_without_completion_only_short_names_are_completed() -> None:
    said = Settings(short=("shop",), no_completion=True)
    assert told(ask("www.example.com.shop.svc.cluster.local.", said=said)).rcode == types.NXDOMAIN
    assert cname_of(ask("web.", said=said)) == "web.shop.svc.cluster.local."


def test_short_names_are_left_alone_where_no_zone_of_the_cluster_is_meant() -> None:
    index = index_of(CLUSTER)
    step = Searchpath(index, (), (), (ROOT,), Settings(short=("shop",)), 5)
    chain = compose([step, Kubernetes(index, zone()), Outside(KNOWN)])
    assert told(chain(asked("web.", types.A), never)).rcode == types.NXDOMAIN


def test_what_it_costs_is_counted_by_namespace_and_bounded() -> None:
    spaces = [f"n{number}" for number in range(200)]
    index = index_of(Cluster(namespaces=frozenset(spaces)))
    step = Searchpath(index, names("cluster.local."), names(OWN), (ROOT,), Settings(), 5)
    chain = compose([step, Kubernetes(index, zone()), Outside(KNOWN)])
    for space in spaces:
        for base in ("www.example.com", "no.where"):
            chain(asked(f"{base}.{space}.svc.cluster.local.", types.A), never)
    counted = step.counts_at("dns://:53", ".", "")
    assert counted["kdns_searchpath_questions_total", ("n0", "completed")] == 1
    assert counted["kdns_searchpath_questions_total", ("n0", "denied")] == 1
    assert counted["kdns_searchpath_asked_total", ("n0",)] == 10
    assert counted["kdns_searchpath_questions_total", ("other", "completed")] == 200 - 64
    assert len(counted) == 65 * 3
