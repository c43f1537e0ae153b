"""Zone files while the server runs: read at the start, and again once they have changed.

A file is read by a child process, so that neither its size nor the library that reads it is felt by anybody who asks; a
zone that can't be read stays as it was, and why is logged once. What is asked before the first
reading has ended waits for it.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from kdns.dns.authority import Authority, AuthorityError
from kdns.dns.names import Name, to_text
from kdns.steps.around import Log
from kdns.steps.masterfile import unpack

_READING_S: Final = 60.0
# How long questions wait for the first reading, less than the 5 s that clients wait for their first try, and how many do.
_PATIENCE_S: Final = 3.0
_WAITING: Final = 1000

_State: TypeAlias = tuple[int, int, int]  # of a file: when it was changed, its size, its number


class UnreadableError(Exception):
    """A zone that couldn't be read; the message says why."""


class Reading(NamedTuple):
    """A zone as its file has it."""

    zone: Authority
    includes: bool


@dataclass(slots=True)
class ZoneFile:
    """One zone of one file."""

    origin: Name
    path: str
    reload_s: float  # 0 for never
    by_mtime: bool  # read again when the file has changed, not only when its serial has
    zone: Authority | None = None
    on_change: list[Callable[[], None]] = field(default_factory=list)  # called with each zone that is taken over
    _state: _State | None = None
    _complaint: str = ""
    _waiting: list[Callable[[], None]] = field(default_factory=list)
    _patient: bool = True
    _includes: bool = False

    def wait(self, loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> bool:
        """Calls then once the first reading has ended or takes too long; False if nobody is to wait any more."""
        if not self._patient or len(self._waiting) >= _WAITING:
            return False
        if not self._waiting:
            loop.call_later(_PATIENCE_S, self._end_wait)
        self._waiting.append(then)
        return True

    async def watch(self, log: Log) -> None:
        """Keeps the zone as its file has it, until cancelled."""
        while True:
            await self._look(log)
            self._end_wait()
            if not self.reload_s:
                return
            await asyncio.sleep(self.reload_s)

    def _end_wait(self) -> None:
        self._patient = False
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()

    async def _look(self, log: Log) -> None:
        state = _state_of(self.path)
        if state is not None and state == self._state and not (self._includes and self.zone):
            return
        try:
            reading = await read(self.path, self.origin)
        except UnreadableError as error:
            self._complain(log, str(error))
            return
        changed, self._state, self._includes, self._complaint = state != self._state, state, reading.includes, ""
        if self.zone is not None and self.zone.serial == reading.zone.serial and not (self.by_mtime and changed):
            if changed:
                log.warning("zone_file_has_the_same_serial", **self._keys(), goes_on_with=self._serial)
            return
        self.zone = reading.zone
        log.info("zone_file_read", **self._keys(), serial=self._serial, sets=len(reading.zone))
        for tell in self.on_change:
            tell()

    def _complain(self, log: Log, error: str) -> None:
        if error != self._complaint:
            self._complaint = error
            log.error("zone_file_unreadable", **self._keys(), error=error, goes_on_with=self._serial)

    def _keys(self) -> dict[str, str]:
        return {"zone": to_text(self.origin), "file": self.path}

    @property
    def _serial(self) -> int | None:
        return None if self.zone is None else self.zone.serial


async def read(path: str, origin: Name) -> Reading:
    """The zone at origin in the file, read by a child process. Raises UnreadableError."""
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "kdns.steps.masterfile", path, to_text(origin)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise UnreadableError(f"its reader can't be started: {error}") from error
    try:
        out, problem = await asyncio.wait_for(child.communicate(), _READING_S)
    except TimeoutError as error:
        raise UnreadableError(f"it took longer than {_READING_S:g} s to read") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        text = problem.decode(errors="replace").strip() or f"its reader ended with status {child.returncode}"
        raise UnreadableError(text.splitlines()[-1])
    loop = asyncio.get_running_loop()
    try:
        # In a thread, which gives way every 5 ms: a large zone takes a while to be made.
        return await loop.run_in_executor(None, _made, origin, out)
    except AuthorityError as error:
        raise UnreadableError(f"{path}: {error}") from error


def _made(origin: Name, octets: bytes) -> Reading:
    contents = unpack(octets)
    return Reading(Authority(origin, contents.sets), contents.includes)


def _state_of(path: str) -> _State | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
