"""The composition of steps: their order, their end, and what a wrapping step makes of what it gets."""

import pytest

from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.steps.chain import (
    Answered,
    Done,
    Entrance,
    Failed,
    Outcome,
    Peer,
    Relayed,
    Request,
    Rest,
    asked_then,
    compose,
)

REQUEST = Request(Query(from_text("www.example.com."), types.A), Peer("127.0.0.1", 5353), "udp")
YES = Answered(Answer(), (), "yes")


class Passing:
    """Notes that it was asked, and asks the rest."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        self.seen.append(self.name)
        return rest(request, done)


class Answering:
    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        return YES


class Waiting:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Done] = []

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        self.waiting.append(done)
        return None


def never(outcome: Outcome) -> None:
    raise AssertionError(outcome)


class PlacedStep(Passing):
    """A step for names below a place."""

    def __init__(self, name: str, seen: list[str]) -> None:
        super().__init__(name, seen)
        self.places = (from_text(name),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.", ["first", "last"]),
        ("x.a.", ["first", "a.", "last"]),
        ("x.b.", ["first", "a.", "b.", "last"]),
        ("x.c.", ["first", "a.", "b.", "c.", "last"]),
    ],
)
def test_names_go_past_steps_that_are_for_others(name: str, expected: list[str]) -> None:
    seen: list[str] = []
    placed = [PlacedStep(place, seen) for place in ("a.", "b.", "c.")]
    chain = compose((Passing("first", seen), *placed, Passing("last", seen)))
    chain(REQUEST._replace(query=Query(from_text(name), types.A)), never)
    assert seen == expected


def test_first_step_that_answers_is_the_last_asked() -> None:
    seen: list[str] = []
    asked = compose([Passing("a", seen), Answering(), Passing("b", seen)])(REQUEST, never)
    assert (asked, seen) == (YES, ["a"])


@pytest.mark.parametrize("steps", [[], [Passing("a", [])]])
def test_chain_ends_in_servfail(steps: list[Passing]) -> None:
    outcome = compose(steps)(REQUEST, never)
    assert isinstance(outcome, Failed)
    assert outcome.rcode == types.SERVFAIL


def test_step_that_raises_raises_out_of_the_chain() -> None:
    class Broken:
        def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compose([Passing("a", []), Broken()])(REQUEST, never)


def test_change_is_made_to_what_comes_at_once() -> None:
    assert asked_then(lambda _outcome: Relayed(b"changed"), compose([Answering()]), REQUEST, never) == Relayed(
        b"changed"
    )


def test_change_is_made_to_what_comes_later_and_only_then() -> None:
    waiting, outcomes = Waiting(), list[Outcome]()
    assert asked_then(lambda _outcome: Relayed(b"changed"), compose([waiting]), REQUEST, outcomes.append) is None
    assert outcomes == []
    waiting.waiting.pop()(YES)
    assert outcomes == [Relayed(b"changed")]


def test_change_that_raises_later_is_a_failure_with_its_cause() -> None:
    waiting, outcomes, fault = Waiting(), list[Outcome](), ZeroDivisionError()

    def change(_outcome: Outcome) -> Outcome:
        raise fault

    asked_then(change, compose([waiting]), REQUEST, outcomes.append)
    waiting.waiting.pop()(YES)
    (outcome,) = outcomes
    assert isinstance(outcome, Failed)
    assert (outcome.rcode, outcome.cause) == (types.SERVFAIL, fault)


def test_entrance_leads_nowhere_before_there_is_a_chain() -> None:
    assert isinstance(Entrance()(REQUEST, never), Failed)


def test_who_goes_round_for_ever_fails() -> None:
    entrance, seen = Entrance(), list[str]()

    class Round:
        def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
            seen.append("round")
            return entrance(request, done)

    entrance.lead_to(compose([Round()]))
    outcome = entrance(REQUEST, never)
    assert isinstance(outcome, Failed)
    assert (outcome.rcode, len(seen)) == (types.SERVFAIL, 8)
