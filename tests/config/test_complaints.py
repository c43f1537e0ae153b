"""Problems as an operator reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.complaints import did_you_mean, nearest, render
from kdns.config.syntax import INFO, WARNING, Place, Problem

KNOWN = ("kubernetes", "cache", "errors", "forward", "loop")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("kuberntes", "kubernetes"),
        ("Cache", "cache"),
        ("FORWARDS", "forward"),
        ("looop", "loop"),
        ("xyz", None),
        ("", None),
        ("cache" * 20, None),
    ],
)
def test_the_nearest_word_is_the_one_that_was_meant(word: str, expected: str | None) -> None:
    assert nearest(word, KNOWN) == expected
    assert did_you_mean(word, KNOWN) == (f'did you mean "{expected}"?' if expected else "")


def test_a_problem_is_its_place_what_it_is_and_marks_below_its_line() -> None:
    problem = Problem(Place("Corefile", 2, 5), 'unknown directive "kuberntes"', 'did you mean "kubernetes"?', width=9)
    assert render([problem], {"Corefile": ".:53 {\n    kuberntes cluster.local\r\n}\n"}) == (
        'Corefile:2:5: error: unknown directive "kuberntes"; did you mean "kubernetes"?\n'
        "    kuberntes cluster.local\n"
        "    ^^^^^^^^^\n"
    )


def test_marks_stand_below_tabs_as_wide() -> None:
    problem = Problem(Place("C", 1, 5), "found it", severity=WARNING, width=2)
    assert render([problem], {"C": "\té \tab\n"}) == "C:1:5: warning: found it\n\té \tab\n\t  \t^^\n"


def test_problems_stand_in_the_order_of_files_and_lines() -> None:
    problems = [Problem(Place(*place), "m") for place in (("b", 1, 1), ("a", 10, 1), ("c", 1, 1), ("a", 9, 2))]
    order = [line.partition(": ")[0] for line in render(problems, {"b": "", "a": ""}).splitlines() if "error" in line]
    assert order == ["b:1:1", "a:9:2", "a:10:1", "c:1:1"]


def test_without_its_text_a_problem_is_one_line() -> None:
    assert render([Problem(Place("C", 3, 1), "m")], {}) == "C:3:1: error: m\n"
    assert render([Problem(Place("C", 3, 1), "m")], {"C": "a\n"}) == "C:3:1: error: m\n"
    assert render([], {"C": "a\n"}) == ""


def test_information_is_one_line() -> None:
    assert render([Problem(Place("C", 1, 1), "m", severity=INFO)], {"C": "a\n"}) == "C:1:1: info: m\n"


def test_a_long_line_is_cut_around_the_place() -> None:
    text = "a" * 1000 + "X" + "b" * 1000
    _, line, marks = render([Problem(Place("C", 1, 1001), "m", width=2000)], {"C": text}).splitlines()
    assert len(line) == 160
    assert line[marks.index("^")] == "X"
    assert len(marks) == len(line)


def test_nothing_in_a_file_moves_the_cursor() -> None:
    problem = Problem(Place("C\x1b[2J", 1, 2), 'found "\x07\u202e"')
    assert render([problem], {"C\x1b[2J": "\x1b[31ma"}) == (
        'C\ufffd[2J:1:2: error: found "\ufffd\ufffd"\n\ufffd[31ma\n ^\n'
    )


@given(st.text(max_size=40), st.integers(-1, 5), st.integers(-1, 45), st.integers(-1, 50))
def test_any_place_can_be_shown(text: str, line: int, column: int, width: int) -> None:
    shown = render([Problem(Place("C", line, column), "m", width=width)], {"C": text}).split("\n")
    assert len(shown) in {2, 4}
    if len(shown) == 4:
        assert len(shown[2]) <= len(shown[1]) + 1
        assert set(shown[2]) <= {"\t", " ", "^"}
        assert all(above == "\t" for above, mark in zip(shown[1], shown[2], strict=False) if mark == "\t")
