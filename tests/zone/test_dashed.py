"""Addresses as labels."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.zone import dashed

addresses = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
groups = st.lists(st.sampled_from([0, 0, 0, 1, 0xAB, 0xFFFF]), min_size=8, max_size=8)
sparse = groups.map(lambda parts: b"".join(part.to_bytes(2, "big") for part in parts))
spellings = st.text("0123456789abcdef-g._%", max_size=24) | st.lists(
    st.sampled_from(["", "0", "1", "00ab", "ffff", "10000", "g", "255", "256", "01"]), max_size=10
).map("-".join)


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("10.0.0.1", b"10-0-0-1"),
        ("255.255.255.255", b"255-255-255-255"),
        ("2001:db8::1", b"2001-db8--1"),
        ("2001:db8::", b"2001-db8--0"),
        ("::1", b"--1"),
        ("::", b"--0"),
        ("1:0:0:2:0:0:0:3", b"1-0-0-2--3"),
        ("1:0:0:2:3:0:0:4", b"1--2-3-0-0-4"),
        ("1:0:2:3:4:5:6:7", b"1-0-2-3-4-5-6-7"),
    ],
)
def test_an_address_is_written_in_its_shortest_form(address: str, label: bytes) -> None:
    assert dashed.write(ipaddress.ip_address(address).packed) == label


@given(addresses | sparse)
def test_what_is_written_is_read_again(address: bytes) -> None:
    assert dashed.parse(dashed.write(address)) == address


@given(sparse)
def test_ipv6_is_written_as_rfc_5952_asks(address: bytes) -> None:
    text = ipaddress.IPv6Address(address).compressed.replace(":", "-")
    assert dashed.write(address).decode() == (text + "0" if text.endswith("-") else text)


@given(spellings)
def test_exactly_the_spellings_of_addresses_are_read(text: str) -> None:
    ipv4 = text.count("-") == 3 and "--" not in text
    expected = None
    if not {".", "%"} & set(text):
        try:
            expected = ipaddress.ip_address(text.replace("-", "." if ipv4 else ":")).packed
        except ValueError:
            expected = None
    assert dashed.parse(text.encode()) == expected


@given(st.binary(max_size=63))
def test_any_octets_are_an_address_or_none(octets: bytes) -> None:
    address = dashed.parse(octets)
    assert address is None or len(address) in {4, 16}
