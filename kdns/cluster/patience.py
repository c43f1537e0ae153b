"""Patience: how long nothing may come before what is open is taken for dead (K04, K09, K10).

Servers send a bookmark about once a minute, so a watch without an octet for longer may be dead without anybody
saying so. A server that has never sent one, and was silent before without being dead, gets more time.
"""

from typing import Final

LIST_IDLE_S: Final = 30.0  # without an octet of a list, or of the head of any answer: it has stalled
WATCH_IDLE_S: Final = 100.0
WATCH_IDLE_UNMARKED_S: Final = 310.0
_SILENCES_MAX: Final = 2  # in a row after which a server that never sent a bookmark is taken for one that never does


class Patience:
    """With the watches of one resource."""

    __slots__ = ("_marked", "_silences")

    def __init__(self) -> None:
        self._marked = False  # a bookmark has come, on any watch
        self._silences = 0  # in a row

    @property
    def watch_idle_s(self) -> float:
        """How long a watch may be silent."""
        relaxed = not self._marked and self._silences >= _SILENCES_MAX
        return WATCH_IDLE_UNMARKED_S if relaxed else WATCH_IDLE_S

    def heard(self, *, bookmark: bool = False) -> None:
        """Something came."""
        self._marked = self._marked or bookmark
        self._silences = 0

    def lost(self) -> None:
        """Nothing came in the time allowed."""
        self._silences += 1
