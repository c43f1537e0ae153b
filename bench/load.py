"""Load: runs of dnsperf on a core of their own, and what they and /proc say of the server.

A rate of its own makes dnsperf print each answer, and the percentiles come from these lines; as fast
as it goes only the mean is known, since printing would be what is measured. Needs dnsperf and taskset.
"""

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers import Server
from bench.processes import cpu_s
from bench.questions import QuestionSet

CLIENTS: Final = 8
_TIMEOUT_S: Final = 1.0  # after which dnsperf counts a question as lost
_PERCENTILES: Final = (50, 90, 99, 99.9)
_FINE: Final = frozenset(("NOERROR", "NXDOMAIN"))


@dataclass(frozen=True, slots=True)
class Result:
    """Of one run."""

    sent: int
    completed: int
    lost: int
    failed: int  # answered by anything but NOERROR and NXDOMAIN
    seconds: float
    mean_us: float  # latency
    percentiles_us: dict[str, float]  # of latency; empty at full speed
    cpu_us: float | None  # the server's, per query completed; None where none was
    reply_bytes: float  # mean size


class LoadError(Exception):
    """dnsperf didn't do what it was asked for."""


def command(questions: QuestionSet, file: Path, port: int, seconds: float, cores: Sequence[int]) -> tuple[str, ...]:
    """The command line of a run."""
    where = ("taskset", "-c", ",".join(map(str, cores)), "dnsperf", "-s", "127.0.0.1", "-p", str(port))
    how = ("-m", "tcp" if questions.tcp else "udp", "-c", str(CLIENTS), "-t", str(_TIMEOUT_S), "-l", f"{seconds:g}")
    once = ("-n", "1") if questions.once else ()
    rate = ("-Q", str(questions.rate), *(["-v"] if questions.latencies else [])) if questions.rate else ()
    return *where, *how, *once, *rate, "-d", str(file)


def run(questions: QuestionSet, file: Path, server: Server, seconds: float, cores: Sequence[int]) -> Result:
    """Loads the server for that long. Raises LoadError."""
    line = command(questions, file, server.port, seconds, cores)
    before = cpu_s(server.pid)
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=seconds + 30)
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"dnsperf didn't end: {' '.join(line)}") from error
    used = cpu_s(server.pid) - before
    if done.returncode:
        raise LoadError(f"{' '.join(line)}: {done.stderr.strip()}")
    return read(done.stdout, used)


def read(printed: str, used_s: float) -> Result:
    """What dnsperf has printed, as a result. Raises LoadError."""
    completed = int(_number(r"Queries completed:\s+(\d+)", printed))
    codes = Counter({code: int(count) for code, count in re.findall(r"([A-Z]+) (\d+) \(", printed)})
    return Result(
        sent=int(_number(r"Queries sent:\s+(\d+)", printed)),
        completed=completed,
        lost=int(_number(r"Queries lost:\s+(\d+)", printed)),
        failed=sum(count for code, count in codes.items() if code not in _FINE),
        seconds=_number(r"Run time \(s\):\s+([\d.]+)", printed),
        mean_us=_number(r"Average Latency \(s\):\s+([\d.]+)", printed) * 1e6,
        percentiles_us=percentiles(
            float(each) * 1e6 for each in re.findall(r"^> [A-Z]+ .* ([\d.]+)$", printed, re.MULTILINE)
        ),
        cpu_us=used_s / completed * 1e6 if completed else None,
        reply_bytes=_number(r"Average packet size:.* response (\d+)", printed),
    )


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """The values' percentiles by name (p50), each one of the values; empty without any."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {f"p{each:g}": ordered[min(len(ordered) - 1, int(len(ordered) * each / 100))] for each in _PERCENTILES}


def _number(pattern: str, printed: str) -> float:
    found = re.search(pattern, printed)
    if found is None:
        raise LoadError(f"dnsperf printed no line like {pattern}")
    return float(found[1])
