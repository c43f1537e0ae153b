"""The manual: what is made of the table for documents and terminals."""

import re
from typing import Any

import pytest

from kdns.config import manual, table
from kdns.config.declarations import Directive
from kdns.config.directives import bare, cache, forward, rewrite
from tests.repository.documents import rows

SUPPORTED = [pytest.param(each, id=each.name) for each in table.SUPPORTED]

CACHE = """\
```text
cache [TTL] [ZONE...] {
    success CAPACITY [TTL [MINTTL]]
"""


def test_a_page_begins_with_how_the_directive_is_written() -> None:
    assert manual.markdown(cache.DIRECTIVE).startswith(CACHE)


def test_words_stand_for_variables_that_have_few() -> None:
    page = manual.markdown(forward.DIRECTIVE)
    assert "\n    policy (random|round_robin|sequential)\n" in page
    assert "| `policy (random\\|round_robin\\|sequential)` | Which upstream is asked first. | `random` |" in page
    assert manual.usage(rewrite.DIRECTIVE) == "rewrite [stop|continue] RULE..."


def test_known_differences_are_listed() -> None:
    page = manual.markdown(bare.LOOP)
    assert page.endswith("\n## Known differences\n\n- " + "\n- ".join(bare.LOOP.differs) + "\n")
    assert manual.markdown(bare.ANY).endswith("## Known differences\n\nNone.\n")


@pytest.mark.parametrize("directive", SUPPORTED)
def test_every_option_and_argument_is_in_both(directive: Directive[Any]) -> None:
    page, text = manual.markdown(directive), manual.text(directive)
    cells = {row[0].strip("`") for row in rows(page)}
    for row in manual.rows(directive):
        assert row.usage in cells
        assert row.usage in text
    for name in (*directive.gone, *directive.missing):
        assert name in cells


def test_the_overview_has_every_directive_once() -> None:
    found = re.findall(r"^  (\S+)  ", manual.overview(), re.MULTILINE)
    assert sorted(found) == sorted(table.BY_NAME)
