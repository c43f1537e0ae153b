"""`python -m bench`: reads the arguments, sees what is there, measures, and prints tables.

Everything is on 127.0.0.1, in a folder that goes with the run, and ends with it, also on Ctrl-C: what
was measured until then is printed. Every round is in build/bench.json, what the servers logged in build/bench/.
"""

import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from bench.measure import PARTS, Plan, measure, say
from bench.peers import find
from bench.questions import SETS
from bench.report import Report, machine, write_json
from bench.table import lines
from tests.lab import assets, seed_script

_BUILD: Final = Path(__file__).parents[1] / "build"
_TOOLS: Final = ("dnsperf", "taskset", "gcc")
_NO_LAB: Final = (
    "needs the lab: build.sh DIR, then KUBEBUILDER_ASSETS=DIR make bench; KDNS_LAB_SEED may name its seed.py"
)
_QUICK: Final = {"services": 1_000, "pods": 2_000, "rounds": 1, "seconds": 1.0, "changes_s": 3.0}


def main(arguments: Sequence[str]) -> int:
    """Measures what the arguments ask for; the exit status."""
    asked = _parser().parse_args(arguments)
    if asked.quick:
        vars(asked).update(_QUICK)
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return _fail(f"needs {', '.join(missing)}; on Debian: apt install dnsperf util-linux gcc libc6-dev")
    binaries, cores = assets(), sorted(os.sched_getaffinity(0))
    if binaries is None or seed_script() is None:
        return _fail(_NO_LAB)
    if len(cores) < 2:
        return _fail("needs two cores, one for the server and one for what asks it")
    plan = _plan(asked, (cores[0], cores[1]))
    if not plan.peers:
        return _fail(f"found none of the servers {asked.peers}, there are {[each.name for each in find()]}")
    command = f"python -m bench {shlex.join(arguments)}".strip()
    report = Report(command, machine(), {each.name: each.version for each in plan.peers})
    signal.signal(signal.SIGTERM, _interrupt)
    logs = _BUILD / "bench"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory(prefix="kdns-bench-") as folder:
            measure(plan, report, binaries, Path(folder), logs)
    except KeyboardInterrupt:
        say("interrupted; what was measured until then:")
    finally:
        write_json(report, _BUILD / "bench.json")
        print("\n".join(lines(report)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures kdns beside every server found.")
    add = parser.add_argument
    add("--quick", action="store_true", help=f"a look, in a minute: {_QUICK}")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is measured (%(default)s)")
    names = [each.name for each in SETS]
    add("--sets", nargs="+", choices=names, metavar="SET", help=f"of {names} (all)")
    add("--peers", nargs="+", metavar="NAME", help="servers, of those that are found (all)")
    add("--services", type=int, default=10_000, help="in the cluster (%(default)s)")
    add("--endpoints", type=int, default=15, help="of each Service (%(default)s)")
    add("--pods", type=int, default=50_000, help="made for the part walks (%(default)s)")
    add("--rounds", type=int, default=3, help="of everything (%(default)s)")
    add("--seconds", type=float, default=3.0, help="of one load (%(default)s)")
    add("--changes-s", type=float, default=10.0, help="seconds of 100 changes each (%(default)s)")
    add("--workers", type=int, default=1, help="of kdns (%(default)s)")
    return parser


def _plan(asked: argparse.Namespace, cores: tuple[int, int]) -> Plan:
    return Plan(
        parts=tuple(asked.parts),
        sets=tuple(each for each in SETS if not asked.sets or each.name in asked.sets),
        peers=tuple(each for each in find() if not asked.peers or each.name in asked.peers),
        services=asked.services,
        endpoints=asked.endpoints,
        pods=asked.pods,
        rounds=asked.rounds,
        seconds=asked.seconds,
        changes_s=asked.changes_s,
        workers=asked.workers,
        cores=cores,
    )


def _interrupt(*_: object) -> NoReturn:
    """As Ctrl-C: all that was started is ended on the way out."""
    raise KeyboardInterrupt


def _fail(message: str) -> int:
    sys.stderr.write(f"bench: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
