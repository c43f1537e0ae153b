"""An audit and what the reflector makes of it: real differences are mended and counted, seeming ones are left alone."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.cluster.audit import Audit, Beginning
from kdns.cluster.decode import DecodeError
from kdns.cluster.doubts import REREADS_MAX
from kdns.cluster.objects import Drop, Key, Put, Stamp
from kdns.cluster.reflector import Reflector
from tests.cluster.api_server import Cluster, error, event, page, reflector_of, service
from tests.cluster.watched import asked, is_open, listed

WEB, API, DB = (service(name, version) for name, version in (("web", 3), ("api", 4), ("db", 5)))


def watching(cluster: Cluster, *items: dict[str, Any], version: int = 50) -> Reflector:
    reflector = reflector_of(cluster)
    listed(cluster, reflector, version, *items)
    return reflector


def listing(cluster: Cluster, reflector: Reflector, *pages: bytes) -> Audit:
    """An audit that was given these pages, without its second look."""
    audit = reflector.audit(tuple(cluster.objects), 100.0)
    assert audit is not None
    for octets in pages:
        assert list(audit.page(octets)) is not None
    assert audit.request is None
    return audit


def audited(cluster: Cluster, reflector: Reflector, *pages: bytes) -> None:
    reflector.audited(listing(cluster, reflector, *pages), 110.0)


def mend(cluster: Cluster, reflector: Reflector, *there: dict[str, Any]) -> list[str]:
    """Answers all rereads with what is there; the names that were asked for."""
    asked_for = []
    while (reread := reflector.reread(111.0)) is not None:
        asked_for.append(reread.key.name)
        items = [each for each in there if each["metadata"]["name"] == reread.key.name]
        cluster.apply(reflector.reread_came(reread, page(60, *items), 111.0))
    return sorted(asked_for)


def test_an_audit_asks_for_metadata_in_pages_of_500() -> None:
    audit = watching(Cluster()).audit((), 0.0)
    assert audit is not None
    targets = []
    for token in ("t", ""):
        assert audit.request is not None
        assert audit.request.heads
        targets.append(audit.request.target)
        for _ in audit.page(page(50, token=token)):
            pass
    assert targets == ["/api/v1/services?limit=500", "/api/v1/services?limit=500&continue=t"]
    assert audit.request is None


def test_nothing_is_compared_while_a_list_is_under_way() -> None:
    reflector = watching(Cluster(), WEB)
    reflector.line(error(410), 1.0)
    assert reflector.audit((), 2.0) is None


def test_where_nothing_differs_nothing_is_read_again_and_freshness_is_proven() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB, API)
    audited(cluster, reflector, page(60, WEB, token="t"), page(60, API))
    assert mend(cluster, reflector) == []
    assert (reflector.freshness, reflector.audited_at, reflector.counters.audits) == (100.0, 100.0, 1)
    assert not reflector.counters.repairs


def test_what_a_silent_gap_lost_is_mended_and_counted_by_kind() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB, API)
    newer = service("web", 55, ip="10.96.0.9")
    audited(cluster, reflector, page(60, newer, DB))
    assert mend(cluster, reflector, newer, DB) == ["api", "db", "web"]
    assert cluster.names == {"web", "db"}
    assert cluster.stamp(Key("shop", "web")) == ("uid-web", "55")
    assert reflector.counters.repairs == {"missing": 1, "outdated": 1, "gone": 1}
    assert reflector.freshness == 0.0


def test_what_only_was_on_its_way_is_no_repair() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB)
    newer = service("web", 55)
    audit = listing(cluster, reflector, page(60, newer, DB))
    for line in (event("MODIFIED", newer), event("ADDED", DB)):
        cluster.apply(reflector.line(line, 101.0))
    reflector.audited(audit, 110.0)
    assert mend(cluster, reflector) == []
    assert not reflector.counters.repairs


def test_what_changed_after_the_state_that_was_listed_is_not_in_doubt() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB)
    audit = reflector.audit(tuple(cluster.objects), 100.0)
    assert audit is not None
    for line in (event("MODIFIED", service("web", 70)), event("ADDED", service("new", 71))):
        cluster.apply(reflector.line(line, 100.5))
    list(audit.page(page(60, WEB)))
    assert audit.suspects == {}


def test_what_is_heard_of_before_it_has_been_read_again_is_no_repair() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB)
    newer = service("web", 55)
    audited(cluster, reflector, page(60, newer))
    reread = reflector.reread(110.0)
    assert reread is not None
    cluster.apply(reflector.line(event("MODIFIED", newer), 110.5))
    assert reflector.reread_came(reread, page(60, newer), 111.0) == ()
    assert not reflector.counters.repairs


def test_a_suspect_that_proves_to_be_as_it_is_known_is_no_repair() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB)
    audited(cluster, reflector, page(60, service("web", "zz")))
    assert mend(cluster, reflector, WEB) == ["web"]
    assert not reflector.counters.repairs


def test_an_object_that_came_again_under_its_name_is_outdated() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB)
    other = service("web", 55, uid="another")
    audited(cluster, reflector, page(60, other))
    mend(cluster, reflector, other)
    assert cluster.stamp(Key("shop", "web")) == ("another", "55")
    assert reflector.counters.repairs == {"outdated": 1}


def test_of_more_than_can_be_read_one_by_one_all_is_listed_anew_and_each_counted() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB, API)
    many = [service(f"s{number}", 52) for number in range(REREADS_MAX + 1)]
    audited(cluster, reflector, page(60, WEB, *many))
    assert not is_open(reflector)
    assert asked(reflector, 110.0) == "limit=500"
    listed(cluster, reflector, 61, WEB, *many[1:], now=111.0)
    assert cluster.names == {"web", *(f"s{number}" for number in range(1, REREADS_MAX + 1))}
    assert reflector.counters.repairs == {"missing": REREADS_MAX, "gone": 1}


def test_a_list_made_meanwhile_makes_an_audit_void() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB)
    audit = listing(cluster, reflector, page(60, API))
    reflector.line(error(410), 101.0)
    listed(cluster, reflector, 70, API, now=105.0)
    reflector.audited(audit, 110.0)
    assert mend(cluster, reflector) == []
    assert reflector.counters.audits == 0


def test_a_state_older_than_was_known_before_the_audit_means_a_history_that_went_back() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB, version=1000)
    audited(cluster, reflector, page(40, WEB))
    assert asked(reflector, 116.0) == "limit=500"
    listed(cluster, reflector, 41, WEB, now=121.0)
    assert cluster.resets[-1].unchanged == frozenset()
    assert reflector.counters.rewinds == 1


def pod(name: str, phase: str, version: int = 3) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": str(version)}
    return {"metadata": metadata, "status": {"phase": phase, "podIP": "10.0.0.1"}}


@pytest.mark.parametrize("by_event", [False, True])
def test_objects_of_no_use_are_not_missed_again_and_again(by_event: bool) -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, "pods")
    finished = pod("job", "Succeeded", 9)
    listed(cluster, reflector, 50, pod("job", "Running") if by_event else finished)
    if by_event:
        cluster.apply(reflector.line(event("MODIFIED", finished), 1.0))
    assert listing(cluster, reflector, page(60, finished)).suspects == {}


def test_an_object_of_no_use_that_wasnt_heard_of_is_read_once() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, "pods")
    listed(cluster, reflector, 50)
    finished = pod("job", "Succeeded", 9)
    for expected in (["job"], []):
        audited(cluster, reflector, page(60, finished))
        assert mend(cluster, reflector, finished) == expected
    assert not reflector.counters.repairs


def test_of_objects_that_are_gone_nothing_is_remembered() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, "pods")
    listed(cluster, reflector, 50, pod("job", "Succeeded", 9), pod("other", "Failed", 9))
    assert len(reflector.doubts.left_out()) == 2
    audited(cluster, reflector, page(60, pod("job", "Succeeded", 9)))
    assert len(reflector.doubts.left_out()) == 1


def test_what_is_no_list_is_no_audit() -> None:
    audit = watching(Cluster(), WEB).audit((), 0.0)
    assert audit is not None
    with pytest.raises(DecodeError):
        list(audit.page(b"<html>"))


versions = st.integers(1, 9)
states = st.dictionaries(st.sampled_from("abcdef"), versions)


@given(states, states, st.integers(1, 3))
def test_suspects_are_exactly_what_differs(known: dict[str, int], there: dict[str, int], size: int) -> None:
    stamps = {Key("shop", name): Stamp(f"uid-{name}", str(version)) for name, version in known.items()}
    audit = Audit("services", stamps.get, tuple(stamps), set(), Beginning(0.0, 1, "9"))
    items = [service(name, version) for name, version in there.items()]
    for start in range(0, max(1, len(items)), size):
        token = "t" if start + size < len(items) else ""
        list(audit.page(page(10, *items[start : start + size], token=token)))
    differing = {name for name in known | there if known.get(name) != there.get(name)}
    assert {key.name for key in audit.suspects} == differing
    assert audit.second_look() == {Key("shop", name): stamps.get(Key("shop", name)) for name in differing}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(("ADDED", "DELETED")), st.booleans())))
def test_whatever_was_lost_the_next_audit_makes_good(changes: Sequence[tuple[str, str, bool]]) -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB)
    there = {"web": WEB}
    for version, (name, kind, lost) in enumerate(changes, 51):
        changed = service(name, version)
        there.pop(name, None)
        if kind == "ADDED":
            there[name] = changed
        if not lost:
            cluster.apply(reflector.line(event(kind, changed), 1.0))
    before = dict(cluster.objects)
    audited(cluster, reflector, page(200, *there.values()))
    mend(cluster, reflector, *there.values())
    assert {key.name: each.stamp.version for key, each in cluster.objects.items()} == {
        name: each["metadata"]["resourceVersion"] for name, each in there.items()
    }
    assert (sum(reflector.counters.repairs.values()) > 0) == (before != cluster.objects)


def test_deltas_of_repairs_are_plain_puts_and_drops() -> None:
    cluster = Cluster()
    reflector = watching(cluster, WEB)
    audited(cluster, reflector, page(60, API))
    cluster.deltas.clear()
    mend(cluster, reflector, API)
    assert sorted(type(delta).__name__ for delta in cluster.deltas) == [Drop.__name__, Put.__name__]
