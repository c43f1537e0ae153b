"""kdns as a plugin, by the real kubectl: found, called with all arguments, completed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = {"kubectl-kdns": "kubectl", "kubectl_complete-kdns": "kubectl_complete"}

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl isn't installed")


@pytest.fixture
def kubectl(tmp_path: Path) -> dict[str, str]:
    """The environment in which kubectl finds the plugin's scripts, as pip makes them."""
    for name, function in SCRIPTS.items():
        script = tmp_path / name
        code = (
            f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from kdns.__main__ import {function}; {function}()"
        )
        script.write_text(f"#!{sys.executable}\n{code}\n")
        script.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "KUBECONFIG": str(tmp_path / "config")}


def ran(environment: dict[str, str], *args: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["kubectl", *args], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_commands_and_statuses_are_passed_on(kubectl: dict[str, str]) -> None:
    status, out, _ = ran(kubectl, "kdns", "explain", "webb", "-n", "shop", "--manifests", "examples", "-o", "json")
    assert (status, json.loads(out)["path"]["whose"]) == (1, "a pod in shop")


def test_help_says_what_is_typed(kubectl: dict[str, str]) -> None:
    assert ran(kubectl, "kdns", "explain", "--help")[1].startswith("Usage: kubectl kdns explain [OPTIONS] NAME\n")
    assert "see kubectl kdns diff --help" in ran(kubectl, "kdns", "diff")[2]


def test_explain_looks_at_kubectls_cluster(kubectl: dict[str, str]) -> None:
    status, _, error = ran(kubectl, "kdns", "explain", "web")
    assert (status, "config: no such file, expected a kubeconfig" in error) == (2, True)


def test_kubectl_completes_it(kubectl: dict[str, str]) -> None:
    _, out, _ = ran(kubectl, "__complete", "kdns", "plugins", "cac")
    assert out == "cache\tKeeps what upstreams said for as long as they allow.\n:4\n"


def test_the_scripts_are_those_that_are_installed() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    for name, function in SCRIPTS.items():
        assert f'{name} = "kdns.__main__:{function}"\n' in text
