"""What a configuration was read from: the files, the patterns that named files, and the interfaces, as they were.

Whoever is handed this reads the same configuration of it once more, whatever has become of the machine meanwhile: so
one process tries a new configuration and others serve it, and no value has to cross from one to the other. It also tells
whether anything has changed since.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Machine(Protocol):
    """What is asked of the machine while a Corefile is read."""

    def read(self, path: str) -> bytes:
        """The file's octets. Raises OSError."""

    def glob(self, pattern: str) -> Sequence[str]:
        """The paths that fit a pattern."""

    def addresses_of(self, interface: str) -> Sequence[str]:
        """The addresses of an interface; none where there is no such."""


class File(NamedTuple):
    """A file as it was found."""

    path: str
    octets: bytes
    number: int = 0  # errno of why it couldn't be read
    reason: str = ""  # the same in words


class Seen(NamedTuple):
    """All that was asked of the machine, each once, in the order of asking."""

    files: tuple[File, ...] = ()
    patterns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    interfaces: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Witness:
    """A machine that remembers what it was asked, and gives the same answer each time."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._files: dict[str, File] = {}
        self._patterns: dict[str, tuple[str, ...]] = {}
        self._interfaces: dict[str, tuple[str, ...]] = {}

    @property
    def seen(self) -> Seen:
        """What was asked up to now."""
        return Seen(tuple(self._files.values()), tuple(self._patterns.items()), tuple(self._interfaces.items()))

    def read(self, path: str) -> bytes:
        """As Machine.read."""
        if path not in self._files:
            self._files[path] = _file(path, self._machine)
        return _octets(self._files[path])

    def glob(self, pattern: str) -> Sequence[str]:
        """As Machine.glob."""
        if pattern not in self._patterns:
            self._patterns[pattern] = tuple(self._machine.glob(pattern))
        return self._patterns[pattern]

    def addresses_of(self, interface: str) -> Sequence[str]:
        """As Machine.addresses_of."""
        if interface not in self._interfaces:
            self._interfaces[interface] = tuple(self._machine.addresses_of(interface))
        return self._interfaces[interface]


class Again:
    """A machine as it was seen; what wasn't asked then isn't there."""

    def __init__(self, seen: Seen) -> None:
        self._files = {file.path: file for file in seen.files}
        self._patterns = dict(seen.patterns)
        self._interfaces = dict(seen.interfaces)

    def read(self, path: str) -> bytes:
        """As Machine.read."""
        file = self._files.get(path)
        if file is None:
            raise FileNotFoundError(path)
        return _octets(file)

    def glob(self, pattern: str) -> Sequence[str]:
        """As Machine.glob."""
        return self._patterns.get(pattern, ())

    def addresses_of(self, interface: str) -> Sequence[str]:
        """As Machine.addresses_of."""
        return self._interfaces.get(interface, ())


class Look(NamedTuple):
    """What another look at the files has found."""

    changed: bool
    unreadable: tuple[
        File, ...
    ] = ()  # that could be read before: no change yet, since they may be about to be replaced


def look(seen: Seen, machine: Machine) -> Look:
    """Whether files or what fits the patterns are others than were seen. Interfaces don't count."""
    now = [_file(file.path, machine) for file in seen.files]
    unreadable = tuple(file for file, before in zip(now, seen.files, strict=True) if file.number and not before.number)
    others = any(
        (file.octets, file.number) != (before.octets, before.number)
        for file, before in zip(now, seen.files, strict=True)
        if file not in unreadable
    )
    return Look(others or any(tuple(machine.glob(pattern)) != paths for pattern, paths in seen.patterns), unreadable)


def pack(seen: Seen) -> str:
    """It as one text, which unpack reads."""
    files = [(file.path, file.octets.decode("latin-1"), file.number, file.reason) for file in seen.files]
    return json.dumps((files, seen.patterns, seen.interfaces))


def unpack(text: str) -> Seen:
    """What pack was given."""
    files, patterns, interfaces = json.loads(text)
    return Seen(
        tuple(File(path, octets.encode("latin-1"), number, reason) for path, octets, number, reason in files),
        _pairs(patterns),
        _pairs(interfaces),
    )


def _pairs(found: list[tuple[str, list[str]]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(values)) for name, values in found)


def _file(path: str, machine: Machine) -> File:
    try:
        return File(path, machine.read(path))
    except OSError as error:
        return File(path, b"", error.errno or -1, error.strerror or str(error))


def _octets(file: File) -> bytes:
    """What is in it. Raises OSError, the one of then."""
    if file.number:
        raise OSError(file.number, file.reason)  # of the subclass that the number has
    return file.octets
