"""A command that asks kdns for names, and knows nothing of it.

It has a private resolv.conf (mounts) with a name server on port 53 of a network in which only kdns listens (network);
sockets that ask there are exchanged (exchange). All else of the machine is as it is without: files, networks, processes,
who one is. Nothing of the machine is changed, so that there is nothing to undo, however this ends. Linux alone can do it.

Processes: this one, which waits; the command; and the server, in a session of its own so that what is typed at the terminal
reaches the command alone. If this one is killed, both end.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple, Self, TypeVar

from kdns.dev import asking, kernel, mounts, resolving, rights
from kdns.dev.exchange import Exchange, program
from kdns.dev.network import Network
from kdns.dev.process import Process

T = TypeVar("T")

# An address that nothing else uses: 127.0.0.53 and .54 are systemd-resolved's.
NAMESERVER: Final = ("127.0.54.53", 53)
_RESOLV_CONF: Final = "/etc/resolv.conf"
_NSSWITCH_CONF: Final = "/etc/nsswitch.conf"
# Who keeps names, and would answer before anybody is asked.
_NSCD: Final = "/var/run/nscd"

_READY_S: Final = 60.0  # a large cluster takes seconds
_ASK_S: Final = 1.0
_LOOK_S: Final = 0.02
_STOP_S: Final = 10.0
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as a shell reports them
_SIGNALLED: Final = 128
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# A terminal sends these to all; what they mean is the command's to say.
_LEFT_TO_IT: Final = (signal.SIGINT, signal.SIGQUIT)


class Told(NamedTuple):
    """What the command is told about resolving."""

    zone: str
    path: resolving.Path | None = None  # the machine's, if none
    nameservers: tuple[str, ...] = ()  # who else is asked


class CommandError(Exception):
    """The command wasn't run; the message says what was found and what can be done, status what to end with."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def run(
    command: Sequence[str],
    told: Told,
    serve: Callable[[Network], int],
    *,
    waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> int:
    """Runs the command while serve, in a process of its own, answers in the network that it is handed; the command's status.

    That is 128 and the signal's number where a signal ended it. Within waiting, which must make no thread, it begins to answer. This process must have one thread. Raises CommandError.
    """
    network = _made(_network)
    server = Process.fork(lambda: serve(network))  # it sees the machine's own resolv.conf
    try:
        _made(lambda: mounts.overlay(dict(_files(told)), (_NSCD,) if Path(_NSCD).is_dir() else ()))
        with waiting():
            _await(network, server, told.zone)
        return _run(command, network)
    finally:
        server.end(_STOP_S)


def _network() -> Network:
    kernel.machine()
    rights.acquire()
    return Network.make()


def _made(make: Callable[[], T]) -> T:
    try:
        return make()
    except OSError as error:
        raise CommandError(
            f"a command can't have a name server of its own here: {error}; expected Linux, and that one may make user "
            "namespaces (kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0, "
            "in a container its seccomp profile); without -- COMMAND kdns answers on a port"
        ) from error


def _files(told: Told) -> Iterator[tuple[str, str]]:
    """The private files. Raises OSError where the machine hasn't got what they lie over."""
    path = told.path or resolving.path_of(_text(_RESOLV_CONF))
    yield _RESOLV_CONF, resolving.resolv_conf((NAMESERVER[0], *told.nameservers), path)
    if Path(_NSSWITCH_CONF).exists():
        yield _NSSWITCH_CONF, resolving.nsswitch_conf(_text(_NSSWITCH_CONF))


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _await(network: Network, server: Process, zone: str) -> None:
    """Returns when the zone is answered for. Raises CommandError where it never will be."""
    until = time.monotonic() + _READY_S
    while not network.do(lambda: asking.is_served(zone, NAMESERVER, timeout_s=_ASK_S)):
        if (status := server.status()) is not None:
            raise CommandError("the command was not run: kdns has ended", status or 1)
        if time.monotonic() > until:
            raise CommandError(f"the command was not run: {zone} wasn't answered for within {_READY_S:.0f} s")
        time.sleep(_LOOK_S)


def _run(command: Sequence[str], network: Network) -> int:
    begun: SimpleQueue[subprocess.Popen[bytes] | OSError] = SimpleQueue()

    def begin() -> None:
        """The filter is put on this thread, so the command has it and this process hasn't."""
        try:
            exchange = Exchange(kernel.listen(program(kernel.machine())), network, NAMESERVER)
            threading.Thread(target=exchange.run, daemon=True).start()
            process = subprocess.Popen(command, preexec_fn=partial(kernel.die_with_parent, signal.SIGKILL, os.getpid()))  # noqa: S603, PLW1509 - what was asked for
        except OSError as error:
            begun.put(error)
            return
        begun.put(process)
        process.wait()  # when the thread that made it ends, so does the command

    thread = threading.Thread(target=begin, daemon=True)
    with _Signals() as signals:
        thread.start()
        process = begun.get()
        if isinstance(process, OSError):
            missing = isinstance(process, FileNotFoundError)
            raise CommandError(f"{command[0]}: {process.strerror}", _NOT_FOUND if missing else _NOT_EXECUTABLE)
        signals.pass_on(process)
        thread.join()
    return process.returncode if process.returncode >= 0 else _SIGNALLED - process.returncode


class _Signals:
    """Meanwhile signals are for the command, those that come before it has begun, too."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in (*_PASSED_ON, *_LEFT_TO_IT)}
        for number in _PASSED_ON:
            signal.signal(number, lambda got, _: self._take(got))
        for number in _LEFT_TO_IT:
            signal.signal(number, lambda _got, _frame: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def pass_on(self, process: subprocess.Popen[bytes]) -> None:
        """Sends what has come to the process, and what will come."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _take(self, number: int) -> None:
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)
