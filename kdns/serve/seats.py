"""Seats and who sits in them: how processes are forked, heard, found dead and counted.

A seat is a place for one process of a kind; what it runs, and which sockets it keeps, is the seat's. Who is to have a
process when is the supervisor's to say. Children are forked without exec, so they share the pages of all that was
imported before, and the sockets they are handed stay open here: nothing queued in one is lost with its process.
"""

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol, TypeAlias

from kdns.serve.configuration import FIRST
from kdns.serve.control import PREPARED, RENEW, WARM, words
from kdns.serve.signals import Signals

_S_PER_NS: Final = 1e-9

# Waking later than asked by this much means that this process was kept from running, and the others may have been.
_LATE_S: Final = 0.5


class Log(Protocol):
    """What of a structlog logger is used here."""

    def info(self, event: str, **keys: object) -> object: ...
    def warning(self, event: str, **keys: object) -> object: ...
    def error(self, event: str, **keys: object) -> object: ...
    def exception(self, event: str, **keys: object) -> object: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is too long, in seconds of the clock."""

    worker_silence_s: float = 3.0  # without a beat, since its start or its last one
    controller_silence_s: float = 10.0
    stop_s: float = 5.0  # from SIGTERM to SIGKILL, for all together
    settled_s: float = 10.0  # who lived this long is replaced without delay
    delay_s: float = 0.05  # before the second replacement in a row, doubled for each further one
    delay_max_s: float = 1.0
    read_s: float = 10.0  # for reading a configuration
    warm_s: float = 60.0  # for a generation to be ready: it may have to list the cluster anew
    retry_s: float = 60.0  # after a configuration that couldn't be taken over, though it is sound
    clock: Callable[[], float] = time.monotonic


# What a child does with its control socket, how many predecessors it had; its exit status.
Run: TypeAlias = Callable[[socket.socket, int], int]


@dataclass(slots=True)
class Child:
    """A living process."""

    pid: int
    control: socket.socket
    started: float
    heard: float  # when it was last known to make progress; later by all that it was kept waiting since
    waited_s: float = 0.0  # for a processor, in all its life until then
    unread: bytearray = field(default_factory=bytearray)
    prepared: bool = False
    warm: bool = False


@dataclass(slots=True, eq=False)
class Seat:
    """A place that has a process, but for the pause before a replacement."""

    name: str
    slot: int | None
    silence_s: float
    sockets: tuple[socket.socket, ...]
    run: Run
    generation: int = FIRST
    child: Child | None = None
    due: float = 0.0  # when the next one starts, while there is no child
    failures: int = 0  # in a row
    restarts: int = 0  # in all
    joined: float = 0.0  # when it last got a channel
    renew: bool = False  # whether it needs another one

    @property
    def keys(self) -> dict[str, object]:
        """How logs name it."""
        found: dict[str, object] = {"child": self.name}
        if self.slot is not None:
            found["slot"] = self.slot
        if self.generation != FIRST:
            found["generation"] = self.generation
        return found

    def pause(self, lived_s: float, limits: Limits) -> float:
        """The seconds to wait after the child has died, having lived so long."""
        self.failures = 1 if lived_s >= limits.settled_s else min(self.failures + 1, 32)
        return 0.0 if self.failures == 1 else min(limits.delay_max_s, limits.delay_s * 2 ** (self.failures - 2))


@dataclass(slots=True)
class Staff:
    """All processes of the server but this one."""

    limits: Limits
    log: Log
    signals: Signals
    sockets: Callable[[], Iterable[socket.socket]]  # all that children might inherit
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    now: float = 0.0  # read once a turn, after the wait, so that no time passes unseen
    _living: dict[int, Seat] = field(default_factory=dict)  # by process id

    def __post_init__(self) -> None:
        self.now = self.limits.clock()
        self.selector.register(self.signals.reader, selectors.EVENT_READ)

    @property
    def living(self) -> list[tuple[Seat, Child]]:
        """Who has a process."""
        return [(seat, seat.child) for seat in self._living.values() if seat.child is not None]

    def start(self, seat: Seat) -> bool:
        """Forks a process for the seat; whether that went well, else its next try is due later."""
        try:
            seat.child = self._fork(seat)
        except OSError as error:  # no more processes, memory or descriptors: that may pass
            self.log.warning("process_not_started", **seat.keys, reason=error.strerror)
            seat.due = self.now + seat.pause(0.0, self.limits)
            return False
        self._living[seat.child.pid] = seat
        self.selector.register(seat.child.control, selectors.EVENT_READ, seat)
        self.log.info("process_started", **seat.keys, pid=seat.child.pid, restarts=seat.restarts)
        return True

    def wait(self, due: float | None) -> Iterator[tuple[Seat, bytes]]:
        """Waits until something happens or the moment has come; what children have said, but what is kept here."""
        timeout = None if due is None else max(0.0, due - self.now)
        ready = self.selector.select(timeout)
        before, self.now = self.now, self.limits.clock()
        if timeout is not None and (late := self.now - before - timeout) > _LATE_S:
            self.log.warning("supervisor_was_kept_waiting", late_s=round(late, 3))
            for _, child in self.living:
                child.heard = self.now
        for key, _ in ready:
            if isinstance(key.data, Seat):
                yield from self._hear(key.data)

    def dead(self) -> Iterator[tuple[Seat, Child, int]]:
        """All who have ended, those included that an orphan's end left to process 1: seat, child and exit code."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            seat = self._living.pop(pid, None)
            if seat is not None and seat.child is not None:
                child, seat.child = seat.child, None
                if child.control in self.selector.get_map():
                    self.selector.unregister(child.control)
                child.control.close()
                yield seat, child, os.waitstatus_to_exitcode(status)

    def kill_silent(self) -> None:
        """Kills who makes no progress though it might; their end is then like any other.

        On a machine that has more to do than it can, a new process in place of one that waits for a processor would wait
        as long, and have to begin anew.
        """
        for seat, child in self.living:
            if self.now - child.heard >= seat.silence_s:
                waited_s = kept_waiting_s(child.pid)
                child.heard += waited_s - child.waited_s
                child.waited_s = waited_s
                if self.now - child.heard < seat.silence_s:
                    continue
                self.log.error("process_silent", **seat.keys, pid=child.pid, silent_s=round(self.now - child.heard, 3))
                child.heard = self.now
                os.kill(child.pid, signal.SIGKILL)

    def signal(self, seats: Collection[Seat], number: int) -> None:
        """Sends a signal to those of the seats who have a process."""
        for seat in seats:
            if seat.child is not None:
                os.kill(seat.child.pid, number)

    def close(self) -> None:
        """Kills all who are left."""
        self.signal([seat for seat, _ in self.living], signal.SIGKILL)
        self.selector.close()

    def _hear(self, seat: Seat) -> Iterator[tuple[Seat, bytes]]:
        child = seat.child
        if child is None:
            return
        try:
            octets = child.control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:  # it ends, or will be silent from now on
            self.selector.unregister(child.control)
            return
        child.heard = self.now
        child.waited_s = kept_waiting_s(child.pid)
        child.unread += octets
        for word in words(child.unread):
            seat.renew = seat.renew or word == RENEW
            child.prepared = child.prepared or word == PREPARED
            child.warm = child.warm or word == WARM
            yield seat, word

    def _fork(self, seat: Seat) -> Child:
        """A new process for the seat. Raises OSError, and leaves nothing behind then."""
        sys.stdout.flush()  # what is buffered would be written by both
        sys.stderr.flush()
        with ExitStack() as opened:
            ours, theirs = socket.socketpair()
            opened.enter_context(ours)
            with theirs, self.signals.held():
                pid = os.fork()
                if pid == 0:
                    self._be_child(seat, ours, theirs)
            opened.pop_all()
        ours.setblocking(False)
        return Child(pid, ours, self.now, self.now)

    def _be_child(self, seat: Seat, ours: socket.socket, theirs: socket.socket) -> NoReturn:
        """The rest of a forked process' life."""
        status = 1
        try:
            self.signals.leave()
            self.selector.close()
            ours.close()
            for _, other in self.living:
                other.control.close()
            for sock in set(self.sockets()) - set(seat.sockets):
                sock.close()
            status = seat.run(theirs, seat.restarts)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # the root of a process; what is below on its stack is the supervisor's
            self.log.exception("process_failed", **seat.keys)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


def kept_waiting_s(pid: int) -> float:
    """How long a process' first thread could have run, and had no processor: seconds of its life; 0 where nobody counts them.

    Linux counts in /proc/PID/schedstat (Documentation/scheduler/sched-stats).
    """
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as counts:  # noqa: PTH123 - once a second for each process
            _, waited_ns, _ = counts.read().split()
    except (OSError, ValueError):
        return 0.0
    return int(waited_ns) * _S_PER_NS
