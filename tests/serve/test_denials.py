"""Denials for others: octet for octet what would have been made, and none for a name that somebody owns."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import names, types
from kdns.dns.reply import udp_limit
from kdns.serve.memo import Memo
from kdns.serve.responder import Door, Responder, Rules
from kdns.steps.chain import Peer, compose
from kdns.steps.kubernetes import Kubernetes
from kdns.zone.entry import Kind, Service, pack_service, service_owner
from kdns.zone.index import Index
from kdns.zone.patch import Image, Patch
from kdns.zone.schema import Zone
from tests.serve.routed import everywhere

ZONE = Zone((names.from_text("cluster.local."),), (), (), 5, "insecure")
OWNER = service_owner("n", "web")
WEB = pack_service(Service(Kind.CLUSTER_IP, v4=bytes((10, 0, 0, 1))))
PLAIN = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
WITH_OPT = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
OPT = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"


class Silent:
    def error(self, event: str, **_keys: object) -> None:
        raise AssertionError(event)


def index_of(serial: int = 1) -> Index:
    index = Index()
    index.load(Image(1, serial, {OWNER: WEB}))
    return index


def responder(index: Index, zone: Zone = ZONE) -> Responder:
    chain = compose((Kubernetes(index, zone),))
    door = Door("dns://:53", "udp", "1")
    return Responder(door, everywhere(chain), Rules(udp_limit, cookie=lambda _, __: b""), Memo(1 << 20), Silent())


def asked(label: bytes, rest: bytes, header: bytes = PLAIN, behind: bytes = b"", qtype: int = types.A) -> bytes:
    return b"\xab\xcd" + PLAIN + bytes((len(label),)) + label + rest + bytes((0, qtype)) + b"\0\x01" + behind


def answered(to: Responder, octets: bytes) -> bytes | None:
    return to.recall(octets) or to.respond(octets, Peer("127.0.0.1", 1), lambda _: None)


labels = st.one_of(st.binary(min_size=1, max_size=63), st.sampled_from([b"web", b"WEB", b"_tcp", b"n", b"svc"]))
rests = st.sampled_from(
    [
        b"\1n\3svc\7cluster\5local\0",
        b"\1m\3svc\7cluster\5local\0",
        b"\1N\3svc\7CLUSTER\5local\0",
        b"\3svc\7cluster\5local\0",
        b"\7cluster\5local\0",
        b"\3com\7cluster\5local\0",
        b"\1n\3svc\3com\7cluster\5local\0",
        b"\1m\3svc\3com\7cluster\5local\0",
        b"\7example\3com\7cluster\5local\0",
        b"\2ns\3dns\7cluster\5local\0",
        b"\x0ahostmaster\7cluster\5local\0",
        b"\7example\3com\1n\3svc\7cluster\5local\0",
        b"\7example\3com\3svc\7cluster\5local\0",
        b"\3api\3web\1n\3svc\7cluster\5local\0",
        b"\4_tcp\3web\1n\3svc\7cluster\5local\0",
        b"\3svc\7cluster\5local\0\3svc\7cluster\5local\0",
        b"\3web\1n\3svc\7cluster\5local\0",
        b"\1n\3pod\7cluster\5local\0",
    ]
)
ways = st.sampled_from([(PLAIN, b""), (WITH_OPT, OPT), (PLAIN, b"beyond"), (PLAIN, b"\3svc\7cluster\5local\0")])
qtypes = st.sampled_from([types.A, types.AAAA, types.SRV, types.TXT])


zones = st.sampled_from(
    [
        ZONE,
        replace(ZONE, namespaces=frozenset((b"\1n",))),
        replace(ZONE, namespaces=frozenset((b"\1m",))),
        replace(ZONE, fallthrough=(names.from_text("n.svc.cluster.local."),)),
        replace(ZONE, fallthrough=(names.from_text("example.com.cluster.local."),)),
        replace(ZONE, origins=(*ZONE.origins, names.from_text("com.cluster.local."))),
        replace(ZONE, reverse=(names.from_text("com.cluster.local."),)),
        replace(ZONE, zonal=True),
    ]
)


@given(st.lists(st.tuples(labels, rests, ways, qtypes), min_size=1, max_size=12), zones)
def test_every_reply_is_octet_for_octet_that_of_who_remembers_nothing(
    questions: list[tuple[bytes, bytes, tuple[bytes, bytes], int]], zone: Zone
) -> None:
    index = index_of()
    learning = responder(index, zone)
    for label, rest, (header, behind), qtype in (*questions, *questions):
        octets = asked(label, rest, header, behind, qtype)
        assert answered(learning, octets) == answered(responder(index, zone), octets)


def test_a_service_created_later_is_answered_at_once() -> None:
    index = index_of()
    learning = responder(index)
    rest = b"\1n\3svc\7cluster\5local\0"
    for label in (b"aaa", b"bbb"):
        assert (answered(learning, asked(label, rest)) or b"")[3] & 15 == 3
    learning.forget(index.apply(Patch(1, 2, 2, {service_owner("n", "bbb"): WEB})))
    assert (answered(learning, asked(b"BBB", rest)) or b"")[3] & 15 == 0
    assert (answered(learning, asked(b"ccc", rest)) or b"")[3] & 15 == 3


def test_names_that_never_repeat_are_denied_without_asking_the_zone_again() -> None:
    index = index_of()
    learning = responder(index)
    for i in range(1_000):
        answered(learning, asked(b"x%07d" % i, b"\1n\3svc\7cluster\5local\0"))
    assert learning.tally.made == 1
    assert len(learning.memos[0]) == 0
    assert learning.tally.recalled == 999


def test_search_paths_of_all_namespaces_share_denials() -> None:
    index = index_of()
    learning = responder(index)
    for namespace in range(10, 30):
        for path in (b"\3n%02d\3svc\7cluster\5local\0" % namespace, b"\3svc\7cluster\5local\0", b"\7cluster\5local\0"):
            for site in range(10, 20):
                answered(learning, asked(b"www-%d" % site, b"\7example\3com" + path))
    assert learning.tally.made == 3
    assert learning.tally.recalled == 597


def test_family_that_a_service_gets_later_is_answered_at_once() -> None:
    index = index_of()
    learning = responder(index)
    rest = b"\1n\3svc\7cluster\5local\0"
    for _ in range(3):
        assert (answered(learning, asked(b"web", rest, qtype=types.AAAA)) or b"")[7] == 0
    assert learning.tally.made == 1
    both = pack_service(Service(Kind.CLUSTER_IP, v4=bytes((10, 0, 0, 1)), v6=bytes(15) + b"\1"))
    learning.forget(index.apply(Patch(1, 2, 2, {OWNER: both})))
    assert (answered(learning, asked(b"web", rest, qtype=types.AAAA)) or b"")[7] == 1


@pytest.mark.parametrize(
    ("zone", "first", "second", "rcode"),
    [
        (replace(ZONE, namespaces=frozenset((b"\1m",))), "web.m.svc", "web.n.svc", types.NXDOMAIN),
        (
            replace(ZONE, fallthrough=(names.from_text("n.svc.cluster.local."),)),
            "api.m.svc",
            "api.n.svc",
            types.SERVFAIL,
        ),
        (
            replace(ZONE, origins=(*ZONE.origins, names.from_text("com.cluster.local."))),
            "web.n.svc.con",
            "web.n.svc.com",
            types.NOERROR,
        ),
    ],
)
def test_a_name_that_is_denied_otherwise_or_not_at_all_gets_no_denial_of_another(
    zone: Zone, first: str, second: str, rcode: int
) -> None:
    index = Index()
    index.load(Image(1, 1, {OWNER: WEB, service_owner("m", "web"): WEB}))
    learning = responder(index, zone)
    for name in (first, first, second):
        octets = b"\xab\xcd" + PLAIN + names.from_text(f"{name}.cluster.local.") + bytes((0, types.AAAA)) + b"\0\1"
        reply = answered(learning, octets)
    assert reply is not None
    assert reply[3] & 15 == rcode
