"""Services of other clusters, from a real API server with the Multi-Cluster Services API's definition of ServiceImports.

The lab for it has CustomResourceDefinitions, too (tests/crds). How soon a server that was there before the definition finds it
is tried in virtual time, in tests/faults/test_imports.py.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from kdns.cluster.counters import REPAIRS
from kdns.diff.intended import table
from tests.integration.coredns import HOW_TO_RUN as NO_COREDNS
from tests.integration.coredns import Both, program, question, shown
from tests.lab import HOW_TO_RUN, READ_ALL, ApiError, Lab, assets
from tests.server import NOBODY, Server, until

pytestmark = pytest.mark.lab

COREFILE: Final = """
.:{port} {
    ready 127.0.0.1:{ready}
    kubernetes cluster.local clusterset.local in-addr.arpa ip6.arpa {
        kubeconfig {kubeconfig}
        multicluster clusterset.local
        fallthrough in-addr.arpa ip6.arpa
    }
    prometheus 127.0.0.1:{metrics}
}
"""
GROUP: Final = "/apis/multicluster.x-k8s.io/v1alpha1"
IMPORTS: Final = f"{GROUP}/namespaces/shop/serviceimports"
SET: Final = "shop.svc.clusterset.local."
WEB, DB = f"web.{SET}", f"db.{SET}"
OWN: Final = "web.shop.svc.cluster.local"
READ_IMPORTS: Final = {
    "groups": ["kdns:readers"],
    "verbs": ["list", "watch"],
    "resources": ["serviceimports.multicluster.x-k8s.io"],
}


def binaries() -> Path:
    """Of an API server that has CustomResourceDefinitions."""
    there = assets()
    if there is None:
        pytest.skip(HOW_TO_RUN)
    made = there / "crds"
    if not made.exists():
        pytest.skip(f"needs {made}: tests/crds/build.sh LAB {made}, with the lab's sources")
    return made


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster in which nobody has heard of ServiceImports."""
    lab = Lab(binaries(), tmp_path_factory.mktemp("multicluster"))
    lab.allow([*READ_ALL, READ_IMPORTS])
    try:
        lab.start()
        lab.create("namespaces", "", "shop")
        lab.create("services", "shop", "web", spec={"clusterIP": "10.96.0.80", "ports": [{"name": "http", "port": 80}]})
        yield lab
    finally:
        lab.close()


def serve(lab: Lab, folder: Path, *flags: str) -> Server:
    """A server of the cluster, and of the set of clusters."""
    folder.mkdir(exist_ok=True)
    corefile = folder / "Corefile"
    places = {"port": 0, "ready": 0, "metrics": 0, "kubeconfig": lab.kubeconfig()}
    text = COREFILE
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", str(value))
    corefile.write_text(text)
    return Server("-conf", str(corefile), *flags, folder=folder, plain=True)


@pytest.fixture(scope="module")
def lab(without: Lab) -> Lab:
    """The cluster with the definition, a Service that has addresses of the set, and one with endpoints in two clusters."""
    definition = yaml.safe_load((binaries() / "serviceimports.yaml").read_text())
    without.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    until(lambda: is_served(without))
    put(without, "web", "ClusterSetIP", "10.112.0.1", "fd00:112::1")
    put(without, "db", "Headless")
    export(without, "db", "east", "10.1.0.1", "10.1.0.2")
    export(without, "db", "west", "10.2.0.1")
    return without


def is_served(lab: Lab) -> bool:
    with contextlib.suppress(ApiError):
        return "items" in lab.request("GET", f"{GROUP}/serviceimports")
    return False


def put(lab: Lab, name: str, kind: str, *ips: str) -> None:
    """Creates an import, or has it lead elsewhere."""
    made: dict[str, Any] = {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ServiceImport",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"type": kind, "ips": list(ips), "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
    }
    try:
        made["metadata"]["resourceVersion"] = lab.request("GET", f"{IMPORTS}/{name}")["metadata"]["resourceVersion"]
    except ApiError:
        lab.request("POST", IMPORTS, made)
    else:
        lab.request("PUT", f"{IMPORTS}/{name}", made)


def export(lab: Lab, service: str, cluster: str, *addresses: str) -> None:
    """The slice that another cluster's Service has, as a controller puts it here."""
    lab.create(
        "endpointslices",
        "shop",
        f"{service}-{cluster}",
        metadata={
            "name": f"{service}-{cluster}",
            "labels": {
                "multicluster.kubernetes.io/service-name": service,
                "multicluster.kubernetes.io/source-cluster": cluster,
            },
        },
        addressType="IPv4",
        ports=[{"name": "http", "port": 80, "protocol": "TCP"}],
        endpoints=[
            {"addresses": [each], "conditions": {"ready": True}, "hostname": f"{cluster}-{number}"}
            for number, each in enumerate(addresses)
        ],
    )


def audits(server: Server, outcome: str) -> float:
    return server.metric(f'kdns_audits_total{{resource="serviceimports",outcome="{outcome}"}}')


def test_without_the_definition_all_else_is_served_and_it_is_said_why(without: Lab, tmp_path: Path) -> None:
    with serve(without, tmp_path / "kdns") as server:
        assert server.said(OWN) == {"10.96.0.80"}
        assert server.said(WEB) == {"NXDOMAIN"}
        status, body = server.ready()
        assert status == 200
        (line,) = (line for line in body.splitlines() if line.startswith("serviceimports"))
        assert "404" in line
        assert "it goes on without, trying again" in line


def test_imports_are_names_that_follow_every_change(lab: Lab, tmp_path: Path) -> None:
    with serve(lab, tmp_path / "kdns", "--audit-interval", "10") as server:
        server.comes_to(WEB, "A", {"10.112.0.1"})
        assert server.said(WEB, "AAAA") == {"fd00:112::1"}
        assert server.said(f"_http._tcp.{WEB}", "SRV") == {f"0 50 80 {WEB}"}  # one of two addresses
        assert server.said(DB) == {"10.1.0.1", "10.1.0.2", "10.2.0.1"}
        assert server.said(f"east-1.east.{DB}") == {"10.1.0.2"}
        assert server.said(f"_http._tcp.{DB}", "SRV") == {
            f"0 33 80 {host}.{DB}" for host in ("east-0.east", "east-1.east", "west-0.west")
        }
        assert server.said(OWN) == {"10.96.0.80"}
        assert server.said("db.shop.svc.cluster.local") == {"NXDOMAIN"}
        put(lab, "web", "ClusterSetIP", "10.112.0.2")
        server.comes_to(WEB, "A", {"10.112.0.2"})
        assert server.said(WEB, "AAAA") == {"NODATA"}
        lab.delete("endpointslices", "shop", "db-west")
        server.comes_to(DB, "A", {"10.1.0.1", "10.1.0.2"})
        put(lab, "late", "ClusterSetIP", "10.112.0.3")
        server.comes_to(f"late.{SET}", "A", {"10.112.0.3"})
        lab.request("DELETE", f"{IMPORTS}/late")
        server.comes_to(f"late.{SET}", "A", {"NXDOMAIN"})
        assert server.metric('kdns_objects{resource="serviceimports"}') == 2
        # Of these, too, the metadata alone can be had, and it is what is known.
        until(lambda: audits(server, "done") >= 1, within_s=60)
        assert audits(server, "failed") == 0
        mended = [
            server.metric(f'kdns_audit_repairs_total{{resource="serviceimports",kind="{kind}"}}') for kind in REPAIRS
        ]
        assert mended == [0, 0, 0]
        # What the history has forgotten is listed anew, here too.
        lab.compact()
        lab.restart()
        put(lab, "web", "ClusterSetIP", "10.112.0.1", "fd00:112::1")
        server.comes_to(WEB, "A", {"10.112.0.1"})
    export(lab, "db", "west", "10.2.0.1")


def test_who_may_not_read_imports_is_told_the_rule(lab: Lab, tmp_path: Path) -> None:
    lab.allow(READ_ALL)
    try:
        with serve(lab, tmp_path / "kdns") as server:
            assert server.said(OWN) == {"10.96.0.80"}
            assert server.said(WEB) == {"NXDOMAIN"}
            status, body = server.ready()
            assert status == 200
            assert (
                '{apiGroups: ["multicluster.x-k8s.io"], resources: ["serviceimports"], verbs: ["list", "watch"]}'
                in body
            )
    finally:
        lab.allow([*READ_ALL, READ_IMPORTS])


@pytest.mark.skipif(program() is None, reason=NO_COREDNS)
def test_coredns_answers_alike(lab: Lab, tmp_path: Path) -> None:
    names = (WEB, DB, f"east-0.east.{DB}", f"west-0.west.{DB}", f"nothing.{SET}", SET, "svc.clusterset.local.")
    ports = (f"_http._tcp.{WEB}", f"_http._tcp.{DB}", f"_none._tcp.{WEB}")
    asked = [question(name, rtype) for name in (*names, f"{OWN}.") for rtype in ("A", "AAAA", "TXT")]
    asked += [question(name, "SRV") for name in (*ports, WEB, DB)]
    with Both(COREFILE, tmp_path / "both", kubeconfig=lab.kubeconfig(), upstream=NOBODY) as servers:
        tally = servers.compare(asked, table(("cluster.local", "clusterset.local"), used=("kubernetes",)))
    assert not tally.left, shown(tally)
    assert tally.asked == len(asked)
