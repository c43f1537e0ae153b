"""Split DNS: the machine's own resolver asks kdns for names of one zone, as long as this process runs.

The server answers first; then the journal is written, the commands are run, and what comes of them is tested as programs
see it. It is all taken back at the end; what a killed one has left, the next start or undo takes back.
"""

import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from kdns.dev import asking, holder, journal
from kdns.dev.holder import Holder, HolderError
from kdns.dev.journal import Entry, JournalError
from kdns.dev.plans import Plan
from kdns.dev.process import Process

_READY_S: Final = 60.0
_ASK_S: Final = 1.0
_LOOK_S: Final = 0.1
_STOP_S: Final = 10.0
_GOOD, _BAD = "✔", "✘"


class SplitError(Exception):
    """It can't be had; the message says why, and what is changed."""


class Wanted(NamedTuple):
    """What is to be had."""

    plan: Plan
    zone: str
    server: tuple[str, int]
    probe: str  # a name of the zone, for a look
    journal: Path
    pid: int


def show(plan: Plan) -> None:
    """Says what will be done, before it is."""
    sys.stderr.write(f"kdns dev: split DNS by {plan.name}. As root, until this ends:\n")
    _list(plan.install)
    sys.stderr.write("and at the end, however it comes:\n")
    _list(plan.undo)


def run(wanted: Wanted, serve: Callable[[], int]) -> int:
    """Serves with split DNS until told to stop; the status. Raises SplitError, and says what is changed then."""
    with _alone(wanted.journal):
        _take_back(wanted.journal)
        server = Process.fork(serve)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end it in the same way
        try:
            _await(wanted, server)
            return _hold(wanted, server)
        except KeyboardInterrupt:
            return 0
        finally:
            server.end(_STOP_S)


def repair(path: Path) -> bool:
    """Takes back what one that is gone has left; whether there was anything. Raises SplitError."""
    with _alone(path):
        return _take_back(path)


def status(path: Path) -> tuple[str, ...]:
    """What this machine is changed by, a line each. Raises SplitError."""
    entry = _read(path)
    if entry is None:
        return ("nothing is changed",)
    with journal.held(path) as alone:
        held = f"left by process {entry.pid}, which is gone" if alone else f"held by process {entry.pid}"
    seen = "is there" if entry.is_there else "isn't there"
    end = ("kdns dev --undo takes it back",) if alone else ()
    return (f"{entry.plan.name}: {held}; {entry.plan.trace} {seen}", *end)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    try:
        with journal.held(path) as alone:
            if not alone:
                entry = _read(path)
                whose = f"process {entry.pid}" if entry else "another process"
                raise SplitError(f"{whose} changes this machine already; end it first")
            yield
    except OSError as error:
        raise SplitError(f"{path}: {error.strerror}; without a journal nothing is changed") from error


def _take_back(path: Path) -> bool:
    entry = _read(path)
    if entry is None:
        return False
    if entry.is_there:
        sys.stderr.write(f"kdns dev: process {entry.pid} has left a change; as root, it is taken back by\n")
        _list(entry.plan.undo)
        try:
            holder.undo(entry.plan)
        except HolderError as error:
            raise SplitError(str(error)) from error
    journal.clear(path)
    return True


def _read(path: Path) -> Entry | None:
    try:
        return journal.read(path)
    except JournalError as error:
        raise SplitError(str(error)) from error


def _hold(wanted: Wanted, server: Process) -> int:
    journal.write(wanted.journal, Entry(wanted.plan, wanted.pid))
    try:
        held = Holder.install(wanted.plan)
    except HolderError as error:
        journal.clear(wanted.journal)
        raise SplitError(str(error)) from error
    try:
        sys.stderr.write(f"{_tested(wanted.probe)}\n")
        while (ended := server.status()) is None:
            time.sleep(_LOOK_S)
        return ended or 1
    finally:
        try:
            held.undo()
        except HolderError as error:
            raise SplitError(f"{error}; kdns dev --undo tries again") from error
        journal.clear(wanted.journal)
        sys.stderr.write("kdns dev: taken back\n")


def _await(wanted: Wanted, server: Process) -> None:
    until = time.monotonic() + _READY_S
    while not asking.is_served(wanted.zone, wanted.server, timeout_s=_ASK_S):
        if server.status() is not None:
            raise SplitError("kdns has ended; nothing is changed")
        if time.monotonic() > until:
            raise SplitError(f"{wanted.zone} wasn't answered for within {_READY_S:.0f} s; nothing is changed")
        time.sleep(_LOOK_S)


def _tested(name: str) -> str:
    """What a program sees of it, and why it sees nothing."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        return f"{_BAD} getaddrinfo({name}): {error.strerror or error}; is there such a name, and dns in nsswitch.conf?"
    return f"{_GOOD} getaddrinfo({name}): {' '.join(sorted({str(each[4][0]) for each in found}))}"


def _list(commands: tuple[str, ...]) -> None:
    sys.stderr.write("".join(f"  {each}\n" for each in commands))
