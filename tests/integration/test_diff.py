"""kdns diff as its users run it: a CoreDNS and kdns on one cluster, all of its names, over real sockets."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.comparison import ABROAD
from tests.integration.coredns import HOW_TO_RUN, Both, program
from tests.integration.test_zoo import zoo
from tests.integration.upstream import Upstream
from tests.lab import Lab, seed_script
from tests.server import NOBODY, REPOSITORY, Server

pytestmark = pytest.mark.lab
IN_LAB: Final = pytest.mark.skipif(seed_script() is None, reason="needs the lab's generator; KDNS_LAB_SEED names it")
BOTH: Final = pytest.mark.skipif(program() is None, reason=HOW_TO_RUN)
# kubeadm's, on ports of its own.
STOCK: Final = """
.:{port} {
    errors
    health 127.0.0.1:{health} {
        lameduck 5s
    }
    ready 127.0.0.1:{ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig {kubeconfig}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus 127.0.0.1:{metrics}
    forward . {upstream} {
        max_concurrent 1000
    }
    cache 30
    loop
    loadbalance
}
"""
SEEDS: Final = (1, 2, 3, 4, 5)


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    command = [sys.executable, "-m", "kdns", "diff", *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, input=stdin, capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


@IN_LAB
@BOTH
@pytest.mark.parametrize("seed", SEEDS)
def test_a_cluster_beside_coredns_differs_only_as_intended(seed: int, tmp_path: Path) -> None:
    with zoo(seed, tmp_path) as lab, Upstream(ABROAD) as upstream:
        places = {"kubeconfig": lab.kubeconfig(), "upstream": upstream.address}
        names = "\n".join(sorted({name for name, _ in ABROAD}))
        with Both(STOCK, tmp_path / "both", **places) as servers:
            where = [f"{host}:{port}" for host, port in (servers.theirs.address, servers.ours.address)]
            cluster = ("--kubeconfig", str(lab.kubeconfig()), "--names", "-", "-o", "json")
            status, out, err = run("--against", where[0], "--server", where[1], *cluster, stdin=names)
    told = json.loads(out or "{}")
    assert (status, told.get("differences"), err) == (0, [], "")
    assert told["asked"] > 1000
    assert told["asked"] == told["equal"] + told["intended"]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Server, Server, Path]]:
    """Servers of two clusters that differ in one address, and the YAML of the first."""
    paths = [tmp_path / name for name in ("one.yaml", "other.yaml")]
    for path, address in zip(paths, ("10.0.0.1", "10.0.0.2"), strict=True):
        path.write_text(SERVICE.format(address=address))
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    one, other = (
        Server("--manifests", str(path), folder=folder, upstream=NOBODY)
        for path, folder in zip(paths, folders, strict=True)
    )
    with one, other:
        yield one, other, paths[0]


SERVICE: Final = """
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{clusterIP: {address}, ports: [{{name: http, port: 80}}]}}
"""


def where(server: Server) -> str:
    host, port = server.addresses[0]
    return f"{host}:{port}"


def test_what_differs_is_shown_with_both_answers(two: tuple[Server, Server, Path]) -> None:
    one, other, path = two
    status, out, err = run("--against", where(one), "--server", where(other), "--manifests", str(path), "--types", "A")
    assert (status, err) == (1, "")
    assert (
        f"""\
web.shop.svc.cluster.local. IN A udp
  differs in answer: web.shop.svc.cluster.local. IN A 10.0.0.1 | -
  differs in answer: - | web.shop.svc.cluster.local. IN A 10.0.0.2
  {where(one)}  NOERROR aa
"""
        in out
    )
    assert "1 otherwise without a reason.\n" in out


def test_who_cannot_be_asked_is_named(two: tuple[Server, Server, Path], lab: Lab) -> None:
    one, _, path = two
    status, out, err = run("--against", NOBODY, "--server", where(one), "--manifests", str(path))
    assert (status, out, err) == (2, "", f"kdns: {NOBODY}: Connection refused, expected a DNS server\n")
    refused = lab.kubeconfig({"token": "nobody"}, "nobody")
    status, out, err = run("--against", where(one), "--server", where(one), "--kubeconfig", str(refused))
    assert (status, out) == (2, "")
    assert "401" in err
