"""Logs: one line per event on standard error, set up once per process.

The event is a fixed snake_case phrase, all that varies is a key. Beside a terminal the
lines are logfmt (key=value), on one they are aligned and, without NO_COLOR, coloured. What comes from outside
(names, errors of other programs) can't break a line or reach a terminal as an escape
sequence. A line that can't be written is lost: no log is worth an answer.
"""

import sys
from contextlib import suppress
from typing import Any, Final, Protocol, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from kdns.ops import terminals

_TROUBLES_MAX: Final = 4096  # subjects remembered for each kind of trouble


class Stream(Protocol):
    """Where lines go: standard error, or a test's."""

    def write(self, text: str, /) -> int: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


def configure(level: str, process: str, stream: Stream | None = None) -> None:
    """Lines of the level and above go to the stream (standard error) from now on, marked with the process' name.

    Called again, after a fork for instance, it replaces what was before.
    """
    out = stream or sys.stderr
    structlog.configure(
        processors=[_Mark(process), structlog.processors.add_log_level, _STAMP, _printable, *_renderer(out)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(out),
        # A logger kept by a module from before a fork would go on with its parent's name.
        cache_logger_on_first_use=False,
    )


class Repeated:
    """One kind of trouble that lasts: logged when it begins, changes or ends, not each time it is seen."""

    __slots__ = ("_event", "_log", "_seen")

    def __init__(self, event: str) -> None:
        self._event = event
        self._log = cast("FilteringBoundLogger", structlog.get_logger())
        self._seen: dict[str, tuple[str, int]] = {}  # the trouble and how often, by subject

    def trouble(self, subject: str, reason: str, **keys: object) -> None:
        """The subject is in trouble for this reason; a warning if that is new, with the keys."""
        known = self._seen.get(subject)
        if known is not None and known[0] == reason:
            self._seen[subject] = (reason, known[1] + 1)
            return
        if known is None and len(self._seen) >= _TROUBLES_MAX:
            del self._seen[next(iter(self._seen))]  # the oldest
        self._seen[subject] = (reason, 1)
        self._log.warning(self._event, subject=subject, reason=reason, **keys)

    def over(self, subject: str, **keys: object) -> None:
        """The subject is well; a line if it wasn't, with how often the last trouble was seen."""
        known = self._seen.pop(subject, None)
        if known is not None:
            self._log.info(f"{self._event}_over", subject=subject, times=known[1], **keys)


class _Lines:
    """The end of structlog's chain: writes a line, or loses it where the stream is gone or full."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        # ValueError: the stream is closed. One write for each line, so that processes don't mix theirs.
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = log = msg


class _Mark:
    """Adds the process' name to every event."""

    __slots__ = ("_process",)

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = self._process
        return event


_STAMP: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _renderer(stream: Stream) -> tuple[Processor, ...]:
    if stream.isatty():
        colours = terminals.colours(stream)
        return (structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, pad_level=False),)
    order = ("timestamp", "level", "process", "event")
    # format_exc_info turns an exception into text, whose newlines logfmt writes as \n.
    return (
        structlog.processors.format_exc_info,
        structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True, bool_as_flag=False),
    )


def _printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if key != "exc_info" and not isinstance(value, int | float | None):
            event[key] = _text(value)
    return event


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
