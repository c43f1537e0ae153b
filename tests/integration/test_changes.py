"""Changes of every kind, made at the API server and seen in the answers of every worker.

Each answer is asked for until it is what it is to be, so what stood before has been answered,
and remembered, when the change comes. Each test has a namespace of its own.
"""

import ipaddress
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest

from tests.integration.listed import SERVICE_NAME
from tests.integration.upstream import Upstream
from tests.lab import Lab
from tests.server import ZONE, Server, until

pytestmark = pytest.mark.lab

HTTP = {"name": "http", "port": 80, "protocol": "TCP"}
NUMBERS = count()


@pytest.fixture(scope="module")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers; what falls through is denied by the upstream."""
    flags = ("--kubeconfig", str(lab.kubeconfig()), "--pods", "verified")
    folder = tmp_path_factory.mktemp("changes")
    with Upstream({}) as upstream, Server(*flags, folder=folder, upstream=upstream.address, workers=2) as started:
        yield started


@pytest.fixture
def space(lab: Lab) -> str:
    """A namespace for the test."""
    name = f"changes-{next(NUMBERS)}"
    lab.create("namespaces", "", name)
    return name


def put(lab: Lab, space: str, name: str, **spec: object) -> str:
    """Creates a Service; its address."""
    made = lab.create("services", space, name, spec={"ports": [HTTP], **spec})
    return str(made["spec"].get("clusterIP", ""))


def put_slice(lab: Lab, space: str, name: str, service: str, *addresses: str, ready: bool = True) -> None:
    """Creates a slice, or replaces it."""
    endpoints = [{"addresses": [address], "conditions": {"ready": ready}} for address in addresses]
    fields = {"addressType": "IPv4", "ports": [HTTP], "endpoints": endpoints, "labels": {SERVICE_NAME: service}}
    known = [each["metadata"]["name"] for each in lab.request("GET", slices_of(space))["items"]]
    (lab.replace if name in known else lab.create)("endpointslices", space, name, **fields)


def slices_of(space: str) -> str:
    return f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices"


def reverse(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


# Services


def test_a_service_is_there_once_created_and_gone_once_deleted(lab: Lab, server: Server, space: str) -> None:
    name = f"web.{space}.{ZONE}"
    server.comes_to(name, "A", {"NXDOMAIN"})
    ip = put(lab, space, "web")
    server.comes_to(name, "A", {ip})
    server.comes_to(name, "AAAA", {"NODATA"})
    server.comes_to(f"_http._tcp.{name}", "SRV", {f"0 100 80 {name}."})
    server.comes_to(reverse(ip), "PTR", {f"{name}."})
    lab.delete("services", space, "web")
    server.comes_to(name, "A", {"NXDOMAIN"})
    server.comes_to(f"_http._tcp.{name}", "SRV", {"NXDOMAIN"})
    server.comes_to(reverse(ip), "PTR", {"NXDOMAIN"})


def test_a_service_recreated_under_its_name_is_another(lab: Lab, server: Server, space: str) -> None:
    name = f"web.{space}.{ZONE}"
    put_slice(lab, space, "web-1", "web", "10.200.0.1", "10.200.0.2")
    old = put(lab, space, "web")
    server.comes_to(name, "A", {old})
    server.comes_to(reverse(old), "PTR", {f"{name}."})
    lab.delete("services", space, "web")
    put(lab, space, "web", clusterIP="None")
    server.comes_to(name, "A", {"10.200.0.1", "10.200.0.2"})
    server.comes_to(reverse(old), "PTR", {"NXDOMAIN"})
    lab.delete("services", space, "web")
    put(lab, space, "web", clusterIP="10.97.0.1", ports=[{**HTTP, "name": "other"}])
    server.comes_to(name, "A", {"10.97.0.1"})
    server.comes_to(f"_http._tcp.{name}", "SRV", {"NXDOMAIN"})
    server.comes_to(f"_other._tcp.{name}", "SRV", {f"0 100 80 {name}."})


def test_a_service_changes_its_type(lab: Lab, server: Server, space: str) -> None:
    name, target = f"web.{space}.{ZONE}", f"target.{space}.{ZONE}"
    put_slice(lab, space, "web-1", "web", "10.200.7.1")
    put(lab, space, "target", clusterIP="10.97.1.1")
    ip = put(lab, space, "web")
    server.comes_to(name, "A", {ip})
    server.comes_to(f"10-200-7-1.{name}", "A", {"10.200.7.1"})
    # From one address to another the API lets a Service go by way of an ExternalName only.
    external = {"type": "ExternalName", "externalName": target}
    lab.replace("services", space, "web", spec=external)
    server.comes_to(name, "A", {f"{target}.", "10.97.1.1"})
    server.comes_to(reverse(ip), "PTR", {"NXDOMAIN"})
    server.comes_to(f"10-200-7-1.{name}", "A", {"NXDOMAIN"})
    lab.replace("services", space, "web", spec={"clusterIP": "None", "ports": [HTTP]})
    server.comes_to(name, "A", {"10.200.7.1"})
    lab.replace("services", space, "web", spec=external)
    server.comes_to(name, "A", {f"{target}.", "10.97.1.1"})
    lab.replace("services", space, "web", spec={"clusterIP": "10.97.1.2", "ports": [HTTP]})
    server.comes_to(name, "A", {"10.97.1.2"})
    server.comes_to(reverse("10.97.1.2"), "PTR", {f"{name}."})


def test_a_service_gets_and_loses_a_second_address(lab: Lab, server: Server, space: str) -> None:
    name = f"web.{space}.{ZONE}"
    ip = put(lab, space, "web", clusterIP="10.97.2.1")
    server.comes_to(name, "AAAA", {"NODATA"})
    dual = {"clusterIPs": [ip, "fd00:96::2:1"], "ipFamilyPolicy": "RequireDualStack"}
    lab.patch("services", space, "web", {"spec": {**dual, "ipFamilies": ["IPv4", "IPv6"]}})
    server.comes_to(name, "AAAA", {"fd00:96::2:1"})
    server.comes_to(reverse("fd00:96::2:1"), "PTR", {f"{name}."})
    server.comes_to(f"_http._tcp.{name}", "SRV", {f"0 50 80 {name}."})
    single = {"clusterIPs": [ip], "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}
    lab.patch("services", space, "web", {"spec": single})
    server.comes_to(name, "AAAA", {"NODATA"})
    server.comes_to(name, "A", {ip})
    server.comes_to(reverse("fd00:96::2:1"), "PTR", {"NXDOMAIN"})


def test_a_port_is_renamed(lab: Lab, server: Server, space: str) -> None:
    name = f"web.{space}.{ZONE}"
    put(lab, space, "web")
    server.comes_to(f"_http._tcp.{name}", "SRV", {f"0 100 80 {name}."})
    server.comes_to(f"_web._tcp.{name}", "SRV", {"NXDOMAIN"})
    lab.patch("services", space, "web", {"spec": {"ports": [{**HTTP, "name": "web", "port": 81}]}})
    server.comes_to(f"_web._tcp.{name}", "SRV", {f"0 100 81 {name}."})
    server.comes_to(f"_http._tcp.{name}", "SRV", {"NXDOMAIN"})


def test_what_is_denied_hides_nothing_that_comes_beside_it(lab: Lab, server: Server, space: str) -> None:
    # One denial is remembered for all names of a length that nobody owns.
    for name in ("aaa", "bbb", "ccc"):
        server.comes_to(f"{name}.{space}.{ZONE}", "A", {"NXDOMAIN"})
    put(lab, space, "bbb", clusterIP="10.97.4.1")
    server.comes_to(f"bbb.{space}.{ZONE}", "A", {"10.97.4.1"})
    server.comes_to(f"x.bbb.{space}.{ZONE}", "A", {"NXDOMAIN"})
    server.comes_to(f"aaa.{space}.{ZONE}", "A", {"NXDOMAIN"})
    put_slice(lab, space, "slice", "bbb", "10.200.8.1")
    server.comes_to(f"10-200-8-1.bbb.{space}.{ZONE}", "A", {"10.200.8.1"})
    lab.delete("services", space, "bbb")
    server.comes_to(f"bbb.{space}.{ZONE}", "A", {"NXDOMAIN"})
    server.comes_to(f"ccc.{space}.{ZONE}", "A", {"NXDOMAIN"})


def test_an_external_name_follows_its_target(lab: Lab, server: Server, space: str) -> None:
    name, target = f"alias.{space}.{ZONE}", f"target.{space}.{ZONE}"
    put(lab, space, "alias", type="ExternalName", externalName=target)
    server.comes_to(name, "A", {f"{target}.", "NXDOMAIN"})
    put(lab, space, "target", clusterIP="10.97.3.1")
    server.comes_to(name, "A", {f"{target}.", "10.97.3.1"})
    lab.delete("services", space, "target")
    server.comes_to(name, "A", {f"{target}.", "NXDOMAIN"})


# Slices


def test_slices_come_move_and_go(lab: Lab, server: Server, space: str) -> None:
    one, two = f"one.{space}.{ZONE}", f"two.{space}.{ZONE}"
    for name in ("one", "two"):
        put(lab, space, name, clusterIP="None")
    server.comes_to(one, "A", {"NXDOMAIN"})
    put_slice(lab, space, "a", "one", "10.200.1.1")
    server.comes_to(one, "A", {"10.200.1.1"})
    put_slice(lab, space, "b", "one", "10.200.1.2", "10.200.1.1")
    server.comes_to(one, "A", {"10.200.1.1", "10.200.1.2"})
    server.comes_to(two, "A", {"NXDOMAIN"})
    lab.patch("endpointslices", space, "b", {"metadata": {"labels": {SERVICE_NAME: "two"}}})
    server.comes_to(two, "A", {"10.200.1.1", "10.200.1.2"})
    server.comes_to(one, "A", {"10.200.1.1"})
    server.comes_to(
        reverse("10.200.1.1"), "PTR", {f"10-200-1-1.one.{space}.{ZONE}.", f"10-200-1-1.two.{space}.{ZONE}."}
    )
    lab.delete("endpointslices", space, "a")
    server.comes_to(one, "A", {"NXDOMAIN"})
    server.comes_to(f"10-200-1-1.{one}", "A", {"NXDOMAIN"})
    server.comes_to(reverse("10.200.1.1"), "PTR", {f"10-200-1-1.two.{space}.{ZONE}."})
    lab.patch("endpointslices", space, "b", {"metadata": {"labels": {SERVICE_NAME: None}}})
    server.comes_to(two, "A", {"NXDOMAIN"})
    server.comes_to(reverse("10.200.1.1"), "PTR", {"NXDOMAIN"})


def test_slices_wait_for_their_service(lab: Lab, server: Server, space: str) -> None:
    put_slice(lab, space, "early", "late", "10.200.2.1")
    server.comes_to(reverse("10.200.2.1"), "PTR", {f"10-200-2-1.late.{space}.{ZONE}."})
    server.comes_to(f"late.{space}.{ZONE}", "A", {"NXDOMAIN"})
    put(lab, space, "late", clusterIP="None")
    server.comes_to(f"late.{space}.{ZONE}", "A", {"10.200.2.1"})


def test_an_endpoint_is_there_while_it_is_ready(lab: Lab, server: Server, space: str) -> None:
    name = f"db.{space}.{ZONE}"
    put(lab, space, "db", clusterIP="None")
    for ready, expected in ((True, {"10.200.3.1"}), (False, {"NXDOMAIN"}), (True, {"10.200.3.1"})):
        put_slice(lab, space, "db-1", "db", "10.200.3.1", ready=ready)
        server.comes_to(name, "A", expected)
        server.comes_to(f"10-200-3-1.{name}", "A", expected)


def test_of_many_flips_the_last_counts(lab: Lab, server: Server, space: str) -> None:
    put(lab, space, "db", clusterIP="None")
    put_slice(lab, space, "steady", "db", "10.200.4.1")
    for flip in range(100):
        put_slice(lab, space, "restless", "db", "10.200.4.2", ready=flip % 2 == 0)
    server.comes_to(f"db.{space}.{ZONE}", "A", {"10.200.4.1"})
    put_slice(lab, space, "restless", "db", "10.200.4.2")
    server.comes_to(f"db.{space}.{ZONE}", "A", {"10.200.4.1", "10.200.4.2"})


# Namespaces


def test_a_namespace_is_there_once_created_and_gone_once_deleted(lab: Lab, server: Server) -> None:
    server.comes_to(f"changes-own.{ZONE}", "A", {"NXDOMAIN"})
    lab.create("namespaces", "", "changes-own")
    server.comes_to(f"changes-own.{ZONE}", "A", {"NODATA"})
    server.comes_to("changes-own.pod.cluster.local", "A", {"NODATA"})
    lab.delete("namespaces", "", "changes-own")
    server.comes_to(f"changes-own.{ZONE}", "A", {"NXDOMAIN"})
    server.comes_to("changes-own.pod.cluster.local", "A", {"NXDOMAIN"})


def test_a_namespace_is_there_while_anything_is_in_it(lab: Lab, server: Server) -> None:
    ip = put(lab, "changes-late", "web")  # the lab doesn't ask for the namespace
    server.comes_to(f"web.changes-late.{ZONE}", "A", {ip})
    server.comes_to(f"changes-late.{ZONE}", "A", {"NODATA"})
    lab.create("namespaces", "", "changes-late")
    lab.delete("namespaces", "", "changes-late")
    server.comes_to(f"web.changes-late.{ZONE}", "A", {ip})
    lab.delete("services", "changes-late", "web")
    server.comes_to(f"web.changes-late.{ZONE}", "A", {"NXDOMAIN"})
    server.comes_to(f"changes-late.{ZONE}", "A", {"NXDOMAIN"})


# Pods


def test_verified_pods_are_there_under_every_address_while_they_run(lab: Lab, server: Server, space: str) -> None:
    name, six = f"10-200-5-1.{space}.pod.cluster.local", f"fd00--5-1.{space}.pod.cluster.local"
    server.comes_to(name, "A", {"NXDOMAIN"})
    ips = {"podIP": "10.200.5.1", "podIPs": [{"ip": "10.200.5.1"}, {"ip": "fd00::5:1"}]}
    lab.create("pods", space, "one", spec={"containers": []}, status={"phase": "Running", **ips})
    server.comes_to(name, "A", {"10.200.5.1"})
    server.comes_to(six, "AAAA", {"fd00::5:1"})
    lab.patch("pods", space, "one", {"status": {"phase": "Succeeded"}})
    server.comes_to(name, "A", {"NXDOMAIN"})
    server.comes_to(six, "AAAA", {"NXDOMAIN"})


def test_a_pods_address_goes_to_its_successor(lab: Lab, server: Server, space: str) -> None:
    name = f"10-200-6-1.{space}.pod.cluster.local"
    status = {"phase": "Running", "podIP": "10.200.6.1", "podIPs": [{"ip": "10.200.6.1"}]}
    for pod in ("one", "two"):
        lab.create("pods", space, pod, spec={"containers": []}, status=status)
    server.comes_to(name, "A", {"10.200.6.1"})
    lab.delete("pods", space, "one")
    put(lab, space, "after")  # once this is seen, so is what was before, or soon
    server.comes_to(name, "A", {"10.200.6.1"})
    lab.delete("pods", space, "two")
    server.comes_to(name, "A", {"NXDOMAIN"})


def test_how_long_a_change_of_endpoints_took_is_told(lab: Lab, server: Server, space: str) -> None:
    put(lab, space, "timed", clusterIP="None")
    name = f"timed.{space}.{ZONE}"
    programming = "coredns_kubernetes_dns_programming_duration_seconds"
    headless = f'{programming}_count{{service_kind="headless_with_selector"}}'
    servable = "kdns_change_to_servable_seconds_count"
    put_slice(lab, space, "timed-1", "timed", "10.0.0.1")
    server.comes_to(name, "A", {"10.0.0.1"})
    before = server.metric(headless), server.metric(servable)
    since = datetime.fromtimestamp(time.time() - 5, UTC).isoformat().replace("+00:00", "Z")
    endpoints = [{"addresses": ["10.0.0.2"], "conditions": {"ready": True}}]
    annotations = {"endpoints.kubernetes.io/last-change-trigger-time": since}
    lab.patch("endpointslices", space, "timed-1", {"metadata": {"annotations": annotations}, "endpoints": endpoints})
    until(lambda: server.metric(headless) == before[0] + 1)
    assert server.metric(servable) > before[1]
    labels = 'service_kind="headless_with_selector"'
    page = server.metrics()
    assert page[f'{programming}_bucket{{{labels},le="4.096"}}'] == page[f'{programming}_bucket{{{labels},le="2.048"}}']
    assert page[f"{programming}_sum{{{labels}}}"] >= 5
    requests = "coredns_kubernetes_rest_client_requests_total"
    told = [count for series, count in page.items() if series.startswith(f'{requests}{{code="200",method="GET"')]
    assert sum(told) >= 8  # a list and a watch of each of four resources
