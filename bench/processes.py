"""Processes of the benchmark: started, pinned, ended by their id; and what a tree of them costs, from /proc.

CPU time is that of all processes and threads of the tree, memory is PSS: shared pages are
counted once, so that the sum over a tree is what ending it would set free.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

_TICKS: Final = os.sysconf("SC_CLK_TCK")
# How often memory is looked at where a peak is sought.
_SAMPLES_PER_S: Final = 20


@contextlib.contextmanager
def running(command: Sequence[str | Path], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process while this lasts; what it prints goes into the log."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that the benchmark started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tree(root: int) -> list[int]:
    """The process and all its descendants that are alive, in the order of their starts."""
    children: dict[int, list[int]] = {}
    started = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # one that has ended meanwhile
                fields = _stat(int(entry.name))
                children.setdefault(int(fields[1]), []).append(int(entry.name))
                started[int(entry.name)] = int(fields[19])
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return sorted(found, key=lambda process: (started.get(process, 0), process))


def pin(root: int, cores: Iterable[int]) -> None:
    """Keeps every thread of the tree, and those that they will start, on these cores."""
    allowed = set(cores)
    for process in tree(root):
        with contextlib.suppress(OSError):  # one that has ended meanwhile
            for thread in Path(f"/proc/{process}/task").iterdir():
                os.sched_setaffinity(int(thread.name), allowed)


def cpu_s(root: int) -> float:
    """Seconds of user and system time that the tree has used, dead and reaped children included."""
    return sum(cpu_each_s(root).values())


def cpu_each_s(root: int) -> dict[int, float]:
    """The same by process, each with its dead and reaped children."""
    ticks = {}
    for process in tree(root):
        with contextlib.suppress(OSError):
            ticks[process] = sum(map(int, _stat(process)[11:15])) / _TICKS
    return ticks


def busy_s(cores: Iterable[int]) -> float:
    """Seconds that these cores have not been idle, what the hypervisor took included."""
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    ticks = {name: list(map(int, numbers)) for name, *numbers in lines if name.startswith("cpu")}
    # user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)); guests count as users already
    return sum(sum(ticks[f"cpu{core}"][:3]) + sum(ticks[f"cpu{core}"][5:8]) for core in cores) / _TICKS


def pss_bytes(root: int) -> dict[int, int]:
    """Each process' proportional share of memory, in octets, in the order of their starts."""
    return {process: size for process in tree(root) if (size := _pss(process))}


def _stat(process: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, the state; what is before may hold any character."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _pss(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


class Peak:
    """The most memory that a tree has while this is entered, looked at 20 times a second."""

    def __init__(self, root: int) -> None:
        self.tree_bytes = 0
        self.process_bytes: dict[int, int] = {}  # the most of each, not all at one time
        self.samples = 0
        self._root = root
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            sizes = pss_bytes(self._root)
            self.samples += 1
            self.tree_bytes = max(self.tree_bytes, sum(sizes.values()))
            for process, size in sizes.items():
                self.process_bytes[process] = max(size, self.process_bytes.get(process, 0))
            due += 1 / _SAMPLES_PER_S
            self._over.wait(max(0.0, due - time.monotonic()))
