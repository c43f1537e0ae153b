"""The command check: a Corefile in, all that can be told of it before it is served out.

Status 0 for a file that is fine, 1 for one with warnings, 2 for one with errors or one that can't be read. Problems go to
standard output, or, where that takes the explanation, to standard error. What checks is imported last, so that help is
quick.
"""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from kdns.config import explain
    from kdns.config.check import Checked, Machine

_WARNINGS: Final = 1
_ERRORS: Final = 2
_STDIN: Final = "-"
_PORT: Final = click.IntRange(0, 65535)


@click.command(no_args_is_help=False)
@click.option("-o", "output", type=click.Choice(("text", "json")), default="text", help="How it is told.  [text]")
@click.option("--explain", is_flag=True, help="Print the configuration that the file comes to, with all defaults.")
@click.option("-p", "-dns.port", "--dns.port", "port", type=_PORT, default=53, help="Of keys that name none.  [53]")
@click.argument("file", metavar="FILE")
def check(file: str, output: str, port: int, *, explain: bool) -> int:
    """Find what is wrong with a Corefile.

    FILE is a Corefile, or - for standard input. Files that it imports are read, too. Status 0: fine, 1: warnings, 2:
    errors.
    """
    try:
        octets = _octets(file)
    except OSError as error:
        sys.stderr.write(f"kdns: {file}: {error.strerror or error}\n")
        return _ERRORS
    from kdns.config import check as checking  # noqa: PLC0415 - help is quicker without

    checked = checking.check(octets, "stdin" if file == _STDIN else file, _machine(port))
    if output == "json":
        sys.stdout.write(_json(checked))
    elif explain:
        from kdns.config import explain as explaining  # noqa: PLC0415

        sys.stdout.write(explaining.text(checked.blocks))
        sys.stderr.write(_text(checked))
    else:
        sys.stdout.write(_text(checked))
    return _status(checked)


def _octets(file: str) -> bytes:
    with open(0 if file == _STDIN else file, "rb", closefd=file != _STDIN) as given:
        return given.read()


def _machine(port: int) -> "Machine":
    import os  # noqa: PLC0415

    from kdns.config.check import Machine  # noqa: PLC0415
    from kdns.config.disk import Disk  # noqa: PLC0415
    from kdns.config.served import unserved  # noqa: PLC0415
    from kdns.config.serving import Block  # noqa: PLC0415
    from kdns.serve.local import interface_addresses  # noqa: PLC0415

    disk = Disk()
    return Machine(
        disk, os.environ, port, disk.trouble, interface_addresses, lambda settings: not unserved(Block((), (settings,)))
    )


def _status(checked: "Checked") -> int:
    severities = {problem.severity for problem in checked.problems}
    return _ERRORS if "error" in severities else _WARNINGS if "warning" in severities else 0


def _text(checked: "Checked") -> str:
    """The problems as people read them, and how many there are."""
    from kdns.config.complaints import render  # noqa: PLC0415

    return f"{render(checked.problems, checked.texts)}{_summary(checked)}\n"


def _summary(checked: "Checked") -> str:
    found = Counter(problem.severity for problem in checked.problems)
    counted = [f"{count} {word}{'' if count == 1 else 's'}" for word in ("error", "warning") if (count := found[word])]
    return ", ".join(counted) or "fine"


def _json(checked: "Checked") -> str:
    import json  # noqa: PLC0415

    from kdns.config.complaints import ordered  # noqa: PLC0415

    problems = [
        {
            **each.place._asdict(),
            "severity": each.severity,
            "message": each.message,
            "hint": each.hint,
        }
        for each in ordered(checked.problems, checked.texts)
    ]
    blocks = [_block(each) for each in checked.blocks]
    return json.dumps({"problems": problems, "blocks": blocks}, indent=2) + "\n"


def _block(block: "explain.Block") -> dict[str, object]:
    from kdns.dns import names  # noqa: PLC0415

    return {
        "file": block.place.file,
        "line": block.place.line,
        "keys": block.keys,
        "zones": [names.to_text(zone) for zone in block.zones],
        "listeners": block.listeners,
        "directives": [
            {
                "name": each.name,
                "file": each.place.file,
                "line": each.place.line,
                "written": each.line,
                "defaults": each.defaults,
                "options": [
                    {"usage": option.usage, "written": option.lines, "default": option.is_default}
                    for option in each.options
                ],
                "differs": each.differs,
            }
            for each in block.directives
        ],
    }
