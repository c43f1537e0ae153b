"""IPv6 addresses that stand for IPv4 ones: RFC 6052's own table, and replies read by an independent library."""

import contextlib
import itertools
from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import translation, types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.dns.translation import TTL_MAX, Prefix, has_type, soa_ttl, translate_reply
from kdns.dns.wire import WireError
from tests.steps.upstream_texts import reply

FOUR = Query(from_text("www.example.com."), types.A)
SIX = Query(from_text("wWw.example.com."), types.AAAA)
WELL_KNOWN = Prefix(IPv6Address("64:ff9b::").packed, 96)

# RFC 6052 section 2.4, and prefixes of CoreDNS' own, by the same rule.
RFC_6052 = (
    ("2001:db8::", 32, "2001:db8:c000:221::"),
    ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
    ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"),
    ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"),
    ("2001:db8:122:344::", 72, "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344:55::", 80, "2001:db8:122:344:55:c000:221:0"),
    ("2001:db8:122:344:55:6600::", 88, "2001:db8:122:344:55:66c0:2:2100"),
)


@pytest.mark.parametrize(("network", "bits", "address"), RFC_6052)
def test_an_address_lies_in_the_prefix_as_rfc_6052_says(network: str, bits: int, address: str) -> None:
    assert Prefix(IPv6Address(network).packed, bits).of(bytes((192, 0, 2, 33))) == IPv6Address(address).packed


LABELS = st.sampled_from(["a", "b", "www", "x-y"])
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(lambda labels: ".".join(labels) + ".example.com.")
ADDRESSES = st.lists(st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number))), min_size=1, max_size=5, unique=True)  # fmt: skip


@given(st.lists(NAMES, max_size=3, unique=True), ADDRESSES, st.integers(0, 2**31), st.integers(0, 1000))
def test_a_reply_has_the_same_records_with_addresses_that_stand_for_others(
    names: list[str], addresses: list[str], ttl: int, ttl_max: int
) -> None:
    chain = ["www.example.com.", *(name for name in names if name != "www.example.com.")]
    lines = [f"{one} 77 IN CNAME {other}" for one, other in itertools.pairwise(chain)]
    lines += [f"{chain[-1]} {ttl % 2**31} IN A {address}" for address in addresses]
    received = reply(FOUR, "\n".join(lines), "example.com. 60 IN NS ns.example.com.", flags=0x20)
    made = translate_reply(SIX, received, WELL_KNOWN, ttl_max)
    assert made is not None
    message = dns.message.from_wire(made.octets)
    assert message.question[0].to_text() == "wWw.example.com. IN AAAA"
    assert message.id == 7
    assert not message.flags & 0x20
    expected = [dns.rrset.from_text(one, 77, "IN", "CNAME", other) for one, other in itertools.pairwise(chain)]
    six = [str(ip_address(WELL_KNOWN.of(IPv4Address(address).packed))) for address in addresses]
    expected.append(dns.rrset.from_text(chain[-1], min(ttl % 2**31, ttl_max), "IN", "AAAA", *six))
    assert message.answer == expected
    assert [one.ttl for one in message.answer] == [one.ttl for one in expected]
    assert message.authority == message.additional == []
    if made.rotation is not None:
        turned = dns.message.from_wire(made.rotation.turn(made.octets, 1), one_rr_per_rrset=True)
        assert [str(ip_address(str(one[0]))) for one in turned.answer[len(chain) - 1 :]] == [*six[1:], six[0]]
    assert (made.rotation is not None) == (len(addresses) > 1 and len(chain) == 1) or len(chain) > 1


@pytest.mark.parametrize(
    "answers",
    [
        "",
        "www.example.com. 60 IN TXT x",
        "www.example.com. 60 IN A 192.0.2.1\nwww.example.com. 60 IN TXT x",
        "www.example.com. 60 IN A 192.0.2.1\nx.example.com. 60 IN A 192.0.2.2",
        "www.example.com. 60 IN A 192.0.2.1\nx.www.example.com. 60 IN CNAME www.example.com.",
    ],
)
def test_any_other_form_is_left_to_who_reads_all_of_it(answers: str) -> None:
    assert translate_reply(SIX, reply(FOUR, answers), WELL_KNOWN, 60) is None


def test_of_a_truncated_reply_of_another_form_the_question_is_left() -> None:
    received = reply(FOUR, "www.example.com. 60 IN CNAME x.example.com.", flags=0x200)
    made = translate_reply(SIX, received, WELL_KNOWN, 60)
    assert made is not None
    message = dns.message.from_wire(made.octets)
    assert (message.answer, message.flags & 0x200) == ([], 0x200)
    whole = reply(FOUR, "www.example.com. 60 IN A 192.0.2.1", flags=0x200)
    part = translate_reply(SIX, whole, WELL_KNOWN, 60)
    assert part is not None
    assert len(dns.message.from_wire(part.octets).answer) == 1
    assert dns.message.from_wire(part.octets).flags & 0x200


@given(st.binary(max_size=80), st.integers(0, 3), st.integers(0, 3))
def test_whatever_the_octets_are_nothing_but_wire_errors_comes_out(octets: bytes, an: int, ns: int) -> None:
    received = bytes((0, 7, 0x81, 0x80, 0, 1, 0, an, 0, ns, 0, 0)) + SIX.qname + b"\0\x1c\0\1" + octets
    for reads in (
        lambda: translate_reply(SIX, received, WELL_KNOWN, 60),
        lambda: has_type(SIX, received, types.A),
        lambda: soa_ttl(SIX, received),
    ):
        with contextlib.suppress(WireError):
            reads()


def test_the_soa_says_for_how_long_there_is_no_address() -> None:
    soa = "example.com. {} IN SOA ns.example.com. admin.example.com. 1 2 3 4 5"
    assert soa_ttl(SIX, reply(SIX, "", soa.format(42))) == 42
    assert soa_ttl(SIX, reply(SIX, "", "example.com. 60 IN NS ns.example.com.")) == TTL_MAX
    assert soa_ttl(SIX, reply(SIX, "")) == TTL_MAX


def test_types_are_looked_for_among_the_answers_alone() -> None:
    received = reply(SIX, "www.example.com. 60 IN CNAME x.example.com.", "", "x.example.com. 60 IN AAAA ::1")
    assert has_type(SIX, received, types.CNAME)
    assert not has_type(SIX, received, types.AAAA)
    assert translation.TTL_MAX == 600  # RFC 6147 section 5.1.7
