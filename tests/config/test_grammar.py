"""Laws of the whole grammar: anything gives blocks or problems with places; where lines stand doesn't matter."""

from collections.abc import Mapping
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from kdns.config.parser import Corefile
from kdns.config.syntax import ERROR, Line, Token
from tests.config.reading import read, said, texts

PIECES = st.sampled_from(
    [
        *("{", "}", "{ ", " }", "{\n", "}\n", "\n", "\n", " ", "\r\n", "\t", "#", ",", ", ", '"', '\\"', "{}", "\\"),
        *(
            ".:53 {\n",
            "a b {\n",
            "(s) {\n",
            "import s\n",
            "import one\n",
            "import two\n",
            "import self\n",
            "import *\n",
        ),
        *("import", "import x? y*", "{$A}", "{%A%}", "{$NO}", "{$", "{%}", "whoami", "health {\n", "é", "\ufeff"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=2), max_size=25).map("".join)
OCTETS = st.lists(TEXTS.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=3), max_size=4).map(
    b"".join
)


@given(OCTETS, OCTETS, OCTETS)
def test_anything_gives_blocks_or_problems_that_stand_in_a_file(main: bytes, one: bytes, two: bytes) -> None:
    corefile = read(main, {"one": one, "two": two, "self": "import self\n"}, {"A": "value"})
    places(corefile)
    for block in corefile.blocks:
        assert block.keys
    if not any(problem.severity == ERROR for problem in corefile.problems):
        assert all(token.quoted or token.text not in {"{", "}"} for token in written(corefile))
    assert len(set(corefile.problems)) == len(corefile.problems)
    assert corefile.sources[0] == ("Corefile", main)


def places(corefile: Corefile) -> None:
    """Every token and every problem stands in a file that was read."""
    lines = {source.path: source.text.split("\n") for source in corefile.sources}
    for place in (*(token.place for token in written(corefile)), *(each.place for each in corefile.problems)):
        assert 1 <= place.line <= len(lines[place.file])
        assert 1 <= place.column <= len(lines[place.file][place.line - 1]) + 1


def written(corefile: Corefile) -> list[Token]:
    def tokens(lines: tuple[Line, ...]) -> list[Token]:
        return [token for line in lines for token in (*line.tokens, *tokens(line.block or ()))]

    return [token for block in corefile.blocks for token in (*block.keys, *tokens(block.directives))]


class Given(NamedTuple):
    """A line before it is written: its words and its block."""

    words: list[str]
    block: "list[Given] | None"


WORDS = st.lists(
    st.sampled_from(["a", "b1", "{}", "10.0.0.0/8", "{$A}", '"x y"', '"l\nm"', '""']), min_size=1, max_size=3
)
LINES = st.recursive(
    st.lists(st.builds(Given, WORDS, st.none()), max_size=3),
    lambda lines: st.lists(st.builds(Given, WORDS, st.none() | lines), max_size=3),
    max_leaves=12,
)


def plain(lines: list[Given]) -> str:
    return "".join(as_text(line, "" if line.block is None else plain(line.block)) for line in lines)


def as_text(line: Given, block: str) -> str:
    return " ".join(line.words) + ("\n" if line.block is None else f" {{\n{block}}}\n")


def split(lines: list[Given], data: st.DataObject, snippets: list[str], files: dict[str, str]) -> str:
    """The lines as text, a run of them moved to a snippet or a file, and so again within their blocks."""
    start = data.draw(st.integers(0, len(lines)))
    end = data.draw(st.integers(start, len(lines)))
    parts = [
        "".join(as_text(line, split(line.block or [], data, snippets, files)) for line in run)
        for run in (lines[:start], lines[start:end], lines[end:])
    ]
    match data.draw(st.sampled_from(["here", "snippet", "file"])):
        case "snippet":
            snippets.append(f"(s{len(snippets)}) {{\n{parts[1]}}}\n")
            parts[1] = f"import s{len(snippets) - 1}\n"
        case "file":
            path = f"{len(files)}.conf"
            files[path] = parts[1]
            parts[1] = f"import {path}\n"
    return "".join(parts)


ENVIRONMENT: Mapping[str, str] = {"A": "a value"}


@given(LINES, st.data())
def test_lines_moved_to_snippets_and_files_are_the_same_lines(lines: list[Given], data: st.DataObject) -> None:
    snippets: list[str] = []
    files: dict[str, str] = {}
    moved = split(lines, data, snippets, files)
    before = read(f".:53 {{\n{plain(lines)}}}\n", {}, ENVIRONMENT)
    after = read(f"{''.join(snippets)}.:53 {{\n{moved}}}\n", files, ENVIRONMENT)
    assert said(before) == said(after) == []
    assert texts(after) == texts(before)
    places(after)


@given(st.lists(LINES, min_size=1, max_size=3), st.data())
def test_blocks_moved_to_files_are_the_same_blocks(blocks: list[list[Given]], data: st.DataObject) -> None:
    files: dict[str, str] = {}
    whole = [f"k{number} {{\n{plain(lines)}}}\n" for number, lines in enumerate(blocks)]
    moved = []
    for block in whole:
        moved.append(block)
        if data.draw(st.booleans()):
            files[f"{len(files)}.server"] = block
            moved[-1] = f"import {len(files) - 1}.server\n"
    before, after = read("".join(whole), {}, ENVIRONMENT), read("".join(moved), files, ENVIRONMENT)
    assert said(after) == []
    assert texts(after) == texts(before)
    assert len(texts(after)) == len(blocks)
