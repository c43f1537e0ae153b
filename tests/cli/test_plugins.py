"""kdns plugins: the table as people and programs see it."""

import json

import pytest

from kdns.cli import arguments
from kdns.config import manual, table
from kdns.config.directives import probes


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    return (arguments.run(["plugins", *args]), *capsys.readouterr())


def test_the_list_is_the_manuals(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == (0, manual.overview(), "")


def test_one_is_told_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "ready") == (0, manual.text(probes.READY), "")
    assert run(capsys, "pprof") == (0, "pprof gives profiles of the Go runtime; kdns is no Go program\n", "")


def test_an_unknown_one_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "redy") == (2, "", 'kdns: found no directive "redy"; did you mean "ready"?\n')
    assert run(capsys, "xyz") == (2, "", 'kdns: found no directive "xyz"; kdns plugins lists those there are\n')


def test_json_has_every_directive_once(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "-o", "json")
    found = json.loads(out)
    assert status == 0
    assert [each["name"] for each in found] == list(table.BY_NAME)
    states = {each["name"]: each["state"] for each in found}
    assert {name: states[name] for name in ("cache", "pprof", "etcd", "proxy")} == {
        "cache": "supported",
        "pprof": "accepted",
        "etcd": "missing",
        "proxy": "removed",
    }


def test_json_of_one_has_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "ready", "-o", "json")
    found = json.loads(out)
    assert found["usage"] == "ready [ADDRESS]"
    assert found["options"][1] == {
        "usage": "monitor (until-ready|continuously)",
        "doc": "Whether what has been ready once stays so, or is looked at for each request.",
        "default": "until-ready",
        "repeat": "",
    }
