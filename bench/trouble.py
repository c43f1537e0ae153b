"""Trouble with upstreams: what who asks for the cluster's names sees of it.

2,000 queries a second for names of the cluster, first alone (calm), then beside a second load that is sent to nobody
(beside), then beside the same for names outside that an upstream never answers (trouble), then alone again (after). Each
load is a dnsperf of its own; both share the core that isn't the server's, and what they do to each other is what beside
and calm differ by: the server's part is trouble over beside.
"""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from bench.load import LoadError, Result, command, read
from bench.processes import busy_s, cpu_s
from bench.questions import QuestionSet, external_cold, hot

RATE: Final = 2_000  # queries per second, of each
OWN: Final = QuestionSet("own names, 2,000 qps", hot, frozenset(("live",)), rate=RATE)
DEAD: Final = QuestionSet(
    "names of a dead upstream, 2,000 qps", external_cold, frozenset(("live",)), rate=RATE, once=True
)
PHASES: Final = ("calm", "beside", "trouble", "after")

_LEAD_S: Final = 1.0  # of trouble, before it is looked at
# Longer than a server tries, and room for all that wait meanwhile: dnsperf asks no more while too many wait.
PATIENCE: Final = ("-t", "6", "-q", "20000")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Of one run."""

    own: dict[str, Result]  # by phase
    dead: Result
    cpu_us: dict[str, float]  # the server's, by phase, of each query that was sent meanwhile
    foreign: float  # share of the two cores' time that had neither the server nor dnsperf, over all phases


class Place(NamedTuple):
    """What a measurement needs to know."""

    own: Path  # questions
    dead: Path
    port: int
    nobody: int  # a port where all is heard and nothing said
    pid: int
    cores: tuple[int, int]  # the server's, and that of all else


@contextlib.contextmanager
def silent_upstream() -> Iterator[int]:
    """A port of 127.0.0.1 where all is heard and nothing said, by UDP and TCP."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        stream.bind(("127.0.0.1", 0))
        port = int(stream.getsockname()[1])
        datagrams.bind(("127.0.0.1", port))
        stream.listen(1)
        yield port


def trouble(place: Place, seconds: float) -> Trouble:
    """All phases, each so many seconds. Raises LoadError."""
    began, busy = time.monotonic(), busy_s(place.cores)
    at_first, used_by_all = cpu_s(place.pid), _children_s()
    own, cpu_us = {}, {}
    dead: Result | None = None
    for phase in PHASES:
        sent = 0
        with contextlib.ExitStack() as stack:
            beside = None
            if phase in {"beside", "trouble"}:
                port = place.port if phase == "trouble" else place.nobody
                line = _dnsperf(DEAD, place.dead, port, place, seconds + 2 * _LEAD_S, PATIENCE)
                beside = stack.enter_context(line)
                time.sleep(_LEAD_S)
            before = cpu_s(place.pid)
            own[phase] = _finished(stack.enter_context(_dnsperf(OWN, place.own, place.port, place, seconds)), seconds)
            used = cpu_s(place.pid) - before
            sent = own[phase].sent
            if beside is not None and phase == "trouble":
                dead = _finished(beside, seconds)
                sent += round(RATE * seconds)
        cpu_us[phase] = used / max(sent, 1) * 1e6
    assert dead is not None
    passed = time.monotonic() - began
    ours = cpu_s(place.pid) - at_first + _children_s() - used_by_all
    return Trouble(own, dead, cpu_us, max(0.0, (busy_s(place.cores) - busy - ours) / passed / 2))


@contextlib.contextmanager
def _dnsperf(
    questions: QuestionSet, file: Path, port: int, place: Place, seconds: float, more: tuple[str, ...] = ()
) -> Iterator["subprocess.Popen[str]"]:
    line = (*command(questions, file, port, seconds, (place.cores[1],)), *more)
    if more:  # its latencies are of no interest, and printing them would hold it up
        line = tuple(each for each in line if each != "-v")
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _finished(process: "subprocess.Popen[str]", seconds: float) -> Result:
    """What a dnsperf has printed, once it has ended. Raises LoadError."""
    try:
        printed, complaint = process.communicate(timeout=seconds + 60)
    except subprocess.TimeoutExpired as error:
        raise LoadError("dnsperf didn't end") from error
    if process.returncode:
        raise LoadError(complaint.strip())
    return read(printed, 0.0)


def _children_s() -> float:
    """CPU time of processes of ours that have ended."""
    times = os.times()
    return times.children_user + times.children_system
