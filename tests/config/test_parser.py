"""From rows to server blocks: keys, braces, blocks; and what is wrong, all of it at once."""

import pytest

from kdns.config.parser import BLOCKS_MAX
from tests.config.reading import Tree, read, said, texts

WHOAMI: Tree = ["whoami"]

# As CoreDNS reads them.
READ: tuple[tuple[str, list[tuple[list[str], Tree]]], ...] = (
    ("", []),
    ("# nothing\n", []),
    (".", [(["."], [])]),
    (". {\n}", [(["."], [])]),
    (". { }", [(["."], [])]),
    (". {\nwhoami\n}", [(["."], WHOAMI)]),
    (".\n{\nwhoami\n}", [(["."], WHOAMI)]),
    (". { whoami\n}", [(["."], WHOAMI)]),
    (".\nwhoami\n", [(["."], WHOAMI)]),
    (".\nwhoami\nhealth {\nlameduck 5s\n}\nlog", [(["."], ["whoami", "health", ["lameduck 5s"], "log"])]),
    ("a b:54 {\nwhoami\n}", [(["a", "b:54"], WHOAMI)]),
    ("a, b {\nwhoami\n}", [(["a", "b"], WHOAMI)]),
    ("a,\nb,\n\nc\n{\nwhoami\n}", [(["a", "b", "c"], WHOAMI)]),
    ("a,b {\nwhoami\n}", [(["a,b"], WHOAMI)]),
    ('"a" "" b {\nwhoami\n}', [(["a", "b"], WHOAMI)]),
    ("a {\nwhoami\n} b {\nwhoami\n}", [(["a"], WHOAMI), (["b"], WHOAMI)]),
    ("a {\nwhoami\n}\nb\nwhoami", [(["a"], WHOAMI), (["b"], WHOAMI)]),
    (". {\nhealth { }\nx {} y\n}", [(["."], ["health", [], "x {} y"])]),
    (". {\nhealth { lameduck 5s\n}\n}", [(["."], ["health", ["lameduck 5s"]])]),
    (". {\na {\nb c {\nd {\n}\n}\ne\n}\nf\n}", [(["."], ["a", ["b c", ["d", []], "e"], "f"])]),
    (". {\na {\nb {\nc\n} }\nd\n}", [(["."], ["a", ["b", ["c"]], "d"])]),
    ('. {\na "b\nc" {\nd\n}\n}', [(["."], ["a b\nc", ["d"]])]),
    (". {\ntemplate {1} {{ .Name }} {$x {\nd\n}\n}", [(["."], ["template {1} {{ .Name }} {$x", ["d"]])]),
)


@pytest.mark.parametrize(("text", "expected"), READ)
def test_blocks_are_read_as_coredns_reads_them(text: str, expected: list[tuple[list[str], Tree]]) -> None:
    corefile = read(text)
    assert said(corefile) == []
    assert texts(corefile) == expected


def test_a_quoted_brace_is_a_word() -> None:
    corefile = read('. {\na "{" b "}"\n}')  # CoreDNS takes them for braces
    assert said(corefile) == []
    assert texts(corefile) == [(["."], ["a { b }"])]


WRONG: tuple[tuple[str, list[str], list[tuple[list[str], Tree]]], ...] = (
    (
        ". { whoami }",
        ["1:12: error: found } at the end of a line"],
        [(["."], WHOAMI)],
    ),
    (
        ". {\nhealth { lameduck 5s }\nlog\n}",
        ["2:22: error: found } at the end of a line"],
        [(["."], ["health", ["lameduck 5s"], "log"])],
    ),
    (
        ". {\nhealth\n  {\nlameduck 5s\n}\nlog\n}",
        ["3:3: error: found { at the beginning of a line, expected it at the end of the directive's"],
        [(["."], ["health", ["lameduck 5s"], "log"])],
    ),
    (
        ". {\nhealth {\n} log\ncache\n}",
        ['3:3: error: found "log" behind }'],
        [(["."], ["health", [], "log", "cache"])],
    ),
    (
        ". {\nhealth {\n} }\n. {\n}",
        ["3:3: error: found } behind }"],
        [(["."], ["health", []]), (["."], [])],
    ),
    (
        "a {\n}\n}\nb {\n}",
        ["3:1: error: found } without the { that it would close"],
        [(["a"], []), (["b"], [])],
    ),
    (
        "a }\nb {\n}",
        ["1:3: error: found } among the keys of a server block"],
        [(["a"], ["b", []])],
    ),
    (
        "a },\nb {\n}",  # CoreDNS has a zone named }
        ["1:3: error: found } among the keys of a server block"],
        [(["a", "b"], [])],
    ),
    (
        "a {, b {\n}",
        ["1:3: error: found { among the keys of a server block"],
        [(["a", "b"], [])],
    ),
    (
        ".\nwhoami\n}\nlog",
        ["3:1: error: found } without the { that it would close"],
        [(["."], ["whoami", "log"])],
    ),
    (
        "a, {\nwhoami\n}",
        ["1:1: error: found a comma before {, expected another key behind it"],
        [(["a"], WHOAMI)],
    ),
    (
        "a,\n{\nwhoami\n}",
        ["1:1: error: found a comma before {, expected another key behind it"],
        [(["a"], WHOAMI)],
    ),
    (
        "a,\n",
        ["1:1: error: found the end of the file behind a comma, expected another key"],
        [(["a"], [])],
    ),
    (
        "a {\nwhoami\n",
        ["1:3: error: found a block that is never closed"],
        [(["a"], WHOAMI)],
    ),
    (
        "a {\nhealth {\nlameduck 5s\n",
        [
            "2:8: error: found a block that is never closed",
            "1:3: error: found a block that is never closed",
        ],
        [(["a"], ["health", ["lameduck 5s"]])],
    ),
    (
        "a {\nhealth {\n}\n",  # CoreDNS starts
        ["1:3: warning: found a block that is never closed: the end of the file closes it"],
        [(["a"], ["health", []])],
    ),
    (
        "{\nwhoami\n}\na {\n}",  # CoreDNS says nothing
        ["1:1: warning: found a server block without a key: it is left out"],
        [(["a"], [])],
    ),
    (
        '"" {\n}\na {\n}',
        ["1:1: warning: found a server block without a key: it is left out"],
        [(["a"], [])],
    ),
    (
        "a {\n{\nb\n}\n}",
        ["2:1: error: found { at the beginning of a line, expected it at the end of the directive's"],
        [(["a"], [])],
    ),
)


@pytest.mark.parametrize(("text", "problems", "expected"), WRONG)
def test_what_is_wrong_is_said_with_its_place_and_the_rest_is_read(
    text: str, problems: list[str], expected: list[tuple[list[str], Tree]]
) -> None:
    corefile = read(text)
    assert said(corefile) == [f"Corefile:{each}" for each in problems]
    assert texts(corefile) == expected


def test_all_problems_are_found_at_once() -> None:
    corefile = read('a { x }\nb, {\n  health\n  {\n  }\n  import\n}\n}\nc {\n  y "z\n}\n')
    assert [problem.place.line for problem in sorted(corefile.problems)] == [1, 2, 4, 6, 8, 10]


def test_blocks_in_blocks_have_a_bound() -> None:
    def nested(depth: int) -> str:
        return ". {\n" + "a {\n" * depth + "}\n" * depth + "b\n}\n"

    assert said(read(nested(BLOCKS_MAX))) == []
    assert said(read(nested(BLOCKS_MAX + 1))) == [
        f"Corefile:{BLOCKS_MAX + 2}:3: error: found blocks in blocks, more than {BLOCKS_MAX} deep"
    ]
    deep = read(nested(10_000))
    assert len(deep.problems) == 1
    assert texts(deep)[0][1][-1] == "b"


def test_variables_are_replaced_everywhere_but_never_make_a_word_or_a_brace() -> None:
    environment = {"ZONE": "a", "PORT": "54", "DO": "cache", "TWO": "b c", "OPEN": "{", "PATH": "one"}
    corefile = read(
        "{$ZONE}:{$PORT}, {%TWO%}\n{\n{$DO} {$TWO} {$OPEN} {\n{$DO}x {$EMPTY}\n}\nimport {$PATH}\n}\n",
        {"one": "log {$PORT}"},
        environment | {"EMPTY": ""},
    )
    assert said(corefile) == []
    assert texts(corefile) == [(["a:54", "b c"], ["cache b c {", ["cachex "], "log 54"])]


def test_an_unset_variable_is_an_empty_word_and_a_warning() -> None:
    corefile = read(".:{$PORT} {\ncache {$TTL}\n}")
    assert said(corefile) == [
        "Corefile:1:1: warning: the environment variable PORT isn't set: an empty text takes its place",
        "Corefile:2:7: warning: the environment variable TTL isn't set: an empty text takes its place",
    ]
    assert [token.text for token in corefile.blocks[0].directives[0].tokens] == ["cache", ""]
    assert texts(corefile)[0][0] == [".:"]


def test_a_digest_follows_the_octets_and_paths_of_all_files() -> None:
    one = read(". {\nimport a\n}", {"a": "log"})
    assert [(source.path, source.octets) for source in one.sources] == [
        ("Corefile", b". {\nimport a\n}"),
        ("a", b"log"),
    ]
    # printf log | sha512sum
    assert one.sources[1].digest.startswith("873bcc37e512b7da86476367769c9320")
    same = read(". {\nimport a\n}", {"a": "log"})
    assert one.digest == same.digest
    others = [
        read(". {\nimport a\n}", {"a": "logs"}),
        read(". {\nimport a\n} ", {"a": "log"}),
        read(". {\nimport a\n}", {"a": "log"}, file="Other"),
    ]
    assert len({one.digest, *(each.digest for each in others)}) == 4
