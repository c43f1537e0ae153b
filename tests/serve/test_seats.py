"""Who sits in seats: who makes no progress, and who only waits for a processor."""

import os
import signal
import socket
from pathlib import Path

import pytest

from kdns.serve.seats import Limits, Seat, Staff, kept_waiting_s
from kdns.serve.signals import Signals
from tests.server import until

COUNTED = Path("/proc/self/schedstat").exists()


class Heard:
    """A log of the silent."""

    def __init__(self) -> None:
        self.silent: list[object] = []

    def error(self, event: str, **keys: object) -> None:
        if event == "process_silent":
            self.silent.append(keys["child"])

    info = warning = exception = error


def busy(_control: socket.socket, _restarts: int) -> int:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    while True:
        pass


def idle(_control: socket.socket, _restarts: int) -> int:
    signal.pause()
    return 0


@pytest.mark.skipif(not COUNTED, reason="the system doesn't count how long processes wait for a processor")
def test_who_waits_for_a_processor_is_not_taken_for_silent() -> None:
    log = Heard()
    seats = [Seat(name, None, 0.1, (), run) for name, run in (("one", busy), ("other", busy), ("idle", idle))]
    signals = Signals()
    staff = Staff(Limits(clock=lambda: 0.0), log, signals, tuple)

    def looked_at(seconds: float) -> list[object]:
        staff.now = seconds
        staff.kill_silent()
        return log.silent

    try:
        for seat in seats:
            assert staff.start(seat)
        children = {seat.name: child for seat, child in staff.living}
        until(lambda: all(kept_waiting_s(children[name].pid) > 0.2 for name in ("one", "other")))
        assert looked_at(0.15) == ["idle"]
        # In which nobody can have been kept waiting that long.
        assert sorted(map(str, looked_at(3600.0))) == ["idle", "idle", "one", "other"]
        until(lambda: len(list(staff.dead())) + len(staff.living) == len(seats))
    finally:
        staff.close()
        signals.close()
        for child in children.values():
            child.control.close()


def test_who_is_gone_waits_for_nothing() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert kept_waiting_s(pid) == 0.0
