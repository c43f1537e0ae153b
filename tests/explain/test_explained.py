"""An explanation says what the server answers, and where there is nothing, why."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.cluster.compiler import Compiler
from kdns.cluster.objects import Delta, Key
from kdns.config.settings import ReadSettings
from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.explain import explained
from kdns.explain.evidence import Evidence
from kdns.explain.explanation import Candidate, Explanation, Path, decode, encode
from kdns.explain.makers import RULES
from kdns.explain.path import question
from kdns.zone import schema
from kdns.zone.entry import Kind
from kdns.zone.index import Index
from kdns.zone.schema import Found, Zone
from kdns.zone.stale import marked
from kdns.zone.terms import nowhere
from tests.cluster.histories import histories
from tests.explain.clusters import compiled, details_of, evidence_of, explain, of_yaml
from tests.zone.clusters import zone
from tests.zone.zonefile import lines

HOSTS = ("", "h.", "10-0-0-1.", "10-0-0-2.", "_http._tcp.", "_tcp.", "x.")
REVERSES = ("1.0.0.10.in-addr.arpa.", "3.0.0.10.in-addr.arpa.", f"1.{'0.' * 31}ip6.arpa.", "10.in-addr.arpa.")
NAMES = (
    *(f"{host}{name}.{space}.svc.cluster.local." for host in HOSTS for name in ("a", "b", "z") for space in "nx"),
    *(f"{label}.{space}.pod.cluster.local." for label in ("10-0-0-1", "pod") for space in "nm"),
    *REVERSES,
    *(f"{label}cluster.local." for label in ("", "n.svc.", "svc.", "ns.dns.", "dns-version.", "odd.")),
    "example.com.",
)
TYPES = (types.A, types.AAAA, types.SRV, types.PTR, types.TXT, types.CNAME)
zones = st.builds(
    zone,
    pods=st.sampled_from(("disabled", "insecure", "verified")),
    addresses=st.sampled_from(((), (bytes((10, 0, 0, 1)),))),
    fallthrough=st.sampled_from(((), (from_text("in-addr.arpa"),), (from_text("."),))),
)


def said(candidate: Candidate) -> dict[str, tuple[str, list[str], list[str]]]:
    return {
        reply.type: (
            reply.rcode,
            sorted(f"{each.name} {each.ttl} {each.type} {each.data}" for each in reply.records),
            sorted(f"{each.name} {each.ttl} {each.type} {each.data}" for each in reply.additional),
        )
        for reply in candidate.replies
    }


def answered(found: Found | None) -> tuple[str, list[str], list[str]]:
    if found is None:
        return "", [], []
    answer = found.answer
    return types.rcode_text(answer.rcode), sorted(lines(answer.answers)), sorted(lines(answer.additional))


@settings(max_examples=60)
@given(histories, zones, st.sampled_from((True, True, True, False)))
def test_the_records_are_those_that_the_server_answers(history: list[Delta], of: Zone, synced: bool) -> None:
    compiler = compiled(history, synced=synced)
    evidence = evidence_of(compiler, of)
    for name in NAMES:
        for rtype in (types.PTR, types.A) if name in REVERSES else TYPES:
            check(compiler, evidence, of, name, rtype)


def check(compiler: Compiler, evidence: Evidence, of: Zone, name: str, rtype: int) -> None:
    whole = evidence.index
    wanted = question(name, rtype, Path(whose="a test"))
    quick = Index.of_addresses(compiler.image(), explained.addresses_of(wanted, (of,)))
    told = explained.explain(wanted, replace(evidence, index=quick))
    found = schema.answer(whole, of, Query(from_text(name), rtype))
    (candidate,) = told.candidates
    if candidate.replies:
        assert said(candidate) == {types.type_text(rtype): answered(found)}
    else:
        assert found is None
    has_records = found is not None and found.answer.rcode == types.NOERROR and bool(found.answer.answers)
    assert (told.verdict == "answered") == has_records == (told.answered == name)
    assert has_records or candidate.why
    assert decode(encode(told)) == told


@settings(max_examples=60)
@given(histories, zones, st.sampled_from(NAMES))
def test_whatever_there_is_every_candidate_says_why_it_has_nothing(history: list[Delta], of: Zone, name: str) -> None:
    told = explain(evidence_of(compiled(history), of), name.rstrip("."), path=None)
    for each in told.candidates:
        assert bool(each.why) == (each.outcome not in {"answered", "not-asked"})
    asked = [each for each in told.candidates if each.outcome != "not-asked"]
    assert told.queries == len(asked) * len(told.types)


def test_every_family_of_the_schema_has_a_rule() -> None:
    families = {
        (Kind(kind), depth + 2)
        for kind, row in schema._FAMILIES.items()
        for depth, family in enumerate(row)
        if family is not nowhere
    }
    assert families == set(RULES)


# Where there is nothing

CLUSTER = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
---
kind: Service
metadata: {name: web, namespace: office}
spec: {clusterIP: 10.96.0.2}
---
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{name: postgres, port: 5432}]}
---
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: postgres, port: 5432}]
endpoints:
- {addresses: [10.0.0.1], conditions: {ready: false}, targetRef: {kind: Pod, name: db-0}}
---
kind: Service
metadata: {name: queue, namespace: shop}
spec: {clusterIP: None}
---
kind: EndpointSlice
metadata: {name: queue-x, namespace: shop}
addressType: IPv4
endpoints: [{addresses: [10.0.0.9]}]
---
kind: Service
metadata: {name: empty, namespace: shop}
spec: {clusterIP: None}
---
kind: EndpointSlice
metadata: {name: empty-1, namespace: shop, labels: {kubernetes.io/service-name: empty}}
addressType: IPv4
endpoints: []
---
kind: EndpointSlice
metadata: {name: orphan-1, namespace: shop, labels: {kubernetes.io/service-name: orphan}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.3]}]
---
kind: Service
metadata: {name: peers, namespace: shop}
spec: {clusterIP: None}
---
kind: EndpointSlice
metadata: {name: peers-1, namespace: shop, labels: {kubernetes.io/service-name: peers}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.4], hostname: peer-0}, {addresses: [10.0.0.5], conditions: {ready: false}}]
---
kind: Service
metadata: {name: here, namespace: shop}
spec: {type: ExternalName, externalName: there.shop.svc.cluster.local}
---
kind: Service
metadata: {name: there, namespace: shop}
spec: {type: ExternalName, externalName: here.shop.svc.cluster.local}
---
kind: Service
metadata: {name: address, namespace: shop}
spec: {type: ExternalName, externalName: 192.0.2.1}
---
kind: Pod
metadata: {name: one, namespace: office}
status: {podIP: 10.0.0.7}
"""
SVC = "svc.cluster.local."


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        (f"wbe.shop.{SVC}", "near-service", "did you mean web.shop.svc.cluster.local?"),
        (f"web.shp.{SVC}", "near-namespace", "did you mean web.shop.svc.cluster.local?"),
        (f"web.empty.{SVC}", "elsewhere", "web.office.svc.cluster.local, web.shop.svc.cluster.local"),
        (f"db.office.{SVC}", "elsewhere", "in another namespace: db.shop.svc.cluster.local"),
        (
            f"peerz.office.{SVC}",
            "elsewhere",
            "a Service peers in namespace shop: did you mean peers.shop.svc.cluster.loc",
        ),
        (f"db.shop.{SVC}", "no-ready-endpoints", "1 endpoint of shop/db is not ready (db-1)"),
        (f"empty.shop.{SVC}", "no-ready-endpoints", "its selector takes no pod"),
        (f"queue.shop.{SVC}", "no-slices", "no EndpointSlice names shop/queue"),
        (f"queue.shop.{SVC}", "slice-without-label", "shop/queue-x: the label kubernetes.io/service-name isn't there"),
        (f"_htpp._tcp.web.shop.{SVC}", "near-port", "did you mean _http._tcp.web.shop.svc.cluster.local?"),
        (f"_http._udp.web.shop.{SVC}", "wrong-protocol", "did you mean _http._tcp.web.shop.svc.cluster.local?"),
        (f"_x._tcp.peers.shop.{SVC}", "", ""),
        (f"peer-1.peers.shop.{SVC}", "near-endpoint", "there is an endpoint peer-0"),
        (f"zzz.peers.shop.{SVC}", "no-ready-endpoints", "1 of shop/peers's endpoints isn't ready"),
        ("web.shop.svc.cluster.locl.", "wrong-zone", "did you mean web.shop.svc.cluster.local?"),
        ("web.shop.svc.", "wrong-zone", "there is no zone behind it, this cluster's is cluster.local"),
        ("web.shop.cluster.local.", "svc-missing", "did you mean web.shop.svc.cluster.local?"),
        ("web.shop.scv.cluster.local.", "near-branch", "did you mean web.shop.svc.cluster.local?"),
        (f"here.shop.{SVC}", "external-loop", "here.shop.svc.cluster.local. -> "),
        (f"address.shop.{SVC}", "external-name", 'is "192.0.2.1", expected the name of a host'),
        ("one.office.pod.cluster.local.", "pod-name", "10-1-2-3"),
        ("10-0-0-7.shop.pod.cluster.local.", "elsewhere", "10-0-0-7.office.pod.cluster.local"),
    ],
)
def test_what_may_be_the_matter(name: str, code: str, words: str) -> None:
    told = explain(of_yaml(CLUSTER, zone(pods="verified")), name)
    found = [reason.text for reason in told.reasons if reason.code == code]
    assert (told.verdict, told.status) == ("nothing", 1)
    assert any(words in each for each in found) if code else not told.reasons, told.reasons


@pytest.mark.parametrize(
    ("name", "rtype", "why"),
    [
        (f"web.shop.{SVC}", types.AAAA, "shop/web is there, its ClusterIPs are not IPv6"),
        (f"web.office.{SVC}", types.SRV, "office/web is there, but has no ports"),
        (f"web.shop.{SVC}", types.MX, "shop/web is there, but has no MX records"),
        (f"here.shop.{SVC}", types.ANY, "Service shop/here is an ExternalName, which has a CNAME alone"),
        (f"x.here.shop.{SVC}", types.A, "Service shop/here is an ExternalName, which has no names below it"),
        (f"a.b.c.web.shop.{SVC}", types.A, "nothing below Service shop/web has so many labels"),
        (f"orphan.shop.{SVC}", types.A, "there is no Service orphan in namespace shop; EndpointSlices name it"),
        (f"shop.{SVC}", types.A, "a namespace has no records of its own"),
        ("svc.cluster.local.", types.A, "it only stands above namespaces"),
        ("cluster.local.", types.MX, "the zone's own name has no such records"),
        ("1.2.3.10.in-addr.arpa.", types.PTR, "no Service has 10.3.2.1 as ClusterIP or as a ready endpoint"),
        ("7.0.0.10.in-addr.arpa.", types.PTR, "it is that of a pod in office"),
        ("10.in-addr.arpa.", types.PTR, "it isn't the whole of a reverse name"),
        ("1.0.96.10.in-addr.arpa.", types.A, "10.96.0.1 has a name; PTR records alone lead to it"),
    ],
)
def test_why_a_candidate_has_nothing(name: str, rtype: int, why: str) -> None:
    told = explain(of_yaml(CLUSTER), name, rtype)
    assert why in told.candidates[0].why


@pytest.mark.parametrize(
    ("reading", "of", "name", "why"),
    [
        (READ := ReadSettings(endpoints=False), zone(), "db.shop", "Service shop/db is headless"),
        (ReadSettings(empty_services=False), zone(), "web.shop", "ignore empty_service leaves such out"),
        (READ, zone(pods="disabled"), "10-0-0-7.office.pod.cluster.local.", "names of pods are off"),
        (READ, zone(namespaces=frozenset((b"\6office",))), "web.shop", "shows some namespaces only, and shop is none"),
    ],
)
def test_what_the_operator_left_out_is_said(reading: ReadSettings, of: Zone, name: str, why: str) -> None:
    told = explain(of_yaml(CLUSTER, of, reading=reading), name if name.endswith(".") else f"{name}.{SVC}")
    assert why in told.candidates[0].why
    assert told.reasons


def test_before_the_cluster_is_read_nothing_can_be_told() -> None:
    told = explain(evidence_of(compiled([], synced=False)), f"web.shop.{SVC}")
    assert (told.status, [reason.code for reason in told.reasons]) == (2, ["not-synced"])


def outcomes(told: Explanation) -> list[tuple[str, str]]:
    return [(each.name.removesuffix(".cluster.local."), each.outcome) for each in told.candidates]


def test_candidates_are_asked_in_order_until_one_answers() -> None:
    told = explain(of_yaml(CLUSTER), "web.office")
    assert outcomes(told) == [
        ("web.office.shop.svc", "no-name"),
        ("web.office.svc", "answered"),
        ("web.office", "not-asked"),
        ("web.office.", "not-asked"),
    ]
    assert (told.status, told.queries, told.answered) == (0, 4, f"web.office.{SVC}")


@pytest.mark.parametrize(("name", "status"), [("example.com", 2), ("example.com.", 2), ("zzz", 1), ("web.shp", 1)])
def test_what_is_passed_on_cant_be_told_unless_the_cluster_has_what_may_be_the_matter(name: str, status: int) -> None:
    assert explain(of_yaml(CLUSTER), name).status == status


def test_the_objects_are_told_with_who_is_ready_and_since_when() -> None:
    pods = """
---
kind: Pod
metadata: {name: db-0, namespace: shop}
status:
  conditions:
  - {type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: "2026-01-02T03:04:05Z"}
"""
    key = Key("shop", "db")
    evidence = replace(of_yaml(CLUSTER), details={key: details_of(CLUSTER + pods, key)})
    told = explain(evidence, f"db.shop.{SVC}")
    service, part = told.candidates[0].objects
    assert (service.kind, service.name, part.kind, part.name) == ("Service", "db", "EndpointSlice", "db-1")
    (endpoint,) = part.endpoints
    assert (endpoint.ready, endpoint.since, endpoint.pod) == (False, "2026-01-02T03:04:05Z", "db-0")
    assert endpoint.why == "ContainersNotReady"
    assert any("publishNotReadyAddresses" in reason.text for reason in told.reasons)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("web.shop", "shop/web has no ready endpoint (none at all): its name is answered, connections to it fail"),
        ("peers.shop", ""),
        ("here.shop", ""),
    ],
)
def test_an_answer_that_leads_nowhere_has_a_note(name: str, note: str) -> None:
    assert "\n".join(explain(of_yaml(CLUSTER), f"{name}.{SVC}").notes) == note


def test_manifests_leave_endpoints_to_the_cluster() -> None:
    evidence = replace(of_yaml(CLUSTER), places={("Service", Key("shop", "web")): "a.yaml:4"})
    assert explain(evidence, f"web.shop.{SVC}").notes == ()


def test_stale_answers_are_told_as_they_are_given() -> None:
    evidence = of_yaml(CLUSTER)
    evidence.index.stale = True
    of = zone(ttl=30)
    told = explain(replace(evidence, zones=(of,)), f"web.shop.{SVC}", types.A)
    found = schema.answer(evidence.index, of, Query(from_text(f"web.shop.{SVC}"), types.A))
    assert found is not None
    assert said(told.candidates[0])["A"][1] == lines(marked(found.answer).answers)
