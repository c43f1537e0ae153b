"""Overload: what is left of a server that gets more than it can carry, and what its other clients see of it.

Floods are those of flood.c. Peak is the most that the server answers a second at any rate of a ladder; all
else is a factor of it, so that it means the same on every machine. What else ran on the two cores meanwhile is
told with each round: where that was much, the kernel's scheduler was measured.
"""

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from bench.load import percentiles
from bench.processes import busy_s, cpu_each_s, cpu_s, pss_bytes

PHASES: Final = ("calm", "flood", "after")
_OTHERS: Final = 20  # clients beside the flood
_SOURCES: Final = 16  # addresses of a flood in which all ask alike
_FACTORS: Final = (1.5, 3, 10)  # of peak; the program sends some 2,000,000 a second at the most
_LADDER_FROM: Final = 10_000  # queries per second
_STEP: Final = 1.4  # up to far beyond the peak, so that a step that was disturbed doesn't end it
# What is slower isn't as it was before: a hundred times what an answer takes, and more than one turn of the scheduler.
_SLOW_US: Final = 5000
_IN_A_ROW: Final = 10


@dataclass(frozen=True, slots=True)
class Flood:
    """Of one run; what others saw is by phase."""

    offered: float  # per second, by the flood
    answered: float  # per second, to the flood
    p50_us: float
    p99_us: float
    asked: dict[str, int]
    lost: dict[str, int]
    percentiles_us: dict[str, dict[str, float]]
    recovered_s: float | None  # from the flood's end until the others' queries are answered as before; None: never
    grown_bytes: int  # PSS of the server's processes from before to after
    foreign: float  # share of the two cores' time that had neither the server nor the flood


@dataclass(frozen=True, slots=True)
class Shared:
    """Of one load on so many workers."""

    workers: int
    offered: float  # per second
    answered: float  # per second
    cpu_us: float  # per answer
    parts: tuple[float, ...]  # of that, by process that had at least a hundredth


class Place(NamedTuple):
    """What a measurement needs to know."""

    program: Path  # flood
    questions: Path
    port: int
    pid: int
    cores: tuple[int, int]  # the server's, and the flood's


@dataclass(frozen=True, slots=True)
class Printed:
    """What the program said."""

    sent: int
    answered: int
    p50_us: float
    p99_us: float
    had: float
    others: tuple[tuple[int, int, int], ...]  # phase, when, latency; microseconds


def command(place: Place, **keys: float) -> tuple[str, ...]:
    """The command line of a run; the keys are those of flood.c."""
    where = (
        "taskset",
        "-c",
        str(place.cores[1]),
        str(place.program),
        f"port={place.port}",
        f"questions={place.questions}",
    )
    return *where, *(f"{key}={value:g}" for key, value in keys.items())


def peak(place: Place, seconds: float) -> float:
    """The most queries a second that the server answers to many alike."""
    rate, best = float(_LADDER_FROM), 0.0
    while True:
        printed = _run(place, flood=seconds, rate=rate, sources=_SOURCES)
        best = max(best, printed.answered / seconds)
        if printed.answered < 0.4 * printed.sent or rate > 2e6:
            return best
        rate *= _STEP


def totals(most: float) -> Iterator[tuple[str, float]]:
    """Loads by name, of a server with that peak."""
    for factor in _FACTORS:
        yield f"{factor:g} times peak", factor * most


def alike(place: Place, seconds: float, most: float) -> Flood:
    """Ten times the peak, or as much as can be sent, from many addresses alike; the others are some of them."""
    return _flood(place, seconds, rate=_FACTORS[-1] * most, sources=_SOURCES, same=1, others=_SOURCES, others_rate=10)


def one_against_others(place: Place, seconds: float, total: float) -> Flood:
    """So many queries a second in all, 95 % of them from one address."""
    each = min(0.05 * total / _OTHERS, 5000)
    return _flood(place, seconds, rate=0.95 * total, sources=1, others=_OTHERS, others_rate=each)


def shared(place: Place, seconds: float, rate: float, workers: int) -> Shared:
    """A load on so many workers, from as many ports as the program has."""
    before = cpu_each_s(place.pid)
    printed = _run(place, flood=seconds, rate=rate, sources=_SOURCES, sockets=256)
    used = {process: spent - before.get(process, 0) for process, spent in cpu_each_s(place.pid).items()}
    whole = sum(used.values())
    return Shared(
        workers=workers,
        offered=printed.sent / seconds,
        answered=printed.answered / seconds,
        cpu_us=whole / printed.answered * 1e6 if printed.answered else 0.0,
        parts=tuple(spent / whole for spent in used.values() if spent > whole / 100),
    )


def _flood(place: Place, seconds: float, **keys: float) -> Flood:
    """The flood lasts twice as long as what is before and after it: its first moment is part of it, but not most of it."""
    memory, used = sum(pss_bytes(place.pid).values()), cpu_s(place.pid)
    busy, began = busy_s(place.cores), time.monotonic()
    printed = _run(place, calm=seconds, flood=2 * seconds, after=seconds, **keys)
    passed = time.monotonic() - began
    foreign = busy_s(place.cores) - busy - (cpu_s(place.pid) - used) - printed.had * passed
    grown = sum(pss_bytes(place.pid).values()) - memory
    by_phase = {name: [each for each in printed.others if each[0] == number] for number, name in enumerate(PHASES)}
    heard = {name: percentiles(latency for _, _, latency in each if latency >= 0) for name, each in by_phase.items()}
    return Flood(
        offered=printed.sent / seconds / 2,
        answered=printed.answered / seconds / 2,
        p50_us=printed.p50_us,
        p99_us=printed.p99_us,
        asked={name: len(each) for name, each in by_phase.items()},
        lost={name: sum(latency < 0 for _, _, latency in each) for name, each in by_phase.items()},
        percentiles_us=heard,
        recovered_s=recovered_s(by_phase["after"], 3 * seconds),
        grown_bytes=grown,
        foreign=max(0.0, foreign / passed / 2),
    )


def recovered_s(after: Sequence[tuple[int, int, int]], ended_s: float) -> float | None:
    """From the flood's end until the first of ten queries in a row was sent that were answered as before; None if never."""
    fine = 0
    for place, (_, _, latency) in enumerate(after):
        fine = fine + 1 if 0 <= latency <= _SLOW_US else 0
        if fine == _IN_A_ROW:
            return after[place - fine + 1][1] / 1e6 - ended_s
    return None


def _run(place: Place, **keys: float) -> Printed:
    seconds = sum(keys.get(phase, 0.0) for phase in PHASES)
    line = command(place, **keys)
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=seconds + 60)
    return read(done.stdout.splitlines())


def read(lines: Sequence[str]) -> Printed:
    """What flood.c has printed."""
    rows = [line.split() for line in lines]
    (numbers,) = (list(map(int, row[1:])) for row in rows if row[0] == "flood")
    (had,) = (float(row[1]) for row in rows if row[0] == "had")
    others = tuple((int(row[1]), int(row[2]), int(row[3])) for row in rows if row[0] == "other")
    return Printed(numbers[0], numbers[1], numbers[2], numbers[3], had, others)
