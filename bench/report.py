"""The report's data: all that was measured, each round of it, and by what, on what. As JSON, nothing is left out.

Servers and sets of questions are keys by their names, in the order in which they were measured.
"""

import dataclasses
import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bench.changes import Changes
from bench.load import Result
from bench.overload import Flood, Shared
from bench.start import Relist, Start
from bench.streams import Streams
from bench.trouble import Trouble
from bench.walks import Walks


@dataclass(slots=True)
class Report:
    """What was measured until now."""

    command: str  # that made it
    machine: dict[str, str]
    versions: dict[str, str]  # by server
    commands: dict[str, str] = field(default_factory=dict)  # by server, and by set of questions
    starts: dict[str, list[Start]] = field(default_factory=dict)  # by server
    relists: dict[str, Relist] = field(default_factory=dict)  # by server
    changes: dict[str, dict[str, list[Changes]]] = field(default_factory=dict)  # by what is done beside, by server
    loads: dict[str, dict[str, list[Result]]] = field(default_factory=dict)  # by set of questions, by server
    peaks: dict[str, list[float]] = field(default_factory=dict)  # by server: queries per second
    floods: dict[str, dict[str, list[Flood]]] = field(default_factory=dict)  # by kind, by server
    streams: dict[str, dict[str, list[Streams]]] = field(default_factory=dict)  # by who is beside, by server
    shared: dict[str, list[Shared]] = field(default_factory=dict)  # of kdns, by load
    troubles: dict[str, list[Trouble]] = field(default_factory=dict)  # by server
    walks: dict[str, dict[str, list[Walks]]] = field(default_factory=dict)  # by names, by server and what it is told
    walks_bytes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(
        default_factory=dict
    )  # by the same server: of each process before and after them
    failures: list[str] = field(default_factory=list)  # rounds that came to nothing
    memory_after_load_bytes: dict[str, tuple[int, ...]] = field(default_factory=dict)  # by server: of each process


def machine() -> dict[str, str]:
    """What this runs on, the load by others included."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "processor": f"{model[1] if model else '?'}, {os.cpu_count()} cores",
        "memory": f"{int(memory[1]) // 1024 if memory else '?'} MiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "dnsperf": _dnsperf(),
        "load average at the start": " ".join(f"{each:.1f}" for each in os.getloadavg()),
    }


def write_json(report: Report, path: Path) -> None:
    """Everything into the file."""
    path.write_text(json.dumps(dataclasses.asdict(report), indent=1) + "\n")


def _dnsperf() -> str:
    done = subprocess.run(["dnsperf", "-h"], capture_output=True, text=True, check=False, timeout=10)
    found = re.search(r"Version ([\d.]+)", done.stdout + done.stderr)
    return found[1] if found else "?"
