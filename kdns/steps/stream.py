"""Questions by TCP, TLS and HTTPS: connections to an upstream, kept and used again, with many questions in flight on each.

For answers that don't fit a datagram, for clients that asked by TCP, and wherever the settings want it. A connection is
line's, what is spoken there speech's or http2's. Whether a question that met the end of a connection is asked again is
errand's matter.
Standards: RFC 7766 sections 6.2.1 (use again, pipelining) and 6.2.3 (idle).
"""

from kdns.steps.carriers import Flight
from kdns.steps.line import Keeper, Line


class Lines:
    """The connections to an upstream."""

    __slots__ = ("_keeper", "open")

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.open: list[Line] = []

    def ask(self, flight: Flight, *, fresh: bool = False) -> None:
        """Sends the flight's query on a connection that is there, or a new one. Raises OSError, and tells nothing then."""
        line = None if fresh else self._free()
        if line is None:
            line = self.connect()
        line.ask(flight)

    def connect(self) -> Line:
        """A new connection. Raises OSError."""
        line = Line(self._keeper, self)
        self.open.append(line)
        return line

    def retire(self) -> None:
        """Closes each connection as soon as nobody waits there any more."""
        for line in list(self.open):
            line.retire()

    def close(self) -> None:
        """Closes all; who waits is told nothing."""
        for line in list(self.open):
            line.close()

    def rested(self, line: Line) -> None:
        """As line.Pool.rested."""
        most = self._keeper.way.max_idle
        if most and sum(not each.waiting for each in self.open) > most:
            line.close()

    def closed(self, line: Line) -> None:
        """As line.Pool.closed."""
        self.open.remove(line)

    def _free(self) -> Line | None:
        """The connection used last that may take another question: so those that aren't needed expire."""
        now = self._keeper.loop.time()
        for line in reversed(self.open):
            if line.takes_more(now):
                return line
        return None
