"""Snippets and imports: what stands in their place, and what is refused."""

import pytest

from kdns.config import imports
from kdns.config.imports import DEPTH_MAX
from kdns.config.parser import parse
from tests.config.reading import Given, Tree, read, said, texts

FILES: dict[str, str | bytes | None] = {
    "one": "log\nerrors\n",
    "block": "x {\nwhoami\n}\n",
    "keys": "x.example, y.example\n",
    "options": "ttl 5\npods {\na\n}",
    "custom/b.override": "cache 30",
    "custom/a.override": "health {\nlameduck 5s\n}\n",
    "custom/.hidden.override": "ready",
    "custom/folder": None,
    "deep/first": "import second\nimport ../one",
    "deep/second": "import ./third",
    "deep/third": "loop",
    "snippets": "(s) {\nimport one\n}\n",
    "deep/snippets": "(s) {\nimport third\n}\n",
    "empty": "",
    "self": "import self",
    "ping": "log\nimport pong",
    "pong": "import ping",
    "bad": "cache\nhealth {\n} x\n",
    "latin": b"log # \xe4\n",
}

READ: tuple[tuple[str, list[tuple[list[str], Tree]]], ...] = (
    (". {\nimport one\nloop\n}", [(["."], ["log", "errors", "loop"])]),
    (".\nimport one\nloop\n", [(["."], ["log", "errors", "loop"])]),
    ("import block\n. {\n}\nimport block", [(["x"], ["whoami"]), (["."], []), (["x"], ["whoami"])]),
    ("import keys\n{\nwhoami\n}", [(["x.example", "y.example"], ["whoami"])]),
    ("a,\nimport keys\n{\nwhoami\n}", [(["a", "x.example", "y.example"], ["whoami"])]),
    (". {\nk {\nimport options\nend\n}\n}", [(["."], ["k", ["ttl 5", "pods", ["a"], "end"]])]),
    (". {\nimport custom/?.override\n}", [(["."], ["health", ["lameduck 5s"], "cache 30"])]),
    (". {\nimport custom/*.override\n}", [(["."], ["ready", "health", ["lameduck 5s"], "cache 30"])]),
    (". {\nimport deep/first\n}", [(["."], ["loop", "log", "errors"])]),
    (". {\nimport empty\n}\nimport empty", [(["."], [])]),
    ("(s) {\nlog\n}\n. {\nimport s\n}", [(["."], ["log"])]),
    ("(s) { log }\n. {\nimport s\n}", [(["."], ["log"])]),
    ("(s)\n{\nlog\n} . {\nimport s\nimport s\n}", [(["."], ["log", "log"])]),
    ("(s) {\na {\nb\n}\n}\n(t) {\nimport s\n}\n. {\nimport t\n}", [(["."], ["a", ["b"]])]),
    ("(s) {\nttl 5\n}\n. {\nk {\nimport s\n}\n}", [(["."], ["k", ["ttl 5"]])]),
    ("(s) {\na {\nlog\n}\n}\nimport s\n", [(["a"], ["log"])]),
    ("(s) {\n}\n. {\nimport s\nlog\n}", [(["."], ["log"])]),
    ("(one) {\nloop\n}\n. {\nimport one\n}", [(["."], ["loop"])]),
    ("import snippets\n. {\nimport s\n}", [(["."], ["log", "errors"])]),
    ("import deep/snippets\n. {\nimport s\n}", [(["."], ["loop"])]),
    ("(unused) {\nimport missing\n}\n. {\n}", [(["."], [])]),
    (". {\nlog import\n}", [(["."], ["log import"])]),
)


@pytest.mark.parametrize(("text", "expected"), READ)
def test_an_import_is_replaced_by_what_it_names(text: str, expected: list[tuple[list[str], Tree]]) -> None:
    corefile = read(text, FILES)
    assert said(corefile) == []
    assert texts(corefile) == expected


WRONG: tuple[tuple[str, list[str]], ...] = (
    (". {\nimport missing\n}", ['2:8: error: found no snippet and no file "missing"']),
    (". {\nimport s\n}\n(s) {\n}", ['2:8: error: found no snippet and no file "s"']),
    (". {\nimport custom/folder\n}", ['2:8: error: can\'t read "custom/folder": Is a directory']),
    (". {\nimport none/*.x\n}", ['2:8: warning: no file fits "none/*.x": nothing is imported']),
    ("import", ["1:1: error: found nothing behind import, expected a snippet, a file or a pattern of files"]),
    (
        ". {\nimport one two\n}",
        ["2:12: error: found more than one word behind import, expected a snippet, a file or a pattern of files"],
    ),
    ("import a\0", ["1:8: error: found a zero octet in the word behind import, expected a snippet or a file"]),
    ('import ""', ["1:8: error: found an empty word behind import, expected a snippet or a file"]),
    (
        "import */*.x\nimport a??\nimport [ab]",
        [
            '1:8: error: found the pattern "*/*.x", expected at most one * and one ?, and no [',
            '2:8: error: found the pattern "a??", expected at most one * and one ?, and no [',
            '3:8: error: found the pattern "[ab]", expected at most one * and one ?, and no [',
        ],
    ),
    ("(s) {\n}\n(s) {\n}", ['3:1: error: found another snippet "(s)", expected each name once']),
    ("(s) {\nimport s\n}", ['2:8: error: found an import of the snippet "(s)" in itself, expected none']),
    ("(s)\nlog", ["1:1: error: found a snippet without a block", "2:1: "]),
    ("(s) {\nlog", ["1:5: error: found a block that is never closed"]),
    (
        "(s) {\nimport t\n}\n(t) {\nimport s\n}\n. {\nimport s\n}",
        ["5:8: error: found an import in a circle: (s) -> (t) -> (s)"],
    ),
)


@pytest.mark.parametrize(("text", "problems"), WRONG)
def test_what_is_wrong_with_an_import_is_said_with_its_place(text: str, problems: list[str]) -> None:
    found = said(read(text, FILES))
    expected = [each for each in problems if not each.endswith(": ")]
    assert found[: len(expected)] == [f"Corefile:{each}" for each in expected]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import self", "self:1:8: error: found an import in a circle: self -> self"),
        (". {\nimport ping\n}", "pong:1:8: error: found an import in a circle: ping -> pong -> ping"),
        ("import Corefile", "Corefile:1:8: error: found an import in a circle: Corefile -> Corefile"),
        (". {\nimport bad\n}", 'bad:3:3: error: found "x" behind }'),
        (". {\nimport latin\n}", "latin:1:7: error: found the octets e4, expected UTF-8"),
    ],
)
def test_problems_of_an_imported_file_are_told_once_and_as_its(text: str, problem: str) -> None:
    assert problem in said(read(text, FILES))
    assert len([each for each in said(read(text + "\n" + text, FILES)) if each == problem]) == 1


def test_paths_are_relative_to_the_importing_file() -> None:
    files = Given({"/etc/kdns/custom/a": "import ../b\nimport /srv/c", "/etc/kdns/b": "log", "/srv/c": "errors"})
    corefile = parse(b". {\nimport custom/a\n}", "/etc/kdns/Corefile", files, {})
    assert texts(corefile) == [(["."], ["log", "errors"])]
    assert [source.path for source in corefile.sources] == [
        "/etc/kdns/Corefile",
        "/etc/kdns/custom/a",
        "/etc/kdns/b",
        "/srv/c",
    ]


def test_a_file_is_read_once_however_often_it_is_imported() -> None:
    files = Given(FILES)
    corefile = parse(b". {\nimport one\nimport one\n}", "Corefile", files, {})
    assert texts(corefile) == [(["."], ["log", "errors", "log", "errors"])]
    assert files.read_paths == ["one"]


def test_a_file_that_grants_nothing_is_a_problem() -> None:
    class Closed(Given):
        def read(self, path: str) -> bytes:
            raise PermissionError(13, "Permission denied", path)

    corefile = parse(b"import one", "Corefile", Closed({}), {})
    assert said(corefile) == ['Corefile:1:8: error: can\'t read "one": Permission denied']


def test_imports_in_imports_have_a_bound() -> None:
    def chain(length: int) -> list[str]:
        files: dict[str, str | bytes | None] = {f"f{n}": f"import f{n + 1}" for n in range(length - 1)}
        return said(read("import f0", {**files, f"f{length - 1}": "# end"}))

    assert chain(DEPTH_MAX) == []
    assert chain(DEPTH_MAX + 1) == [
        f"f{DEPTH_MAX - 1}:1:8: error: found imports in imports, more than {DEPTH_MAX} deep"
    ]


def test_snippets_that_double_each_other_end(monkeypatch: pytest.MonkeyPatch) -> None:
    doubling = "(s0) {\nlog\n}\n" + "".join(f"(s{n}) {{\nimport s{n - 1}\nimport s{n - 1}\n}}\n" for n in range(1, 40))
    corefile = read(doubling + ". {\nimport s39\n}")
    assert {problem.message for problem in corefile.problems} == {"found more than 10000 imports of snippets"}

    monkeypatch.setattr(imports, "TOKENS_MAX", 1500)
    long = "(s) {\n" + "log\n" * 600 + "}\n. {\nimport s\nimport s\nimport s\n}"
    assert said(read(long)) == [
        "Corefile:606:8: error: found more than 1500 words, imports counted as often as they are used"
    ]
    monkeypatch.setattr(imports, "FILES_MAX", 3)
    assert said(read("import empty\n" * 5, FILES)) == [
        f"Corefile:{line}:8: error: found more than 3 imports of files" for line in (4, 5)
    ]
