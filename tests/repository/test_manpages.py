"""The man pages: they are what make pages writes, for every command, and sound roff."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kdns.cli.arguments import COMMANDS
from tests.repository import manpages

PAGES = [pytest.param(path, text, id=path.stem) for path, text in manpages.made()]


def test_there_is_a_page_for_each_command_and_none_else() -> None:
    found = {path.stem for path in manpages.FOLDER.glob("*.1")}
    assert found == {"kdns", *(f"kdns-{name}" for name in COMMANDS)}


@pytest.mark.parametrize(("path", "text"), PAGES)
def test_a_page_is_what_the_declarations_say(path: Path, text: str) -> None:
    assert path.read_text() == text, "make pages writes it"


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc isn't installed")
@pytest.mark.parametrize(("path", "text"), PAGES)
def test_mandoc_finds_nothing_wrong(path: Path, text: str) -> None:
    command = ["mandoc", "-T", "lint", "-W", "style"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    # The version says what a date would.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


def test_text_cant_become_a_macro() -> None:
    assert manpages._line(".SH a-b\\") == r"\&.SH a\-b\e"
