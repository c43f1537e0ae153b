"""A whole zone: what is in it, and the law that every record of it is what the zone answers."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.names import Name, from_text
from kdns.dns.query import Query
from kdns.dns.records import RecordSet
from kdns.zone.entry import Kind
from kdns.zone.listing import listing
from kdns.zone.schema import answer
from tests.zone.clusters import Cluster, Service, Slice, index_of, packed, patch_between, zone
from tests.zone.test_answer_law import clusters
from tests.zone.zonefile import lines

ORIGIN = from_text("cluster.local.")
HTTP = ("http", "tcp", 80)
CLUSTER = Cluster(
    {
        ("shop", "web"): Service(ips=("10.0.0.1", "fd00::1"), ports=(HTTP, ("", "udp", 53))),
        ("shop", "db"): Service(
            Kind.HEADLESS, slices=(Slice((("10.1.0.1", "db-0"), ("10.1.0.2", "")), (("sql", "tcp", 5432),)),)
        ),
        ("shop", "away"): Service(Kind.EXTERNAL_NAME, target="www.example.com"),
        ("shop", "gone"): Service(Kind.SLICES_ONLY, slices=(Slice((("10.1.0.9", ""),)),)),
        ("other", "web"): Service(ips=("10.0.0.2",)),
    },
    frozenset(("empty",)),
    frozenset((("shop", "10.1.0.1"),)),
)
ZONE = zone(addresses=(packed("192.0.2.1"),))


def test_all_of_a_cluster() -> None:
    assert sorted(lines(tuple(listing(index_of(CLUSTER), zone(addresses=(packed("192.0.2.1"),)), ORIGIN)))) == sorted(
        """\
cluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5
cluster.local. 5 NS ns.dns.cluster.local.
ns.dns.cluster.local. 5 A 192.0.2.1
dns-version.cluster.local. 28800 TXT "1.1.0"
web.shop.svc.cluster.local. 5 A 10.0.0.1
web.shop.svc.cluster.local. 5 AAAA fd00::1
web.shop.svc.cluster.local. 5 SRV 0 25 80 web.shop.svc.cluster.local.
web.shop.svc.cluster.local. 5 SRV 0 25 53 web.shop.svc.cluster.local.
_http._tcp.web.shop.svc.cluster.local. 5 SRV 0 50 80 web.shop.svc.cluster.local.
db.shop.svc.cluster.local. 5 A 10.1.0.1
db.shop.svc.cluster.local. 5 A 10.1.0.2
db.shop.svc.cluster.local. 5 SRV 0 50 5432 db-0.db.shop.svc.cluster.local.
db.shop.svc.cluster.local. 5 SRV 0 50 5432 10-1-0-2.db.shop.svc.cluster.local.
_sql._tcp.db.shop.svc.cluster.local. 5 SRV 0 50 5432 db-0.db.shop.svc.cluster.local.
_sql._tcp.db.shop.svc.cluster.local. 5 SRV 0 50 5432 10-1-0-2.db.shop.svc.cluster.local.
db-0.db.shop.svc.cluster.local. 5 A 10.1.0.1
10-1-0-2.db.shop.svc.cluster.local. 5 A 10.1.0.2
away.shop.svc.cluster.local. 5 CNAME www.example.com.
web.other.svc.cluster.local. 5 A 10.0.0.2""".splitlines()
    )


def test_the_soa_comes_first_and_once() -> None:
    found = [each.rtype for each in listing(index_of(CLUSTER), ZONE, ORIGIN)]
    assert [at for at, rtype in enumerate(found) if rtype == types.SOA] == [0]


def test_imports_alone_are_in_their_zone() -> None:
    part = Slice((("10.1.0.1", "db-0"), ("10.1.0.2", "")), (HTTP,), cluster="east")
    cluster = replace(CLUSTER, imports={("shop", "far"): Service(Kind.HEADLESS, slices=(part,))})
    found = lines(tuple(listing(index_of(cluster), replace(ZONE, imports=frozenset((ORIGIN,))), ORIGIN)))
    assert sorted(line for line in found if ".svc." in line) == sorted(
        """\
far.shop.svc.cluster.local. 5 A 10.1.0.1
far.shop.svc.cluster.local. 5 A 10.1.0.2
far.shop.svc.cluster.local. 5 SRV 0 50 80 db-0.east.far.shop.svc.cluster.local.
far.shop.svc.cluster.local. 5 SRV 0 50 80 10-1-0-2.east.far.shop.svc.cluster.local.
_http._tcp.far.shop.svc.cluster.local. 5 SRV 0 50 80 db-0.east.far.shop.svc.cluster.local.
_http._tcp.far.shop.svc.cluster.local. 5 SRV 0 50 80 10-1-0-2.east.far.shop.svc.cluster.local.
db-0.east.far.shop.svc.cluster.local. 5 A 10.1.0.1
10-1-0-2.east.far.shop.svc.cluster.local. 5 A 10.1.0.2""".splitlines()
    )


def test_only_namespaces_that_are_shown() -> None:
    found = lines(tuple(listing(index_of(CLUSTER), zone(namespaces=frozenset((b"\5other",))), ORIGIN)))
    assert [line for line in found if ".svc." in line] == ["web.other.svc.cluster.local. 5 A 10.0.0.2"]


def test_what_changes_meanwhile_changes_nothing() -> None:
    index = index_of(CLUSTER)
    before = lines(tuple(listing(index, ZONE, ORIGIN)))
    reading = listing(index, ZONE, ORIGIN)
    found = [next(reading)]
    index.apply(patch_between(CLUSTER, Cluster({("a", "new"): Service(ips=("10.0.0.9",))})))
    assert lines((*found, *reading)) == before


def records(sets: list[RecordSet]) -> set[tuple[Name, int, int, bytes]]:
    return {(each.name, each.rtype, each.ttl, rdata) for each in sets for rdata in each.rdatas}


@given(clusters, st.booleans())
def test_every_set_is_what_the_zone_answers(cluster: Cluster, imports: bool) -> None:
    index = index_of(cluster)
    own = replace(ZONE, imports=frozenset((ORIGIN,)) if imports else frozenset())
    found = list(listing(index, own, ORIGIN))
    for each in found:
        told = answer(index, own, Query(each.name, each.rtype))
        assert told is not None
        assert records([each]) == records([one for one in told.answer.answers if one.rtype == each.rtype][:1])
    keys = [(each.name, each.rtype) for each in found]
    assert len(keys) == len(set(keys))
