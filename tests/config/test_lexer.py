"""From octets to rows of tokens: the table is what CoreDNS' lexer makes of the same text, but for what is marked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.lexer import Row, lex, source_text
from kdns.config.syntax import ERROR, Place, Token
from tests.config.reading import words

AS_COREDNS: tuple[tuple[str, list[list[str]]], ...] = (
    ("", []),
    (" \n\t\n", []),
    ("a b\nc", [["a", "b"], ["c"]]),
    ("\ufeffa", [["a"]]),
    ("a\ufeff", [["a\ufeff"]]),
    ("a\r\nb\r\n", [["a"], ["b"]]),
    ("a\rb", [["ab"]]),
    ('\r"a b"', [["a b"]]),
    ("a\u00a0b\u2003c\u3000d\x85e\vf\fg", [["a", "b", "c", "d", "e", "f", "g"]]),
    ("a\x1cb\u200bc", [["a\x1cb\u200bc"]]),
    ("a # b\nc", [["a"], ["c"]]),
    ("# a\r\n#b", []),
    ('# "a\nb', [["b"]]),
    ('"a # b" c', [["a # b", "c"]]),
    ('"a"# b\nc', [["a"], ["c"]]),
    ('""', [[""]]),
    ('""""', [["", ""]]),
    ('"a"b', [["a", "b"]]),
    ('a"b c"', [['a"b', 'c"']]),
    (r'"a\"b"', [['a"b']]),
    (r'"^(.*)\.a\\d$"', [[r"^(.*)\.a\\d$"]]),
    (r'"a\\" b', [["a\\\\", "b"]]),
    (r"a\"b\ c", [['a\\"b\\', "c"]]),
    ('"a\nb" c\nd', [["a\nb", "c"], ["d"]]),
    ('a "b\n\n" "c\n" d\ne', [["a", "b\n\n", "c\n", "d"], ["e"]]),
    ('"a\r\nb"', [["a\r\nb"]]),
    ("{ } {} }{ {a", [["{", "}", "{}", "}{", "{a"]]),
    ("{$A} {$A b}", [["{$A}", "{$A", "b}"]]),
)


@pytest.mark.parametrize(("text", "expected"), AS_COREDNS)
def test_words_are_those_of_coredns(text: str, expected: list[list[str]]) -> None:
    lexed = lex(text.encode(), "Corefile")
    assert words(lexed.rows) == expected
    assert lexed.problems == ()


def test_tokens_say_where_they_stand() -> None:
    (first, second) = lex('ab  "c\\"d" # x\n\n\té "e\nf" g\n'.encode(), "C").rows
    assert first == (
        Token("ab", Place("C", 1, 1), width=2),
        Token('c"d', Place("C", 1, 5), quoted=True, width=6),
    )
    assert second == (
        Token("é", Place("C", 3, 2), width=1),
        Token("e\nf", Place("C", 3, 4), quoted=True, width=2),
        Token("g", Place("C", 4, 4), width=1),
    )


def test_a_byte_order_mark_takes_no_column() -> None:
    assert lex("\ufeffa".encode(), "C").rows == ((Token("a", Place("C", 1, 1)),),)


def test_a_comment_in_a_word_is_one_to_the_end_of_the_line_and_a_warning() -> None:
    lexed = lex(b"whoami#x log\nlog", "Corefile")  # CoreDNS goes on at "log"
    assert words(lexed.rows) == [["whoami"], ["log"]]
    (problem,) = lexed.problems
    assert (str(problem.place), problem.severity, problem.width) == ("Corefile:1:7", "warning", 6)


def test_an_open_quote_is_a_problem_where_it_opens_and_the_lines_below_are_read() -> None:
    lexed = lex(b'a\n  b "c d\ne f\n', "Corefile")
    assert words(lexed.rows) == [["a"], ["b", "c d"], ["e", "f"]]
    (problem,) = lexed.problems
    assert (str(problem.place), problem.severity, problem.width) == ("Corefile:2:5", "error", 4)


def test_an_open_quote_names_the_long_word_above_that_may_have_taken_its_quote() -> None:
    lexed = lex(b'a "b\nc "d"\n', "Corefile")
    assert lexed.problems == ()
    (problem,) = lex(b'a "b\nc "d" "e\n', "Corefile").problems
    assert str(problem.place) == "Corefile:2:7"
    assert "line 1" in problem.hint


@pytest.mark.parametrize(
    ("octets", "place", "found"),
    [
        (b"\xff", "1:1", "ff"),
        ("é\né".encode() + b" \xe9 a", "2:3", "e9"),
        (b"\xef\xbb\xbfab\xe2\x82", "1:3", "e2 82"),
    ],
)
def test_octets_that_are_not_utf8_are_a_problem_with_a_place(octets: bytes, place: str, found: str) -> None:
    (problem,) = lex(octets, "Corefile").problems
    assert (str(problem.place), problem.severity) == (f"Corefile:{place}", ERROR)
    assert problem.message == f"found the octets {found}, expected UTF-8"


def test_what_stands_around_a_bad_octet_is_read() -> None:
    assert words(lex(b"a\n# M\xfcller\nb", "C").rows) == [["a"], ["b"]]


def test_utf16_is_one_problem() -> None:
    lexed = lex(". {\n}\n".encode("utf-16"), "Corefile")
    assert lexed.rows == ()
    assert [problem.message for problem in lexed.problems] == ["found UTF-16, expected UTF-8"]


PIECES = st.sampled_from([" ", "\n", "\t", "\r", "\r\n", '"', '\\"', "\\", "{", "}", "#", "a", "é", "\u2003", "\ufeff"])
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join)


@given(TEXTS.map(str.encode) | st.binary(max_size=40))
def test_any_octets_give_tokens_and_problems_that_stand_in_the_file(octets: bytes) -> None:
    rows, problems = lex(octets, "f")
    lines = source_text(octets).split("\n")
    for token in (token for row in rows for token in row):
        line = lines[token.place.line - 1]
        start = token.place.column - 1
        assert 0 <= start < start + token.width <= len(line)
        if "\n" not in token.text and not token.quoted:
            assert line[start : start + token.width].replace("\r", "") == token.text
    for problem in problems:
        assert problem.place.column - 1 < len(lines[problem.place.line - 1])
    if problems:
        assert str(problems[0].place).startswith("f:")


def written(rows: tuple[Row, ...]) -> str:
    """The rows as text: what needs quotes, or had them, in quotes."""
    return "\n" + "\n".join(
        " ".join('"' + token.text.replace('"', '\\"') + '"' if token.quoted else token.text for token in row)
        for row in rows
    )


@given(TEXTS)
def test_tokens_written_and_read_again_are_the_same(text: str) -> None:
    lexed = lex(text.encode("utf-8", "replace"), "f")
    if not any(problem.severity == ERROR for problem in lexed.problems):
        again = lex(written(lexed.rows).encode(), "f")
        assert again.problems == ()
        assert [[(token.text, token.quoted) for token in row] for row in again.rows] == [
            [(token.text, token.quoted) for token in row] for row in lexed.rows
        ]
