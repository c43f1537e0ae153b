"""Names in random case towards upstreams: what goes out, what is believed, what is learned. U12 of robustness."""

import asyncio
import random
from collections import Counter

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns.names import Name, fold, from_text
from kdns.steps.carriers import Chance
from kdns.steps.chain import Relayed
from kdns.steps.forward import Forward
from kdns.steps.upstream import LEARNED_S
from tests.steps.forwarding import NAME, Asked, play, said
from tests.steps.upstream_of_sins import UpstreamOfSins


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=4))
def test_a_mixed_name_is_the_same_name(labels: list[bytes]) -> None:
    name = Name(b"".join(bytes((len(label),)) + label for label in labels) + b"\0")
    assert fold(Chance(random.SystemRandom()).mixed(name)) == fold(name)


def test_each_letter_of_a_half_is_in_either_case_as_often_and_on_its_own() -> None:
    chance = Chance(random.SystemRandom())
    mixed = [chance.mixed(NAME) for _ in range(4000)]
    letters = [place for place, octet in enumerate(NAME) if chr(octet).isalpha()]
    for place in letters:
        assert 1400 < sum(name[place] < 97 for name in mixed) < 2600  # five deviations of 256 tables
    for one, other in ((1, 5), (5, 8), (6, 11), (1, 14)):  # w and e, e and m, x and e, w and o
        pairs = Counter((name[one] < 97, name[other] < 97) for name in mixed)
        assert min(pairs.values()) > 500
    assert 850 < len(set(mixed)) <= 1024  # ten bits: w, e, x, a; m, p, l, e, c, o


def test_what_has_no_letters_stays() -> None:
    assert Chance(random.SystemRandom()).mixed(Name(b"\3127\1-\0")) == b"\3127\1-\0"


def asked_names(sinner: UpstreamOfSins) -> list[bytes]:
    return [query[12 : 12 + len(NAME)] for query in sinner.heard]


@pytest.mark.parametrize("client", ["www.example.com.", "WWW.eXample.com."])
def test_an_upstream_that_keeps_case_sees_random_ones_and_the_client_its_own(client: str) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for sin in ("honest", "nxdomain", "large"):
            sinners[0].udp = sin
            for _ in range(10):
                asked = Asked(forward, from_text(client))
                await asyncio.sleep(0.1)
                (outcome,) = asked.outcomes
                assert isinstance(outcome, Relayed)
                assert outcome.octets[12 : 12 + len(NAME)] == from_text(client)
        assert len(set(asked_names(sinners[0]))) > 25

    play([("honest", "honest")], scene)


@pytest.mark.parametrize("tcp", ["lower case", "gone", "silent"])
def test_an_upstream_that_does_not_is_asked_in_one_case_from_then_on(tcp: str) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        first = Asked(forward)
        assert said(await first.outcome()) == "from 1"
        streamed = len(sinners[0].streamed)
        for _ in range(10):
            asked = Asked(forward, from_text("WWW.example.com."))
            await asyncio.sleep(0.1)
            assert [said(outcome) for outcome in asked.outcomes] == ["from 1"]
        assert set(asked_names(sinners[0])[-10:]) == {NAME}
        assert len(sinners[0].streamed) == streamed
        assert forward.upstreams[0].counts.ignored == 1

    play([("lower case", tcp)], scene)


def test_what_was_learned_is_learned_again_after_an_hour() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        await Asked(forward).outcome()
        assert forward.upstreams[0].folds
        sinners[0].udp = sinners[0].tcp = "honest"
        await asyncio.sleep(LEARNED_S)
        for _ in range(40):
            Asked(forward)
            await asyncio.sleep(11)  # sockets are new ones
        assert forward.upstreams[0].mixes
        assert len(set(asked_names(sinners[0]))) > 5

    play([("lower case", "lower case")], scene)


def test_of_one_that_has_kept_it_other_cases_are_forgeries() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for _ in range(20):
            Asked(forward)
            await asyncio.sleep(0.1)
        sinners[0].udp = "lower case"
        asked = Asked(forward)
        await asyncio.sleep(0.1)
        assert [said(outcome) for outcome in asked.outcomes] == ["failed SERVFAIL"]
        assert forward.upstreams[0].mixes

    play([("honest", "gone")], scene)


def test_tcp_tells_a_forgery_from_an_upstreams_habit() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        assert said(await Asked(forward).outcome()) == "from 1"
        assert forward.upstreams[0].mixes

    play([("lower case", "honest")], scene)


def test_u05_who_does_not_know_edns_is_asked_without_after_two_proofs() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        sizes = []
        for _ in range(4):
            before = len(sinners[0].heard)
            assert said(await Asked(forward).outcome()) == "from 1"
            sizes.append([dns.message.from_wire(query).edns for query in sinners[0].heard[before:]])
        assert sizes == [[0, -1], [0, -1], [-1], [-1]]

    play([("no edns", "honest")], scene)
