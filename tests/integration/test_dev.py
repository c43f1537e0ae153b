"""kdns dev against a cluster: what a command sees of it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import ADMIN, Lab
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


def test_names_are_those_of_a_pod_of_the_cluster(lab: Lab) -> None:
    lab.create("namespaces", "", "dev-two")
    made = lab.create("services", "dev-two", "db", spec={"ports": [{"port": 80}]})
    spec = {
        "containers": [{"name": "db", "image": "db"}],
        "dnsConfig": {"searches": ["x.example"], "options": [{"name": "ndots", "value": "2"}]},
    }
    lab.create("pods", "dev-two", "db-0", spec=spec)
    path = str(lab.kubeconfig({"token": ADMIN}))
    command = [sys.executable, "-m", "kdns", "dev", "--kubeconfig", path, "--upstream", NOBODY]
    look = ["--", "sh", "-c", "cat /etc/resolv.conf; getent hosts db"]
    done = subprocess.run(
        [*command, "--from", "dev-two/db-0", *look],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    search = next(line for line in done.stdout.splitlines() if line.startswith("search "))
    assert search.startswith("search dev-two.svc.cluster.local svc.cluster.local cluster.local ")
    assert search.endswith(" x.example")
    assert "options ndots:2" in done.stdout.splitlines()
    assert made["spec"]["clusterIP"] in done.stdout
    done = subprocess.run(
        [*command, "--from", "dev-two/bd-0", "--", "true"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "kdns: --from dev-two/bd-0: found no such pod; did you mean dev-two/db-0?"
    lab.delete("pods", "dev-two", "db-0")
