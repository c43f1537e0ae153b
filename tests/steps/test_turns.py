"""Turns: what is put off within one is done at its end, with all that this brings; outside of one by the loop."""

import asyncio
from collections.abc import Iterator

import pytest

from kdns.steps.turns import Turns


class Called:
    """Takes note of what is called, and what the loop was asked for meanwhile."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.turns = Turns(self.loop)
        self.seen: list[str] = []

    def note(self, name: str) -> None:
        self.seen.append(name)

    def go_round(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()


@pytest.fixture
def called() -> Iterator[Called]:
    made = Called()
    yield made
    made.loop.close()


def test_what_is_put_off_is_done_at_the_end_of_the_turn(called: Called) -> None:
    def read() -> None:
        called.turns.soon(lambda: called.note("sent"))
        called.note("read")

    called.turns.of(read)()
    assert called.seen == ["read", "sent"]
    called.go_round()
    assert called.seen == ["read", "sent"]


def test_what_the_end_of_a_turn_brings_belongs_to_it(called: Called) -> None:
    called.turns.of(lambda: called.turns.soon(lambda: called.turns.soon(lambda: called.note("sent"))))()
    assert called.seen == ["sent"]


def test_outside_of_a_turn_the_loop_calls_back(called: Called) -> None:
    called.turns.of(lambda: None)()
    called.turns.soon(lambda: called.note("sent"))
    assert called.seen == []
    called.go_round()
    assert called.seen == ["sent"]


def test_what_fails_keeps_nothing_else_from_being_done(called: Called) -> None:
    def fail() -> None:
        raise OSError("no")

    def unreadable() -> None:
        called.turns.soon(lambda: called.note("first"))
        fail()

    def unsendable() -> None:
        called.turns.soon(lambda: called.note("second"))
        called.turns.soon(fail)

    for read in (unreadable, unsendable):
        with pytest.raises(OSError, match="no"):
            called.turns.of(read)()
    called.go_round()
    assert called.seen == ["first", "second"]
