"""Trouble: a row of the table, and an upstream that hears and says nothing."""

import socket

import pytest

from bench.load import Result
from bench.report import Report
from bench.table import lines
from bench.trouble import Trouble, silent_upstream


def result(p99: float, lost: int = 0, completed: int = 100) -> Result:
    return Result(completed + lost, completed, lost, 0, 1.0, 50.0, {"p99": p99}, None, 91)


def test_a_row_has_the_ratio_and_what_was_lost_by_phase() -> None:
    made = Report("python -m bench", {"processor": "one"}, {"kdns": "1"})
    own = {"calm": result(200), "beside": result(220), "trouble": result(250, 3), "after": result(190)}
    made.troubles["kdns"] = [
        Trouble(own, result(9, 300), {"calm": 12.0, "beside": 13.0, "trouble": 30.0, "after": 11.0}, 0.05)
    ]
    assert "| kdns | 200 | 220 | 250 | 1.25 | 1.14 | 190 | 0 | 0 | 3 | 0 | 25.0 | 12.0 | 13.0 | 30.0 | 5.0 |" in list(
        lines(made)
    )


def test_a_silent_upstream_hears_and_says_nothing() -> None:
    with silent_upstream() as port, socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.connect(("127.0.0.1", port))
        asking.settimeout(0.05)
        for _ in range(2):  # the second would be refused if nobody heard
            asking.send(b"?")
        with pytest.raises(TimeoutError):
            asking.recv(1)
