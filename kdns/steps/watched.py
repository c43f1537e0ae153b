"""A file that a directive lives by: looked at again and again, read when it is another than before.

Another is one with another time, size or inode. What was read last holds while the file is away, is being written, can't be
read or makes no sense: each is logged when it begins and when it ends, not each time it is seen. Whoever is told of a
new content works through it in portions, one in each turn of the loop, so that a file of a hundred thousand lines delays
no question; the first reading alone, before there are any, is done at once.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from kdns.steps.around import Around

OCTETS_MAX: Final = 16 << 20  # of a file; the largest lists of names in use have 6 MiB

Portions: TypeAlias = Iterator[None]


class DamagedError(ValueError):
    """What is in the file makes no sense; the message says what was found and what was expected."""


class Watched:
    """A file and what is known of it."""

    __slots__ = ("_every_s", "_handle", "_log", "_loop", "_lost", "_mark", "_take", "path", "written_at")

    def __init__(self, path: str, take: Callable[[bytes], Portions], around: Around, every_s: float) -> None:
        """Reads the file. take gets its content, and raises DamagedError where that makes no sense; every_s 0 is for once."""
        self.path = path
        self.written_at = 0.0  # when what is known was written, in Unix seconds
        self._take = take
        self._loop = around.loop
        self._log = around.log
        self._every_s = every_s
        self._mark: tuple[int, int, int] | None = None  # of the file read last
        self._lost = ""  # why it can't be read
        self._handle: asyncio.Handle | None = None
        portions = self._begin()
        while portions is not None and self._goes_on(portions):
            pass
        self._wait()

    def close(self) -> None:
        """Looks at the file no more."""
        self._every_s = 0.0
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _wait(self) -> None:
        self._handle = self._loop.call_later(self._every_s, self._look) if self._every_s else None

    def _look(self) -> None:
        portions = self._begin()
        if portions is None:
            self._wait()
        else:
            self._go_on(portions)

    def _go_on(self, portions: Portions) -> None:
        if self._goes_on(portions):
            self._handle = self._loop.call_soon(self._go_on, portions)
        else:
            self._wait()

    def _goes_on(self, portions: Portions) -> bool:
        """Whether there is more to do after the next portion."""
        try:
            next(portions)
        except StopIteration:
            assert self._mark is not None
            self.written_at = self._mark[0] / 1e9
            self._log.info("file_read", path=self.path)
            return False
        except DamagedError as error:
            self._complain(str(error))
            return False
        return True

    def _begin(self) -> Portions | None:
        """The work on the file's content, if it is another than before."""
        try:
            octets = self._changed()
        except OSError as error:
            reason = error.strerror or str(error)
            if reason != self._lost:
                self._lost = reason
                self._complain(reason)
            return None
        except DamagedError as error:
            self._complain(str(error))
            return None
        return None if octets is None else self._take(octets)

    def _changed(self) -> bytes | None:
        """The content if the file is another than before; None, too, while it is being written. Raises OSError, DamagedError."""
        # O_NONBLOCK: a pipe without a writer would hold the loop.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            mark = _mark(status)
            octets = b"" if mark == self._mark else os.read(descriptor, OCTETS_MAX + 1)
            after = _mark(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        if self._lost:
            self._lost = ""
            self._log.info("file_there_again", path=self.path)
        if mark == self._mark:
            return None
        if len(octets) > OCTETS_MAX:
            self._mark = mark
            raise DamagedError(f"found more than {OCTETS_MAX} octets, expected no more")
        if stat.S_ISREG(status.st_mode) and (len(octets) != status.st_size or after != mark):
            return None
        self._mark = mark
        return octets

    def _complain(self, reason: str) -> None:
        meanwhile = "what was read before holds" if self.written_at else "nothing is known of it"
        self._log.warning("file_unusable", path=self.path, reason=reason, meanwhile=meanwhile)


def _mark(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino
