"""What the processes take: memory, CPU time and file descriptors of a process and all below it.

Read from /proc (proc(5)), so there is nothing to tell where that is absent. The processes
share most of their memory after a fork, and a memory limit counts a shared page once:
therefore the proportional set size, and the resident one only where the former is hidden.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from kdns.ops.metrics import Sample

_PROC: Final = Path("/proc")


class _Stat(NamedTuple):
    """Of /proc/PID/stat; times in clock ticks."""

    parent: int
    own: int
    reaped: int  # of children that ended and were waited for
    start: int  # since boot


def process_samples(root: int | None = None, proc: Path = _PROC) -> list[Sample]:
    """The samples of the families process_*, summed over root and its descendants; none without /proc.

    Without a root it is the parent of this process, which has started all of kdns' processes.
    """
    try:
        stats = {int(folder.name): _stat(folder) for folder in proc.iterdir() if folder.name.isdecimal()}
        boot_s = _boot_time_s(proc)
    except OSError:
        return []
    tree = tuple(
        _tree(os.getppid() if root is None else root, {pid: stat for pid, stat in stats.items() if stat is not None})
    )
    if not tree:
        return []
    ticks = os.sysconf("SC_CLK_TCK")
    folders = [proc / str(pid) for pid, _ in tree]
    return [
        ("process_resident_memory_bytes", (), sum(map(_memory, folders))),
        ("process_cpu_seconds_total", (), sum(stat.own + stat.reaped for _, stat in tree) / ticks),
        ("process_open_fds", (), sum(map(_open_fds, folders))),
        ("process_max_fds", (), sum(map(_max_fds, folders))),
        ("process_start_time_seconds", (), boot_s + tree[0][1].start / ticks),
    ]


def _tree(root: int, stats: dict[int, _Stat]) -> Iterator[tuple[int, _Stat]]:
    """Root, if it is there, and then whatever descends from it."""
    found: Sequence[int] = [root] if root in stats else []
    while found:
        yield from ((pid, stats[pid]) for pid in found)
        parents = set(found)
        found = [pid for pid, stat in stats.items() if stat.parent in parents]


def _stat(folder: Path) -> _Stat | None:
    """None for a process that has gone meanwhile."""
    with suppress(OSError):
        # The second field is a name in parentheses that may itself hold spaces and parentheses.
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        parent, user, system, reaped_user, reaped_system, start = (int(fields[at]) for at in (1, 11, 12, 13, 14, 19))
        return _Stat(parent, user + system, reaped_user + reaped_system, start)
    return None


def _boot_time_s(proc: Path) -> int:
    lines = (proc / "stat").read_bytes().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(b"btime ")), 0)


def _memory(folder: Path) -> int:
    with suppress(OSError):
        for line in (folder / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    with suppress(OSError):
        return int((folder / "statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _open_fds(folder: Path) -> int:
    with suppress(OSError):
        return sum(1 for _ in (folder / "fd").iterdir())
    return 0


def _max_fds(folder: Path) -> int:
    with suppress(OSError):
        for line in (folder / "limits").read_bytes().splitlines():
            if line.startswith(b"Max open files") and line.split()[3].isdigit():
                return int(line.split()[3])
    return 0
