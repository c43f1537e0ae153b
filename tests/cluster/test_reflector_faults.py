"""The reflector when the API server is slow, away, wrong, or not itself any more."""

from collections.abc import Callable

import pytest

from kdns.cluster.objects import Drop, Key
from kdns.cluster.reflector import Reflector
from kdns.cluster.targets import Request
from tests.cluster.api_server import Cluster, bookmark, error, event, page, reflector_of, service, status
from tests.cluster.watched import WEB, asked, is_open, listed, probed, trouble, waits, watching

# Watches that end


def test_a_watch_that_came_to_something_is_taken_up_again_at_once() -> None:
    reflector = watching(Cluster())
    reflector.line(event("MODIFIED", service("web", 8)), 2.0)
    reflector.closed(3.0)
    assert asked(reflector, 3.0) == "resourceVersion=8"
    assert reflector.counters.reconnects == 1
    assert reflector.trouble is None


def test_a_watch_that_lived_long_without_an_event_came_to_something() -> None:
    reflector = watching(Cluster())
    reflector.closed(1.0)
    reflector.opened(100.0)
    reflector.closed(170.0)
    assert waits(reflector, 170.0) == 0.0


def test_watches_that_end_at_once_again_and_again_are_taken_up_after_five_seconds_at_most() -> None:
    reflector = watching(Cluster())
    delays = []
    now = 0.0
    reflector.line(bookmark(6), now)
    reflector.closed(now)
    for _ in range(8):
        reflector.opened(now)
        reflector.closed(now)
        delays.append(round(waits(reflector, now), 3))
        now += delays[-1]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    reflector.opened(now)
    reflector.line(bookmark(7), now)
    reflector.closed(now)
    assert waits(reflector, now) == 0.0


def test_connections_that_fail_are_tried_again_after_ten_seconds_at_most() -> None:
    reflector = reflector_of(Cluster())
    delays = []
    for _ in range(8):
        reflector.failed("connection refused", 0.0)
        delays.append(round(waits(reflector, 0.0), 3))
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 0.1), (0.5, 0.15), (1.0, 0.2)])
def test_half_of_a_delay_is_chance(chance: float, expected: float) -> None:
    reflector = reflector_of(Cluster(), random=lambda: chance)
    reflector.failed("connection refused", 0.0)
    assert waits(reflector, 0.0) == pytest.approx(expected)


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 300), (0.5, 450), (0.999, 599)])
def test_watches_ask_to_last_for_different_times(chance: float, expected: int) -> None:
    reflector = reflector_of(Cluster(), random=lambda: chance)
    listed(Cluster(), reflector, 5)
    what = reflector.next(0.0)
    assert isinstance(what, Request)
    assert what.target.endswith(f"timeoutSeconds={expected}")


def test_a_server_that_comes_back_is_taken_up_where_it_left_off() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    reflector.failed("reset by peer", 10.0)
    assert trouble(reflector) == "services: reset by peer"
    reflector.failed("connection refused", 11.0)
    probed(reflector, 5, 20.0)
    assert asked(reflector, 20.0) == "resourceVersion=5"
    reflector.opened(20.0)
    assert reflector.trouble is None
    assert reflector.freshness == 20.0
    assert cluster.names == {"web"}
    assert reflector.counters.lists == 1


# Silence


def test_a_watch_without_a_sound_for_100_seconds_is_opened_anew() -> None:
    reflector = watching(Cluster())
    assert reflector.idle_s == 100.0
    reflector.silent(100.0)
    assert not is_open(reflector)
    assert reflector.trouble is None
    probed(reflector, 5, 100.0)
    assert asked(reflector, 100.0) == "resourceVersion=5"


@pytest.mark.parametrize("marked", [True, False])
def test_servers_that_never_send_a_bookmark_may_be_silent_for_longer(marked: bool) -> None:
    reflector = watching(Cluster())
    if marked:
        reflector.line(bookmark(6), 1.0)
    for now in (100.0, 200.0):
        reflector.silent(now)
        probed(reflector, 6, now)
        reflector.opened(now)
    assert reflector.idle_s == (100.0 if marked else 310.0)


def test_a_list_may_stall_for_30_seconds() -> None:
    reflector = reflector_of(Cluster())
    assert reflector.idle_s == 30.0
    reflector.silent(30.0)
    assert reflector.trouble == "services: not an octet for 30 s"
    assert asked(reflector, 31.0) == "limit=500"


def test_a_list_that_comes_as_a_stream_may_stall_for_30_seconds() -> None:
    reflector = reflector_of(Cluster())
    for _ in reflector.page(page(1, WEB, token="t"), 0.0):
        pass
    reflector.refused(410, status(410, "Expired"), None, 0.0)
    reflector.opened(1.0)
    reflector.line(event("ADDED", WEB), 1.0)
    assert reflector.idle_s == 30.0
    reflector.silent(31.0)
    assert reflector.trouble == "services: not an octet for 30 s"


def test_an_answer_whose_head_never_comes_is_trouble() -> None:
    reflector = watching(Cluster())
    reflector.closed(1.0)
    reflector.silent(31.0)
    assert reflector.trouble == "services: not an octet for 30 s"


# A place in the history that isn't there any more


@pytest.mark.parametrize("in_stream", [True, False])
def test_an_expired_place_means_a_new_list_and_no_trouble(in_stream: bool) -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    if in_stream:
        assert reflector.line(error(410, "Expired"), 9.0) == ()
    else:
        reflector.closed(9.0)
        assert reflector.refused(410, status(410, "Expired"), None, 9.0) == ()
    assert not is_open(reflector)
    assert reflector.trouble is None
    assert cluster.names == {"web"}
    assert asked(reflector, 12.0) == "limit=500"


def test_what_went_in_the_gap_is_gone_after_the_new_list() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    reflector.line(error(410), 9.0)
    listed(cluster, reflector, 31, service("new", 30), now=12.0)
    assert cluster.names == {"new"}
    assert reflector.counters.relists == 1


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.1), (0.5, 1.15), (1.0, 2.2)])
def test_not_all_list_again_at_once(chance: float, delay: float) -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, random=lambda: chance)
    listed(cluster, reflector, 5)
    reflector.line(error(410), 9.0)
    assert waits(reflector, 9.0) == pytest.approx(delay)


def test_lists_that_lead_to_no_watch_come_less_and_less_often() -> None:
    reflector = watching(Cluster())
    delays = []
    for _ in range(9):
        reflector.line(error(410), 0.0)
        delays.append(round(waits(reflector, 0.0) - 2.0, 3))
        listed(Cluster(), reflector, 5)
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]


@pytest.mark.parametrize("code", [400, 422])
def test_a_server_that_doesnt_understand_our_version_is_listed_anew(code: int) -> None:
    reflector = watching(Cluster())
    reflector.closed(1.0)
    reflector.refused(code, status(code, "BadRequest", "invalid resource version"), None, 1.0)
    assert asked(reflector, 99.0) == "limit=500"


def test_error_events_at_the_same_place_again_and_again_mean_a_new_list() -> None:
    reflector = watching(Cluster())
    for _ in range(2):
        reflector.line(error(500, "InternalError"), 0.0)
        assert asked(reflector, 99.0) == "resourceVersion=5"
        reflector.opened(0.0)
        assert reflector.trouble is not None
    reflector.line(error(500, "InternalError"), 0.0)
    assert asked(reflector, 99.0) == "limit=500"


# A history that went back (K26), or lags (K25)


def old_probe(reflector: Reflector) -> None:
    reflector.failed("reset by peer", 1.0)
    probed(reflector, 40, 9.0)


def old_bookmark(reflector: Reflector) -> None:
    reflector.line(bookmark(40), 1.0)


@pytest.mark.parametrize(
    "how",
    [old_probe, old_bookmark],
)
def test_a_history_that_went_back_is_listed_anew_and_nothing_of_it_taken_for_known(
    how: Callable[[Reflector], None],
) -> None:
    cluster = Cluster()
    reflector = watching(cluster, 1000)
    how(reflector)
    assert asked(reflector, 15.0) == "limit=500"
    listed(cluster, reflector, 41, WEB, now=19.0)
    assert cluster.resets[-1].unchanged == frozenset()
    assert reflector.counters.rewinds == 1
    assert reflector.counters.relists == 1
    assert reflector.trouble is None


def test_a_list_older_than_what_was_seen_is_taken_once_nothing_else_came_for_ten_seconds() -> None:
    cluster = Cluster()
    reflector = watching(cluster, 1000)
    reflector.line(error(410), 1.0)
    for now in (10.0, 15.0, 19.9):
        assert list(reflector.page(page(40, WEB), now))[-1] == ()
        assert len(cluster.resets) == 1
        assert reflector.trouble == (
            "services: the newest state is 40, older than 1000, which was seen; what was last known stays"
        )
    listed(cluster, reflector, 40, WEB, now=20.0)
    assert [len(reset.objects) for reset in cluster.resets] == [1, 1]
    assert reflector.counters.rewinds == 1
    reflector.closed(21.0)
    assert asked(reflector, 99.0) == "resourceVersion=40"


def test_a_watch_that_ends_long_after_the_last_proof_of_freshness_has_the_history_compared() -> None:
    reflector = watching(Cluster(), 1000)
    reflector.line(bookmark(1001), 60.0)
    reflector.closed(71.0)
    probed(reflector, 1001, 71.0)
    reflector.opened(71.0)
    assert reflector.freshness == 71.0
    reflector.closed(81.0)
    assert asked(reflector, 90.0) == "resourceVersion=1001"


def test_a_server_that_only_lagged_is_no_history_that_went_back() -> None:
    cluster = Cluster()
    reflector = watching(cluster, 1000)
    reflector.line(error(410), 1.0)
    for now, version in ((10.0, 40), (16.0, 1001)):
        listed(cluster, reflector, version, WEB, now=now)
    reflector.line(error(410), 30.0)
    list(reflector.page(page(41, WEB), 40.0))
    assert reflector.counters.rewinds == 0
    assert reflector.counters.relists == 1


def test_a_version_in_the_servers_future_is_compared_before_it_is_asked_for_again() -> None:
    reflector = watching(Cluster(), 1000)
    reflector.closed(0.0)
    body = status(504, "Timeout", "Too large resource version", causes=[{"reason": "ResourceVersionTooLarge"}])
    reflector.refused(504, body, 1.0, 0.0)
    assert 1.0 <= waits(reflector, 0.0) <= 1.2
    probed(reflector, 1000, 2.0)
    assert asked(reflector, 2.0) == "resourceVersion=1000"


def test_a_server_whose_cache_lags_is_asked_for_pages() -> None:
    reflector = reflector_of(Cluster())
    body = status(504, "Timeout", causes=[{"reason": "ResourceVersionTooLarge"}])
    reflector.refused(504, body, 1.0, 0.0)
    assert asked(reflector, 9.0) == "limit=500"


def test_versions_that_are_no_numbers_are_never_ordered() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    reflector.opened(0.0)
    reflector.line(bookmark("zz-9", end=True), 0.0)
    reflector.line(bookmark("aa-1"), 1.0)
    assert is_open(reflector)
    assert reflector.counters.rewinds == 0


# What can't be decoded


def broken(name: str, version: int) -> bytes:
    """An event whose object can't be decoded beyond its metadata: an address isn't UTF-8."""
    return event("MODIFIED", service(name, version, ip="???")).replace(b"???", b"\xff\xfe")


def test_an_object_that_cant_be_decoded_stays_as_it_was_and_is_read_again() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    assert reflector.line(broken("web", 7), 1.0) == ()
    assert cluster.names == {"web"}
    assert reflector.counters.undecodable == 1
    assert [each.key.name for each in cluster.problems] == ["web"]
    reread = reflector.reread(1.0)
    assert reread is not None
    assert reread.request == Request("/api/v1/namespaces/shop/services?fieldSelector=metadata.name%3Dweb", watch=False)
    assert reflector.reread(1.0) is None
    cluster.apply(reflector.reread_came(reread, page(8, service("web", 8)), 2.0))
    assert cluster.stamp(Key("shop", "web")) == ("uid-web", "8")
    assert reflector.line(event("ADDED", service("api", 9)), 3.0) != ()


def test_an_object_that_is_gone_when_it_is_read_again_is_gone() -> None:
    reflector = watching(Cluster())
    reflector.line(broken("web", 7), 1.0)
    reread = reflector.reread(1.0)
    assert reread is not None
    assert reflector.reread_came(reread, page(8), 2.0) == (Drop("services", Key("shop", "web")),)


def test_an_object_heard_of_meanwhile_is_newer_than_its_reread() -> None:
    reflector = watching(Cluster())
    reflector.line(broken("web", 7), 1.0)
    reread = reflector.reread(1.0)
    assert reread is not None
    reflector.line(event("MODIFIED", service("web", 9)), 1.5)
    assert reflector.reread_came(reread, page(8, service("web", 8)), 2.0) == ()


def test_an_object_that_stays_undecodable_is_read_again_three_times_and_then_left_alone() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    reflector.line(broken("web", 7), 0.0)
    times = []
    while reflector.rereads.due < float("inf"):
        times.append(reflector.rereads.due)
        reread = reflector.reread(times[-1])
        assert reread is not None
        reflector.reread_came(reread, b"", times[-1])
    assert times == [0.0, 5.0, 10.0]
    assert cluster.names == {"web"}


def test_an_item_of_a_list_that_cant_be_decoded_doesnt_hold_up_the_rest() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    reflector.line(error(410), 1.0)
    reflector.opened(9.0)
    for line in (broken("web", 7), event("ADDED", service("api", 8)), bookmark(9, end=True)):
        cluster.apply(reflector.line(line, 9.0))
    assert cluster.names == {"web", "api"}
    assert Key("shop", "web") in cluster.resets[-1].unchanged
    assert reflector.reread(9.0) is not None


@pytest.mark.parametrize(
    "line",
    [b"{", b"null", b'{"type":"ADDED"}', b'{"type":"WHAT","object":{}}', b"\xff", event("ADDED", {"metadata": {}})],
)
def test_an_event_that_doesnt_say_whose_it_is_leads_to_a_new_list_but_not_without_end(line: bytes) -> None:
    reflector = watching(Cluster())
    reflector.line(line, 59.0)
    assert is_open(reflector)
    reflector.line(line, 60.0)
    assert not is_open(reflector)
    assert asked(reflector, 60.0) == "limit=500"
    assert reflector.counters.undecodable == 2


def test_an_event_missed_soon_after_a_list_is_made_good_at_the_next_bookmark() -> None:
    reflector = watching(Cluster())
    reflector.line(b"{", 1.0)
    reflector.line(bookmark(6), 55.0)
    assert is_open(reflector)
    reflector.line(bookmark(7), 61.0)
    assert not is_open(reflector)
