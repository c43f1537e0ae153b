"""Admission: nothing is dropped without a backlog, and under one who asks for little gets it all."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.serve.admission import (
    LEAST_ALIKE,
    LEAST_UNEVEN,
    NOTICE,
    PATIENCE,
    RELIEF,
    WINDOW,
    Admission,
    evenness,
    newest,
    shares,
)
from kdns.serve.mmsg import SLOTS

FLOOD = "flood"
BATCHES = st.lists(st.sampled_from("abcdefgh"), max_size=SLOTS)
DEMANDS = st.dictionaries(st.integers(0, 99), st.integers(1, SLOTS), min_size=1, max_size=SLOTS)


def backlogged(admission: Admission, wakes: int) -> Admission:
    """After so many wakes in a row that left something in the socket."""
    for _ in range(wakes):
        admission.backlogged()
    return admission


def serving() -> Admission:
    """After the socket's first wakes."""
    admission = Admission()
    admission.drained()
    return admission


def pressed() -> Admission:
    """Under more than a burst, with clients compared already."""
    admission = backlogged(serving(), PATIENCE)
    for _ in range(WINDOW):
        admission.admit([FLOOD])
    return admission


def beside_the_flood(*others: str) -> list[str]:
    """A full batch with a datagram of each of the others somewhere in it."""
    batch = [FLOOD] * SLOTS
    for place, other in enumerate(others):
        batch[place * 7] = other
    return batch


def answered(batch: Sequence[str], runs: Sequence[tuple[int, int]]) -> list[str]:
    """Who is answered, a datagram each."""
    return [batch[slot] for first, end in runs for slot in range(first, end)]


def test_what_gathered_before_the_first_wake_is_no_pressure() -> None:
    assert not backlogged(Admission(), PATIENCE - 1).pressed
    assert backlogged(Admission(), PATIENCE).pressed


def test_only_wakes_in_a_row_that_left_a_backlog_are_pressure() -> None:
    admission = backlogged(serving(), NOTICE - 1)
    admission.drained()
    assert not backlogged(admission, NOTICE - 1).pressed
    assert backlogged(admission, 1).pressed


def test_a_burst_of_one_client_or_of_many_alike_is_answered_in_full() -> None:
    for batch in ([FLOOD] * SLOTS, [f"client {slot % 16}" for slot in range(SLOTS)]):
        admission = backlogged(serving(), NOTICE)
        for _ in range(PATIENCE - NOTICE - 1):
            assert [admission.admit(batch) for _ in range(4)] == [[(0, SLOTS)]] * 4
            admission.backlogged()
        assert admission.dropped == 0


def test_batches_that_are_not_full_are_answered_in_full() -> None:
    admission = pressed()
    for _ in range(RELIEF // 2):
        assert admission.admit([FLOOD] * (SLOTS - 1)) == [(0, SLOTS - 1)]
    assert admission.dropped == 0


def test_nothing_that_came_is_nothing_to_answer() -> None:
    assert pressed().admit([]) == []


def test_a_queue_that_stays_full_is_answered_less_and_less_down_to_the_least() -> None:
    admission = pressed()
    kept = [sum(end - first for first, end in admission.admit([FLOOD] * SLOTS)) for _ in range(SLOTS)]
    assert kept == [max(LEAST_ALIKE, SLOTS - 1 - turn) for turn in range(SLOTS)]
    assert admission.dropped == SLOTS * SLOTS - sum(kept)


def test_of_a_client_who_is_cut_the_oldest_go_first() -> None:
    admission = pressed()
    assert [admission.admit([FLOOD] * SLOTS) for _ in range(3)] == [[(1, SLOTS)], [(2, SLOTS)], [(3, SLOTS)]]


def test_who_asks_for_little_gets_it_all_beside_a_flood() -> None:
    admission = backlogged(serving(), NOTICE)
    batch = beside_the_flood("a", "b", "c")
    for _ in range(4 * WINDOW):
        found = Counter(answered(batch, admission.admit(batch)))
        assert (found["a"], found["b"], found["c"]) == (1, 1, 1)
    assert found[FLOOD] == LEAST_UNEVEN - 3


def test_where_all_ask_alike_most_of_the_server_s_time_goes_to_answers() -> None:
    admission = pressed()
    batch = [f"client {slot % 16}" for slot in range(SLOTS)]
    for _ in range(4 * WINDOW):
        found = Counter(answered(batch, admission.admit(batch)))
    assert set(found.values()) == {LEAST_ALIKE // 16}


def test_where_there_is_not_one_for_each_those_who_asked_least_before_get_it() -> None:
    admission = pressed()
    often = [f"often {slot % 16}" for slot in range(SLOTS)]
    for _ in range(2 * LEAST_ALIKE):
        admission.admit(often)
    batch = [f"new {slot}" if slot < 20 else f"often {slot % 16}" for slot in range(40)] + [
        f"late {n}" for n in range(24)
    ]
    found = answered(batch, admission.admit(batch))
    assert len(found) == LEAST_ALIKE
    assert not [client for client in found if client.startswith("often")]


def test_pressure_ends_after_enough_batches_in_a_row_that_were_not_full() -> None:
    admission = pressed()
    admission.admit([FLOOD] * SLOTS)
    for _ in range(RELIEF):
        assert admission.pressed
        admission.admit([FLOOD])
    admission.admit([FLOOD])
    assert not admission.pressed
    assert admission.backlog == 0
    assert admission.dropped == 1


def test_clients_are_remembered_for_a_window_only() -> None:
    admission = pressed()
    for turn in range(3 * WINDOW):
        admission.admit([f"{turn} {slot}" for slot in range(SLOTS)])
        assert len(admission._asked) <= WINDOW * SLOTS


@given(st.lists(BATCHES, max_size=40))
def test_every_batch_is_answered_or_counted_as_dropped(batches: list[list[str]]) -> None:
    admission = pressed()
    for batch in batches:
        before = admission.dropped
        runs = admission.admit(batch)
        slots = [slot for first, end in runs for slot in range(first, end)]
        assert len(set(slots)) == len(slots) == len(batch) - (admission.dropped - before)
        assert set(slots) <= set(range(len(batch)))
        assert all(first < end for first, end in runs)


@given(DEMANDS, st.integers(0, SLOTS))
def test_shares_are_max_min(asked: dict[int, int], quota: int) -> None:
    quota = min(quota, sum(asked.values()))
    given_out = shares(asked, quota)
    assert sum(given_out.values()) == quota
    assert all(0 <= given_out[client] <= asked[client] for client in asked)
    cut = [given_out[client] for client in asked if given_out[client] < asked[client]]
    if cut:  # one may have one more than another, where the quota doesn't divide
        assert max(given_out.values()) <= min(cut) + 1


@given(BATCHES, st.integers(0, 10))
def test_the_newest_of_each_client_are_those_that_are_kept(batch: list[str], left: int) -> None:
    runs = newest(batch, dict.fromkeys(batch, left))
    kept = {slot for first, end in runs for slot in range(first, end)}
    for client in set(batch):
        slots = [slot for slot, each in enumerate(batch) if each == client]
        assert kept & set(slots) == set(slots[max(0, len(slots) - left) :])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([5], Fraction(1)),
        ([5, 5, 5], Fraction(1)),
        ([3, 1], Fraction(4, 5)),
        ([62, 1, 1], Fraction(4096, 3 * 3846)),
    ],
)
def test_evenness_is_jain_s_index(asked: list[int], expected: Fraction) -> None:
    assert evenness(asked) == pytest.approx(float(expected))
