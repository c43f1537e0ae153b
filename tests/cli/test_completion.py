"""Completion, as shells and kubectl ask for it: real shells load the scripts and complete a line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kdns.cli import arguments, completion

REPOSITORY = Path(__file__).parents[2]
KUBECONFIG = """
contexts: [{name: kind-shop, context: {cluster: c}}, {name: kind-office, context: {cluster: c}}, {name: live, context: {}}]
"""

# Each completes the last word of a line, and prints what it finds, one a line.
BASH = """
source <(kdns completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_kdns_completion kdns 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = """
kdns completion fish | source
complete --do-complete "$argv" | string replace --regex '\\t.*' ''
"""
# What its line editor would do with the completions is to print them.
ZSH = """
compdef() { :; }
_describe() { print -l -- ${completions_with_descriptions%%:*}; }
compadd() { print -l -- $completions; }
source <(kdns completion zsh)
words=("$@") CURRENT=$#
_kdns_completion
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With a command kdns, and a kubeconfig."""
    command = tmp_path / "kdns"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m kdns "$@"\n')
    command.chmod(0o755)
    (tmp_path / "config").write_text(KUBECONFIG)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "KUBECONFIG": str(tmp_path / "config")}


LINES: list[tuple[list[str], list[str]]] = [
    (["expl"], ["explain"]),
    (["plugins", "cac"], ["cache"]),
    (["dev", "--context", "kind-"], ["kind-office", "kind-shop"]),
    (["check", "-o", ""], ["json", "text", "yaml"]),
    (["explain", "--type", "ss"], ["SSHFP"]),
    (["serve", "-con"], ["-conf"]),
]


@pytest.mark.parametrize(("words", "expected"), LINES)
def test_bash_completes(words: list[str], expected: list[str], environment: dict[str, str]) -> None:
    command = ["bash", "--norc", "-c", BASH, "bash", "kdns", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish isn't installed")
@pytest.mark.parametrize(("words", "expected"), LINES)
def test_fish_completes(words: list[str], expected: list[str], environment: dict[str, str]) -> None:
    command = ["fish", "--no-config", "-c", FISH, " ".join(("kdns", *words))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert sorted(done.stdout.split()) == expected


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh isn't installed")
@pytest.mark.parametrize(("words", "expected"), LINES)
def test_zsh_completes(words: list[str], expected: list[str], environment: dict[str, str]) -> None:
    command = ["zsh", "-f", "-c", ZSH, "zsh", "kdns", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stderr, sorted(done.stdout.split())) == ("", expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["plugins", "cac"], "cache\tKeeps what upstreams said for as long as they allow.\n:4\n"),
        (["check", "READ"], ":0\n"),
        (["serve", "--snapshot", ""], ":16\n"),
        (["dev", "--", "no-such-prog"], ":0\n"),
        (["nothing", ""], None),
    ],
)
def test_kubectl_is_told_completions_and_what_else_there_may_be(words: list[str], expected: str | None) -> None:
    told = completion.for_kubectl(words)
    assert told == expected if expected is not None else told.endswith(":4\n")


def test_every_shell_has_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert arguments.run(["completion", shell]) == 0
        assert "_KDNS_COMPLETE" in capsys.readouterr().out
    assert arguments.run(["completion", "tcsh"]) == 2
