"""The journal: the change that was made to this machine and what takes it back, written before it is made.

One file, replaced whole, so that it is always one state or the other; it goes when the change has. There is one change
at a time, by who holds the journal. A file that can't be read is an error that names it.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kdns.dev.plans import Plan


class JournalError(Exception):
    """The journal can't be read; the message says where it is."""


class Entry(NamedTuple):
    """A change, and whose it is."""

    plan: Plan
    pid: int

    @property
    def is_there(self) -> bool:
        """Whether there is anything of it to be seen."""
        return os.path.lexists(self.plan.trace)


def place(environment: Mapping[str, str]) -> Path:
    """Where it is (XDG Base Directory Specification)."""
    state = environment.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(state, "kdns", "dev.json")


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Whether it is ours alone, meanwhile; it is let go with the process, too. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def read(path: Path) -> Entry | None:
    """What it says, None where there is none. Raises JournalError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        plan = Plan(found["name"], tuple(found["install"]), tuple(found["undo"]), found["trace"])
        return Entry(plan, int(found["pid"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JournalError(
            f"{path}: can't be read as kdns dev's journal ({error}); look into it, then delete it"
        ) from error


def write(path: Path, entry: Entry) -> None:
    """Makes it say so, on disk. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump({**entry.plan._asdict(), "pid": entry.pid}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def clear(path: Path) -> None:
    """Nothing is changed any more."""
    path.unlink(missing_ok=True)
