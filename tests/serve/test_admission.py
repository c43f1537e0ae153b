"""Admission: shares are max-min, and nobody is kept out without an overload or without somebody to protect."""

import asyncio
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.serve.admission import NOTICE, RELIEF, WINDOW_S, Admission, cut, demand, level
from kdns.serve.sieve import MOST, OPEN, Chances, Client, Queue, Sieve

FLOOD: Client = 1
OTHERS: list[Client] = [2, 3, 4]
# What is taken of 256 datagrams in a wake where one floods.
TAKEN = [FLOOD] * 253 + OTHERS
DEMANDS = st.dictionaries(st.integers(0, 99), st.floats(1, 1e6), min_size=1, max_size=80)


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time is told, and of which one thing is asked: to call later."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now


class Kernel(Sieve):
    """What a sieve is told, and what its queue is said to be."""

    def __init__(self) -> None:
        self.told = OPEN
        self.refuses = False
        self.octets = self.dropped = 0

    def put(self, chances: Chances) -> None:
        if self.refuses and chances != OPEN:
            raise OSError
        self.told = chances

    def queue(self) -> Queue:
        return Queue(self.octets, self.dropped)


class Overloaded:
    """Admission, and windows in which a worker is never idle."""

    def __init__(self, loop: Clock) -> None:
        self.loop = loop
        self.kernel = Kernel()
        self.admission = Admission(self.kernel, loop)
        for _ in range(NOTICE):
            self.admission.woke(left=True)

    def window(self, taken: list[Client], *, left: bool = True, dropped: int = 0, wakes: int = 8) -> Chances:
        """Of one window in which each wake took that; what the sieve is told at its end."""
        for _ in range(wakes):
            self.admission.note(taken)
            self.admission.woke(left=left)
        self.kernel.dropped += dropped
        self.loop.now += WINDOW_S
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        return self.kernel.told


@pytest.fixture
def loop() -> Iterator[Clock]:
    made = Clock()
    yield made
    made.close()


def test_only_wakes_in_a_row_that_left_a_backlog_are_pressure(loop: Clock) -> None:
    admission = Admission(Kernel(), loop)
    for left in (True,) * (NOTICE - 1) + (False,) + (True,) * (NOTICE - 1):
        admission.woke(left=left)
    assert not admission.pressed
    admission.woke(left=True)
    assert admission.pressed


def test_a_burst_that_the_queue_holds_keeps_nobody_out(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    for _ in range(10):
        assert overloaded.window(TAKEN) == OPEN


def test_a_flood_is_kept_out_and_the_others_are_not(loop: Clock) -> None:
    told = Overloaded(loop).window(TAKEN, dropped=10 * 8 * 256)
    assert set(told.of) == {FLOOD}
    assert told.others == 1
    assert told.of[FLOOD] < 1 / 11


def test_a_queue_that_grows_is_an_overload_before_it_is_full(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    overloaded.kernel.octets = 1
    assert set(overloaded.window(TAKEN).of) == {FLOOD}


def test_while_the_queue_is_full_less_is_let_in_than_afterwards(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    full = overloaded.window(TAKEN, dropped=10 * 8 * 256)
    rate = round(full.of[FLOOD] * 11 * 253)
    afterwards = overloaded.window([FLOOD] * rate + OTHERS, left=False, dropped=9 * 8 * 256)
    assert afterwards.of[FLOOD] > 3 * full.of[FLOOD]


def test_while_the_queue_is_long_less_is_let_in_than_when_it_is_short(loop: Clock) -> None:
    chances = []
    for octets in (1 << 20, 1 << 10):
        overloaded = Overloaded(loop)
        overloaded.window(TAKEN, dropped=10 * 8 * 256)
        overloaded.kernel.octets = octets
        chances.append(overloaded.window(TAKEN, left=False).of[FLOOD])
    assert chances[0] < chances[1] / 3


def test_a_flood_stays_out_as_long_as_it_lasts_and_no_longer(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    chance = overloaded.window(TAKEN, dropped=10 * 8 * 256).of[FLOOD]
    for _ in range(3 * RELIEF):
        chance = overloaded.window([FLOOD] * round(11 * 253 * chance) + OTHERS, left=False).of[FLOOD]
        assert chance < 1 / 8
    assert overloaded.window(OTHERS, left=False) == OPEN


def test_who_is_alone_or_like_all_others_is_not_kept_out(loop: Clock) -> None:
    for taken in ([FLOOD] * 256, [*range(16)] * 16):
        overloaded = Overloaded(loop)
        for _ in range(2 * RELIEF):
            assert overloaded.window(list(taken), dropped=10 * 8 * 256) == OPEN


def test_nobody_is_kept_out_once_there_was_nobody_to_protect_for_long(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    overloaded.window(TAKEN, dropped=10 * 8 * 256)
    told = [overloaded.window([FLOOD] * 256, dropped=10 * 8 * 256) for _ in range(RELIEF)]
    assert told[-2] != OPEN
    assert told[-1] == OPEN


def test_nothing_that_came_opens_the_sieve(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    overloaded.window(TAKEN, dropped=10 * 8 * 256)
    assert overloaded.window([], wakes=0) == OPEN


def test_pressure_ends_after_enough_windows_in_which_nobody_was_kept_out(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    overloaded.window(TAKEN, dropped=10 * 8 * 256)
    for _ in range(RELIEF):
        assert overloaded.admission.pressed
        assert overloaded.window(OTHERS, left=False) == OPEN
    assert not overloaded.admission.pressed
    assert overloaded.admission.backlog == 0


def test_where_the_system_has_no_sieve_the_full_queue_drops(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    overloaded.kernel.refuses = True
    for _ in range(3):
        assert overloaded.window(TAKEN, dropped=10 * 8 * 256) == OPEN
    assert overloaded.admission.dropped == 30 * 8 * 256


def test_a_closed_door_keeps_nobody_out(loop: Clock) -> None:
    overloaded = Overloaded(loop)
    overloaded.window(TAKEN, dropped=10 * 8 * 256)
    overloaded.admission.close()
    assert overloaded.window(TAKEN, dropped=10 * 8 * 256) == OPEN


@given(DEMANDS, st.floats(1, 1e7))
def test_shares_are_max_min(asked: dict[Client, float], room: float) -> None:
    most = level(asked.values(), room)
    if sum(asked.values()) <= room:
        assert most == math.inf
    else:
        assert sum(min(each, most) for each in asked.values()) == pytest.approx(room)


@given(DEMANDS, st.floats(1, 1e7))
def test_what_a_sieve_lets_through_is_what_there_is_room_for(asked: dict[Client, float], room: float) -> None:
    most = level(asked.values(), room)
    chances = cut(asked, most, 1.0)
    assert len(chances.of) <= MOST
    let_in = {client: count * chances[client] for client, count in asked.items()}
    assert sum(let_in.values()) == pytest.approx(min(room, sum(asked.values())))
    assert all(let_in[client] == pytest.approx(min(asked[client], most)) for client in chances.of)
    assert {client for client in asked if asked[client] > most} >= set(chances.of)


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 1000), min_size=1), st.floats(0.01, 1))
def test_what_was_asked_for_is_what_was_seen_and_what_was_kept_out(seen: dict[Client, int], chance: float) -> None:
    chances = Chances({0: chance})
    assert demand(seen, chances) == {each: seen[each] / (chance if each == 0 else 1) for each in seen}
    assert sum(demand(seen, chances, 5000).values()) == pytest.approx(5000)
