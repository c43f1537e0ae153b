"""What each process of a running server has imported: no more than is written here, in docs/measurements.md too.

A hook, on the path of the server's interpreters alone, writes down which modules a child has from
the supervisor, and every import that follows: what is imported late, on first use, is seen as well.
"""

import sys
from pathlib import Path

import pytest

from tests.integration.upstream import Upstream
from tests.lab import Lab
from tests.server import ZONE, Server

HOOK = """
import builtins, os, sys
written, importing = set(), builtins.__import__
def write():
    new = set(sys.modules) - written
    if new:
        written.update(new)
        with open(os.environ["KDNS_TEST_IMPORTS"] + f".{os.getpid()}", "a") as out:
            out.write("".join(f"{name}\\n" for name in new))
def write_and_import(*given, **named):
    try:
        return importing(*given, **named)
    finally:
        write()
def inherit():
    written.clear()
    write()
builtins.__import__ = write_and_import
os.register_at_fork(after_in_child=inherit)
"""
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]}
"""
ABROAD = "www.example.com."

SUPERVISOR = {"click", "structlog"}
WORKER = SUPERVISOR | {"cachetools"}
CONTROLLER = SUPERVISOR | {"h11", "msgspec"}
ROOMS = {
    "supervisor": {"cli", "config", "dns", "ops", "serve", "steps", "zone"},
    "worker": {"cli", "config", "dns", "ops", "serve", "steps", "zone"},
    "controller": {"cli", "cluster", "config", "controller", "dns", "ops", "serve", "sources", "zone"},
}
# Of the standard library what is large, and whose it is.
HTTP = ("http", "urllib.request", "email", "xml", "logging.handlers", "multiprocessing", "sqlite3", "unittest")


def modules(server: Server, folder: Path) -> dict[str, set[str]]:
    """What each process has imported, by its name."""
    pids = {"supervisor": server.pid}
    pids |= {event["child"]: int(event["pid"]) for event in server.events("process_started")}
    return {name: set((folder / f"imports.{pid}").read_text().split()) for name, pid in pids.items()}


def libraries(names: set[str]) -> set[str]:
    """The distributions among them, by the names that they are imported by."""
    tops = {name.partition(".")[0] for name in names}
    # Part of PyYAML's C, and what msgspec takes along where it happens to be installed.
    aside = {"kdns", "sitecustomize", "cython_runtime", "typing_extensions"}
    return {top for top in tops - set(sys.stdlib_module_names) - aside if not top.startswith("_")}


def seen(folder: Path, *flags: str) -> dict[str, set[str]]:
    """What each process has imported once it is ready and has done what it is there for."""
    hook = folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(HOOK)
    within = ("env", f"PYTHONPATH={hook}", f"KDNS_TEST_IMPORTS={folder / 'imports'}")
    with (
        Upstream({(ABROAD, "A"): ("203.0.113.1",)}) as upstream,
        Server(*flags, folder=folder, upstream=upstream.address, within=within) as server,
    ):
        for tcp in (False, True):
            server.ask(f"web.shop.{ZONE}", tcp=tcp)
            server.ask(ABROAD, tcp=tcp)
        server.metrics()
        return modules(server, folder)


def rooms(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("kdns.") and name.count(".") > 1}


def unwanted(names: set[str]) -> list[str]:
    return sorted(name for name in names if any(name == each or name.startswith(f"{each}.") for each in HTTP))


def test_each_process_has_its_own_libraries_and_rooms(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(MANIFEST)
    found = seen(tmp_path, "--manifests", str(tmp_path / "cluster.yaml"))
    assert {name: libraries(names) for name, names in found.items()} == {
        "supervisor": WORKER,
        "controller": (CONTROLLER | {"yaml"}),
        "worker": WORKER,
    }
    assert {name: rooms(names) - ROOMS[name] for name, names in found.items()} == {name: set() for name in found}
    assert {name: unwanted(names) for name, names in found.items()} == {name: [] for name in found}
    assert "asyncio" in found["worker"]


@pytest.mark.lab
def test_the_client_library_is_in_no_process(lab: Lab, tmp_path: Path) -> None:
    found = seen(tmp_path, "--kubeconfig", str(lab.kubeconfig()))
    assert libraries(found["controller"]) == CONTROLLER | {"yaml"}
    assert libraries(found["worker"]) == libraries(found["supervisor"]) == WORKER
    assert {name: unwanted(names) for name, names in found.items()} == {name: [] for name in found}
