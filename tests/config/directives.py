"""Directives in tests: what a line and its block say, alone in a server block of example.org."""

from kdns.config import table
from kdns.config.declarations import Settings
from kdns.config.syntax import Problem
from kdns.dns import names
from kdns.dns.names import Name
from tests.config.reading import read

ZONES = (names.from_text("example.org"),)


def chain(text: str, zones: tuple[Name, ...] = ZONES) -> table.Chain:
    """The settings and problems of the directives that text writes; line 1 is the text's first."""
    corefile = read(f"example.org {{ {text}\n}}".replace("{ ", "{\n", 1))
    assert corefile.problems == ()
    (block,) = corefile.blocks
    return table.chain_of(block.directives, zones)


def settings(text: str, zones: tuple[Name, ...] = ZONES) -> Settings:
    """The settings of the only directive, which is right in every respect."""
    made = chain(text, zones)
    assert made.problems == ()
    (only,) = made.settings
    return only


def brief(problem: Problem) -> str:
    """Line and column in the text of the test, and what is said."""
    severity = "" if problem.severity == "error" else f"{problem.severity}: "
    return f"{problem.place.line - 1}:{problem.place.column} {severity}{problem.message}"


def wrong(text: str, zones: tuple[Name, ...] = ZONES) -> list[str]:
    return [brief(each) for each in chain(text, zones).problems]


def zone(*texts: str) -> tuple[Name, ...]:
    return tuple(names.from_text(text) for text in texts)
