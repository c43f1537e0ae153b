"""Rules for replies: what is left out, flags, identifier and size."""

import struct

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import foreign, rules, types
from kdns.dns.names import from_labels, from_text
from kdns.dns.query import Query, parse
from kdns.dns.records import Answer
from kdns.dns.reply import OPT_SIZE, TCP_LIMIT, opt_record, render
from tests.steps.telling import answered, relayed, text, told

WWW = Query(from_text("www.example.org."), types.A)
A = "www.example.org. 60 A 192.0.2.1; www.example.org. 60 A 192.0.2.2"
CNAME = "www.example.org. 60 CNAME four.example.org.; four.example.org. 60 A 192.0.2.1"
NS = "ns example.org. 60 NS ns.example.org."
SOA = "ns example.org. 60 SOA ns.example.org. root.example.org. 1 3600 600 86400 300"
GLUE = "ar ns.example.org. 60 A 192.0.2.53"

# What a reply says, and what of it is left; CoreDNS' minimal leaves the same of each, but for the last.
MINIMAL = (
    (f"NOERROR aa; {A}; {NS}; {GLUE}", f"NOERROR aa; {A}"),
    (f"NOERROR aa; {CNAME}; {NS}", f"NOERROR aa; {CNAME}"),
    (f"NOERROR aa; {A}; {GLUE}", f"NOERROR aa; {A}"),
    (f"NOERROR aa; {A}", f"NOERROR aa; {A}"),
    (f"NXDOMAIN aa; {SOA}", f"NXDOMAIN aa; {SOA}"),
    (f"NXDOMAIN aa; www.example.org. 60 CNAME x.example.org.; {SOA}",) * 2,
    (f"NOERROR aa; {SOA}", f"NOERROR aa; {SOA}"),
    (f"NOERROR; {NS}; {GLUE}", f"NOERROR; {NS}; {GLUE}"),
    (f"SERVFAIL; {NS}", f"SERVFAIL; {NS}"),
    (f"NOERROR aa; {GLUE}", f"NOERROR aa; {GLUE}"),
)


@pytest.mark.parametrize(("said", "left"), MINIMAL)
def test_a_minimal_answer_has_only_what_was_asked_for(said: str, left: str) -> None:
    whole = answered(said)
    assert told(whole._replace(answer=rules.minimal(WWW, whole.answer)), WWW) == left


@pytest.mark.parametrize(("said", "left"), MINIMAL)
@pytest.mark.parametrize("opt", [b"", opt_record(types.NOERROR, do=False, options=b"\0\x0f\0\2\0\3")])
def test_so_has_a_minimal_reply_whose_opt_record_stays(said: str, left: str, opt: bytes) -> None:
    octets = bytearray(relayed(said, WWW).octets)
    octets[11] += bool(opt)
    made = rules.minimal_reply(WWW, bytes(octets) + opt)
    assert text(made) == left.replace(" aa", "") if not made[2] & 4 else text(made) == left
    assert made.endswith(opt)
    assert foreign.has_edns(made) == bool(opt)
    assert rules.minimal_reply(WWW, made) == made


def test_proofs_stay_for_who_asked_for_them() -> None:
    query = WWW.replace(do=True, edns=True)
    said = f"NOERROR aa; {A}; {NS}; {GLUE}"
    left = f"NOERROR aa; {A}; {NS}"
    assert told(answered(said)._replace(answer=rules.minimal(query, answered(said).answer)), query) == left
    assert text(rules.minimal_reply(query, relayed(said, query).octets)) == left


def test_addresses_stay_where_they_were_so_that_they_may_take_turns() -> None:
    whole = render(WWW, answered(f"NOERROR aa; {A}; {NS}").answer, limit=TCP_LIMIT, recursion=True)
    assert whole.rotation is not None
    turned = whole.rotation.turn(rules.minimal_reply(WWW, whole.octets), 1)
    assert text(turned) == "NOERROR aa; www.example.org. 60 A 192.0.2.2; www.example.org. 60 A 192.0.2.1"


FLAGS = st.sampled_from(["aa", "ra", "rd"])
RULES = st.lists(st.tuples(st.booleans(), st.lists(FLAGS, min_size=1, max_size=3)), max_size=5)


@given(RULES, st.integers(0, 0xFFFF))
def test_flags_become_what_one_rule_after_the_other_makes_of_them(
    given_rules: list[tuple[bool, list[str]]], flags: int
) -> None:
    expected = flags
    for is_set, names in given_rules:
        for name in names:
            bit = {"aa": 0x0400, "ra": 0x0080, "rd": 0x0100}[name]
            expected = expected | bit if is_set else expected & ~bit
    change = rules.flag_change(given_rules)
    assert change.of(flags) == expected
    assert change.of_query(WWW.replace(flags=flags)).flags == expected
    reply = struct.pack("!HH", 7, flags) + bytes(range(8)) + b"rest"
    assert change.of_reply(reply) == struct.pack("!HH", 7, expected) + bytes(range(8)) + b"rest"


def test_what_changes_nothing_makes_nothing_new() -> None:
    assert rules.UNCHANGED.of_query(WWW) is WWW
    octets = bytes(12)
    assert rules.UNCHANGED.of_reply(octets) is octets
    assert rules.flag_change([]) == rules.UNCHANGED


# As `header { query set rd; response set ra; response clear aa; response set AA; response clear rd }` in CoreDNS 1.14.7.
@pytest.mark.parametrize("asked", [types.RD, 0])
def test_flags_of_question_and_reply_are_those_of_coredns(asked: int) -> None:
    query = rules.flag_change([(True, ["rd"])]).of_query(WWW.replace(flags=asked))
    made = render(query, answered(f"NOERROR; {A}").answer, limit=TCP_LIMIT, recursion=False).octets
    change = rules.flag_change([(True, ["ra"]), (False, ["aa"]), (True, ["aa"]), (False, ["rd"])])
    message = dns.message.from_wire(change.of_reply(made))
    assert dns.flags.to_text(message.flags) == "QR AA RA"


def asking(*options: dns.edns.Option) -> bytes:
    return parse(dns.message.make_query("www.example.org.", "A", use_edns=0, options=list(options)).to_wire()).options


def test_who_asks_for_the_identifier_gets_it_and_nobody_else() -> None:
    cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")
    empty = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")
    expected = b"\0\3\0\x0ehere and there"
    assert rules.nsid_option(asking(empty), b"here and there") == expected
    assert rules.nsid_option(asking(cookie, empty), b"here and there") == expected
    assert rules.nsid_option(asking(cookie), b"here and there") == b""
    assert rules.nsid_option(b"", b"here and there") == b""


def test_the_longest_identifier_fits_the_smallest_reply_beside_all_else() -> None:
    longest = Query(from_labels([b"x" * 63] * 3 + [b"x" * 61]), types.A, edns=True)
    options = rules.nsid_option(b"\0\3\0\0", b"x" * rules.NSID_MAX) + bytes((0, 10, 0, 24)) + bytes(24 + 6)
    made = render(longest, Answer(), limit=512, recursion=False, options=options)
    assert len(made.octets) <= 512
    assert len(made.octets) == 12 + 255 + 4 + OPT_SIZE + len(options)


@pytest.mark.parametrize(
    ("payload", "limit", "octets"), [(512, 600, 512), (1232, 600, 600), (4096, 4096, 4096), (512, 512, 512)]
)
def test_a_reply_is_as_large_as_the_client_takes_and_the_limit_allows(payload: int, limit: int, octets: int) -> None:
    assert rules.size_limit(limit)(WWW.replace(payload=payload, edns=True)) == octets
