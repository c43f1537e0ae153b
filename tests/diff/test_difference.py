"""Two replies, and all that differs between them."""

import random

import pytest

from kdns.diff.difference import SILENCE, differences
from tests.diff.replies import reply

A = "a.example. A"
TWO = "a.example. 60 A 192.0.2.1\na.example. 60 A 192.0.2.2"
SOA = "example. 60 SOA ns.example. host.example. {} 2 3 4 5"

CASES = (
    (("NOERROR aa", TWO), ("NOERROR aa ra", TWO), ["ra: clear | set"]),
    (("NXDOMAIN",), ("NOERROR",), ["rcode: NXDOMAIN | NOERROR"]),
    (
        ("NOERROR", TWO),
        ("NOERROR", "a.example. 60 A 192.0.2.1\na.example. 60 A 192.0.2.3"),
        ["answer: a.example. IN A 192.0.2.2 | -", "answer: - | a.example. IN A 192.0.2.3"],
    ),
    (("NOERROR", TWO), ("NOERROR", TWO + "\na.example. 60 A 192.0.2.3"), ["answer: - | a.example. IN A 192.0.2.3"]),
    (
        ("NOERROR", "a.example. 60 A 192.0.2.1"),
        ("NOERROR", "a.example. 30 A 192.0.2.1"),
        ["answer ttl: 60 a.example. IN A 192.0.2.1 | 30 a.example. IN A 192.0.2.1"],
    ),
    (
        ("NOERROR", "a.example. 60 CNAME b.example."),
        ("NOERROR", "a.example. 60 CNAME B.example."),
        ["answer case: a.example. IN CNAME b.example. | a.example. IN CNAME B.example."],
    ),
    (("NOERROR",), ("NOERROR", "---" + SOA.format(7)), ["authority: - | example. IN SOA ns.example. host.example. 7 2 3 4 5"]),
    (("NOERROR", "---" + SOA.format(6)), ("NOERROR", "---" + SOA.format(7)), ["authority serial: 6 | 7"]),
    (
        ("NOERROR", "a.example. 60 CNAME b.example.\nb.example. 60 A 192.0.2.1"),
        ("NOERROR", "b.example. 60 A 192.0.2.1\na.example. 60 CNAME b.example."),
        ["answer order: a.example./CNAME b.example./A | b.example./A a.example./CNAME"],
    ),
)  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours", "expected"), CASES)
def test_each_thing_that_differs_is_told(theirs: tuple[str, ...], ours: tuple[str, ...], expected: list[str]) -> None:
    assert [str(each) for each in differences(reply(A, *theirs), reply(A, *ours))] == expected


@pytest.mark.parametrize(("theirs", "ours", "expected"), CASES)
def test_nothing_differs_from_itself_and_sides_can_be_changed(
    theirs: tuple[str, ...], ours: tuple[str, ...], expected: list[str]
) -> None:
    one, other = reply(A, *theirs), reply(A, *ours)
    assert differences(one, one) == differences(other, other) == ()
    turned = {(each.where, each.ours, each.theirs) for each in differences(other, one)}
    assert turned == {*differences(one, other)}
    assert len(turned) == len(expected)


def test_the_order_of_addresses_has_no_meaning() -> None:
    lines = [f"a.example. 60 A 192.0.2.{number}" for number in range(20)]
    shuffled = random.Random(1).sample(lines, 20)
    assert differences(reply(A, "NOERROR", "\n".join(lines)), reply(A, "NOERROR", "\n".join(shuffled))) == ()


def test_a_second_may_pass_between_two_replies() -> None:
    one, other = (reply(A, "NOERROR", f"a.example. {ttl} A 192.0.2.1") for ttl in (30, 29))
    assert differences(one, other, slack_s=1) == ()
    assert len(differences(one, other)) == 1


def test_edns_and_its_size_are_told() -> None:
    plain, small, large = reply(A, "NOERROR"), reply(A, "NOERROR", payload=1232), reply(A, "NOERROR", payload=4096)
    assert [str(each) for each in differences(small, plain)] == ["edns: spoken | -"]
    assert [each.where for each in differences(small, large)] in ([], ["payload"])


def test_silence_differs_from_any_reply() -> None:
    said = reply(A, "NOERROR")
    assert [str(each) for each in differences(SILENCE, said)] == ["reply: - | NOERROR"]
    assert differences(SILENCE, SILENCE) == ()
