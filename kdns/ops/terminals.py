"""Terminals: whether what is written goes to one, whether it may be coloured there, and how waiting looks.

Sources: no-color.org (NO_COLOR, if it isn't empty); terminfo's "dumb", which has no escape sequences.
"""

import os
from typing import Final, Protocol

# What takes longer than this is told, by one line that moves so often.
AFTER_S: Final = 1.0
EVERY_S: Final = 0.2
FRAMES: Final = "|/-\\"
# How the line begins that tells a person that the server answers from now on.
ANSWERS: Final = "kdns serves "


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
