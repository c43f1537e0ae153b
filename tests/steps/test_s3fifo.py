"""S3-FIFO: what stays of more than there is room for."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.steps.s3fifo import Kept, S3Fifo


def key(name: object) -> bytes:
    return str(name).encode()


def found(shelf: S3Fifo[Kept], name: object) -> bool:
    """Whether it is there, asked for as the cache asks."""
    value = shelf.items.get(key(name))
    if value is None:
        return False
    value.use()
    return True


def ask(shelf: S3Fifo[Kept], name: object) -> bool:
    """Whether it is there; if not, it is now."""
    hit = found(shelf, name)
    if not hit:
        shelf.put(key(name), Kept(100))
    return hit


def warmed(hot: int, capacity: int = 1000) -> S3Fifo[Kept]:
    """A full shelf, some of whose values have been asked for again and again, among others asked for once."""
    shelf: S3Fifo[Kept] = S3Fifo(capacity, 1 << 20)
    for number in range(20 * capacity):
        ask(shelf, f"once{number}")
        ask(shelf, number % hot)
    return shelf


def test_u38_a_scan_of_names_asked_for_once_takes_nothing_hot_away() -> None:
    shelf = warmed(hot=500)
    for scanned in range(100_000):
        shelf.put(key(f"scan{scanned}"), Kept(100))
    assert sum(found(shelf, name) for name in range(500)) == 500


@pytest.mark.parametrize("share", [1, 5, 20], ids="{} scanned for one hot".format)
def test_u38_hot_hits_are_kept_while_others_are_scanned(share: int) -> None:
    shelf, chance = warmed(hot=800), random.Random(38)
    hits = 0
    for scanned in range(2_000 * share):
        ask(shelf, f"scan{scanned}")
        if scanned % share == 0:
            hits += ask(shelf, int(800 * chance.random() ** 2))
    assert hits > 0.9 * 2_000


def test_what_comes_back_soon_enters_the_main_queue() -> None:
    shelf = warmed(hot=100)
    shelf.put(b"back", Kept(100))
    for scanned in range(1000):
        shelf.put(key(f"scan{scanned}"), Kept(100))
    assert not found(shelf, "back")
    shelf.put(b"back", Kept(100))
    assert shelf.items[b"back"].is_main


def test_what_takes_an_eighth_of_all_is_not_kept() -> None:
    shelf: S3Fifo[Kept] = S3Fifo(10, 800)
    assert (shelf.put(b"large", Kept(101)), shelf.put(b"small", Kept(100))) == (False, True)
    assert (list(shelf.items), shelf.octets) == ([b"small"], 100)


def test_what_went_is_counted() -> None:
    shelf: S3Fifo[Kept] = S3Fifo(10, 1 << 20)
    for name in range(25):
        shelf.put(key(name), Kept(1))
    assert (len(shelf.items), shelf.evicted) == (10, 15)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 130), st.booleans()), max_size=200),
    st.integers(1, 20),
    st.integers(100, 1000),
)
def test_the_bounds_hold_and_the_newest_value_is_found(
    history: list[tuple[int, int, bool]], capacity: int, limit: int
) -> None:
    shelf: S3Fifo[Kept] = S3Fifo(capacity, limit)
    newest: dict[bytes, Kept] = {}
    for name, size, again in history:
        value = Kept(size)
        shelf.put(key(name), value)
        if size * 8 <= limit:
            newest[key(name)] = value
        if again:
            found(shelf, name)
        assert len(shelf.items) <= capacity
        assert shelf.octets == sum(each.size for each in shelf.items.values()) <= limit
        assert all(newest[kept] is each for kept, each in shelf.items.items())
        assert sorted([*shelf._small, *shelf._main]) == sorted(shelf.items)
        assert shelf._small_octets == sum(each.size for each in shelf.items.values() if not each.is_main)
