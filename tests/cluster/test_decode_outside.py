"""Decode: where a Service is reached from outside the cluster."""

from typing import Any

import pytest

from kdns.cluster.objects import Service
from kdns.dns.names import from_text
from kdns.zone.entry import Outside, unpack_outside
from tests.cluster.test_decode import SIX, TEN, item


def outside(external_ips: Any = None, ingress: Any = None, **options: bool) -> tuple[Outside, list[tuple[str, str]]]:
    """Where a Service is reached from outside, and field and found value of each Problem."""
    body = {"spec": {"externalIPs": external_ips}, "status": {"loadBalancer": {"ingress": ingress}}}
    made, problems = item("services", body, **{"outside": True, **options})
    assert isinstance(made, Service)
    return unpack_outside(made.outside), [(problem.field, problem.found) for problem in problems]


@pytest.mark.parametrize("labels", [False, True])
def test_what_is_outside_is_external_addresses_then_the_load_balancers(labels: bool) -> None:
    ingress = [
        {"ip": "fd00::1"},
        {"ip": "10.0.0.2", "hostname": "x.y"},
        {"hostname": "LB.example.com"},
        {"ip": "10.0.0.1"},
    ]
    hosts = (from_text("LB.example.com."),)
    assert outside(["10.0.0.1"], ingress, labels=labels) == (Outside(TEN + bytes((10, 0, 0, 2)), SIX, hosts), [])


def test_what_is_outside_is_read_only_where_it_is_asked_for() -> None:
    assert outside(["10.0.0.1"], [{"ip": "10.0.0.2"}], outside=False) == (Outside(), [])
    assert outside(None, None) == (Outside(), [])


@pytest.mark.parametrize(
    ("external_ips", "ingress", "problem"),
    [
        (["10.0.0.01", "10.0.0.1"], [], ("spec.externalIPs[0]", "'10.0.0.01'")),
        (["10.0.0.1", 5], [], ("spec.externalIPs[1]", "5")),
        (["10.0.0.1"], [{"ip": "lb"}], ("status.loadBalancer.ingress[0].ip", "'lb'")),
        (["10.0.0.1"], [{}, {"hostname": "10.0.0.2"}], ("status.loadBalancer.ingress[1].hostname", "'10.0.0.2'")),
        (["10.0.0.1"], [{"hostname": "a..b"}], ("status.loadBalancer.ingress[0].hostname", "'a..b'")),
        (["10.0.0.1"], [{"hostname": f"{'a' * 64}.b"}], ("status.loadBalancer.ingress[0].hostname", f"'{'a' * 64}.b'")),
        (["10.0.0.1"], [{"hostname": []}], ("status.loadBalancer.ingress[0].hostname", "[]")),
        (["10.0.0.1"], 7, ("status.loadBalancer.ingress", "7")),
    ],
)
def test_what_is_odd_outside_is_left_out_alone(external_ips: Any, ingress: Any, problem: tuple[str, str]) -> None:
    assert outside(external_ips, ingress) == (Outside(TEN), [problem])


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"type": "ExternalName", "externalName": "a.b"}, {}])
def test_services_of_any_kind_can_be_reached_from_outside(spec: Any) -> None:
    made, _ = item("services", {"spec": {**spec, "externalIPs": ["10.0.0.1"]}}, outside=True)
    assert isinstance(made, Service)
    assert unpack_outside(made.outside) == Outside(TEN)
