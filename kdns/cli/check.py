"""Checking: a Corefile in, all that can be told of it before it is served out.

Problems go to standard output, or, where that takes the explanation, to standard error.
"""

import os
import sys
from collections import Counter
from functools import partial
from typing import Final

from kdns.cli import results
from kdns.cli.declaring import TEXT
from kdns.config import check as checking
from kdns.config import explain as explaining
from kdns.config.check import Checked, Machine
from kdns.config.complaints import ordered, render
from kdns.config.disk import Disk
from kdns.config.served import unserved
from kdns.config.serving import Block
from kdns.dns import names
from kdns.serve.local import interface_addresses

_WARNINGS: Final = 1
_ERRORS: Final = 2
_STDIN: Final = "-"


def check(file: str, output: str, port: int, *, explain: bool) -> int:
    """Tells what is wrong with the file; the exit status."""
    try:
        octets = _octets(file)
    except OSError as error:
        sys.stderr.write(f"kdns: {file}: {error.strerror or error}, expected a Corefile\n")
        return _ERRORS
    checked = checking.check(octets, "stdin" if file == _STDIN else file, _machine(port))
    results.show(output, partial(_described, checked), partial(_explained if explain else _text, checked))
    if explain and output == TEXT:
        sys.stderr.write(_text(checked))
    return _status(checked)


def _explained(checked: Checked) -> str:
    return explaining.text(checked.blocks)


def _octets(file: str) -> bytes:
    with open(0 if file == _STDIN else file, "rb", closefd=file != _STDIN) as given:
        return given.read()


def _machine(port: int) -> Machine:
    disk = Disk()
    return Machine(
        disk, os.environ, port, disk.trouble, interface_addresses, lambda settings: not unserved(Block((), (settings,)))
    )


def _status(checked: Checked) -> int:
    severities = {problem.severity for problem in checked.problems}
    return _ERRORS if "error" in severities else _WARNINGS if "warning" in severities else 0


def _text(checked: Checked) -> str:
    """The problems as people read them, and how many there are."""
    return f"{render(checked.problems, checked.texts)}{_summary(checked)}\n"


def _summary(checked: Checked) -> str:
    found = Counter(problem.severity for problem in checked.problems)
    counted = [f"{count} {word}{'' if count == 1 else 's'}" for word in ("error", "warning") if (count := found[word])]
    return ", ".join(counted) or "fine"


def _described(checked: Checked) -> dict[str, object]:
    problems = [
        {
            **each.place._asdict(),
            "severity": each.severity,
            "message": each.message,
            "hint": each.hint,
        }
        for each in ordered(checked.problems, checked.texts)
    ]
    return {"problems": problems, "blocks": [_block(each) for each in checked.blocks]}


def _block(block: explaining.Block) -> dict[str, object]:
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
