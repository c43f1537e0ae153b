"""Zone files on disk: read by a real child process, and again when they have changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kdns.dns import types
from kdns.dns.names import from_text
from kdns.steps.zonefiles import UnreadableError, ZoneFile, read
from tests.zone.zonefile import lines

ORG = from_text("example.org.")


class Log:
    """Keeps events and what they say."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **keys: Any) -> None:
        self.events.append((event, keys))

    warning = error = info

    @property
    def names(self) -> list[str]:
        return [event for event, _ in self.events]


def zone(serial: int, more: str = "") -> str:
    return f"$TTL 300\n@ SOA ns hostmaster {serial} 7200 1800 86400 60\n@ NS ns\nns A 192.0.2.1\n{more}\n"


def read_text(path: Path, text: str) -> list[str]:
    path.write_text(text)
    return lines(tuple(asyncio.run(read(str(path), ORG)).zone.sets()))


def test_what_a_file_may_hold(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("inside A 192.0.2.9\n")
    found = read_text(
        tmp_path / "db",
        """$ORIGIN org.
example 1h IN SOA ns.example (
    host\\.master.example ; a comment
    7 2h 30M 1D 1m )
$TTL 2m
        IN NS ns.example
        5 IN NS ns2.example.org.
$ORIGIN example.org.
a\\.b 7 TXT "one string" two\\"three
IN\\097 A 192.0.2.1
unknown TYPE65280 \\# 3 010203
$INCLUDE more sub.example.org.
$GENERATE 1-2 host$ A 192.0.2.1$
outside.test. A 192.0.2.2
""",
    )
    assert found == [
        "example.org. 3600 SOA ns.example.org. host\\.master.example.org. 7 7200 1800 86400 60",
        "example.org. 5 NS ns.example.org.",
        "example.org. 5 NS ns2.example.org.",
        'a\\.b.example.org. 7 TXT "one string" "two\\"three"',
        "INa.example.org. 120 A 192.0.2.1",
        "unknown.example.org. 120 TYPE65280 \\# 3 010203",
        "inside.sub.example.org. 120 A 192.0.2.9",
        "host1.example.org. 120 A 192.0.2.11",
        "host2.example.org. 120 A 192.0.2.12",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no SOA at example.org., expected one"),
        ("www 5 A 192.0.2.1\n", "no SOA at example.org., expected one"),
        (zone(1, "www A 192.0.2.300"), "db:[56]: "),
        (zone(1, "www NOTYPE x"), "db:5: unknown rdatatype"),
        (zone(1, "$INCLUDE nothing"), "nothing"),
        (zone(1, 'www TXT "open'), "db:[56]: "),
        (zone(1, "www CNAME ns\nwww A 192.0.2.1"), "CNAME"),
        ("\x00\xff", "not allowed"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "db"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UnreadableError, match=why):
        asyncio.run(read(str(path), ORG))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="No such file"):
        asyncio.run(read(str(tmp_path / "none"), ORG))


@asynccontextmanager
async def watching(path: Path, log: Log, *, by_mtime: bool = False) -> AsyncIterator[ZoneFile]:
    """Looks at the file all the time."""
    file = ZoneFile(ORG, str(path), 0.001, by_mtime)
    task = asyncio.get_running_loop().create_task(file.watch(log))
    try:
        yield file
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - once; a file owes it no event
            await asyncio.sleep(0.005)


def replace(path: Path, text: str) -> None:
    """As a mounted ConfigMap changes: at once."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def test_a_changed_file_is_read_again_if_its_serial_has_changed(tmp_path: Path) -> None:
    async def main() -> None:
        path, log = tmp_path / "db", Log()
        path.write_text(zone(1))
        async with watching(path, log) as file:
            told: list[int] = []
            file.on_change.append(lambda: told.append(file.zone.serial if file.zone else 0))
            await until(lambda: file.zone)
            replace(path, zone(1, "www A 192.0.2.2"))
            await until(lambda: "zone_file_has_the_same_serial" in log.names)
            assert file.zone is not None
            assert file.zone.look(from_text("www.example.org."), types.A).absent
            replace(path, zone(2, "www A 192.0.2.2"))
            await until(lambda: file.zone and file.zone.serial == 2)
            assert told == [1, 2]
            assert not file.zone.look(from_text("www.example.org."), types.A).absent

    asyncio.run(main())


def test_with_reload_by_mtime_any_change_counts(tmp_path: Path) -> None:
    async def main() -> None:
        path, log = tmp_path / "db", Log()
        path.write_text(zone(1))
        async with watching(path, log, by_mtime=True) as file:
            await until(lambda: file.zone)
            replace(path, zone(1, "www A 192.0.2.2"))
            await until(lambda: file.zone and not file.zone.look(from_text("www.example.org."), types.A).absent)
        assert log.names == ["zone_file_read", "zone_file_read"]

    asyncio.run(main())


def test_a_file_that_is_wrong_or_gone_leaves_the_zone_as_it_is_and_is_told_once(tmp_path: Path) -> None:
    async def main() -> None:
        path, log = tmp_path / "db", Log()
        path.write_text(zone(1))
        async with watching(path, log) as file:
            await until(lambda: file.zone)
            replace(path, zone(2, "www A nothing"))
            await until(lambda: "zone_file_unreadable" in log.names)
            path.unlink()
            await until(lambda: log.names.count("zone_file_unreadable") == 2)
            replace(path, zone(3))
            await until(lambda: file.zone and file.zone.serial == 3)
        assert log.names == ["zone_file_read", "zone_file_unreadable", "zone_file_unreadable", "zone_file_read"]
        assert log.events[1][1]["goes_on_with"] == 1
        assert "Text input is malformed" in log.events[1][1]["error"]

    asyncio.run(main())


def test_a_file_taken_in_by_another_is_looked_at_too(tmp_path: Path) -> None:
    async def main() -> None:
        path, log = tmp_path / "db", Log()
        (tmp_path / "soa").write_text(zone(1))
        path.write_text("$INCLUDE soa\n")
        async with watching(path, log) as file:
            await until(lambda: file.zone)
            replace(tmp_path / "soa", zone(2))
            await until(lambda: file.zone and file.zone.serial == 2)

    asyncio.run(main())
