"""A Corefile with two zones of one cluster, served whole: each shows what its own directive says."""

import socket
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.server import Server

pytestmark = pytest.mark.lab

COREFILE = """
cluster.local:{port} in-addr.arpa:{port} {{
    bind 127.0.0.1
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        labels app!=db
        noendpoints
        pods insecure
    }}
    health 127.0.0.1:0
    ready 127.0.0.1:0
    prometheus 127.0.0.1:0
}}
partners.example:{port} {{
    bind 127.0.0.1
    kubernetes {{
        kubeconfig {kubeconfig}
        labels app!=db
        noendpoints
        namespaces zones-open
        ttl 60
    }}
}}
"""
SPEC = {"ports": [{"port": 80}]}


def test_two_zones_show_what_each_directive_says(lab: Lab, tmp_path: Path) -> None:
    ips: dict[str, set[str]] = {}
    for space in ("zones-open", "zones-shut"):
        lab.create("namespaces", "", space)
        ips[space] = {lab.create("services", space, "web", spec=SPEC)["spec"]["clusterIP"]}
        lab.create("services", space, "db", labels={"app": "db"}, spec=SPEC)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    corefile = tmp_path / "Corefile"
    corefile.write_text(COREFILE.format(port=port, kubeconfig=lab.kubeconfig()))
    with Server("-conf", str(corefile), "--workers", "1", folder=tmp_path, plain=True) as server:
        server.comes_to("web.zones-open.svc.cluster.local", "A", ips["zones-open"])
        server.comes_to("web.zones-shut.svc.cluster.local", "A", ips["zones-shut"])
        server.comes_to("web.zones-open.svc.partners.example", "A", ips["zones-open"])
        server.comes_to("web.zones-shut.svc.partners.example", "A", {"NXDOMAIN"})
        server.comes_to("1-2-3-4.zones-open.pod.cluster.local", "A", {"1.2.3.4"})
        server.comes_to("1-2-3-4.zones-open.pod.partners.example", "A", {"NXDOMAIN"})
        server.comes_to("db.zones-open.svc.cluster.local", "A", {"NXDOMAIN"})
        lab.patch("services", "zones-open", "db", {"metadata": {"labels": {"app": "front"}}})
        ip = lab.request("GET", "/api/v1/namespaces/zones-open/services/db")["spec"]["clusterIP"]
        server.comes_to("db.zones-open.svc.partners.example", "A", {ip})
    for space in ips:
        for name in ("web", "db"):
            lab.delete("services", space, name)
        lab.delete("namespaces", "", space)
