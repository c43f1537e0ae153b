"""Patterns: Go's syntax, and no text that takes long."""

import pytest

from kdns.config.patterns import LENGTH_MAX, Pattern, PatternError

GO = [  # regexp/syntax of Go: what fits, and its groups
    (r"^(?:[^.]+\.){4,}internal\.$", "a.b.c.d.internal.", ("a.b.c.d.internal.",)),
    (r"(.*)-(us)\.example", "ftp-us.example.", ("ftp-us.example", "ftp", "us")),
    (r"(?P<a>x)\z", "yx", ("x", "x")),
    (r"(?<a>x)", "x", ("x", "x")),
    (r"(?i)ABC", "abc", ("abc",)),
    (r"a(?i)B", "ab", ("ab",)),
    (r"[[:digit:]]+", "a12", ("12",)),
    (r"\pL+", "1é", ("é",)),
    (r"\Qa.b\E", "a.b", ("a.b",)),
    (r"(a)|(b)", "b", ("b", "", "b")),
    ("", "a", ("",)),
]


@pytest.mark.parametrize(("text", "subject", "expected"), GO)
def test_a_pattern_is_searched_as_go_does(text: str, subject: str, expected: tuple[str, ...]) -> None:
    assert Pattern.compiled(text).search(subject) == expected


def test_nothing_is_found_where_nothing_fits() -> None:
    assert Pattern.compiled("^a$").search("b") is None


@pytest.mark.parametrize("text", [r"(?=a)", r"(a)\1", r"a\Z", "a(", "a{1001}", "*", "a" * (LENGTH_MAX + 1), "\udc80"])
def test_what_go_refuses_is_refused_with_a_reason(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern.compiled(text)
    assert str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", [r"^(a+)+$", r"^(a|a)*$", r"^(.*)*x$", r"(a*)*b"])
def test_no_text_makes_a_pattern_try_all_ways(text: str) -> None:
    # Backtracking takes 2**254 steps for these, longer than a test run ever does.
    assert Pattern.compiled(text).search("a" * 254 + "!") is None


def test_patterns_of_one_text_are_one() -> None:
    assert Pattern.compiled("a") == Pattern.compiled("a")
    assert Pattern.compiled("a") != Pattern.compiled("b")
    assert hash(Pattern.compiled("a")) == hash(Pattern.compiled("a"))
    assert (Pattern.compiled("(a)(?P<n>b)").groups, dict(Pattern.compiled("(a)(?P<n>b)").names)) == (2, {"n": 2})
    assert repr(Pattern.compiled("a")) == "Pattern('a')"
