"""Kinds of plain values: numbers, durations, percentages, words, texts, paths, patterns.

Each reads one token and says what it expects; nothing else comes out of it. Numbers and durations are read as Go does
(strconv, time.ParseDuration), since that is what files are written for.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NewType, TypeVar

from kdns.config.forms import UnfitError
from kdns.config.patterns import LENGTH_MAX, Pattern, PatternError
from kdns.config.shapes import Kind, Text, plain_number
from kdns.config.syntax import Token

T = TypeVar("T", bound=str)
V = TypeVar("V")

FilePath = NewType("FilePath", str)

# Compiled when they are used first, as re does it with texts: a start has no time for what it may not need.
_WHOLE: Final = r"[+-]?[0-9]{1,18}"
_DECIMAL: Final = r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"
_DURATION: Final = r"[+-]?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)"
_PART: Final = r"([0-9.]+)([a-zµμ]+)"
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_LENGTH_MAX: Final = 64
_DURATION_MAX_S: Final = 292 * 365 * 86400.0  # Go's are nanoseconds in 63 bits, some 292 years
HOUR_S: Final = 3600.0
DAY_S: Final = 86400.0


def of_text(
    expects: str,
    read: Callable[[str], V],
    example: str,
    *,
    rooted: bool = False,
    opens: Callable[[V], str | None] | None = None,
    write: Callable[[V], str] | None = None,
) -> Kind[V]:
    """A kind whose reader looks at the text alone and raises ValueError where it isn't fit."""

    def of_token(token: Token) -> V:
        try:
            return read(token.text)
        except UnfitError:
            raise
        except ValueError as error:
            raise UnfitError(expects) from error

    return Kind(expects, of_token, example, rooted=rooted, opens=opens, write=write)


def is_whole(text: str) -> bool:
    """Whether text is a whole number."""
    return re.fullmatch(_WHOLE, text) is not None


def whole(least: int = 0, most: int | None = None, *, unit: str = "") -> Kind[int]:
    """A whole number within bounds, both included."""
    thing = f"a whole number of {unit}" if unit else "a whole number"

    def read(text: str) -> int:
        if not is_whole(text) or not least <= (number := int(text)) or (most is not None and number > most):
            raise ValueError
        return number

    return of_text(f"{thing} {_bounds(least, most)}", read, str(max(least, 1 if most is None or most > 0 else 0)))


def seconds(least: int = 0, most: int | None = None) -> Kind[int]:
    """A bare number of seconds, as TTLs are written."""
    kind = whole(least, most)
    expects = f"seconds as a whole number {_bounds(least, most)}, without a unit"
    return Kind(expects, _saying(kind.read, expects), kind.example)


def _saying(read: Callable[[Token], int], expects: str) -> Callable[[Token], int]:
    def reworded(token: Token) -> int:
        try:
            return read(token)
        except UnfitError as error:
            raise UnfitError(expects) from error

    return reworded


def _bounds(least: float, most: float | None, unit: str = "") -> str:
    return f"of {least:g}{unit} or more" if most is None else f"from {least:g}{unit} to {most:g}{unit}"


def decimal(least: float) -> Kind[float]:
    """A number with or without a fraction."""

    def read(text: str) -> float:
        if not re.fullmatch(_DECIMAL, text) or (number := float(text)) < least:
            raise ValueError
        return number

    return of_text(f"a number of {least:g} or more", read, "2.5")


def percentage(least: int, most: int) -> Kind[int]:
    """A whole number with a percent sign."""

    def read(text: str) -> int:
        if not text.endswith("%") or not is_whole(text[:-1]) or not least <= int(text[:-1]) <= most:
            raise ValueError
        return int(text[:-1])

    return of_text(f"a percentage from {least}% to {most}%", read, f"{least}%", write=lambda value: f"{value}%")


def duration_s(text: str) -> float:
    """The seconds of a Go duration; raises ValueError for any other text, and past 292 years."""
    if len(text) > _DURATION_LENGTH_MAX or not re.fullmatch(_DURATION, text):
        raise ValueError(text)
    total = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text.lstrip("+-")))
    if total > _DURATION_MAX_S:
        raise ValueError(text)
    # Sums of binary fractions: 300ms is 0.3, to the nanosecond as Go has it.
    return round(-total if text.startswith("-") else total, 9)


def is_duration(text: str) -> bool:
    """Whether text is a Go duration with a unit."""
    try:
        return bool(duration_s(text)) and not is_whole(text)
    except ValueError:
        return False


def duration(
    least: float = 0.0, most: float | None = None, *, or_zero: bool = False, positive: bool = False, bare: bool = False
) -> Kind[float]:
    """A Go duration in seconds, within bounds; or_zero takes 0 below them, positive doesn't, bare takes a number."""

    def read(text: str) -> float:
        value = float(int(text)) if bare and is_whole(text) else duration_s(text)
        fits = least <= value <= (_DURATION_MAX_S if most is None else most) and (value > 0 or not positive)
        if not (fits or (or_zero and value == 0)):
            raise ValueError
        return value

    within = [f"of {_span(least)} or more"] if most is None and least else []
    within += [f"from {_span(least)} to {_span(most)}"] if most is not None else []
    within += ["above 0"] if positive and not least else []
    within += ["or 0s"] if or_zero else []
    expects = ", ".join(["a duration such as 5s or 1m30s", *within])
    return of_text(expects, read, "5s", write=lambda value: f"{plain_number(value)}s")


def _span(value_s: float) -> str:
    for unit, size in (("h", HOUR_S), ("m", 60.0)):
        if value_s >= size and value_s % size == 0:
            return f"{value_s / size:g}{unit}"
    return f"{value_s:g}s"


def words(choices: Sequence[T], *, any_case: bool = False) -> Kind[T]:
    """One of some words."""
    known = {str(each): each for each in choices}

    def read(text: str) -> T:
        found = known.get(text.lower() if any_case else text)
        if found is None:
            raise ValueError(text)
        return found

    kind = of_text(listed(list(known)), read, next(iter(known)))
    return Kind(kind.expects, kind.read, kind.example, words=tuple(known))


def listed(names: Sequence[str]) -> str:
    """A list in words: "a", "b" or "c"."""
    *most, last = (f'"{each}"' for each in names)
    return f"{', '.join(most)} or {last}" if most else last


def switch(on: str = "on", off: str = "off", *, any_case: bool = False) -> Kind[bool]:
    """One of two words."""
    kind = words((on, off), any_case=any_case)
    return Kind(
        kind.expects,
        lambda token: kind.read(token) == on,
        on,
        words=kind.words,
        write=lambda value: on if value else off,
    )


def text(expects: str, example: str, *, unlike: Callable[[str], bool] | None = None) -> Kind[Text]:
    """Any text with its place, but empty ones and those that are unlike it."""

    def read(token: Token) -> Text:
        if not token.text or (unlike is not None and unlike(token.text)):
            raise UnfitError(expects)
        return Text.at(token.text, token.place)

    return Kind(expects, read, example)


def file(example: str, *, rooted: bool = True, there: bool = True) -> Kind[FilePath]:
    """A path, as it is written; whether the file is there, if it has to be, is for who opens it."""

    def read(path: str) -> FilePath:
        if not path or "\0" in path:
            raise ValueError(path)
        return FilePath(path)

    return of_text("the path of a file", read, example, rooted=rooted, opens=(lambda path: path) if there else None)


def _pattern(token: Token) -> Pattern:
    try:
        return Pattern.compiled(token.text)
    except PatternError as error:
        raise UnfitError(f"a regular expression as Go has them ({error})") from error


PATTERN: Final = Kind(f"a regular expression of {LENGTH_MAX} characters at the most", _pattern, r"^a\.example\.$")
