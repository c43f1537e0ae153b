"""What the processes take, from a /proc made for the test and from the real one."""

import os
from pathlib import Path

import pytest

from kdns.ops.processes import process_samples

TICKS = os.sysconf("SC_CLK_TCK")


def add(proc: Path, pid: int, parent: int, **files: str) -> None:
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    for number in range(3):
        (folder / "fd" / str(number)).touch()
    times = f"{2 * TICKS} {TICKS} {4 * TICKS} {TICKS}"
    start = 100 * TICKS if pid == 10 else 200 * TICKS
    (folder / "stat").write_text(f"{pid} (a) b) S {parent} 0 0 0 0 0 0 0 0 0 {times} 20 0 1 0 {start} 0 0\n")
    (folder / "limits").write_text("Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n")
    for name, text in files.items():
        (folder / name).write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1700000000\n")
    (tmp_path / "self").mkdir()
    add(tmp_path, 1, 0, smaps_rollup="Pss: 999999 kB\n")
    add(tmp_path, 10, 1, smaps_rollup="Rss: 9000 kB\nPss: 1000 kB\n")
    add(tmp_path, 11, 10, smaps_rollup="Rss: 9000 kB\nPss: 2000 kB\n")
    add(tmp_path, 12, 11, statm="50 7 0 0 0 0 0\n")
    return tmp_path


def test_a_process_and_all_below_it_are_summed(proc: Path) -> None:
    assert process_samples(10, proc) == [
        ("process_resident_memory_bytes", (), 3_072_000 + 7 * os.sysconf("SC_PAGE_SIZE")),
        ("process_cpu_seconds_total", (), 24.0),
        ("process_open_fds", (), 9),
        ("process_max_fds", (), 3072),
        ("process_start_time_seconds", (), 1_700_000_100.0),
    ]


def test_what_may_not_be_read_counts_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("btime 1700000000\n")
    add(tmp_path, 10, 1)
    (tmp_path / "10" / "limits").unlink()
    values = {name: value for name, _, value in process_samples(10, tmp_path)}
    assert (values["process_resident_memory_bytes"], values["process_max_fds"]) == (0, 0)


@pytest.mark.parametrize("root", [10, 99])
def test_nothing_is_told_where_there_is_nothing_to_read(tmp_path: Path, root: int) -> None:
    assert process_samples(root, tmp_path / "absent") == []
    (tmp_path / "stat").write_text("btime 1700000000\n")
    assert process_samples(root, tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_of_this_very_process_everything_is_known() -> None:
    assert all(value > 0 for _, _, value in process_samples(os.getpid()))
