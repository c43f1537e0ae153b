"""Doors that share their replies: each answers as if it had its own, what is the same is kept once, and each counts its own."""

from collections.abc import Callable

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import names, types
from kdns.dns.query import Query
from kdns.dns.reply import udp_limit
from kdns.serve.memo import Memo
from kdns.serve.responder import Door, Responder, Rules
from kdns.serve.tally import Shared
from kdns.steps.chain import Peer, compose
from kdns.steps.kubernetes import Kubernetes
from kdns.zone.entry import Entry, Kind, Port, Service, pack_service, pack_slice, service_owner
from kdns.zone.index import Index
from kdns.zone.patch import Image, Patch
from kdns.zone.schema import Zone
from tests.serve.replies_of import replies_of
from tests.serve.routed import WHERE, everywhere, tcp_limit

ZONE = Zone((names.from_text("cluster.local."),), (), (), 5, "insecure")
OWNER = service_owner("n", "h")
PORTS = (Port(80, b"http", b"tcp"),)
HEADLESS = "h.n.svc.cluster.local."
HTTP = f"_http._tcp.{HEADLESS}"
LIMITS: dict[str, Callable[[Query, int], int]] = {"udp": udp_limit, "tcp": tcp_limit}


class Silent:
    def error(self, event: str, **_keys: object) -> None:
        pytest.fail(event)


def entry(endpoints: int) -> Entry:
    packed = pack_slice(4, PORTS, [(bytes((10, 0, 0, i)), b"") for i in range(endpoints)])
    return pack_service(Service(Kind.HEADLESS, slices=(packed,)))


def doors(index: Index, *transports: str, limit: int = 1 << 20) -> list[Responder]:
    """Responders that share what is the same, as a worker's do."""
    memo = Memo(limit)
    shared = Shared(memo, len(transports))
    chain = compose((Kubernetes(index, ZONE),))
    return [
        Responder(
            Door("dns://:53", transport, "1", place),
            everywhere(chain),
            Rules(LIMITS[transport], cookie=lambda _, __: b""),
            memo if transport == "udp" else Memo(limit),
            Silent(),
            shared,
        )
        for place, transport in enumerate(transports)
    ]


def index_of(endpoints: int) -> Index:
    index = Index()
    index.load(Image(1, 1, {OWNER: entry(endpoints)}))
    return index


def ask(door: Responder, octets: bytes) -> bytes:
    reply = door.converse(octets, Peer("127.0.0.1", 1), lambda _: None)
    assert reply is not None
    return reply


def question(name: str = HEADLESS, rtype: str = "A", payload: int | None = None) -> bytes:
    query = dns.message.make_query(name, rtype)
    if payload is not None:
        query.use_edns(0, payload=payload)
    return query.to_wire()


def meaning(octets: bytes) -> tuple[object, ...]:
    """A reply whatever its id and the order of its addresses; of one that is cut how much, since which are left is chance."""
    cut = octets[2] << 8 & types.TC
    return octets[2:12], len(octets), [] if cut else sorted(octets[2:])


asked = st.tuples(
    st.sampled_from([0, 1, 2]),
    st.sampled_from([(HEADLESS, "A"), (HTTP, "SRV"), (HEADLESS, "TXT")]),
    st.sampled_from([None, 512, 800, 1232, 4096]),
)


# Without EDNS, additional records begin to be left out at 7 endpoints, answers at 10 (SRV) and 29 (A).
endpoints = st.sampled_from([0, 1, 2, 6, 7, 9, 10, 28, 29, 30, 50, 74, 75, 90])


# The lower limits make the memos' generations turn.
@given(
    st.lists(st.tuples(endpoints, st.lists(asked, min_size=1, max_size=10)), min_size=1, max_size=3),
    st.sampled_from([4_000, 8_000, 1 << 20]),
)
def test_any_interleaving_of_changes_and_doors_answers_as_doors_that_share_nothing(
    history: list[tuple[int, list[tuple[int, tuple[str, str], int | None]]]], limit: int
) -> None:
    index = index_of(0)
    transports = ("udp", "tcp", "udp")
    sharing = doors(index, *transports, limit=limit)
    for revision, (count, questions) in enumerate(history, 1):
        touched = index.apply(Patch(revision, revision + 1, 1, {OWNER: entry(count)}))
        for responder in sharing:
            responder.forget(touched)
        for door, (name, rtype), payload in questions * 3:
            octets = question(name, rtype, payload)
            (alone,) = doors(index, transports[door])
            assert meaning(ask(sharing[door], octets)) == meaning(ask(alone, octets))


@pytest.mark.parametrize("turns", [(0, 0, 1, 2), (1, 1, 0, 2), (0, 1, 2, 1)])
def test_what_fits_a_datagram_is_kept_once_for_all_doors(turns: tuple[int, ...]) -> None:
    sharing = doors(index_of(2), "udp", "tcp", "udp")
    octets = question()
    for door in turns:
        ask(sharing[door], octets)
    assert [[len(memo) for memo in door.memos] for door in sharing] == [[1], [1, 0], [1]]
    assert sum(door.tally.made for door in sharing) == 2  # a question enters on second sight


@pytest.mark.parametrize(
    ("endpoints", "name", "rtype", "payload"),
    [(80, HEADLESS, "A", None), (80, HEADLESS, "A", 1232), (7, HTTP, "SRV", None)],
    ids=["longer than 512 octets", "longer than 1,232 octets", "whose additional records don't fit"],
)
def test_what_fits_a_stream_only_is_kept_apart(endpoints: int, name: str, rtype: str, payload: int | None) -> None:
    udp, tcp = doors(index_of(endpoints), "udp", "tcp")
    octets = question(name, rtype, payload)
    sizes = {len(ask(door, octets)) for door in (udp, tcp) * 3}
    assert len(sizes) == 2
    assert ([len(memo) for memo in tcp.memos], udp.tally.made, tcp.tally.made) == ([1, 1], 2, 2)


def test_each_door_counts_what_it_gave() -> None:
    sharing = doors(index_of(2), "udp", "tcp", "udp")
    for door, times in zip(sharing, (3, 4, 5), strict=True):
        for _ in range(times):
            ask(door, question())
            ask(door, question("x.n.svc.cluster.local."))
    for door, times in zip(sharing, (3, 4, 5), strict=True):
        assert replies_of(door.tally) == {
            (types.A, types.NOERROR, "kubernetes", False, WHERE): times,
            (types.A, types.NXDOMAIN, "kubernetes", True, WHERE): times,
        }
    assert [door.tally.recalled for door in sharing] == [3, 7, 9]
