"""What a Corefile is made of, and what can be wrong with it: places, tokens, lines, server blocks, problems.

Pure values. Whoever finds something wrong says where and goes on, so that an operator sees all of it at once; only an
error means that the file can't be served, a warning that it may not do what it seems to. What is worth knowing and isn't
wrong is information.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]

ERROR: Final[Severity] = "error"
WARNING: Final[Severity] = "warning"
INFO: Final[Severity] = "info"


class Place(NamedTuple):
    """Where something stands; lines and columns count from 1, columns in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Token(NamedTuple):
    """A word, environment variables in it replaced; quoted ones are never a brace and may be empty."""

    text: str
    place: Place
    quoted: bool = False
    width: int = 1  # characters in the file, up to the line's end, for the marks below it


class Line(NamedTuple):
    """The tokens of one line, at least one, and the lines of the block that it opens; None where it opens none."""

    tokens: tuple[Token, ...]
    block: tuple["Line", ...] | None = None

    @property
    def name(self) -> Token:
        """The first token: the directive's or option's name."""
        return self.tokens[0]


class ServerBlock(NamedTuple):
    """Keys, at least one, and the directives in the order in which they stand."""

    keys: tuple[Token, ...]
    directives: tuple[Line, ...]


class Problem(NamedTuple):
    """Something wrong: what was found and expected, and what to do."""

    place: Place
    message: str
    hint: str = ""  # what to write instead
    severity: Severity = ERROR
    width: int = 1  # characters meant, from the place on


class CorefileError(Exception):
    """A Corefile that can't be served; problems are all that were found, at least one of them an error."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = next((problem for problem in problems if problem.severity == ERROR), problems[0])
        super().__init__(f"{first.place}: {first.message}")
        self.problems = tuple(problems)
