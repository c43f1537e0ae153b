"""Completion: the scripts that shells load, and what kubectl is told of its plugin's arguments.

What can be completed is click's to find, in the declarations of the commands. Sources: click's shell_completion; kubectl's
"Extend kubectl with plugins", cobra's directives (shell completion of the Go library).
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from kdns.cli.arguments import COMPLETE, PROGRAM, kdns

_FILES, _NO_FILES, _FOLDERS = 0, 4, 16
_DIRECTIVES: Final = {"file": _FILES, "dir": _FOLDERS}


def completion(shell: str) -> int:
    """Prints the shell's script; the exit status."""
    found = get_completion_class(shell)
    assert found is not None, "the declaration names those there are"
    # Not BashComplete's own, which starts a bash to say that one older than 4.4 can't.
    sys.stdout.write(ShellComplete.source(found(kdns, {}, PROGRAM, COMPLETE)))
    return 0


def for_kubectl(arguments: Sequence[str]) -> str:
    """What kubectl_complete-kdns prints: completions of the last argument, a line each, and what else may be completed."""
    *before, incomplete = arguments or ("",)
    found = ShellComplete(kdns, {}, PROGRAM, COMPLETE).get_completions(list(before), incomplete)
    kinds = {each.type for each in found}
    directive = next((number for kind, number in _DIRECTIVES.items() if kind in kinds), _NO_FILES)
    return "".join(f"{line}\n" for line in (*_lines(found), f":{directive}"))


def _lines(found: Sequence[CompletionItem[str]]) -> Iterator[str]:
    for each in found:
        if each.type == "plain":
            yield f"{each.value}\t{' '.join(each.help.split())}" if each.help else str(each.value)
