"""Forms: what they take, where they stop, and that no tokens take long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.forms import Form, Misfit, UnfitError
from kdns.config.syntax import Place, Token

MARKS = {"type", "net"}


def tokens(text: str) -> list[Token]:
    return [
        Token(found[0], Place("f", 1, found.start() + 1), width=len(found[0])) for found in re.finditer(r"\S+", text)
    ]


def number(token: Token) -> int:
    if not token.text.isdigit():
        raise UnfitError("a number")
    return int(token.text)


def word(token: Token) -> str:
    if token.text in MARKS:
        raise UnfitError
    return token.text


READERS = {"N": number, "M": number, "W": word, "V": word}

FITS = [
    ("a", "a", []),
    ("a N", "a 5", [("N", 5)]),
    ("a [N]", "a", []),
    ("a [N [M]]", "a 5", [("N", 5)]),
    ("a [N [M]]", "a 5 6", [("N", 5), ("M", 6)]),
    ("a N...", "a 5 6 7", [("N", 5), ("N", 6), ("N", 7)]),
    ("a [N...]", "a", []),
    ("a (b | c N)", "a c 5", [("N", 5)]),
    ("a [b N | c]...", "a c b 5 c", [("N", 5)]),
    ("a [N] [W...]", "a x 5", [("W", "x"), ("W", "5")]),
    ("a [N] [W...]", "a 5 x", [("N", 5), ("W", "x")]),
    ("a [W...] V", "a x y z", [("W", "x"), ("W", "y"), ("V", "z")]),
    ("a [W...] V", "a x", [("V", "x")]),
    ("W [type V... | net N...]...", "x type y z net 5", [("W", "x"), ("V", "y"), ("V", "z"), ("N", 5)]),
    ("a [[b] N]...", "a 5 b 6", [("N", 5), ("N", 6)]),
]


@pytest.mark.parametrize(("form", "text", "expected"), FITS)
def test_tokens_that_fit_are_bound_in_order(form: str, text: str, expected: list[tuple[str, object]]) -> None:
    found = Form(form).match(tokens(text), READERS)
    assert not isinstance(found, Misfit)
    assert [(each.name, each.value) for each in found if each.name.isupper()] == expected
    assert [each.token for each in found] == tokens(text)


MISSES = [
    ("a", "b", Misfit(0, ("a",))),
    ("a", "a b", Misfit(1, (), may_end=True)),
    ("a N", "a", Misfit(1, ("N",))),
    ("a N", "a x", Misfit(1, ("N",), "a number")),
    ("a [N [M]]", "a 5 x", Misfit(2, ("M",), "a number", may_end=True)),
    ("a (b | c)", "a d", Misfit(1, ("b", "c"))),
    ("a [b N | c]...", "a b", Misfit(2, ("N",))),
    ("W [type V... | net N...]...", "x net 5 y", Misfit(3, ("N", "type", "net"), may_end=True)),
    ("W [type V... | net N...]...", "x type", Misfit(2, ("V",))),
]


@pytest.mark.parametrize(("form", "text", "expected"), MISSES)
def test_a_misfit_says_how_far_tokens_fit_and_what_could_stand_there(form: str, text: str, expected: Misfit) -> None:
    assert Form(form).match(tokens(text), READERS) == expected


def test_words_are_exact_unless_said_otherwise() -> None:
    assert isinstance(Form("a b").match(tokens("a B"), {}), Misfit)
    assert not isinstance(Form("a b", any_case=True).match(tokens("A B"), {}), Misfit)


@pytest.mark.parametrize("form", ["a [b", "a b]", "a (b]", "a (b", ")"])
def test_what_is_no_form_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match="form"):
        _ = Form(form).match([], {})


def test_a_form_knows_its_name_words_and_variables() -> None:
    form = Form("set N [b] (c W | W b)...")
    assert (form.name, form.words, form.variables) == ("set", ("set", "b", "c"), ("N", "W"))
    assert [Form(text).name for text in ("W a", "[W]", "(W | a)", "a")] == ["", "", "", "a"]


def test_examples_are_the_shortest_and_the_longest_way() -> None:
    examples = Form("a [N [M]] (b | c W)...").examples({"N": "5", "M": "6", "W": "x"})
    assert examples == (("a", "b"), ("a", "5", "6", "c", "x"))


@pytest.mark.parametrize("form", ["[W...] [V...] a", "[[W]...]... a", "[W | V | W V]... a", "[W]... [W]... [W]... a"])
def test_no_token_is_read_more_often_than_there_are_variables(form: str) -> None:
    read: list[Token] = []

    def counting(token: Token) -> str:
        read.append(token)
        return token.text

    given_tokens = tokens("x " * 2000)
    found = Form(form).match(given_tokens, {"W": counting, "V": counting})
    assert isinstance(found, Misfit)
    assert found.position == len(given_tokens)
    assert len(read) <= 2 * len(given_tokens)


PARTS = st.recursive(
    st.sampled_from(["a", "b", "N", "W"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(" ".join),
        inner.map(lambda text: f"[{text}]"),
        inner.map(lambda text: f"({text})..."),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' | '.join(parts)})"),
    ),
    max_leaves=8,
)


@given(PARTS)
def test_every_form_takes_its_own_examples(text: str) -> None:
    form = Form(text)
    for example in form.examples({"N": "5", "W": "x"}):
        assert not isinstance(form.match(tokens(" ".join(example)), READERS), Misfit)


WORDS = {"a": "(?:a )", "b": "(?:b )", "N": "(?:[0-9] )", "W": "(?:[abx0-9] )"}
TRANSLATED = {"[": "(?:", "]": ")?", "(": "(?:", ")": ")", "|": "|", "...": "+"}


def regular(text: str) -> str:
    """The same form as a regular expression over words, each with a space behind it."""
    parts = re.findall(r"\.\.\.|[\[\]()|]|\w", text)
    return "".join(WORDS.get(part, TRANSLATED.get(part, "")) for part in parts)


@given(PARTS, st.lists(st.sampled_from("abx5"), max_size=5))
def test_a_form_takes_what_a_regular_expression_would(text: str, words: list[str]) -> None:
    expected = re.fullmatch(regular(text), "".join(f"{each} " for each in words))
    found = Form(text).match(tokens(" ".join(words)), READERS)
    assert isinstance(found, Misfit) == (expected is None)


WRITTEN: list[tuple[str, dict[str, list[str]], str]] = [
    ("a", {}, "a"),
    ("a N", {"N": ["5"]}, "a 5"),
    ("a N", {}, ""),
    ("a [N [M]]", {}, "a"),
    ("a [N [M]]", {"N": ["5"]}, "a 5"),
    ("a [N [M]]", {"N": ["5"], "M": ["6"]}, "a 5 6"),
    ("a [N [M]]", {"M": ["6"]}, "a"),
    ("a N...", {"N": ["5", "6"]}, "a 5 6"),
    ("a [N...]", {}, "a"),
    ("a [b | c N]", {}, "a"),
    ("a [b | c N]", {"N": ["5"]}, "a c 5"),
    ("a [N | M W [N]]", {"N": ["1"], "M": ["2"], "W": ["x"]}, "a 2 x 1"),
    ("a [N | M W [N]]", {"N": ["1"]}, "a 1"),
    ("a (b [N] | c [N])", {"c": [], "N": ["5"]}, "a b 5"),
    ("a (b [N] | c [N])", {"b": [], "c": ["c"], "N": ["5"]}, "a c 5"),
    ("a N [b | c M]...", {"N": ["1"], "b": ["b"], "M": ["2"]}, "a 1 b c 2"),
    ("a N [b | c M]...", {"N": ["1"], "b": [], "M": ["2"]}, "a 1 c 2"),
    ("a N [b | c M]...", {"N": ["1"], "b": []}, "a 1"),
]


@pytest.mark.parametrize(("form", "texts", "expected"), WRITTEN)
def test_texts_are_written_as_the_form_has_them(form: str, texts: dict[str, list[str]], expected: str) -> None:
    assert " ".join(Form(form).written(texts)) == expected
