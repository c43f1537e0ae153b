"""Logs: one line per event, and nothing from outside can make it two."""

import io
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.defaults import LEVELS
from kdns.ops.logs import Repeated, configure


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def lines(stream: io.StringIO) -> list[str]:
    """What was written, without the time stamps."""
    return [line.partition(" ")[2] for line in stream.getvalue().splitlines()]


def test_a_line_names_level_process_and_event_before_its_keys() -> None:
    configure("info", "controller", stream := io.StringIO())
    structlog.get_logger().info("zone_synced", revision=3, resource="services", whole=True)
    assert lines(stream) == ["level=info process=controller event=zone_synced revision=3 resource=services whole=true"]


def test_the_time_stamp_is_utc_and_comes_first() -> None:
    configure("info", "controller", stream := io.StringIO())
    structlog.get_logger().info("zone_synced")
    assert stream.getvalue().startswith("timestamp=2")
    assert stream.getvalue().split()[0].endswith("Z")


@pytest.mark.parametrize(("level", "events"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_events_below_the_level_are_not_written(level: str, events: int) -> None:
    configure(level, "controller", stream := io.StringIO())
    for each in LEVELS:
        getattr(structlog.get_logger(), each)("said")
    assert len(lines(stream)) == events


def test_a_logger_made_before_a_fork_takes_the_new_process_name() -> None:
    log = structlog.get_logger()
    configure("info", "controller", io.StringIO())
    log.info("started")
    configure("info", "worker 1", stream := io.StringIO())
    log.info("started")
    assert lines(stream) == ['level=info process="worker 1" event=started']


def test_an_exception_is_one_line_beside_a_terminal() -> None:
    configure("info", "controller", stream := io.StringIO())
    try:
        int("broken")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines(stream)
    assert line.endswith(r"with base 10: 'broken'" + '"')


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@given(text=st.text())
def test_nothing_from_outside_breaks_a_line_or_reaches_a_terminal(stream: type[io.StringIO], text: str) -> None:
    configure("info", "controller", out := stream())
    structlog.get_logger().info("asked", name=text)
    assert len(out.getvalue().splitlines()) == 1
    if not out.isatty():
        assert out.getvalue()[:-1].isprintable()


def test_octets_are_shown_and_not_decoded() -> None:
    configure("info", "controller", stream := io.StringIO())
    structlog.get_logger().info("asked", name=b"\x1b[31m\xff")
    assert lines(stream) == [r"level=info process=controller event=asked name=b'\x1b[31m\xff'"]


def test_on_a_terminal_a_line_is_coloured() -> None:
    configure("info", "controller", stream := Terminal())
    structlog.get_logger().info("zone_synced", revision=3)
    assert "\x1b[" in stream.getvalue()


@pytest.mark.parametrize("broken", ["full", "closed"])
def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(broken: str) -> None:
    stream = Full()
    configure("info", "controller", stream)
    if broken == "closed":
        stream.close()
    structlog.get_logger().info("zone_synced")


def test_trouble_is_logged_when_it_begins_changes_and_ends() -> None:
    configure("info", "controller", stream := io.StringIO())
    watch = Repeated("watch_failed")
    for reason in ("refused", "refused", "refused", "timeout"):
        watch.trouble("services", reason)
    watch.over("services")
    watch.over("services")
    assert [line.partition("event=")[2] for line in lines(stream)] == [
        "watch_failed subject=services reason=refused",
        "watch_failed subject=services reason=timeout",
        "watch_failed_over subject=services times=1",
    ]


def test_troubles_of_two_subjects_are_told_apart() -> None:
    configure("info", "controller", stream := io.StringIO())
    watch = Repeated("watch_failed")
    watch.trouble("services", "refused", attempt=1)
    watch.trouble("pods", "refused", attempt=1)
    assert len(lines(stream)) == 2


def test_the_subjects_remembered_are_bounded() -> None:
    configure("error", "controller", io.StringIO())
    watch = Repeated("object_broken")
    for number in range(5000):
        watch.trouble(f"Service/shop/{number}", "bad")
    configure("info", "controller", stream := io.StringIO())
    watch.trouble("Service/shop/4999", "bad")
    watch.trouble("Service/shop/0", "bad")
    assert len(lines(stream)) == 1
