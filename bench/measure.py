"""The order of a run: the cluster, the starts, then all servers beside each other under changes and under load.

Rounds are interleaved: each set of questions goes to one server after the other, and then again, so
that what else the machine does meets all of them. Servers have one core; dnsperf, the cluster and the
upstream have another.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.changes import Changes, Churn
from bench.cluster import Contents, cluster, keep_on
from bench.load import LoadError, Result, command, run
from bench.native import build
from bench.overload import Place, alike, one_against_others, peak, shared, totals
from bench.peers import Peer, Server, Site, free_port, serving
from bench.pods import Pod, fill
from bench.processes import pss_bytes, running
from bench.questions import LIVE, SETS, QuestionSet, write, zone_file
from bench.report import Report
from bench.start import SETTLE_S, relist, start
from bench.streams import Streams, many, slow_beside_honest
from bench.trouble import DEAD, OWN, silent_upstream, trouble
from bench.trouble import Place as TroublePlace
from bench.walks import NAMES, WAYS, walks
from tests.lab import Lab

# What there is to measure.
STARTS: Final = "starts"
CHANGES: Final = "changes"
LOAD: Final = "load"
OVERLOAD: Final = "overload"
TROUBLE: Final = "trouble"
WALKS: Final = "walks"
PARTS: Final = (STARTS, CHANGES, LOAD, OVERLOAD, TROUBLE, WALKS)

_BESIDE_EACH_OTHER: Final = frozenset((CHANGES, LOAD, OVERLOAD))
# What servers do while changes are looked for in their answers.
_BESIDE: Final = {"nothing": None, "hot, 10,000 qps": next(each for each in SETS if each.name == "hot, 10,000 qps")}
_WARM_S: Final = 0.5
_HOT: Final = next(each for each in SETS if each.name == "hot")
_SHARED: Final = {"half of one worker's peak": 0.5, "1.5 times of it": 1.5}
# Who is connected beside honest clients, TCP.
_STREAMS: Final[dict[str, Callable[[int, int], Streams]]] = {
    "500 slow ones of 5 addresses": slow_beside_honest,
    "10,000 of one address": lambda port, pid: many(port, pid, 1),
    "10,000 of 100 addresses": lambda port, pid: many(port, pid, 100),
}


class Plan(NamedTuple):
    """How much is measured."""

    parts: tuple[str, ...]
    sets: tuple[QuestionSet, ...]
    peers: tuple[Peer, ...]
    services: int
    endpoints: int  # of each
    pods: int
    rounds: int
    seconds: float  # of one load
    changes_s: float
    workers: int  # of kdns
    cores: tuple[int, int]  # the servers', and that of all else


class Bench(NamedTuple):
    """What every measurement needs: what is asked for, the cluster it is made on, and where results go."""

    plan: Plan
    report: Report
    site: Site
    lab: Lab
    contents: Contents

    @property
    def live(self) -> list[Peer]:
        """The servers that follow the cluster."""
        return [peer for peer in self.plan.peers if peer.kind == LIVE]


def measure(plan: Plan, report: Report, binaries: Path, folder: Path, logs: Path) -> None:
    """Measures what the plan says into the report, as it goes. Files are made in the folder, the servers' logs in the other."""
    answer = build(folder)
    say(f"filling a cluster with {plan.services:,} Services of {plan.endpoints} endpoints")
    with cluster(binaries, folder / "lab", plan.services, plan.endpoints) as (lab, contents):
        zone = folder / "zone"
        zone.write_text("\n".join(zone_file(contents)) + "\n")
        upstream = free_port()
        site = Site(folder, logs, lab.kubeconfig(), zone, upstream, plan.workers, answer)
        bench = Bench(plan, report, site, lab, contents)
        _, others = plan.cores
        with running(("taskset", "-c", str(others), answer, "upstream", str(upstream)), folder / "upstream.log"):
            if STARTS in plan.parts:
                _measure_starts(bench)
            keep_on(lab, (others,))
            if _BESIDE_EACH_OTHER.intersection(plan.parts):
                _measure_together(bench)
            if LOAD in plan.parts:
                _measure_configured(bench)
            if OVERLOAD in plan.parts:
                _measure_workers(bench)
            if TROUBLE in plan.parts:
                _measure_trouble(bench)
            if WALKS in plan.parts:
                _measure_walks(bench)


def _measure_together(bench: Bench) -> None:
    """What is measured of all servers while each of them runs."""
    parts = bench.plan.parts
    with _all_servers(bench) as servers:
        if CHANGES in parts:
            _measure_changes(bench, [server for server in servers if server.peer.kind == LIVE])
        if LOAD in parts:
            _measure_load(bench, servers)
        if OVERLOAD in parts:
            _measure_overload(bench, servers)
        bench.report.memory_after_load_bytes |= {server.peer.name: _memory(server) for server in servers}


def say(line: str) -> None:
    """Progress, for who waits; the report goes elsewhere."""
    sys.stderr.write(f"bench: {line}\n")


def _measure_starts(bench: Bench) -> None:
    for turn in range(bench.plan.rounds):
        for peer in bench.live:
            say(f"start {turn + 1} of {peer.name}")
            found = start(peer, bench.site)
            bench.report.starts.setdefault(peer.name, []).append(found)
    for peer in bench.live:
        say(f"relist of {peer.name}")
        bench.report.relists[peer.name] = relist(peer, bench.site, bench.lab)


def _measure_changes(bench: Bench, servers: Sequence[Server]) -> None:
    for turn in range(bench.plan.rounds):
        for beside, questions in _BESIDE.items():
            for server in servers:
                say(f"changes {turn + 1}, {server.peer.name} beside {beside}")
                found = _changes(bench, server, questions)
                bench.report.changes.setdefault(beside, {}).setdefault(server.peer.name, []).append(found)


def _changes(bench: Bench, server: Server, questions: QuestionSet | None) -> Changes:
    seconds = bench.plan.changes_s
    with Churn(bench.lab, server.port) as churn:
        if questions is None:
            time.sleep(seconds)
        else:
            _load(bench, server, questions, 0, seconds)
    return churn.result()


def _measure_configured(bench: Bench) -> None:
    """The sets whose servers have directives of their own, each with servers of their own."""
    for directives in dict.fromkeys(each.directives for each in bench.plan.sets if each.directives):
        plan = bench.plan._replace(peers=tuple(bench.live))
        configured = bench._replace(plan=plan, site=bench.site._replace(directives=directives))
        try:
            with _all_servers(configured) as servers:
                _measure_load(configured, servers)
        except RuntimeError as error:  # a server that doesn't know a directive
            bench.report.failures.append(f"with {directives}: {error}")


def _measure_load(bench: Bench, servers: Sequence[Server]) -> None:
    for questions in (each for each in bench.plan.sets if each.directives == bench.site.directives):
        asked = [server for server in servers if server.peer.kind in questions.kinds]
        for turn in range(bench.plan.rounds):
            for server in asked:
                say(f"{questions.name} {turn + 1}, {server.peer.name}")
                try:
                    for each, found in _one_load(bench, server, questions, turn):
                        bench.report.loads.setdefault(each, {}).setdefault(server.peer.name, []).append(found)
                except LoadError as error:  # one round is lost, not the run
                    bench.report.failures.append(f"{questions.name}, {server.peer.name}: {error}")


def _measure_overload(bench: Bench, servers: Sequence[Server]) -> None:
    """Floods of all; of those that know the cluster TCP, too: the limit of the kernel speaks none."""
    seconds, report = bench.plan.seconds, bench.report
    places = {server.peer.name: _place(bench, server) for server in servers}
    for name, place in places.items():
        say(f"peak of {name}")
        report.peaks[name] = [peak(place, seconds / 3) for _ in range(bench.plan.rounds)]
    for turn in range(bench.plan.rounds):
        for name, place in places.items():
            say(f"floods {turn + 1}, {name}")
            found = {"from 16 addresses alike": alike(place, seconds, max(report.peaks[name]))}
            for factor, total in totals(max(report.peaks[name])):
                found[f"95 % from one address, {factor}"] = one_against_others(place, seconds, total)
            for kind, flood in found.items():
                report.floods.setdefault(kind, {}).setdefault(name, []).append(flood)
        for server in (each for each in servers if each.peer.kind == LIVE):
            for beside, asked in _STREAMS.items():
                say(f"TCP {turn + 1}, {server.peer.name} beside {beside}")
                found_beside = asked(server.port, server.pid)
                report.streams.setdefault(beside, {}).setdefault(server.peer.name, []).append(found_beside)


def _measure_workers(bench: Bench) -> None:
    """One worker and two on the same core, with half of what one can carry there, and with more than that."""
    own, _ = bench.plan.cores
    for peer in (each for each in bench.live if each.name == "kdns"):
        most = max(bench.report.peaks[peer.name])
        for turn in range(bench.plan.rounds):
            for workers in (1, 2):
                say(f"{workers} workers {turn + 1}")
                with serving(peer, bench.site._replace(workers=workers), (own,)) as server:
                    place = _place(bench, server)
                    shared(place, _WARM_S, most / 2, workers)
                    for name, factor in _SHARED.items():
                        found = shared(place, bench.plan.seconds, factor * most, workers)
                        bench.report.shared.setdefault(name, []).append(found)


def _measure_trouble(bench: Bench) -> None:
    """Own names while upstreams say nothing, of servers started for it."""
    with silent_upstream() as upstream:
        apart = bench._replace(
            plan=bench.plan._replace(peers=tuple(bench.live)), site=bench.site._replace(upstream=upstream)
        )
        with _all_servers(apart) as servers:
            for turn in range(bench.plan.rounds):
                for server in servers:
                    say(f"trouble {turn + 1}, {server.peer.name}")
                    try:
                        found = trouble(_trouble_place(apart, server, upstream, turn), bench.plan.seconds)
                    except LoadError as error:  # one round is lost, not the run
                        bench.report.failures.append(f"trouble, {server.peer.name}: {error}")
                        continue
                    bench.report.troubles.setdefault(server.peer.name, []).append(found)


def _measure_walks(bench: Bench) -> None:
    """Look-ups in pods, of one server after the other: side by side some would share memory."""
    plan, (own, others) = bench.plan, bench.plan.cores
    keep_on(bench.lab, plan.cores)
    say(f"making {plan.pods:,} Pods")
    pods = fill(bench.lab, sorted({each.namespace for each in bench.contents.services}), plan.pods)
    keep_on(bench.lab, (others,))
    for peer in bench.live:
        for way in (each for each in WAYS if peer.name.endswith("kdns") or not each.own):
            name = " with ".join(filter(None, (peer.name, way.name)))
            say(f"look-ups, {name}")
            site = bench.site._replace(directives=way.directives, pods=way.pods)
            with serving(peer, site, (own,)) as server:
                _walks(bench, server, name, pods)


def _walks(bench: Bench, server: Server, name: str, pods: Sequence[Pod]) -> None:
    """All rounds of a server."""
    time.sleep(SETTLE_S)
    before = _memory(server)
    for names, made in NAMES.items():
        for turn in range(bench.plan.rounds):
            found = walks(server.pid, server.port, pods, made, turn, bench.plan.cores[1])
            bench.report.walks.setdefault(names, {}).setdefault(name, []).append(found)
    bench.report.walks_bytes[name] = before, _memory(server)


def _trouble_place(bench: Bench, server: Server, silent: int, turn: int) -> TroublePlace:
    folder, contents, seconds = bench.site.folder, bench.contents, bench.plan.seconds
    own = write(OWN, contents, folder, seconds, turn)
    dead = write(DEAD, contents, folder, seconds + 10, turn)
    return TroublePlace(own, dead, server.port, silent, server.pid, bench.plan.cores)


def _place(bench: Bench, server: Server) -> Place:
    file = write(_HOT, bench.contents, bench.site.folder, bench.plan.seconds, 0)
    return Place(build(bench.site.folder, "flood"), file, server.port, server.pid, bench.plan.cores)


def _one_load(bench: Bench, server: Server, questions: QuestionSet, turn: int) -> Iterator[tuple[str, Result]]:
    """A round, and after one under churn the same without it, as many a second: a server that isn't busy takes more for each."""
    seconds = bench.plan.seconds
    if turn == 0 and not questions.once:
        _load(bench, server, questions, turn, _WARM_S)
    if not questions.churn:
        yield questions.name, _load(bench, server, questions, turn, seconds)
        return
    with Churn(bench.lab, None):
        under = _load(bench, server, questions, turn, seconds)
    yield questions.name, under
    calm = questions._replace(
        name=f"{questions.name}, then calm", rate=int(under.completed / under.seconds), latencies=False
    )
    yield calm.name, _load(bench, server, calm, turn, seconds)


def _load(bench: Bench, server: Server, questions: QuestionSet, turn: int, seconds: float) -> Result:
    _, others = bench.plan.cores
    file = write(questions, bench.contents, bench.site.folder, bench.plan.seconds, turn)
    line = command(questions, file, server.port, seconds, (others,))
    bench.report.commands[questions.name] = " ".join(line)
    return run(questions, file, server, seconds, (others,))


@contextlib.contextmanager
def _all_servers(bench: Bench) -> Iterator[list[Server]]:
    """Every server, ready, on the servers' core."""
    own, _ = bench.plan.cores
    with contextlib.ExitStack() as stack:
        servers = []
        for peer in bench.plan.peers:
            say(f"starting {peer.name} {peer.version}")
            servers.append(stack.enter_context(serving(peer, bench.site, (own,))))
            name = " with ".join(filter(None, (peer.name, bench.site.directives)))
            bench.report.commands[name] = " ".join(servers[-1].command)
        yield servers


def _memory(server: Server) -> tuple[int, ...]:
    return tuple(pss_bytes(server.pid).values())
