"""The last questions, as a table: read from the lines in which the server tells of them, and written for people.

Pure. A line is one of the directive log, by a format of ours; names and texts in it have no control characters. Equal
questions are one row, which tells what was replied last and how often they were asked; the last is the uppermost.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

_GAP: Final = "\x1f"  # between the parts, and in none of them
_WORDS: Final = ("name", "type", "rcode", "/log/type", "duration", "/kdns/by", "/kdns/error")
FORMAT: Final = _GAP + _GAP.join(f"{{{word}}}" for word in _WORDS)
_PREFIX: Final = f"[INFO] {_GAP}"  # of each line of log
_NOTHING: Final = "-"
_NODATA: Final = "NODATA"
_UNITS: Final = ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (0.0, "µs", 1e6))
_BOLD, _RED, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[0m"
_GOOD: Final = frozenset(("NOERROR", _NODATA))
_NAME_LEAST: Final = 20


class Question(NamedTuple):
    """A question and what came of it."""

    name: str
    type: str
    reply: str  # the rcode, or NODATA
    why: str  # who answered, and what is wrong
    time: str  # that it took

    @classmethod
    def read(cls, line: str) -> Self | None:
        """Of a line, without its end; None of any other."""
        if not line.startswith(_PREFIX):
            return None
        parts = line[len(_PREFIX) :].split(_GAP)
        if len(parts) != len(_WORDS):
            return None
        name, qtype, rcode, kind, duration, by, error = parts
        reply = _NODATA if kind == _NODATA else rcode
        return cls(name, qtype, "no reply" if reply == _NOTHING else reply, _why(by, error), _time(duration))

    @property
    def line(self) -> str:
        """For who reads one line after the other."""
        return f"{self.name} {self.type} {self.reply} {self.why} {self.time}"


def _why(by: str, error: str) -> str:
    return ": ".join(each for each in (by, error) if each != _NOTHING) or _NOTHING


def _time(duration: str) -> str:
    """Of seconds with their unit."""
    try:
        seconds = float(duration.removesuffix("s"))
    except ValueError:
        return duration
    _, unit, factor = next(each for each in _UNITS if seconds >= each[0])
    return f"{seconds * factor:.3g} {unit}"


class Last:
    """So many rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._found: dict[tuple[str, str], tuple[Question, int]] = {}  # the last asked at the end
        self.asked = 0

    def add(self, question: Question) -> None:
        """Takes note of it; the row that wasn't asked for longest goes, where there are too many."""
        key = (question.name, question.type)
        _, count = self._found.pop(key, (question, 0))
        self._found[key] = (question, count + 1)
        self.asked += 1
        if len(self._found) > self._rows:
            del self._found[next(iter(self._found))]

    def table(self, columns: int, rows: int, *, colour: bool = True) -> list[str]:
        """The lines, none wider than so many columns and no more than so many; none at all where nothing was asked."""
        shown = [self._found[key] for key in reversed(self._found)][: max(rows - 1, 0)]
        if not shown or rows < 2:
            return []
        cells = [(q.name, q.type, q.reply, q.time, str(count), q.why) for q, count in shown]
        head = ("NAME", "TYPE", "REPLY", "TIME", "COUNT", "BY")
        widths = [max(len(row[at]) for row in (head, *cells)) for at in range(len(head))]
        rest = sum(widths[1:-1]) + 2 * (len(head) - 1)
        widths[0] = min(widths[0], max(columns - rest - min(widths[-1], _NAME_LEAST), _NAME_LEAST))
        lines = [_row(row, widths, columns) for row in (head, *cells)]
        if not colour:
            return lines
        return [
            f"{_BOLD}{lines[0]}{_PLAIN}",
            *(_coloured(line, row[2]) for line, row in zip(lines[1:], cells, strict=True)),
        ]


def _row(cells: tuple[str, ...], widths: list[int], columns: int) -> str:
    return "  ".join(_cells(cells, widths)).rstrip()[: max(columns - 1, 0)]


def _cells(cells: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    """Each as wide as its column; a name that is wider keeps its beginning."""
    for at, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if at in (3, 4):
            yield cell.rjust(width)
        else:
            yield cell.ljust(width) if len(cell) <= width else f"{cell[: width - 1]}…"


def _coloured(line: str, reply: str) -> str:
    return line if reply in _GOOD else f"{_RED}{line}{_PLAIN}"
