"""What the supervisor knows of a configuration, and what becomes of attempts to load another: plain values.

The supervisor opens what is listened on and hands the rest on unread: what a configuration was read from, of which its
children make their settings. Between processes these travel as JSON in a file without a name, by its descriptor.
"""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from kdns.config.settings import Address

FIRST: Final = 1  # the generation of the start


class Configuration(NamedTuple):
    """A configuration as far as the supervisor has to do with it."""

    listen: tuple[Address, ...]
    streams: tuple[Address, ...] = ()  # of listen those with TCP alone
    ops: tuple[tuple[str, Address], ...] = ()  # pages by name, each with the address
    lameduck_s: float = 0.0
    digest: str = ""  # SHA-512 of what it was read from; empty where that is no file
    seen: str = ""  # config.seen.pack of that


class Attempt(NamedTuple):
    """What came of reading the configuration once more."""

    seen: str  # config.seen.pack of what was read
    configuration: Configuration | None  # None where it can't be served
    problems: str = ""  # in a line each; with a configuration these are warnings
    may_pass: bool = False  # though what was read stays the same


class News(NamedTuple):
    """What the controller tells of reloads."""

    done: int = 0
    failed: int = 0
    trouble: str = ""  # why the last attempt failed; empty where it hasn't
    digest: str = ""  # of the configuration that is served
    seen: str = ""  # what the last attempt has read, or the start; empty where nothing can be read again


NO_NEWS: Final = News()


class Coming(NamedTuple):
    """The configuration of a generation, as its controller gets it."""

    generation: int
    seen: str
    listen: tuple[Address, ...]  # in the settings' order, with the ports that 0 became


def write(attempt: Attempt, descriptor: int) -> None:
    """Writes it into the file."""
    _write(attempt, descriptor)


def read_attempt(descriptor: int) -> Attempt:
    """What write has written. Raises ValueError for anything else."""
    seen, said, problems, may_pass = json.loads(_octets(descriptor))
    if said is None:
        return Attempt(seen, None, problems, may_pass)
    listen, streams, ops, lameduck_s, digest, _ = said
    found = Configuration(
        addresses(listen), addresses(streams), tuple((page, Address(*at)) for page, at in ops), lameduck_s, digest, seen
    )
    return Attempt(seen, found, problems)


def file_of(value: News | Coming) -> int:
    """A descriptor of a new file without a name that holds the value. Raises OSError."""
    descriptor = nameless()
    try:
        _write(value, descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_news(descriptor: int) -> News:
    """The news that file_of was given."""
    return News(*json.loads(_octets(descriptor)))


def read_coming(descriptor: int) -> Coming:
    """What file_of was given of a generation."""
    generation, seen, listen = json.loads(_octets(descriptor))
    return Coming(generation, seen, addresses(listen))


def addresses(found: Sequence[Sequence[object]]) -> tuple[Address, ...]:
    """Addresses that were written as lists."""
    return tuple(Address(str(host), int(str(port))) for host, port in found)


def nameless() -> int:
    """A descriptor of a new, empty file that nobody can open by a name. Raises OSError."""
    create: Callable[[str], int] | None = getattr(os, "memfd_create", None)  # Linux alone has it
    if create is not None:
        return create("kdns")  # a root file system may be read-only
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write(value: object, descriptor: int) -> None:
    octets = json.dumps(value).encode()
    at = 0
    while at < len(octets):
        at += os.pwrite(descriptor, octets[at:], at)


def _octets(descriptor: int) -> bytes:
    size, octets = os.fstat(descriptor).st_size, b""
    while len(octets) < size:
        octets += os.pread(descriptor, size - len(octets), len(octets))
    return octets
