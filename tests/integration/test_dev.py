"""kdns dev against a cluster: what a command sees of it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_clients import RESOLVE_C
from tests.integration.test_search_lists import RESOLVE_GO
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


def test_it_says_when_the_cluster_is_answered_for(lab: Lab) -> None:
    lab.create("namespaces", "", "dev-three")
    lab.create("services", "dev-three", "web", spec={"ports": [{"port": 80}]})
    command = [sys.executable, "-m", "kdns", "dev", "--kubeconfig", str(lab.kubeconfig()), "--upstream", NOBODY]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--no-split-dns"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = next(each for each in process.stdout if each.startswith("kdns serves"))
        assert re.fullmatch(r"kdns serves [\d,]+ Services? of cluster\.local on 127\.0\.0\.1:\d+\n", told)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_resolvers_that_are_linked_into_programs_ask_kdns_too(tmp_path: Path) -> None:
    if not (shutil.which("go") and shutil.which("musl-gcc")):
        pytest.skip("needs go and musl-gcc")
    (tmp_path / "resolve.go").write_text(RESOLVE_GO)
    (tmp_path / "resolve.c").write_text(RESOLVE_C)
    subprocess.run(["go", "build", "-tags", "netgo", "-o", "go", "resolve.go"], check=True, cwd=tmp_path)
    subprocess.run(["musl-gcc", "-static", "-o", "musl", "resolve.c"], check=True, cwd=tmp_path)
    names = ["web", "cache.edge", "nothing"]
    both = f"{tmp_path}/go {' '.join(names)}; {tmp_path}/musl {' '.join(names)}"
    command = [sys.executable, "-m", "kdns", "dev", "-f", "examples", "--upstream", NOBODY, "--search", "shop"]
    done = subprocess.run(
        [*command, "--", "sh", "-c", both], cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False
    )
    of_go, of_musl = done.stdout.splitlines()[:3], done.stdout.splitlines()[3:]
    assert of_go == ["web: 10.100.103.179", "cache.edge: 10.244.2.20 10.244.2.21 fd00:244::2:20", "nothing: none"]
    assert of_musl[0] == of_go[0]
    assert set(of_musl[1].split()[1:]) == set(of_go[1].split()[1:])
