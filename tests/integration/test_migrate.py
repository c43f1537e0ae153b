"""kdns migrate against a real API server: the Corefile of a ConfigMap, by a kubeconfig, and what a role doesn't allow."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.lab import ADMIN, Lab
from tests.migration.kubeadm import COREFILE
from tests.server import REPOSITORY

pytestmark = pytest.mark.lab
MAPS: Final = "/api/v1/namespaces/kube-system/configmaps"


@pytest.fixture
def corefile(lab: Lab) -> Iterator[Lab]:
    lab.request("POST", MAPS, {"metadata": {"name": "coredns"}, "data": {"Corefile": COREFILE}})
    yield lab
    lab.request("DELETE", f"{MAPS}/coredns")


def run(kubeconfig: Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "kdns", "migrate", "--kubeconfig", str(kubeconfig)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_the_corefile_of_a_cluster_is_told_line_by_line(corefile: Lab) -> None:
    status, out, err = run(corefile.kubeconfig({"token": ADMIN}, "admin"))
    assert (status, err) == (1, "")
    assert all(line.rstrip() in out for line in COREFILE.splitlines())
    assert "✘ 0 unsupported" in out
    # The lab has no Deployments.
    assert "Nothing is said of the cluster: 404" in out


def test_what_the_user_may_not_read_is_named(corefile: Lab) -> None:
    status, out, err = run(corefile.kubeconfig())
    assert (status, out) == (2, "")
    assert err.startswith("kdns: ConfigMap kube-system/coredns can't be read: 403, configmaps is forbidden")
