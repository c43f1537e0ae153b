"""kdns check as a shell sees it: what it prints where, and its status."""

import json
import os
from pathlib import Path

import pytest

from kdns.cli import arguments
from kdns.config.directives import cache
from tests.cli.test_arguments import ran

GOOD = ".:1053 {\n    cache 30\n    forward . 192.0.2.1\n}\n"
WARNED = ".:1053 {\n    forward . /gone\n}\n"
BAD = ".:1053 {\n    forwrd . 192.0.2.1\n    forward . /gone\n}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"good": GOOD, "warned": WARNED, "bad": BAD}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    return (arguments.run(["check", *args]), *capsys.readouterr())


WHY = """\
bad:2:5: error: unknown directive "forwrd"; did you mean "forward"?
    forwrd . 192.0.2.1
    ^^^^^^
bad:3:15: warning: can't read "/gone" here: No such file or directory
    forward . /gone
              ^^^^^
1 error, 1 warning
"""


def uninformed(text: str) -> str:
    """Without what differs from CoreDNS."""
    return "".join(line for line in text.splitlines(keepends=True) if ": info: " not in line)


def test_the_status_says_how_bad_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = {name: run(capsys, name) for name in ("good", "warned", "bad")}
    assert {name: status for name, (status, _, _) in runs.items()} == {"good": 0, "warned": 1, "bad": 2}
    assert {error for _, _, error in runs.values()} == {""}
    assert runs["good"][1].endswith("\nfine\n")
    assert runs["warned"][1].endswith("\n1 warning\n")
    assert uninformed(runs["bad"][1]) == WHY


def test_what_differs_is_told_and_is_no_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "good")
    assert f"good:2:5: info: cache differs: {cache.DIRECTIVE.differs[0]}\n" in out
    assert status == 0


def test_a_file_that_cant_be_read_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "none") == (2, "", "kdns: none: No such file or directory, expected a Corefile\n")
    assert run(capsys, str(folder)) == (2, "", f"kdns: {folder}: Is a directory, expected a Corefile\n")


def test_standard_input_is_read_and_imports_are_relative_to_the_working_folder(folder: Path) -> None:
    (folder / "more").write_text("chaoss\n")
    reader, writer = os.pipe()
    os.write(writer, b". {\nimport more\n}\n")
    os.close(writer)
    kept = os.dup(0)
    try:
        os.dup2(reader, 0)
        status = arguments.run(["check", "-"])
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)
    assert status == 2


def test_explain_prints_a_corefile_and_problems_beside_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, error = run(capsys, "--explain", "warned")
    assert status == 1
    assert out.startswith(
        "# warned:1:1\n# listens on dns://:1053\n# zones: .\n.:1053 {\n    forward . /gone {\n        expire 10s  # default\n"
    )
    assert uninformed(error).startswith('warned:2:15: warning: can\'t read "/gone" here')
    (folder / "again").write_text(out)
    status, again, _ = run(capsys, "--explain", "again")
    assert again.replace("  # default", "").splitlines()[4:] == [
        line.partition("  # default")[0] for line in out.splitlines()[4:]
    ]


def test_json_has_problems_and_blocks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, error = run(capsys, "-o", "json", "bad")
    found = json.loads(out)
    assert (status, error) == (2, "")
    assert found["problems"][0] == {
        "file": "bad",
        "line": 2,
        "column": 5,
        "severity": "error",
        "message": 'unknown directive "forwrd"',
        "hint": 'did you mean "forward"?',
    }
    (block,) = found["blocks"]
    assert {name: block[name] for name in ("file", "line", "keys", "zones", "listeners")} == {
        "file": "bad",
        "line": 1,
        "keys": [".:1053"],
        "zones": ["."],
        "listeners": ["dns://:1053"],
    }
    (forward,) = block["directives"]
    assert forward["written"] == "forward . /gone"
    assert forward["defaults"] == []
    assert {"usage": "max_fails NUMBER", "written": ["max_fails 2"], "default": True} in forward["options"]
    assert {"usage": "force_tcp", "written": [], "default": True} in forward["options"]


def test_the_port_is_that_of_keys_without_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Corefile").write_text("a {\nready\n}\na:1053 {\nready\n}\n")
    assert run(capsys, "Corefile")[0] == 0
    for flag in ("-p", "-dns.port", "--dns.port"):
        status, out, _ = run(capsys, flag, "1053", "Corefile")
        assert (status, "a. is served by Corefile:1:1 already" in out) == (2, True)


def test_it_is_a_command_of_its_own(folder: Path) -> None:
    assert ran("check", str(folder / "good"))[0] == 0
    assert ran("check") == (2, "", "kdns: Missing argument 'FILE'; see kdns check --help\n")
