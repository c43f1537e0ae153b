"""kdns dev against a cluster: what a command sees of it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.server import NOBODY, REPOSITORY

pytestmark = pytest.mark.lab


def test_a_command_has_the_names_of_the_cluster_and_those_of_its_contexts_namespace(lab: Lab, tmp_path: Path) -> None:
    if shutil.which("getent") is None:
        pytest.skip("needs getent")
    lab.create("namespaces", "", "dev-one")
    made = lab.create("services", "dev-one", "web", spec={"ports": [{"port": 80}]})
    config = json.loads(lab.kubeconfig().read_text())
    config["contexts"][0]["context"]["namespace"] = "dev-one"
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "kdns", "dev", "--kubeconfig", str(path), "--upstream", NOBODY]
    asked = [*command, "--", "getent", "hosts", "web"]
    done = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False)
    assert done.stderr.splitlines()[0].endswith(
        ", namespace dev-one"
    )  # what others left in the cluster may be complained of
    assert done.stdout.split() == [made["spec"]["clusterIP"], "web.dev-one.svc.cluster.local"]
