"""A Corefile line by line: marks, sentences and pages are those of the check."""

import pytest

from kdns.config.check import Machine, check
from kdns.migration.finding import DIFFERS, SUPPORTED, UNSUPPORTED, Mark
from kdns.migration.lines import Said, counted, lines_of
from kdns.migration.mounted import Mounted
from tests.integration import stock
from tests.migration.kubeadm import COREFILE


def lines(text: str, **files: str) -> list[Said]:
    there = {f"/etc/coredns/{name}": body for name, body in files.items()}
    machine = Machine(Mounted(there, "/etc/coredns"), {}, 53, lambda _: "", lambda each: (each,), lambda _: True)
    return list(lines_of(check(text.encode(), "/etc/coredns/Corefile", machine)))


@pytest.mark.parametrize(
    ("line", "mark", "begins", "page"),
    [
        ("prometheus :9153", SUPPORTED, "", ""),
        ("loop", DIFFERS, "A loop doesn't end the process", "docs/reference/directives/loop.md"),
        ("pprof", DIFFERS, '"pprof" has no effect here', ""),
        ("etcd", UNSUPPORTED, 'kdns has no directive "etcd"', ""),
        ("ready 8181 x", UNSUPPORTED, "", "docs/reference/directives/ready.md"),
        ("# loop", None, "", ""),
    ],
)
def test_a_line_has_the_mark_of_what_is_said_of_it(line: str, mark: Mark | None, begins: str, page: str) -> None:
    found = lines(f". {{\n    {line}\n    whoami\n}}")[1]
    assert (found.number, found.mark, found.text.strip(), found.page) == (2, mark, line, page)
    assert (
        any(each.startswith(begins) for each in found.sentences) if begins else mark in {SUPPORTED, UNSUPPORTED, None}
    )


def test_an_option_has_its_own_mark() -> None:
    _, forward, option, *_ = lines(". {\nforward . 192.0.2.1 {\nmax_concurrent 9\n}\n}")
    assert (option.mark, option.page) == (DIFFERS, "docs/reference/directives/forward.md")
    assert not any("max_concurrent" in each for each in forward.sentences)


def test_imported_files_come_after_it() -> None:
    found = lines(". {\nimport *.override\nwhoami\n}", **{"a.override": "etcd\n", "b.server": "etcd\n"})
    assert [(each.file, each.mark) for each in found if each.mark == UNSUPPORTED] == [
        ("/etc/coredns/a.override", UNSUPPORTED)
    ]


def test_what_is_said_of_no_line_is_kept() -> None:
    (found,) = lines("")
    assert (found.number, found.mark) == (1, DIFFERS)


def test_kubeadms_has_nothing_unsupported() -> None:
    assert counted(lines(COREFILE))[UNSUPPORTED] == 0


@pytest.mark.parametrize("name", stock.COREFILES)
def test_every_line_of_a_real_one_is_there_once(name: str) -> None:
    text = stock.COREFILES[name]
    found = [each.text for each in lines(text) if each.file == "/etc/coredns/Corefile" and each.number]
    assert found[: len(text.splitlines())] == [each.rstrip() for each in text.splitlines()]
