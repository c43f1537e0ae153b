"""The walls of the design: who may import whom, what things are called, how long a file may be.

Each rule reads the sources without running them and returns what breaks it, a line each; a
table below plants a violation of each in a tree of its own and expects the rule to see it.
"""

import ast
import graphlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = "kdns"

# What each folder may import of kdns besides itself: folders, or single modules. All others may import anything.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "dns": (),
    "zone": ("dns",),
    "cluster": ("zone.entry", "zone.patch", "dns.names", "dns.types"),
    "config": ("dns",),
    "sources": ("cluster", "zone.entry", "dns", "config.settings", "ops.cells"),
    # A step takes its directive's settings, and the values that these are made of.
    "steps": (
        *(
            "dns",
            "zone",
            "config.settings",
            "config.directives",
            "config.declarations",
            "config.rewriting",
            "config.served",
        ),
        *("config.patterns", "config.endpoints", "config.domains", "config.kinds", "config.labels"),
        *("config.gofunctions", "config.forwarding"),
        *("config.expressions", "config.mnemonics"),
        "config.resolvconf",
        "ops.cells",
    ),
    "serve": ("dns", "zone", "steps", "config.settings", "config.serving", "config.directives", "ops"),
    "ops": ("config.settings",),
    "diff": ("dns",),
    "dev": ("dns", "ops.terminals"),
    "migration": ("config",),
    "explain": ("cluster", "config.complaints", "config.resolvconf", "config.settings", "dns", "zone"),
    "controller": ("cluster", "config", "dns", "explain", "ops", "serve", "sources", "zone"),
}
# Time, chance and IO are arguments here.
PURE = (
    *("dns", "zone", "cluster", "explain", "config.settings", "config.defaults"),
    *("diff.difference", "diff.question", "diff.verdict"),
    *("diff.intended", "diff.cluster", "diff.others", "diff.directives", "diff.naming", "diff.report"),
    "migration",
    *("config.syntax", "config.lexer", "config.environment", "config.imports", "config.parser", "config.seen"),
    *("config.zones", "config.keys", "config.complaints", "config.serving", "config.servers", "config.served"),
    *("config.forms", "config.shapes", "config.kinds", "config.domains", "config.endpoints", "config.labels"),
    *("config.patterns", "config.declarations", "config.reading", "config.directives", "config.table", "config.manual"),
    *("config.explain", "config.check", "config.expressions", "config.operations", "config.words", "config.mnemonics"),
)
IMPURE = frozenset(
    (
        *("asyncio", "selectors", "signal", "socket", "ssl", "subprocess", "threading"),
        *("io", "os", "pathlib", "shutil", "tempfile", "logging", "structlog"),
        *("datetime", "time", "random", "secrets"),
    )
)
# Libraries with a place of their own, each with what may import it.
PLACES: Mapping[str, tuple[str, ...]] = {
    "click": ("cli",),
    "ctypes": ("dev.kernel", "serve.mmsg"),
    "dns": ("steps.masterfile",),  # dnspython
    "dnslib": ("dns.message",),
    "h11": ("ops.listener", "sources"),
    "h2": ("steps.http2",),
    "hpack": ("steps.http2",),  # h2's own
    "kubernetes": ("sources.api",),
    "msgspec": ("cluster", "explain", "sources"),
    "re2": ("config.patterns",),
    "yaml": ("sources",),
}
# What docs/decisions decided against, and what nothing here needs.
NOWHERE = frozenset(
    ("aiohttp", "http", "logging", "multiprocessing", "pickle", "prometheus_client", "requests", "urllib3", "uvloop")
)
# Of these each has one importer, which translates its errors.
SINGLE = ("dns", "dnslib", "h2", "kubernetes", "re2")
VAGUE = frozenset(("base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"))
# The design's own word for the numbers of the DNS.
DESIGNED_NAMES = ("dns.types",)
LINES_MAX = 500


class Source(NamedTuple):
    """A module: its name below the package ("zone.entry"; "zone" for the folder itself) and what it imports."""

    name: str
    docstring: str | None
    imports: tuple[str, ...]  # absolute; a module of the package where there is one of that name


Sources: TypeAlias = Mapping[str, Source]
Rule: TypeAlias = Callable[[Sources], list[str]]


def read(package: Path) -> Sources:
    """Every module of the package."""
    files = {_name(path.relative_to(package)): path for path in sorted(package.rglob("*.py"))}
    known = frozenset(f"{package.name}.{name}".rstrip(".") for name in files)
    sources = {}
    for name, path in files.items():
        tree = ast.parse(path.read_text())
        folder = [package.name, *path.relative_to(package).parts[:-1]]
        sources[name] = Source(name, ast.get_docstring(tree), tuple(sorted(_imports(tree, folder, known))))
    return sources


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix("__init__").rstrip(".")


def _imports(tree: ast.Module, folder: list[str], known: frozenset[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{start}.{alias.name}"
                yield whole if whole in known else start


def _within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def _own(source: Source) -> Iterator[str]:
    """What it imports of the package, named as the sources are."""
    return (each[len(PACKAGE) + 1 :] for each in source.imports if _within(each, (PACKAGE,)))


def folders_import_only_what_they_may(sources: Sources) -> list[str]:
    return [
        f"{source.name} imports {each}"
        for source in sources.values()
        if (folder := source.name.partition(".")[0]) in FOLDERS
        for each in _own(source)
        if not _within(each, (folder, *FOLDERS[folder])) and each  # the package itself has the version
    ]


def pure_modules_import_neither_io_nor_time_nor_chance(sources: Sources) -> list[str]:
    return [
        f"{source.name} imports {each}"
        for source in sources.values()
        if _within(source.name, PURE)
        for each in source.imports
        if each.partition(".")[0] in IMPURE
    ]


def libraries_are_imported_in_their_places_only(sources: Sources) -> list[str]:
    return [
        f"{source.name} imports {each}"
        for source in sources.values()
        for each in source.imports
        if (library := each.partition(".")[0]) in PLACES
        if not _within(source.name, PLACES[library])
    ]


def some_libraries_have_one_importer(sources: Sources) -> list[str]:
    importers = {
        library: [
            source.name for source in sources.values() if any(_within(each, (library,)) for each in source.imports)
        ]
        for library in SINGLE
    }
    return [f"{library} in {', '.join(names)}" for library, names in importers.items() if len(names) > 1]


def some_libraries_are_imported_nowhere(sources: Sources) -> list[str]:
    return [
        f"{source.name} imports {each}"
        for source in sources.values()
        for each in source.imports
        if each.partition(".")[0] in NOWHERE
    ]


def no_module_imports_itself_through_others(sources: Sources) -> list[str]:
    graph = {name: [each for each in _own(source) if each in sources] for name, source in sources.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def no_module_has_the_name_of_a_standard_one(sources: Sources) -> list[str]:
    return [
        name
        for name in sources
        if name.rpartition(".")[2] in sys.stdlib_module_names and name not in (*DESIGNED_NAMES, "__main__")
    ]


def no_name_says_nothing(sources: Sources) -> list[str]:
    return [name for name in sources if VAGUE.intersection(name.split("."))]


def every_module_says_what_it_is(sources: Sources) -> list[str]:
    return [name for name, source in sources.items() if not source.docstring]


RULES: tuple[Rule, ...] = (
    folders_import_only_what_they_may,
    pure_modules_import_neither_io_nor_time_nor_chance,
    libraries_are_imported_in_their_places_only,
    some_libraries_have_one_importer,
    some_libraries_are_imported_nowhere,
    no_module_imports_itself_through_others,
    no_module_has_the_name_of_a_standard_one,
    no_name_says_nothing,
    every_module_says_what_it_is,
)


@pytest.fixture(scope="module")
def own() -> Sources:
    """The repository's own, read once."""
    return read(REPOSITORY / PACKAGE)


@pytest.mark.parametrize("rule", RULES)
def test_the_walls_hold(rule: Rule, own: Sources) -> None:
    assert rule(own) == []


PLANTED: tuple[tuple[Rule, dict[str, str], list[str]], ...] = (
    (
        folders_import_only_what_they_may,
        {
            "dns/names.py": "import kdns.zone.entry",
            "zone/entry.py": "from kdns.cluster.store import Store",
            "zone/index.py": "from kdns import dns\nfrom . import entry\nfrom ..steps import chain",
            "cluster/store.py": "def late():\n    from kdns.zone import index",
            "steps/chain.py": "from kdns.config import parser, settings",
            "serve/worker.py": "from kdns.sources.api import watch\nfrom kdns.ops.metrics import merge",
            "ops/health.py": "from kdns.serve.worker import run\nfrom kdns import __version__",
            "config/parser.py": "",
            "config/settings.py": "",
            "app.py": "import kdns.serve.worker, kdns.cluster.store",
        },
        [
            "cluster.store imports zone.index",
            "dns.names imports zone.entry",
            "ops.health imports serve.worker",
            "serve.worker imports sources.api",
            "steps.chain imports config.parser",
            "zone.entry imports cluster.store",
            "zone.index imports steps.chain",
        ],
    ),
    (
        pure_modules_import_neither_io_nor_time_nor_chance,
        {
            "dns/names.py": "import os.path",
            "cluster/store.py": "if True:\n    from time import monotonic",
            "config/parser.py": "import structlog",
            "serve/udp.py": "import socket",
        },
        ["cluster.store imports time", "config.parser imports structlog", "dns.names imports os.path"],
    ),
    (
        libraries_are_imported_in_their_places_only,
        {
            "sources/api.py": "import kubernetes.client",
            "sources/manifests.py": "import yaml\nfrom kubernetes import config",
            "serve/udp.py": "from ctypes import CDLL",
            "serve/mmsg.py": "import ctypes.util",
            "dns/reply.py": "from dnslib.dns import DNSRecord",
        },
        ["dns.reply imports dnslib.dns", "serve.udp imports ctypes", "sources.manifests imports kubernetes"],
    ),
    (
        some_libraries_have_one_importer,
        {
            "sources/api/login.py": "from kubernetes import config",
            "sources/api/watch.py": "def late():\n    import kubernetes.client",
            "dns/message.py": "import dnslib, dnslib.buffer",
        },
        ["kubernetes in sources.api.login, sources.api.watch"],
    ),
    (
        some_libraries_are_imported_nowhere,
        {"ops/logs.py": "import logging.config", "cli/serve.py": "from http.client import HTTPConnection"},
        ["cli.serve imports http.client", "ops.logs imports logging.config"],
    ),
    (
        no_module_imports_itself_through_others,
        {
            "zone/a.py": "from kdns.zone import b",
            "zone/b.py": "from kdns.zone.c import x",
            "zone/c.py": "import kdns.zone.a",
        },
        ["zone.a <- zone.c <- zone.b <- zone.a"],
    ),
    (
        no_module_has_the_name_of_a_standard_one,
        {"zone/types.py": "", "dns/types.py": "", "email/__init__.py": "", "__main__.py": ""},
        ["email", "zone.types"],
    ),
    (
        no_name_says_nothing,
        {"zone/utils.py": "", "core/__init__.py": "", "zone/core_names.py": ""},
        ["core", "zone.utils"],
    ),
    (every_module_says_what_it_is, {"zone/__init__.py": '"""Zones."""', "zone/index.py": "# comment"}, ["zone.index"]),
)


@pytest.mark.parametrize(("rule", "files", "expected"), PLANTED)
def test_a_broken_wall_is_seen(rule: Rule, files: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    for name, text in files.items():
        path = tmp_path / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert sorted(rule(read(tmp_path / PACKAGE))) == expected


def test_each_rule_has_its_planted_violation() -> None:
    assert [rule for rule, _, _ in PLANTED] == list(RULES)


def long_files(root: Path) -> list[str]:
    folders = (PACKAGE, "tests", "bench")
    files = (path for folder in folders for path in sorted((root / folder).rglob("*.py")))
    return [str(path.relative_to(root)) for path in files if path.read_text().count("\n") > LINES_MAX]


def test_no_file_has_two_truths_in_it() -> None:
    assert long_files(REPOSITORY) == []


def test_a_file_too_long_is_seen(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_long.py").write_text("\n" * (LINES_MAX + 1))
    (tmp_path / "tests" / "test_short.py").write_text("\n" * LINES_MAX)
    assert long_files(tmp_path) == ["tests/test_long.py"]
