"""The lines of errors: to the letter of CoreDNS, one by one or consolidated, in virtual time."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.errors import Consolidation, Level
from kdns.config.directives.errors import Errors as Settings
from kdns.config.kinds import duration_s
from kdns.config.patterns import Pattern
from kdns.dns import types
from kdns.dns.names import Name, from_text
from kdns.dns.query import Query
from kdns.dns.records import ExtendedError
from kdns.steps.chain import Failed
from kdns.steps.errors import Errors, cause_of, go_duration
from tests import virtual_time
from tests.virtual_time import VirtualTimeLoop

WWW = Query(from_text("WWW.example.com."), types.A)
TIMED_OUT = Failed(types.SERVFAIL, ExtendedError(types.EDE_NO_REACHABLE_AUTHORITY, "192.0.2.53:53 timed out"))
TIMEOUT = "read udp 192.0.2.53:53: i/o timeout"
OTHER = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "no place left"))


def alike(period_s: float, pattern: str, level: Level = "error", *, show_first: bool = False) -> Consolidation:
    return Consolidation(period_s, Pattern.compiled(pattern), level, show_first)


def told(query: Query, outcome: Failed) -> list[str]:
    lines: list[str] = []
    loop = VirtualTimeLoop()
    loop.close()
    Errors(Settings(), loop, lines.append).failed(query, outcome)
    return lines


@pytest.mark.parametrize(
    ("query", "outcome", "line"),
    [
        (WWW, TIMED_OUT, f"[ERROR] plugin/errors: 2 www.example.com. A: {TIMEOUT}"),
        (Query(from_text("."), types.NS), OTHER, "[ERROR] plugin/errors: 2 . NS: no place left"),
        (Query(from_text("a.b."), 65280), OTHER, "[ERROR] plugin/errors: 2 a.b. TYPE65280: no place left"),
        (WWW, Failed(types.REFUSED), "[ERROR] plugin/errors: 5 www.example.com. A: REFUSED"),
        (
            WWW,
            Failed(types.SERVFAIL, cause=ValueError("x\n[ERROR] y")),
            r"[ERROR] plugin/errors: 2 www.example.com. A: internal error: ValueError: x\n[ERROR] y",
        ),
        (
            Query(Name(b"\x04a\n\x1b.\0"), types.A),
            OTHER,
            r"[ERROR] plugin/errors: 2 a\010\027\.. A: no place left",
        ),
    ],
)
def test_a_failure_is_a_line(query: Query, outcome: Failed, line: str) -> None:
    assert told(query, outcome) == [line]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("192.0.2.53:53 timed out", TIMEOUT),
        ("[2001:db8::1]:53 Connection refused", "read udp [2001:db8::1]:53: read: connection refused"),
        ("192.0.2.1:53 Network is unreachable", "read udp 192.0.2.1:53: connect: network is unreachable"),
        ("192.0.2.1:53 answered REFUSED; 192.0.2.53:53 timed out", f"192.0.2.1:53 answered REFUSED; {TIMEOUT}"),
        ("no upstream is set", "no upstream is set"),
    ],
)
def test_what_upstreams_did_is_told_in_gos_words(text: str, cause: str) -> None:
    assert cause_of(Failed(types.SERVFAIL, ExtendedError(types.EDE_NO_REACHABLE_AUTHORITY, text))) == cause


@pytest.mark.parametrize("pattern", [".* i/o timeout$", "^read udp .* i/o timeout$"])
def test_patterns_written_for_coredns_fit(pattern: str) -> None:
    assert Pattern.compiled(pattern).search(cause_of(TIMED_OUT)) is not None


@given(st.text(), st.text())
def test_no_text_breaks_a_line(text: str, more: str) -> None:
    for outcome in (Failed(2, ExtendedError(22, text)), Failed(2, cause=RuntimeError(more))):
        (line,) = told(WWW, outcome)
        assert line.isprintable()


def played(settings: Settings, at: list[tuple[float, Failed]], *, debug: bool = False, end: float = 100.0) -> list[str]:
    """The lines, each with its second, of failures at these seconds; closed at the end."""
    lines: list[str] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        errors = Errors(settings, loop, lambda line: lines.append(f"{loop.time():g} {line}"), debug=debug)
        for second, outcome in at:
            loop.call_at(second, errors.failed, WWW, outcome)
        await asyncio.sleep(end)
        errors.close()

    virtual_time.run(scene())
    return [line.replace("plugin/errors: ", "") for line in lines]


THREE = [(1.0, TIMED_OUT), (2.0, TIMED_OUT), (30.0, TIMED_OUT)]
LINE = f"2 www.example.com. A: {TIMEOUT}"


@pytest.mark.parametrize(
    ("consolidations", "at", "lines"),
    [
        pytest.param(
            (alike(30.0, "timeout$"),),
            THREE,
            ["31 [ERROR] 3 errors like 'timeout$' occurred in last 30s"],
            id="counted",
        ),
        pytest.param(
            (alike(30.0, "timeout$"),),
            THREE[:1],
            ["31 [ERROR] 1 errors like 'timeout$' occurred in last 30s"],
            id="one",
        ),
        pytest.param(
            (alike(10.0, "timeout$", "warning"),),
            THREE,
            [
                "11 [WARNING] 2 errors like 'timeout$' occurred in last 10s",
                "40 [WARNING] 1 errors like 'timeout$' occurred in last 10s",
            ],
            id="a period begins with its first",
        ),
        pytest.param(
            (alike(30.0, "timeout$", "warning", show_first=True),),
            THREE,
            [f"1 [WARNING] {LINE}", "31 [WARNING] 3 errors like 'timeout$' occurred in last 30s"],
            id="show_first",
        ),
        pytest.param(
            (alike(30.0, "timeout$", show_first=True),), THREE[:1], [f"1 [ERROR] {LINE}"], id="show_first of one"
        ),
        pytest.param(
            (alike(30.0, "^never"), alike(60.0, "i/o"), alike(30.0, "timeout$")),
            THREE,
            ["61 [ERROR] 3 errors like 'i/o' occurred in last 1m0s"],
            id="the first pattern that fits",
        ),
        pytest.param(
            (alike(30.0, "timeout$"),),
            [(1.0, OTHER), *THREE[:1]],
            [
                "1 [ERROR] 2 www.example.com. A: no place left",
                "31 [ERROR] 1 errors like 'timeout$' occurred in last 30s",
            ],
            id="others at once",
        ),
        pytest.param((alike(30.0, "timeout$", "debug", show_first=True),), THREE, [], id="debug isn't on"),
        pytest.param(
            (alike(300.0, "timeout$"),),
            THREE,
            ["100 [ERROR] 3 errors like 'timeout$' occurred in last 5m0s"],
            id="closed before the end",
        ),
    ],
)
def test_failures_alike_are_told_of_together(
    consolidations: tuple[Consolidation, ...], at: list[tuple[float, Failed]], lines: list[str]
) -> None:
    assert played(Settings(consolidations=consolidations), at) == lines


def test_debug_lines_are_written_where_debug_is_on() -> None:
    settings = Settings(consolidations=(alike(30.0, "timeout$", "debug"),))
    assert played(settings, THREE, debug=True) == ["31 [DEBUG] 3 errors like 'timeout$' occurred in last 30s"]


@given(st.lists(st.tuples(st.floats(0, 90), st.booleans()), max_size=30), st.floats(0.1, 50), st.booleans())
def test_no_failure_is_lost(at: list[tuple[float, bool]], period_s: float, show_first: bool) -> None:
    settings = Settings(consolidations=(alike(period_s, "timeout$", show_first=show_first),))
    lines = played(settings, [(second, TIMED_OUT if fits else OTHER) for second, fits in at])
    sums = [int(found[1]) for line in lines if (found := re.search(r"\] (\d+) errors like", line))]
    firsts = sum(line.endswith(TIMEOUT) for line in lines)
    assert sum(line.endswith("no place left") for line in lines) == sum(not fits for _, fits in at)
    assert sum(sums) + (firsts - len(sums) if show_first else 0) == sum(fits for _, fits in at)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (30, "30s"),
        (60, "1m0s"),
        (300, "5m0s"),
        (3600, "1h0m0s"),
        (3661.5, "1h1m1.5s"),
        (90000, "25h0m0s"),
        (1.5, "1.5s"),
        (0.3, "300ms"),
        (0.0015, "1.5ms"),
        (0.000001, "1µs"),
        (0.000000005, "5ns"),
        (10.05, "10.05s"),
    ],
)
def test_a_duration_is_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


@given(st.integers(0, 10**15))
def test_a_duration_is_read_as_it_was_written(nanoseconds: int) -> None:
    assert duration_s(go_duration(nanoseconds / 10**9)) == pytest.approx(nanoseconds / 10**9, abs=1e-9)
