"""Serials: their order on a circle, and the one that a question for changes names."""

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns.serials import is_newer, serial_of

SERIALS = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [
        *((2, 1, True), (1, 2, False), (1, 1, False), (0, 0xFFFFFFFF, True), (0xFFFFFFFF, 0, False)),
        *((0x80000000, 0, False), (0, 0x80000000, False), (0x7FFFFFFF, 0, True)),
    ],
)
def test_order(one: int, other: int, newer: bool) -> None:
    assert is_newer(one, other) is newer


@given(SERIALS, SERIALS)
def test_of_two_serials_at_most_one_is_newer(one: int, other: int) -> None:
    assert not (is_newer(one, other) and is_newer(other, one))


@given(SERIALS, st.integers(1, 0x7FFFFFFF))
def test_what_is_added_makes_it_newer(serial: int, more: int) -> None:
    assert is_newer(serial + more & 0xFFFFFFFF, serial)


def asked(*authority: str, edns: int | None = None) -> bytes:
    query = dns.message.make_query("example.org.", "IXFR", use_edns=edns)
    query.authority = [dns.rrset.from_text("example.org.", 0, "IN", *each.split(" ", 1)) for each in authority]
    return query.to_wire()


def test_the_serial_of_the_one_soa() -> None:
    assert serial_of(asked("SOA ns.example.org. h.example.org. 4000000000 1 2 3 4")) == 4000000000
    assert serial_of(asked("SOA . . 7 1 2 3 4", edns=0)) == 7


@pytest.mark.parametrize("authority", [(), ("NS ns.example.org.",), ("SOA . . 7 1 2 3 4", "A 192.0.2.1")])
def test_without_one_soa_there_is_none(authority: tuple[str, ...]) -> None:
    assert serial_of(asked(*authority)) is None
