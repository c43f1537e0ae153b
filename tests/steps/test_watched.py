"""Files that directives live by: what is there counts; while it isn't, what was there."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kdns.steps.watched import OCTETS_MAX, DamagedError, Portions, Watched
from tests.steps.cached import running_or_stopped
from tests.steps.telling import surroundings
from tests.virtual_time import VirtualTimeLoop, run


class Known:
    """What somebody made of a file: its lines, each a portion of the work; damaged is a line that makes no sense."""

    def __init__(self, path: Path, every_s: float = 0.0) -> None:
        self.lines: list[bytes] | None = None
        with capture_logs() as self.logged:
            self.watched = Watched(str(path), self._take, surroundings(), every_s)

    def _take(self, octets: bytes) -> Portions:
        lines = []
        for line in octets.splitlines():
            if line == b"damaged":
                raise DamagedError("found damaged, expected anything else")
            lines.append(line)
            yield
        self.lines = lines

    @property
    def events(self) -> list[str]:
        return [entry["event"] for entry in self.logged]


async def pass_time(known: Known, seconds: float = 6.0) -> list[str]:
    """What was logged meanwhile."""
    loop = running_or_stopped()
    with capture_logs() as logged:
        await asyncio_sleep(loop, seconds)
    known.logged = logged
    return known.events


async def asyncio_sleep(loop: VirtualTimeLoop, seconds: float) -> None:
    future = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    await future


def write(path: Path, text: str) -> None:
    path.write_text(text)


def take_away(path: Path) -> None:
    path.rename(path.with_name("away"))


def bring_back(path: Path) -> None:
    path.with_name("away").rename(path)


def remove_folder(path: Path) -> None:
    path.rmdir()


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    one = tmp_path / "file"
    one.write_text("a\nb\n")
    os.utime(one, (1000, 1000))
    return one


def test_the_file_is_read_before_anything_is_asked(path: Path) -> None:
    known = Known(path)
    assert known.lines == [b"a", b"b"]
    assert known.watched.written_at == 1000
    assert known.events == ["file_read"]


def test_a_file_that_is_missing_at_first_is_read_once_it_is_there(path: Path) -> None:
    async def scene() -> None:
        take_away(path)
        known = Known(path, 5.0)
        assert (known.lines, known.events) == (None, ["file_unusable"])
        assert known.logged[0]["meanwhile"] == "nothing is known of it"
        assert await pass_time(known, 60) == []  # once is enough
        bring_back(path)
        assert await pass_time(known) == ["file_there_again", "file_read"]
        assert known.lines == [b"a", b"b"]
        known.watched.close()

    run(scene())


def test_a_change_is_seen_and_nothing_is_read_without_one(path: Path) -> None:
    async def scene() -> None:
        known = Known(path, 5.0)
        assert await pass_time(known, 60) == []
        write(path, "c\n")
        assert await pass_time(known) == ["file_read"]
        assert known.lines == [b"c"]
        known.watched.close()

    run(scene())


def test_another_file_of_the_same_time_and_size_is_seen(path: Path) -> None:
    async def scene() -> None:
        known = Known(path, 5.0)
        other = path.with_name("other")
        other.write_text("c\nd\n")
        os.utime(other, (1000, 1000))
        other.rename(path)
        await pass_time(known)
        assert known.lines == [b"c", b"d"]
        known.watched.close()

    run(scene())


def test_what_was_read_holds_while_the_file_is_away_or_makes_no_sense(path: Path) -> None:
    async def scene() -> None:
        known = Known(path, 5.0)
        take_away(path)
        assert await pass_time(known) == ["file_unusable"]
        assert known.logged[0]["meanwhile"] == "what was read before holds"
        assert await pass_time(known, 60) == []
        make_folder(path)
        assert await pass_time(known) == ["file_unusable"]  # another reason
        remove_folder(path)
        write(path, "x\ndamaged\n")
        assert await pass_time(known) == ["file_there_again", "file_unusable"]
        assert known.logged[1]["reason"] == "found damaged, expected anything else"
        assert await pass_time(known, 60) == []
        assert (known.lines, known.watched.written_at) == ([b"a", b"b"], 1000)
        write(path, "y\n")
        assert await pass_time(known) == ["file_read"]
        assert known.lines == [b"y"]
        known.watched.close()

    run(scene())


def test_a_file_as_it_was_read_is_not_read_again_when_it_comes_back(path: Path) -> None:
    async def scene() -> None:
        known = Known(path, 5.0)
        take_away(path)
        await pass_time(known)
        bring_back(path)
        assert await pass_time(known) == ["file_there_again"]
        known.watched.close()

    run(scene())


def test_a_file_too_large_is_not_used(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(OCTETS_MAX + 1)
    known = Known(path)
    assert known.lines is None
    assert known.logged[0]["reason"] == f"found more than {OCTETS_MAX} octets, expected no more"


def test_a_pipe_nobody_writes_to_holds_nothing_up(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert Known(pipe).lines == []


def test_what_is_no_file_has_its_content(tmp_path: Path) -> None:
    assert Known(Path("/dev/null")).lines == []


@pytest.mark.parametrize("every_s", [0.0, 5.0])
def test_without_an_interval_or_when_closed_the_file_is_looked_at_no_more(path: Path, every_s: float) -> None:
    async def scene() -> None:
        known = Known(path, every_s)
        if every_s:
            known.watched.close()
        write(path, "c\n")
        assert await pass_time(known, 60) == []
        assert known.lines == [b"a", b"b"]

    run(scene())


def test_each_portion_of_a_change_has_its_own_turn_of_the_loop(path: Path) -> None:
    async def scene() -> None:
        known = Known(path, 5.0)
        loop = running_or_stopped()
        write(path, "x\n" * 10)
        turns = []

        def count() -> None:
            if known.lines == [b"x"] * 10:
                return
            turns.append(1)
            loop.call_soon(count)

        loop.call_later(5.0, count)
        await pass_time(known)
        assert known.lines == [b"x"] * 10
        assert 9 <= len(turns) <= 12
        known.watched.close()

    run(scene())


def test_no_descriptor_is_left_open(path: Path) -> None:
    before = os.dup(0)
    os.close(before)
    for _ in range(20):
        Known(path)
        Known(path.parent)
    after = os.dup(0)
    os.close(after)
    assert after == before
