"""kdns and a CoreDNS on one Corefile, asked the same questions.

KDNS_COREDNS names the program (KDNS_BENCH_COREDNS does as well); the comparison is skipped without one, and says so.
A Corefile has places for what only a start knows: {port}, {ready}, {metrics}, {upstream}, {folder}, {kubeconfig}; each
server gets ports of its own.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import dns.name
import dns.rdatatype

from kdns.diff.asking import Address, ask
from kdns.diff.difference import SILENCE
from kdns.diff.question import Question
from kdns.diff.verdict import Intended, Pair, Tally, judge
from kdns.dns.names import Name
from tests.server import REPOSITORY, end, until

HOW_TO_RUN: Final = (
    "NOT COMPARED with CoreDNS: KDNS_COREDNS doesn't name its program (made from its official source; 1.14 was used)"
)
KDNS: Final = (sys.executable, "-m", "kdns", "serve", "--workers", "1")
_TIMEOUT_S: Final = 8.0  # more than any server waits for its upstreams


def program() -> str | None:
    """Where CoreDNS is; None if nobody says so."""
    return os.environ.get("KDNS_COREDNS") or os.environ.get("KDNS_BENCH_COREDNS")


def question(name: str, rtype: str = "A", **fields: object) -> Question:
    """A question by text."""
    wire = Name(dns.name.from_text(name).to_wire() or b"\0")
    return Question(wire, dns.rdatatype.from_text(rtype), **fields)  # type: ignore[arg-type]  # fields of Question


class Running:
    """One of the two: a process with a Corefile of its own."""

    def __init__(
        self, name: str, command: Sequence[str], corefile: str, places: Mapping[str, object], folder: Path
    ) -> None:
        self.ports = {each: _free_port() for each in ("port", "ready", "metrics", "health")}
        path = folder / f"Corefile.{name}"
        places = {**places, **self.ports}
        path.write_text(_filled(corefile, places))
        self.name = name
        self.address: Address = ("127.0.0.1", self.ports["port"])
        self.output = folder / f"{name}.out"
        self.log = folder / f"{name}.log"
        with self.output.open("wb") as output, self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "-conf", str(path)],
                cwd=REPOSITORY,
                env={**os.environ, "DNS_PORT": str(self.ports["port"]), "CACHE_TTL": "30"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
            )

    def wait(self) -> None:
        """Returns once it says that it is ready, and answers."""
        until(lambda: self._over() or self._is_ready(), within_s=60, why=f"{self.name} doesn't become ready")

    def send(self, what: signal.Signals) -> None:
        self._process.send_signal(what)

    def close(self) -> None:
        """Ends it."""
        end(self._process)

    def metrics(self) -> str:
        """The page of metrics."""
        return page(self.ports["metrics"], "/metrics")[1]

    def _over(self) -> bool:
        said = self.output.read_text() + self.log.read_text()
        assert self._process.poll() is None, f"{self.name} has ended: {said}"
        return False

    def _is_ready(self) -> bool:
        if page(self.ports["ready"], "/ready")[0] != 200:
            return False
        with contextlib.suppress(OSError):
            return ask(self.address, [question("probe.invalid", "TXT")], timeout_s=0.3) != [SILENCE]
        return False


class Both:
    """CoreDNS ("theirs") and kdns ("ours") while this lasts, each on the Corefile; ready."""

    def __init__(self, corefile: str, home: Path, **places: object) -> None:
        """Takes the folder for logs and the like, and what stands in the Corefile's places."""
        coredns = program()
        assert coredns is not None
        home.mkdir(exist_ok=True)
        self._arguments = (corefile, places, home)
        self._commands = {"coredns": [coredns], "kdns": KDNS}

    def __enter__(self) -> Self:
        self.theirs, self.ours = (Running(name, command, *self._arguments) for name, command in self._commands.items())
        try:
            for each in (self.theirs, self.ours):
                each.wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for each in (self.theirs, self.ours):
            each.close()

    def pairs(self, questions: Sequence[Question], *, at_once: int = 16, timeout_s: float = _TIMEOUT_S) -> list[Pair]:
        """What both say to each question; asked of one and of the other, a few at a time."""
        found = []
        for at in range(0, len(questions), at_once):
            batch = questions[at : at + at_once]
            replies = (
                ask(each.address, batch, timeout_s=timeout_s, at_once=at_once) for each in (self.theirs, self.ours)
            )
            found += [Pair(*each) for each in zip(batch, *replies, strict=True)]
        return found

    def compare(
        self, questions: Sequence[Question], table: Sequence[Intended], *, at_once: int = 16, slack_s: int = 1
    ) -> Tally:
        """The tally of all questions."""
        tally = Tally()
        tally.add(judge(pair, table, slack_s=slack_s) for pair in self.pairs(questions, at_once=at_once))
        return tally


def ways(names: Iterable[tuple[str, str]]) -> list[Question]:
    """Names and types, asked for in all ways: plain, in upper case, with EDNS, with DO; by UDP and TCP."""
    found = []
    for name, rtype in names:
        plain = question(name, rtype)
        upper = question(name.upper(), rtype, payload=1232)
        found += [plain, upper, plain._replace(tcp=True), plain._replace(payload=1232, do=True)]
        found += [plain._replace(payload=4096, tcp=True)]
    return found


def shown(tally: Tally, limit: int = 40) -> str:
    """What is left, a question and its differences a line each."""
    head = f"{tally.asked} asked, {tally.equal} equal, {tally.differ_as_meant} as meant {dict(tally.intended)}"
    lines = [f"{each.pair.question}\n    " + "\n    ".join(map(str, each.left)) for each in tally.left[:limit]]
    return "\n".join([f"{head}, {len(tally.left)} left", *lines])


def _filled(text: str, places: Mapping[str, object]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def page(port: int, path: str) -> tuple[int, str]:
    """Status and text; 0 where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def _free_port() -> int:
    """A port that is free just now for UDP and TCP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            with contextlib.suppress(OSError):
                datagrams.bind(("127.0.0.1", port))
                return port
