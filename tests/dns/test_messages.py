"""The messages of a transfer, read by another library: all records, in their order, none too large."""

from collections.abc import Iterator

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.names import Name, from_text, to_text
from kdns.dns.query import Query
from kdns.dns.records import Packed, RecordSet, txt
from kdns.dns.reply import TCP_LIMIT, messages

ZONE = from_text("example.org.")


def records(wires: list[bytes]) -> list[tuple[str, int, str]]:
    read = []
    for wire in wires:
        message = dns.message.from_wire(wire, one_rr_per_rrset=True, xfr=True)
        read += [(str(each.name), each.ttl, each[0].to_text()) for each in message.answer]
    return read


@st.composite
def sets(draw: st.DrawFn) -> RecordSet:
    name = Name(bytes((3,)) + draw(st.sampled_from((b"www", b"abc", b"WWW"))) + ZONE)
    if draw(st.booleans()):
        octets = draw(st.binary(min_size=4, max_size=400).map(lambda octets: octets[: len(octets) // 4 * 4]))
        return RecordSet(name, types.A, draw(st.integers(0, 9)), Packed(octets, 4))
    sizes = draw(st.lists(st.integers(0, 255), min_size=1, max_size=9))
    return RecordSet(name, types.TXT, 5, tuple(txt(bytes(size)) for size in sizes))


@given(st.lists(sets(), min_size=1), st.integers(512, 2000), st.booleans())
def test_every_record_once_and_in_order(given_sets: list[RecordSet], limit: int, edns: bool) -> None:
    query = Query(ZONE, types.AXFR, id=7, edns=edns)
    wires = list(messages(query, given_sets, limit=limit))
    expected = [(to_text(each.name).lower(), each.ttl) for each in given_sets for _ in each.rdatas]
    assert [(name.lower(), ttl) for name, ttl, _ in records(wires)] == expected
    assert all(len(wire) <= limit for wire in wires)
    for wire in wires:
        message = dns.message.from_wire(wire, xfr=True)
        assert (message.id, message.rcode(), message.edns) == (7, 0, 0 if edns else -1)
        assert message.flags & types.AA
        assert len(message.question) == 1


def test_a_record_larger_than_a_message_has_one_of_its_own() -> None:
    large = RecordSet(ZONE, types.TXT, 5, (txt(*[bytes(255)] * 100), b"\1x"))
    wires = list(messages(Query(ZONE, types.AXFR), (large,), limit=1000))
    assert len(records(wires)) == 2
    assert len(wires[0]) > 25_000


def test_a_record_that_fits_no_message_is_an_error() -> None:
    huge = RecordSet(ZONE, 65280, 5, (bytes(65530),))
    with pytest.raises(ValueError, match="65530 octets fits no message"):
        list(messages(Query(ZONE, types.AXFR), (huge,), limit=TCP_LIMIT))


def test_nothing_is_read_ahead() -> None:
    def endless() -> Iterator[RecordSet]:
        while True:
            yield RecordSet(ZONE, types.TXT, 5, (b"\1x",))

    assert len(next(messages(Query(ZONE, types.AXFR), endless(), limit=600))) <= 600
