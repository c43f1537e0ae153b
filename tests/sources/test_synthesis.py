"""What a cluster would have made of YAML: addresses, slices and Pods, compared as short lines."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.cluster.decode import PLAIN
from kdns.cluster.objects import EndpointSlice, Pod, Service
from kdns.config.labels import parse
from kdns.sources.documents import read
from kdns.sources.manifests import Loaded, assemble
from kdns.zone.entry import slice_addresses, unpack_slice

WEB = "{kind: Service, metadata: {name: web}, spec: {clusterIP: 10.96.0.5, selector: {app: web}, ports: [{port: 80}]}}"
HEADLESS = "{kind: Service, metadata: {name: db}, spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 5432}]}}"


def load(*documents: str, **selectors: str) -> Loaded:
    """What the documents come to; selectors by resource."""
    parsed: Any = {resource: parse(text) for resource, text in selectors.items()}
    return assemble(read("\n---\n".join(documents).encode(), "a.yaml"), PLAIN, parsed)


def pod(name: str, rest: str = "status: {podIP: 10.1.0.1}", labels: str = "app: web") -> str:
    return f"{{kind: Pod, metadata: {{name: {name}, labels: {{{labels}}}}}, {rest}}}"


def cluster_ips(loaded: Loaded, name: str = "web") -> list[str]:
    services = [each for each in loaded.objects["services"] if isinstance(each, Service) and each.key.name == name]
    return [_text(octets) for octets in services[0].cluster_ips]


def endpoints(loaded: Loaded, service: str) -> list[str]:
    """Each ready endpoint as ADDRESS NAME PORTS."""
    lines = []
    for each in loaded.objects["endpointslices"]:
        assert isinstance(each, EndpointSlice)
        if each.service == service:
            part = unpack_slice(each.packed)
            ports = ",".join(f"{port.name.decode()}:{port.number}/{port.protocol.decode()}" for port in part.ports)
            named = part.names or (b"",) * len(part.addresses)
            lines += [
                f"{_text(octets)} {named[at].decode() or '-'} {ports}"
                for at, octets in enumerate(slice_addresses(each.packed))
            ]
    return lines


def pods(loaded: Loaded) -> dict[str, list[str]]:
    found = [each for each in loaded.objects["pods"] if isinstance(each, Pod)]
    return {each.key.name: [_text(octets) for octets in each.addresses] for each in found}


def _text(octets: bytes) -> str:
    return ".".join(map(str, octets)) if len(octets) == 4 else octets.hex(":", 2)


ADDRESSES = [
    ("{ports: [{port: 80}]}", ["10.100.218.95"]),
    ("", ["10.100.218.95"]),
    ("{type: LoadBalancer, clusterIP: ''}", ["10.100.218.95"]),
    ("{clusterIP: 10.96.0.5}", ["10.96.0.5"]),
    ("{clusterIPs: [10.96.0.5], ipFamilyPolicy: SingleStack}", ["10.96.0.5"]),
    ("{ipFamilies: [IPv6]}", ["fd00:0096:0000:0000:0000:0000:0004:da5f"]),
    ("{ipFamilyPolicy: PreferDualStack}", ["10.100.218.95", "fd00:0096:0000:0000:0000:0000:0004:da5f"]),
    ("{ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6]}", ["fd00:0096:0000:0000:0000:0000:0004:da5f", "10.100.218.95"]),
    ("{clusterIP: 10.96.0.5, ipFamilyPolicy: PreferDualStack}", ["10.96.0.5", "fd00:0096:0000:0000:0000:0000:0004:da5f"]),
    ("{clusterIP: None}", []),
    ("{clusterIPs: [None], ipFamilyPolicy: PreferDualStack}", []),
    ("{type: ExternalName, externalName: example.com}", []),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), ADDRESSES)
def test_a_service_has_the_addresses_it_asks_for(spec: str, expected: list[str]) -> None:
    assert cluster_ips(load(f"{{kind: Service, metadata: {{name: web}}, spec: {spec}}}")) == expected


def test_made_up_addresses_are_named_as_such_and_given_ones_arent() -> None:
    loaded = load(WEB, "{kind: Service, metadata: {name: other}, spec: {ipFamilies: [IPv4]}}")
    assert [_text(octets) for octets in loaded.made_up] == cluster_ips(loaded, "other")


READINESS = [
    ("status: {podIP: 10.1.0.1}", True),
    ("status: {podIP: 10.1.0.1, phase: Running}", True),
    ("status: {podIP: 10.1.0.1, phase: Pending}", False),
    ("status: {podIP: 10.1.0.1, phase: Succeeded}", False),
    ("status: {podIP: 10.1.0.1, conditions: [{type: Ready, status: 'True'}]}", True),
    ("status: {podIP: 10.1.0.1, conditions: [{type: Initialized, status: True}, {type: Ready, status: False}]}", False),
    ("status: {podIPs: [{ip: 10.1.0.1}, {ip: 'fd00::1'}]}", True),
]


@pytest.mark.parametrize(("status", "is_endpoint"), READINESS)
def test_the_ready_pods_of_a_selector_are_its_endpoints(status: str, is_endpoint: bool) -> None:
    assert endpoints(load(WEB, pod("one", status)), "web") == (["10.1.0.1 - :80/tcp"] if is_endpoint else [])


def test_a_pod_that_is_being_deleted_is_no_endpoint() -> None:
    going = pod("one").replace("name: one", "name: one, deletionTimestamp: 2026-01-01T00:00:00Z")
    assert endpoints(load(WEB, going), "web") == []


def test_unready_pods_are_published_where_the_service_says_so() -> None:
    service = WEB.replace("selector", "publishNotReadyAddresses: true, selector")
    waiting, done = (pod(name, f"status: {{podIP: 10.1.0.{at}, phase: {phase}}}") for at, name, phase in ((1, "a", "Pending"), (2, "b", "Failed")))  # fmt: skip
    assert endpoints(load(service, waiting, done), "web") == ["10.1.0.1 - :80/tcp"]


def test_a_selector_matches_all_its_labels_in_its_namespace() -> None:
    service = WEB.replace("{app: web}", "{app: web, tier: on}")
    elsewhere = pod("three", labels="app: web, tier: on").replace("name: three", "name: three, namespace: other")
    loaded = load(service, pod("one"), pod("two", "status: {podIP: 10.1.0.2}", "app: web, tier: on"), elsewhere)
    assert endpoints(loaded, "web") == ["10.1.0.2 - :80/tcp"]


def test_a_service_without_selector_has_no_pods() -> None:
    assert endpoints(load("{kind: Service, metadata: {name: web}, spec: {clusterIP: None}}", pod("one")), "web") == []


def test_pods_without_address_get_a_made_up_one_of_each_family() -> None:
    loaded = load(WEB.replace("clusterIP: 10.96.0.5", "ipFamilyPolicy: PreferDualStack"), pod("one", "spec: {}"))
    (addresses,) = pods(loaded).values()
    assert [line.partition(" ")[0] for line in endpoints(loaded, "web")] == addresses
    assert addresses == ["10.244.135.133", "fd00:0244:0000:0000:0000:0000:0000:8785"]


HOSTNAMES = [
    ("spec: {hostname: one, subdomain: web}", "one"),
    ("spec: {hostname: one, subdomain: other}", "-"),
    ("spec: {hostname: one}", "-"),
    ("spec: {subdomain: web}", "-"),
]


@pytest.mark.parametrize(("spec", "name"), HOSTNAMES)
def test_an_endpoint_has_its_pods_hostname_if_the_subdomain_is_the_service(spec: str, name: str) -> None:
    loaded = load(WEB, pod("one", f"{spec}, status: {{podIP: 10.1.0.1}}"))
    assert endpoints(loaded, "web") == [f"10.1.0.1 {name} :80/tcp"]


PORTS = [
    ("{port: 80}", ":80/tcp"),
    ("{name: http, port: 80, targetPort: 8080}", "http:8080/tcp"),
    ("{name: http, port: 80, targetPort: web}", "http:8000/tcp"),
    ("{name: http, port: 80, targetPort: nobody}", "http:80/tcp"),
    ("{name: dns, port: 53, protocol: UDP}", "dns:53/udp"),
]


@pytest.mark.parametrize(("port", "expected"), PORTS)
def test_the_ports_of_endpoints_are_the_target_ports(port: str, expected: str) -> None:
    one = pod("one", "spec: {containers: [{ports: [{name: web, containerPort: 8000}]}]}, status: {podIP: 10.1.0.1}")
    assert endpoints(load(WEB.replace("{port: 80}", port), one), "web") == [f"10.1.0.1 - {expected}"]


SLICE = "{kind: EndpointSlice, metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, endpoints: [{addresses: [10.2.0.1]}]}"
ENDPOINTS = "{kind: Endpoints, metadata: {name: web}, subsets: [{addresses: [{ip: 10.3.0.1, hostname: one}, {ip: 'fd00::3'}], notReadyAddresses: [{ip: 10.3.0.2}], ports: [{name: http, port: 8080}]}]}"


def test_slices_come_before_endpoints_and_endpoints_before_pods() -> None:
    assert endpoints(load(WEB, SLICE, ENDPOINTS, pod("one")), "web") == ["10.2.0.1 - "]
    assert endpoints(load(WEB, ENDPOINTS, pod("one")), "web") == [
        "10.3.0.1 one http:8080/tcp",
        "fd00:0000:0000:0000:0000:0000:0000:0003 - http:8080/tcp",
    ]


def test_endpoints_without_subsets_are_no_endpoints() -> None:
    assert endpoints(load(WEB, "{kind: Endpoints, metadata: {name: web}}", pod("one")), "web") == []


def test_an_address_of_endpoints_that_is_none_is_left_out_and_named() -> None:
    loaded = load(WEB, ENDPOINTS.replace("10.3.0.1", "10.3.0"))
    assert [(each.kind, each.field, each.found, each.place) for each in loaded.problems] == [
        ("Endpoints", "subsets[0].addresses[0].ip", "'10.3.0'", "a.yaml:3")
    ]
    assert endpoints(loaded, "web") == ["fd00:0000:0000:0000:0000:0000:0000:0003 - http:8080/tcp"]


def stateful(rest: str) -> str:
    return f"{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: pg}}, spec: {{serviceName: db, {rest}}}}}"


def names(loaded: Loaded) -> list[str]:
    return [line.split()[1] for line in endpoints(loaded, "db")]


SETS = [
    ("replicas: 3", ["pg-0", "pg-1", "pg-2"]),
    ("selector: {}", ["pg-0"]),
    ("replicas: 0", []),
    ("replicas: 2, ordinals: {start: 5}", ["pg-5", "pg-6"]),
]


@pytest.mark.parametrize(("rest", "expected"), SETS)
def test_the_replicas_of_a_stateful_set_are_endpoints_of_its_headless_service(rest: str, expected: list[str]) -> None:
    assert names(load(HEADLESS, stateful(rest))) == expected
    assert names(load(HEADLESS.replace("selector: {app: db}, ", ""), stateful(rest))) == expected


def test_replicas_have_made_up_addresses_that_are_their_pods_too() -> None:
    loaded = load(HEADLESS, stateful("replicas: 2"))
    assert endpoints(loaded, "db") == ["10.244.232.74 pg-0 sql:5432/tcp", "10.244.172.97 pg-1 sql:5432/tcp"]
    assert [addresses[0] for addresses in pods(loaded).values()] == ["10.244.232.74", "10.244.172.97"]


def test_a_pod_that_is_given_takes_its_replicas_place() -> None:
    given_pod = pod("pg-1", labels="app: db")
    loaded = load(HEADLESS, stateful("replicas: 2, template: {metadata: {labels: {app: db}}}"), given_pod)
    assert sorted(endpoints(loaded, "db")) == ["10.1.0.1 pg-1 sql:5432/tcp", "10.244.232.74 pg-0 sql:5432/tcp"]


def test_named_ports_of_replicas_are_those_of_the_template() -> None:
    service = HEADLESS.replace("port: 5432", "port: 5432, targetPort: own")
    template = "template: {spec: {containers: [{ports: [{name: own, containerPort: 15432}]}]}}"
    assert endpoints(load(service, stateful(template)), "db") == ["10.244.232.74 pg-0 sql:15432/tcp"]


def test_replicas_stand_behind_other_services_by_their_labels() -> None:
    reading = "{kind: Service, metadata: {name: web}, spec: {selector: {app: db}, ports: [{port: 1}]}}"
    template = "template: {metadata: {labels: {app: db}}}"
    assert endpoints(load(reading, HEADLESS, stateful(template)), "web") == ["10.244.232.74 - :1/tcp"]
    assert endpoints(load(reading, HEADLESS, stateful("replicas: 1")), "web") == []


@pytest.mark.parametrize("replicas", ["-1", "many", "10001", "[]"])
def test_replicas_out_of_bounds_are_left_out_and_named(replicas: str) -> None:
    loaded = load(HEADLESS, stateful(f"replicas: {replicas}"))
    assert [(each.kind, each.key.name, each.field) for each in loaded.problems] == [
        ("StatefulSet", "pg", "spec.replicas")
    ]
    assert names(loaded) == []


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("aé0.:-", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("aé0.:-", max_size=3), inner, max_size=3),
    max_leaves=4,
)
FIELDS = re.findall(
    r"\w+",
    """metadata spec status subsets endpoints addressType ports selector labels name namespace hostname subdomain
    clusterIP clusterIPs type ipFamilies podIP podIPs conditions phase containers replicas template serviceName""",
)
ODD = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(["Namespace", "Service", "EndpointSlice", "Endpoints", "Pod", "StatefulSet", "Other"])


@given(st.lists(st.tuples(KINDS, st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=5)), max_size=4))
def test_objects_of_any_shape_are_taken_in_or_left_out(shapes: list[tuple[str, dict[str, Any]]]) -> None:
    lines = [json.dumps({"kind": kind, **fields}, ensure_ascii=False) for kind, fields in shapes]
    load(WEB, HEADLESS, stateful("replicas: 1"), *lines)


# Selected objects


def keys_of(loaded: Loaded, resource: Any) -> list[str]:
    return [each.key.name for each in loaded.objects[resource]]


def test_only_what_a_selector_takes_is_there() -> None:
    labelled = WEB.replace("{name: web}", "{name: web, labels: {tier: front}}")
    loaded = load(labelled, HEADLESS, pod("p"), services="tier=front", endpointslices="tier=front")
    assert keys_of(loaded, "services") == ["web"]
    assert endpoints(loaded, "web") == ["10.1.0.1 - :80/tcp"]  # slices have their Service's labels
    assert keys_of(loaded, "pods") == ["p"]
    assert keys_of(load(labelled, HEADLESS, services="tier!=front"), "services") == ["db"]


def test_a_namespace_that_nobody_wrote_has_no_labels() -> None:
    written = "{kind: Namespace, metadata: {name: shop, labels: {open: yes}}}".replace("yes", '"yes"')
    service = WEB.replace("{name: web}", "{name: web, namespace: shop}")
    assert keys_of(load(written, service, WEB, namespaces="open=yes"), "namespaces") == ["shop"]
    assert keys_of(load(written, service, WEB, namespaces="!open"), "namespaces") == ["default"]
