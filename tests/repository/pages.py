"""The reference: what of its pages is made from tables, of directives and of commands, and stands between two marks.

`python -m tests.repository.pages` (`make pages`) writes these parts anew, and a page for each directive that has none.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from kdns.cli.arguments import COMMANDS, PROGRAM, kdns
from kdns.cli.declaring import Command
from kdns.config import manual
from kdns.config.declarations import Absent, Directive
from kdns.config.syntax import WARNING
from kdns.config.table import DIRECTIVES, REMOVED, SUPPORTED
from tests.repository.documents import REPOSITORY

FOLDER: Final = REPOSITORY / "docs" / "reference" / "directives"
INDEX: Final = FOLDER / "README.md"
OTHERS: Final = FOLDER / "others.md"
COMMAND_LINE: Final = REPOSITORY / "docs" / "reference" / "command-line.md"
_PART: Final = re.compile(r"(?<=^<!-- table -->\n).*?(?=^<!-- /table -->$)", re.DOTALL | re.MULTILINE)


def made() -> Iterator[tuple[Path, str]]:
    """Every page with a part that is made from the table, and that part."""
    for directive in SUPPORTED:
        yield FOLDER / f"{directive.name}.md", manual.markdown(directive)
    yield INDEX, _index()
    yield OTHERS, _others()
    yield COMMAND_LINE, _statuses()


def part(text: str) -> str | None:
    """What stands between the marks; None where there aren't any."""
    found = _PART.search(text)
    return found[0] if found else None


def with_part(text: str, new: str) -> str:
    """The page with something else between its marks."""
    return _PART.sub(lambda _: new, text, count=1)


def _index() -> str:
    listed = sorted(SUPPORTED, key=lambda each: each.name)
    rows = [f"| [`{each.name}`]({each.name}.md) | {each.doc} |" for each in listed]
    return "\n".join(["| directive | |", "|---|---|", *rows]) + "\n"


def _others() -> str:
    absent = [each for each in (*DIRECTIVES, *REMOVED) if isinstance(each, Absent)]
    sections = [
        ("Accepted without effect", [each for each in absent if each.severity == WARNING]),
        ("Not in kdns", [each for each in absent if each.severity != WARNING and each not in REMOVED]),
        ("Not in CoreDNS any more", [each for each in absent if each in REMOVED]),
    ]
    return "\n".join(f"## {title}\n\n{_rows(entries)}" for title, entries in sections)


def _rows(entries: list[Absent]) -> str:
    rows = [f"| `{each.name}` | {each.doc} | {each.instead} |" for each in sorted(entries)]
    return "\n".join(["| directive | what it does | instead |", "|---|---|---|", *rows]) + "\n"


def _statuses() -> str:
    """What each exit status of each command means."""
    rows = [
        f"| `{PROGRAM} {name}` | {status} | {when} |"
        for name, command in commands()
        for status, when in command.statuses.items()
    ]
    return "\n".join(["| command | status | when |", "|---|---|---|", *rows]) + "\n"


def commands() -> Iterator[tuple[str, Command]]:
    """Every command by its name."""
    for name in COMMANDS:
        command = kdns.get_command(click.Context(kdns), name)
        assert isinstance(command, Command)
        yield name, command


def _new(directive: Directive[Any]) -> str:
    return f"# {directive.name}\n\n<!-- table -->\n<!-- /table -->\n"


def write() -> list[Path]:
    """Writes what isn't as it would be made; returns which pages these are."""
    names = {FOLDER / f"{each.name}.md": each for each in SUPPORTED}
    changed = []
    for path, new in made():
        before = path.read_text() if path.exists() else ""
        text = with_part(before or _new(names[path]), new)
        if text != before:
            path.write_text(text)
            changed.append(path)
    return changed


if __name__ == "__main__":
    for written in write():
        sys.stdout.write(f"{written.relative_to(REPOSITORY)}\n")
