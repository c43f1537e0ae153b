"""What dnsperf prints, read."""

from pathlib import Path

import pytest

from bench.load import LoadError, command, percentiles, read
from bench.questions import SETS

PRINTED = """DNS Performance Testing Tool
Version 2.10.0

[Status] Command line: dnsperf -s 127.0.0.1 -v
> NOERROR a.example.com A 0.000100
> NXDOMAIN b.example.com A 0.000300
> T c.example.com A
[Status] Testing complete (time limit)

Statistics:

  Queries sent:         4
  Queries completed:    3 (75.00%)
  Queries lost:         1 (25.00%)

  Response codes:       NOERROR 1 (33.33%), SERVFAIL 1 (33.33%), NXDOMAIN 1 (33.33%)
  Average packet size:  request 42, response 91
  Run time (s):         2.000215
  Queries per second:   1.500000

  Average Latency (s):  0.000200 (min 0.000100, max 0.000300)
"""


def test_a_run_says_what_was_answered_lost_and_failed() -> None:
    result = read(PRINTED, used_s=0.0003)
    assert (result.sent, result.completed, result.lost, result.failed) == (4, 3, 1, 1)
    assert (result.seconds, result.reply_bytes) == (2.000215, 91)
    assert result.mean_us == pytest.approx(200)


def test_cpu_time_is_counted_per_query_completed() -> None:
    assert read(PRINTED, used_s=0.0003).cpu_us == pytest.approx(100)


def test_without_an_answer_there_is_no_cpu_time_per_query() -> None:
    assert read(PRINTED.replace("completed:    3", "completed:    0"), used_s=0.1).cpu_us is None


def test_percentiles_are_of_the_answers_that_came() -> None:
    found = read(PRINTED, used_s=0.1).percentiles_us
    assert found == {
        "p50": pytest.approx(300),
        "p90": pytest.approx(300),
        "p99": pytest.approx(300),
        "p99.9": pytest.approx(300),
    }


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentiles(range(1000)) == {"p50": 500, "p90": 900, "p99": 990, "p99.9": 999}
    assert percentiles(()) == {}


def test_what_is_no_report_of_dnsperf_is_an_error() -> None:
    with pytest.raises(LoadError):
        read("dnsperf: unable to connect", used_s=0.1)


def test_only_a_rate_has_every_answer_printed() -> None:
    lines = {each.name: command(each, Path("file"), 53, 3, (1,)) for each in SETS}
    assert [name for name, line in lines.items() if "-v" in line] == ["hot, 10,000 qps", "external, cold, 2,000 qps"]
