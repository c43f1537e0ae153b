"""Label selectors, as kubectl reads them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.labels import Requirement, Selector, parse

READ: list[tuple[str, Selector]] = [
    ("a", (Requirement("a", "Exists"),)),
    ("!a", (Requirement("a", "DoesNotExist"),)),
    ("a=b", (Requirement("a", "In", ("b",)),)),
    ("a == b", (Requirement("a", "In", ("b",)),)),
    ("a!=b", (Requirement("a", "NotIn", ("b",)),)),
    ("a=", (Requirement("a", "In", ("",)),)),
    ("example.com/a in (b, c)", (Requirement("example.com/a", "In", ("b", "c")),)),
    ("a notin (b),c", (Requirement("a", "NotIn", ("b",)), Requirement("c", "Exists"))),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_a_selector_is_read(text: str, expected: Selector) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", ",", "a,", ",a", "a b", "a in b", "a in (b", "a=b c", "-a", "a in (-)", "a=b=c"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a label selector"):
        parse(text)


@given(st.text("ab ,=!()/in-", max_size=30))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse(text)
