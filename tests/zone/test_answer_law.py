"""The answer law: any question's answer is the reference's, and depends on nothing but the owners it names."""

from dataclasses import replace

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.names import from_text, to_text
from kdns.dns.query import Query
from kdns.dns.records import RecordSet
from kdns.dns.reply import render
from kdns.zone.entry import Kind
from kdns.zone.index import Index
from kdns.zone.schema import Found, Zone, answer
from tests.zone.clusters import Cluster, Service, Slice, index_of, names, packed, patch_between
from tests.zone.reference import STEPS, Expected, Line, Reference, Setup, reverse
from tests.zone.zonefile import data

NAMESPACES = ("a", "b")
SERVICES = ("web", "db", "tcp")
V4 = ("10.0.0.1", "10.0.0.2", "10.0.1.0", "8.8.8.8")
V6 = ("fd00::1", "fd00::", "2001:db8:0:0:1::1", "::")
TYPES = ("A", "AAAA", "SRV", "TXT", "PTR", "CNAME", "SOA", "NS", "MX", "HTTPS", "ANY")

ports = st.lists(
    st.sampled_from(
        [
            ("http", "tcp", 80),
            ("", "tcp", 81),
            ("dns", "udp", 53),
            ("dns", "tcp", 53),
            ("tcp", "tcp", 9),
            ("", "udp", 81),
        ]
    ),
    max_size=3,
    unique=True,
).map(tuple)
hosts = st.sampled_from(["", "", "", "h0", "h1", "10-0-0-1", "tcp"])
topology = st.sampled_from(["", "a", "eu.west", "b"])


@st.composite
def slices_of(draw: st.DrawFn, pool: tuple[str, ...]) -> Slice:
    endpoints = draw(st.lists(st.tuples(st.sampled_from(pool), hosts), max_size=3, unique=True).map(tuple))
    zones = draw(st.just(()) | st.tuples(*[topology] * len(endpoints)))
    return Slice(endpoints, draw(ports), zones)


slices = st.sampled_from([V4, V6]).flatmap(slices_of)
some_slices = st.lists(slices, max_size=3).map(tuple)
targets = st.sampled_from(
    [
        *(f"{s}.{n}.svc.Cluster.local." for s in SERVICES for n in NAMESPACES),
        "web.a.svc.k8s.example.",
        "h0.db.a.svc.cluster.local.",
        "_http._tcp.web.b.svc.cluster.local.",
        "10-0-0-1.a.pod.cluster.local.",
        "cluster.local.",
        "nowhere.a.svc.cluster.local.",
        "1.0.0.10.in-addr.arpa.",
        "9.9.9.9.in-addr.arpa.",
        "www.Example.com.",
        "10.0.0.1.",
        "cluster.local.example.com.",
    ]
)
services = st.one_of(
    st.builds(
        Service,
        st.just(Kind.CLUSTER_IP),
        st.tuples(st.sampled_from(V4), st.sampled_from(V6)).flatmap(
            lambda pair: st.sampled_from([(), pair[:1], pair[1:], pair])
        ),
        ports=ports,
        slices=some_slices,
    ),
    st.builds(Service, st.just(Kind.HEADLESS), slices=some_slices, ports=ports),
    st.builds(Service, st.just(Kind.EXTERNAL_NAME), target=targets, slices=some_slices),
    st.builds(Service, st.just(Kind.EXTERNAL_NAME), target=targets),
    st.builds(Service, st.just(Kind.SLICES_ONLY), slices=some_slices),
)
from_clusters = st.lists(
    st.builds(lambda part, cluster: replace(part, cluster=cluster), slices, st.sampled_from(["", "east", "web", "h0"])),
    max_size=3,
).map(tuple)
imported = st.one_of(
    st.builds(
        Service,
        st.just(Kind.CLUSTER_IP),
        st.sampled_from([(), V4[:1], V6[:1], (V4[1], V6[0])]),
        ports=ports,
        slices=from_clusters,
    ),
    st.builds(Service, st.just(Kind.HEADLESS), slices=from_clusters),
)
keys = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(SERVICES))
clusters = st.builds(
    Cluster,
    st.dictionaries(keys, services, max_size=5),
    st.frozensets(st.sampled_from([*NAMESPACES, "empty"])),
    st.frozensets(st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(V4 + V6)), max_size=3),
    st.dictionaries(keys, imported, max_size=3),
)
setups = st.builds(
    Setup,
    origins=st.sampled_from(
        [("cluster.local.",), ("cluster.local.", "k8s.example."), ("b.svc.cluster.local.", "local.")]
    ),
    reverse=st.sampled_from(
        [("in-addr.arpa.", "ip6.arpa."), ("0.10.in-addr.arpa.",), ("1.0.10.in-addr.arpa.", "in-addr.arpa.")]
    ),
    fallthrough=st.sampled_from([(), (), ("in-addr.arpa.", "ip6.arpa."), (".",), ("a.svc.cluster.local.",)]),
    ttl=st.sampled_from([5, 3600]),
    pods=st.sampled_from(["disabled", "insecure", "verified"]),
    addresses=st.sampled_from([(), ("10.0.0.1", "fd00::1"), ("169.254.20.10", "fe80::1", "9.9.9.9"), ("10.0.0.2",)]),
    namespaces=st.sampled_from([(), (), ("a",), ("b", "empty"), ("nowhere",)]),
    zonal=st.booleans(),
    imports=st.sampled_from([(), ("k8s.example.",), ("b.svc.cluster.local.",)]),
)
labels = st.sampled_from(
    [
        *(
            *SERVICES,
            *NAMESPACES,
            "svc",
            "pod",
            "dns",
            "ns",
            "dns-version",
            "cluster",
            "local",
            "x",
            "*",
            "any",
            "empty",
        ),
        *(
            "http",
            "east",
            "_http",
            "_tcp",
            "udp",
            "_udp",
            "_dns",
            "_",
            "__tcp",
            "h0",
            "h1",
            "10",
            "0",
            "1",
            "f",
            "256",
            "01",
        ),
        *(
            "10-0-0-1",
            "10-0-0-2",
            "10-0-00-1",
            "1-2-3",
            "fd00--1",
            "fd00--",
            "fd00--0",
            "--0",
            "--",
            "1--1--1",
            "-1-2-3-4",
        ),
        *("2001-db8--1-0-0-1", "2001-db8-0-0-1--1", "2001-db8-0-0-1-0-0-1", "1-2-3-4-5-6-7-8", "1-2-3-4--5-6-7-8"),
    ]
)
suffixes = st.sampled_from(
    [
        *(f"{space}.{kind}.cluster.local." for space in NAMESPACES for kind in ("svc", "pod")),
        *(
            "svc.cluster.local.",
            "cluster.local.",
            "b.svc.k8s.example.",
            "local.",
            "0.10.in-addr.arpa.",
            "ip6.arpa.",
            ".",
        ),
    ]
)
odd_names = st.builds(
    lambda parts, suffix: ".".join([*parts, suffix]).replace("..", "."), st.lists(labels, max_size=4), suffixes
)


@st.composite
def mutations(draw: st.DrawFn, known: list[str]) -> str:
    """A name that exists with one label more, less or other; or one made of common labels."""
    name = draw(st.sampled_from(known))
    parts = name.removesuffix(".").split(".")
    at = draw(st.integers(0, len(parts) - 1))
    change = draw(st.sampled_from(["drop", "add", "replace"]))
    parts[at : at + (change != "add")] = [] if change == "drop" else [draw(labels)]
    return ".".join(parts) + "."


def every_question(reference: Reference) -> list[tuple[str, str]]:
    """Each type that each name has; for all types one name of each way to exist; what may be around each Service."""
    nodes = reference.nodes()
    kinds = {frozenset(node): name for name, node in nodes.items()}
    around = [
        f"{below}{name}.{space}.svc.{origin}"
        for below in (
            "",
            "x.",
            "_tcp.",
            "udp.",
            "_._tcp.",
            "_http._tcp.",
            "_zone.",
            "pin._zone.",
            "any._zone.",
            "a.pin._zone.",
            "eu.west.prefer._zone.",
            "no.prefer._zone.",
            "a.b.any._zone.",
            "tcp.",
            "10-0-0-1.",
            "fd00--0.",
            "h0.",
            "_a._b.h0.",
            "east.",
            "10-0-0-1.east.",
            "h0.web.",
            "dns.tcp.",
        )
        for name in SERVICES
        for space in NAMESPACES
        for origin in reference.setup.origins
    ]
    return [
        *((name, rtype) for name, node in nodes.items() for rtype in {*node, "A", "AAAA"}),
        *((name, rtype) for name in kinds.values() for rtype in TYPES),
        *((name, "A") for name in around),
        *((name, "SRV") for name in around if "_zone" in name),
        *((reverse(address), "PTR") for address in V4 + V6),
    ]


def zone_of(setup: Setup) -> Zone:
    return Zone(
        names(*setup.origins),
        names(*setup.reverse),
        names(*setup.fallthrough),
        setup.ttl,
        setup.pods,
        tuple(packed(ip) for ip in setup.addresses),
        frozenset(bytes((len(space),)) + space.encode() for space in setup.namespaces),
        setup.zonal,
        frozenset(names(*setup.imports)).intersection(names(*setup.origins)),
    )


def recase(name: str, seed: int) -> str:
    return "".join(c.upper() if seed >> i % 31 & 1 else c for i, c in enumerate(name))


def records(sets: tuple[RecordSet, ...]) -> frozenset[Line]:
    found = [
        (to_text(one.name).lower(), one.ttl, types.type_text(one.rtype), data(one.rtype, rdata).lower())
        for one in sets
        for rdata in one.rdatas
    ]
    assert len(set(found)) == len(found), "a record comes twice"
    return frozenset(found)


def seen(found: Found | None) -> Expected | None:
    if found is None:
        return None
    said = found.answer
    rcode = types.rcode_text(said.rcode)
    if rcode == "SERVFAIL":
        return Expected(rcode)
    chase = None if found.chase is None else to_text(found.chase).lower()
    return Expected(rcode, records(said.answers), records(said.authority), records(said.additional), chase)


def query(name: str, rtype: str) -> Query:
    return Query(from_text(name), getattr(types, rtype))


def check(reference: Reference, index: Index, zone: Zone, name: str, rtype: str, seed: int) -> None:
    asked = query(recase(name, seed), rtype)
    found = answer(index, zone, asked)
    assert seen(found) == reference.expect(name, rtype), (name, rtype)
    if found is not None:
        assert found.owners
        assert found.answer.authoritative
        assert all(one.rclass == types.IN and len(one.rdatas) for part in found.answer[1:4] for one in part)
        if found.answer.answers:
            assert found.answer.answers[0].name == asked.qname


@settings(max_examples=120)
@given(st.data(), clusters, setups, st.integers(0, 2**31 - 1))
def test_every_answer_is_the_references(data: st.DataObject, cluster: Cluster, setup: Setup, seed: int) -> None:
    index, zone, reference = index_of(cluster), zone_of(setup), Reference(cluster, setup)
    for name, rtype in every_question(reference):
        check(reference, index, zone, name, rtype, seed)
    known = sorted(reference.nodes())
    for name in data.draw(st.lists(odd_names | mutations(known), min_size=20, max_size=20)):
        for rtype in ("A", "SRV", "PTR", "TXT"):
            check(reference, index, zone, name, rtype, seed)


def parsed(section: list[dns.rrset.RRset]) -> frozenset[Line]:
    return frozenset(
        (one.name.to_text().lower(), one.ttl, dns.rdatatype.to_text(one.rdtype), rdata.to_text().lower())
        for one in section
        for rdata in one
    )


@settings(max_examples=25)
@given(clusters, setups)
def test_the_reply_on_the_wire_says_what_the_reference_says(cluster: Cluster, setup: Setup) -> None:
    index, zone, reference = index_of(cluster), zone_of(setup), Reference(cluster, setup)
    for name, rtype in every_question(reference):
        asked = query(name, rtype)
        found = answer(index, zone, asked)
        if found is not None and found.chase is None and found.answer.rcode != types.SERVFAIL:
            reply = dns.message.from_wire(render(asked, found.answer, limit=65535, recursion=False).octets)
            rcode = dns.rcode.to_text(reply.rcode())
            said = Expected(rcode, parsed(reply.answer), parsed(reply.authority), parsed(reply.additional))
            assert said == reference.expect(name, rtype), (name, rtype)


@settings(max_examples=120)
@given(clusters, clusters, keys, services, st.sampled_from(["one", "one", "all"]), setups)
def test_an_answer_changes_only_with_its_owners(
    old: Cluster, other: Cluster, key: tuple[str, str], one: Service, change: str, setup: Setup
) -> None:
    leading = {("b", "leading"): Service(Kind.EXTERNAL_NAME, target=f"{key[1]}.{key[0]}.svc.cluster.local.")}
    old = replace(old, services=old.services | leading)
    new = replace(old, services=old.services | {key: one}) if change == "one" else other
    index, zone = index_of(old), zone_of(setup)
    questions = {question: None for state in (old, new) for question in every_question(Reference(state, setup))}
    asked = [query(*question) for question in questions]
    before = [answer(index, zone, one) for one in asked]
    touched = index.apply(patch_between(old, new))
    for question, first in zip(asked, before, strict=True):
        if first is not None and touched.isdisjoint(first.owners):
            assert seen_without_serial(answer(index, zone, question)) == seen_without_serial(first), question


def seen_without_serial(found: Found | None) -> Expected | None:
    """What a client sees; the SOA of a denial may carry the serial of its making."""
    expected = seen(found)
    if expected is None:
        return None
    return expected._replace(authority=frozenset((*line[:3], "") for line in expected.authority))


@given(clusters, setups, odd_names, st.sampled_from(TYPES))
@example(Cluster(), Setup(), "1.0.0.10.in-addr.arpa.", "PTR")
def test_before_the_first_image_no_own_name_is_denied_or_left_to_others(
    cluster: Cluster, setup: Setup, name: str, rtype: str
) -> None:
    index = index_of(cluster)
    index.synced = False
    found = answer(index, zone_of(setup), query(name, rtype))
    if found is not None:
        assert found.answer.rcode == types.SERVFAIL
        assert found.owners == ()
        assert found.chase is None
    else:
        assert not any(name == origin or name.endswith("." + origin) for origin in setup.origins)


@pytest.mark.parametrize("steps", [1, STEPS, STEPS + 1])
def test_the_reference_counts_steps_as_the_zone_does(steps: int) -> None:
    chain = {("a", f"e{i}"): Service(Kind.EXTERNAL_NAME, target=f"e{i + 1}.a.svc.cluster.local.") for i in range(steps)}
    cluster = Cluster(chain | {("a", f"e{steps}"): Service(ips=("10.0.0.1",))})
    found = answer(index_of(cluster), zone_of(Setup()), query("e0.a.svc.cluster.local.", "A"))
    assert seen(found) == Reference(cluster, Setup()).expect("e0.a.svc.cluster.local.", "A")
    assert found is not None
    assert found.answer.rcode == (types.SERVFAIL if steps > STEPS else types.NOERROR)


@pytest.mark.parametrize(("namespaces", "server"), [((), "web.a.svc."), (("a",), "web.a.svc."), (("b",), "ns.dns.")])
def test_a_name_server_is_one_that_has_a_name(namespaces: tuple[str, ...], server: str) -> None:
    cluster = Cluster({("a", "web"): Service(ips=("10.0.0.1",), slices=(Slice((("10.0.0.2", ""),)),))})
    setup = Setup(addresses=("10.0.0.2",), namespaces=namespaces)
    found = seen(answer(index_of(cluster), zone_of(setup), query("cluster.local.", "NS")))
    assert found == Reference(cluster, setup).expect("cluster.local.", "NS")
    assert found is not None
    assert {data for _, _, _, data in found.answers} == {f"{server}cluster.local."}
