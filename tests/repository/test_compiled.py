"""What setup.py compiles: modules that are there, and closed under inheritance.

A compiled class can't have an interpreted base with slots, and an interpreted class no compiled base: both are errors as late
as the class is made, or its first object.
"""

import ast
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.server import REPOSITORY


def compiled(monkeypatch: pytest.MonkeyPatch) -> frozenset[str]:
    """The modules' names, as setup.py has them; nothing is set up."""
    setuptools = type(sys)("setuptools")
    setuptools.__dict__["setup"] = lambda **_: None
    monkeypatch.setitem(sys.modules, "setuptools", setuptools)
    monkeypatch.delenv("KDNS_COMPILED", raising=False)
    monkeypatch.chdir(REPOSITORY)  # where pip has it run
    found = runpy.run_path(str(REPOSITORY / "setup.py"))["MODULES"]
    return frozenset(f"{room}/{module}".replace("/", ".") for room, modules in found.items() for module in modules)


def crossings(trees: Mapping[str, ast.Module], inside: frozenset[str]) -> Iterator[str]:
    """Classes whose base is on the other side."""
    for module, tree in trees.items():
        where = dict[str, str]()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                where |= {each.asname or each.name: node.module for each in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for base in map(ast.unparse, node.bases):
                    head, _, rest = base.partition(".")
                    of = where.get(head, module)
                    of = f"{of}.{head}" if rest else of
                    if of in trees and (of in inside) != (module in inside):
                        yield f"{module}.{node.name}({base})"


def test_what_is_compiled_is_there_and_no_class_has_a_base_on_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = compiled(monkeypatch)
    assert inside
    trees = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts): ast.parse(path.read_text())
        for path in (REPOSITORY / "kdns").rglob("*.py")
    }
    assert inside <= trees.keys()
    assert list(crossings(trees, inside)) == []


@pytest.mark.parametrize("line", ["from a import A\nclass B(A): ...", "import a\nfrom x import a\nclass B(a.A): ..."])
@pytest.mark.parametrize("inside", ["one", "other"])
def test_a_base_on_the_other_side_is_seen(line: str, inside: str) -> None:
    base = "x.a" if "x" in line else "a"
    trees = {base: ast.parse("class A: ..."), "b": ast.parse(line)}
    assert len(list(crossings(trees, frozenset({base if inside == "one" else "b"})))) == 1
    assert list(crossings(trees, frozenset(trees))) == []


def test_a_package_that_is_installed_plainly_has_no_native_module() -> None:
    assert not list(Path(REPOSITORY / "kdns").rglob("*.so"))
