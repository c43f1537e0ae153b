"""The supervisor: forks the controller and the workers, watches them, replaces them, and ends them.

One thread, no event loop, nothing of DNS: what it must never do is fail or wait. Children
are forked without exec, so they share the pages of all that was imported before, and the
sockets they are handed stay open here: nothing queued in one is lost with its process.

Each pair of living controller and worker gets a fresh socket pair for its channel, one end
to each and none kept here, so that EOF on a channel means that the other is gone. How
children hear of that, and are heard, is control's to say.
"""

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol, TypeAlias

from kdns.serve.control import RENEW, Control, ControllerStart, WorkerStart, hand
from kdns.serve.signals import LAMEDUCK, Signals
from kdns.serve.sockets import SlotSockets

# A channel that ends as soon as it begins is renewed no more often than this.
_RENEW_S: Final = 1.0
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
    clock: Callable[[], float] = time.monotonic


def supervise(
    *,
    slots: Sequence[SlotSockets],
    ops: Mapping[str, socket.socket],
    run_worker: Callable[[WorkerStart], int],
    run_controller: Callable[[ControllerStart], int],
    prepare: Callable[[], None] = lambda: None,
    lameduck_s: float = 0.0,
    limits: Limits = Limits(),
    log: Log,
) -> int:
    """Runs a controller and a worker per slot until told to stop; returns the exit status.

    SIGTERM, SIGINT: for lameduck_s all goes on, but the controller gets LAMEDUCK and says that
    it isn't ready; then the workers get SIGTERM, then the controller, and have stop_s together;
    0. A second SIGINT: 2, at once. SIGQUIT: 0, at once. A child that exits with EX_CONFIG
    says that starting it again is of no use: all are stopped as by SIGTERM; 1. SIGHUP and
    SIGUSR1 are ignored. prepare is called once, between the first controller's start and the
    workers': what it imports all workers share, while the controller is at work already. Only the main thread of a process without others may call this.
    """
    seats = [
        _Seat("worker", slot, limits.worker_silence_s, (*own.udp, *own.tcp), _worker(slot, own, run_worker))
        for slot, own in enumerate(slots)
    ]

    def control(sock: socket.socket, restarts: int) -> int:
        return run_controller(ControllerStart(ops, sock, len(slots), restarts))

    controller = _Seat("controller", None, limits.controller_silence_s, tuple(ops.values()), control)
    with Signals() as signals:
        return _Supervisor(controller, seats, limits, log, signals, prepare, lameduck_s).run()


# What a child does with its control socket, how many predecessors it had; its exit status.
_Run: TypeAlias = Callable[[socket.socket, int], int]


def _worker(slot: int, own: SlotSockets, run_worker: Callable[[WorkerStart], int]) -> _Run:
    return lambda control, _: run_worker(WorkerStart(slot, own.udp, own.tcp, control))


@dataclass(slots=True)
class _Child:
    """A living process."""

    pid: int
    control: socket.socket
    started: float
    heard: float  # when it was last known to make progress


@dataclass(slots=True, eq=False)
class _Seat:
    """A place that always has a process, but for the pause before a replacement."""

    name: str
    slot: int | None
    silence_s: float
    sockets: tuple[socket.socket, ...]
    run: _Run
    child: _Child | None = None
    due: float = 0.0  # when the next one starts, while there is no child
    failures: int = 0  # in a row
    restarts: int = 0  # in all
    joined: float = 0.0  # when it last got a channel
    renew: bool = False  # whether it needs another one

    @property
    def keys(self) -> dict[str, object]:
        """How logs name it."""
        return {"child": self.name} if self.slot is None else {"child": self.name, "slot": self.slot}

    def pause(self, lived_s: float, limits: Limits) -> float:
        """The seconds to wait after the child has died, having lived so long."""
        self.failures = 1 if lived_s >= limits.settled_s else min(self.failures + 1, 32)
        return 0.0 if self.failures == 1 else min(limits.delay_max_s, limits.delay_s * 2 ** (self.failures - 2))


@dataclass(slots=True)
class _Supervisor:
    """The loop of supervise."""

    controller: _Seat
    workers: list[_Seat]
    limits: Limits
    log: Log
    signals: Signals
    prepare: Callable[[], None]
    lameduck_s: float = 0.0
    prepared: bool = False
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    interrupts: int = 0
    stop_at: float | None = None  # while the time of lameduck runs
    stopping: bool = False
    controller_told: bool = False  # of that
    kill_at: float | None = None  # while it is stopping and nobody was killed yet
    status: int = 0  # to return in the end
    now: float = 0.0  # read once a turn, after the wait, so that no time passes unseen

    @property
    def seats(self) -> list[_Seat]:
        # The controller first: what it does at its start takes longest.
        return [self.controller, *self.workers]

    @property
    def living(self) -> list[tuple[_Seat, _Child]]:
        return [(seat, seat.child) for seat in self.seats if seat.child is not None]

    def run(self) -> int:
        self.now = self.limits.clock()
        self.selector.register(self.signals.reader, selectors.EVENT_READ)
        try:
            while not self.stopping or self.living:
                self._fill()
                self._wait()
                if self._obey():
                    return self.status
                self._reap()
                self._kill_silent()
                self._stop_further()
        finally:
            self._kill_all()
            self.selector.close()
        return self.status

    def _fill(self) -> None:
        """Starts who is due and gives channels to whom they are due."""
        if self.stopping:
            return
        for seat in self.seats:
            if seat.child is None and seat.due <= self.now:
                if seat is not self.controller and not self.prepared:
                    self.prepared = True
                    self.prepare()
                self._start(seat)
        for seat in self.workers:
            if self._may_renew(seat) and seat.joined + _RENEW_S <= self.now:
                self._join(seat)

    def _start(self, seat: _Seat) -> None:
        try:
            seat.child = self._fork(seat)
        except OSError as error:  # no more processes, memory or descriptors: that may pass
            self.log.warning("process_not_started", **seat.keys, reason=error.strerror)
            seat.due = self.now + seat.pause(0.0, self.limits)
            return
        self.selector.register(seat.child.control, selectors.EVENT_READ, seat)
        self.log.info("process_started", **seat.keys, pid=seat.child.pid, restarts=seat.restarts)
        for worker in self.workers if seat is self.controller else [seat]:
            self._join(worker)

    def _fork(self, seat: _Seat) -> _Child:
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
        return _Child(pid, ours, self.now, self.now)

    def _be_child(self, seat: _Seat, ours: socket.socket, theirs: socket.socket) -> NoReturn:
        """The rest of a forked process' life."""
        status = 1
        try:
            self.signals.leave()
            self.selector.close()
            ours.close()
            for other in self.seats:
                if other.child is not None:
                    other.child.control.close()
                if other is not seat:
                    for sock in other.sockets:
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

    def _join(self, seat: _Seat) -> None:
        """Gives a worker and the controller the ends of a fresh channel, if both live."""
        if seat.slot is None or seat.child is None or self.controller.child is None:
            return
        seat.joined = self.now
        seat.renew = not _connect(self.controller.child, seat.child, seat.slot, seat.restarts)

    def _may_renew(self, seat: _Seat) -> bool:
        return seat.renew and seat.child is not None and self.controller.child is not None

    def _wait(self) -> None:
        """Until something happens or is due."""
        due = self._next_due()
        timeout = None if due is None else max(0.0, due - self.now)
        ready = self.selector.select(timeout)
        before, self.now = self.now, self.limits.clock()
        if timeout is not None and (late := self.now - before - timeout) > _LATE_S:
            self.log.warning("supervisor_was_kept_waiting", late_s=round(late, 3))
            for _, child in self.living:
                child.heard = self.now
        for key, _ in ready:
            if isinstance(key.data, _Seat):
                self._hear(key.data)

    def _next_due(self) -> float | None:
        if self.stopping:
            return self.kill_at
        moments = [child.heard + seat.silence_s for seat, child in self.living]
        moments += [] if self.stop_at is None else [self.stop_at]
        moments += [seat.due for seat in self.seats if seat.child is None]
        moments += [seat.joined + _RENEW_S for seat in self.workers if self._may_renew(seat)]
        return min(moments)

    def _hear(self, seat: _Seat) -> None:
        """Reads what a child has sent."""
        if seat.child is None:
            return
        try:
            octets = seat.child.control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:  # it ends, or will be silent from now on
            self.selector.unregister(seat.child.control)
            return
        seat.child.heard = self.now
        seat.renew = seat.renew or RENEW in octets

    def _obey(self) -> bool:
        """Acts on the signals that came; whether to return at once."""
        for number in self.signals.read():
            if number == signal.SIGQUIT:
                self.status = 0
                return True
            if number == signal.SIGINT:
                self.interrupts += 1
                if self.interrupts > 1:
                    self.status = 2
                    return True
            if number in {signal.SIGINT, signal.SIGTERM}:
                self._bow_out()
        if self.stop_at is not None and self.now >= self.stop_at:
            self._stop(0)
        return False

    def _bow_out(self) -> None:
        """Stops once those who send questions have had time to hear that they should go elsewhere."""
        if self.stopping or self.stop_at is not None:
            return
        if not self.lameduck_s:
            self._stop(0)
            return
        self.log.info("lameduck", seconds=self.lameduck_s)
        self.stop_at = self.now + self.lameduck_s
        if self.controller.child is not None:
            os.kill(self.controller.child.pid, LAMEDUCK)

    def _stop(self, status: int) -> None:
        """Begins to stop: the workers first, since the controller is who says how they are."""
        if self.stopping:
            return
        self.log.info("stopping", deadline_s=self.limits.stop_s)
        self.stopping = True
        self.status = status
        self.kill_at = self.now + self.limits.stop_s
        for seat, child in self.living:
            if seat is not self.controller:
                os.kill(child.pid, signal.SIGTERM)

    def _stop_further(self) -> None:
        """Once the workers are gone the controller is told; when time is up nobody is."""
        if self.kill_at is None:
            return
        if self.now >= self.kill_at:
            for seat, child in self.living:
                self.log.warning("process_killed_at_stop", **seat.keys, pid=child.pid)
            self._kill_all()
            self.kill_at = None
        elif self.controller.child is not None and len(self.living) == 1 and not self.controller_told:
            self.controller_told = True
            os.kill(self.controller.child.pid, signal.SIGTERM)

    def _kill_all(self) -> None:
        for _, child in self.living:
            os.kill(child.pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Takes note of all who have ended, those included that an orphan's end left to process 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for seat, child in self.living:
                if child.pid == pid:
                    self._bury(seat, child, os.waitstatus_to_exitcode(status))

    def _bury(self, seat: _Seat, child: _Child, code: int) -> None:
        """Clears the place of a child that has ended, and says when the next one starts."""
        seat.child = None
        if child.control in self.selector.get_map():
            self.selector.unregister(child.control)
        child.control.close()
        if self.stopping:
            return
        if code == os.EX_CONFIG:
            self.log.error("process_gave_up", **seat.keys, pid=child.pid)
            self._stop(1)
            return
        lived = self.now - child.started
        seat.restarts += 1
        seat.due = self.now + seat.pause(lived, self.limits)
        how = {"signal": signal.Signals(-code).name} if code < 0 else {"status": code}
        self.log.warning(
            "process_died",
            **seat.keys,
            **how,
            pid=child.pid,
            lived_s=round(lived, 3),
            again_in_s=round(seat.due - self.now, 3),
            restarts=seat.restarts,
        )

    def _kill_silent(self) -> None:
        """Kills who makes no progress; their end is then like any other."""
        if self.stopping:
            return
        for seat, child in self.living:
            if self.now - child.heard >= seat.silence_s:
                self.log.error("process_silent", **seat.keys, pid=child.pid, silent_s=round(self.now - child.heard, 3))
                child.heard = self.now
                os.kill(child.pid, signal.SIGKILL)


def _connect(controller: _Child, worker: _Child, slot: int, restarts: int) -> bool:
    """Hands a fresh channel to both; whether both took it. If one didn't, the other will see it end."""
    try:
        one, other = socket.socketpair()
    except OSError:
        return False
    with one, other:
        return hand(controller.control, slot, restarts, one) and hand(worker.control, slot, restarts, other)


__all__ = ["Control", "ControllerStart", "Limits", "Log", "WorkerStart", "supervise"]
