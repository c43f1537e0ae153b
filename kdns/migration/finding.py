"""A finding: one thing looked at, how it goes with kdns, why, and what to do."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

Mark: TypeAlias = Literal["supported", "differs", "unsupported", "unknown"]

SUPPORTED: Final[Mark] = "supported"
DIFFERS: Final[Mark] = "differs"
UNSUPPORTED: Final[Mark] = "unsupported"
UNKNOWN: Final[Mark] = "unknown"  # it can't be read

# The exit status that a mark comes to.
_STATUS: Final = {SUPPORTED: 0, DIFFERS: 1, UNKNOWN: 1, UNSUPPORTED: 2}


class Finding(NamedTuple):
    """What was found of a part of the cluster."""

    subject: str  # such as Service kube-system/kube-dns
    mark: Mark
    message: str
    instead: str = ""  # what to do


def status(marks: Iterable[Mark]) -> int:
    """0: nothing to do, 1: something is worth reading, 2: something isn't supported."""
    return max((_STATUS[mark] for mark in marks), default=0)
