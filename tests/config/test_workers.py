"""How many workers: a table of limits, and cgroup files as kernels and containers show them."""

from pathlib import Path

import pytest

from kdns.config.workers import Limits, automatic, limits

MIB = 1 << 20

WORKERS = [
    (1, Limits(None, None), 1),
    (2, Limits(None, None), 2),
    (64, Limits(None, None), 4),
    (8, Limits(2.0, None), 2),
    (8, Limits(1.9, None), 1),
    (8, Limits(0.1, None), 1),
    (2, Limits(16.0, None), 2),
    (8, Limits(None, 170 * MIB), 3),
    (8, Limits(None, 159 * MIB), 2),
    (8, Limits(None, 20 * MIB), 1),
    (8, Limits(None, 9223372036854771712), 4),
    (3, Limits(4.0, 512 * MIB), 3),
]


@pytest.mark.parametrize(("cpus", "limited", "expected"), WORKERS)
def test_workers_are_as_many_as_the_tightest_limit_allows(cpus: int, limited: Limits, expected: int) -> None:
    assert automatic(cpus, limited) == expected


CGROUPS: list[tuple[str, str, dict[str, str], Limits]] = [
    ("nothing is mounted", "", {}, Limits(None, None)),
    (
        "version 2, in a container",
        "0::/\n",
        {"cpu.max": "150000 100000\n", "memory.max": "178257920\n"},
        Limits(1.5, 178257920),
    ),
    ("version 2, without limits", "0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n"}, Limits(None, None)),
    (
        "version 2, the slice above is tighter",
        "0::/system.slice/kdns.service\n",
        {
            "system.slice/kdns.service/cpu.max": "400000 100000",
            "system.slice/cpu.max": "200000 100000",
            "system.slice/memory.max": "1000",
        },
        Limits(2.0, 1000),
    ),
    (
        "version 1, in a container, whose path is the host's",
        "4:cpu,cpuacct:/kubepods/pod1\n3:memory:/kubepods/pod1\n",
        {
            "cpu/cpu.cfs_quota_us": "50000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "memory/memory.limit_in_bytes": "268435456\n",
        },
        Limits(0.5, 268435456),
    ),
    (
        "version 1, without limits",
        "4:cpu,cpuacct:/\n3:memory:/\n1:name=systemd:/\n",
        {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        Limits(None, None),
    ),
    ("a path that leads out", "0::/../../etc\n", {"cpu.max": "100000 100000"}, Limits(1.0, None)),
    ("nonsense", "what\n::::\n", {"cpu.max": "many few", "memory.max": ""}, Limits(None, None)),
]


@pytest.mark.parametrize(("membership", "files", "expected"), [row[1:] for row in CGROUPS], ids=[r[0] for r in CGROUPS])
def test_limits_are_the_tightest_of_all_cgroups(
    membership: str, files: dict[str, str], expected: Limits, tmp_path: Path
) -> None:
    root = tmp_path / "cgroup"
    root.mkdir()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "self").write_text(membership)
    assert limits(root, tmp_path / "self") == expected


def test_without_cgroups_nothing_is_limited(tmp_path: Path) -> None:
    assert limits(tmp_path / "none", tmp_path / "nobody") == Limits(None, None)
