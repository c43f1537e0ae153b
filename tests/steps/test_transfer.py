"""transfer: who may have which zone, what a client gets, and who is told of changes."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from kdns.config.settings import Address
from kdns.dns import types
from kdns.dns.names import ROOT, Name, from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet, soa, txt
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Request, Rest, Transfer, Whole, compose
from kdns.steps.transfer import NAME, OPEN, Rule, Transfers
from tests.steps.test_zonefiles import Log

ORG, SUB = from_text("example.org."), from_text("sub.example.org.")
SOA = RecordSet(ORG, types.SOA, 5, (soa(ORG, ORG, 7, 1, 1, 1, 1),))
TXT = RecordSet(ORG, types.TXT, 5, (txt(b"one"), txt(b"two")))
ANYONE = Rule((ORG,), frozenset(), True, (), "")
PASSED = Failed(types.SERVFAIL, by="the rest")


class Source:
    """A step with zones."""

    def __init__(self, *zones: Name, failed: Failed | None = None) -> None:
        self.zones = zones
        self.failed = failed
        self.tell: Callable[[Name], None] = lambda _: None

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        return rest(request, done)

    def whole(self, zone: Name) -> Whole | Failed | None:
        if zone not in self.zones:
            return None
        return self.failed or Whole(SOA, 7, iter((SOA, TXT)))

    def notify(self, tell: Callable[[Name], None]) -> None:
        self.tell = tell


@dataclass
class Notifier:
    """Keeps who was to be told of what."""

    told: list[tuple[Any, ...]] = field(default_factory=list)

    def tell(self, *what: Any) -> None:
        self.told.append(what)

    def close(self) -> None:
        pass


def gate(*rules: Rule, sources: tuple[Source, ...] = (Source(ORG),)) -> Transfers:
    made = Transfers(rules, None, Log())
    made.lead_to(sources)
    return made


def ask(step: Transfers, qtype: int = types.AXFR, name: str = "example.org.", **more: Any) -> Outcome | None:
    host = more.pop("host", "192.0.2.1")
    values = {"transport": "tcp", "since": 6 if qtype == types.IXFR else None} | more
    asked = Request(Query(from_text(name), qtype), Peer(host, 4053), **values)
    return step.ask(asked, lambda _request, _done: PASSED, lambda _: None)


def sets_of(outcome: Outcome | None) -> list[RecordSet]:
    assert isinstance(outcome, Transfer)
    assert outcome.by == NAME
    return list(outcome.sets)


def rcode_of(outcome: Outcome | None) -> int:
    assert isinstance(outcome, Failed)
    return outcome.rcode


@pytest.mark.parametrize("qtype", [types.AXFR, types.IXFR])
def test_all_of_the_zone_between_its_soa(qtype: int) -> None:
    assert sets_of(ask(gate(ANYONE), qtype)) == [SOA, TXT, SOA]


@pytest.mark.parametrize("since", [7, 8, 0x7FFFFFFF])
def test_who_has_it_already_gets_the_soa(since: int) -> None:
    assert ask(gate(ANYONE), types.IXFR, since=since) == Answered(Answer(answers=(SOA,)), (), NAME)


@pytest.mark.parametrize("since", [0, 6, 0xFFFFFFFF, 0x80000008])
def test_who_has_an_older_one_gets_all(since: int) -> None:
    assert sets_of(ask(gate(ANYONE), types.IXFR, since=since)) == [SOA, TXT, SOA]


@pytest.mark.parametrize("since", [6, 7])
def test_over_udp_changes_are_told_by_the_soa(since: int) -> None:
    outcome = ask(gate(ANYONE), types.IXFR, since=since, transport="udp")
    assert outcome == Answered(Answer(answers=(SOA,)), (), NAME)


@pytest.mark.parametrize("qtype", [types.A, types.SOA, types.ANY])
def test_other_questions_are_passed_on(qtype: int) -> None:
    assert ask(gate(ANYONE), qtype) is PASSED


@pytest.mark.parametrize(
    ("asked", "rcode"),
    [
        ({"transport": "udp"}, types.REFUSED),
        ({"qtype": types.IXFR, "since": None}, types.FORMERR),
        ({"name": "sub.example.org."}, types.NOTAUTH),  # allowed, and no zone
        ({"name": "example.com."}, types.REFUSED),
        ({"name": "org."}, types.REFUSED),
        ({"name": "."}, types.REFUSED),
    ],
)
def test_what_is_not_given(asked: dict[str, Any], rcode: int) -> None:
    assert rcode_of(ask(gate(ANYONE), **asked)) == rcode


@pytest.mark.parametrize(
    ("host", "given"), [("192.0.2.1", True), ("2001:db8::1", True), ("192.0.2.10", False), ("192.0.2.2", False)]
)
def test_only_who_is_named_may_have_it(host: str, given: bool) -> None:
    rule = Rule((ORG,), frozenset(("192.0.2.1", "2001:db8::1")), False, (), "")
    assert isinstance(ask(gate(rule), host=host), Transfer) is given


@pytest.mark.parametrize("turned", [False, True])
def test_the_rule_of_the_innermost_zone_decides(turned: bool) -> None:
    rules = (Rule((ROOT, ORG), frozenset(), True, (), ""), Rule((SUB,), frozenset(), False, (), ""))
    step = gate(*(rules[::-1] if turned else rules), sources=(Source(ORG, SUB),))
    assert rcode_of(ask(step, name="sub.example.org.")) == types.REFUSED
    assert isinstance(ask(step), Transfer)


def test_the_first_source_that_has_the_zone_gives_it() -> None:
    failed = Failed(types.SERVFAIL, by="first")
    assert ask(gate(ANYONE, sources=(Source(SUB), Source(ORG, failed=failed), Source(ORG)))) is failed


def test_only_so_many_are_sent_at_a_time_and_each_ends_its_own_way() -> None:
    step = gate(ANYONE)
    given = [ask(step) for _ in range(OPEN)]
    assert rcode_of(ask(step)) == types.REFUSED
    sets_of(given.pop())  # read to its end
    unread = given.pop()  # never read
    half = given.pop()
    assert isinstance(half, Transfer)
    assert next(half.sets) == SOA
    del unread, half
    gc.collect()
    again = [ask(step) for _ in range(4)]
    assert [isinstance(each, Transfer) for each in again] == [True] * 3 + [False]


def test_the_end_of_a_transfer_is_logged() -> None:
    step, log = gate(ANYONE), Log()
    step._log = log
    sets_of(ask(step))
    half: Iterator[RecordSet] | None = ask(step).sets  # type: ignore[union-attr]  # a Transfer
    half = None
    gc.collect()
    assert half is None
    keys = {"zone": "example.org.", "to": "192.0.2.1", "serial": 7}
    assert log.events == [
        ("zone_sent", keys | {"records": 3, "whole": True}),
        ("zone_sent", keys | {"records": 0, "whole": False}),
    ]


def test_those_who_are_named_are_told_of_changes() -> None:
    to = (Address("192.0.2.1", 53), Address("192.0.2.2", 54))
    notifier, source = Notifier(), Source(ORG)
    step = Transfers((Rule((ORG,), frozenset(), True, to, "192.0.2.9"),), notifier, Log())  # type: ignore[arg-type]  # a double
    step.lead_to((source,))
    source.tell(ORG)
    source.tell(from_text("example.com."))
    assert notifier.told == [(ORG, to, "192.0.2.9")]


def test_a_chain_without_the_gate_refuses() -> None:
    asked = Request(Query(ORG, types.AXFR), Peer("192.0.2.1", 4053), "tcp")
    assert compose((Source(ORG),))(asked, lambda _: None) == Failed(types.REFUSED)
    assert isinstance(compose((gate(ANYONE), Source(ORG)))(asked, lambda _: None), Transfer)
