"""errors: a line for each question that failed, as CoreDNS writes it, and one for many that are alike.

Knows what a line says and when; where it goes is the caller's. A failure that a pattern fits is counted and told of when the
pattern's period is over, with how many there were; the first one at once, too, if it is to be shown. Programs that
read logs know the form, and patterns were written for Go's words: so those of the network are told in these.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from kdns.config.directives.errors import Consolidation
from kdns.config.directives.errors import Errors as Settings
from kdns.dns import names, types
from kdns.dns.query import Query
from kdns.steps.chain import Failed

# What kdns says of an upstream, in small letters, and what Go does.
_WORDS: Final = {
    "timed out": "i/o timeout",
    "connection refused": "read: connection refused",
    "no route to host": "connect: no route to host",
    "network is unreachable": "connect: network is unreachable",
}
_OF_UPSTREAMS: Final = frozenset((types.EDE_NO_REACHABLE_AUTHORITY, types.EDE_NETWORK_ERROR))
_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))


class Errors:
    """What fails in a server block."""

    __slots__ = ("_alike", "_debug", "_loop", "_write")

    def __init__(
        self,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        write: Callable[[str], object],
        *,
        debug: bool = False,
    ) -> None:
        """Lines are given to write without their ends; those of the level debug only if debug is on."""
        self._loop = loop
        self._write = write
        self._debug = debug
        self._alike = tuple(_Alike(each, self) for each in settings.consolidations)

    def failed(self, query: Query, outcome: Failed) -> None:
        """Tells of a question that failed, now or with others."""
        cause = cause_of(outcome)
        name = names.to_text(query.name)
        line = f"{outcome.rcode} {name} {types.type_text(query.qtype)}: {cause}"
        for alike in self._alike:
            if alike.pattern.search(cause) is not None:
                alike.count(line, self._loop)
                return
        self.tell("error", line)

    def tell(self, level: str, text: str) -> None:
        """Writes a line of the level."""
        if level != "debug" or self._debug:
            self._write(f"[{level.upper()}] plugin/errors: {text}")

    def close(self) -> None:
        """Tells of what was counted and isn't told yet."""
        for alike in self._alike:
            alike.close()


class _Alike:
    """Failures that one pattern fits."""

    __slots__ = ("_count", "_errors", "_settings", "_timer", "pattern")

    def __init__(self, settings: Consolidation, errors: Errors) -> None:
        self.pattern = settings.pattern
        self._settings = settings
        self._errors = errors
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def count(self, line: str, loop: asyncio.AbstractEventLoop) -> None:
        """One more, which begins a period if there is none."""
        self._count += 1
        if self._timer is None:
            self._timer = loop.call_later(self._settings.period_s, self._sum_up)
            if self._settings.show_first:
                self._errors.tell(self._settings.level, line)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._sum_up()

    def _sum_up(self) -> None:
        count, self._count, self._timer = self._count, 0, None
        if count > 1 or not self._settings.show_first:
            period = go_duration(self._settings.period_s)
            text = f"{count} errors like '{self.pattern.text}' occurred in last {period}"
            self._errors.tell(self._settings.level, text)


def cause_of(outcome: Failed) -> str:
    """Why a question failed, in one line."""
    if outcome.cause is not None:
        text = f"internal error: {type(outcome.cause).__name__}: {outcome.cause}"
    elif outcome.error is None or not outcome.error.text:
        text = types.rcode_text(outcome.rcode)
    elif outcome.error.code in _OF_UPSTREAMS:
        text = "; ".join(map(_of_upstream, outcome.error.text.split("; ")))
    else:
        text = outcome.error.text
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _of_upstream(text: str) -> str:
    address, _, reason = text.partition(" ")
    words = _WORDS.get(reason.lower())
    return text if words is None else f"read udp {address}: {words}"


def go_duration(seconds: float) -> str:
    """A duration as Go writes it: 5m0s, 1.5s, 300ms."""
    left = round(seconds * 1_000_000_000)
    if left == 0:
        return "0s"
    unit, symbol = next(each for each in _UNITS if left >= each[0])
    if symbol != "s":
        return f"{_decimal(left, unit)}{symbol}"
    minutes, left = divmod(left, 60 * unit)
    hours, minutes = divmod(minutes, 60)
    rest = f"{_decimal(left, unit)}s"
    if hours:
        return f"{hours}h{minutes}m{rest}"
    return f"{minutes}m{rest}" if minutes else rest


def _decimal(value: int, unit: int) -> str:
    """So many units, exactly and without zeros at the end."""
    whole, part = divmod(value, unit)
    digits = f"{part:0{len(str(unit)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else f"{whole}"
