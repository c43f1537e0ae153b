"""What a container runtime does before it starts a process: `python tests/kit/runtime.py SPEC`, as root, in a mount namespace.

It puts a root directory together of what SPEC (JSON) binds, makes it read-only, enters a cgroup, and gives up all
capabilities but those that are named, as runc does: none inheritable, none ambient, none in effect after an exec but by the
file that is executed. It starts nothing in between: the one exec is the container's.
"""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_CAPABILITIES: Final = 41  # so many there are
_BITS: Final = {"CHOWN": 0, "NET_BIND_SERVICE": 10, "NET_ADMIN": 12}
_PR_SET_KEEPCAPS, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 8, 24, 38

_libc: Final = ctypes.CDLL(None, use_errno=True)


def assemble(spec: dict[str, Any]) -> None:
    """Binds all to the root and goes there."""
    root = Path(spec["root"])
    os.umask(0o022)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root))
    for source, target, writable in spec["binds"]:
        place = root / target.lstrip("/")
        if Path(source).is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                place.touch()
        _mount("--rbind", source, str(place))
        if not writable:
            _mount("-o", "remount,bind,ro", str(place))
    for link, target in spec["links"]:
        (root / link.lstrip("/")).symlink_to(target)
    if spec["read_only"]:
        _mount("-o", "remount,ro", str(root))
    os.chroot(root)
    os.chdir("/")


def become(uid: int, kept: list[str], *, no_new_privs: bool) -> None:
    """Another user, with these capabilities permitted and no others within bounds."""
    bits = [_BITS[name] for name in kept]
    for number in set(range(_CAPABILITIES)) - set(bits):
        _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
    _check(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    mask = sum(1 << bit for bit in bits)
    _check(_libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)))
    if no_new_privs:
        _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _check(status: int) -> None:
    if status < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def main(path: str) -> None:
    spec = json.loads(Path(path).read_text())
    for procs in spec["cgroups"]:
        Path(procs).write_text(str(os.getpid()))
    assemble(spec)
    if spec["uid"] is not None:
        become(spec["uid"], spec["capabilities"], no_new_privs=spec["no_new_privs"])
    os.execve(spec["argv"][0], spec["argv"], spec["env"])


if __name__ == "__main__":
    main(sys.argv[1])
