"""Pauses: how long garbage collection stops each process of kdns: at its start, under changes, in a relist, in trouble.

A hook on the path of the server's interpreters alone times every collection (gc.callbacks): the
server itself knows nothing of it. Run it as `python -m bench.pauses`, with a lab as for make bench;
arguments are the number of Services and of endpoints of each. CPU time is what is measured: on a
busy machine a pause on the clock says more of others than of the collector.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bench.api import Api
from bench.changes import change_once, first_answer
from bench.cluster import Contents, apart
from bench.load import command
from bench.peers import free_port, own_command
from bench.processes import running, tree
from bench.questions import write
from bench.trouble import DEAD, PATIENCE, silent_upstream
from tests.lab import Lab

_HOOK: Final = """
import gc, json, os, sys, time
longest, started = {}, 0.0
def timed(phase, info):
    global started
    if phase == "start":
        started = time.thread_time()
        return
    took, generation = time.thread_time() - started, info["generation"]
    count, most = longest.get(generation, (0, 0.0))
    longest[generation] = (count + 1, max(most, took))
    path = os.path.join(os.environ["KDNS_BENCH_PAUSES"], str(os.getpid()))
    with open(path + ".new", "w") as out:
        json.dump(longest, out)
    os.replace(path + ".new", path)
gc.callbacks.append(timed)
os.register_at_fork(after_in_child=longest.clear)
"""
_PROCESSES: Final = ("supervisor", "controller", "worker")
_CHANGES: Final = 1000
_DEAD_S: Final = 15.0
_READY_S: Final = 60.0


class Pauses(NamedTuple):
    """Of one process."""

    process: str
    collections: dict[str, tuple[int, float]]  # by generation: how many, and the longest in seconds


def measure(folder: Path, lab: Lab, contents: Contents) -> list[tuple[str, list[Pauses]]]:
    """Pauses up to the end of each part."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(_HOOK)
    found = folder / "pauses"
    found.mkdir()
    with silent_upstream() as upstream, _kdns(folder, found, lab, upstream) as (pid, port):
        parts = [("start", _look(found, pid))]
        with Api(lab) as api:
            for _ in range(_CHANGES):
                name, address = change_once(api)
            first_answer(port, name, address, time.monotonic() + _READY_S)
        parts.append((f"{_CHANGES} changes", _look(found, pid)))
        with Api(lab) as api:
            api.write_unrelated()
        lab.restart()
        with Api(lab) as api:
            name, address = change_once(api)
            first_answer(port, name, address, time.monotonic() + _READY_S)
        time.sleep(3)
        parts.append(("relist", _look(found, pid)))
        file = write(DEAD, contents, folder, _DEAD_S, 0)
        line = command(DEAD, file, port, _DEAD_S, sorted(os.sched_getaffinity(0)))
        subprocess.run((*line, *PATIENCE), check=True, capture_output=True)
        parts.append((f"{DEAD.rate} questions a second that no upstream answers", _look(found, pid)))
    return parts


@contextlib.contextmanager
def _kdns(folder: Path, found: Path, lab: Lab, upstream: int) -> Iterator[tuple[int, int]]:
    """kdns with one worker and the hook, once it is ready; its process id and port."""
    port = free_port()
    ops = ("--ready", "127.0.0.1:0", "--health", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    serve = (*own_command(folder / "hook"), "serve", "--kubeconfig", str(lab.kubeconfig()), "--workers", "1")
    forward = ("--upstream", f"127.0.0.1:{upstream}")
    hooked = ("env", f"KDNS_BENCH_PAUSES={found}", *serve, *forward)
    with running((*hooked, "--listen", f"127.0.0.1:{port}", *ops), folder / "kdns.log") as process:
        with Api(lab) as api:
            name, address = change_once(api)
        if not first_answer(port, name, address, time.monotonic() + _READY_S):
            raise RuntimeError(f"kdns didn't get ready: {(folder / 'kdns.log').read_text()}")
        yield process.pid, port


def _look(found: Path, root: int) -> list[Pauses]:
    """What the processes have written so far."""
    paths = [(name, found / str(pid)) for name, pid in zip(_PROCESSES, tree(root), strict=True)]
    return [Pauses(name, json.loads(path.read_text()) if path.exists() else {}) for name, path in paths]


def main(arguments: list[str]) -> None:
    services, endpoints = (int(arguments[0]), int(arguments[1])) if arguments else (10_000, 15)
    with apart("pauses", services, endpoints) as (folder, lab, contents):
        parts = measure(folder, lab, contents)
    print(f"{services:,} Services of {endpoints} endpoints; each longest pause in ms of CPU time, and of how many\n")
    print("| up to the end of | process | generation 0 | generation 1 | generation 2 |\n|---|---|---|---|---|")
    for part, processes in parts:
        for each in processes:
            cells = [each.collections.get(generation, (0, 0.0)) for generation in "012"]
            print(
                f"| {part} | {each.process} | {' | '.join(f'{most * 1e3:.1f} of {count}' for count, most in cells)} |"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
