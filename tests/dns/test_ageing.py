"""Lowered TTLs, seen by another library, and what no message is."""

import contextlib

import dns.message
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns.ageing import aged
from kdns.dns.wire import WireError

TTLS = st.integers(0, 2**32 - 1)


def message(*ttls: int) -> bytes:
    """A reply with one record of each TTL in each section, and an OPT record."""
    made = dns.message.make_response(dns.message.make_query("www.example.com.", "A", use_edns=0, payload=1232))
    for number, ttl in enumerate(ttls):
        made.sections[1 + number % 3].append(
            dns.rrset.RRset(dns.name.from_text(f"{number}.example.com."), dns.rdataclass.IN, dns.rdatatype.A)
        )
        made.sections[1 + number % 3][-1].add(dns.rdata.from_text("IN", "A", "192.0.2.1"))
        made.sections[1 + number % 3][-1].ttl = min(ttl, 2**31 - 1)
    return made.to_wire()


@given(ttls=st.lists(TTLS, max_size=6), seconds=st.integers(0, 2**31 - 1), most=st.none() | st.integers(0, 2**31 - 1))
def test_each_ttl_is_lowered_and_nothing_else_changes(ttls: list[int], seconds: int, most: int | None) -> None:
    octets = message(*ttls)
    before, after = dns.message.from_wire(octets), dns.message.from_wire(aged(octets, seconds, most))
    limit = 2**31 - 1 if most is None else most
    for old, new in zip(before.sections, after.sections, strict=True):
        for one, other in zip(old, new, strict=True):
            assert other.ttl == (min(max(one.ttl - seconds, 0), limit) if old is not before.sections[0] else one.ttl)
            other.ttl = one.ttl
    assert after == before
    assert (after.flags, after.ednsflags, after.payload) == (before.flags, before.ednsflags, before.payload)


def test_a_ttl_with_its_highest_bit_set_stays() -> None:
    octets = message(7)
    high = octets.replace((7).to_bytes(4, "big"), b"\x80\0\0\7", 1)
    assert high != octets
    assert aged(high, 5) == high


@given(octets=st.binary(max_size=60), cut=st.integers(0, 90))
def test_only_wire_errors_come_out(octets: bytes, cut: int) -> None:
    for each in (octets, message(1, 2, 3)[:cut], message(1, 2, 3)[:cut] + octets):
        with contextlib.suppress(WireError):
            assert len(aged(each, 1)) == len(each)
