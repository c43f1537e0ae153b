"""A process of ours: made by fork, ended by a signal, and never left behind."""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final, Self

from kdns.dev import kernel

_LOOK_S: Final = 0.01
_TOLD_S: Final = 10.0


class Process:
    """One that this process has made, and waits for."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._status: int | None = None

    @classmethod
    def fork(cls, run: Callable[[], int]) -> Self:
        """Runs in a session of its own, which ends when this process does. This process must have one thread."""
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return cls(pid)
        status = 1
        try:
            os.setsid()
            if sys.platform == "linux":
                kernel.die_with_parent(signal.SIGTERM, parent)
            status = run()
        except KeyboardInterrupt:
            pass
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def status(self) -> int | None:
        """How it has ended, None while it hasn't: its status, or the negative number of a signal."""
        if self._status is None:
            gone, status = os.waitpid(self._pid, os.WNOHANG)
            if gone:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def wait(self, within_s: float) -> None:
        """Waits for its end, which is forced where it takes too long."""
        until = time.monotonic() + within_s
        while self.status() is None and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self.end(0.0)

    def end(self, within_s: float) -> None:
        """Ends it, by force where it takes too long."""
        until = time.monotonic() + within_s
        if self.status() is None:
            os.kill(self._pid, signal.SIGTERM)
        while self.status() is None:
            if time.monotonic() > until:
                os.kill(self._pid, signal.SIGKILL)
            time.sleep(_LOOK_S)


def told_by(call: Callable[[], str]) -> str:
    """What the call returns, made by a process of its own; empty where that fails. This process must have one thread."""
    reader, writer = os.pipe()

    def tell() -> int:
        with open(writer, "w", encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor
            pipe.write(call())
        return 0

    process = Process.fork(tell)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor
        found = pipe.read()
    process.end(_TOLD_S)
    return found
