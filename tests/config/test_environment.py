"""Variables in a token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.environment import substitute

ENVIRONMENT = {"A": "x", "B_1": "y z", "EMPTY": "", "SELF": "{$SELF}", "OTHER": "{$A}", "a}b": "w"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{$A}", "x"),
        ("{%A%}", "x"),
        (".:{$A}:{%A%}{$A}", ".:x:xx"),
        ("{$B_1}", "y z"),
        ("{$EMPTY}", ""),
        ("{$A", "{$A"),
        ("{%A}", "{%A}"),
        ("{A}", "{A}"),
        ("{{ .Name }}", "{{ .Name }}"),
        ("{$}", "{$}"),
        ("{%%}", "{%%}"),
        ("{%}", "{%}"),
        ("{$}{$A}", "{$}{$A}"),
        ("{%}{$A}", "{%}x"),
        ("{$SELF}", "{$SELF}"),  # CoreDNS never ends
        ("{$OTHER}", "{$A}"),  # CoreDNS reads the value again
        ("{%a}b%}", "w"),
    ],
)
def test_variables_are_replaced(text: str, expected: str) -> None:
    unset: list[str] = []
    assert substitute(text, ENVIRONMENT, unset.append) == expected
    assert unset == []


def test_an_unset_variable_is_empty_and_named() -> None:
    unset: list[str] = []
    assert substitute("a{$NO}b{%NOR%}", ENVIRONMENT, unset.append) == "ab"
    assert unset == ["NOR", "NO"]


@given(st.lists(st.sampled_from(["{$", "{%", "}", "%}", "A", "$", "%"]), max_size=12).map("".join))
def test_any_text_gives_a_text_without_a_whole_reference_to_a_known_name(text: str) -> None:
    whole = substitute(text, {"A": "value"}, id)
    if "{$}" not in text and "{%}" not in text and "{%%}" not in text:
        assert "{$A}" not in whole
