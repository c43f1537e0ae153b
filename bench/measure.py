"""The order of a run: the cluster, the starts, then all servers beside each other under changes and under load.

Rounds are interleaved: each set of questions goes to one server after the other, and then again, so
that what else the machine does meets all of them. Servers have one core; dnsperf, the cluster and the
upstream have another.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.changes import Changes, Churn
from bench.cluster import Contents, cluster, keep_on
from bench.load import LoadError, Result, command, run
from bench.native import build
from bench.peers import Peer, Server, Site, free_port, serving
from bench.processes import pss_bytes, running
from bench.questions import LIVE, SETS, QuestionSet, write, zone_file
from bench.report import Report
from bench.start import relist, start
from tests.lab import Lab

# What there is to measure.
STARTS: Final = "starts"
CHANGES: Final = "changes"
LOAD: Final = "load"
PARTS: Final = (STARTS, CHANGES, LOAD)

# What servers do while changes are looked for in their answers.
_BESIDE: Final = {"nothing": None, "hot, 10,000 qps": next(each for each in SETS if each.name == "hot, 10,000 qps")}
_WARM_S: Final = 0.5


class Plan(NamedTuple):
    """How much is measured."""

    parts: tuple[str, ...]
    sets: tuple[QuestionSet, ...]
    peers: tuple[Peer, ...]
    services: int
    endpoints: int  # of each
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
            with _all_servers(bench) as servers:
                if CHANGES in plan.parts:
                    _measure_changes(bench, [server for server in servers if server.peer.kind == LIVE])
                if LOAD in plan.parts:
                    _measure_load(bench, servers)
                report.memory_after_load_bytes |= {server.peer.name: _memory(server) for server in servers}


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


def _measure_load(bench: Bench, servers: Sequence[Server]) -> None:
    for questions in bench.plan.sets:
        asked = [server for server in servers if server.peer.kind in questions.kinds]
        for turn in range(bench.plan.rounds):
            for server in asked:
                say(f"{questions.name} {turn + 1}, {server.peer.name}")
                try:
                    found = _one_load(bench, server, questions, turn)
                except LoadError as error:  # one round is lost, not the run
                    bench.report.failures.append(f"{questions.name}, {server.peer.name}: {error}")
                    continue
                bench.report.loads.setdefault(questions.name, {}).setdefault(server.peer.name, []).append(found)


def _one_load(bench: Bench, server: Server, questions: QuestionSet, turn: int) -> Result:
    if turn == 0 and not questions.once:
        _load(bench, server, questions, turn, _WARM_S)
    with Churn(bench.lab, None) if questions.churn else contextlib.nullcontext():
        return _load(bench, server, questions, turn, bench.plan.seconds)


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
            bench.report.commands[peer.name] = " ".join(servers[-1].command)
        yield servers


def _memory(server: Server) -> tuple[int, ...]:
    return tuple(pss_bytes(server.pid).values())
