"""autopath: whose list is gone through, what is answered then, and what nobody else may be given."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from kdns.config.directives.autopath import Autopath as Settings
from kdns.config.directives.autopath import SearchPath
from kdns.config.kinds import FilePath
from kdns.dns import types
from kdns.dns.names import ROOT, Name
from kdns.steps.autopath import NAME, Listed, OfPods, make
from kdns.steps.chain import Answered, Failed, Outcome, Relayed, Rest, compose
from kdns.steps.kubernetes import Kubernetes
from kdns.zone.alike import Uncompleted
from kdns.zone.index import Index
from tests.steps.searching import Outside, asked, clusters, cname_of, never, told, walked
from tests.steps.telling import surroundings
from tests.zone.clusters import Cluster, Service, index_of, names, zone

CLUSTER = Cluster(
    {("shop", "web"): Service(ips=("10.96.0.1",)), ("edge", "web"): Service(ips=("10.96.0.2",))},
    pods=frozenset({("shop", "10.0.0.1"), ("shop", "fd00::1"), ("edge", "10.0.0.2"), ("edge", "10.0.0.1")}),
)
KNOWN = {"www.example.com.": "192.0.2.7", "web.": "192.0.2.8", "here.x.corp.example.": "192.0.2.9"}
FIRST = "www.example.com.shop.svc.cluster.local."


def of_pods(index: Index, outside: Outside, zones: tuple[Name, ...] = (ROOT,)) -> Rest:
    step = OfPods(index, names("cluster.local."), names("corp.example."), zones, 5)
    return compose([step, Kubernetes(index, zone()), outside])


def ask(name: str, host: str = "10.0.0.1", qtype: int = types.A, zones: tuple[Name, ...] = (ROOT,)) -> Outcome | None:
    return of_pods(index_of(CLUSTER), Outside(KNOWN, until=9.0), zones)(asked(name, qtype, host), never)


@pytest.mark.parametrize(
    ("name", "host", "leads_to"),
    [
        (FIRST, "10.0.0.1", "www.example.com."),
        (FIRST, "fd00::1", "www.example.com."),
        (FIRST, "::ffff:10.0.0.1", "www.example.com."),
        (FIRST, "10.0.0.2", None),
        (FIRST, "10.0.0.9", None),
        (FIRST, "", None),
        ("www.example.com.edge.svc.cluster.local.", "10.0.0.1", "www.example.com."),  # of two pods with the address
        ("here.x.shop.svc.cluster.local.", "10.0.0.1", "here.x.corp.example."),
        ("web.edge.shop.svc.cluster.local.", "10.0.0.1", "web.edge.svc.cluster.local."),
        ("web.edge.svc.shop.svc.cluster.local.", "10.0.0.1", "web.edge.svc.cluster.local."),
        ("web.shop.svc.cluster.local.", "10.0.0.1", None),
        ("www.example.com.svc.cluster.local.", "10.0.0.1", None),
    ],
)
def test_the_list_is_that_of_a_pod_with_the_clients_address(name: str, host: str, leads_to: str | None) -> None:
    assert cname_of(ask(name, host)) == leads_to


def test_a_single_label_is_completed() -> None:
    index = index_of(Cluster(pods=CLUSTER.pods))
    outcome = of_pods(index, Outside(KNOWN))(asked("web.shop.svc.cluster.local.", types.A), never)
    assert cname_of(outcome) == "web."


def test_only_names_of_its_zones_are_completed() -> None:
    assert cname_of(ask(FIRST, zones=names("edge.svc.cluster.local."))) is None
    assert cname_of(ask(FIRST, zones=names("shop.svc.cluster.local."))) == "www.example.com."


@given(
    clusters,
    st.sampled_from(["web.b.", "web.", "web.b.svc.", "www.example.com.", "h0.db.a.", "nope."]),
    st.sampled_from(["a", "b"]),
    st.sets(st.sampled_from(["www.example.com.", "web.", "web.b.corp.example."])),
)
def test_a_pod_is_told_what_it_would_find_by_itself(cluster: Cluster, base: str, space: str, known: set[str]) -> None:
    pods = cluster.pods | {(space, "10.0.0.1")}
    index = index_of(Cluster(cluster.services, cluster.namespaces, pods))
    outside = Outside(dict.fromkeys(known, "192.0.2.1"))
    domains = (f"{space}.svc.cluster.local.", "svc.cluster.local.", "cluster.local.", "corp.example.", "")
    for qtype in (types.A, types.AAAA, types.SRV):
        first = asked(base + domains[0], qtype)
        expected = walked(compose([Kubernetes(index, zone()), outside]), base, domains, qtype)
        assert told(of_pods(index, outside)(first, never)) == expected


def test_what_a_list_comes_to_is_for_no_other_client() -> None:
    outcome = ask(FIRST)
    assert isinstance(outcome, Relayed)
    assert (outcome.until, outcome.by) == (0.0, NAME)
    outcome = ask("web.edge.shop.svc.cluster.local.")
    assert isinstance(outcome, Answered)
    assert outcome.owners == ()


def test_a_denial_for_who_is_no_pod_is_not_for_pods() -> None:
    outcome = ask(FIRST, "10.0.0.9")
    assert isinstance(outcome, Answered)
    assert (outcome.answer.rcode, outcome.owners, outcome.alike) == (types.NXDOMAIN, (), None)
    outcome = ask("www.example.com.nowhere.svc.cluster.local.", "10.0.0.9")
    assert isinstance(outcome, Answered)
    assert isinstance(outcome.alike, Uncompleted)
    assert outcome.alike.holds(b"\1x\3far", below=False)
    assert not outcome.alike.holds(b"\1x\4shop", below=False)


def test_what_is_there_at_once_is_for_everybody() -> None:
    for host in ("10.0.0.1", "10.0.0.9"):
        outcome = ask("web.shop.svc.cluster.local.", host)
        assert isinstance(outcome, Answered)
        assert outcome.owners
        assert outcome.by == "kubernetes"


def test_if_nothing_is_there_the_first_denial_is_the_answer() -> None:
    outcome = ask("no.where.shop.svc.cluster.local.")
    assert isinstance(outcome, Answered)
    assert outcome.answer.rcode == types.NXDOMAIN
    assert [each.name for each in outcome.answer.authority] == list(names("cluster.local."))


def test_before_the_cluster_is_read_nothing_is_completed() -> None:
    assert told(of_pods(Index(), Outside(KNOWN))(asked(FIRST, types.A), never)).rcode == types.SERVFAIL


# A list from a file


def listed(text: str, folder: Path) -> Listed | None:
    (folder / "resolv.conf").write_text(text)
    said = Settings(zones=(ROOT,), search=SearchPath(FilePath(str(folder / "resolv.conf"))))
    step = make(said, surroundings())
    assert step is None or isinstance(step, Listed)
    return step


def test_a_file_s_list_is_everybodys(tmp_path: Path) -> None:
    step = listed("search Example.org other.example\noptions ndots:5\n", tmp_path)
    assert step is not None
    outside = Outside({"a.b.other.example.": "192.0.2.1", "c.": "192.0.2.2", "d.example.org.": "192.0.2.3"}, until=9.0)
    chain = compose([step, outside])
    found = {base: chain(asked(f"{base}example.org.", types.A), never) for base in ("a.b.", "c.", "d.")}
    assert [cname_of(each) for each in found.values()] == ["a.b.other.example.", "c.", None]
    assert isinstance(found["a.b."], Relayed)
    assert found["a.b."].until == 9.0
    assert told(chain(asked("example.org.", types.A), never)).rcode == types.NXDOMAIN


def test_a_file_that_can_not_be_read_is_told_of_and_completes_nothing(tmp_path: Path) -> None:
    said = Settings(zones=(ROOT,), search=SearchPath(FilePath(str(tmp_path / "gone"))))
    with capture_logs() as told_of:
        assert make(said, surroundings()) is None
    assert [each["event"] for each in told_of] == ["search_list_unreadable"]


def test_without_a_cluster_there_is_no_list_of_pods() -> None:
    assert make(Settings(zones=(ROOT,), search=SearchPath(None)), surroundings()) is None


def test_failures_are_passed_on() -> None:
    chain = of_pods(index_of(CLUSTER), Outside(KNOWN, failing=frozenset({"www.example.com."})))
    assert isinstance(chain(asked(FIRST, types.A), never), Failed)
