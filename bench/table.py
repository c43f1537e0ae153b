"""The report for people: tables as Markdown, with ratios.

A cell is the median over the rounds, with the least and the most where there were several; a ratio is
kdns' median divided by the other's, both of the same run. What wasn't measured is an empty cell.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from bench.load import Result
from bench.report import Report
from bench.trouble import PHASES
from bench.walks import PER, Walks

_OURS: Final = "kdns"
_MIB: Final = 1 << 20

# By question, by server: a number of each round.
_Numbers: TypeAlias = Mapping[str, Mapping[str, Sequence[float]]]


def lines(report: Report) -> Iterator[str]:
    """The report, without what nothing was measured of."""
    parts = {
        "Start and memory": _starts(report),
        "From the API server's reply to a change to the first answer that has it": _changes(report),
        "CPU time per query of all processes, µs": _compared(report, _of_loads(report, lambda each: each.cpu_us)),
        "Latency at fixed rates, µs": _compared(report, _latencies(report), 0),
        "Queries per second answered": _compared(report, _of_loads(report, _rate), 0, with_ratios=False),
        "Mean size of a reply, octets": _compared(report, _of_loads(report, _size), 0, with_ratios=False),
        "Drops and failures": _drops(report),
        "Beyond capacity": _floods(report),
        "TCP: 100 honest connections beside others": _streams(report),
        "Workers on one core": _shared(report),
        "2,000 queries a second for own names beside 2,000 that no upstream answers": _troubles(report),
        "Memory after that": _memory(report),
        f"{PER:,} look-ups of names outside, in pods": _walks(report),
    }
    yield "## Machine and versions\n"
    yield from (f"- {key}: {value}" for key, value in (*report.machine.items(), *report.versions.items()))
    yield f"- command: `{report.command}`"
    for title, part in parts.items():
        body = list(part)
        if body:
            yield from (f"\n## {title}\n", *body)
    yield "\n## Commands\n"
    yield from (f"- {name}: `{command}`" for name, command in report.commands.items())


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the least and the most if they differ; empty without any value."""
    if not values:
        return ""
    middle, least, most = (f"{pick(values):,.{digits}f}" for pick in (statistics.median, min, max))
    return middle if least == most else f"{middle} ({least} to {most})"


def ratio(ours: Sequence[float], others: Sequence[float]) -> str:
    """Our median divided by theirs; empty where there is none."""
    if not ours or not others or not statistics.median(others):
        return ""
    found = statistics.median(ours) / statistics.median(others)
    return f"{found:.2f}" if found >= 0.1 else f"{found:.3f}"


def _starts(report: Report) -> Iterator[str]:
    if report.starts:
        yield from _header("server", "ready after, s", "steady, MiB of PSS", "of each process")
    for name, starts in report.starts.items():
        ready = spread([each.ready_s for each in starts], 2)
        yield _row(
            name, ready, spread([sum(each.steady_bytes) / _MIB for each in starts]), _parts(starts[-1].steady_bytes)
        )
    if report.relists:
        titles = (
            "most while starting, MiB",
            "steady",
            "most in a relist",
            "to steady",
            "after",
            "current after, s",
            "lists",
        )
        yield from ("", *_header("server", *titles))
    for name, found in report.relists.items():
        sizes = (found.start_peak_bytes, found.steady_bytes, found.peak_bytes)
        current = "never" if found.current_s is None else f"{found.current_s:.2f}"
        times = ratio([found.peak_bytes], [found.steady_bytes])
        yield _row(name, *map(_mib, sizes), times, _mib(found.after_bytes), current, str(found.lists))


def _changes(report: Report) -> Iterator[str]:
    if report.changes:
        times = ("p50, ms", "p99, ms", "p99.9, ms")
        yield from _header("server", "beside", "changes/s", *times, "unanswered", "API server p50, ms")
    for beside, by_server in report.changes.items():
        for name, rounds in by_server.items():
            seen = [spread(_kept(each.seen_ms.get(key) for each in rounds), 2) for key in ("p50", "p99", "p99.9")]
            unanswered = f"{sum(each.unanswered for each in rounds)} of {sum(each.changes for each in rounds)}"
            written = spread(_kept(each.written_ms.get("p50") for each in rounds))
            yield _row(name, beside, spread([each.rate for each in rounds], 0), *seen, unanswered, written)


def _latencies(report: Report) -> _Numbers:
    return {
        f"{questions}, {key}": {
            server: _kept(each.percentiles_us.get(key) for each in results) for server, results in servers.items()
        }
        for questions, servers in report.loads.items()
        for key in {key: None for results in servers.values() for each in results for key in each.percentiles_us}
    }


def _rate(result: Result) -> float:
    return result.completed / result.seconds


def _size(result: Result) -> float | None:
    return result.reply_bytes if result.completed else None


def _of_loads(report: Report, number: Callable[[Result], float | None]) -> _Numbers:
    return {
        questions: {server: _kept(map(number, results)) for server, results in servers.items()}
        for questions, servers in report.loads.items()
    }


def _compared(report: Report, numbers: _Numbers, digits: int = 1, *, with_ratios: bool = True) -> Iterator[str]:
    """A row for each set of questions, a column for each server, and kdns' share of each other's."""
    servers = [name for name in report.versions if any(name in row for row in numbers.values())]
    others = [name for name in servers if name != _OURS] if with_ratios and _OURS in servers else []
    if numbers:
        yield from _header("questions", *servers, *(f"{_OURS} ÷ {name}" for name in others))
    for questions, row in numbers.items():
        cells = [spread(row.get(name, ()), digits) for name in servers]
        yield _row(questions, *cells, *(ratio(row.get(_OURS, ()), row.get(name, ())) for name in others))


def _drops(report: Report) -> Iterator[str]:
    for questions, servers in report.loads.items():
        for server, results in servers.items():
            sent, lost, failed = (
                sum(column) for column in zip(*((each.sent, each.lost, each.failed) for each in results), strict=True)
            )
            if lost or failed:
                how = f"lost {lost:,}, and {failed:,} answered by neither NOERROR nor NXDOMAIN"
                yield f"- {questions}, {server}: of {sent:,} queries {how}"
    yield from (f"- {failure}" for failure in report.failures)


def _floods(report: Report) -> Iterator[str]:
    if report.peaks:
        yield from _header("server", "peak, queries per second")
    yield from (_row(name, spread(peaks, 0)) for name, peaks in report.peaks.items())
    if report.floods:
        titles = ("offered to peak", "answered to peak", "p99, ms", "others lost, %", "calm p99, us", "flood p99, us")
        yield from ("", *_header("flood", "server", *titles, "ratio", "recovered after, s", "grown, MiB", "foreign, %"))
    for kind, servers in report.floods.items():
        for name, rounds in servers.items():
            most = max(report.peaks[name])
            p99 = {
                phase: _kept(each.percentiles_us[phase].get("p99") for each in rounds) for phase in ("calm", "flood")
            }
            yield _row(
                *(kind, name, spread([each.offered / most for each in rounds])),
                *(spread([each.answered / most for each in rounds], 2), spread([each.p99_us / 1e3 for each in rounds])),
                spread([100 * each.lost["flood"] / max(each.asked["flood"], 1) for each in rounds]),
                *(spread(p99["calm"], 0), spread(p99["flood"], 0), ratio(p99["flood"], p99["calm"])),
                spread(_kept(each.recovered_s for each in rounds), 2) or "never",
                spread([each.grown_bytes / _MIB for each in rounds]),
                spread([100 * each.foreign for each in rounds]),
            )


def _streams(report: Report) -> Iterator[str]:
    if report.streams:
        yield from _header("beside", "server", "opened", "honest served", "p99, ms", "descriptors", "grown, MiB")
    for beside, servers in report.streams.items():
        for name, rounds in servers.items():
            served = f"{sum(each.served for each in rounds)} of {sum(each.asked for each in rounds)}"
            yield _row(
                *(beside, name, spread([each.held for each in rounds], 0), served),
                *(spread([each.p99_ms for each in rounds]), spread([each.open_fds for each in rounds], 0)),
                spread([each.grown_bytes / _MIB for each in rounds]),
            )


def _shared(report: Report) -> Iterator[str]:
    if report.shared:
        yield from _header(
            "offered", "workers", "per second", "answered", "CPU per answer, us", "parts of it by process"
        )
    for load, rounds in report.shared.items():
        for workers in sorted({each.workers for each in rounds}):
            same = [each for each in rounds if each.workers == workers]
            yield _row(
                *(load, str(workers), spread([each.offered for each in same], 0)),
                *(spread([each.answered for each in same], 0), spread([each.cpu_us for each in same], 2)),
                "; ".join(" + ".join(f"{part:.2f}" for part in each.parts) for each in same),
            )


def _troubles(report: Report) -> Iterator[str]:
    if report.troubles:
        p99 = (
            "calm p99, us",
            "beside p99, us",
            "trouble p99, us",
            "trouble / calm",
            "trouble / beside",
            "after p99, us",
        )
        lost = ("lost in the calm", "beside", "in trouble", "after")
        yield from _header(
            "server", *p99, *lost, "others answered, %", "CPU per query, us: calm", "beside", "trouble", "foreign, %"
        )
    for name, rounds in report.troubles.items():
        p99s = (_kept(each.own[phase].percentiles_us.get("p99") for each in rounds) for phase in PHASES)
        calm, beside, trouble, after = p99s
        yield _row(
            *(name, spread(calm, 0), spread(beside, 0), spread(trouble, 0)),
            *(ratio(trouble, calm), ratio(trouble, beside), spread(after, 0)),
            *(str(sum(each.own[phase].lost for each in rounds)) for phase in PHASES),
            spread([100 * each.dead.completed / max(each.dead.sent, 1) for each in rounds]),
            *(spread([each.cpu_us[phase] for each in rounds]) for phase in PHASES[:3]),
            spread([100 * each.foreign for each in rounds]),
        )


def _memory(report: Report) -> Iterator[str]:
    if report.memory_after_load_bytes:
        yield from _header("server", "MiB of PSS", "of each process")
    for name, sizes in report.memory_after_load_bytes.items():
        yield _row(name, _mib(sum(sizes)), _parts(sizes))


def _walks(report: Report) -> Iterator[str]:
    if report.walks:
        yield from _header("names", "server", "questions", "CPU of all processes, ms", "astray")
    for names, servers in report.walks.items():
        for name, rounds in servers.items():
            questions = spread([_for_each(each, each.queries) for each in rounds], 0)
            cpu = spread([_for_each(each, each.cpu_s * 1e3) for each in rounds], 0)
            yield _row(names, name, questions, cpu, str(sum(each.astray for each in rounds)))
    if report.walks_bytes:
        yield from ("", *_header("server", "MiB of PSS before", "of each process", "after", "of each process"))
    for name, sizes in report.walks_bytes.items():
        yield _row(name, *(cell for each in sizes for cell in (_mib(sum(each)), _parts(each))))


def _for_each(walks: Walks, number: float) -> float:
    """Of a round's number what as many look-ups have as are told of."""
    return number / walks.lookups * PER


def _header(*titles: str) -> Iterator[str]:
    yield _row(*titles)
    yield "|" + "---|" * len(titles)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _parts(sizes: Iterable[int]) -> str:
    return " + ".join(map(_mib, sizes))


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f}"


def _kept(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
