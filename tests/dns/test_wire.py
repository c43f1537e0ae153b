"""Stepping over names and records: bounded, never in circles, never past the end."""

import dns.name
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.dns import names
from kdns.dns.wire import WireError, end_of_name, end_of_plain_name, read_name, record_at
from tests.dns.octets import WEB, named, record

HEAD = bytes(12)
CHAIN = HEAD + b"\1a\0\xc0\x0c\xc0\x0f\xc0\x11"  # a name at 12, and pointers each to the one before


def test_a_plain_name_ends_behind_its_root() -> None:
    assert end_of_plain_name(HEAD + WEB + b"x", 12) == 12 + len(WEB)


def test_a_name_is_read_through_its_pointers() -> None:
    assert read_name(CHAIN, 19) == (named("a"), 21)
    assert read_name(CHAIN + b"\1b\xc0\x13", 21) == (named("b.a"), 25)


@pytest.mark.parametrize(
    ("octets", "at"),
    [
        (HEAD + b"\xc0\x0c", 12),
        (HEAD + b"\xc0\x0e\xc0\x0c", 12),
        (HEAD + b"\xc0\x00", 12),
        (HEAD + b"\1a\xc0\x0c", 12),
        (HEAD + b"\xc0", 12),
        (HEAD + b"\3web", 12),
        (HEAD + b"\x40" + b"a" * 64 + b"\0", 12),
        (HEAD + b"\x80a\0", 12),
        (HEAD + (b"\x3f" + b"a" * 63) * 4 + b"\0", 12),
        (HEAD, 12),
    ],
)
def test_names_that_circle_leave_or_have_no_end_are_refused(octets: bytes, at: int) -> None:
    for reader in (read_name, end_of_name, end_of_plain_name):
        with pytest.raises(WireError):
            reader(octets, at)


def test_a_name_grown_past_255_octets_by_pointers_is_refused() -> None:
    octets = HEAD + (b"\x3f" + b"a" * 63) * 3 + b"\0"
    assert end_of_name(octets + b"\x3f" + b"b" * 63 + b"\xc0\x0c", len(octets)) == len(octets) + 66
    with pytest.raises(WireError):
        read_name(octets + b"\x3f" + b"b" * 63 + b"\xc0\x0c", len(octets))


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_record_that_is_not_whole_is_refused(cut: int) -> None:
    octets = HEAD + record(b"\0", 1, b"\1\2\3\4")
    assert record_at(octets, 12).end == len(octets)
    with pytest.raises(WireError):
        record_at(octets[:-cut], 12)


piece = st.one_of(
    st.integers(12, 80).map(lambda to: (0xC000 | to).to_bytes(2, "big")),
    st.binary(min_size=1, max_size=9).map(lambda label: bytes((len(label),)) + label),
    st.just(b"\0"),
)


@settings(deadline=None)
@given(st.lists(piece, max_size=30).map(lambda pieces: HEAD + b"".join(pieces)), st.integers(12, 80))
def test_a_name_is_read_as_dnspython_reads_it(octets: bytes, at: int) -> None:
    try:
        name, end = read_name(octets, at)
    except WireError:
        return
    theirs, size = dns.name.from_wire(octets, at)
    assert name == names.from_labels(theirs.labels[:-1])
    assert end == at + size == end_of_name(octets, at)
