"""local: what may be remembered and what is counted; the table of questions and answers is in compared.py."""

import pytest

from kdns.steps.chain import Request
from kdns.zone.entry import STATIC
from tests.steps.telling import CLIENT, asked, never, passed, query, step

COUNTED = "coredns_local_localhost_requests_total"


@pytest.mark.parametrize("question", ["localhost. A", "1.0.0.127.in-addr.arpa. PTR", "2.0.0.127.in-addr.arpa. PTR"])
def test_answers_may_be_remembered(question: str) -> None:
    outcome = step("local").ask(Request(query(question), CLIENT, "udp"), passed, never)
    assert (outcome.owners, outcome.by) == ((STATIC,), "local")


def test_names_with_localhost_in_them_are_counted_each_time_and_so_never_remembered() -> None:
    one = step("local")
    for question in ("x.localhost. A", "localhost.example.com. TXT", "x.localhost. A"):
        assert one.ask(Request(query(question), CLIENT, "udp"), passed, never).owners == ()
    asked(one, "localhost. A")
    asked(one, "www.example.com. A")
    assert one.counts_at("dns://:53", ".", "") == {(COUNTED, ()): 3.0}


@pytest.mark.parametrize(
    "question", [r"a\009localhost. A", "localhosts. A", "in-addr.arpa. A", "x127.in-addr.arpa. A", "arpa. A"]
)
def test_names_that_only_look_alike_are_passed_on(question: str) -> None:
    assert asked(step("local"), question) == "passed"
