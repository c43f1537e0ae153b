"""Workers: how many processes are worth having where this one runs.

The limits of a container are read from its cgroup and from those above it, in the
files of version 2 or of version 1; a file that isn't there, or isn't readable, limits nothing.
Sources: the kernel's admin-guide/cgroup-v2 (cpu.max, memory.max) and cgroup-v1 (cpu.cfs_*,
memory.limit_in_bytes); cgroups(7) for /proc/self/cgroup.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

MOST: Final = 4  # of workers started without being asked for: they are memory, and DNS is rarely short of processors

_MIB: Final = 1 << 20
# What the supervisor and the controller need at their peak, and what a worker needs, with a large cluster's index.
_OTHERS_BYTES: Final = 70 * _MIB
_WORKER_BYTES: Final = 30 * _MIB
LEAST_BYTES: Final = _OTHERS_BYTES + _WORKER_BYTES


class Limits(NamedTuple):
    """What a process may use; None where nothing limits it."""

    cpus: float | None
    memory_bytes: int | None


def automatic(cpus: int, limits: Limits) -> int:
    """How many workers to start on so many processors under these limits; at least one."""
    fitting = [MOST, cpus]
    if limits.cpus is not None:
        fitting.append(int(limits.cpus))
    if limits.memory_bytes is not None:
        fitting.append((limits.memory_bytes - _OTHERS_BYTES) // _WORKER_BYTES)
    return max(1, min(fitting))


def limits(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> Limits:
    """The tightest limits on this process; root is where cgroups are mounted."""
    cpus: list[float] = []
    memory: list[int] = []
    for folder in _folders(root, membership):
        cpus += _cpus(folder)
        memory += _memory(folder)
    return Limits(min(cpus, default=None), min(memory, default=None))


def _folders(root: Path, membership: Path) -> Iterator[Path]:
    """Where limits may stand: the cgroups of the process and all above them, up to the root of each mount."""
    for line in _text(membership).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        own = Path(path.lstrip("/"))
        # In a container the path is the host's, of which the mount shows the end alone: only what is there counts.
        for mount in (root / controllers if controllers else root, *(root / name for name in controllers.split(","))):
            yield from (mount / each for each in (own, *own.parents) if ".." not in each.parts)


def _cpus(folder: Path) -> Iterator[float]:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period):
        yield int(quota) / int(period)


def _memory(folder: Path) -> Iterator[int]:
    for name in ("memory.max", "memory.limit_in_bytes"):
        limit = _text(folder / name)
        if limit.isdigit():
            yield int(limit)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


__all__ = ["MOST", "Limits", "automatic", "limits"]
