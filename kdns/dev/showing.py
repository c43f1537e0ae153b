"""What the server writes, shown to a person: the last questions as a table that stays below all else, or as plain lines.

What processes write to standard output, and to standard error where both are the same terminal, goes through a pipe to a
process that shows it. The table is painted over where it was, by two escape sequences, and the cursor always
stands below it and is never hidden: so the terminal is in order whenever anything ends, and however. When the
last who writes has ended, so does the process that shows.
"""

import io
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Final

from kdns.dev.process import Process
from kdns.dev.questions import Last, Question
from kdns.ops import terminals

_ROWS_MAX: Final = 15
_COLUMNS, _ROWS = 80, 24
_PAINT_S: Final = 0.1  # between two paintings
_READ_BYTES: Final = 1 << 16
_END_S: Final = 5.0
_STDOUT, _STDERR = 1, 2
# Terminals that understand no escape sequences (terminfo).
_DUMB: Final = frozenset(("", "dumb"))


@contextmanager
def shown(waiting: str) -> Iterator[None]:
    """Meanwhile what this process and its children write is shown, and what is waited for until the server answers.

    This process must have one thread.
    """
    terminal = os.isatty(_STDOUT) and os.environ.get("TERM", "") not in _DUMB
    taken = (_STDOUT, _STDERR) if terminal and _same(_STDOUT, _STDERR) else (_STDOUT,)
    reader, writer = os.pipe()
    process = Process.fork(lambda: _show(reader, writer, waiting, terminal=terminal))
    os.close(reader)
    kept = [(each, os.dup(each)) for each in taken]
    streams = sys.stdout, sys.stderr
    for each in taken:
        os.dup2(writer, each)
    os.close(writer)
    sys.stdout = _Stream(_STDOUT, terminal=terminal)
    sys.stderr = _Stream(_STDERR, terminal=terminal) if _STDERR in taken else sys.stderr
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = streams
        for each, copy in kept:
            os.dup2(copy, each)
            os.close(copy)
        process.wait(_END_S)


class _Stream(io.TextIOWrapper):
    """A pipe to what shows it, which says of itself what that is."""

    def __init__(self, descriptor: int, *, terminal: bool) -> None:
        raw = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - a descriptor; it stays open
        super().__init__(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def _same(one: int, other: int) -> bool:
    """Whether two descriptors are the same terminal."""
    return os.isatty(other) and os.ttyname(one) == os.ttyname(other)


def _show(reader: int, writer: int, waiting: str, *, terminal: bool) -> int:
    """Until all who write have ended. What ends those comes to them first: this one waits for what they say of it."""
    os.close(writer)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    screen = Screen(_STDOUT, waiting) if terminal else Plain(_STDOUT)
    rest = b""
    while True:
        wait = screen.wait_s
        if not select.select([reader], [], [], wait)[0]:
            screen.paint()
            continue
        octets = os.read(reader, _READ_BYTES)
        *lines, rest = (rest + octets).split(b"\n")
        if not octets:
            lines += [rest] if rest else []
        for line in lines:
            screen.take(line.decode("utf-8", "backslashreplace"))
        if not octets:
            screen.end()
            return 0


class Plain:
    """One line after the other."""

    wait_s: float | None = None

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def take(self, line: str) -> None:
        """Shows a line, without its end."""
        question = Question.read(line)
        _write(self._descriptor, f"{line if question is None else question.line}\n")

    def paint(self) -> None:
        """There is nothing more to show."""

    end = paint


class Screen:
    """A terminal, with the table in its last lines; before there is an answer, what is waited for, if that takes a while."""

    def __init__(self, descriptor: int, waiting: str) -> None:
        self._descriptor = descriptor
        self._waiting = waiting  # until there is an answer
        self._frames = cycle(terminals.FRAMES)
        self._last = Last(_ROWS_MAX)
        self._colour = terminals.wants_colours()
        self._height = 0  # lines of the table as it stands
        self._due: float | None = time.monotonic() + terminals.AFTER_S  # when it is to be painted

    @property
    def wait_s(self) -> float | None:
        """How long nothing is to be painted; None while nothing is new."""
        return None if self._due is None else max(self._due - time.monotonic(), 0.0)

    def take(self, line: str) -> None:
        """Takes a question into the table; shows any other line above it, at once."""
        question = Question.read(line)
        if question is None:
            if terminals.ANSWERS in line:
                self._waiting = ""
            self._put([line], [])
            self._due = time.monotonic() if self._last.asked else self._next_frame()
            return
        self._last.add(question)
        soon = time.monotonic() + _PAINT_S
        self._due = soon if self._due is None else min(self._due, soon)
        if self.wait_s == 0.0:  # however much comes in
            self.paint()

    def paint(self) -> None:
        """Paints the table over what it was."""
        columns, rows = _size(self._descriptor)
        self._due = self._next_frame()
        waiting = [f"{next(self._frames)} {self._waiting}"[: columns - 1]] if self._waiting else []
        table = self._last.table(columns, rows - 1 - len(waiting), colour=self._colour)
        self._put([], [*table, *waiting])

    def end(self) -> None:
        """There is nothing more to wait for."""
        self._waiting = ""
        self.paint()

    def _next_frame(self) -> float | None:
        return time.monotonic() + terminals.EVERY_S if self._waiting else None

    def _put(self, above: list[str], table: list[str]) -> None:
        # To the first line of the table as it is (CUU), and from there on nothing (ED).
        erase = f"\r\x1b[{self._height}A\x1b[J" if self._height else "\r\x1b[J" if table else ""
        _write(self._descriptor, erase + "".join(f"{line}\n" for line in (*above, *table)))
        self._height = len(table)


def _size(descriptor: int) -> tuple[int, int]:
    """Columns and rows; those that are common where the terminal doesn't know."""
    columns, rows = os.get_terminal_size(descriptor)
    return columns or _COLUMNS, rows or _ROWS


def _write(descriptor: int, text: str) -> None:
    """Writes all of it; where nobody reads any more it is lost."""
    octets = text.encode("utf-8", "backslashreplace")
    while octets:
        try:
            octets = octets[os.write(descriptor, octets) :]
        except OSError:
            return
