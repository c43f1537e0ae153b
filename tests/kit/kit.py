"""The kit as its users take it: manifests as kustomize renders them, the chart as helm does, and the tools for looking at both.

The tools are found by PATH; .ci/run puts them there. A test that misses one is skipped and says which.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.kit.schemas import LOCATION

REPOSITORY: Final = Path(__file__).parents[2]
MANIFESTS: Final = REPOSITORY / "manifests"
CHART: Final = REPOSITORY / "charts" / "kdns"
RENDERED: Final = MANIFESTS / "kdns.yaml"
OVERLAYS: Final = ("base", *sorted(f"overlays/{path.name}" for path in (MANIFESTS / "overlays").iterdir()))
VALUES: Final = (None, *sorted(path.name for path in (CHART / "ci").iterdir()))
# Helm asks no API server here, and a build from source believes in an old one.
_HELM: Final = ("template", "dns", str(CHART), "--namespace", "kube-system", "--kube-version", "1.32.0")


def tool(name: str) -> str:
    """Where a command is. Skips the test where it isn't."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}; .ci/run says where it comes from")
    return found


def run(*command: str, given: str | None = None) -> str:
    """What a command prints; the test fails with what it says of an error."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def kustomize(folder: str) -> str:
    """The YAML of a folder of manifests/."""
    return run(tool("kubectl"), "kustomize", str(MANIFESTS / folder))


def helm(values: str | None = None, *flags: str) -> str:
    """The YAML of the chart with one of its values files, or with none."""
    return run(tool("helm"), *_HELM, *(("--values", str(CHART / "ci" / values)) if values else ()), *flags)


def objects(text: str) -> list[dict[str, Any]]:
    """The objects of rendered YAML."""
    return [each for each in yaml.safe_load_all(text) if each]


def granted(rules: Iterable[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
    """Group, resource and verb of everything that the rules of a role allow."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def one(kind: str, found: Iterable[dict[str, Any]], name: str | None = None) -> dict[str, Any]:
    """The one object of a kind (and name)."""
    (only,) = [each for each in found if each["kind"] == kind and name in {None, each["metadata"]["name"]}]
    return only


def containers(found: Iterable[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The pod's and the container's part of every container of ours that answers."""
    pods = [each["spec"]["template"]["spec"] for each in found if each["kind"] in {"Deployment", "DaemonSet"}]
    return [(pod, each) for pod in pods for each in pod["containers"] if each["name"] in {"coredns", "node-cache"}]


def validate(text: str) -> None:
    """Fails with what the schemas of Kubernetes say of it; an unknown field is an error, and so is an unknown kind."""
    folder = os.environ.get("KDNS_SCHEMAS")
    if not folder:
        pytest.skip("needs schemas: python -m tests.kit.schemas; KDNS_SCHEMAS names their folder")
    run(tool("kubeconform"), "-strict", "-schema-location", f"{folder}/{LOCATION}", "-", given=text)


def checked(corefile: str, command: Sequence[str]) -> None:
    """Fails with what `kdns check` says of a Corefile, if that is more than information."""
    done = subprocess.run([*command, "check", "-"], input=corefile, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout
