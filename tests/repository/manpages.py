"""The man pages in docs/man: made from the declarations that help is made from; `make pages` writes them.

Macros are those of man(7). Text that comes from declarations is escaped here, and nowhere else.
"""

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from kdns import __version__
from kdns.cli.arguments import COMMANDS, ENVIRONMENT, PROGRAM, kdns
from kdns.cli.declaring import Command
from tests.repository.documents import REPOSITORY
from tests.repository.pages import commands

FOLDER: Final = REPOSITORY / "docs" / "man"
_WIDTH: Final = 70  # what is escaped takes more


def made() -> Iterator[tuple[Path, str]]:
    """Every page and its text."""
    yield FOLDER / f"{PROGRAM}.1", _page(_whole())
    parent = click.Context(kdns, info_name=PROGRAM, **kdns.context_settings)
    for name, command in commands():
        context = click.Context(command, parent, name)
        yield FOLDER / f"{PROGRAM}-{name}.1", _page(_of_command(name, command, context))


def write() -> list[Path]:
    """Writes what isn't as it would be made, and takes away what nothing makes; these pages."""
    FOLDER.mkdir(exist_ok=True)
    pages = dict(made())
    changed = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    for path in changed:
        path.write_text(pages[path])
    gone = [path for path in FOLDER.glob("*.1") if path not in pages]
    for path in gone:
        path.unlink()
    return changed + gone


def _page(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _whole() -> Iterator[str]:
    context = click.Context(kdns, info_name=PROGRAM, **kdns.context_settings)
    yield from _head(PROGRAM, (kdns.help or "").removesuffix("."))
    yield from (".SH SYNOPSIS", f".B {PROGRAM}", r"[\fIOPTIONS\fR] [\fICOMMAND\fR] [\fIARGS\fR]...")
    yield from (".SH DESCRIPTION", *_text(kdns.help or ""), ".PP")
    yield from _text(
        "Flags alone, without a command, are those of serve. As a plugin of kubectl it is called kubectl kdns."
    )
    yield ".SH COMMANDS"
    for name, sentence in COMMANDS.items():
        yield from (".TP", rf"\fB{_escaped(f'{PROGRAM}-{name}')}\fR(1)", *_text(sentence))
    yield from (".SH OPTIONS", *_options(context, kdns))
    yield from _listed("ENVIRONMENT", ENVIRONMENT)
    yield from _see_also(COMMANDS)


def _of_command(name: str, command: Command, context: click.Context) -> Iterator[str]:
    first, *paragraphs = _paragraphs(command.help or "")
    yield from _head(f"{PROGRAM}-{name}", first.removesuffix("."))
    yield from (".SH SYNOPSIS", rf".B {PROGRAM} {name}", *_text(" ".join(command.collect_usage_pieces(context))))
    yield from (".SH DESCRIPTION", *_text(first))
    for each in paragraphs:
        yield from (".PP", *_text(each))
    yield from (".SH OPTIONS", *_options(context, command))
    yield from _listed("EXIT STATUS", command.statuses)
    if command.examples:
        yield from (".SH EXAMPLES", ".nf", *map(_line, command.examples), ".fi")
    yield from _see_also([each for each in COMMANDS if each != name], PROGRAM)


def _head(name: str, sentence: str) -> Iterator[str]:
    yield r".\" Made from the declarations in kdns/cli/commands by `make pages`."
    yield f'.TH {_escaped(name.upper())} 1 "" "kdns {__version__}" "kdns"'
    yield from (".SH NAME", rf"{_escaped(name)} \- {_escaped(sentence)}")


def _options(context: click.Context, command: click.Command) -> Iterator[str]:
    for each in command.get_params(context):
        record = each.get_help_record(context) if isinstance(each, click.Option) else None
        if record is not None:
            yield from (".TP", rf"\fB{_escaped(record[0])}\fR", *_text(record[1]))


def _listed(title: str, table: Mapping[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for word, sentence in table.items():
        yield from (".TP", rf"\fB{_escaped(word)}\fR", *_text(sentence))


def _see_also(commands: Mapping[str, str] | list[str], *others: str) -> Iterator[str]:
    names = [*others, *sorted(f"{PROGRAM}-{each}" for each in commands)]
    yield ".SH SEE ALSO"
    yield from (f".BR {_escaped(each)} (1){',' if each != names[-1] else ''}" for each in names)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n", text.strip())]


def _text(text: str) -> Iterator[str]:
    """A sentence begins a line, as man(7) wants it."""
    for each in re.split(r"(?<=[.;:])\s+", " ".join(text.split())):
        yield from map(_line, textwrap.wrap(each, _WIDTH, break_long_words=False, break_on_hyphens=False))


def _line(text: str) -> str:
    escaped = _escaped(text)
    return rf"\&{escaped}" if escaped[:1] in {".", "'"} else escaped


def _escaped(text: str) -> str:
    return (
        text.replace("\\", r"\e")
        .replace("-", r"\-")
        .replace("'", r"\(aq")
        .replace("…", "...")
        .replace("^", r"\(ha")
        .replace("~", r"\(ti")
    )


if __name__ == "__main__":
    for written in write():
        sys.stdout.write(f"{written.relative_to(REPOSITORY)}\n")
