"""Names: limits, text both ways, and folding that knows only ASCII."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import names

labels = st.lists(st.binary(min_size=1, max_size=20), max_size=8)


@given(labels)
def test_text_of_a_name_reads_back_as_the_name(parts: list[bytes]) -> None:
    name = names.from_labels(parts)
    assert names.from_text(names.to_text(name)) == name


@given(labels)
def test_labels_of_a_name_are_those_it_was_made_of(parts: list[bytes]) -> None:
    assert list(names.labels_of(names.from_labels(parts))) == parts


@pytest.mark.parametrize("text", ["a..b", ".a", "a" * 64, ".".join(["a" * 63] * 4), "a\\", "\\256"])
def test_text_past_the_limits_is_refused(text: str) -> None:
    with pytest.raises(names.NameTextError):
        names.from_text(text)


def test_folding_leaves_octets_beyond_ascii_alone() -> None:
    kelvin = "\u212a".encode()
    assert names.fold(names.from_labels([b"ABC", kelvin])) == b"\x03abc\x03" + kelvin + b"\0"


@pytest.mark.parametrize(
    ("name", "zone", "below"),
    [
        ("a.b.c", "b.c", True),
        ("b.c", "b.c", True),
        ("xb.c", "b.c", False),
        ("c", "b.c", False),
        ("a", ".", True),
    ],
)
def test_below_means_label_by_label(name: str, zone: str, *, below: bool) -> None:
    assert names.is_below(names.from_text(name), names.from_text(zone)) is below


def test_a_suffix_inside_a_label_is_not_below() -> None:
    assert not names.is_below(names.from_labels([b"x\x01c"]), names.from_text("c"))
