"""The deployment without a kubelet: the image's folder, started from the manifests, against an API server with roles.

in_a_node.py has the tests; this runs them in namespaces, where every pod has its ports and nothing of the machine is touched.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.kit import REPOSITORY, tool
from tests.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.image]
NODE = Path(__file__).with_name("in_a_node.py")


def test_a_pod_runs_and_is_restarted_as_its_manifest_says(image: Path, lab: Lab, tmp_path: Path) -> None:
    del lab  # its binaries are used, in there
    for name in ("kubectl", "ip", "dnsperf", "unshare", "nsenter"):
        tool(name)
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    command = ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, "-m", "pytest", "-rA", "-x"]
    done = subprocess.run(
        [*command, "--basetemp", str(tmp_path / "node"), str(NODE)],
        cwd=REPOSITORY,
        env={**os.environ, "KDNS_IMAGE": str(image)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    print(done.stdout)  # noqa: T201 - shown where it failed
    assert done.returncode == 0, done.stdout + done.stderr
