"""Whether an upstream is well: probes after a failure, until one is answered.

Nothing is probed while nothing fails. The first question that gets no answer makes the upstream suspect: others are
preferred, and a probe goes out, one at a time, the next one after the settings' interval, then twice that and so on.
So many failed probes and it is down. Any reply to a probe, or to a question, and it is well again. A probe goes the way
that questions go (UDP, TCP or TLS), on a socket of its own.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Final

from kdns.config.directives.forward import HealthCheck
from kdns.dns import types
from kdns.dns.lasting import Lasting
from kdns.dns.query import Query
from kdns.steps.carriers import Flight
from kdns.steps.upstream import Upstream

PROBE_S: Final = 1.0  # that a probe is waited for, as CoreDNS does
PAUSE_MAX_S: Final = 16.0  # between probes, unless the settings' interval is longer

_PAUSE_MIN_S: Final = 0.01  # whatever the settings say: a probe has to wait for something
_HEAD: Final = struct.Struct("!6H").pack
_KIND: Final = struct.Struct("!2H").pack


class Health:
    """One upstream's."""

    __slots__ = ("_by_stream", "_changed", "_check", "_max_fails", "_pause_s", "_probe", "_timer", "_upstream", "fails")

    def __init__(
        self, upstream: Upstream, check: HealthCheck, max_fails: int, changed: Callable[[], None], *, by_stream: bool
    ) -> None:
        """Calls changed whenever suspect or down do."""
        self.fails = -1  # failed probes in a row; -1 while there is no reason to probe
        self._upstream = upstream
        self._check = check
        self._max_fails = max_fails
        self._changed = changed
        self._by_stream = by_stream
        self._pause_s = 0.0
        self._probe: _Probe | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def suspect(self) -> bool:
        """Whether it failed, and has said nothing since."""
        return self.fails >= 0

    @property
    def down(self) -> bool:
        """Whether so many probes failed as the settings say."""
        return self.fails >= self._max_fails > 0

    def blame(self) -> None:
        """A question got no answer."""
        if self._max_fails and self.fails < 0:
            self.fails = 0
            self._pause_s = max(self._check.interval_s, _PAUSE_MIN_S)
            self._changed()
            self._send()

    def clear(self) -> None:
        """It has answered."""
        if self.fails >= 0:
            self.close()
            self.fails = -1
            self._changed()

    def close(self) -> None:
        """Ends probing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._probe is not None:
            self._probe.give_up()
            self._probe = None

    def retire(self) -> None:
        """The upstream isn't asked any more."""
        self.close()
        self._max_fails = 0
        self.fails = -1

    def failed(self) -> None:
        """Told by a probe that got no answer."""
        self._probe = None
        if self._timer is not None:
            self._timer.cancel()
        self._upstream.counts.probes_failed += 1
        self.fails += 1
        if self.fails == self._max_fails:
            self._changed()
        self._timer = self._upstream.loop.call_later(self._pause_s, self._send)
        self._pause_s = min(2 * self._pause_s, max(PAUSE_MAX_S, self._check.interval_s))

    def _send(self) -> None:
        probe = self._probe = _Probe(self, Query(self._check.domain, types.NS))
        self._timer = self._upstream.loop.call_later(PROBE_S, self._overdue)
        try:
            probe.send(self._upstream, recursion=self._check.recursion, by_stream=self._by_stream)
        except OSError:
            self.failed()

    def _overdue(self) -> None:
        if self._probe is not None:
            self._probe.give_up()
        self.failed()


class _Probe(Flight):
    """A question whose answer doesn't matter, as long as there is one."""

    __slots__ = ("_health",)

    def __init__(self, health: Health, query: Query) -> None:
        super().__init__(query)
        self._health = health

    def send(self, upstream: Upstream, *, recursion: bool, by_stream: bool) -> None:
        """Raises OSError."""
        self.at = upstream.loop.time()
        carrier = upstream.lines.connect() if by_stream else upstream.alone()
        ident = carrier.draw()
        flags = types.RD if recursion else 0
        head = _HEAD(ident, flags, 1, 0, 0, 0)
        carrier.take(self, ident, head + self.query.qname + _KIND(self.query.qtype, self.query.qclass))
        carrier.retire()

    def give_up(self) -> None:
        """Doesn't wait any more."""
        if self.carrier is not None:
            self.carrier.drop(self)
            self.carrier = None

    def answered(self, octets: bytes, found: Lasting) -> None:  # noqa: ARG002 - as Flight's
        """As Flight.answered."""
        self.doubted()

    def received(self, octets: bytes, *, whole: bool) -> None:  # noqa: ARG002 - as Flight's
        """As Flight.received."""
        self.doubted()

    def failed(self, error: OSError) -> None:  # noqa: ARG002 - as Flight's
        """As Flight.failed."""
        self.carrier = None
        self._health.failed()

    def doubted(self) -> None:
        """As Flight.doubted: something has come."""
        self.carrier = None
        self._health.clear()
