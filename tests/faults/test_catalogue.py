"""The catalogue of faults is whole, and all that it names is there."""

import ast
from functools import lru_cache
from pathlib import Path

import pytest

from tests.faults.catalogue import CATALOGUE
from tests.faults.sins import SINS

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent


@lru_cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_"))


def test_every_fault_is_in_it() -> None:
    assert list(CATALOGUE) == [f"K{number:02}" for number in range(1, 55)]


@pytest.mark.parametrize("number", CATALOGUE)
def test_every_test_that_it_names_is_there(number: str) -> None:
    _, named = CATALOGUE[number]
    assert named
    for each in named:
        path, _, name = each.partition("::")
        assert name in names_in(path), each


def test_every_sin_is_of_a_fault_and_committed() -> None:
    assert set(SINS) <= set(CATALOGUE)
    text = "".join(path.read_text() for path in FOLDER.glob("test_*.py"))
    for number, sin in SINS.items():
        name = getattr(sin, "__name__", "")
        assert f'"{number}"' in text or f"{name}(" in text, number


def test_every_test_here_is_of_a_fault_or_of_what_is_told_of_it() -> None:
    named = {each for _, tests in CATALOGUE.values() for each in tests}
    here = {
        f"tests/faults/{path.name}::{name}"
        for path in FOLDER.glob("test_*.py")
        for name in names_in(f"tests/faults/{path.name}")
    }
    others = {
        each
        for each in here - named
        if not any(part in each for part in ("_audit", "test_catalogue", "test_readiness"))
    }
    assert not others
