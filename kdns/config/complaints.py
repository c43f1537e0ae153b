"""Problems as an operator reads them: where, what, the line itself, and marks below what is meant.

    Corefile:3:5: error: unknown directive "kuberntes"; did you mean "kubernetes"?
        kuberntes cluster.local {
        ^^^^^^^^^

Information is one line. Nothing that a file contains can move a terminal's cursor: what can't be printed is shown as one replacement character.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kdns.config.syntax import INFO, Problem

_SHOWN_MAX: Final = 160  # characters of a line; longer ones are cut around the place
_WORD_MAX: Final = 64  # longer words are nobody's misspelling, and take long to compare
_UNPRINTABLE: Final = "\N{REPLACEMENT CHARACTER}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, upper and lower case being the same; None if none is near."""
    return next(iter(nearest_several(word, known, 1)), None)


def nearest_several(word: str, known: Iterable[str], count: int) -> list[str]:
    """The known words, at most count, that may have been meant, the nearest first."""
    if len(word) > _WORD_MAX:
        return []
    import difflib  # noqa: PLC0415 - only what has mistakes needs it

    folded = {each.lower(): each for each in known}
    return [folded[each] for each in difflib.get_close_matches(word.lower(), folded, count)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word; empty if none is near."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near is not None else ""


def render(problems: Iterable[Problem], texts: Mapping[str, str]) -> str:
    """The problems, ordered by place, with their lines where texts, by file, has them. Ends in a newline, if not empty."""
    files = {file: text.split("\n") for file, text in texts.items()}
    found = ordered(problems, texts)
    return "".join(f"{line}\n" for problem in found for line in _lines(problem, files.get(problem.place.file, ())))


def ordered(problems: Iterable[Problem], files: Iterable[str]) -> list[Problem]:
    """The problems by place, the files in their order."""
    order = {file: position for position, file in enumerate(files)}
    return sorted(problems, key=lambda each: (order.get(each.place.file, len(order)), each.place))


def said(problem: Problem) -> str:
    """The problem in one line."""
    hint = f"; {problem.hint}" if problem.hint else ""
    return _printable(f"{problem.place}: {problem.severity}: {problem.message}{hint}")


def _lines(problem: Problem, lines: Sequence[str]) -> list[str]:
    told = said(problem)
    number, column = problem.place.line - 1, problem.place.column - 1
    if problem.severity == INFO or not 0 <= number < len(lines) or not 0 <= column <= len(lines[number].rstrip("\r")):
        return [told]
    line = lines[number].rstrip("\r")
    start = max(0, column - _SHOWN_MAX // 2) if len(line) > _SHOWN_MAX else 0
    shown = line[start : start + _SHOWN_MAX]
    above = line[start:column]
    width = max(1, min(problem.width, len(shown) - len(above)))
    # A tab below a tab is as wide as that one, whatever that is.
    return [told, _printable(shown), "".join("\t" if each == "\t" else " " for each in above) + "^" * width]


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\t" else _UNPRINTABLE for each in text)
