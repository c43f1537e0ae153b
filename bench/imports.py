"""What importing a library costs: time, and memory that only this process has.

Each run is a fresh interpreter that imports the modules of one line and looks at its own
Private_Dirty in /proc/self/smaps_rollup before and after. Memory that a fork shares again
is counted here too: this is what a process of its own would pay. Run it as
`python -m bench.imports`, with modules as arguments to measure others, joined by + to import
one after the other.
"""

import json
import platform
import statistics
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

_RUNS: Final = 9
# What kdns imports, and what it could have imported instead.
_DEFAULT: Final = (
    *("asyncio", "ssl", "json", "http.client", "logging", "multiprocessing", "structlog", "asyncio+structlog"),
    *(
        "h11",
        "asyncio+h11",
        "h2.connection",
        "asyncio+h2.connection",
        "msgspec",
        "dnslib",
        "dns.message",
        "cachetools",
        "click",
        "yaml",
    ),
    *("aiohttp", "urllib3", "kubernetes.config", "kubernetes"),
)
_DISTRIBUTIONS: Final = {"dns": "dnspython", "yaml": "PyYAML"}

_CHILD: Final = """
import sys, time
def private_dirty_kib():
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))
*before, last = sys.argv[1].split("+")
for name in before:
    __import__(name)
private_dirty_kib()
memory, start = private_dirty_kib(), time.perf_counter()
__import__(last)
took = time.perf_counter() - start
print("[%r, %r]" % (took * 1e3, (private_dirty_kib() - memory) / 1024))
"""


class Cost(NamedTuple):
    """Of one import."""

    milliseconds: float
    mebibytes: float


def measure(modules: str) -> Cost:
    """The cost of importing the last of the modules, joined by +, after the others."""
    command = [sys.executable, "-c", _CHILD, modules]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(*json.loads(done.stdout))


def _version(modules: str) -> str:
    top = modules.rpartition("+")[2].partition(".")[0]
    if top in sys.stdlib_module_names:
        return "standard"
    try:
        return version(_DISTRIBUTIONS.get(top, top))
    except PackageNotFoundError:
        return "?"


def main(arguments: list[str]) -> None:
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()} {platform.release()}")
    print(f"median (least to most) of {_RUNS} fresh interpreters; of a + line, the last import only\n")
    print("| import | version | ms | MiB |\n|---|---|---|---|")
    for modules in arguments or _DEFAULT:
        measure(modules)  # writes the bytecode and warms the page cache
        costs = [measure(modules) for _ in range(_RUNS)]
        columns = [
            f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
            for values in zip(*costs, strict=True)
        ]
        print(f"| {modules.replace('+', ', then ')} | {_version(modules)} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
