"""Reloading: the way from one generation of workers to the next, a step at a time, in the supervisor.

A reader, a process for a moment, reads and tries the configuration. Sockets that are new are opened, those that both ask
for are shared, and the workers of the new generation make everything ready beside the old, who answer all the while; the
controller, which stays, gives them the cluster. Only when all are as warm as the old are do the new begin to answer; what
the old still have to do they do while they leave. Whatever fails on the way, the old generation hasn't noticed.

Nothing waits here: each step ends in an event, or in its time being up. What failed for the configuration's sake is tried
again when that changes; what failed for another reason, after a while, too.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from kdns.config.settings import SettingsError
from kdns.serve.configuration import (
    Attempt,
    Coming,
    Configuration,
    News,
    file_of,
    nameless,
    read_attempt,
    write,
)
from kdns.serve.control import COMING, DROP, NEWS, PAGE, SERVE, TAKE_OVER, Order, hand
from kdns.serve.listening import Listening, Opened
from kdns.serve.seats import Child, Limits, Log, Run, Seat

# After the controller or a worker has ended in the middle: what was wrong may be over.
_SOON_S: Final = 1.0


@dataclass(slots=True, eq=False)
class Generation:
    """A configuration at work: what it listens on, and a worker for each slot."""

    number: int
    configuration: Configuration
    opened: Opened
    workers: list[Seat]


class House(Protocol):
    """What of the supervisor is asked here."""

    @property
    def now(self) -> float: ...
    @property
    def controller(self) -> Seat: ...
    @property
    def current(self) -> Generation: ...
    def start(self, seat: Seat) -> bool: ...
    def dismiss(self, seats: list[Seat]) -> None: ...
    def make(self, number: int, configuration: Configuration, opened: Opened) -> Generation: ...
    def take_over(self, coming: Generation) -> None: ...


@dataclass(slots=True)
class Reloading:
    """At most one reload is under way; others wait, and are one."""

    house: House
    listening: Listening
    read: Callable[[], Attempt] | None  # run in the reader; None where nothing can be read again
    limits: Limits
    log: Log
    news: News
    coming: Generation | None = None
    _asked: bool = False
    _over: bool = False  # all is about to stop
    _forced: bool = False  # also where nothing has changed
    _reader: Seat | None = None
    _file: int = -1  # what the reader writes into
    _since: float = 0.0
    _due: float = inf  # of the step under way, or of another try
    _warm: bool = False  # the old generation is, so the new one has to be

    def ask(self, *, forced: bool) -> None:
        """Wants the configuration to be read again; forced, it is also loaded anew where it is the same."""
        if self.read is None:
            self.log.warning("reload_ignored", reason="there is no Corefile that could be read again")
            return
        self._asked = True
        self._forced = self._forced or forced

    @property
    def seats(self) -> list[Seat]:
        """Who works on it."""
        return [*([self._reader] if self._reader else ()), *(self.coming.workers if self.coming else ())]

    @property
    def due(self) -> float:
        """When turn has something to do at the latest."""
        return self._due

    def turn(self) -> None:
        """Takes the next step, if it is time for one."""
        late = self.house.now >= self._due
        if self._reader is not None:
            if late:
                self._fail(
                    f"the configuration wasn't read within {self.limits.read_s:g} s", again_s=self.limits.retry_s
                )
        elif self.coming is not None:
            if all(self._is_ready(seat.child) for seat in self.coming.workers):
                self._take_over(self.coming)
            elif late:
                cold = [str(seat.slot) for seat in self.coming.workers if not self._is_ready(seat.child)]
                reason = f"worker {', '.join(cold)} didn't get ready within {self.limits.warm_s:g} s"
                self._fail(reason, again_s=self.limits.retry_s)
        elif (self._asked or late) and self.read is not None and not self._over:
            self._begin(self.read)

    def ended(self, seat: Seat, code: int) -> bool:
        """Takes note of a process' end; whether it is of no more concern to others."""
        if seat is self._reader:
            self._reader = None
            self._read(code)
            return True
        if self.coming is not None and seat in self.coming.workers:
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
            self._fail(f"worker {seat.slot} of the new configuration ended {how}", again_s=self.limits.retry_s)
            return True
        if self.coming is not None and seat is self.house.controller:
            self._fail("the controller ended meanwhile", again_s=_SOON_S)
        return False

    def cannot(self, reason: str) -> None:
        """The controller can't serve the generation that is to come."""
        if self.coming is not None:
            self._fail(reason, again_s=self.limits.retry_s)

    def end(self) -> None:
        """Leaves everything as it is, for ever; nothing failed."""
        self._over = True
        self._drop()

    def _begin(self, read: Callable[[], Attempt]) -> None:
        self._asked = False
        self._since = self.house.now
        self._due = self.house.now + self.limits.read_s
        try:
            self._file = nameless()
        except OSError as error:
            self._fail(f"the configuration can't be read: {error.strerror}", again_s=self.limits.retry_s)
            return
        self._reader = Seat("reader", None, inf, (), _reads(read, self._file))
        if not self.house.start(self._reader):
            self._reader = None
            self._fail("no process could be started to read the configuration", again_s=self.limits.retry_s)

    def _read(self, code: int) -> None:
        """What to do with what the reader has written."""
        try:
            attempt = read_attempt(self._file) if code == os.EX_OK else None
        except (ValueError, OSError):
            attempt = None
        self._close_file()
        if attempt is None:
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
            self._fail(f"the process that reads the configuration ended {how}", again_s=self.limits.retry_s)
            return
        forced, self._forced = self._forced, False
        again = attempt.seen == self.news.seen and not forced
        self.news = self.news._replace(seen=attempt.seen)
        if again and self.news.trouble and attempt.configuration is None and not attempt.may_pass:
            self._due = inf  # it was told of
            self._tell()
        elif attempt.configuration is None:
            self._fail(attempt.problems, again_s=self.limits.retry_s if attempt.may_pass else inf)
        elif attempt.seen == self.house.current.configuration.seen and not forced:
            self.log.info("configuration_as_before")
            self._settle()
        else:
            for line in attempt.problems.splitlines():
                self.log.warning("corefile_warning", problem=line)
            self._prepare(attempt.configuration)

    def _prepare(self, configuration: Configuration) -> None:
        """Opens what is new, and lets the workers get ready."""
        try:
            opened = self.listening.open(configuration)
        except (SettingsError, OSError) as error:
            self._fail(str(error), again_s=self.limits.retry_s)
            return
        old = self.house.current
        self._warm = any(seat.child is not None and seat.child.warm for seat in old.workers)
        self._due = self.house.now + self.limits.warm_s
        self.coming = self.house.make(old.number + 1, configuration, opened)
        if not (self._tell_controller(self.coming) and all(map(self.house.start, self.coming.workers))):
            self._fail("the processes of the new configuration could not be started", again_s=self.limits.retry_s)

    def _tell_controller(self, coming: Generation) -> bool:
        told = Coming(coming.number, coming.configuration.seen, coming.opened.listen)
        return self._hand_file(told, COMING, coming.number) and all(
            self._hand(Order(PAGE, number, 0, coming.number, sock.fileno()))
            for number, sock in enumerate(coming.opened.ops.values())
        )

    def _is_ready(self, child: Child | None) -> bool:
        return child is not None and child.prepared and (child.warm or not self._warm)

    def _take_over(self, coming: Generation) -> None:
        served = [seat.child is not None and hand(seat.child.control, Order(SERVE)) for seat in coming.workers]
        if not (all(served) and self._hand(Order(TAKE_OVER, generation=coming.number))):
            self._fail("the processes of the new configuration could not be told to serve", again_s=self.limits.retry_s)
            return
        self.coming = None
        self.house.take_over(coming)
        self.listening.keep([coming.opened])
        self.news = self.news._replace(done=self.news.done + 1, digest=coming.configuration.digest)
        took_s = round(self.house.now - self._since, 3)
        dns = " ".join(map(str, coming.opened.listen))
        self.log.info("reloaded", generation=coming.number, dns=dns, took_s=took_s, sha512=coming.configuration.digest)
        self._settle()

    def _settle(self) -> None:
        """The end of a reload after which all is well."""
        self._due = inf
        self.news = self.news._replace(trouble="")
        self._tell()

    def _fail(self, reason: str, again_s: float = inf) -> None:
        """The end of one that has failed: all is as it was, and is tried again after a while."""
        self._drop()
        self._due = self.house.now + again_s
        if reason != self.news.trouble:
            first, _, rest = reason.partition("\n")
            keys = {"further": len(rest.splitlines())} if rest else {}
            again = {} if again_s == inf else {"again_s": again_s}
            self.log.error("reload_failed", reason=first, **keys, **again, goes_on_with=self.house.current.number)
        self.news = self.news._replace(failed=self.news.failed + 1, trouble=reason.rstrip("\n"))
        self._tell()

    def _drop(self) -> None:
        """Gives up what is under way."""
        self._due = inf
        self._close_file()
        seats = self.seats
        coming, self.coming, self._reader = self.coming, None, None
        self.house.dismiss(seats)
        if coming is not None:
            self._hand(Order(DROP, generation=coming.number))
            self.listening.keep([self.house.current.opened])

    def _tell(self) -> None:
        self._hand_file(self.news, NEWS, self.house.current.number)

    def _hand_file(self, value: News | Coming, kind: bytes, generation: int) -> bool:
        try:
            descriptor = file_of(value)
        except OSError:
            return False
        try:
            return self._hand(Order(kind, generation=generation, descriptor=descriptor))
        finally:
            os.close(descriptor)

    def _hand(self, order: Order) -> bool:
        child = self.house.controller.child
        return child is not None and hand(child.control, order)

    def _close_file(self) -> None:
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1


def _reads(read: Callable[[], Attempt], file: int) -> Run:
    def run(_control: object, _restarts: int) -> int:
        write(read(), file)
        return os.EX_OK

    return run
