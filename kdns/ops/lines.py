"""Lines for a pipe, a file or a terminal that never wait for who reads them.

What is added is written at the end of the event loop's turn, in writes of at most PIPE_BUF octets: those go into a pipe
whole or not at all (POSIX, write), so that lines of several processes don't mix and none is cut. What doesn't go in is kept
for a while, up to so many octets; what is too much then is dropped and counted.

The stream itself may be shared with other programs, so it isn't set not to block: it is opened once more, for this process
alone, where the system lets us (/proc/self/fd). A file never blocks.
"""

import asyncio
import os
import select
import stat
from collections import deque
from contextlib import suppress
from typing import Final

WAITING_MAX: Final = 1 << 20  # octets; some 8,000 lines
_WRITE_MAX: Final = select.PIPE_BUF


class Lines:
    """Where lines go."""

    __slots__ = (
        "_fd",
        "_held",
        "_loop",
        "_own",
        "_scheduled",
        "_waiting",
        "_waiting_octets",
        "_watched",
        "dropped",
        "written",
    )

    def __init__(self, fd: int, loop: asyncio.AbstractEventLoop) -> None:
        self.dropped = 0  # lines
        self.written = 0
        self._loop = loop
        self._fd, self._own = _opened(fd)
        self._held: list[str] = []  # of this turn
        self._waiting: deque[tuple[bytes, int]] = deque()  # octets of whole lines, and how many lines
        self._waiting_octets = 0
        self._scheduled = self._watched = False

    def add(self, text: str) -> None:
        """Takes lines, each with its end."""
        self._held.append(text)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def close(self) -> None:
        """Writes what goes in now; the rest is dropped."""
        self._turn()
        self.dropped += sum(count for _, count in self._waiting)
        self._waiting.clear()
        self._unwatch()
        if self._own:
            os.close(self._fd)

    def _turn(self) -> None:
        self._scheduled = False
        text, self._held = "".join(self._held), []
        if not text:
            return
        octets = text.encode("utf-8", "backslashreplace")
        for piece in _pieces(octets):
            self._put(piece, piece.count(b"\n"))
        self._write()

    def _put(self, piece: bytes, count: int) -> None:
        if self._waiting_octets + len(piece) > WAITING_MAX:
            self.dropped += count
            return
        self._waiting.append((piece, count))
        self._waiting_octets += len(piece)

    def _write(self) -> None:
        """Writes what waits, as far as it goes in."""
        while self._waiting:
            piece, count = self._waiting[0]
            try:
                done = os.write(self._fd, piece)
            except BlockingIOError:
                self._watch()
                return
            except OSError:  # nobody will read any more, or the disk is full
                done = 0
            self._waiting.popleft()
            self._waiting_octets -= len(piece)
            if done == len(piece):
                self.written += count
            else:
                self.dropped += count
        self._unwatch()

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            with suppress(OSError):  # what can't be waited for is tried again with the next line
                self._loop.add_writer(self._fd, self._write)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_writer(self._fd)


def _opened(fd: int) -> tuple[int, bool]:
    """A descriptor for the same stream whose writes don't block, and whether it has to be closed."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd, False
    with suppress(OSError):
        return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), True
    # A socket, or a pipe that another user made: then it is set for all who have it.
    os.set_blocking(fd, False)
    return fd, False


def _pieces(octets: bytes) -> list[bytes]:
    """The octets in pieces of whole lines that are written at once; a line that is too long alone is cut."""
    found: list[bytes] = []
    start = 0
    while start < len(octets):
        end = start + _WRITE_MAX
        if end < len(octets):
            end = octets.rfind(b"\n", start, end) + 1 or _too_long(octets, start)
        piece = octets[start:end]
        found.append(piece if len(piece) <= _WRITE_MAX else piece[: _WRITE_MAX - 1] + b"\n")
        start = end
    return found


def _too_long(octets: bytes, start: int) -> int:
    """Where a line ends that is longer than a write."""
    return octets.find(b"\n", start) + 1 or len(octets)
