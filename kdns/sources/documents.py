"""Documents: YAML text to plain values, each with the place where it starts.

Reads events, not nodes: a file nested a hundred thousand deep ends in an error here, where
libyaml's composer ends the process, and aliases are paid for before anything copies them.
Every scalar is the text as written, so that no name, label or address becomes a number, a
date or a truth on its way; only the fields that Kubernetes types as such are numbers and
truths, read as kubectl reads them. Knows no kinds but lists, which are taken apart here.
Standards: YAML 1.1 (as libyaml and kubectl read it); JSON is read as the YAML it is.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import yaml

from kdns.sources.errors import SourceError, yaml_place

Scalar: TypeAlias = str | int | bool | None

# The parser without PyYAML's rules of what a scalar means; libyaml's where PyYAML was built with it.
_PARSER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_DEPTH_MAX: Final = 200  # the schemas in CustomResourceDefinitions reach about 60
# What aliases may make of a text: hand-written files stay below twice, a "billion laughs" passes any bound.
_GROWTH_MAX: Final = 10
_GROWTH_FREE: Final = 10_000  # octets, so that small files may do as they like

# The fields that are numbers (or numbers as well) and truths; below the last ones nothing is but text.
_NUMBERS: Final = frozenset(("port", "targetPort", "containerPort", "replicas", "start"))
_TRUTHS: Final = frozenset(("ready", "publishNotReadyAddresses"))
_TEXTS: Final = frozenset(("labels", "annotations", "selector", "matchLabels", "data", "stringData"))

_NUMBER_END: Final = 1 << 63  # as in Kubernetes

_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE: Final = frozenset(("true", "yes", "on", "y"))
_FALSE: Final = frozenset(("false", "no", "off", "n"))
_EXPECTED: Final = re.compile(r"(?:did not|could not) find expected (?P<what>.+)")


class Mapping(dict[str, Any]):
    """A mapping that knows its line, counted from 1."""

    __slots__ = ("line",)

    def __init__(self, line: int) -> None:
        self.line = line


class Document(NamedTuple):
    """A document of a file, or an item of a list in it; value is a Mapping where it may be an object."""

    value: Any
    place: str  # FILE:LINE


def read(octets: bytes, path: str) -> list[Document]:
    """The documents in the text of a file, lists flattened, empty ones left out; path is for messages.

    Raises SourceError, whose message begins with FILE:LINE:COLUMN, and nothing else.
    """
    try:
        builder = _Builder(octets, path)
        return [document for value in builder.documents() for document in _flattened(value, path, "")]
    except yaml.MarkedYAMLError as error:
        raise SourceError(_explained(error, octets, path)) from error
    except yaml.YAMLError as error:  # of the octets themselves: ReaderError has their position
        position = getattr(error, "position", 0)
        before = octets[:position]
        place = yaml_place(path, before.count(b"\n"), position - before.rfind(b"\n") - 1)
        reason = getattr(error, "reason", error)
        raise SourceError(
            f"{place}: found {octets[position : position + 1]!r} ({reason}), expected UTF-8 text"
        ) from error


def _flattened(value: Any, path: str, kind: str) -> Iterator[Document]:
    """The value, or what is in it if it is a List, ServiceList or the like, whose items needn't name their kind."""
    if value is None:
        return
    if isinstance(value, Mapping):
        if kind and "kind" not in value:
            value["kind"] = kind
        listed, items = value.get("kind"), value.get("items")
        if isinstance(listed, str) and listed.endswith("List") and isinstance(items, list | None):
            for item in items or ():
                yield from _flattened(item, path, listed.removesuffix("List"))
            return
    yield Document(value, f"{path}:{value.line}" if isinstance(value, Mapping) else path)


class _Builder:
    """Makes values of the parser's events."""

    def __init__(self, octets: bytes, path: str) -> None:
        self._path = path
        self._events: Iterator[Any] = yaml.parse(octets, Loader=_PARSER)
        self._room = len(octets) * _GROWTH_MAX + _GROWTH_FREE
        self._anchors: dict[str, tuple[Any, int]] = {}  # what they name, and its size

    def documents(self) -> Iterator[Any]:
        """The value of each document."""
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                yield self._value(next(self._events), "", 0)

    def _value(self, event: Any, field: str | None, depth: int) -> Any:
        """The value that begins with the event; field is what it stands under, None where all is text."""
        room = self._room
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > _DEPTH_MAX:
            raise self._error(event, "one more level of nesting", f"at most {_DEPTH_MAX}")
        self._room -= 1
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            self._room -= len(event.value)
            value = _scalar(event.value, field) if event.implicit[0] else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(field, depth)
        else:
            value = self._mapping(event, field, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, room - self._room
        return value

    def _sequence(self, field: str | None, depth: int) -> list[Any]:
        values = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, field, depth + 1))
        return values

    def _mapping(self, start: Any, field: str | None, depth: int) -> Mapping:
        mapping = Mapping(start.start_mark.line + 1)
        merged: list[Any] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(event, "a key that is no text", "a text")
            key = event.value
            self._room -= len(key)
            below = None if field is None or key in _TEXTS else key
            value = self._value(next(self._events), below, depth + 1)
            if key == "<<" and event.implicit[0]:
                merged += value if isinstance(value, list) else [value]
            elif key in mapping:
                raise self._error(event, f"the key {key!r} a second time", "each key once")
            else:
                mapping[key] = value
        for other in merged:
            if not isinstance(other, Mapping):
                raise self._error(start, "a << that merges no mapping", "a mapping")
            for key, value in other.items():
                mapping.setdefault(key, value)
        return mapping

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise self._error(event, f"*{event.anchor}", f"a whole value with &{event.anchor} before it")
        value, size = self._anchors[event.anchor]
        self._room -= size
        if self._room < 0:
            raise self._error(event, "aliases that blow the file up", f"at most {_GROWTH_MAX} times its size")
        return value

    def _error(self, event: Any, found: str, expected: str) -> SourceError:
        place = yaml_place(self._path, event.start_mark.line, event.start_mark.column)
        return SourceError(f"{place}: found {found}, expected {expected}")


def _scalar(text: str, field: str | None) -> Scalar:
    """What a plain scalar means in the field."""
    if text in _NULLS:
        return None
    if field in _NUMBERS:
        return _number(text)
    if field in _TRUTHS:
        lowered = text.lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else text
    return text


def _number(text: str) -> int | str:
    """The integer that the text writes: 8080, 8_080, 0x1f90, and 017620, which is octal; the text if it is none."""
    if text.isascii():
        for base in (0, 8):
            try:
                number = int(text, base)
            except ValueError:
                continue
            return number if abs(number) < _NUMBER_END else text
    return text


def _explained(error: yaml.MarkedYAMLError, octets: bytes, path: str) -> str:
    """The error as file, line and column, what stands there and what should."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = octets.decode("utf-8", "replace").splitlines()
    there = lines[line][column : column + 30].rstrip() if line < len(lines) else ""
    found = repr(there) if there else "the end of the file" if line >= len(lines) - 1 else "the end of the line"
    problem = error.problem or "no YAML"
    missing = _EXPECTED.fullmatch(problem)
    expected = missing["what"] if missing else f"other YAML ({problem})"
    context = f" {error.context}" if error.context else ""
    if context and error.context_mark is not None and error.context_mark.line != line:
        context += f" from line {error.context_mark.line + 1}"
    return f"{yaml_place(path, line, column)}: found {found}, expected {expected}{context}"
