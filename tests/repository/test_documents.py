"""What the documents say is so: commands parse; flags, metrics, events and imports are all there; links lead somewhere."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from kdns.cluster.targets import role_rule
from kdns.config.settings import ReadSettings
from kdns.ops.metrics import FAMILIES, Family
from kdns.sources.demand import demand_of
from tests.kit.kit import granted
from tests.repository import documents
from tests.repository.documents import DOCUMENTS, REPOSITORY
from tests.repository.test_walls import FOLDERS

# What a shell makes of a line isn't the command's.
SHELL = re.compile(r"\s(?:[|<>&;]|#|\d>).*")
FLAG = re.compile(r"(?<![\w-])--?[a-z][a-z.-]*[a-z]\b|(?<![\w-])-[a-z]\b")


class Command(NamedTuple):
    """A command line of a document. A synopsis has brackets or dots: only its flags can be tried."""

    document: str
    text: str

    @property
    def is_synopsis(self) -> bool:
        return bool(re.search(r"[\[…]|\.\.\.", self.text))

    @property
    def arguments(self) -> list[str]:
        """Without those of another command behind --."""
        arguments = shlex.split(self.text)[1:]
        return arguments[: arguments.index("--")] if "--" in arguments else arguments


def commands(document: str, text: str) -> Iterator[Command]:
    """Every `kdns ...` of the document, in a block or within a line."""
    shell = (block for kind in ("sh", "console") for block in documents.blocks(text, kind))
    lines = [line for block in shell for line in _joined(block).splitlines()]
    parts = [part.strip().removeprefix("$ ").removeprefix(".venv/bin/") for line in lines for part in line.split(" | ")]
    spans = re.findall(r"`(kdns [^`]+)`", documents.prose(text))
    for each in (*parts, *spans):
        if each.startswith("kdns "):
            yield Command(document, SHELL.sub("", " ".join(each.split())))


def _joined(block: str) -> str:
    """The block with a line for each command: a synopsis goes on in indented lines."""
    return re.sub(r"\\?\n {4,}", " ", block)


def every_command() -> list[Command]:
    found = [each for path in DOCUMENTS for each in commands(documents.name(path), path.read_text())]
    return list({each.text: each for each in found}.values())


def kdns(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kdns", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=30)


@cache
def helps() -> dict[str, str]:
    """The help of kdns and of each of its commands."""
    whole = kdns("--help").stdout
    _, _, below = whole.partition("Commands:\n")
    names = re.findall(r"^  (\S+)", below, re.MULTILINE)
    return {"": whole} | {name: kdns(name, "--help").stdout for name in names}


@pytest.mark.parametrize("command", [each for each in every_command() if not each.is_synopsis], ids=str)
def test_a_command_in_the_documents_is_understood(command: Command) -> None:
    done = kdns(*command.arguments, "--help")
    assert done.returncode == 0, f"{command.document}: {command.text}: {done.stderr}"


def test_the_flags_of_every_synopsis_exist() -> None:
    known = {flag for text in helps().values() for flag in FLAG.findall(text)}
    shown = {flag: each for each in every_command() if each.is_synopsis for flag in FLAG.findall(each.text)}
    assert {flag: each for flag, each in shown.items() if flag not in known} == {}


def test_every_flag_is_in_the_reference() -> None:
    documented = set(FLAG.findall((REPOSITORY / "docs" / "reference" / "command-line.md").read_text()))
    flags = {flag for text in helps().values() for flag in FLAG.findall(text)}
    assert "--help" in flags
    assert sorted(flags - documented - {"-h"}) == []


def test_every_target_of_make_that_is_named_is_there() -> None:
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    named = set(re.findall(r"(?:^|`)make ([a-z]+)\b", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test"} <= named
    assert named - targets == set()


def row(family: Family) -> str:
    return f"| `{family.name}` | {family.type} | {', '.join(family.labels)} | {family.help} |"


def test_the_reference_lists_every_metric_as_it_is() -> None:
    lines = (REPOSITORY / "docs" / "reference" / "metrics.md").read_text().partition("\n## ")[0].splitlines()
    assert [line for line in lines if line.startswith("| `")] == [row(family) for family in FAMILIES.values()]


def test_every_metric_is_counted_somewhere_and_every_one_counted_is_in_the_table() -> None:
    table = REPOSITORY / "kdns" / "ops" / "metrics.py"
    sources = "".join(path.read_text() for path in (REPOSITORY / "kdns").rglob("*.py") if path != table)
    assert set(re.findall(r'"((?:coredns|kdns)_\w+|process_\w+_(?:bytes|total|fds|seconds))"', sources)) == set(
        FAMILIES
    )


LEVELS = {"exception": "error", "error": "error", "warning": "warning", "info": "info"}


def events(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The level and name of every event that a module logs; what Repeated tells of is a warning."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            level = "warning" if called == "Repeated" else LEVELS.get(called)
            if level:
                yield level, str(node.args[0].value)


def test_every_event_of_the_log_is_documented_with_its_level() -> None:
    table = documents.rows((REPOSITORY / "docs" / "operations.md").read_text())
    documented = {
        (cells[0], each) for cells in table if cells[0] in LEVELS for each in re.findall(r"`(\w+)`", cells[2])
    }
    modules = (REPOSITORY / "kdns").rglob("*.py")
    assert documented == {event for path in modules for event in events(ast.parse(path.read_text()))}


ALWAYS = demand_of(ReadSettings(pods=True)).resources  # ServiceImports are read only where multicluster asks for them


def test_the_role_in_the_documents_is_what_the_api_is_asked_for() -> None:
    found = [
        part
        for path in DOCUMENTS
        for block in documents.blocks(path.read_text(), "yaml")
        for part in yaml.safe_load_all(block)
    ]
    (role,) = [each for each in found if each.get("kind") == "ClusterRole"]
    assert granted(role["rules"]) == granted([yaml.safe_load(role_rule(resource)) for resource in ALWAYS])


def test_the_architecture_says_who_may_import_whom_as_the_walls_hold_it() -> None:
    table = documents.rows((REPOSITORY / "docs" / "architecture.md").read_text())
    cells = {each[0].strip("`"): set(re.findall(r"`([\w.]+)`", each[2])) for each in table if len(each) == 3}
    assert {name: cells[name] for name in FOLDERS} == {name: set(allowed) for name, allowed in FOLDERS.items()}


def missing(path: Path) -> list[str]:
    """The links of a document that lead to no file, or to no heading in it."""
    links = re.findall(r"\]\((?!https?:)([^)\s]+)", path.read_text())
    return [link for link in links if not _leads_somewhere(path, *link.partition("#")[::2])]


def _leads_somewhere(path: Path, file: str, anchor: str) -> bool:
    target = path.parent / file if file else path
    return target.exists() and (not anchor or anchor in documents.anchors(target.read_text()))


@pytest.mark.parametrize("path", DOCUMENTS, ids=documents.name)
def test_every_link_leads_to_a_place(path: Path) -> None:
    assert missing(path) == []


def test_every_decision_is_in_the_list_of_them() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    listed = set(re.findall(r"\]\((2[^)]+)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("2*.md")}


# The readers themselves


def test_commands_are_found_in_blocks_and_within_lines() -> None:
    text = (
        "Say `kdns --version`.\n\n```sh\n$ kdns serve --zone a | head\n.venv/bin/kdns serve \\\n    -p 53  # why\nls\n"
        "cat a | kdns serve --manifests -\n```\n```text\nkdns serves a\n```\nand `kdns serve [-p PORT]…`\n"
    )
    found = list(commands("a.md", text))
    assert [each.text for each in found] == [
        "kdns serve --zone a",
        "kdns serve -p 53",
        "kdns serve --manifests -",
        "kdns --version",
        "kdns serve [-p PORT]…",
    ]
    assert [each.is_synopsis for each in found] == [False, False, False, False, True]


def test_events_are_found_whatever_logs_them() -> None:
    text = (
        "log.info('a', key=1)\nself._log.exception(\n    'b'\n)\nget_logger().warning('c')\nRepeated('d')\nlog.info(e)"
    )
    assert list(events(ast.parse(text))) == [("info", "a"), ("error", "b"), ("warning", "c"), ("warning", "d")]


def test_a_link_to_a_missing_heading_is_seen(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# A word, `b`!\n[yes](#a-word-b) [no](#b) [no](b.md) [yes](a.md#a-word-b)\n")
    assert missing(document) == ["#b", "b.md"]


def test_cells_of_a_table_may_have_bars() -> None:
    assert list(documents.rows("text\n| a \\| b | c |\n```\n| no |\n```\n")) == [["a | b", "c"]]
