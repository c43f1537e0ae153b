"""What the actions of Go templates reckon with: values as Go prints them, and the functions that there are.

Source: the documentation of Go's text/template and fmt; parseInt is CoreDNS' own.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

Value: TypeAlias = object  # str, int, bool, Sequence, Mapping, None where there is nothing, or a function for .Meta

_WIDTH_MAX: Final = 255  # of what printf pads


class FillError(ValueError):
    """A template that can't be filled for a question; the message says why."""


def shown(value: Value) -> str:
    """A value as Go prints it. Raises FillError for nothing, and for what isn't printed in a record."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, Sequence):
        return f"[{' '.join(map(shown, value))}]"
    raise FillError("found nothing where a value is printed" if value is None else "found what can't be printed")


def is_true(value: Value) -> bool:
    """Whether a condition holds: all but false, 0, nothing and what is empty."""
    return bool(value)


def _index(values: list[Value]) -> Value:
    value, *keys = values
    for key in keys:
        if isinstance(value, Mapping) and isinstance(key, str):
            value = value.get(key, "")
        elif isinstance(value, Sequence) and type(key) is int:
            if not 0 <= key < len(value):
                raise FillError(f"found no number {key} among {len(value)}")
            value = value[key]
        else:
            raise FillError(f"found no {key!r} in {shown(value)!r}")
    return value


def _parse_int(values: list[Value]) -> Value:
    """As Go's strconv.ParseUint: the digits of a base, within so many bits."""
    text, base, bits = values
    if not isinstance(text, str) or type(base) is not int or type(bits) is not int:
        raise FillError("parseInt: expected a text, a base and a number of bits")
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[:base]
    if not 2 <= base <= 36 or not text or len(text) > 64 or any(each not in digits for each in text.lower()):
        raise FillError(f"parseInt: found {text!r}, expected digits of base {base}")
    number = int(text, base)
    if not 0 <= bits <= 64 or number >= 1 << (bits or 64):
        raise FillError(f"parseInt: found {number}, expected one of {bits} bits")
    return number


_PLACE: Final = r"%(?P<flags>[-+# 0]*)(?P<width>[0-9]*)(?:\.(?P<precision>[0-9]*))?(?P<verb>.|$)"


def check_form(form: Value) -> None:
    """Raise FillError unless it is a form for printf, with places as known here."""
    if not isinstance(form, str):
        raise FillError(f"printf: found {form!r}, expected a form")
    for place in re.finditer(_PLACE, form, re.DOTALL):
        numbers = [place["width"] or "0", place["precision"] or "0"]
        if not place["verb"] or place["verb"] not in "sdvxXoc%":
            raise FillError(f"printf: found {place[0]}, expected %s, %d, %v, %x, %X, %o, %c or %%")
        if any(len(each) > 3 or int(each) > _WIDTH_MAX for each in numbers):
            raise FillError(f"printf: found {place[0]}, expected a width of {_WIDTH_MAX} at the most")


def _printf(values: list[Value]) -> Value:
    form, *rest = values
    check_form(form)
    left = iter(rest)
    text = re.sub(_PLACE, lambda place: _placed(place, left), str(form), flags=re.DOTALL)
    if next(left, None) is not None:
        raise FillError("printf: found more values than the form has places")
    return text


def _placed(place: re.Match[str], left: Iterator[Value]) -> str:
    """The next value as its place asks for it."""
    verb, flags, width, precision = place["verb"], place["flags"], place["width"], place["precision"]
    if verb == "%":
        return "%"
    value = next(left, None)
    end = "" if precision is None else f".{precision}"
    if verb in "dxXoc" and type(value) is int:
        return f"%{flags}{width}{end}{verb}" % value
    if verb in "xX" and isinstance(value, str):
        octets = value.encode("utf-8", "surrogateescape").hex()
        value, verb = octets.upper() if verb == "X" else octets, "s"
    if verb == "v" or (verb == "s" and isinstance(value, str)):
        return f"%{'-' if '-' in flags else ''}{width}{end if isinstance(value, str) else ''}s" % shown(value)
    raise FillError(f"printf: found {value!r} for {place[0]}")


def _compared(holds: Callable[[str | int, str | int], bool]) -> Callable[[list[Value]], Value]:
    def compare(values: list[Value]) -> Value:
        first, *others = values
        for other in others:
            if type(first) is not type(other) or not isinstance(first, (str, int)) or not isinstance(other, (str, int)):
                raise FillError(f"found {first!r} and {other!r}, expected two texts or two numbers")
        return any(holds(first, other) for other in others)  # type: ignore[arg-type]  # checked for each

    return compare


def _and(values: list[Value]) -> Value:
    return next((value for value in values if not is_true(value)), values[-1])


def _or(values: list[Value]) -> Value:
    return next((value for value in values if is_true(value)), values[-1])


def _len(values: list[Value]) -> Value:
    (value,) = values
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, (Sequence, Mapping)):
        return len(value)
    raise FillError(f"len: found {value!r}, expected what has a length")


def _print(values: list[Value]) -> Value:
    """Values side by side; a space stands between two of which neither is a text."""
    said = ""
    for position, value in enumerate(values):
        both = position and not isinstance(value, str) and not isinstance(values[position - 1], str)
        said += f" {shown(value)}" if both else shown(value)
    return said


class Function(NamedTuple):
    """A function, and how many values it takes."""

    apply: Callable[[list[Value]], Value]
    usage: str
    least: int = 1
    most: int = 100


FUNCTIONS: Final[Mapping[str, Function]] = {
    "and": Function(_and, "and VALUE..."),
    "eq": Function(_compared(lambda one, other: one == other), "eq VALUE VALUE...", 2),
    "ge": Function(_compared(lambda one, other: one >= other), "ge VALUE VALUE", 2, 2),  # type: ignore[operator]  # of one type
    "gt": Function(_compared(lambda one, other: one > other), "gt VALUE VALUE", 2, 2),  # type: ignore[operator]  # the same
    "index": Function(_index, "index VALUE KEY...", 2),
    "le": Function(_compared(lambda one, other: one <= other), "le VALUE VALUE", 2, 2),  # type: ignore[operator]  # the same
    "len": Function(_len, "len VALUE", 1, 1),
    "lt": Function(_compared(lambda one, other: one < other), "lt VALUE VALUE", 2, 2),  # type: ignore[operator]  # the same
    "ne": Function(_compared(lambda one, other: one != other), "ne VALUE VALUE", 2, 2),
    "not": Function(lambda values: not is_true(values[0]), "not VALUE", 1, 1),
    "or": Function(_or, "or VALUE..."),
    "parseInt": Function(_parse_int, "parseInt TEXT BASE BITS", 3, 3),
    "print": Function(_print, "print VALUE..."),
    "printf": Function(_printf, "printf FORM VALUE..."),
}
