"""Root's part of a change: one shell that makes it, waits for the end of its input, and takes it back.

Its input is a pipe whose other end kdns holds. When kdns ends, whichever way, the pipe does, and the change is taken
back without anybody asking. What is typed at the terminal doesn't end the shell before that. sudo is asked once.
"""

import os
import shlex
import subprocess
from typing import Final, Self

from kdns.dev.plans import Plan

_DONE: Final = b"installed\n"


class HolderError(Exception):
    """The change wasn't made, or not taken back; the message says how it ended."""


class Holder:
    """A change that is made, and will be taken back."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @classmethod
    def install(cls, plan: Plan) -> Self:
        """Makes the change. Raises HolderError where it can't be made, with nothing left of it."""
        process = subprocess.Popen(as_root(_script(plan)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        assert process.stdout is not None
        if process.stdout.readline() != _DONE:
            process.communicate()
            raise HolderError(f"one of the commands failed, with status {process.returncode}; nothing is changed")
        return cls(process)

    def undo(self) -> None:
        """Takes it back. Raises HolderError."""
        self._process.communicate()
        if self._process.returncode:
            raise HolderError(f"what takes the change back failed, with status {self._process.returncode}")


def undo(plan: Plan) -> None:
    """Takes back what nobody holds any more. Raises HolderError."""
    done = subprocess.run(as_root(" && ".join(plan.undo)), check=False)  # noqa: S603 - written by us
    if done.returncode:
        raise HolderError(f"what takes the change back failed, with status {done.returncode}")


def as_root(script: str) -> list[str]:
    """The command line that runs a script of the shell as root."""
    return [*(() if os.geteuid() == 0 else ("sudo", "--")), "sh", "-c", script]


def _script(plan: Plan) -> str:
    made = f"test -e {shlex.quote(plan.trace)}"
    undo = " && ".join(plan.undo)
    return "\n".join(
        (
            "trap '' INT TERM HUP QUIT PIPE",
            f"if {made}; then echo {shlex.quote(plan.trace)} is there already, and not of kdns >&2; exit 3; fi",
            f"{{ {' && '.join(plan.install)}; }} >&2 || {{ status=$?; {made} && {{ {undo}; }}; exit $status; }}",
            f"echo {_DONE.decode().strip()}",
            "cat > /dev/null",
            undo,
        )
    )
