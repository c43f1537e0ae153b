"""Signals for a loop that waits on file descriptors, and forks.

While Signals is entered, no signal does anything to this process by itself; those that mean
something are read as octets. A forked child leaves them before it does anything else.
"""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Self

# Tells a controller that the server is about to stop; ignored until it is ready for it.
LAMEDUCK: Final = signal.SIGUSR2


class Signals:
    """Signals as octets to be read; inside it, none has its default effect on this process."""

    _READ: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1)
    _IGNORED: Final = (LAMEDUCK,)

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in (*self._READ, *self._IGNORED)}
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in self._READ:
            signal.signal(number, _leave_to_reader)
        for number in self._IGNORED:
            signal.signal(number, signal.SIG_IGN)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.close()

    def close(self) -> None:
        self.reader.close()
        self._writer.close()

    def read(self) -> bytes:
        """The numbers of the signals that came since, in order; several of the same may have become one."""
        with suppress(BlockingIOError):
            return self.reader.recv(4096)
        return b""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Signals wait until the end, so that none reaches a new process that still has this one's handlers."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._READ)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def leave(self) -> None:
        """For a new process: SIGTERM and SIGCHLD as by default; what a terminal sends to all is the supervisor's."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._READ)
        self.close()


def _leave_to_reader(_number: int, _frame: object) -> None:
    """There has to be a handler for the number to be written to the wakeup fd."""
