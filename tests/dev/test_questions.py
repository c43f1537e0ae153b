"""The table of the last questions, and the lines that it is read from."""

import pytest

from kdns.dev.questions import FORMAT, Last, Question
from kdns.dns import summary
from kdns.dns.names import ROOT, from_text
from kdns.dns.query import parse
from kdns.dns.records import Answer, RecordSet
from kdns.dns.reply import render
from kdns.steps.lineformat import Context, Each, Exchange, Format
from kdns.steps.metadata import BlockLabels

ASKED = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + from_text("a\\032b.test") + b"\0\1\0\1"

SOA = RecordSet(from_text("test"), 6, 5, (b"\0\0" + bytes(20),))


def line(rcode: int, noted: dict[str, str], duration: str = "0.000546533s") -> str:
    """As the server writes it of a question for A."""
    reply = render(parse(ASKED), Answer(rcode, authority=(SOA,)), limit=512, recursion=True).octets
    exchange = Exchange(summary.asked(ASKED), summary.told(reply), "udp", noted)
    context = Context(BlockLabels((ROOT,), {}, ()))
    template = Format(FORMAT).template(exchange, context)
    return Format(FORMAT).line(template, Each("127.0.0.1", 1, 2, duration, "::")).removesuffix("\n")


@pytest.mark.parametrize(
    ("rcode", "noted", "reply", "why"),
    [
        (0, {"kdns/by": "kubernetes"}, "NODATA", "kubernetes"),
        (3, {"kdns/by": "forward"}, "NXDOMAIN", "forward"),
        (2, {"kdns/by": "forward", "kdns/error": "100% lost"}, "SERVFAIL", "forward: 100% lost"),
        (2, {}, "SERVFAIL", "-"),
    ],
)
def test_a_line_of_the_server_is_read(rcode: int, noted: dict[str, str], reply: str, why: str) -> None:
    assert Question.read(line(rcode, noted)) == Question("a\\ b.test.", "A", reply, why, "547 µs")


@pytest.mark.parametrize(
    ("duration", "expected"), [("0.0015s", "1.5 ms"), ("2s", "2 s"), ("0s", "0 µs"), ("0.000001s", "1 µs")]
)
def test_times_have_a_unit(duration: str, expected: str) -> None:
    question = Question.read(line(0, {}, duration))
    assert question is not None
    assert question.time == expected


@pytest.mark.parametrize("text", ["", "kdns serves 3 Services", "[INFO] a b", "[INFO] \x1fa\x1fb"])
def test_other_lines_are_no_questions(text: str) -> None:
    assert Question.read(text) is None


def question(name: str, reply: str = "NOERROR") -> Question:
    return Question(name, "A", reply, "kubernetes", "1 ms")


def plain(lines: list[str]) -> list[str]:
    for code in ("\x1b[1m", "\x1b[31m", "\x1b[0m"):
        lines = [each.replace(code, "") for each in lines]
    return lines


def test_equal_questions_are_one_row_and_the_last_is_the_uppermost() -> None:
    last = Last(2)
    assert last.table(80, 24) == []
    for each in (question("gone."), question("web."), question("db."), question("web.", "NXDOMAIN")):
        last.add(each)
    assert plain(last.table(80, 24)) == [
        "NAME  TYPE  REPLY     TIME  COUNT  BY",
        "web.  A     NXDOMAIN  1 ms      2  kubernetes",
        "db.   A     NOERROR   1 ms      1  kubernetes",
    ]
    assert len(last.table(80, 2)) == 2
    assert last.table(80, 1) == []


@pytest.mark.parametrize("columns", [1, 20, 40, 60, 80])
def test_no_line_is_as_wide_as_the_terminal(columns: int) -> None:
    last = Last(5)
    last.add(question(f"{'x' * 60}.example."))
    last.add(question("web."))
    assert all(len(each) < columns for each in plain(last.table(columns, 24)))
