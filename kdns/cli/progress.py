"""Progress: one line on standard error about what takes longer than a second, on a terminal alone.

A timer's signal draws it, so that whoever works needs no thread and doesn't wait: forks stay safe, and system calls go on
(PEP 475). A child process has no timer. Outside of the main thread, which has the signals, nothing is shown.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import Final

from kdns.ops import terminals
from kdns.ops.terminals import AFTER_S, EVERY_S, FRAMES

_CLEAR: Final = "\r\x1b[K"
_COLUMNS: Final = 80


class Progress:
    """What is being done, in words; whoever does it may change them."""

    def __init__(self, text: str) -> None:
        self.text = text


@contextmanager
def progress(text: str, *, after_s: float = AFTER_S) -> Iterator[Progress]:
    """Shows the text from then on until the end."""
    shown = Progress(text)
    if not terminals.shows(sys.stderr) or threading.current_thread() is not threading.main_thread():
        yield shown
        return
    frames = cycle(FRAMES)
    # Not sys.stderr, which may be in the middle of a write.
    terminal, drawn = sys.stderr.fileno(), False

    def draw(_signal: int, _frame: object) -> None:
        nonlocal drawn
        drawn = True
        _write(terminal, f"{_CLEAR}{next(frames)} {shown.text}"[: len(_CLEAR) + _columns(terminal)])

    before = signal.signal(signal.SIGALRM, draw)
    signal.setitimer(signal.ITIMER_REAL, after_s, EVERY_S)
    try:
        yield shown
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if drawn:
            _write(terminal, _CLEAR)


def bar(done: int, of: int, what: str) -> str:
    """How far it is, as text."""
    width = 40
    full = width * done // of
    return f"[{'#' * full}{'.' * (width - full)}] {100 * done // of:3} % of {of} {what}"


def _columns(terminal: int) -> int:
    try:
        return (os.get_terminal_size(terminal).columns or _COLUMNS) - 1
    except OSError:
        return _COLUMNS - 1


def _write(terminal: int, text: str) -> None:
    with suppress(OSError):  # nobody looks any more
        os.write(terminal, text.encode("utf-8", "replace"))
