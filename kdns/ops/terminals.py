"""Terminals: whether what is written goes to one, and whether it may be coloured there.

Sources: no-color.org (NO_COLOR, if it isn't empty); terminfo's "dumb", which has no escape sequences.
"""

import os
from typing import Protocol


class Stream(Protocol):
    """Standard output or error."""

    def isatty(self) -> bool: ...


def shows(stream: Stream) -> bool:
    """Whether lines on it can be drawn anew."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colours(stream: Stream) -> bool:
    """Whether what goes there may be coloured."""
    return shows(stream) and wants_colours()


def wants_colours() -> bool:
    """Whether whoever sits there hasn't said no."""
    return not os.environ.get("NO_COLOR")
