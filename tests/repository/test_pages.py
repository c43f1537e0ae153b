"""The pages of directives: every one is there, says what the table says, and shows Corefiles that are right."""

import re
from pathlib import Path

import pytest

from kdns.config.check import Machine, check
from kdns.config.table import SUPPORTED
from tests.config.reading import Given
from tests.repository import documents, pages
from tests.repository.documents import DOCUMENTS
from tests.repository.pages import FOLDER

MADE = [pytest.param(path, text, id=path.stem) for path, text in pages.made()]
HEADINGS = {path.stem: path for path in sorted(FOLDER.glob("*.md")) if path.name != "README.md"}

# What the examples import and take from the environment.
FILES = {"custom/a.override": "log\n", "custom/a.server": "a.example {\n    whoami\n}\n"}
ENVIRONMENT = {"DNS_PORT": "1053", "CACHE_TTL": "30"}
EXAMPLES = [
    pytest.param(block, id=f"{path.stem} {number}")
    for path in DOCUMENTS
    for number, block in enumerate(documents.blocks(path.read_text(), "corefile"), 1)
]


def test_every_directive_has_a_page() -> None:
    assert sorted({each.name for each in SUPPORTED} - set(HEADINGS)) == []


@pytest.mark.parametrize(("path", "text"), MADE)
def test_a_page_says_what_the_table_says(path: Path, text: str) -> None:
    assert pages.part(path.read_text()) == text, "make pages writes it"


@pytest.mark.parametrize("name", HEADINGS)
def test_a_page_begins_with_its_name(name: str) -> None:
    heading = {"others": "Other directives"}.get(name, name)
    assert HEADINGS[name].read_text().startswith(f"# {heading}\n")


@pytest.mark.parametrize("directive", [pytest.param(each.name, id=each.name) for each in SUPPORTED])
def test_a_page_shows_its_directive_in_a_server_block(directive: str) -> None:
    shown = "\n".join(documents.blocks(HEADINGS[directive].read_text(), "corefile"))
    assert re.search(rf"^    {directive}\b", shown, re.MULTILINE)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_has_no_error(text: str) -> None:
    machine = Machine(Given(FILES), ENVIRONMENT, 53, lambda _: "", lambda _: ["192.0.2.1"], lambda _: True)
    found = check(text.encode(), "Corefile", machine)
    assert [(each.place.line, each.message, each.hint) for each in found.problems if each.severity == "error"] == []
    assert found.blocks


def test_what_stands_between_the_marks_can_be_replaced() -> None:
    page = "# a\n\n<!-- table -->\nold\n\n<!-- /table -->\n\nmore\n"
    assert pages.part(page) == "old\n\n"
    assert pages.with_part(page, "new \\1\n") == "# a\n\n<!-- table -->\nnew \\1\n<!-- /table -->\n\nmore\n"
    assert pages.part("# a\n") is None
