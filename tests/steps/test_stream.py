"""Connections to upstreams: kept, used again, with many questions in flight, and let go."""

import asyncio

import pytest

from kdns.dns.names import Name, from_text
from kdns.steps.forward import Forward
from kdns.steps.speech import IN_FLIGHT
from tests.steps.forwarding import Asked, play, said
from tests.steps.upstream_of_sins import UpstreamOfSins


def name(number: int) -> Name:
    return from_text(f"{number}.example.com.")


@pytest.mark.parametrize(
    ("settings", "transport", "by_tcp"),
    [
        ({}, "udp", False),
        ({}, "tcp", True),
        ({"prefer_udp": True}, "tcp", False),
        ({"force_tcp": True}, "udp", True),
        ({"force_tcp": True, "prefer_udp": True}, "udp", True),
    ],
)
def test_which_way_a_question_goes(settings: dict[str, bool], transport: str, by_tcp: bool) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        assert said(await Asked(forward, transport=transport).outcome()) == "from 1"
        assert (len(sinners[0].heard), len(sinners[0].streamed)) == ((0, 1) if by_tcp else (1, 0))

    play([("honest", "honest")], scene, **settings)


def test_a_connection_takes_many_questions_at_a_time_and_is_used_again() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for _ in range(3):
            asked = [Asked(forward, name(number)) for number in range(IN_FLIGHT)]
            await asyncio.sleep(5)
            assert {said(outcome) for one in asked for outcome in one.outcomes} == {"from 1"}
        assert (sinners[0].connections, len(sinners[0].streamed)) == (1, 3 * IN_FLIGHT)
        counts = forward.upstreams[0].counts
        assert (counts.lines, counts.streamed) == (1, 3 * IN_FLIGHT)

    play([("silent", "honest")], scene, force_tcp=True)


def test_more_than_one_connection_takes_are_several() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        asked = [Asked(forward, name(number)) for number in range(2 * IN_FLIGHT + 1)]
        await asyncio.sleep(5)
        assert {said(outcome) for one in asked for outcome in one.outcomes} == {"from 1"}
        assert sinners[0].connections == 3

    play([("silent", "honest")], scene, force_tcp=True)


def test_u19_answers_in_any_order_find_their_questions() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        asked = [Asked(forward, name(number)) for number in range(8)]
        for one in asked:
            assert said(await one.outcome()) == "from 1"
        assert sinners[0].connections == 1

    play([("silent", "backwards")], scene, force_tcp=True)


@pytest.mark.parametrize(
    ("settings", "pauses", "connections"),
    [
        pytest.param({}, [9, 9, 9], 1, id="used within 10 s each time"),
        pytest.param({}, [11, 11], 3, id="unused for more than 10 s"),
        pytest.param({"expire_s": 3.0}, [2, 4], 2, id="expire"),
        pytest.param({"expire_s": 3.0, "max_age_s": 5.0}, [2, 2, 2, 2], 2, id="max_age"),
    ],
)
def test_how_long_a_connection_is_kept(settings: dict[str, float], pauses: list[float], connections: int) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        for pause in pauses:
            await asyncio.sleep(pause)
            Asked(forward)
        await asyncio.sleep(1)
        assert (sinners[0].connections, len(sinners[0].streamed)) == (connections, len(pauses) + 1)
        await asyncio.sleep(11)
        assert forward.upstreams[0].lines.open == []

    play([("silent", "honest")], scene, force_tcp=True, **settings)


@pytest.mark.parametrize(("most", "kept"), [(0, 3), (1, 1), (2, 2)])
def test_max_idle_conns_bounds_what_is_kept_unused(most: int, kept: int) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for number in range(3 * IN_FLIGHT):
            Asked(forward, name(number))
        await asyncio.sleep(1)
        assert sinners[0].connections == 3
        assert len(forward.upstreams[0].lines.open) == kept

    play([("silent", "honest")], scene, force_tcp=True, max_idle_conns=most)


def test_u18_a_kept_connection_that_has_ended_costs_one_more() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for _ in range(3):
            assert said(await Asked(forward).outcome()) == "from 1"
        assert forward.upstreams[0].counts.failed == 0
        assert sinners[0].probed == []

    play([("silent", "closes after")], scene, force_tcp=True, expire_s=60.0)


def test_a_connection_silent_while_a_question_timed_out_takes_no_more() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(2.5)
        sinners[0].tcp = "honest"
        assert said(await Asked(forward).outcome()) == "from 1"
        assert sinners[0].connections >= 2

    play([("silent", "silent")], scene, force_tcp=True)


def test_source_address_is_where_questions_come_from() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for transport in ("udp", "tcp"):
            assert said(await Asked(forward, transport=transport).outcome()) == "from 1"
        assert sinners[0].sources == ["127.0.0.9", "127.0.0.9"]

    play([("honest", "honest")], scene, source_address="127.0.0.9")
