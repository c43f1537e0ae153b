"""Pacing: when requests are let through, in virtual time."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from kdns.config.settings import ApiLimits
from kdns.sources.api.pacing import Pace
from tests.virtual_time import run


def let_through(limits: ApiLimits, arrivals: list[float], lasting_s: float = 0.0) -> list[tuple[float, float]]:
    """When each request was let through and when it was done."""

    async def all_of_them() -> list[tuple[float, float]]:
        loop = asyncio.get_running_loop()
        pace = Pace(limits, loop.time)

        async def ask(at: float) -> tuple[float, float]:
            await asyncio.sleep(at)
            async with pace.turn():
                began = loop.time()
                await asyncio.sleep(lasting_s)
                return round(began, 6), round(loop.time(), 6)

        return sorted(await asyncio.gather(*map(ask, arrivals)))

    return run(all_of_them())


def test_without_limits_nothing_waits() -> None:
    assert let_through(ApiLimits(), [0.0] * 20) == [(0, 0)] * 20


def test_past_a_burst_requests_come_at_the_rate() -> None:
    assert [began for began, _ in let_through(ApiLimits(rate=2, burst=3), [0.0] * 6)] == [0, 0, 0, 0.5, 1, 1.5]


def test_a_burst_is_there_again_after_a_pause() -> None:
    begun = [began for began, _ in let_through(ApiLimits(rate=2, burst=2), [0.0, 0.0, 0.0, 10.0, 10.0, 10.0])]
    assert begun == [0, 0, 0.5, 10, 10, 10.5]


def test_a_rate_alone_has_client_gos_burst() -> None:
    assert [began for began, _ in let_through(ApiLimits(rate=1), [0.0] * 11)] == [0] * 10 + [1]


def test_so_many_at_once_and_no_more() -> None:
    assert [began for began, _ in let_through(ApiLimits(in_flight=2), [0.0] * 5, 1.0)] == [0, 0, 1, 1, 2]


@given(
    st.integers(1, 20),
    st.integers(1, 5),
    st.lists(st.integers(0, 20).map(lambda tenths: tenths / 10), min_size=1, max_size=15),
)
def test_in_no_stretch_of_time_come_more_than_burst_and_rate_allow(
    rate: int, burst: int, arrivals: list[float]
) -> None:
    begun = sorted(began for began, _ in let_through(ApiLimits(rate=rate, burst=burst), sorted(arrivals)))
    for first, start in enumerate(begun):
        for last, end in enumerate(begun[first:], first):
            assert last - first + 1 <= burst + rate * (end - start) + 1e-3
