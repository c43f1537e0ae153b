"""chaos: what the server says of itself; the table of questions and answers is in compared.py."""

import os

import pytest

from kdns import __version__
from kdns.dns import types
from kdns.steps.chain import Answered, Request
from kdns.zone.entry import STATIC
from tests.steps.telling import CLIENT, asked, never, passed, query, step


@pytest.mark.parametrize("name", ["version.bind.", "version.server.", "VERSION.BIND."])
def test_without_a_version_it_is_kdns_own(name: str) -> None:
    assert asked(step("chaos"), f"{name} TXT CH") == f'NOERROR; {name} 0 TXT "kdns-{__version__}"'


@pytest.mark.parametrize("name", ["hostname.bind.", "id.server."])
def test_the_host_is_named(name: str) -> None:
    assert asked(step("chaos"), f"{name} TXT CH") == f'NOERROR; {name} 0 TXT "{os.uname().nodename}"'


def test_authors_are_named_once_each_and_without_any_there_are_none() -> None:
    two = 'NOERROR; authors.bind. 0 TXT "me"; authors.bind. 0 TXT "you"'
    assert asked(step("chaos 1 me you me"), "authors.bind. TXT CH") == two
    assert asked(step("chaos"), "authors.bind. TXT CH") == "NOERROR"


def test_a_long_text_is_cut_to_a_string() -> None:
    said = asked(step(f"chaos {'x' * 300}"), "version.bind. TXT CH")
    assert said == f'NOERROR; version.bind. 0 TXT "{"x" * 255}"'


def test_the_answer_is_of_the_class_and_may_be_remembered() -> None:
    outcome = step("chaos").ask(Request(query("version.bind. TXT CH"), CLIENT, "udp"), passed, never)
    assert isinstance(outcome, Answered)
    assert outcome.owners == (STATIC,)
    assert [records.rclass for records in outcome.answer.answers] == [types.CH]
