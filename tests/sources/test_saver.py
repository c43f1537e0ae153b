"""The saver: when it writes and when it doesn't, on a real file system, in virtual time."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from kdns.cluster.snapshot import FORMAT, Header, Origin, Rows
from kdns.sources import snapshot
from kdns.sources.saver import Saver
from tests import virtual_time
from tests.serve.conversation import until, virtually

ORIGIN = Origin("https://10.96.0.1:443", "all")
ROWS: Rows = {"services": {"shop": {"web": b"1"}}}


class Scene:
    """A saver, what there is to save, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = True
        self.current_s = time.time()
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.saver = Saver(folder, ORIGIN, self.take, lambda: 0.5, self)

    def take(self) -> tuple[Header, Rows] | None:
        return (Header(*ORIGIN, self.current_s, 7, {"services": 1}), ROWS) if self.known else None

    def info(self, event: str, /, **keys: Any) -> None:
        self.lines.append((event, keys))

    warning = info

    @property
    def events(self) -> Counter[str]:
        return Counter(event for event, _ in self.lines)

    @property
    def writes(self) -> int:
        return self.saver.numbers.writes

    async def finish(self) -> None:
        """Time passes meanwhile, since threads don't live in it."""
        task = asyncio.ensure_future(self.saver.finish())
        await until(task.done)
        await task

    async def ran(self, seconds: float) -> int:
        """How often it has written when so much time has passed."""
        await asyncio.sleep(seconds)
        return self.writes


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    made = Scene(folder)
    task = asyncio.ensure_future(made.saver.run())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@virtually
async def test_the_first_change_is_written_soon_and_later_ones_after_a_minute(tmp_path: Path) -> None:
    async with scene(tmp_path / "new") as made:
        assert await made.ran(600) == 0
        made.saver.changed()
        await until(lambda: made.writes == 1)
        found = snapshot.load(tmp_path / "new", ORIGIN, time.time())
        assert found is not None
        assert (found.rows, found.size_bytes) == (ROWS, made.saver.numbers.size_bytes)
        for _ in range(50):
            made.saver.changed()
        assert await made.ran(58) == 1
        await until(lambda: made.writes == 2)
        assert made.events == {"snapshot_written": 1}


def test_without_a_change_it_is_written_once_an_hour(tmp_path: Path) -> None:
    async def hours() -> None:
        async with scene(tmp_path) as made:
            made.saver.changed()
            await until(lambda: made.writes == 1)
            assert await made.ran(3650) == 1
            await asyncio.sleep(9)
            await until(lambda: made.writes == 2)

    virtual_time.run(hours())


@virtually
async def test_what_is_not_known_to_be_current_is_not_written(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.known = False
        made.saver.changed()
        assert await made.ran(3000) == 0
        assert made.saver.load() is None


@virtually
async def test_what_fails_is_told_once_counted_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("in the way")
    async with scene(folder) as made:
        made.saver.prepare()
        made.saver.changed()
        await asyncio.sleep(200)
        assert made.saver.numbers.failures == 4
        assert (made.writes, made.events) == (0, {"snapshot_not_written": 1})
        ((_, keys),) = made.lines
        assert (keys["path"], keys["reason"]) == (str(folder / "cluster.snapshot"), "File exists")
        folder.unlink()
        await asyncio.sleep(50)
        await until(lambda: made.writes == 1)
        assert made.events == {"snapshot_not_written": 1, "snapshot_written": 1}


# The end


@virtually
async def test_at_the_end_a_change_is_written(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.saver.changed()
        await until(lambda: made.writes == 1)
        made.saver.changed()
    await made.finish()
    assert made.writes == 2


@virtually
async def test_at_the_end_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.saver.changed()
        await until(lambda: made.writes == 1)
    made.current_s += 59
    await made.finish()
    assert made.writes == 1
    made.current_s += 1
    await made.finish()
    assert made.writes == 2


@virtually
async def test_at_the_end_nothing_takes_the_place_of_the_last_good_state(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.saver.changed()
        await until(lambda: made.writes == 1)
        before = made.saver.path.read_bytes()
        made.known = False  # a relist has begun from nothing, say
        made.saver.changed()
    await made.finish()
    assert made.saver.path.read_bytes() == before


@virtually
async def test_who_is_told_to_stop_while_it_writes_finishes_that(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.saver.changed()
        await until(lambda: made.saver._saving is not None)
    await made.finish()
    assert made.writes == 1
    assert (tmp_path / "cluster.snapshot").exists()


# The start


@virtually
async def test_what_was_written_is_there_for_the_next(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.saver.changed()
        await until(lambda: made.writes == 1)
    later = Scene(tmp_path)
    found = later.saver.load()
    assert found is not None
    assert (found.rows, later.saver.numbers.current_s) == (ROWS, made.current_s)


def test_what_is_not_to_be_used_is_told_and_counted(tmp_path: Path) -> None:
    made = Scene(tmp_path)
    assert made.saver.load() is None
    assert made.lines == []
    (tmp_path / "cluster.snapshot").write_bytes(b"kdnssnap" + (FORMAT + 1).to_bytes(2, "big"))
    assert made.saver.load() is None
    assert made.saver.numbers.rejected == {"format": 1}
    ((event, keys),) = made.lines
    assert (event, keys) == (
        "snapshot_rejected",
        {
            "path": str(tmp_path / "cluster.snapshot"),
            "reason": "format",
            "found": f"found format {FORMAT + 1} of snapshots, expected {FORMAT}",
        },
    )
