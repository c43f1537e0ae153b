"""Each line of a Corefile and how it goes with kdns: what `kdns check` says of it, sorted by lines.

There is no second list of what is supported: errors of the check are what isn't, its warnings and its information are what
differs, and a line of which it says nothing does what it does in CoreDNS.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from kdns.config.check import Checked
from kdns.config.complaints import ordered
from kdns.config.syntax import ERROR, Problem
from kdns.config.table import BY_NAME
from kdns.migration.finding import DIFFERS, SUPPORTED, UNSUPPORTED, Mark

_PAGES: Final = "docs/reference/directives"


class Said(NamedTuple):
    """A line, or what is said of the whole file: number 0."""

    file: str
    number: int
    text: str
    mark: Mark | None  # None for a line that says nothing: empty, a comment, a brace
    sentences: tuple[str, ...]
    page: str = ""  # where the documents tell more


def lines_of(checked: Checked) -> Iterator[Said]:
    """Every line of the Corefile and of the files that it imports."""
    problems: dict[tuple[str, int], list[Problem]] = {}
    for problem in ordered(checked.problems, checked.texts):
        problems.setdefault((problem.place.file, problem.place.line), []).append(problem)
    for file, text in checked.texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            yield _said(file, number, line.rstrip(), problems.pop((file, number), ()))
    for (file, number), left in problems.items():
        yield _said(file, number, "", left)


def _said(file: str, number: int, line: str, problems: Sequence[Problem]) -> Said:
    if not problems:
        return Said(file, number, line, None if _says_nothing(line) else SUPPORTED, ())
    mark = UNSUPPORTED if any(each.severity == ERROR for each in problems) else DIFFERS
    names = {name for each in problems if (name := each.message.partition(" differs: ")[0]) in BY_NAME}
    page = f"{_PAGES}/{min(names)}.md" if names else ""
    return Said(file, number, line, mark, tuple(dict.fromkeys(map(_sentence, problems))), page)


def _sentence(problem: Problem) -> str:
    """What is said, without the name that the line has anyway."""
    name, differs, sentence = problem.message.partition(" differs: ")
    message = sentence if differs and name in BY_NAME else problem.message
    return f"{message}; {problem.hint}" if problem.hint else message


def _says_nothing(line: str) -> bool:
    word = line.strip()
    return word in {"", "{", "}"} or word.startswith("#")


def counted(lines: Sequence[Said]) -> Mapping[Mark, int]:
    """How many lines have each mark."""
    found: dict[Mark, int] = {SUPPORTED: 0, DIFFERS: 0, UNSUPPORTED: 0}
    for each in lines:
        if each.mark is not None:
            found[each.mark] += 1
    return found
