"""The store: what lies in it is what was put, however it came; what belongs together is found together."""

from collections import Counter

import pytest
from hypothesis import given

from kdns.cluster.objects import (
    RESOURCES,
    Delta,
    Drop,
    EndpointSlice,
    Import,
    Key,
    Namespace,
    Pod,
    Put,
    Reset,
    Service,
    Stamp,
    Synced,
)
from kdns.cluster.store import Store, Touched
from kdns.zone.entry import pack_slice, with_cluster
from tests.cluster.histories import ADDRESSES, after, from_nothing, histories

WEB = Key("shop", "web")
STAMP = Stamp("u", "1")
ONE, TWO = (pack_slice(4, (), [(address, b"")]) for address in ADDRESSES[:2])
NOTHING = Touched(set(), set(), set(), set())


def store_of(*deltas: Delta) -> Store:
    store = Store()
    for delta in deltas:
        store.apply(delta)
    return store


def slice_of(name: str, service: str, packed: bytes = ONE) -> Put:
    return Put("endpointslices", EndpointSlice(Key("shop", name), STAMP, service, packed))


@given(histories, histories)
def test_after_a_reset_the_store_is_as_if_begun_there(before: list[Delta], there: list[Delta]) -> None:
    goal = after(there)
    begun, reset = store_of(*from_nothing(goal)), store_of(*before, *from_nothing(goal))
    assert seen(reset) == seen(begun)


@given(histories)
def test_store_holds_what_the_deltas_mean(history: list[Delta]) -> None:
    store, there = store_of(*history), after(history)
    for resource in RESOURCES:
        assert {each.key: each for each in store.objects(resource)} == there[resource]
        assert set(store.keys(resource)) == there[resource].keys()
        assert store.count(resource) == len(there[resource])
        assert {key: store.get(resource, key) for key in there[resource]} == there[resource]
        assert all(store.stamp(resource, key) == each.stamp for key, each in there[resource].items())
        assert store.synced(resource) == (Synced(resource) in history)


@given(histories)
def test_slices_and_pods_are_joined_as_a_search_would_find_them(history: list[Delta]) -> None:
    store, there = store_of(*history), after(history)
    slices = [each for _, each in sorted(there["endpointslices"].items()) if isinstance(each, EndpointSlice)]
    for service in {Key(each.key.namespace, each.service) for each in slices}:
        mine = [each.packed for each in slices if (each.key.namespace, each.service) == service] if service.name else []
        assert store.slices(service) == mine
    for key in {Key(each.key.namespace, each.imported.service) for each in slices if each.imported}:
        assert store.imported_slices(key) == [
            with_cluster(each.packed, each.imported.cluster.encode())
            for each in slices
            if each.imported and (each.key.namespace, each.imported.service) == key
        ]
    pods = [each for each in there["pods"].values() if isinstance(each, Pod)]
    counts = Counter((each.key.namespace, address) for each in pods for address in each.addresses)
    assert all(store.pods_at(*where) == count for where, count in counts.items())
    assert store.everything().pods == set(counts)


def seen(store: Store) -> object:
    everything = store.everything()
    return (
        [sorted(store.objects(resource)) for resource in RESOURCES],
        everything,
        {key: (store.service(key), store.slices(key)) for key in everything.services},
        {where: store.pods_at(*where) for where in everything.pods},
        {key: (store.service_import(key), store.imported_slices(key)) for key in everything.imports},
    )


@given(histories)
def test_what_is_in_a_namespace_is_what_there_is_of_it_in_everything(history: list[Delta]) -> None:
    store = store_of(*history)
    everything = store.everything()
    for namespace in ("n", "m", "never"):
        within = store.within(namespace)
        assert within.services == {key for key in everything.services if key.namespace == namespace}
        assert within.pods == {pod for pod in everything.pods if pod[0] == namespace}
        assert within.imports == {key for key in everything.imports if key.namespace == namespace}
        assert within.namespaces == set()


def test_what_never_was_is_not_there() -> None:
    store = Store()
    assert (store.get("pods", WEB), store.stamp("pods", WEB), store.service(WEB)) == (None, None, None)
    assert (store.slices(WEB), store.pods_at("shop", ADDRESSES[0]), store.has_any("services", "shop")) == ([], 0, False)
    assert not store.synced("pods")
    assert store.everything() == NOTHING


def test_slices_join_a_service_by_label_before_it_comes_and_after_it_goes() -> None:
    store = store_of(slice_of("z", "web", ONE), slice_of("y", "web", TWO), slice_of("x", "other"))
    assert store.slices(WEB) == [TWO, ONE]
    store.apply(Put("services", Service(WEB, STAMP)))
    store.apply(Drop("services", WEB))
    assert store.slices(WEB) == [TWO, ONE]


def test_slice_whose_label_changed_leaves_one_service_and_joins_another_in_one_step() -> None:
    store = store_of(slice_of("s", "web"))
    assert store.apply(slice_of("s", "other")) == Touched({WEB, Key("shop", "other")}, set(), set(), set())
    assert (store.slices(WEB), store.slices(Key("shop", "other"))) == ([], [ONE])


def test_a_slice_joins_the_import_and_the_service_that_it_names() -> None:
    both = EndpointSlice(Key("shop", "s"), STAMP, "derived", ONE, imported=Import("web", "east"))
    store = store_of(Put("endpointslices", both))
    assert (store.slices(Key("shop", "derived")), store.slices(WEB)) == ([ONE], [])
    assert store.imported_slices(WEB) == [with_cluster(ONE, b"east")]
    moved = both._replace(imported=Import("other", "east"))
    assert store.apply(Put("endpointslices", moved)).imports == {WEB, Key("shop", "other")}
    assert store.imported_slices(WEB) == []


def test_slice_without_label_belongs_nowhere() -> None:
    store = store_of(slice_of("s", "web"))
    store.apply(slice_of("s", ""))
    assert store.slices(WEB) == []
    assert store.slices(Key("shop", "")) == []
    assert store.count("endpointslices") == 1


def test_slice_of_another_namespace_belongs_elsewhere() -> None:
    store = store_of(Put("endpointslices", EndpointSlice(Key("bar", "s"), STAMP, "web", ONE)))
    assert store.slices(WEB) == []


def test_the_same_again_touches_nothing() -> None:
    store = store_of(slice_of("s", "web"))
    assert store.apply(slice_of("s", "web")) == NOTHING
    assert store.apply(Reset("endpointslices", (), frozenset({Key("shop", "s")}))) == NOTHING
    assert store.apply(Drop("endpointslices", WEB)) == NOTHING


def test_only_the_first_and_last_sight_of_a_service_touches_its_namespace() -> None:
    store = Store()
    assert store.apply(Put("services", Service(WEB, STAMP))) == Touched({WEB}, {"shop"}, set(), set())
    assert store.apply(Put("services", Service(WEB, STAMP, headless=True))) == Touched({WEB}, set(), set(), set())
    assert store.apply(Drop("services", WEB)) == Touched({WEB}, {"shop"}, set(), set())
    assert not store.has_any("services", "shop")


def test_namespace_touches_itself() -> None:
    delta = Put("namespaces", Namespace(Key("", "shop"), STAMP))
    assert Store().apply(delta) == Touched(set(), {"shop"}, set(), set())


def test_pods_are_counted_by_address() -> None:
    one, two = ADDRESSES[:2]
    store = store_of(
        Put("pods", Pod(WEB, STAMP, (one, two))),
        Put("pods", Pod(Key("shop", "p"), STAMP, (one,))),
    )
    assert (store.pods_at("shop", one), store.pods_at("shop", two), store.pods_at("bar", one)) == (2, 1, 0)
    assert store.apply(Put("pods", Pod(WEB, STAMP, (one,)))) == Touched(set(), set(), {("shop", two)}, set())
    assert store.apply(Drop("pods", WEB)) == Touched(set(), {"shop"}, {("shop", one)}, set())
    assert (store.pods_at("shop", one), store.pods_at("shop", two)) == (1, 0)


def test_another_uid_is_another_object() -> None:
    store = store_of(Put("services", Service(WEB, Stamp("first", "9"), (ADDRESSES[0],))))
    store.apply(Put("services", Service(WEB, Stamp("second", "3"), headless=True)))
    assert store.service(WEB) == Service(WEB, Stamp("second", "3"), headless=True)


# Snapshots


@given(histories)
def test_a_restored_store_is_the_one_whose_rows_it_got(history: list[Delta]) -> None:
    store, restored = store_of(*history), Store()
    restored.restore(store.rows(RESOURCES))
    assert seen(restored) == seen(store)
    assert all(restored.synced(resource) and restored.stale(resource) for resource in RESOURCES)


@given(histories, histories)
def test_what_is_listed_after_a_restore_is_all_there_is(before: list[Delta], there: list[Delta]) -> None:
    goal = after(there)
    restored = Store()
    restored.restore(store_of(*before).rows(RESOURCES))
    for resource in RESOURCES:
        restored.apply(Reset(resource, tuple(goal[resource].values())))
        restored.apply(Synced(resource))
    assert seen(restored) == seen(store_of(*from_nothing(goal)))
    assert not any(restored.stale(resource) for resource in RESOURCES)


def test_what_was_listed_already_is_not_restored() -> None:
    new, old = (slice_of(name, "web") for name in ("new", "old"))
    store = store_of(Reset("endpointslices", (new.object,)), Synced("endpointslices"))
    store.restore(store_of(old).rows(("endpointslices", "services")))
    assert list(store.keys("endpointslices")) == [new.object.key]
    assert (store.stale("endpointslices"), store.stale("services")) == (False, True)


def test_what_is_not_there_to_be_listed_any_more_is_gone() -> None:
    store = Store()
    pod = Pod(Key("shop", "a"), STAMP, ADDRESSES[:1])
    store.restore(store_of(Put("pods", pod)).rows(("pods",)))
    assert store.pods_at("shop", ADDRESSES[0]) == 1
    assert store.apply(Synced("pods")).pods == {("shop", ADDRESSES[0])}
    assert (store.count("pods"), store.stale("pods")) == (0, False)


def test_rows_given_away_stay_as_they_are() -> None:
    store = store_of(slice_of("a", "web"))
    rows = store.rows(("endpointslices",))
    store.apply(slice_of("b", "web"))
    assert [*rows["endpointslices"]["shop"]] == ["a"]


def test_what_is_no_row_is_told() -> None:
    with pytest.raises(ValueError, match="services shop/web: "):
        Store().restore({"services": {"shop": {"web": b"\xc0"}}})
