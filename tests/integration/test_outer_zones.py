"""Names for outside: a real server by a Corefile beside a real API server, whose Services get and lose their addresses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_transfers import dig
from tests.lab import Lab
from tests.server import Server, short, until

pytestmark = pytest.mark.lab

SPACE = "outer"
WEB = f"web.{SPACE}.example.org"
COREFILE = """.:0 {{
    bind 127.0.0.1
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        fallthrough in-addr.arpa
    }}
    k8s_external example.org 192.0.2.0/24 {{
        ttl 60
        headless
    }}
    hosts {{
        198.51.100.7 www.example.org
        fallthrough
    }}
    transfer example.org {{
        to *
    }}
}}
"""


@pytest.fixture
def server(lab: Lab, tmp_path: Path) -> Iterator[Server]:
    lab.create("namespaces", "", SPACE)
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    lab.create("services", SPACE, "web", spec={"ports": ports, "type": "LoadBalancer", "externalIPs": ["192.0.2.80"]})
    lab.create("services", SPACE, "inner", spec={"ports": ports})
    (tmp_path / "Corefile").write_text(COREFILE.format(kubeconfig=lab.kubeconfig()))
    server = Server("-conf", str(tmp_path / "Corefile"), folder=tmp_path, plain=True)
    server.start(ready=False)
    server.until_loaded()
    yield server
    server.close()
    for name in ("web", "inner"):
        lab.delete("services", SPACE, name)
    lab.delete("namespaces", "", SPACE)


def comes_to(server: Server, name: str, rtype: str, expected: set[str]) -> None:
    """Asks again and again, so that what is remembered is given and has to be forgotten."""
    until(lambda: short(server.ask(name, rtype)) == expected, why=f"{name} {rtype} isn't {expected}")


def test_addresses_outside_come_and_go_at_once(lab: Lab, server: Server) -> None:
    comes_to(server, WEB, "A", {"192.0.2.80"})
    comes_to(server, f"inner.{SPACE}.example.org", "A", {"NXDOMAIN"})
    comes_to(server, "80.2.0.192.in-addr.arpa", "PTR", {f"{WEB}."})
    comes_to(server, f"_http._tcp.{WEB}", "SRV", {f"0 100 80 {WEB}."})
    comes_to(server, "www.example.org", "A", {"198.51.100.7"})

    ingress = [{"ip": "192.0.2.81"}, {"hostname": "www.example.org"}]
    lab.patch("services", SPACE, "web", {"status": {"loadBalancer": {"ingress": ingress}}})
    comes_to(server, WEB, "A", {"192.0.2.80", "192.0.2.81"})
    comes_to(server, "81.2.0.192.in-addr.arpa", "PTR", {f"{WEB}."})
    comes_to(server, f"_http._tcp.{WEB}", "SRV", {f"0 33 80 {WEB}.", "0 33 80 www.example.org."})
    assert f"{WEB}. 60 IN A 192.0.2.81" in dig(server, "AXFR", "example.org")

    lab.patch("services", SPACE, "web", {"spec": {"externalIPs": None}})
    lab.patch("services", SPACE, "web", {"status": {"loadBalancer": {"ingress": ingress[1:]}}})
    comes_to(server, WEB, "A", {"www.example.org.", "198.51.100.7"})
    comes_to(server, "80.2.0.192.in-addr.arpa", "PTR", {"NXDOMAIN"})

    lab.delete("services", SPACE, "web")
    comes_to(server, WEB, "A", {"NXDOMAIN"})
    comes_to(server, f"web.{SPACE}.svc.cluster.local", "A", {"NXDOMAIN"})
