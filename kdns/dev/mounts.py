"""Files that this process and its children alone see otherwise.

They lie over those of the machine in a mount namespace of the process' own, in memory: the machine's are untouched, and
when the last process that sees them has ended, whichever way, there is nothing left of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kdns.dev import kernel

# Where the files lie while they are made; bound to their places they stay when it is taken away again.
_STAGE: Final = "/tmp"  # noqa: S108 - what is mounted there is our own
_READABLE: Final = 0o644


def overlay(files: Mapping[str, str], hidden: tuple[str, ...] = ()) -> None:
    """Puts a text in the place of each file, and empties folders, for this process and those it will make. Raises OSError."""
    kernel.unshare(kernel.NEW_MOUNTS)
    kernel.mount("none", "/", flags=kernel.SLAVE | kernel.RECURSIVE)
    for folder in hidden:
        kernel.mount("none", folder, kind="tmpfs")
    kernel.mount("none", _STAGE, kind="tmpfs")
    try:
        for number, (path, text) in enumerate(files.items()):
            made = Path(_STAGE, str(number))
            made.write_text(text, encoding="utf-8")
            made.chmod(_READABLE)
            kernel.mount(str(made), path, flags=kernel.BIND)
    finally:
        kernel.detach(_STAGE)
