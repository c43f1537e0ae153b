"""Overload: what the flood printed, and when others were answered as before."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.native import build
from bench.overload import Flood, Shared, read, recovered_s
from bench.report import Report
from bench.streams import Streams
from bench.table import lines

FINE, SLOW, LOST = 100, 9000, -1
AFTER = 3.0


def after(*latencies: int) -> list[tuple[int, int, int]]:
    """Queries of the last phase, a millisecond apart."""
    return [(2, round(AFTER * 1e6) + 1000 * place, latency) for place, latency in enumerate(latencies)]


@pytest.mark.parametrize(
    ("latencies", "expected"),
    [
        ([FINE] * 10, 0.0),
        ([LOST] * 7 + [FINE] * 10, 0.007),
        ([SLOW] + [FINE] * 9 + [SLOW] + [FINE] * 10, 0.011),
        ([FINE] * 10 + [SLOW], 0.0),
        ([FINE] * 9, None),
        ([LOST] * 20, None),
    ],
)
def test_recovered_is_when_ten_in_a_row_are_answered_as_before(latencies: list[int], expected: float | None) -> None:
    assert recovered_s(after(*latencies), AFTER) == (expected if expected is None else pytest.approx(expected))


def test_what_the_flood_printed_is_read() -> None:
    found = read(["flood 100 90 20 300", "had 0.98", "other 0 10 50", "other 1 20 -1"])
    assert (found.sent, found.answered, found.p50_us, found.p99_us, found.had) == (100, 90, 20, 300, 0.98)
    assert found.others == ((0, 10, 50), (1, 20, -1))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc to build the flood")
@pytest.mark.parametrize("wrong", ["port=0", "rate=-1", "calm=61", "sources=251", "what=1"])
def test_a_flood_without_bounds_or_target_is_refused(wrong: str, tmp_path: Path) -> None:
    questions = tmp_path / "questions"
    questions.write_text("a.example A\n")
    line = (build(tmp_path, "flood"), "port=9", f"questions={questions}", wrong)
    done = subprocess.run(line, capture_output=True, check=False, timeout=30)
    assert done.returncode == 2
    assert done.stderr


def test_floods_connections_and_workers_are_rows() -> None:
    by_phase = {"calm": {"p99": 80.0}, "flood": {"p99": 120.0}}
    flood = Flood(5000, 900, 20, 3000, {"flood": 200}, {"flood": 1}, by_phase, None, 1 << 20, 0.02)
    made = Report("python -m bench", {"processor": "one"}, {"kdns": "1"})
    made.peaks["kdns"] = [1000]
    made.floods["all"] = {"kdns": [flood]}
    made.streams["many"] = {"kdns": [Streams(500, 1000, 999, 2.5, 610, 1 << 20)]}
    made.shared["half"] = [Shared(2, 500, 499, 6.0, (0.51, 0.49))]
    found = list(lines(made))
    assert "| all | kdns | 5.0 | 0.90 | 3.0 | 0.5 | 80 | 120 | 1.50 | never | 1.0 | 2.0 |" in found
    assert "| many | kdns | 500 | 999 of 1000 | 2.5 | 610 | 1.0 |" in found
    assert "| half | 2 | 500 | 499 | 6.00 | 0.51 + 0.49 |" in found
