"""The right to make namespaces, for who isn't root: as the master of a user namespace with oneself alone in it."""

import os
from pathlib import Path

from kdns.dev import kernel


def acquire() -> None:
    """Makes this process such a master; it stays who it is. It must have one thread. Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.NEW_USER)
    _write("setgroups", "deny")
    _write("uid_map", f"{user} {user} 1")
    _write("gid_map", f"{group} {group} 1")


def _write(name: str, text: str) -> None:
    Path("/proc/self", name).write_text(text, encoding="ascii")
