"""The order of addresses: nothing is lost by it, in answers or in octets."""

from ipaddress import ip_address

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import order, types
from kdns.dns.names import from_text, to_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, Packed, RecordSet
from kdns.dns.reply import TCP_LIMIT, render
from kdns.dns.wire import WireError
from tests.steps.upstream_texts import reply

WWW = Query(from_text("www.example.com."), types.A)
OTHER = from_text("other.example.com.")
SIZES = {types.A: 4, types.AAAA: 16}

TYPES = st.sampled_from([types.A, types.AAAA])
RANKS = st.lists(st.integers(0, 2), min_size=2, max_size=6)


def address(size: int, number: int, rank: int) -> bytes:
    return bytes((rank,)) + number.to_bytes(size - 1, "big")


def addresses(octets: bytes, rtype: int) -> list[bytes]:
    message = dns.message.from_wire(octets, one_rr_per_rrset=True)
    return [ip_address(str(records[0])).packed for records in message.answer if records.rdtype == rtype]


def made(rtype: int, ranks: list[int], *, cname: bool) -> tuple[Answer, list[bytes]]:
    data = [address(SIZES[rtype], number, rank) for number, rank in enumerate(ranks)]
    owner = OTHER if cname else WWW.qname
    link = (RecordSet(WWW.qname, types.CNAME, 60, (OTHER,)),) if cname else ()
    return Answer(answers=(*link, RecordSet(owner, rtype, 60, tuple(data)))), data


@given(TYPES, RANKS, st.booleans())
def test_those_of_the_least_rank_come_first_each_rank_in_its_order(rtype: int, ranks: list[int], cname: bool) -> None:
    answer, data = made(rtype, ranks, cname=cname)
    expected = sorted(data, key=lambda one: one[0])
    sets = order.by_rank(answer.answers[-1], lambda one: one[0])
    assert [one for records in sets for one in records.rdatas] == expected
    assert all(len({one[0] for one in records.rdatas}) == 1 for records in sets) or len(sets) == 1
    octets = render(WWW.replace(qtype=rtype), answer, limit=TCP_LIMIT, recursion=True).octets
    run = order.run_of(octets)
    if run is None:  # an owner of several labels first, and one pointer behind it
        assert cname
        return
    assert order.addresses_of(octets, run) == data[len(data) - run.count :]
    ranked = order.ranked(octets, run, lambda one: one[0])
    said = addresses(ranked.octets, rtype)
    assert said[len(data) - run.count :] == sorted(data[len(data) - run.count :], key=lambda one: one[0])
    assert len(ranked.octets) == len(octets)
    if ranked.rotation is not None:
        turned = addresses(ranked.rotation.turn(ranked.octets, 1), rtype)
        assert sorted(turned) == sorted(data)
        assert [one[0] for one in turned] == [one[0] for one in said] or len(set(ranks[-run.count :])) == 1


@given(TYPES, RANKS, st.integers(0, 5))
def test_the_chosen_one_comes_first_and_the_others_follow(rtype: int, ranks: list[int], number: int) -> None:
    answer, data = made(rtype, ranks, cname=False)
    number %= len(data)
    expected = [data[number], *data[:number], *data[number + 1 :]]
    sets = order.with_first(answer.answers[0], number)
    assert [one for records in sets for one in records.rdatas] == expected
    octets = render(WWW.replace(qtype=rtype), answer, limit=TCP_LIMIT, recursion=True).octets
    run = order.run_of(octets)
    assert run is not None
    led = order.led_by(octets, run, number)
    assert addresses(led.octets, rtype) == expected
    assert (led.rotation is None) == (len(data) == 2)
    if led.rotation is not None:
        assert addresses(led.rotation.turn(led.octets, 1), rtype) == [expected[0], *expected[2:], expected[1]]


def test_a_packed_set_is_ordered_like_any_other() -> None:
    packed = RecordSet(WWW.qname, types.A, 60, Packed(bytes((1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2)), 4))
    sets = order.by_rank(packed, lambda one: one != bytes(4))
    assert [tuple(records.rdatas) for records in sets] == [(bytes(4),), (b"\1\1\1\1", b"\2\2\2\2")]


RUNS = (
    ("www.example.com. 60 IN A 192.0.2.1", None),
    ("www.example.com. 60 IN A 192.0.2.1\nwww.example.com. 60 IN A 192.0.2.2", ["192.0.2.1", "192.0.2.2"]),
    ("www.example.com. 60 IN AAAA ::1\nwww.example.com. 60 IN AAAA ::4:0:2", ["::1", "::4:0:2"]),
    ("www.example.com. 60 IN MX 1 x.\nwww.example.com. 60 IN MX 2 y.", None),
    ("www.example.com. 60 IN A 192.0.2.1\nwww.example.com. 60 IN TXT x\nwww.example.com. 60 IN A 192.0.2.2", None),
    (
        "www.example.com. 60 IN CNAME a.example.com.\na.example.com. 60 IN A 192.0.2.1\na.example.com. 60 IN A 192.0.2.2",
        ["192.0.2.1", "192.0.2.2"],
    ),
)


@pytest.mark.parametrize(("lines", "expected"), RUNS)
def test_the_run_is_that_of_the_first_addresses_that_are_alike(lines: str, expected: list[str] | None) -> None:
    octets = reply(WWW, lines)
    run = order.run_of(octets)
    if expected is None:
        assert run is None
    else:
        assert run is not None
        assert [str(ip_address(one)) for one in order.addresses_of(octets, run)] == expected


def test_the_owner_of_a_run_is_told_folded() -> None:
    octets = reply(WWW, "www.example.com. 60 IN CNAME A.Example.net.\nA.Example.net. 60 IN A 192.0.2.1\nA.Example.net. 60 IN A 192.0.2.2")  # fmt: skip
    run = order.run_of(octets)
    assert run is not None
    assert to_text(order.owner_of(octets, run)) == "a.example.net."


@given(st.binary(max_size=60))
def test_octets_that_are_not_whole_are_a_wire_error_or_no_run(octets: bytes) -> None:
    try:
        run = order.run_of(bytes(7) + b"\4" + bytes(4) + octets)
    except WireError:
        return
    assert run is None or run.count > 1
