"""The snapshot's file: read whole or not at all, and replaced in one step. What is in it is cluster.snapshot's.

A new one is written beside the old one, brought to the disk, and given its name: whoever is killed, or runs out of
room, at any moment leaves the old one whole, and two who write leave one of theirs (robustness rules K39, K40).
"""

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from kdns.cluster.objects import Resource
from kdns.cluster.snapshot import SIZE_LIMIT_BYTES, Header, Origin, Reader, Rows, SnapshotError, check, write

NAME: Final = "cluster.snapshot"
_UNFINISHED: Final = f".{NAME}."
# Who was killed while it wrote leaves a file behind; one so old nobody writes any more.
_ABANDONED_S: Final = 600.0
_READ_BYTES: Final = 1 << 20


class Loaded(NamedTuple):
    """A snapshot that may be used."""

    header: Header
    rows: Rows
    size_bytes: int


def load(folder: Path, origin: Origin, now_s: float) -> Loaded | None:
    """The folder's snapshot; None where there is none. Raises SnapshotError for one that isn't to be used."""
    try:
        # Whatever lies there must neither be waited for nor lead elsewhere.
        fd = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        found = "a symbolic link" if error.errno == errno.ELOOP else _text(error)
        raise SnapshotError("file", f"found {found}, expected a file that can be read") from error
    try:
        size_bytes = _check_file(os.fstat(fd))
        return _load(_pieces(fd), origin, now_s, size_bytes)
    except OSError as error:
        raise SnapshotError("file", f"found {_text(error)}, expected a file that can be read") from error
    finally:
        os.close(fd)


def save(folder: Path, header: Header, rows: Rows) -> int:
    """Replaces the folder's snapshot; its octets. Raises OSError, and leaves the old one as it is then."""
    return replace(folder, write(header, rows))


def replace(folder: Path, pieces: Iterator[bytes]) -> int:
    """As save, of a snapshot's octets in pieces."""
    temporary = folder / f"{_UNFINISHED}{secrets.token_hex(8)}"
    try:
        size_bytes = _write(temporary, pieces)
        temporary.replace(folder / NAME)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(folder)
    return size_bytes


def prepare(folder: Path) -> None:
    """Makes the folder, if it isn't there, and clears away what others left unfinished. Raises OSError if it is of no use."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "the folder can't be written", str(folder))
    for path in folder.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > _ABANDONED_S:
                path.unlink()


def _check_file(status: os.stat_result) -> int:
    """The size. Raises SnapshotError."""
    if not stat.S_ISREG(status.st_mode):
        raise SnapshotError("file", "found a folder, a pipe or the like, expected a file")
    if status.st_size > SIZE_LIMIT_BYTES:
        raise SnapshotError("large", f"found {status.st_size} octets, expected at most {SIZE_LIMIT_BYTES}")
    return status.st_size


def _pieces(fd: int) -> Iterator[bytes]:
    left = SIZE_LIMIT_BYTES
    while left > 0 and (octets := os.read(fd, min(_READ_BYTES, left))):
        left -= len(octets)
        yield octets


def _load(pieces: Iterator[bytes], origin: Origin, now_s: float, size_bytes: int) -> Loaded:
    reader = Reader()
    rows: dict[Resource, dict[str, dict[str, bytes]]] = {}
    checked = False
    for octets in pieces:
        parts = reader.feed(octets)
        if reader.header is not None and not checked:
            check(reader.header, origin, now_s)
            rows = {resource: {} for resource in reader.header.counts}
            checked = True
        for part in parts:
            rows.setdefault(part.resource, {}).setdefault(part.namespace, {}).update(part.rows)
    return Loaded(reader.finish(), rows, size_bytes)


def _write(path: Path, pieces: Iterator[bytes]) -> int:
    """Writes a new file and has the disk confirm it; its octets."""
    size_bytes = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        for octets in pieces:
            view = memoryview(octets)
            while view:
                view = view[os.write(fd, view) :]
            size_bytes += len(octets)
        os.fsync(fd)
    finally:
        os.close(fd)
    return size_bytes


def _sync_folder(folder: Path) -> None:
    """Has the disk confirm the name, too, where a file system does such things."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _text(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]
