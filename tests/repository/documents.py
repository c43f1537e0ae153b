"""The documents as tests read them: which there are, and the parts of one that can be held against the program."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
DOCUMENTS: Final = sorted(
    path for pattern in ("*.md", "bench/*.md", "docs/**/*.md", "examples/*.md") for path in REPOSITORY.glob(pattern)
)

_FENCED: Final = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INDENTED: Final = re.compile(r"(?:(?<=\n\n)|\A)(?:    [^\n]*(?:\n|\Z))+")


def name(path: Path) -> str:
    """The document as messages name it."""
    return str(path.relative_to(REPOSITORY))


def blocks(text: str, language: str | None = None) -> list[str]:
    """The fenced blocks, all or those of a language."""
    return [block for kind, block in _FENCED.findall(text) if language in {None, kind}]


def indented(text: str) -> list[str]:
    """The blocks that are indented instead."""
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in _INDENTED.findall(prose(text))]


def prose(text: str) -> str:
    """What is outside of fenced blocks."""
    return _FENCED.sub("", text)


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of every table, with `|` where a cell has it escaped."""
    for line in prose(text).splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            yield [cell.strip().replace(r"\|", "|") for cell in cells]


def anchors(text: str) -> set[str]:
    """The fragments that links to its headings may have, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
