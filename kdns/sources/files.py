"""Files: which ones the paths of an operator mean, how they look from outside, and their octets.

Two equal looks at the same paths mean that nothing has changed: a look has for each file
its inode, size and time of change, of what symbolic links lead to. Knows nothing of what
is in a file.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from kdns.sources.errors import SourceError

STDIN: Final = "-"
_SUFFIXES: Final = (".yaml", ".yml", ".json")


class Stamp(NamedTuple):
    """How a file looks from outside."""

    device: int
    inode: int
    size: int
    changed_ns: int


def look(paths: Sequence[str]) -> dict[str, Stamp]:
    """The files that the paths mean, in their order, each once: folders with all below them, sorted, hidden ones left out.

    Raises SourceError for a path that isn't there or can't be looked at.
    """
    seen: dict[str, Stamp] = {}
    for path in paths:
        try:
            for file in _below(path) if path != STDIN and os.path.isdir(path) else (path,):  # noqa: PTH112 - as given
                if file not in seen:
                    seen[file] = _stamp(file)
        except OSError as error:
            raise _unreadable(str(error.filename or path), error) from error
    return seen


def read(path: str) -> bytes:
    """The octets of the file. Raises SourceError."""
    try:
        if path == STDIN:
            return _standard_input()
        with open(path, "rb") as file:  # noqa: PTH123 - as given, and as it goes into messages
            return file.read()
    except OSError as error:
        raise _unreadable(path, error) from error


def _below(folder: str) -> Iterator[str]:
    """The files of a folder that may hold objects; a folder that links lead to twice is entered once."""
    entered = {_identity(folder)}
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_fail):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and _enters(place, name, entered))
        yield from (
            os.path.join(place, name)  # noqa: PTH118 - as given, and as it goes into messages
            for name in sorted(names)
            if name.endswith(_SUFFIXES) and not name.startswith(".")
        )


def _fail(error: OSError) -> None:
    raise error


def _enters(place: str, name: str, entered: set[tuple[int, int]]) -> bool:
    identity = _identity(os.path.join(place, name))  # noqa: PTH118
    known = identity in entered
    entered.add(identity)
    return not known


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116
    return status.st_dev, status.st_ino


def _stamp(path: str) -> Stamp:
    if path == STDIN:
        return Stamp(0, 0, 0, 0)
    status = os.stat(path)  # noqa: PTH116
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _standard_input() -> bytes:
    """All of it from its beginning where it can be read again (a file), what is left of it elsewhere."""
    with os.fdopen(os.dup(0), "rb") as file:
        if file.seekable():
            file.seek(0)
        return file.read()


def _unreadable(path: str, error: OSError) -> SourceError:
    reason = error.strerror or str(error)
    return SourceError(f"{path}: found {reason[:1].lower()}{reason[1:]}, expected a file or folder that can be read")
