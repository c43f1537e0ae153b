"""A digest is the same exactly where the objects are, whatever way led there."""

from hypothesis import given

from kdns.cluster.objects import RESOURCES, Delta, Key, Put, Service, Stamp
from kdns.cluster.store import Store
from tests.cluster.histories import after, from_nothing, histories


def store_of(*deltas: Delta) -> Store:
    store = Store()
    for delta in deltas:
        store.apply(delta)
    return store


@given(histories)
def test_a_digest_follows_from_the_objects_alone(history: list[Delta]) -> None:
    lived, made = store_of(*history), store_of(*from_nothing(after(history)))
    assert [lived.digest(resource) for resource in RESOURCES] == [made.digest(resource) for resource in RESOURCES]


@given(histories, histories)
def test_digests_differ_where_objects_do(one: list[Delta], other: list[Delta]) -> None:
    first, second = store_of(*one), store_of(*other)
    for resource in RESOURCES:
        same = {*first.objects(resource)} == {*second.objects(resource)}
        assert (first.digest(resource) == second.digest(resource)) is same


def test_a_digest_is_a_number_that_a_float_holds() -> None:
    store = store_of(*(Put("services", Service(Key("n", f"s{number}"), Stamp("u", "1"))) for number in range(1000)))
    digest = store.digest("services")
    assert 0 < digest < 2**52
    assert int(float(digest)) == digest


def test_objects_that_changed_places_make_another_digest() -> None:
    one, other = (Service(Key("n", name), Stamp("u", version)) for name, version in (("a", "1"), ("b", "2")))
    swapped = Service(Key("n", "a"), Stamp("u", "2")), Service(Key("n", "b"), Stamp("u", "1"))
    there = store_of(Put("services", one), Put("services", other))
    assert there.digest("services") != store_of(*(Put("services", each) for each in swapped)).digest("services")


def test_a_restored_store_has_the_digest_of_the_one_that_was_saved() -> None:
    saved, restored = store_of(Put("services", Service(Key("n", "a"), Stamp("u", "1")))), Store()
    restored.restore(saved.rows(["services"]))
    assert restored.digest("services") == saved.digest("services") != 0
