"""The right to make namespaces, for who isn't root: as the master of a user namespace with oneself alone in it."""

import os
from pathlib import Path
from typing import Final

from kdns.dev import kernel

_STATUS: Final = Path("/proc/self/status")
_CAPABILITIES: Final = "CapEff:"  # a line of it, in hexadecimal
_SYS_ADMIN: Final = 1 << 21


def acquire() -> None:
    """Makes this process such a master, if it hasn't got the right; it stays who it is.

    It must never have had another thread: the system may not be done with one that has ended. Raises OSError.
    """
    if _is_admin():
        return
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.NEW_USER)
    _write("setgroups", "deny")
    _write("uid_map", f"{user} {user} 1")
    _write("gid_map", f"{group} {group} 1")


def _is_admin() -> bool:
    lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return any(int(line.split()[1], 16) & _SYS_ADMIN for line in lines if line.startswith(_CAPABILITIES))


def _write(name: str, text: str) -> None:
    Path("/proc/self", name).write_text(text, encoding="ascii")
