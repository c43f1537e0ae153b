"""Whom a question goes to: the policies, and what health makes of them."""

from collections import Counter
from random import Random

import pytest

from kdns.config.directives.forward import Policy
from kdns.steps.carriers import Chance
from kdns.steps.servers import Server, Servers


class Health:
    def __init__(self) -> None:
        self.suspect = self.down = False


def servers(policy: Policy, number: int) -> tuple[Servers, list[Server]]:
    made = []
    for _ in range(number):
        server = Server.__new__(Server)
        server.health = Health()  # type: ignore[assignment] # what of it is looked at
        made.append(server)
    found = Servers(policy, Chance(Random(7)))
    found.replace(tuple(made))
    return found, made


def test_sequential_is_the_first_always() -> None:
    found, made = servers("sequential", 3)
    assert {found.choose() for _ in range(20)} == {made[0]}
    assert list(found.others(made[0])) == made[1:]


def test_round_robin_is_each_in_turn() -> None:
    found, made = servers("round_robin", 3)
    assert [found.choose() for _ in range(6)] == made * 2
    assert list(found.others(made[1])) == [made[0], made[2]]


def test_random_is_each_as_often_and_then_any_other() -> None:
    found, made = servers("random", 3)
    chosen = Counter(found.choose() for _ in range(3000))
    assert all(900 < chosen[server] < 1100 for server in made)
    others = Counter(tuple(found.others(made[0])) for _ in range(1000))
    assert set(others) == {(made[1], made[2]), (made[2], made[1])}
    assert min(others.values()) > 400


@pytest.mark.parametrize("policy", ["random", "round_robin", "sequential"])
def test_who_is_suspect_comes_last_and_who_is_down_not_at_all(policy: Policy) -> None:
    found, made = servers(policy, 4)
    made[0].health.suspect = True  # type: ignore[misc] # the fake's
    made[1].health.suspect = made[1].health.down = True  # type: ignore[misc] # the fake's
    found.look()
    assert {found.choose() for _ in range(50)} == ({made[2]} if policy == "sequential" else {made[2], made[3]})
    assert list(found.others(made[2])) == [made[3], made[0]]
    assert not found.broken


@pytest.mark.parametrize("policy", ["random", "round_robin", "sequential"])
def test_while_all_are_down_it_is_any(policy: Policy) -> None:
    found, made = servers(policy, 3)
    for server in made:
        server.health.suspect = server.health.down = True  # type: ignore[misc] # the fake's
    found.look()
    assert found.broken
    assert {found.choose() for _ in range(100)} == set(made)
    assert set(found.others(made[0])) == set(made[1:])
