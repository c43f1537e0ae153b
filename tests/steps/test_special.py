"""Special-use names: a table of questions and outcomes for every zone, and the names that are none of its business."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.names import LABEL_LIMIT, Name, fold, from_labels, from_text, to_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Request
from kdns.steps.special import Special, special_answer
from kdns.zone.entry import STATIC

PASSED = Failed(types.SERVFAIL, by="the rest")
NUMBERS_V6 = ".".join("0" * 31)  # of ::, but for the last nibble
ZERO_V6 = f"0.{NUMBERS_V6}.ip6.arpa."
ONE_V6 = f"1.{NUMBERS_V6}.ip6.arpa."

# Zones that exist, with nothing but what the next table says.
ZONES = (
    *("localhost.", "resolver.arpa."),
    *("0.in-addr.arpa.", "127.in-addr.arpa.", "254.169.in-addr.arpa.", "255.255.255.255.in-addr.arpa."),
    *("2.0.192.in-addr.arpa.", "100.51.198.in-addr.arpa.", "113.0.203.in-addr.arpa."),
    *(ZERO_V6, ONE_V6),
    *("8.e.f.ip6.arpa.", "9.e.f.ip6.arpa.", "a.e.f.ip6.arpa.", "b.e.f.ip6.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."),
)
RECORDS = (
    ("localhost.", types.A, bytes((127, 0, 0, 1))),
    ("localhost.", types.AAAA, bytes(15) + b"\1"),
    ("LocalHost.", types.A, bytes((127, 0, 0, 1))),
    ("db.localhost.", types.A, bytes((127, 0, 0, 1))),
    ("a.b.c.LOCALHOST.", types.AAAA, bytes(15) + b"\1"),
    ("1.0.0.127.in-addr.arpa.", types.PTR, from_text("localhost.")),
    ("1.0.0.127.IN-ADDR.ARPA.", types.PTR, from_text("localhost.")),
    (ONE_V6, types.PTR, from_text("localhost.")),
)
# Names that exist without what is asked for.
NO_DATA = (
    *((name, types.TXT) for name in ("localhost.", "db.localhost.", "1.0.0.127.in-addr.arpa.", ONE_V6)),
    *(("localhost.", types.SOA), ("localhost.", types.NS)),  # addresses alone (RFC 6761 section 6.3)
    ("_dns.resolver.arpa.", types.SVCB),  # RFC 9462 section 6.4
    ("any.thing.resolver.arpa.", types.A),
    ("0.127.in-addr.arpa.", types.PTR),  # above a name that exists (RFC 8020)
    ("0.0.127.in-addr.arpa.", types.NS),
)
ABSENT = (
    *("invalid.", "x.invalid.", "A.B.InValid.", "onion.", "expyuzz4wqqyqhjn.onion."),
    *("2.0.0.127.in-addr.arpa.", "1.127.in-addr.arpa.", "1.0.0.0.in-addr.arpa.", "1.0.254.169.in-addr.arpa."),
    *("1.2.0.192.in-addr.arpa.", "1.100.51.198.in-addr.arpa.", "1.113.0.203.in-addr.arpa."),
    *("x.255.255.255.255.in-addr.arpa.", f"x.{ZERO_V6}", f"x.{ONE_V6}"),
    *("1.8.e.f.ip6.arpa.", "1.9.E.F.IP6.ARPA.", "1.a.e.f.ip6.arpa.", "1.b.e.f.ip6.arpa."),
    "1.8.b.d.0.1.0.0.2.ip6.arpa.",
)
OTHERS = (
    *(".", "com.", "example.com.", "localhost.example.com.", "invalid.example.", "onion.example."),
    *("xlocalhost.", "localhostx.", "xinvalid.", "onions.", r"a\009localhost.", r"x\005onion."),
    *("arpa.", "in-addr.arpa.", "ip6.arpa.", "xresolver.arpa.", "home.arpa."),
    # Private addresses (RFC 1918, RFC 6598, ULA) and those next to what is special
    *("10.in-addr.arpa.", "1.0.0.10.in-addr.arpa.", "168.192.in-addr.arpa.", "1.1.168.192.in-addr.arpa."),
    *("16.172.in-addr.arpa.", "64.100.in-addr.arpa.", "1.0.64.100.in-addr.arpa."),
    *("d.f.ip6.arpa.", "c.f.ip6.arpa.", "1.0.d.f.ip6.arpa.", "c.e.f.ip6.arpa.", "7.e.f.ip6.arpa."),
    *("255.255.255.in-addr.arpa.", "169.in-addr.arpa.", "253.169.in-addr.arpa.", "0.192.in-addr.arpa."),
    *("128.in-addr.arpa.", "1.127.in-addr.arpa.example."),
    *(f"2.{NUMBERS_V6}.ip6.arpa.", f"{NUMBERS_V6}.ip6.arpa.", "b.d.0.1.0.0.2.ip6.arpa.", "1.0.0.2.ip6.arpa."),
)


def asked(name: str, qtype: int = types.A) -> Query:
    return Query(from_text(name), qtype)


def soa(zone: str) -> RecordSet:
    """As RFC 6303 section 3 has it."""
    numbers = b"".join(number.to_bytes(4) for number in (1, 3600, 1200, 604800, 10800))
    return RecordSet(from_text(zone), types.SOA, 10800, (from_text(zone) + from_text("nobody.invalid.") + numbers,))


def zone_of(name: str) -> str:
    return next(zone for zone in (*ZONES, "invalid.", "onion.") if f".{name.lower()}".endswith(f".{zone}"))


@pytest.mark.parametrize(("name", "qtype", "rdata"), RECORDS)
def test_names_with_records_have_them_under_the_name_as_it_was_asked(name: str, qtype: int, rdata: bytes) -> None:
    assert special_answer(asked(name, qtype)) == Answer(answers=(RecordSet(from_text(name), qtype, 10800, (rdata,)),))


@pytest.mark.parametrize("zone", ZONES[1:])
def test_a_zone_has_soa_and_ns_as_rfc_6303_gives_them(zone: str) -> None:
    assert special_answer(asked(zone, types.SOA)) == Answer(answers=(soa(zone),))
    servers = RecordSet(from_text(zone), types.NS, 10800, (from_text(zone),))
    assert special_answer(asked(zone, types.NS)) == Answer(answers=(servers,))


@pytest.mark.parametrize(("name", "qtype"), [*((zone, types.TXT) for zone in ZONES), *NO_DATA])
def test_a_name_that_exists_without_the_type_has_no_data(name: str, qtype: int) -> None:
    assert special_answer(asked(name, qtype)) == Answer(types.NOERROR, authority=(soa(zone_of(name)),))


@pytest.mark.parametrize("qtype", [types.A, types.AAAA, types.PTR, types.SOA, types.NS])
@pytest.mark.parametrize("name", ABSENT)
def test_all_else_in_these_zones_does_not_exist(name: str, qtype: int) -> None:
    assert special_answer(asked(name, qtype)) == Answer(types.NXDOMAIN, authority=(soa(zone_of(name)),))


@pytest.mark.parametrize("qtype", [types.A, types.PTR, types.SOA])
@pytest.mark.parametrize("name", OTHERS)
def test_any_other_name_is_passed_on(name: str, qtype: int) -> None:
    assert special_answer(asked(name, qtype)) is None


labels = st.lists(st.binary(min_size=1, max_size=LABEL_LIMIT), max_size=2)


@given(labels, st.sampled_from([*ZONES, "invalid.", "onion."]), st.booleans())
def test_whatever_is_below_a_zone_is_answered_and_the_case_makes_no_difference(
    above: list[bytes], zone: str, upper: bool
) -> None:
    name = Name(from_labels(above)[:-1] + from_text(zone.upper() if upper else zone))
    answer = special_answer(Query(name, types.MX))
    assert answer == special_answer(Query(fold(name), types.MX))
    assert answer is not None
    assert [to_text(records.name) for records in answer.authority] == [zone]


def rest(_request: Request, _done: Done) -> Outcome:
    return PASSED


def never(outcome: Outcome) -> None:
    pytest.fail(f"nothing was to come later: {outcome}")


@pytest.mark.parametrize("name", ["localhost.", "x.onion."])
def test_the_step_answers_at_once_and_nothing_ever_changes_that(name: str) -> None:
    query = asked(name)
    answer = special_answer(query)
    assert answer is not None
    assert Special().ask(Request(query, Peer("127.0.0.1", 5353), "udp"), rest, never) == Answered(
        answer, (STATIC,), "special"
    )


def test_the_step_asks_the_rest_for_any_other_name() -> None:
    assert Special().ask(Request(asked("example.com."), Peer("127.0.0.1", 5353), "udp"), rest, never) == PASSED
