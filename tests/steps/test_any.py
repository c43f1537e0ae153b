"""any: what may be remembered; the table of questions and answers is in compared.py."""

from kdns.steps.chain import Answered, Request
from kdns.zone.entry import STATIC
from tests.steps.telling import CLIENT, never, passed, query, step


def test_the_answer_may_be_remembered() -> None:
    outcome = step("any").ask(Request(query("www.example. ANY"), CLIENT, "udp"), passed, never)
    assert isinstance(outcome, Answered)
    assert (outcome.owners, outcome.by) == ((STATIC,), "any")
