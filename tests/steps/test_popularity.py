"""Popularity: how often a name was asked for without a gap, and what is little time left."""

import math

from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.cache import Prefetch
from kdns.steps.popularity import NAMES_MAX, Popularity


@given(st.integers(1, 5), st.integers(2, 9), st.lists(st.integers(0, 12), max_size=40))
def test_popular_is_what_was_asked_for_so_often_without_a_gap(amount: int, duration: int, pauses: list[int]) -> None:
    popularity = Popularity(Prefetch(amount, float(duration)))
    now, run = 0, 1
    assert popularity.asked(b"name", now) == (amount == 1)
    for pause in pauses:
        now += pause
        # What is popular may be given by others until the second ends.
        run = 1 if pause > duration + (run >= amount) else run + 1
        assert popularity.asked(b"name", now) == (run >= amount)


@given(st.integers(10, 90), st.integers(1, 3600), st.integers(1, 3600))
def test_late_is_a_share_rounded_up(percent: int, lifetime: int, left: int) -> None:
    late = Popularity(Prefetch(1, 60.0, percent)).is_late(left, lifetime)
    assert late == (left <= math.ceil(percent * lifetime / 100))


def test_names_are_bounded_and_those_asked_for_stay() -> None:
    popularity = Popularity(Prefetch(3))
    for number in range(3 * NAMES_MAX):
        popularity.asked(b"%d" % number, 0.0)
        if not number % 1000:
            popular = popularity.asked(b"popular", 0.0)
    assert popular
    assert not popularity.asked(b"7", 0.0)
    assert len(popularity._seen) == NAMES_MAX
