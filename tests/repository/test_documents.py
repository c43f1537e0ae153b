"""What the documents say is so: commands parse, flags and metrics are all there, links lead somewhere."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kdns.ops.metrics import FAMILIES, Family

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted((*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")))
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
        return shlex.split(self.text)[1:]


def commands(document: str, text: str) -> Iterator[Command]:
    """Every `kdns ...` of the document, in a block or within a line."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    spans = re.findall(r"`(kdns [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    for each in (*lines, *spans):
        if each.startswith("kdns "):
            yield Command(document, SHELL.sub("", " ".join(each.split())))


def every_command() -> list[Command]:
    found = [each for path in DOCUMENTS for each in commands(str(path.relative_to(REPOSITORY)), path.read_text())]
    return list({each.text: each for each in found}.values())


def kdns(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kdns", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=30)


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


def test_every_flag_is_documented() -> None:
    documented = set(FLAG.findall("\n".join(path.read_text() for path in DOCUMENTS)))
    flags = {flag for text in helps().values() for flag in FLAG.findall(text)}
    assert "--help" in flags
    assert sorted(flags - documented - {"--help"}) == []


def row(family: Family) -> str:
    return f"| `{family.name}` | {family.type} | {', '.join(family.labels)} | {family.help} |"


def test_the_reference_lists_every_metric_as_it_is() -> None:
    lines = (REPOSITORY / "docs" / "reference" / "metrics.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| `")] == [row(family) for family in FAMILIES.values()]


def test_every_metric_is_counted_somewhere_and_every_one_counted_is_in_the_table() -> None:
    table = REPOSITORY / "kdns" / "ops" / "metrics.py"
    sources = "".join(path.read_text() for path in (REPOSITORY / "kdns").rglob("*.py") if path != table)
    assert set(re.findall(r'"((?:coredns|kdns)_\w+|process_\w+_(?:bytes|total|fds|seconds))"', sources)) == set(
        FAMILIES
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_leads_to_a_file(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_decision_is_in_the_list_of_them() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    listed = set(re.findall(r"\]\((2[^)]+)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("2*.md")}


def test_commands_are_found_in_blocks_and_within_lines() -> None:
    text = "Say `kdns --version`.\n\n```sh\n$ kdns serve --zone a | head\nkdns serve \\\n    -p 53  # why\nls\n```\nand `kdns serve [-p PORT]…`\n"
    found = list(commands("a.md", text))
    assert [each.text for each in found] == [
        "kdns serve --zone a",
        "kdns serve -p 53",
        "kdns --version",
        "kdns serve [-p PORT]…",
    ]
    assert [each.is_synopsis for each in found] == [False, False, False, True]
