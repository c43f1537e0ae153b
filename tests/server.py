"""The whole server as its users have it: `python -m kdns serve …`, real processes on free ports of 127.0.0.1.

A Server starts, tells where it listens and which processes it has (its log says so), asks it by
UDP and TCP, reads its probes and metrics, and ends it by its process id. until() is the one way
to wait for something: it looks again and again, and fails the test when time is up.
"""

import contextlib
import http.client
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import dns.flags
import dns.message
import dns.query
import dns.rcode

T = TypeVar("T")

REPOSITORY: Final = Path(__file__).parents[1]
ZONE: Final = "svc.cluster.local"
# Who refuses every question: nobody listens there. So no test depends on, or reaches, the machine's own resolvers.
NOBODY: Final = "127.0.0.1:1"
DEADLINE_S: Final = 20.0  # for what takes milliseconds; the machine may be slow
_LOOK_S: Final = 0.005  # between two looks
_LOOK_MAX_S: Final = 0.05
_ASK_S: Final = 5.0  # for one reply
_ASK_EVERY: Final = 8  # questions from different ports: that all meet the same of two workers is rare
_OPS: Final = ("health", "ready", "metrics")


def until(seen: Callable[[], T], *, within_s: float = DEADLINE_S, why: str = "it never came to be") -> T:
    """What seen returns, once that is true. Fails after within_s, and says why."""
    began = time.monotonic()
    while not (found := seen()):
        waited = time.monotonic() - began
        assert waited < within_s, f"{why}; last seen: {found!r}"
        time.sleep(_pause_s(waited))
    return found


def _pause_s(waited_s: float) -> float:
    """Until the next look: short at first, later a tenth of what has passed, so that who waits long costs little."""
    return min(max(_LOOK_S, waited_s / 10), _LOOK_MAX_S)


class Server:
    """One server: supervisor, controller and workers."""

    def __init__(
        self,
        *flags: str,
        folder: Path,
        listen: Sequence[str] = ("127.0.0.1:0",),
        upstream: str = NOBODY,
        workers: int = 1,
        within: Sequence[str] = (),
        plain: bool = False,
    ) -> None:
        """Takes, among others, within: a command that runs the server's; and plain: the flags are given as they are."""
        where = [*_each("--listen", listen), *_each("--upstream", [upstream]), "--workers", str(workers)]
        ops = [part for name in _OPS for part in (f"--{name}", "127.0.0.1:0")]
        self.command = [*within, sys.executable, "-m", "kdns", "serve", *flags, *([] if plain else [*where, *ops])]
        self.workers = workers
        self.log = folder / "kdns.log"
        self.output = folder / "kdns.out"
        self._process: subprocess.Popen[bytes] | None = None

    # Its life

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self, *, ready: bool = True) -> None:
        """Starts it; returns once it listens, or is ready."""
        self.log.unlink(missing_ok=True)
        with self.log.open("ab") as log, self.output.open("wb") as output:
            self._process = subprocess.Popen(
                self.command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=log
            )
        until(lambda: self.events("listening") or self._over(), why="it doesn't listen")
        if ready:
            self.until_ready()

    def until_ready(self, within_s: float = DEADLINE_S) -> None:
        until(lambda: self.ready()[0] == 200 or self._over(), within_s=within_s, why="it doesn't become ready")

    def until_loaded(self) -> None:
        """Waits until every worker has said in its log that it has the cluster: for where the probes can't be asked."""
        until(lambda: len(self.events("index_loaded")) >= self.workers or self._over(), why="its workers have nothing")

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self._process is not None
        return self._process.pid

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Tells it to end, and waits for it; the exit status."""
        self.send(how)
        return self.wait()

    def send(self, what: signal.Signals, process: str = "supervisor") -> int:
        """Sends a signal to a process: supervisor, controller, worker-0 and so on; its id."""
        pid = self.pid if process == "supervisor" else self.process(process)
        os.kill(pid, what)
        return pid

    def wait(self) -> int:
        """The exit status, once it has ended."""
        assert self._process is not None
        return self._process.wait(timeout=DEADLINE_S)

    def close(self) -> None:
        """Ends it, if it still runs, with all its processes."""
        if self._process is not None:
            end(self._process)

    def _over(self) -> bool:
        assert self._process is None or self._process.poll() is None, f"it has ended: {self.log.read_text()}"
        return False

    # What it says of itself

    def events(self, name: str, **keys: str) -> list[dict[str, str]]:
        """The lines of its log that tell of this event with these keys."""
        lines = [_parsed(line) for line in self.log.read_text().splitlines() if f"event={name}" in line]
        return [line for line in lines if line["event"] == name and keys.items() <= line.items()]

    def process(self, name: str) -> int:
        """The id of its controller, or of worker-0 and so on, as last started."""
        kind, _, slot = name.partition("-")
        keys = {"slot": slot} if slot else {}
        return int(self.events("process_started", child=kind, **keys)[-1]["pid"])

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it answers."""
        return [_split(text) for text in self.events("listening")[-1]["dns"].split()]

    @property
    def port(self) -> int:
        """Where it answers on 127.0.0.1, or wherever it was first told to."""
        return self.addresses[0][1]

    def ready(self) -> tuple[int, str]:
        """Status and body of /ready?verbose."""
        return self.page("ready", "/ready?verbose")

    def page(self, listener: str, path: str) -> tuple[int, str]:
        """Status and body of a page; 0 where nobody answers."""
        host, port = _split(self.events("listening")[-1][listener])
        connection = http.client.HTTPConnection(host, port, timeout=_ASK_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def metrics(self) -> dict[str, float]:
        """All series: name and labels as /metrics writes them, and the value."""
        status, body = self.page("metrics", "/metrics")
        assert status == 200, body
        lines = [line for line in body.splitlines() if line and not line.startswith("#")]
        return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}

    def metric(self, series: str) -> float:
        """One of them; 0 where it isn't there."""
        return self.metrics().get(series, 0.0)

    # What it answers

    def ask(
        self, name: str, rtype: str = "A", *, tcp: bool = False, edns: int = 0, timeout_s: float = _ASK_S
    ) -> dns.message.Message:
        """The reply to a question; edns is the size that it tells, -1 for none. Raises dns.exception.Timeout."""
        query = dns.message.make_query(name, rtype, use_edns=edns >= 0, payload=max(edns, 0) or 1232)
        host, port = self.addresses[0]
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, host, timeout_s, port)

    def said(self, name: str, rtype: str = "A", *, tcp: bool = False) -> set[str]:
        """In short what it answers: the data of the records, and the rcode or NODATA where that is the point."""
        return short(self.ask(name, rtype, tcp=tcp))

    def comes_to(self, name: str, rtype: str, expected: Iterable[str], *, within_s: float = DEADLINE_S) -> None:
        """Waits until the answer of every worker, in short, is this one."""
        wanted = [set(expected)] * (1 if self.workers == 1 else _ASK_EVERY)
        began = time.monotonic()
        while (found := [self.said(name, rtype) for _ in wanted]) != wanted:
            waited = time.monotonic() - began
            if waited > within_s:
                break
            time.sleep(_pause_s(waited))
        assert found == wanted, (name, rtype)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that the test started, if it still runs: as an operator would, and for good where that doesn't help."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def short(reply: dns.message.Message) -> set[str]:
    """The data of the answers, and the rcode or NODATA where that is the point."""
    found = {rdata.to_text() for rrset in reply.answer for rdata in rrset}
    if reply.rcode() != dns.rcode.NOERROR:
        return {*found, dns.rcode.to_text(reply.rcode())}
    return found or {"NODATA"}


def extended_errors(reply: dns.message.Message) -> list[str]:
    """The extended errors (RFC 8914) of a reply, code and text."""
    return [
        option.to_text().removeprefix("EDE ") for option in reply.options if option.otype == dns.edns.OptionType.EDE
    ]


def run_serve(*flags: str, within: Sequence[str] = ()) -> tuple[int, str]:
    """Serves with these flags where that comes to nothing: the exit status, and standard error without its log."""
    command = [*within, sys.executable, "-m", "kdns", "serve", *flags]
    done = subprocess.run(
        command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    lines = done.stderr.splitlines(keepends=True)
    return done.returncode, "".join(line for line in lines if not line.startswith("timestamp="))


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    with contextlib.suppress(OSError):
        return re.search(r"\) [^Z]", Path(f"/proc/{pid}/stat").read_text()) is not None
    return False


def _each(flag: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]


def _split(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def _parsed(line: str) -> dict[str, str]:
    """A line of logfmt."""
    return dict(part.partition("=")[::2] for part in shlex.split(line))
