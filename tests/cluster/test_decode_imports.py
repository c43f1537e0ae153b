"""Decode: Services that other clusters export, and which of them a slice is of."""

from typing import Any

import pytest

from kdns.cluster.objects import EndpointSlice, Import, ServiceImport
from kdns.zone.entry import Port
from tests.cluster.test_decode import META, SIX, STAMP, TEN, WEB, item

GROUP = "multicluster.kubernetes.io"
PORTS = [{"port": 80, "name": "http", "protocol": "TCP", "appProtocol": "h2c"}]
HTTP = (Port(80, b"http", b"tcp"),)


def imported(**spec: Any) -> tuple[ServiceImport, list[tuple[str, str]]]:
    """The ServiceImport, and field and found value of each Problem."""
    made, problems = item("serviceimports", {"spec": spec})
    assert isinstance(made, ServiceImport)
    return made, [(problem.field, problem.found) for problem in problems]


def slice_with(labels: dict[str, Any], **options: bool) -> tuple[EndpointSlice, list[tuple[str, str]]]:
    endpoints = [{"addresses": ["10.0.0.1"], "zone": "a"}]
    body = {"metadata": META | {"labels": labels}, "addressType": "IPv4", "endpoints": endpoints, "ports": PORTS}
    made, problems = item("endpointslices", body, **options)
    assert isinstance(made, EndpointSlice)
    return made, [(problem.field, problem.found) for problem in problems]


@pytest.mark.parametrize(
    ("spec", "made"),
    [
        (
            {"type": "ClusterSetIP", "ips": ["10.0.0.1", "fd00::1"], "ports": PORTS},
            ServiceImport(WEB, STAMP, (TEN, SIX), False, HTTP),
        ),
        ({"type": "Headless", "ports": PORTS}, ServiceImport(WEB, STAMP, (), True, HTTP)),
        ({"type": "Headless", "ips": ["10.0.0.1"]}, ServiceImport(WEB, STAMP, (), True)),
        ({"type": "ClusterSetIP", "ips": None, "ports": None}, ServiceImport(WEB, STAMP)),
    ],
)
def test_a_service_import_has_its_addresses_and_ports(spec: Any, made: ServiceImport) -> None:
    assert imported(**spec) == (made, [])


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"type": "ClusterIP", "ips": ["10.0.0.1"]}, ("spec.type", "'ClusterIP'")),
        ({"ips": ["10.0.0.1"]}, ("spec.type", "''")),
        ({"type": "ClusterSetIP", "ips": ["10.0.0.1", "10.0.0"]}, ("spec.ips[1]", "'10.0.0'")),
        ({"type": "ClusterSetIP", "ips": ["10.0.0.1", 7]}, ("spec.ips[1]", "7")),
        ({"type": "ClusterSetIP", "ips": ["10.0.0.1"], "ports": [{"port": 0}]}, ("spec.ports[0].port", "0")),
        ({"type": "ClusterSetIP", "ips": ["10.0.0.1"], "ports": "http"}, ("spec.ports", '"http"')),
    ],
)
def test_what_is_odd_in_a_service_import_is_left_out_alone(spec: Any, problem: tuple[str, str]) -> None:
    assert imported(**spec) == (ServiceImport(WEB, STAMP, (TEN,)), [problem])


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("zones", [False, True])
def test_a_slice_says_what_it_was_imported_for_and_from(names: bool, zones: bool) -> None:
    labels = {f"{GROUP}/service-name": "web", f"{GROUP}/source-cluster": "East"}
    made, problems = slice_with(labels, imports=True, endpoint_pod_names=names, zones=zones)
    assert (made.imported, made.service, problems) == (Import("web", "east"), "", [])
    assert made.packed == slice_with({}, endpoint_pod_names=names, zones=zones)[0].packed


def test_a_slice_may_be_of_a_service_of_this_cluster_too() -> None:
    made, _ = slice_with({"kubernetes.io/service-name": "derived", f"{GROUP}/service-name": "web"}, imports=True)
    assert (made.service, made.imported) == ("derived", Import("web"))


def test_imports_are_read_only_where_they_are_asked_for() -> None:
    assert slice_with({f"{GROUP}/service-name": "web"})[0].imported is None


@pytest.mark.parametrize(
    ("service", "cluster", "made", "problems"),
    [
        ("Web", "east", None, [(f"metadata.labels.{GROUP}/service-name", "'Web'")]),
        ("web", "eu.east", Import("web"), [(f"metadata.labels.{GROUP}/source-cluster", "'eu.east'")]),
        ("web", "-", Import("web"), [(f"metadata.labels.{GROUP}/source-cluster", "'-'")]),
        ("", "east", None, []),
    ],
)
def test_labels_that_are_no_names_are_left_out(service: str, cluster: str, made: Import | None, problems: Any) -> None:
    labels = {f"{GROUP}/service-name": service, f"{GROUP}/source-cluster": cluster}
    found, said = slice_with(labels, imports=True)
    assert (found.imported, said) == (made, problems)
