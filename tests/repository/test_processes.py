"""What each process has in memory: a worker carries nothing of the controller's, and neither the command line.

Each case starts an interpreter, imports a module as that process does, and looks at what came along.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kdns.cli.arguments import COMMANDS

REPOSITORY = Path(__file__).parents[2]

CLUSTER_LIBRARIES = ("kubernetes", "yaml", "msgspec", "urllib3", "requests", "aiohttp")
OWN_CLUSTER_PARTS = ("kdns.cluster", "kdns.sources")

# What a process imports first, and what must not come along.
PROCESSES = [
    (
        "kdns.serve.worker",
        (*CLUSTER_LIBRARIES, *OWN_CLUSTER_PARTS, "kdns.ops.listener", "h11", "http", "dnslib", "click"),
    ),
    ("kdns.serve.supervisor", (*CLUSTER_LIBRARIES, *OWN_CLUSTER_PARTS, "h11", "http", "dnslib", "click")),
    # Only the short-lived child that resolves a kubeconfig loads the client library.
    ("kdns.app", ("kubernetes", "urllib3", "requests", "aiohttp", "yaml", "http", "dnslib", "click")),
    # The controller is forked before what answers is imported: it is at work meanwhile.
    ("kdns.app", ("kdns.steps", "kdns.zone", "kdns.serve.worker", "kdns.serve.udp", "kdns.serve.stream", "ctypes")),
    (
        "kdns.controller.steward",
        ("kubernetes", "yaml", "http", "dnslib", "click", "kdns.steps", "kdns.serve.worker", "ctypes"),
    ),
    # Only the short-lived child that reads a zone file loads the library for it.
    ("kdns.steps.file", (*CLUSTER_LIBRARIES, *OWN_CLUSTER_PARTS, "http", "dnslib", "dns")),
    # It is there before the fork, in every process; seldom has a Corefile a pattern.
    ("kdns.config.table", (*CLUSTER_LIBRARIES, "re2", "asyncio", "structlog", "h11", "http", "dnslib", "click")),
    # --help and --version answer without loading what serves.
    ("kdns.__main__", (*CLUSTER_LIBRARIES, "h11", "asyncio", "structlog", "dnslib", "kdns.config")),
    ("kdns.cli.dev", (*CLUSTER_LIBRARIES, "asyncio", "structlog", "kdns.app", "kdns.serve")),
]


LOOK = """
import json, sys
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported_with(module: str) -> set[str]:
    """The modules that importing this one brings along, itself included."""
    command = [sys.executable, "-c", LOOK.format(module=module)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def below(modules: set[str], names: tuple[str, ...]) -> list[str]:
    return sorted(each for each in modules if any(each == name or each.startswith(f"{name}.") for name in names))


@pytest.mark.parametrize(("module", "unwanted"), PROCESSES)
def test_a_process_carries_only_what_it_needs(module: str, unwanted: tuple[str, ...]) -> None:
    assert below(imported_with(module), unwanted) == []


# What help of a command imports of kdns, besides the command's own declaration.
OF_HELP = {
    *("kdns", "kdns.cli", "kdns.cli.arguments", "kdns.cli.commands", "kdns.cli.declaring"),
    *("kdns.config", "kdns.config.defaults"),
}
# Of the standard library what takes longest, and is of no use to who only tells what there is.
OF_WORK = {"asyncio", "ctypes", "dataclasses", "ipaddress", "json", "shutil", "socket", "ssl", "subprocess", "tempfile"}

HELP = """
import sys
before = set(sys.modules)
from kdns.cli import arguments
arguments.run({arguments!r})
print(*set(sys.modules) - before, file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_nothing_of_what_does_the_work(command: str) -> None:
    code = HELP.format(arguments=[command, "--help"] if command else ["--help"])
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"Usage: kdns {command}".rstrip())
    imported = set(done.stderr.split())
    libraries = {each.partition(".")[0] for each in imported} - sys.stdlib_module_names
    assert libraries == {"click", "kdns"}
    assert set(below(imported, ("kdns",))) - OF_HELP == ({f"kdns.cli.commands.{command}"} if command else set())
    assert imported & OF_WORK == set()


def test_what_comes_along_is_seen() -> None:
    assert below(imported_with("kdns.ops.listener"), ("h11._util", "kdns.ops", "click")) == [
        "h11._util",
        "kdns.ops",
        "kdns.ops.listener",
        "kdns.ops.logs",
        "kdns.ops.terminals",
    ]
