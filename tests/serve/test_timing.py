"""Timing: batches shared out by block, waits by themselves; nothing is counted twice and no total goes back."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kdns.serve.timing import Timing, Where

ONE, OTHER = (".", ""), ("example.org.", "")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("batch"), st.integers(0, 64), st.integers(0, 64), st.floats(0, 10)),
        st.tuples(st.just("wait"), st.sampled_from((0, 1)), st.just(1), st.floats(0, 10)),
        st.tuples(st.just("look"), st.just(0), st.just(0), st.just(0.0)),
    ),
    max_size=30,
)


@given(steps)
def test_every_reply_is_told_once_and_nothing_is_taken_back(script: list[tuple[str, int, int, float]]) -> None:
    timing = Timing()
    replies: Counter[Where] = Counter()
    before: dict[Where, list[int]] = {}
    seconds = 0.0
    for what, one, other, took in [*script, ("look", 0, 0, 0.0)]:
        if what == "batch":
            replies.update({ONE: one, OTHER: other})
            timing.began = 100.0
            timing.answered(one + other, 100.0 + took)
            seconds += (100.0 + took - 100.0) * (one + other)
        elif what == "wait":
            where = (ONE, OTHER)[one]
            replies[where] += 1
            timing.waited(where, took)
            seconds += took
        else:
            told = timing.by_block(replies)
            for where, cells in told.items():
                assert all(now >= then for now, then in zip(cells.counts, before.get(where, [0] * 17), strict=True))
                before[where] = [*cells.counts]
    assert {where: sum(counts) for where, counts in before.items() if sum(counts)} == {
        where: number for where, number in replies.items() if number
    }
    assert abs(sum(cells.sum for cells in timing.by_block(replies).values()) - seconds) < 1e-6 * (1 + seconds)


def test_a_door_of_one_block_is_told_exactly() -> None:
    timing = Timing()
    for began, questions, now in ((0.0, 60, 0.0002), (1.0, 3, 1.003), (2.0, 0, 5.0)):
        timing.began = began
        timing.answered(questions, now)
    timing.waited(ONE, 1.5)
    cells = timing.by_block({ONE: 64})[ONE]
    assert {bound: count for bound, count in zip(cells.bounds, cells.counts, strict=False) if count} == {
        0.00025: 60,
        0.004: 3,
        2.048: 1,
    }
