"""Files that this process and its children alone see otherwise.

They lie over those of the machine in a mount namespace of the process' own, in memory: the machine's are untouched, and
when the last process that sees them has ended, whichever way, there is nothing left of them.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kdns.dev import kernel

# Where the files lie while they are made; bound to their places they stay when it is taken away again.
_STAGE: Final = "/tmp"  # noqa: S108 - what is mounted there is our own
_READABLE: Final = 0o644


def separate() -> None:
    """Gives this process mounts of its own; who isn't root becomes, for that, the master of a user namespace with itself in it.

    The process must have one thread. Raises OSError where the system doesn't allow it.
    """
    try:
        kernel.unshare(kernel.NEW_MOUNTS)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(kernel.NEW_USER | kernel.NEW_MOUNTS)
        _write("setgroups", "deny")
        _write("uid_map", f"{user} {user} 1")
        _write("gid_map", f"{group} {group} 1")
    kernel.mount("none", "/", flags=kernel.SLAVE | kernel.RECURSIVE)


def overlay(files: Mapping[str, str], hidden: tuple[str, ...] = ()) -> None:
    """Puts a text in the place of each file, and empties folders; after separate. Raises OSError."""
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


def _write(name: str, text: str) -> None:
    Path("/proc/self", name).write_text(text, encoding="ascii")
