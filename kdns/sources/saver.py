"""The saver: keeps the snapshot on disk as new as it is worth, and counts what came of it.

A change is saved within a minute or so, later where saving takes long, so that it never costs more than a hundredth
of a processor; without a change once an hour, since the age of a snapshot counts. Octets are made and written in a
thread, of dictionaries that nobody changes: the event loop waits for neither the disk nor the rows.
What fails is told as it changes, and tried again next time; the snapshot before stays (robustness rules K39, K53).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from kdns.cluster.snapshot import Header, Origin, Reason, Rows, SnapshotError
from kdns.sources import snapshot
from kdns.sources.snapshot import Loaded

# What to save; None while nothing is known to be current.
Take: TypeAlias = Callable[[], tuple[Header, Rows] | None]

_SOON_S: Final = (1.0, 3.0)  # after the first change
_PERIOD_S: Final = (45.0, 75.0)  # spread: all servers of a cluster see a change at the same moment
_SHARE: Final = 100  # so much longer than the last save took is the pause after it
_REFRESH_S: Final = 3600.0
_WORTH_S: Final = 60.0  # at the end, what is so much newer is saved though nothing changed


class Log(Protocol):
    """What is needed of a structlog logger."""

    def info(self, event: str, /, **keys: Any) -> Any: ...
    def warning(self, event: str, /, **keys: Any) -> Any: ...


class Numbers(NamedTuple):
    """Of the snapshot, for metrics."""

    current_s: float | None  # when the one on disk was current, in Unix seconds; None where none is known
    size_bytes: int
    writes: int
    failures: int
    rejected: Counter[Reason]


class Saver:
    """The snapshot in one folder, of one controller."""

    def __init__(self, folder: Path, origin: Origin, take: Take, random: Callable[[], float], log: Log) -> None:
        self._folder = folder
        self._origin = origin
        self._take = take
        self._random = random
        self._log = log
        self._changed = asyncio.Event()
        self._saving: asyncio.Future[None] | None = None
        self._took_s = 0.0
        self._trouble = ""  # that was told of
        self._numbers = Numbers(None, 0, 0, 0, Counter())

    @property
    def path(self) -> Path:
        """The snapshot's file."""
        return self._folder / snapshot.NAME

    @property
    def numbers(self) -> Numbers:
        return self._numbers

    def prepare(self) -> None:
        """Sees to it that there is a folder; where it can't be, that is told, and tried again with each save."""
        try:
            snapshot.prepare(self._folder)
        except OSError as error:
            self._fail(error)

    def load(self) -> Loaded | None:
        """The snapshot, if there is one to be used; a warning says why one that is there isn't."""
        try:
            found = snapshot.load(self._folder, self._origin, time.time())
        except SnapshotError as error:
            self.reject(error)
            return None
        if found is not None:
            self._numbers = self._numbers._replace(current_s=found.header.current_s, size_bytes=found.size_bytes)
        return found

    def reject(self, error: SnapshotError) -> None:
        """Counts and tells that a snapshot isn't used; there will be another one."""
        self._numbers.rejected[error.reason] += 1
        self._numbers = self._numbers._replace(current_s=None, size_bytes=0)
        self._log.warning("snapshot_rejected", path=str(self.path), reason=error.reason, found=str(error))

    def changed(self) -> None:
        """There is something new to save."""
        self._changed.set()

    async def run(self) -> None:
        """Saves until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_REFRESH_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(self._pause_s())
            self._saving = asyncio.ensure_future(self._save())
            await asyncio.shield(self._saving)  # what is being written is finished, whoever is told to stop

    async def finish(self) -> None:
        """Ends what is being written, and saves what is worth it once more; run has to be over."""
        if self._saving is not None:
            await self._saving
        taken = self._take()
        before_s = self._numbers.current_s
        if taken is not None and (
            self._changed.is_set() or before_s is None or taken[0].current_s - before_s >= _WORTH_S
        ):
            await self._save()

    def _pause_s(self) -> float:
        shortest, longest = _PERIOD_S if self._numbers.writes or self._numbers.failures else _SOON_S
        return max(shortest + self._random() * (longest - shortest), self._took_s * _SHARE)

    async def _save(self) -> None:
        taken = self._take()
        if taken is None:
            return
        header, rows = taken
        self._changed.clear()
        began_s = time.monotonic()
        try:
            size_bytes = await asyncio.to_thread(_prepare_and_save, self._folder, header, rows)
        except OSError as error:
            self._changed.set()
            self._fail(error)
        else:
            self._took_s = time.monotonic() - began_s
            self._saved(header, size_bytes)

    def _saved(self, header: Header, size_bytes: int) -> None:
        keys = {"path": str(self.path), "bytes": size_bytes, "took_s": round(self._took_s, 3)}
        if self._trouble or not self._numbers.writes:
            self._log.info("snapshot_written", **keys)
        self._trouble = ""
        self._numbers = self._numbers._replace(
            current_s=header.current_s, size_bytes=size_bytes, writes=self._numbers.writes + 1
        )

    def _fail(self, error: OSError) -> None:
        self._numbers = self._numbers._replace(failures=self._numbers.failures + 1)
        if self._trouble != str(error):
            self._trouble = str(error)
            self._log.warning(
                "snapshot_not_written",
                path=str(self.path),
                reason=error.strerror or str(error),
                add="a volume that can be written, such as an emptyDir, at this folder",
            )


def _prepare_and_save(folder: Path, header: Header, rows: Rows) -> int:
    snapshot.prepare(folder)
    return snapshot.save(folder, header, rows)
