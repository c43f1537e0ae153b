"""The supervisor: keeps a controller and a worker for each slot at work, replaces them, and ends them.

One thread, no event loop, nothing of DNS: what it must never do is fail or wait. It stays the same process for ever, and
so does its controller while nothing happens to it; workers are exchanged with the configuration (reloading).

Each pair of living controller and worker gets a fresh socket pair for its channel, one end
to each and none kept here, so that EOF on a channel means that the other is gone. How
children hear of that, and are heard, is control's to say.
"""

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from kdns.serve.configuration import FIRST, Attempt, Configuration, News
from kdns.serve.control import CANNOT, CHANGED, CHANNEL, ControllerStart, Order, WorkerStart, hand
from kdns.serve.listening import Listening, Opened
from kdns.serve.reloading import Generation, Reloading
from kdns.serve.seats import Child, Limits, Log, Run, Seat, Staff
from kdns.serve.signals import LAMEDUCK, Signals

# A channel that ends as soon as it begins is renewed no more often than this.
_RENEW_S: Final = 1.0
_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Parts:
    """What the processes run."""

    worker: Callable[[WorkerStart], int]
    controller: Callable[[ControllerStart], int]
    # Called once, between the first controller's start and the workers': what it imports all workers share, while the
    # controller is at work already.
    prepare: Callable[[], None] = lambda: None
    read: Callable[[], Attempt] | None = None  # reads the configuration again; None where that makes no sense
    attended: bool = False  # a person looks on


def supervise(
    configuration: Configuration, listening: Listening, parts: Parts, *, limits: Limits = _LIMITS, log: Log
) -> int:
    """Runs a controller and a worker per slot until told to stop; returns the exit status.

    What the configuration listens on has been opened. SIGTERM, SIGINT: for lameduck_s all goes on, but the controller gets
    LAMEDUCK and says that it isn't ready; then the workers get SIGTERM, then the controller, and have stop_s together;
    0. A second SIGINT: 2, at once. SIGQUIT: 0, at once. A child that exits with EX_CONFIG
    says that starting it again is of no use: all are stopped as by SIGTERM; 1. SIGUSR1: the configuration is read again.
    SIGHUP is ignored, but where a person looks on: then his terminal is gone, and all are stopped. Only the main thread of a process without others may call this.
    """
    with Signals() as signals:
        staff = Staff(limits, log, signals, lambda: listening.sockets)
        return _Supervisor(configuration, listening, parts, staff, signals).run()


class _Supervisor:
    """The loop of supervise."""

    def __init__(
        self, configuration: Configuration, listening: Listening, parts: Parts, staff: Staff, signals: Signals
    ) -> None:
        self._parts = parts
        self._staff = staff
        self._signals = signals
        self._limits = staff.limits
        self._log = staff.log
        self._slots = listening.workers
        self.current = self.make(FIRST, configuration, listening.open(configuration))
        pages = tuple(self.current.opened.ops.values())
        self.controller = Seat("controller", None, self._limits.controller_silence_s, pages, self._run_controller)
        news = News(digest=configuration.digest, seen=configuration.seen if parts.read is not None else "")
        self._reloading = Reloading(self, listening, parts.read, self._limits, self._log, news)
        self._leaving: dict[Seat, float] = {}  # who goes with a configuration, and when they have to be gone
        self._prepared = False
        self._interrupts = 0
        self._stop_at: float | None = None  # while the time of lameduck runs
        self._stopping = False
        self._controller_told = False  # of that
        self._kill_at: float | None = None  # while it is stopping and nobody was killed yet
        self._status = 0  # to return in the end

    @property
    def now(self) -> float:
        """The clock of this turn."""
        return self._staff.now

    def run(self) -> int:
        """All of it, to the end."""
        try:
            while not self._stopping or self._staff.living:
                self._fill()
                for _, word in self._staff.wait(self._next_due()):
                    self._heed(word)
                if self._obey():
                    return self._status
                for seat, child, code in self._staff.dead():
                    self._bury(seat, child, code)
                if not self._stopping:
                    self._staff.kill_silent()
                    self._reloading.turn()
                self._kill_late()
        finally:
            self._staff.close()
        return self._status

    # What the reloading asks of its house

    def make(self, number: int, configuration: Configuration, opened: Opened) -> Generation:
        """A generation's seats, all of them empty."""
        made = Generation(number, configuration, opened, [])
        for slot, own in enumerate(opened.slots):
            sockets = (*own.udp, *own.tcp)
            run = self._worker(made, slot)
            made.workers.append(Seat("worker", slot, self._limits.worker_silence_s, sockets, run, number))
        return made

    def start(self, seat: Seat) -> bool:
        """Starts a process for the seat, and gives it the channels that it is due."""
        if not self._staff.start(seat):
            return False
        for worker in self._workers if seat is self.controller else [seat]:
            self._join(worker)
        return True

    def dismiss(self, seats: list[Seat]) -> None:
        """Ends at once who has nothing to finish."""
        self._staff.signal(seats, signal.SIGKILL)
        self._leave(seats, inf)

    def take_over(self, coming: Generation) -> None:
        """The generation is the one that is kept at work from now on; who was before finishes what was begun."""
        old, self.current = self.current, coming
        self.controller.sockets = tuple(coming.opened.ops.values())
        self._staff.signal(old.workers, signal.SIGTERM)
        self._leave(old.workers, self.now + self._limits.stop_s)

    def _leave(self, seats: list[Seat], at: float) -> None:
        self._leaving |= {seat: at for seat in seats if seat.child is not None}

    # Who is at work

    @property
    def _workers(self) -> list[Seat]:
        """Of the generation at work, and of the one that gets ready."""
        coming = self._reloading.coming
        return [*self.current.workers, *(coming.workers if coming is not None else ())]

    def _worker(self, generation: Generation, slot: int) -> Run:
        def run(control: socket.socket, _restarts: int) -> int:
            own, number = generation.opened.slots[slot], generation.number
            seen, listen = generation.configuration.seen, generation.opened.listen
            at_once = generation is self.current
            return self._parts.worker(WorkerStart(slot, own.udp, own.tcp, control, number, seen, listen, at_once))

        return run

    def _run_controller(self, control: socket.socket, restarts: int) -> int:
        current = self.current
        start = ControllerStart(
            ops=current.opened.ops,
            control=control,
            workers=self._slots,
            restarts=restarts,
            generation=current.number,
            seen=current.configuration.seen,
            listen=current.opened.listen,
            news=self._reloading.news,
        )
        return self._parts.controller(start)

    def _fill(self) -> None:
        """Starts who is due and gives channels to whom they are due."""
        if self._stopping:
            return
        # The controller first: what it does at its start takes longest.
        for seat in (self.controller, *self.current.workers):
            if seat.child is None and seat.due <= self.now:
                if seat is not self.controller and not self._prepared:
                    self._prepared = True
                    self._parts.prepare()
                self.start(seat)
        for seat in self._workers:
            if self._may_renew(seat) and seat.joined + _RENEW_S <= self.now:
                self._join(seat)

    def _join(self, seat: Seat) -> None:
        """Gives a worker and the controller the ends of a fresh channel, if both live."""
        if seat.slot is None or seat.child is None or self.controller.child is None:
            return
        seat.joined = self.now
        order = Order(CHANNEL, seat.slot, seat.restarts, seat.generation)
        seat.renew = not _connect(self.controller.child, seat.child, order)

    def _may_renew(self, seat: Seat) -> bool:
        return seat.renew and seat.child is not None and self.controller.child is not None

    def _next_due(self) -> float | None:
        moments = list(self._leaving.values())
        if self._stopping:
            moments += [] if self._kill_at is None else [self._kill_at]
        else:
            moments += [child.heard + seat.silence_s for seat, child in self._staff.living]
            moments += [] if self._stop_at is None else [self._stop_at]
            moments += [seat.due for seat in (self.controller, *self.current.workers) if seat.child is None]
            moments += [seat.joined + _RENEW_S for seat in self._workers if self._may_renew(seat)]
            moments.append(self._reloading.due)
        due = min(moments, default=inf)
        return None if due == inf else due

    def _heed(self, word: bytes) -> None:
        """Acts on what the controller says; what workers say the staff has noted."""
        if word == CHANGED:
            self._reloading.ask(forced=False)
        elif word.startswith(CANNOT):
            self._reloading.cannot(word.removeprefix(CANNOT).decode(errors="replace"))

    def _obey(self) -> bool:
        """Acts on the signals that came; whether to return at once."""
        for number in self._signals.read():
            if number == signal.SIGQUIT:
                self._status = 0
                return True
            if number == signal.SIGINT:
                self._interrupts += 1
                if self._interrupts > 1:
                    self._status = 2
                    return True
            if number in {signal.SIGINT, signal.SIGTERM} or (number == signal.SIGHUP and self._parts.attended):
                self._bow_out()
            if number == signal.SIGUSR1:
                self._reloading.ask(forced=True)
        if self._stop_at is not None and self.now >= self._stop_at:
            self._stop(0)
        return False

    # The end

    def _bow_out(self) -> None:
        """Stops once those who send questions have had time to hear that they should go elsewhere."""
        if self._stopping or self._stop_at is not None:
            return
        self._reloading.end()
        lameduck_s = self.current.configuration.lameduck_s
        if not lameduck_s:
            self._stop(0)
            return
        self._log.info("lameduck", seconds=lameduck_s)
        self._stop_at = self.now + lameduck_s
        self._staff.signal([self.controller], LAMEDUCK)

    def _stop(self, status: int) -> None:
        """Begins to stop: the workers first, since the controller is who says how they are."""
        if self._stopping:
            return
        self._reloading.end()
        self._log.info("stopping", deadline_s=self._limits.stop_s)
        self._stopping = True
        self._status = status
        self._kill_at = self.now + self._limits.stop_s
        self._staff.signal(self.current.workers, signal.SIGTERM)

    def _kill_late(self) -> None:
        """Kills whose time to leave is up. While all stop, the controller is told once the workers are gone."""
        late = [seat for seat, at in self._leaving.items() if self.now >= at]
        self._kill(late)
        self._leave(late, inf)
        if self._kill_at is None:
            return
        if self.now >= self._kill_at:
            self._kill([seat for seat, _ in self._staff.living])
            self._kill_at = None
        elif [seat for seat, _ in self._staff.living] == [self.controller] and not self._controller_told:
            self._controller_told = True
            self._staff.signal([self.controller], signal.SIGTERM)

    def _kill(self, seats: list[Seat]) -> None:
        for seat in seats:
            if seat.child is not None:
                self._log.warning("process_killed_at_stop", **seat.keys, pid=seat.child.pid)
        self._staff.signal(seats, signal.SIGKILL)

    def _bury(self, seat: Seat, child: Child, code: int) -> None:
        """Says when the next one starts in the place of a child that has ended."""
        if self._leaving.pop(seat, None) is not None or self._stopping or self._reloading.ended(seat, code):
            return
        if code == os.EX_CONFIG:
            self._log.error("process_gave_up", **seat.keys, pid=child.pid)
            self._stop(1)
            return
        lived = self.now - child.started
        seat.restarts += 1
        seat.due = self.now + seat.pause(lived, self._limits)
        how = {"signal": signal.Signals(-code).name} if code < 0 else {"status": code}
        self._log.warning(
            "process_died",
            **seat.keys,
            **how,
            pid=child.pid,
            lived_s=round(lived, 3),
            again_in_s=round(seat.due - self.now, 3),
            restarts=seat.restarts,
        )


def _connect(controller: Child, worker: Child, order: Order) -> bool:
    """Hands a fresh channel to both; whether both took it. If one didn't, the other will see it end."""
    try:
        one, other = socket.socketpair()
    except OSError:
        return False
    with one, other:
        return hand(controller.control, order._replace(descriptor=one.fileno())) and hand(
            worker.control, order._replace(descriptor=other.fileno())
        )


__all__ = ["Limits", "Log", "Parts", "supervise"]
