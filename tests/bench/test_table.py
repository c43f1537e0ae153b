"""The tables: medians, ratios, and cells for what wasn't measured."""

import json
from pathlib import Path

from bench.load import Result
from bench.report import Report, write_json
from bench.start import Relist, Start
from bench.table import lines, ratio, spread

MIB = 1 << 20


def result(cpu_us: float | None, lost: int = 0) -> Result:
    completed = 0 if cpu_us is None else 100
    return Result(completed + lost, completed, lost, 0, 2.0, 50.0, {}, cpu_us, 91)


def report() -> Report:
    made = Report("python -m bench", {"processor": "one"}, {"kdns": "1", "CoreDNS": "2", "NSD": "3"})
    made.starts["kdns"] = [Start(1.5, (10 * MIB, 30 * MIB))]
    made.relists["kdns"] = Relist(50 * MIB, 40 * MIB, 44 * MIB, 41 * MIB, 3, 100, None)
    made.loads["hot"] = {"kdns": [result(5), result(9), result(6)], "CoreDNS": [result(30)]}
    made.loads["TCP"] = {"kdns": [result(5)], "CoreDNS": [result(None, lost=7)]}
    return made


def test_a_cell_is_the_median_with_the_extremes() -> None:
    assert spread([3, 1, 2]) == "2.0 (1.0 to 3.0)"
    assert spread([1234.5], 0) == "1,234"
    assert spread([]) == ""


def test_a_ratio_is_ours_divided_by_theirs() -> None:
    assert ratio([1, 2, 3], [4]) == "0.50"
    assert ratio([1], []) == ratio([], [1]) == ""


def test_rows_compare_servers_and_leave_out_what_was_not_measured() -> None:
    found = list(lines(report()))
    assert "| hot | 6.0 (5.0 to 9.0) | 30.0 | 0.20 |" in found
    assert "| TCP | 5.0 |  |  |" in found
    assert "- TCP, CoreDNS: of 7 queries lost 7, and 0 answered by neither NOERROR nor NXDOMAIN" in found


def test_memory_is_shown_of_the_tree_and_of_each_process() -> None:
    found = list(lines(report()))
    assert "| kdns | 1.50 | 40.0 | 10.0 + 30.0 |" in found
    assert "| kdns | 50.0 | 40.0 | 44.0 | 1.10 | 41.0 | never | 3 |" in found


def test_a_round_that_came_to_nothing_is_told() -> None:
    made = report()
    made.failures.append("hot, NSD: dnsperf didn't end")
    assert "- hot, NSD: dnsperf didn't end" in list(lines(made))


def test_a_report_of_nothing_is_what_it_ran_on() -> None:
    found = list(lines(Report("python -m bench", {"processor": "one"}, {"kdns": "1"})))
    assert [line for line in found if line.startswith("\n##")] == ["\n## Commands\n"]


def test_the_file_has_every_round_by_name(tmp_path: Path) -> None:
    write_json(report(), tmp_path / "bench.json")
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [each["cpu_us"] for each in written["loads"]["hot"]["kdns"]] == [5, 9, 6]
