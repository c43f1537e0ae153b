"""dns64: a table of questions and what CoreDNS answers to them, and what becomes of each kind of outcome."""

from collections.abc import Mapping
from typing import Any

import pytest

from kdns.dns import types
from kdns.dns.records import ExtendedError
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request
from kdns.zone.entry import Owner, service_owner
from tests.steps.telling import CLIENT, CLIENT_V6, answered, never, query, relayed, step, told

NS = "ns example.org. 60 NS ns.example.org."
SOA = "ns example.org. 60 SOA ns.example.org. root.example.org. 1 3600 600 86400 300"
FOUR = "four.example.org. 60 A 192.0.2.1; four.example.org. 60 A 192.0.2.2"
ALIAS = "alias.example.org. 60 CNAME four.example.org."
AWAY = "away.example.org. 60 CNAME nowhere.example.org."

# The zone that CoreDNS' file served behind its dns64: what it says itself.
ZONE: Mapping[str, str] = {
    "four.example.org. A": f"NOERROR aa; {FOUR}; {NS}",
    "four.example.org. AAAA": f"NOERROR aa; {SOA}",
    "four.example.org. TXT": f"NOERROR aa; {SOA}",
    "long.example.org. A": f"NOERROR aa; long.example.org. 3000 A 192.0.2.9; {NS}",
    "long.example.org. AAAA": f"NOERROR aa; {SOA}",
    "both.example.org. A": f"NOERROR aa; both.example.org. 60 A 192.0.2.3; {NS}",
    "both.example.org. AAAA": f"NOERROR aa; both.example.org. 60 AAAA 2001:db8::3; {NS}",
    "six.example.org. A": f"NOERROR aa; {SOA}",
    "six.example.org. AAAA": f"NOERROR aa; six.example.org. 60 AAAA 2001:db8::4; {NS}",
    "text.example.org. A": f"NOERROR aa; {SOA}",
    "text.example.org. AAAA": f"NOERROR aa; {SOA}",
    "alias.example.org. A": f"NOERROR aa; {ALIAS}; {FOUR}; {NS}",
    "alias.example.org. AAAA": f"NOERROR aa; {ALIAS}; {SOA}",
    "away.example.org. A": f"NXDOMAIN aa; {AWAY}; {SOA}",
    "away.example.org. AAAA": f"NXDOMAIN aa; {AWAY}; {SOA}",
    "nothing.example.org. AAAA": f"NXDOMAIN aa; {SOA}",
}
MADE = "four.example.org. 60 AAAA 64:ff9b::c000:201; four.example.org. 60 AAAA 64:ff9b::c000:202"
OTHERS = "four.example.org. 60 AAAA 2001:db8:1:c000:2:100::; four.example.org. 60 AAAA 2001:db8:1:c000:2:200::"

# The question, what CoreDNS 1.14.7 says, and what kdns says instead where it means to.
EVERYONE = "dns64 {\n    allow_ipv4\n}"
TRANSLATE_ALL = "dns64 {\n    prefix 2001:db8:1::/48\n    allow_ipv4\n    translate_all\n}"
# A prefix in the line makes CoreDNS pass over the block.
BLOCK_TOO = "dns64 2001:db8:1::/48 {\n    allow_ipv4\n    translate_all\n}"
TABLE: tuple[tuple[str, str, str, str | None], ...] = (
    (EVERYONE, "four.example.org. AAAA", f"NOERROR; {MADE}; {NS}", None),
    (EVERYONE, "four.example.org. A", f"NOERROR aa; {FOUR}; {NS}", None),
    (EVERYONE, "four.example.org. TXT", f"NOERROR aa; {SOA}", None),
    (EVERYONE, "long.example.org. AAAA", f"NOERROR; long.example.org. 60 AAAA 64:ff9b::c000:209; {NS}", None),
    (EVERYONE, "both.example.org. AAAA", f"NOERROR aa; both.example.org. 60 AAAA 2001:db8::3; {NS}", None),
    (EVERYONE, "six.example.org. AAAA", f"NOERROR aa; six.example.org. 60 AAAA 2001:db8::4; {NS}", None),
    (EVERYONE, "text.example.org. AAAA", f"NOERROR; {SOA}", f"NOERROR aa; {SOA}"),
    (EVERYONE, "alias.example.org. AAAA", f"NOERROR; {ALIAS}; {MADE}; {NS}", None),
    (EVERYONE, "away.example.org. AAAA", f"NOERROR; {AWAY}; {SOA}", f"NXDOMAIN aa; {AWAY}; {SOA}"),
    (EVERYONE, "nothing.example.org. AAAA", f"NXDOMAIN aa; {SOA}", None),
    (TRANSLATE_ALL, "four.example.org. AAAA", f"NOERROR; {OTHERS}; {NS}", None),
    (
        TRANSLATE_ALL,
        "both.example.org. AAAA",
        f"NOERROR; both.example.org. 60 AAAA 2001:db8:1:c000:2:300::; {NS}",
        None,
    ),
    (
        TRANSLATE_ALL,
        "six.example.org. AAAA",
        f"NOERROR; {SOA}",
        f"NOERROR aa; six.example.org. 60 AAAA 2001:db8::4; {NS}",
    ),
    (BLOCK_TOO, "four.example.org. AAAA", f"NOERROR aa; {SOA}", f"NOERROR; {OTHERS}; {NS}"),
    ("dns64", "four.example.org. AAAA", f"NOERROR aa; {SOA}", None),
)


class Zone:
    """The steps behind: what ZONE says, as an answer of our own or as an upstream's reply, at once or later."""

    def __init__(self, *, foreign: bool = False, waits: bool = False, **more: Any) -> None:
        self.asked: list[str] = []
        self.waiting: list[tuple[Done, Outcome]] = []
        self._foreign = foreign
        self._waits = waits
        self._more = more

    def __call__(self, request: Request, done: Done) -> Outcome | None:
        given = request.query
        question = f"{given.name[1 : 1 + given.name[0]].decode()}.example.org. {types.type_text(given.qtype)}"
        self.asked.append(question)
        said = ZONE[question]
        outcome: Outcome = relayed(said, given) if self._foreign else answered(said)
        outcome = outcome._replace(**self._more)
        if not self._waits:
            return outcome
        self.waiting.append((done, outcome))
        return None

    def tell(self) -> None:
        while self.waiting:
            done, outcome = self.waiting.pop(0)
            done(outcome)


def ask(text: str, question: str, zone: Zone, client: Peer = CLIENT, **more: Any) -> Outcome:
    outcomes: list[Outcome] = []
    outcome: Outcome | None = step(text).ask(Request(query(question, **more), client, "udp"), zone, outcomes.append)
    if outcome is not None:
        assert outcomes == []
        return outcome
    zone.tell()
    (outcome,) = outcomes
    return outcome


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(("text", "question", "theirs", "ours"), TABLE)
def test_answers_are_those_of_coredns_but_where_the_table_says_otherwise(
    text: str, question: str, theirs: str, ours: str | None, waits: bool
) -> None:
    assert told(ask(text, question, Zone(waits=waits)), query(question)) == (ours or theirs)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(("text", "question", "theirs", "ours"), TABLE)
def test_replies_of_upstreams_have_the_same_answers(
    text: str, question: str, theirs: str, ours: str | None, waits: bool
) -> None:
    said = told(ask(text, question, Zone(foreign=True, waits=waits)), query(question))
    expected = (ours or theirs).replace(" aa", "")
    made_up = any(line in expected for line in ("64:ff9b", "2001:db8:1:"))
    assert said == (expected.removesuffix(f"; {NS}") if made_up else expected)


@pytest.mark.parametrize(
    ("text", "client", "made"),
    [
        ("dns64", "10.0.0.7", False),
        ("dns64", "::ffff:10.0.0.7", False),
        ("dns64", "2001:db8::7", True),
        (EVERYONE, "10.0.0.7", True),
        (EVERYONE, "2001:db8::7", True),
    ],
)
def test_clients_over_ipv4_are_left_alone_unless_the_settings_say_otherwise(text: str, client: str, made: bool) -> None:
    zone = Zone()
    said = told(ask(text, "four.example.org. AAAA", zone, Peer(client, 5353)), query("four.example.org. AAAA"))
    assert said == (f"NOERROR; {MADE}; {NS}" if made else f"NOERROR aa; {SOA}")
    assert len(zone.asked) == 1 + made


def test_who_validates_gets_nothing_made_up() -> None:
    zone = Zone()
    outcome = ask(EVERYONE, "four.example.org. AAAA", zone, do=True, edns=True, flags=types.RD | types.CD)
    assert told(outcome, query("four.example.org. AAAA")) == f"NOERROR aa; {SOA}"
    assert zone.asked == ["four.example.org. AAAA"]


def test_the_question_for_ipv4_is_asked_only_where_it_may_help() -> None:
    for question, asked in (
        ("four.example.org. AAAA", ["AAAA", "A"]),
        ("both.example.org. AAAA", ["AAAA"]),
        ("nothing.example.org. AAAA", ["AAAA"]),
        ("four.example.org. A", ["A"]),
    ):
        zone = Zone()
        ask(EVERYONE, question, zone)
        assert [each.split()[1] for each in zone.asked] == asked


SHOP = service_owner("shop", "web")


def owners(text: str, question: str, client: Peer) -> tuple[Owner, ...]:
    outcome = ask(text, question, Zone(owners=(SHOP,)), client)
    assert isinstance(outcome, Answered)
    return outcome.owners


def test_what_doors_of_both_families_share_is_the_same_for_both() -> None:
    four, both, text = (f"{name}.example.org. AAAA" for name in ("four", "both", "text"))
    assert owners("dns64", four, CLIENT) == ()  # others get addresses
    assert owners("dns64", both, CLIENT) == ()
    assert owners("dns64", four, CLIENT_V6) == ()  # others get none
    assert owners("dns64", both, CLIENT_V6) == (SHOP,)
    assert set(owners("dns64", text, CLIENT_V6)) == {SHOP}
    assert set(owners(EVERYONE, four, CLIENT)) == {SHOP}


def test_a_denial_of_the_family_does_not_hold_for_names_alike() -> None:
    zone = Zone(alike=object())
    outcome = ask(EVERYONE, "text.example.org. AAAA", zone)
    assert isinstance(outcome, Answered)
    assert outcome.alike is None


@pytest.mark.parametrize(("question", "made"), [("four.example.org. AAAA", True), ("text.example.org. AAAA", False)])
def test_a_reply_holds_as_long_as_both_that_it_is_made_of(question: str, made: bool) -> None:
    outcome = ask(EVERYONE, question, Zone(foreign=True, until=9.0))
    assert isinstance(outcome, Relayed)
    assert (outcome.until, outcome.lasting, outcome.by == "dns64") == (9.0, None, made)
    assert ask(EVERYONE, question, Zone(foreign=True))._replace() != outcome


def test_a_stale_reply_says_so() -> None:
    stale = ExtendedError(types.EDE_STALE_ANSWER, "why")
    outcome = ask(EVERYONE, "four.example.org. AAAA", Zone(foreign=True, error=stale))
    assert isinstance(outcome, Relayed)
    assert outcome.error == stale


def test_addresses_take_turns() -> None:
    outcome = ask(EVERYONE, "four.example.org. AAAA", Zone(foreign=True))
    assert isinstance(outcome, Relayed)
    assert outcome.rotation is not None
    assert outcome.rotation.count == 2


FAILED = Failed(types.SERVFAIL, ExtendedError(types.EDE_NETWORK_ERROR, "away"), "forward")


@pytest.mark.parametrize("six", [answered(f"NOERROR aa; {SOA}"), relayed(f"NOERROR; {SOA}", query("x. AAAA"))])
def test_where_nobody_answers_for_ipv4_the_answer_for_ipv6_is_given(six: Outcome) -> None:
    def rest(request: Request, _done: Done) -> Outcome:
        return six if request.query.qtype == types.AAAA else FAILED

    outcome = step(EVERYONE).ask(Request(query("x. AAAA"), CLIENT, "udp"), rest, never)
    assert told(outcome, query("x. AAAA")) == told(six, query("x. AAAA"))
    assert (outcome.owners if isinstance(outcome, Answered) else outcome.until) in {(), 0.0}


def test_where_nobody_answers_at_all_nobody_is_asked_again() -> None:
    asked: list[int] = []

    def rest(request: Request, _done: Done) -> Outcome:
        asked.append(request.query.qtype)
        return FAILED

    assert step(EVERYONE).ask(Request(query("x. AAAA"), CLIENT, "udp"), rest, never) == FAILED
    assert asked == [types.AAAA]


def test_a_fault_in_the_second_question_is_told_and_not_raised_after_a_wait() -> None:
    zone = Zone(waits=True)
    fault = ZeroDivisionError()

    def rest(request: Request, done: Done) -> Outcome | None:
        if request.query.qtype == types.A:
            raise fault
        return zone(request, done)

    outcomes: list[Outcome] = []
    given = Request(query("four.example.org. AAAA"), CLIENT, "udp")
    assert step(EVERYONE).ask(given, rest, outcomes.append) is None
    zone.tell()
    (outcome,) = outcomes
    assert isinstance(outcome, Failed)
    assert (outcome.rcode, outcome.cause) == (types.SERVFAIL, fault)


def test_an_unreadable_reply_is_a_failure_that_says_so() -> None:
    def rest(request: Request, _done: Done) -> Outcome:
        given = request.query
        if given.qtype == types.AAAA:
            return relayed(f"NOERROR; {SOA}", given)
        octets = relayed(f"NOERROR; {FOUR}", given).octets
        return Relayed(octets[:7] + b"\5" + octets[8:])

    outcome = step(EVERYONE).ask(Request(query("four.example.org. AAAA"), CLIENT, "udp"), rest, never)
    assert isinstance(outcome, Failed)
    assert outcome.error is not None
    assert outcome.error.text.startswith("the reply for IPv4 can't be used: ")


def test_a_reply_of_an_uncommon_form_is_read_record_by_record() -> None:
    def rest(request: Request, _done: Done) -> Outcome:
        given = request.query
        if given.qtype == types.AAAA:
            return relayed(f"NOERROR; {SOA}", given)
        return relayed(f"NOERROR; {FOUR}; {ALIAS}", given)  # the CNAME behind what it leads to

    given = query("alias.example.org. AAAA")
    outcome = step(EVERYONE).ask(Request(given, CLIENT, "udp"), rest, never)
    assert told(outcome, given) == f"NOERROR; {ALIAS}; {MADE}"
    assert isinstance(outcome, Answered)
    assert outcome.owners == ()
