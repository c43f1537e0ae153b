"""A place of its own for a server and its clients: network, mounts and /etc/resolv.conf, by user namespaces.

Nothing in it is seen outside, so port 53 is free and the machine's resolver may be changed.
Only loopback is there, with some addresses more. Ends with the one process that holds it.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from tests.server import DEADLINE_S, REPOSITORY

ADDRESSES: Final = ("127.0.0.1", "127.0.0.2", "10.53.0.1", "::1", "fd00::53")
_UNSHARE: Final = ("unshare", "--map-root-user", "--mount", "--net")
_PREPARE: Final = """
set -e
ip link set lo up
ip address add 10.53.0.1/32 dev lo
ip address add fd00::53/128 dev lo
mount --bind "$1" /etc/resolv.conf
echo prepared
exec sleep infinity
"""


def why_not() -> str:
    """What is missing for a sandbox; empty if nothing is."""
    try:
        done = subprocess.run([*_UNSHARE, "ip", "link"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return f"needs {error.filename}"
    return f"needs namespaces: {done.stderr.strip()}" if done.returncode else ""


class Sandbox:
    """Holds the namespaces while it lasts."""

    def __init__(self, resolv_conf: Path) -> None:
        self._holder = subprocess.Popen(
            [*_UNSHARE, "sh", "-c", _PREPARE, "sh", str(resolv_conf)], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "prepared\n"

    @property
    def command(self) -> Sequence[str]:
        """Runs what follows in here."""
        where = ("--target", str(self._holder.pid), "--user", "--mount", "--net")
        return ("nsenter", *where, "--preserve-credentials", f"--wd={REPOSITORY}", "--")

    def run(self, *command: str) -> str:
        """What a command writes, to either stream, whatever its exit status says."""
        done = subprocess.run(
            [*self.command, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return done.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._holder:
            self._holder.kill()
