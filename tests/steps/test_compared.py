"""Directives that answer by themselves, beside what CoreDNS answers to the same questions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.steps import compared
from tests.steps.compared import Compared
from tests.steps.telling import asked, step


def rows() -> Iterator[Any]:
    for one in compared.ALL:
        for row in one.rows.strip().splitlines():
            question, theirs, *ours = row.split(" | ")
            yield pytest.param(
                one, question, ours[0] if ours else theirs, id=f"{one.directive.split(' {')[0]}: {question}"
            )


@pytest.mark.parametrize(("one", "question", "said"), list(rows()))
def test_the_answer_is_that_of_coredns_but_where_the_table_says_otherwise(
    one: Compared, question: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "hosts"
    path.write_text(compared.HOSTS)
    assert asked(step(one.directive.replace("{file}", str(path))), question) == said
