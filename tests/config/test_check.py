"""What is told of a Corefile before anything runs."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config import explain
from kdns.config.check import Checked, Machine, check
from kdns.config.complaints import ordered, render
from kdns.config.directives.bare import LOOP, Minimal
from tests.config.reading import Given
from tests.config.test_corefiles import COREFILES, ENVIRONMENT
from tests.config.test_grammar import OCTETS

MISSING = "No such file or directory"


def checked(
    text: str, files: Mapping[str, str | None] | None = None, environment: Mapping[str, str] | None = None
) -> Checked:
    """With these files, folders being None, the interface lo, and port 53 for keys without one."""
    there = files or {}
    machine = Machine(
        Given(there),
        environment or {},
        53,
        trouble=lambda path: "" if path in there else MISSING,
        addresses_of=lambda name: ["127.0.0.1", "::1"] if name == "lo" else [],
        is_done=lambda settings: not isinstance(settings, Minimal),
    )
    return check(text.encode(), "Corefile", machine)


def said(text: str, files: Mapping[str, str | None] | None = None, *, infos: bool = False) -> list[str]:
    made = checked(text, files)
    found = ordered(made.problems, made.texts)
    return [
        f"{each.place.line}:{each.place.column} {each.severity}: {each.message}"
        for each in found
        if infos or each.severity != "info"
    ]


FINE = [
    ".:53 {\nwhoami\n}",
    ".:53 {\nwhoami\n}\n.:54 {\nwhoami\n}\na:53 {\nwhoami\n}",
    ". {\nbind 127.0.0.1\nwhoami\n}\n. {\nbind 127.0.0.2\nwhoami\n}",
    ". {\nview a {\nexpr true\n}\nwhoami\n}\n. {\nwhoami\n}",
    ". {\nbind lo\nwhoami\n}",
    "tls://. {\ntls there there\nwhoami\n}",
    ". {\nforward . /there there.example\n}",
    ". {\ntls there there {\nkeylog new\n}\nwhoami\n}",
    ". {\nroot /\nfile there\n}",
]


@pytest.mark.parametrize("text", FINE)
def test_nothing_is_said_of_what_is_fine(text: str) -> None:
    assert said(text, {"there": "", "/there": "", "/": None}) == []


WRONG: list[tuple[str, list[str]]] = [
    ("", ["1:1 warning: found no server block: every question is logged, and answered with who asked it"]),
    ("# none\n", ["1:1 warning: found no server block: every question is logged, and answered with who asked it"]),
    ("a {\n}", ["1:1 warning: found a server block without directives: its questions are refused"]),
    ("a b {\nwhoami\n}\nc a {\nwhoami\n}", ["4:3 error: a. is served by Corefile:1:1 already"]),
    ("10.0.0.0/8 {\nwhoami\n}\n10.in-addr.arpa:53 {\nwhoami\n}", ["4:1 error: 10.in-addr.arpa. is served by Corefile:1:1 already"]),
    (". {\nwhoami\n}\n. {\nbind 127.0.0.1\nwhoami\n}", ["4:1 error: . on 127.0.0.1:53 is served by Corefile:1:1, too"]),
    (". {\nwhoami\nminimal\n}", ["3:1 error: minimal is read and not done by this version: it isn't served"]),
    (". {\nbind lo\nwhoami\n}\n. {\nbind ::1\nwhoami\n}", ["5:1 error: . is served by Corefile:1:1 already"]),
    (". {\nbind eth9\nwhoami\n}", ['2:6 warning: found no interface "eth9" here']),
    (". {\nbind lo {\nexcept eth9\n}\nwhoami\n}", ['3:8 warning: found no interface "eth9" here']),
    ("tls://. {\nwhoami\n}", ["1:1 error: found no tls in this server block"]),
    (". {\nhosts gone\n}", [f'2:7 warning: can\'t read "gone" here: {MISSING}']),
    (". {\nroot /gone\nfile db\n}", [f'2:6 warning: can\'t read "/gone" here: {MISSING}', f'3:6 warning: can\'t read "/gone/db" here: {MISSING}']),
    (". {\nforward . /gone/resolv.conf\n}", [f'2:11 warning: can\'t read "/gone/resolv.conf" here: {MISSING}']),
    (". {\nforward . 192.0.2.1 {\ntls gone\n}\n}", [f'3:5 warning: can\'t read "gone" here: {MISSING}']),
    (". {\nsearchpath\nwhoami\n}", ["2:1 error: searchpath: found no kubernetes in this server block, whose names it would complete"]),
    (". {\nautopath gone\nwhoami\n}", [f'2:10 warning: can\'t read "gone" here: {MISSING}']),
    (". {\nloadbalance weighted gone\nwhoami\n}", [f'2:22 warning: can\'t read "gone" here: {MISSING}']),
    (". {\nkubernetes {\nkubeconfig gone\n}\n}", [f'3:12 warning: can\'t read "gone" here: {MISSING}']),
    (". {\nhosts gone {\nttl a\n}\n}", [f'2:7 warning: can\'t read "gone" here: {MISSING}', '3:5 error: ttl: found "a", expected SECONDS, seconds as a whole number from 1 to 65535, without a unit']),
]  # fmt: skip


@pytest.mark.parametrize("text", ["apiVersion: v1\ndata:\n", '{\n    "apiVersion": "v1",\n'])
def test_a_config_map_is_told_from_a_corefile(text: str) -> None:
    made = checked(text)
    assert said(text) == ["1:1 error: found a manifest, expected a Corefile"]
    assert "jsonpath={.data.Corefile}" in made.problems[0].hint


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_what_is_wrong_is_said_once_with_its_place(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_what_differs_from_coredns_is_information_at_every_occurrence() -> None:
    text = ". {\nloop\n}\na {\nwhoami\nloop\n}"
    told = [f"info: loop differs: {sentence}" for sentence in LOOP.differs]
    assert told
    assert sorted(said(text, infos=True)) == sorted(
        [*(f"2:1 {each}" for each in told), *(f"6:1 {each}" for each in told)]
    )
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("forward . 192.0.2.1", None),
        ("forward . 192.0.2.1 {\nmax_concurrent 9\n}", "3:1 info: forward differs: Over max_concurrent"),
        ("forward . https://192.0.2.1%a.example", "2:11 info: forward differs: https:// upstreams may"),
        ("kubernetes a {\npods insecure\n}", None),
        ("kubernetes a {\npods verified\n}", "3:6 info: kubernetes differs: Every address of a pod"),
    ],
)
def test_what_differs_for_some_words_alone_is_told_of_those(text: str, expected: str | None) -> None:
    found = said(f". {{\n{text}\n}}", infos=True)
    assert (
        any(each.startswith(expected) for each in found) if expected else all(each.startswith("2:1 ") for each in found)
    )


WORDS = sorted(
    {word for text in COREFILES.values() for word in text.split(" ")} | {"bind", "lo", "view", "tls", "a", "{", "}\n"}
)


@given(
    st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join) | st.sampled_from(sorted(COREFILES.values())), st.data()
)
def test_anything_has_problems_or_an_explanation_that_reads_as_the_same(text: str, data: st.DataObject) -> None:
    lines = text.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(0, 3)) if lines else 0):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = data.draw(st.sampled_from(["", "}\n", "x {\n", lines[at] * 2, lines[at].replace(" ", " {", 1)]))
    made = checked("".join(lines), {}, ENVIRONMENT)
    if not any(each.severity == "error" for each in made.problems):
        again = checked(explain.text(made.blocks))
        assert [plain(block) for block in again.blocks] == [plain(block) for block in made.blocks]


@given(OCTETS)
def test_any_octets_are_checked(octets: bytes) -> None:
    made = check(octets, "Corefile", Machine(Given({}), {}, 53, lambda _: MISSING, lambda _: [], lambda _: False))
    assert explain.text(made.blocks).count("# listens on ") == len(made.blocks)
    assert render(made.problems, made.texts).count("Corefile:") >= len(made.problems)


@pytest.mark.parametrize("name", COREFILES)
def test_no_corefile_of_a_real_cluster_has_an_error_or_changes_by_its_explanation(name: str) -> None:
    made = checked(COREFILES[name], {}, ENVIRONMENT)
    assert [each.message for each in made.problems if each.severity == "error"] == []
    text = explain.text(made.blocks)
    again = checked(text)
    assert [each.message for each in again.problems if each.severity == "error"] == []
    assert [plain(block) for block in again.blocks] == [plain(block) for block in made.blocks]


def plain(block: explain.Block) -> object:
    """What a block comes to, without where it stands and what was left out."""
    directives = [
        (each.name, each.line, [(option.usage, option.lines) for option in each.options]) for each in block.directives
    ]
    return block.keys, block.zones, block.listeners, directives


def test_a_block_has_its_keys_whole_its_zones_and_its_listeners() -> None:
    text = "a, tls://10.0.2.0/23, b:1053 {\nbind 127.0.0.1 ::1\ntls c k\n}"
    (block,) = checked(text).blocks
    assert block.keys == ("a:53", "tls://2.0.10.in-addr.arpa:853", "tls://3.0.10.in-addr.arpa:853", "b:1053")
    assert block.listeners == (
        *("dns://127.0.0.1:53", "dns://[::1]:53", "tls://127.0.0.1:853", "tls://[::1]:853"),
        *("dns://127.0.0.1:1053", "dns://[::1]:1053"),
    )
