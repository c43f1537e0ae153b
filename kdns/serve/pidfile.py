"""The file that says which process is the server, for those who send it signals by a script.

It has the supervisor's id and a newline, is there while the server is, and goes with it. Nobody reads it here: that
two servers don't serve at one address is the sockets' to see.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kdns.config.settings import SettingsError


@contextmanager
def pidfile(path: str | None) -> Iterator[None]:
    """Keeps the file while this lasts; none for None. Raises SettingsError where it can't be written.

    What is there already is written over: it may be a server's that was killed.
    """
    if path is None:
        yield
        return
    try:
        Path(path).write_text(f"{os.getpid()}\n", encoding="ascii")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}, expected to write the process id there") from error
    try:
        yield
    finally:
        with suppress(OSError):
            Path(path).unlink()


__all__ = ["pidfile"]
