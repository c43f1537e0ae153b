"""The answer law of outer zones: any answer is the slow reference's, and changes only with the owners it names."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.names import to_text
from kdns.dns.query import Query
from kdns.zone.entry import Kind
from kdns.zone.index import Index
from kdns.zone.listing import outer_listing
from kdns.zone.outer import Outer, answer
from tests.zone.clusters import Cluster, Service, index_of, names, packed, patch_between
from tests.zone.outer_reference import OuterReference, OuterSetup, join
from tests.zone.reference import is_below, reverse
from tests.zone.test_answer_law import (
    NAMESPACES,
    SERVICES,
    TYPES,
    V4,
    V6,
    clusters,
    keys,
    query,
    recase,
    records,
    seen,
    seen_without_serial,
    services,
)

PLACES = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "10.0.0.1", "LB-1.example.com.", "web.a.svc.cluster.local.")
outsides = st.just(()) | st.lists(st.sampled_from(PLACES), max_size=4, unique=True).map(tuple)


def put_outside(service: Service, outside: tuple[str, ...]) -> Service:
    """The Service with these places; slices that name a Service which isn't there have none."""
    return service if service.kind == Kind.SLICES_ONLY else replace(service, outside=outside)


@st.composite
def reachable(draw: st.DrawFn, every: st.SearchStrategy[Cluster]) -> Cluster:
    """A cluster of which some Services can be reached from outside."""
    cluster = draw(every)
    return replace(cluster, services={key: put_outside(one, draw(outsides)) for key, one in cluster.services.items()})


setups = st.builds(
    OuterSetup,
    origins=st.sampled_from([("example.org.",), ("example.org.", "a.example.org."), (".",), ("x.example.",)]),
    reverse=st.sampled_from([(), ("in-addr.arpa.", "ip6.arpa."), ("2.0.192.in-addr.arpa.",)]),
    fallthrough=st.sampled_from([(), (), (".",), ("a.example.org.",), ("in-addr.arpa.",)]),
    ttl=st.sampled_from([0, 5, 3600]),
    apex=st.sampled_from(["dns", "dns", "b"]),
    headless=st.booleans(),
    addresses=st.sampled_from([(), ("10.0.0.1", "fd00::1"), ("169.254.20.10", "fe80::1", "9.9.9.9"), ("10.0.0.2",)]),
    namespaces=st.sampled_from([(), (), ("a",), ("b", "empty"), ("nowhere",)]),
)
BELOW = (
    *("", "x.", "_tcp.", "udp.", "_http._tcp.", "dns.udp.", "_dns._tcp.", "_._tcp.", "a.b.c.", "10-0-0-1.", "h0."),
    *("fd00--1.", "tcp.", "_tcp.tcp."),
)


def outer_of(setup: OuterSetup) -> Outer:
    return Outer(
        names(*setup.origins),
        names(*setup.reverse),
        names(*setup.fallthrough),
        setup.ttl,
        bytes((len(setup.apex),)) + setup.apex.encode(),
        setup.headless,
        tuple(packed(ip) for ip in setup.addresses),
        frozenset(bytes((len(space),)) + space.encode() for space in setup.namespaces),
    )


def every_question(reference: OuterReference) -> list[tuple[str, str]]:
    """Each type at every name with records and around every Service; reverse names of all addresses."""
    setup = reference.setup
    around = [
        f"{below}{name}{space}.{origin}".replace("..", ".")
        for origin in setup.origins
        for space in (*NAMESPACES, "empty", "nowhere", setup.apex)
        for name in ("", *(f"{each}." for each in SERVICES), "ns1.", "x.ns1.")
        for below in BELOW
    ]
    nodes = reference.nodes
    makes = {frozenset(node): name for name, node in nodes.items()}
    return list(
        dict.fromkeys(
            [
                *((name, rtype) for name, node in nodes.items() for rtype in (*node, "A", "AAAA")),
                *((name, rtype) for name in makes.values() for rtype in TYPES),
                *((name, rtype) for name in around for rtype in ("A", "SRV")),
                *((name, rtype) for name in ("example.org.", "org.", ".") for rtype in TYPES),
                *(
                    (reverse(ip), rtype)
                    for ip in (*V4, *V6, *PLACES[:3])
                    for rtype in ("PTR", "A")
                    if "." not in setup.origins
                ),
                *((name, "PTR") for name in ("in-addr.arpa.", "192.in-addr.arpa.") if "." not in setup.origins),
            ]
        )
    )


def check(reference: OuterReference, index: Index, outer: Outer, name: str, rtype: str, seed: int) -> None:
    asked = query(recase(name, seed), rtype)
    found = answer(index, outer, asked)
    assert seen(found) == reference.expect(name, rtype), (name, rtype)
    if found is not None:
        assert len(found.owners) == 1
        if found.answer.answers:
            assert found.answer.answers[0].name == asked.qname


@settings(max_examples=50)
@given(reachable(clusters), setups, st.integers(0, 2**31 - 1))
def test_every_answer_is_the_references(cluster: Cluster, setup: OuterSetup, seed: int) -> None:
    index, outer, reference = index_of(cluster), outer_of(setup), OuterReference(cluster, setup)
    for name, rtype in every_question(reference):
        check(reference, index, outer, name, rtype, seed)


@settings(max_examples=40)
@given(reachable(clusters), reachable(clusters), keys, services, outsides, st.booleans(), setups)
def test_an_answer_changes_only_with_its_owners(
    old: Cluster,
    other: Cluster,
    key: tuple[str, str],
    one: Service,
    outside: tuple[str, ...],
    alone: bool,
    setup: OuterSetup,
) -> None:
    new = replace(old, services=old.services | {key: put_outside(one, outside)}) if alone else other
    index, outer = index_of(old), outer_of(setup)
    questions = {question: None for state in (old, new) for question in every_question(OuterReference(state, setup))}
    asked = [query(*question) for question in questions]
    before = [answer(index, outer, each) for each in asked]
    touched = index.apply(patch_between(old, new))
    for question, first in zip(asked, before, strict=True):
        if first is not None and touched.isdisjoint(first.owners):
            assert seen_without_serial(answer(index, outer, question)) == seen_without_serial(first), question


@settings(max_examples=40)
@given(reachable(clusters), setups)
def test_a_listing_says_what_the_zone_answers_and_has_all_at_services_names(
    cluster: Cluster, setup: OuterSetup
) -> None:
    index, outer, reference = index_of(cluster), outer_of(setup), OuterReference(cluster, setup)
    origin = setup.origins[0]
    found = list(outer_listing(index, outer, names(origin)[0]))
    for each in found:
        told = answer(index, outer, Query(each.name, each.rtype))
        assert told is not None
        assert records((each,)) == records(told.answer.answers)
    listed = {(to_text(each.name), types.type_text(each.rtype)) for each in found}
    assert len(listed) == len(found)
    assert found[0].rtype == types.SOA
    assert listed >= {
        (name, rtype)
        for space, service in reference.cluster.services
        for name in (join(f"{service}.{space}", origin),)
        if space != setup.apex and reference._zone(name) == origin
        for rtype in reference.nodes.get(name, {})
    }


@given(reachable(clusters), setups)
def test_before_the_first_image_no_name_of_its_own_is_denied_or_left_to_others(
    cluster: Cluster, setup: OuterSetup
) -> None:
    index = index_of(cluster)
    index.synced = False
    for name, rtype in every_question(OuterReference(cluster, setup)):
        found = answer(index, outer_of(setup), query(name, rtype))
        if found is None:
            zones = [zone for zone in setup.origins + setup.reverse if is_below(name, zone)]
            assert not zones or max(zones, key=len) in setup.reverse
        else:
            assert (found.answer.rcode, found.owners) == (types.SERVFAIL, ())
