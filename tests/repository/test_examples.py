"""What the documents show of examples/ is what a user gets: a server is started on it, and asked all of it.

Three forms: a block of console lines with dig and what it prints; a row of a table whose first cell is a
name and a type, and whose second is the answer; and the banner. The documents say port 1053, the
server has a free one.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.repository import documents
from tests.repository.documents import DOCUMENTS
from tests.server import Server, until

PORT = re.compile(r"(?<=-p )1053\b|(?<=127\.0\.0\.1:)1053\b")
ELSEWHERE = re.compile(r" @(?!127\.0\.0\.1\b)")  # a server of the reader's
QUESTION = re.compile(r"`(\S+)` ([A-Z]+)")
ANSWER = re.compile(r"`([^`]+)`|\b(NXDOMAIN|NODATA|SERVFAIL|REFUSED)\b")


class Shown(NamedTuple):
    """A question, and what a document says comes of it; no lines where it doesn't say."""

    document: str
    question: str
    answer: tuple[str, ...]


def dig_lines(document: str, text: str) -> Iterator[Shown]:
    """Every dig line of a block: behind a prompt with its output, alone without."""
    for block in (*documents.blocks(text), *documents.indented(text)):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] if "$ " in block else block.splitlines():
            command, *output = part.strip().splitlines() or [""]
            if command.startswith("dig ") and ELSEWHERE.search(command) is None:
                yield Shown(document, command, tuple(output))


def question_rows(document: str, text: str) -> Iterator[Shown]:
    """Every row that has a question in its first cell."""
    for cells in documents.rows(text):
        if asked := QUESTION.fullmatch(cells[0]):
            answer = tuple(shown or word for shown, word in ANSWER.findall(cells[1]))
            yield Shown(document, " ".join(asked.groups()), answer)


DIGS = [each for path in DOCUMENTS for each in dig_lines(documents.name(path), path.read_text())]
ROWS = [each for path in DOCUMENTS for each in question_rows(documents.name(path), path.read_text())]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server("--manifests", "examples", folder=tmp_path_factory.mktemp("examples")) as running:
        yield running


@pytest.mark.skipif(shutil.which("dig") is None, reason="needs dig")
@pytest.mark.parametrize("shown", DIGS, ids=lambda shown: shown.question)
def test_dig_prints_what_is_shown(server: Server, shown: Shown) -> None:
    arguments = shlex.split(PORT.sub(str(server.port), shown.question))
    short = [] if "+short" in arguments else ["+noall", "+answer"]
    done = subprocess.run([*arguments, *short], capture_output=True, text=True, check=True, timeout=20)
    printed = done.stdout.splitlines()
    # The order of addresses changes from answer to answer.
    assert sorted(printed) == sorted(shown.answer) if shown.answer else printed


@pytest.mark.parametrize("shown", ROWS, ids=lambda shown: shown.question)
def test_a_row_has_the_answer(server: Server, shown: Shown) -> None:
    name, rtype = shown.question.split()
    assert server.said(name, rtype) == set(shown.answer)


def test_the_banner_is_as_shown(server: Server) -> None:
    (shown,) = [
        block for path in DOCUMENTS for block in documents.blocks(path.read_text()) if block.startswith("kdns serves")
    ]
    expected = PORT.sub(str(server.port), shown)
    assert until(server.output.read_text) == expected


def test_there_is_something_to_ask() -> None:
    assert {each.document for each in DIGS} >= {"README.md", "examples/README.md"}
    assert len(ROWS) > 30


def test_every_form_of_a_dig_line_is_found() -> None:
    text = "```console\n$ dig +short a\n1\n2\n$ ls\n```\n```sh\ndig b\n```\n\n    dig c\n    ls\n"
    assert list(dig_lines("a.md", text)) == [
        Shown("a.md", "dig +short a", ("1", "2")),
        Shown("a.md", "dig b", ()),
        Shown("a.md", "dig c", ()),
    ]
    assert list(dig_lines("a.md", "```sh\ndig @10.96.0.10 a\ndig @127.0.0.1 -p 1053 b\n```\n")) == [
        Shown("a.md", "dig @127.0.0.1 -p 1053 b", ())
    ]


def test_rows_without_a_question_are_passed_over() -> None:
    text = "| question | answer | |\n|---|---|---|\n| `a.b` SRV | `0 1 2 c.`, `d` | why |\n| `a.b` TXT | NODATA | `x` |\n| `a` | b | |\n"
    assert list(question_rows("a.md", text)) == [
        Shown("a.md", "a.b SRV", ("0 1 2 c.", "d")),
        Shown("a.md", "a.b TXT", ("NODATA",)),
    ]
