"""The snapshot's file on a real file system: whole or not at all, whoever is killed, and whatever lies in its place (K39, K40)."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from kdns.cluster.snapshot import SIZE_LIMIT_BYTES, Header, Origin, Rows, SnapshotError, write
from kdns.sources.snapshot import NAME, load, prepare, replace, save

NOW_S = 1e9
ORIGIN = Origin("https://10.96.0.1:443", "all")
ROWS: Rows = {"services": {"shop": {str(number): bytes((number % 256,)) * 700 for number in range(300)}}, "pods": {}}
HEADER = Header(*ORIGIN, NOW_S, 7, {"services": 300, "pods": 0})
OCTETS = b"".join(write(HEADER, ROWS))


def refused(folder: Path, now_s: float = NOW_S, origin: Origin = ORIGIN) -> tuple[str, str]:
    with pytest.raises(SnapshotError) as error:
        load(folder, origin, now_s)
    return error.value.reason, str(error.value)


def within(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    prepare(tmp_path / "a" / "b")
    size_bytes = save(tmp_path / "a" / "b", HEADER, ROWS)
    assert (tmp_path / "a" / "b" / NAME).read_bytes() == OCTETS
    assert load(tmp_path / "a" / "b", ORIGIN, NOW_S) == (HEADER, ROWS, size_bytes)
    assert (tmp_path / "a" / "b" / NAME).stat().st_mode & 0o777 == 0o600


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, ORIGIN, NOW_S) is None
    assert load(tmp_path / "nowhere", ORIGIN, NOW_S) is None


def flipped(random: Random) -> bytes:
    octets = bytearray(OCTETS)
    octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)
    return bytes(octets)


def cut(random: Random) -> bytes:
    return OCTETS[: random.randrange(len(OCTETS))]


def zeroed(random: Random) -> bytes:
    """A block that never came to the disk."""
    start = random.randrange(0, len(OCTETS) - 4096, 4096)
    return OCTETS[:start] + bytes(4096) + OCTETS[start + 4096 :]


def doubled(random: Random) -> bytes:
    start = random.randrange(len(OCTETS))
    return OCTETS[:start] + OCTETS[start // 2 :]


DAMAGES: tuple[tuple[Callable[[Random], bytes], int], ...] = (
    *((flipped, seed) for seed in range(12)),
    *((cut, seed) for seed in range(12)),
    *((zeroed, seed) for seed in range(8)),
    *((doubled, seed) for seed in range(3)),
    (lambda _: b"", 0),
    (lambda _: b"kdnssnap", 0),
    (lambda _: OCTETS + b"\n", 0),
    (lambda _: OCTETS + OCTETS, 0),
    (lambda _: b"cposix\nsystem\n(S'exit 1'\ntR.", 0),
)


@pytest.mark.parametrize("number", range(40))
def test_each_of_forty_damaged_snapshots_is_found(number: int, tmp_path: Path) -> None:
    damage, seed = DAMAGES[number]
    octets = damage(Random(seed))
    assert octets != OCTETS
    (tmp_path / NAME).write_bytes(octets)
    assert refused(tmp_path)[0] in {"damaged", "format"}


def test_a_snapshot_of_something_or_some_time_else_says_what_it_is_of(tmp_path: Path) -> None:
    save(tmp_path, HEADER, ROWS)
    assert refused(tmp_path, now_s=NOW_S + 100_000) == (
        "old",
        "found a snapshot 100000 s old, expected at most 86400 s",
    )
    assert refused(tmp_path, origin=ORIGIN._replace(cluster="https://192.0.2.1"))[0] == "cluster"


def test_what_is_no_file_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(OCTETS)
    place = tmp_path / NAME
    place.symlink_to(elsewhere)
    assert refused(tmp_path) == ("file", "found a symbolic link, expected a file that can be read")
    place.unlink()
    os.mkfifo(place)
    assert refused(tmp_path) == ("file", "found a folder, a pipe or the like, expected a file")
    place.unlink()
    place.mkdir()
    assert refused(tmp_path)[0] == "file"


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(SIZE_LIMIT_BYTES + 1)
    assert refused(tmp_path)[0] == "large"


def test_a_symbolic_link_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"not ours")
    (tmp_path / NAME).symlink_to(elsewhere)
    save(tmp_path, HEADER, ROWS)
    assert elsewhere.read_bytes() == b"not ours"
    assert load(tmp_path, ORIGIN, NOW_S) is not None


# What fails while it is written

NEWER = Header(*ORIGIN, NOW_S + 60, 8, {"services": 300, "pods": 0})
# A process of its own: what it may write is bounded, and it may be killed.
WRITER = """
import os, resource, sys
from pathlib import Path
from tests.sources.test_snapshot import NEWER, ROWS
from kdns.sources.snapshot import save
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
if sys.argv[3] == "die":
    os.fsync = lambda fd: os.kill(os.getpid(), 9)
save(Path(sys.argv[1]), NEWER, ROWS)
"""


def written_by_another(
    folder: Path, limit: int = resource.RLIM_INFINITY, end: str = "live"
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", WRITER, str(folder), str(limit), end],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_room_the_old_one_stays_and_nothing_else(tmp_path: Path) -> None:
    save(tmp_path, HEADER, ROWS)
    for limit in (0, 1, 100_000):
        made = written_by_another(tmp_path, limit)
        assert made.stderr.rstrip().endswith(f"[Errno {errno.EFBIG}] File too large")
        assert within(tmp_path) == {NAME}
        assert load(tmp_path, ORIGIN, NOW_S) == (HEADER, ROWS, len(OCTETS))


def test_who_is_killed_leaves_the_old_one_and_what_it_left_is_cleared_away_later(tmp_path: Path) -> None:
    save(tmp_path, HEADER, ROWS)
    assert written_by_another(tmp_path, end="die").returncode == -9
    (left,) = within(tmp_path) - {NAME}
    assert load(tmp_path, ORIGIN, NOW_S) == (HEADER, ROWS, len(OCTETS))
    prepare(tmp_path)
    assert (tmp_path / left).exists()  # somebody may be writing it
    os.utime(tmp_path / left, (NOW_S, NOW_S))
    prepare(tmp_path)
    assert within(tmp_path) == {NAME}


def test_two_writers_leave_one_of_theirs(tmp_path: Path) -> None:
    def interrupted() -> Iterator[bytes]:
        """Another writer begins and ends while this one writes."""
        pieces = write(HEADER, ROWS)
        yield next(pieces)
        save(tmp_path, NEWER, ROWS)
        assert load(tmp_path, ORIGIN, NOW_S) == (NEWER, ROWS, len(OCTETS))
        yield from pieces

    replace(tmp_path, interrupted())
    assert load(tmp_path, ORIGIN, NOW_S) == (HEADER, ROWS, len(OCTETS))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        prepare(tmp_path)


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        prepare(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        prepare(tmp_path / "file" / "below")
