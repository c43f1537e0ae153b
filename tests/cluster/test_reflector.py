"""The reflector by histories recorded from a real API server, whole and cut, and by its requests."""

import pytest

from kdns.cluster.objects import RESOURCES, Drop, EndpointSlice, Key, Put, Reset, Resource, Service, Stamp, Synced
from kdns.cluster.reflector import Reflector, Wait
from kdns.cluster.targets import Request
from tests.cluster.api_server import Cluster, Player, bookmark, event, page, recorded, reflector_of, service, status
from tests.cluster.watched import listed

LINES = {"services": 13, "endpointslices": 14}
NAMES = {"services": {"api", "new", "out", "web"}, "endpointslices": {"api-1", "db-1", "web-1", "web-3"}}
CUTS = [(resource, at) for resource, count in LINES.items() for at in range(count)]
HOWS = ("failed", "closed", "silent", "gone")


@pytest.mark.parametrize("resource", NAMES)
@pytest.mark.parametrize("streams", [True, False])
def test_a_recorded_history_leads_to_its_last_state(resource: Resource, streams: bool) -> None:
    player = Player(recorded(resource), resource, streams=streams)
    player.play()
    assert player.cluster.names == NAMES[resource]
    assert player.cluster.synced == 1
    assert len(player.cluster.resets) == 1


def test_a_recorded_history_leads_to_these_objects() -> None:
    services, slices = Player(recorded("services")), Player(recorded("endpointslices"), "endpointslices")
    services.play()
    slices.play()
    new, out = (services.cluster.objects[Key("shop", name)] for name in ("new", "out"))
    assert isinstance(new, Service)
    assert new.headless
    assert isinstance(out, Service)
    assert out.external_name == "example.com"
    moved, half = (slices.cluster.objects[Key("shop", name)] for name in ("api-1", "web-1"))
    assert isinstance(moved, EndpointSlice)
    assert moved.service == "web"
    assert isinstance(half, EndpointSlice)
    assert half.not_ready == 1


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(("resource", "at"), CUTS)
def test_a_history_cut_anywhere_leads_to_the_same_state(resource: Resource, at: int, streams: bool, how: str) -> None:
    whole, cut = (Player(recorded(resource), resource, streams=streams) for _ in range(2))
    whole.play()
    cut.play(at, how)
    assert cut.cluster.objects == whole.cluster.objects
    assert cut.cluster.synced == 1


def asked(reflector: Reflector, now: float = 0.0) -> str:
    what = reflector.next(now)
    assert isinstance(what, Request)
    return what.target


def streaming(cluster: Cluster) -> Reflector:
    """A reflector whose list took so long in pages that its token expired."""
    reflector = reflector_of(cluster)
    pages(cluster, reflector, page(1, service("ghost", 1), token="t"))
    reflector.refused(410, status(410, "Expired"), None, 0.0)
    return reflector


def pages(cluster: Cluster, reflector: Reflector, octets: bytes, now: float = 0.0) -> None:
    for deltas in reflector.page(octets, now):
        cluster.apply(deltas)


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("namespaces", "/api/v1/namespaces"),
        ("services", "/api/v1/services"),
        ("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices"),
        ("pods", "/api/v1/pods"),
    ],
)
def test_the_first_request_is_for_a_page(resource: Resource, path: str) -> None:
    assert resource in RESOURCES
    assert asked(reflector_of(Cluster(), resource)) == f"{path}?limit=500"


def test_every_request_asks_for_the_selected_alone() -> None:
    cluster = Cluster()
    reflector = Reflector(
        "services", known=cluster.stamp, random=lambda: 1.0, report=cluster.problems.append, selector="a"
    )
    asked: list[Request | Wait] = [reflector.next(0)]
    for deltas in reflector.page(page(5, service("web", 3), token="t"), 0):
        cluster.apply(deltas)
    asked += [reflector.ahead or Wait(0), reflector.next(0)]
    reflector.refused(410, status(410, "Expired"), None, 0)
    asked.append(reflector.next(60))
    reflector.opened(60)
    reflector.line(bookmark(6, end=True), 60)
    asked.append(reflector.next(60))
    reflector.rereads.want(Key("shop", "x"), 60)
    again = reflector.reread(60)
    reflector.failed("reset by peer", 60)
    asked += [again.request if again else Wait(0), reflector.next(1000)]
    assert [isinstance(each, Request) and each.target.endswith("labelSelector=a") for each in asked] == [True] * 7


def test_a_list_whose_token_expired_is_asked_for_as_a_stream() -> None:
    assert asked(streaming(Cluster()), 99.0) == (
        "/api/v1/services?sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&watch=1&allowWatchBookmarks=true&timeoutSeconds=600"
    )


@pytest.mark.parametrize("code", [400, 405, 422, 501])
def test_a_server_that_refuses_streams_is_asked_for_pages_for_ever(code: int) -> None:
    cluster = Cluster()
    reflector = streaming(cluster)
    reflector.refused(code, status(code, "Invalid"), None, 0.0)
    assert asked(reflector, 99.0) == "/api/v1/services?limit=500"
    pages(cluster, reflector, page(7, service("ghost", 1), token="t"), 99.0)
    reflector.refused(410, status(410, "Expired"), None, 99.0)
    assert asked(reflector, 199.0) == "/api/v1/services?limit=500"
    assert reflector.trouble is None


def test_a_stream_that_breaks_off_twice_gives_way_to_pages() -> None:
    reflector = streaming(Cluster())
    for _ in range(2):
        assert "sendInitialEvents" in asked(reflector, 99.0)
        reflector.opened(0.0)
        reflector.line(event("ADDED", service("web", 3)), 0.0)
        reflector.failed("reset by peer", 0.0)
    assert asked(reflector, 99.0) == "/api/v1/services?limit=500"


def test_what_a_stream_listed_is_listed_by_a_stream_again() -> None:
    cluster = Cluster()
    reflector = streaming(cluster)
    reflector.opened(1.0)
    cluster.apply(reflector.line(bookmark(5, end=True), 1.0))
    reflector.line(event("ERROR", {"kind": "Status", "code": 410}), 1.0)
    assert "sendInitialEvents" in asked(reflector, 99.0)


def test_a_stream_that_ends_without_its_mark_is_no_list() -> None:
    cluster = Cluster()
    reflector = streaming(cluster)
    reflector.opened(0.0)
    cluster.apply(reflector.line(event("ADDED", service("web", 3)), 0.0))
    cluster.apply(reflector.line(bookmark(5), 0.0))
    reflector.closed(1.0)
    assert cluster.deltas == []
    assert not reflector.synced


def test_a_server_out_of_reach_is_no_reason_for_pages() -> None:
    reflector = streaming(Cluster())
    for _ in range(5):
        reflector.failed("connection refused", 0.0)
    assert "sendInitialEvents" in asked(reflector, 99.0)


def test_what_happens_while_a_stream_lists_counts() -> None:
    cluster = Cluster()
    reflector = streaming(cluster)
    reflector.opened(0.0)
    for line in (
        event("ADDED", service("web", 1)),
        event("ADDED", service("api", 2)),
        event("MODIFIED", service("web", 4, ip="10.96.0.9")),
        event("DELETED", service("api", 5)),
    ):
        assert reflector.line(line, 0.0) == ()
    cluster.apply(reflector.line(bookmark(5, end=True), 0.0))
    assert cluster.deltas == [
        Reset("services", (Service(Key("shop", "web"), Stamp("uid-web", "4"), (b"\x0a\x60\0\x09",)),)),
        Synced("services"),
    ]


def test_pages_become_one_reset_when_the_last_has_come() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    pages(cluster, reflector, page(9, service("api", 1), token="next page"))
    assert cluster.deltas == []
    assert asked(reflector) == "/api/v1/services?limit=500&continue=next+page"
    pages(cluster, reflector, page(9, service("web", 2)))
    assert cluster.names == {"api", "web"}
    assert [type(delta) for delta in cluster.deltas] == [Reset, Synced]
    assert asked(reflector) == (
        "/api/v1/services?resourceVersion=9&watch=1&allowWatchBookmarks=true&timeoutSeconds=600"
    )


def test_the_next_page_is_known_while_one_is_taken_in() -> None:
    reflector = reflector_of(Cluster())
    assert reflector_of(Cluster()).ahead is None
    steps = reflector.page(page(9, service("a", 1), service("b", 2), token="t"), 0.0)
    next(steps)
    assert reflector.ahead == Request("/api/v1/services?limit=500&continue=t", watch=False)
    assert list(steps) == [()]
    assert reflector.ahead == reflector.next(0.0)
    for _ in reflector.page(page(9, service("c", 3)), 0.0):
        assert reflector.ahead is None


def test_a_page_can_be_decoded_in_steps() -> None:
    reflector = reflector_of(Cluster())
    steps = list(reflector.page(page(9, service("a", 1), service("b", 2), service("c", 3)), 0.0))
    assert [len(step) for step in steps] == [0, 0, 0, 2]


@pytest.mark.parametrize("reason", ["", "Expired"])
def test_a_token_that_expired_restarts_the_list_at_once(reason: str) -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    pages(cluster, reflector, page(9, service("ghost", 1), token="t"))
    reflector.refused(410, status(410, reason), None, 5.0)
    assert "sendInitialEvents" in asked(reflector, 5.2)
    reflector.opened(5.2)
    cluster.apply(reflector.line(event("ADDED", service("web", 2)), 5.2))
    cluster.apply(reflector.line(bookmark(12, end=True), 5.2))
    assert cluster.names == {"web"}
    assert reflector.trouble is None


def test_half_a_list_counts_for_nothing() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    pages(cluster, reflector, page(9, service("ghost", 1), token="t"))
    reflector.failed("reset by peer", 5.0)
    assert cluster.deltas == []
    assert asked(reflector, 99.0) == "/api/v1/services?limit=500"


@pytest.mark.parametrize(
    "octets", [b"", b"{", b"null", b"[]", b'{"kind":"Table","rows":[]}', b'{"kind":"Status"}', b"<html>"]
)
def test_what_is_no_list_is_tried_again(octets: bytes) -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    pages(cluster, reflector, octets)
    assert reflector.trouble is not None
    assert reflector.trouble.startswith("services: what came is no list")
    assert isinstance(reflector.next(0.0), Wait)


def test_a_page_too_large_is_asked_for_in_halves() -> None:
    reflector = reflector_of(Cluster())
    reflector.oversized("a body of more than 64 MiB", 0.0)
    assert asked(reflector, 99.0) == "/api/v1/services?limit=250"
    for _ in range(12):
        reflector.oversized("a body of more than 64 MiB", 0.0)
    assert asked(reflector, 99.0) == "/api/v1/services?limit=1"


def test_a_relist_names_what_is_unchanged_by_key_only() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    listed(cluster, reflector, 5, service("same", 1), service("newer", 2), service("again", 3), service("gone", 4))
    reflector.line(event("ERROR", {"kind": "Status", "code": 410}), 9.0)
    listed(cluster, reflector, 9, service("same", 1), service("newer", 7), service("again", 3, uid="other"), now=20.0)
    reset = cluster.resets[-1]
    assert {each.key.name for each in reset.objects} == {"newer", "again"}
    assert reset.unchanged == frozenset((Key("shop", "same"),))
    assert cluster.names == {"same", "newer", "again"}
    assert cluster.synced == 1


def test_the_old_state_stays_until_the_new_list_is_whole() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    listed(cluster, reflector, 5, service("web", 1))
    reflector.line(event("ERROR", {"kind": "Status", "code": 410}), 9.0)
    pages(cluster, reflector, page(9, service("new", 7), token="t"), 20.0)
    assert cluster.names == {"web"}
    assert reflector.freshness == 0.0


def watching(cluster: Cluster, version: int = 5) -> Reflector:
    reflector = reflector_of(cluster)
    listed(cluster, reflector, version)
    return reflector


def test_events_become_deltas_one_by_one() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    web = Service(Key("shop", "web"), Stamp("uid-web", "6"), (b"\x0a\x60\0\1",))
    assert reflector.line(event("ADDED", service("web", 6)), 1.0) == (Put("services", web),)
    assert reflector.line(event("DELETED", service("web", 7)), 2.0) == (Drop("services", Key("shop", "web")),)
    assert reflector.freshness == 2.0
    assert reflector.counters.events == 2


@pytest.mark.parametrize("kind", ["MODIFIED", "ADDED"])
def test_a_change_of_an_unknown_object_makes_it_known(kind: str) -> None:
    cluster = Cluster()
    cluster.apply(watching(cluster).line(event(kind, service("web", 6)), 1.0))
    assert cluster.names == {"web"}


def test_an_unknown_object_can_go() -> None:
    assert watching(Cluster()).line(event("DELETED", service("web", 6)), 1.0) == (Drop("services", Key("shop", "web")),)


def test_an_event_that_comes_twice_leads_to_the_same_state() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    for _ in range(2):
        cluster.apply(reflector.line(event("ADDED", service("web", 6)), 1.0))
    assert cluster.names == {"web"}


def test_events_count_in_the_order_of_the_stream_whatever_their_numbers() -> None:
    cluster = Cluster()
    reflector = watching(cluster, 50)
    for version, ip in ((60, "10.96.0.1"), (55, "10.96.0.2")):
        cluster.apply(reflector.line(event("MODIFIED", service("web", version, ip=ip)), 1.0))
    web = cluster.objects[Key("shop", "web")]
    assert isinstance(web, Service)
    assert web.cluster_ips == (b"\x0a\x60\0\2",)


def test_a_finished_pod_is_gone() -> None:
    reflector = reflector_of(Cluster(), "pods")
    listed(Cluster(), reflector, 1)
    pod = {"metadata": {"name": "p", "namespace": "shop", "resourceVersion": "3"}, "status": {"phase": "Succeeded"}}
    assert reflector.line(event("MODIFIED", pod), 1.0) == (Drop("pods", Key("shop", "p")),)


def test_a_bookmark_moves_the_version_and_proves_freshness() -> None:
    reflector = watching(Cluster())
    assert reflector.line(bookmark(90), 33.0) == ()
    assert reflector.freshness == 33.0
    reflector.closed(40.0)
    assert "resourceVersion=90&" in asked(reflector, 40.0)


def test_a_bookmark_that_isnt_the_last_doesnt_end_a_list() -> None:
    cluster = Cluster()
    reflector = streaming(cluster)
    reflector.opened(0.0)
    cluster.apply(reflector.line(bookmark(3), 0.0))
    assert cluster.deltas == []


def test_what_is_left_out_of_an_object_is_reported_and_counted() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    reflector.line(event("ADDED", service("web", 6, ip="10.96.0.256")), 1.0)
    assert [(each.kind, each.key.name, each.field) for each in cluster.problems] == [
        ("Service", "web", "spec.clusterIPs[0]")
    ]
    assert reflector.counters.problems == {("Service", "spec.clusterIPs[]"): 1}
