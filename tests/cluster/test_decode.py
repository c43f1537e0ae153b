"""Decode: what objects become, what is left out and said of it, and that any octets end well."""

import json
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.cluster import decode
from kdns.cluster.decode import DecodeError, DecodeOptions
from kdns.cluster.objects import EndpointSlice, Key, Namespace, Pod, Problem, Resource, Service, Stamp
from kdns.zone.entry import Port, pack_slice, pack_zoned

META = {"namespace": "shop", "name": "web", "uid": "u", "resourceVersion": "7"}
WEB = Key("shop", "web")
STAMP = Stamp("u", "7")
TEN = bytes((10, 0, 0, 1))
SIX = bytes.fromhex("fd000000000000000000000000000001")


def item(resource: Resource, body: dict[str, Any], **options: bool) -> decode.Decoded:
    return decode.item(resource, json.dumps({"metadata": META} | body).encode(), DecodeOptions(**options))


def service(**spec: Any) -> Service:
    made, problems = item("services", {"spec": spec})
    assert problems == ()
    assert isinstance(made, Service)
    return made


def endpoint_slice(
    endpoints: Any = (), ports: Any = None, family: str = "IPv4", label: str = "web", **options: bool
) -> tuple[EndpointSlice, list[tuple[str, str]]]:
    """The slice, and field and found value of each Problem."""
    metadata = META | {"labels": {"kubernetes.io/service-name": label}}
    body = {"metadata": metadata, "addressType": family, "endpoints": endpoints, "ports": ports}
    made, problems = item("endpointslices", body, **options)
    assert isinstance(made, EndpointSlice)
    return made, [(problem.field, problem.found) for problem in problems]


# Services


def test_service_has_its_cluster_ips_and_ports() -> None:
    ports = [
        {"port": 80, "name": "http"},
        {"port": 53, "name": "dns", "protocol": "UDP"},
        {"port": 9, "protocol": "SCTP"},
    ]
    assert service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1", "fd00::1"], ports=ports) == Service(
        WEB, STAMP, (TEN, SIX), ports=(Port(80, b"http", b"tcp"), Port(53, b"dns", b"udp"), Port(9, b"", b"sctp"))
    )


@pytest.mark.parametrize(
    ("spec", "cluster_ips", "headless"),
    [
        ({"clusterIP": "10.0.0.1"}, (TEN,), False),
        ({"clusterIPs": ["10.0.0.1", "10.0.0.1"]}, (TEN,), False),
        ({"clusterIP": "None"}, (), True),
        ({"clusterIPs": ["None"]}, (), True),
        ({"clusterIP": "None", "clusterIPs": None}, (), True),
        ({"clusterIP": ""}, (), False),
        ({}, (), False),
        ({"type": "NodePort", "clusterIP": "10.0.0.1"}, (TEN,), False),
        ({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}, (TEN,), False),
        ({"type": "ExternalName", "externalName": "example.com", "clusterIP": "10.0.0.1"}, (), False),
    ],
)
def test_cluster_ips_decide_what_is_headless(spec: Any, cluster_ips: tuple[bytes, ...], headless: bool) -> None:
    made = service(**spec)
    assert (made.cluster_ips, made.headless) == (cluster_ips, headless)


def test_external_name_stays_as_written() -> None:
    made = service(type="ExternalName", externalName="WWW.Example.COM.", ports=[{"port": 80}])
    assert made.external_name == "WWW.Example.COM."
    assert made.target == b"\x03WWW\x07Example\x03COM\0"
    assert made.ports == (Port(80, b"", b"tcp"),)


@pytest.mark.parametrize("name", ["", ".", "192.0.2.1", "2001:db8::1", "a..b", "x" * 64, ".".join(["x" * 60] * 5)])
def test_external_name_that_is_no_name_is_a_problem_and_no_target(name: str) -> None:
    made, problems = item("services", {"spec": {"type": "ExternalName", "externalName": name}})
    assert isinstance(made, Service)
    assert made.target == b""
    assert [(problem.field, problem.expected) for problem in problems] == [("spec.externalName", "a domain name")]


@pytest.mark.parametrize(
    ("port", "made", "field"),
    [
        ({"port": 0}, (), "spec.ports[0].port"),
        ({"port": 65536}, (), "spec.ports[0].port"),
        ({"port": -(10**40)}, (), "spec.ports[0].port"),
        ({"port": 80, "protocol": "QUIC"}, (), "spec.ports[0].protocol"),
        ({"port": 80, "name": "a_b"}, (Port(80, b"", b"tcp"),), "spec.ports[0].name"),
        ({"port": 80, "name": "\u212a"}, (Port(80, b"", b"tcp"),), "spec.ports[0].name"),
        ({"port": 80, "name": "HTTP", "protocol": "tcp"}, (Port(80, b"http", b"tcp"),), None),
        ({"name": "http"}, (), None),
    ],
)
def test_odd_port_loses_what_is_odd(port: Any, made: tuple[Port, ...], field: str | None) -> None:
    decoded, problems = item("services", {"spec": {"ports": [port]}})
    assert isinstance(decoded, Service)
    assert decoded.ports == made
    assert [problem.field for problem in problems] == ([field] if field else [])


def test_ports_beyond_what_an_entry_holds_are_a_problem() -> None:
    decoded, problems = item("services", {"spec": {"ports": [{"port": 1 + at} for at in range(300)]}})
    assert isinstance(decoded, Service)
    assert len(decoded.ports) == 255
    assert [problem.field for problem in problems] == ["spec.ports[255]"]


def test_problem_says_whose_what_and_instead_of_what() -> None:
    decoded, problems = item("services", {"spec": {"clusterIPs": ["010.0.0.1", "10.0.0.1"]}})
    assert decoded == Service(WEB, STAMP, (TEN,))
    assert problems == (Problem("Service", WEB, "spec.clusterIPs[0]", "'010.0.0.1'", "an IPv4 or IPv6 address"),)


@pytest.mark.parametrize(
    "text", ["1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", " 1.2.3.4", "1.2.3.4\n", "+1.2.3.4", "\uff11.2.3.4", "1.2.3.4%e",
             "fe80::1%eth0", "::1%", ":", "1::2::3", "g::", "::1\n"],
)  # fmt: skip
def test_address_in_any_but_the_strict_form_is_none(text: str) -> None:
    decoded, problems = item("pods", {"status": {"podIP": text}})
    assert decoded == Pod(WEB, STAMP)
    assert [problem.field for problem in problems] == ["status.podIP"]


# Slices


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ({"ready": True}, True),
        ({"ready": None, "serving": False, "terminating": True}, True),
        ({}, True),
        (None, True),
        ({"ready": False, "serving": True}, False),
        ({"ready": "no"}, True),
    ],
)
def test_endpoint_is_ready_unless_said_otherwise(conditions: Any, ready: bool) -> None:
    made, _ = endpoint_slice([{"addresses": ["10.0.0.1"], "conditions": conditions}])
    assert made.packed == pack_slice(4, (), [(TEN, b"")] if ready else [])
    assert made.not_ready == (0 if ready else 1)


@pytest.mark.parametrize(
    ("endpoint", "plain", "with_pod_names"),
    [
        ({"hostname": "db-0"}, b"db-0", b"db-0"),
        ({"hostname": "db-0", "targetRef": {"kind": "Pod", "name": "p"}}, b"db-0", b"db-0"),
        ({"targetRef": {"kind": "Pod", "name": "p-1"}}, b"", b"p-1"),
        ({"targetRef": {"kind": "Pod", "name": "p" * 63}}, b"", b"p" * 63),
        ({"targetRef": {"kind": "Pod", "name": "p" * 64}}, b"", b""),
        ({"targetRef": {"kind": "Pod", "name": "p.q"}}, b"", b""),
        ({"targetRef": {"kind": "VirtualMachine", "name": "p"}}, b"", b""),
        ({"targetRef": None, "hostname": None}, b"", b""),
        ({"hostname": ""}, b"", b""),
    ],
)
def test_endpoint_is_named_by_hostname_then_pod(endpoint: Any, plain: bytes, with_pod_names: bytes) -> None:
    endpoints = [{"addresses": ["10.0.0.1"]} | endpoint]
    assert endpoint_slice(endpoints)[0].packed == pack_slice(4, (), [(TEN, plain)])
    assert endpoint_slice(endpoints, endpoint_pod_names=True)[0].packed == pack_slice(4, (), [(TEN, with_pod_names)])


def test_topology_zones_are_read_where_they_are_asked_for() -> None:
    target = {"kind": "Pod", "name": "p"}
    endpoints = [
        {"addresses": ["10.0.0.1"], "zone": "EU.West", "targetRef": target},
        {"addresses": ["10.0.0.2"], "hostname": "h"},
        {"addresses": ["10.0.0.3"], "zone": "away", "conditions": {"ready": False}},
    ]
    twenty = bytes((10, 0, 0, 2))
    assert endpoint_slice(endpoints)[0].packed == pack_slice(4, (), [(TEN, b""), (twenty, b"h")])
    zoned = endpoint_slice(endpoints, zones=True)[0].packed
    assert zoned == pack_zoned(4, (), [(TEN, b"", b"eu.west"), (twenty, b"h", b"")])
    named = endpoint_slice(endpoints, zones=True, endpoint_pod_names=True)[0].packed
    assert named == pack_zoned(4, (), [(TEN, b"p", b"eu.west"), (twenty, b"h", b"")])


@pytest.mark.parametrize("zone", ["é", "z" * 256])
def test_topology_zone_that_is_none_is_left_out(zone: str) -> None:
    made, problems = endpoint_slice([{"addresses": ["10.0.0.1"], "zone": zone}], zones=True)
    assert made.packed == pack_slice(4, (), [(TEN, b"")])
    assert [field for field, _ in problems] == ["endpoints[0].zone"]


@pytest.mark.parametrize("hostname", ["h" * 64, "Upper", "a.b", "-a", "a-", "a_b", "a\n", "é"])
def test_hostname_that_is_no_label_is_left_out(hostname: str) -> None:
    made, problems = endpoint_slice([{"addresses": ["10.0.0.1"], "hostname": hostname}])
    assert made.packed == pack_slice(4, (), [(TEN, b"")])
    assert problems == [("endpoints[0].hostname", ascii(hostname))]


def test_all_addresses_of_an_endpoint_count() -> None:
    made, _ = endpoint_slice([{"addresses": ["10.0.0.1", "10.0.0.2"], "hostname": "a"}])
    assert made.packed == pack_slice(4, (), [(TEN, b"a"), (bytes((10, 0, 0, 2)), b"a")])


def test_address_of_the_other_family_is_left_out() -> None:
    made, problems = endpoint_slice([{"addresses": ["10.0.0.1"]}, {"addresses": ["fd00::1"]}], family="IPv6")
    assert made.packed == pack_slice(16, (), [(SIX, b"")])
    assert problems == [("endpoints[0].addresses[0]", "'10.0.0.1'")]


def test_port_without_number_has_no_srv_and_addresses_stay() -> None:
    ports = [{"name": "a", "port": None}, {"name": "", "port": 80, "protocol": "TCP"}]
    made, problems = endpoint_slice([{"addresses": ["10.0.0.1"]}], ports)
    assert made.packed == pack_slice(4, [Port(80, b"", b"tcp")], [(TEN, b"")])
    assert problems == []


@pytest.mark.parametrize("family", ["FQDN", "", "IPv5"])
def test_slice_of_no_address_family_is_left_out_whole(family: str) -> None:
    made, problems = item("endpointslices", {"addressType": family, "endpoints": [{"addresses": ["a.example"]}]})
    assert made is None
    assert problems == (Problem("EndpointSlice", WEB, "addressType", ascii(family), "IPv4 or IPv6"),)


@pytest.mark.parametrize(("label", "service"), [("web", "web"), ("", ""), ("Web", ""), ("a.b", "")])
def test_slice_belongs_to_the_service_of_its_label(label: str, service: str) -> None:
    made, problems = endpoint_slice(label=label)
    assert made.service == service
    assert len(problems) == (1 if label and not service else 0)


def test_slice_of_nothing_is_a_slice() -> None:
    made, problems = item("endpointslices", {"addressType": "IPv4", "endpoints": None, "ports": None})
    assert made == EndpointSlice(WEB, STAMP, "", pack_slice(4, (), []))
    assert problems == ()


# Pods and Namespaces


@pytest.mark.parametrize(
    ("status", "addresses"),
    [
        ({"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, (TEN, SIX)),
        ({"phase": "Running", "podIP": "10.0.0.1"}, (TEN,)),
        ({"phase": "Pending"}, ()),
        ({}, ()),
    ],
)
def test_pod_has_all_its_addresses(status: Any, addresses: tuple[bytes, ...]) -> None:
    body = {"metadata": META | {"deletionTimestamp": "2024-01-01T00:00:00Z"}, "status": status}
    assert item("pods", body) == (Pod(WEB, STAMP, addresses), ())


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Unknown"])
def test_finished_pod_is_left_out_without_a_word(phase: str) -> None:
    assert item("pods", {"status": {"phase": phase, "podIP": "10.0.0.1"}}) == (None, ())


def test_labels_are_read_only_where_wanted() -> None:
    body = {"metadata": META | {"labels": {"b": "2", "a": "1"}}}
    made, wanted = item("namespaces", body).object, item("namespaces", body, labels=True).object
    assert made == Namespace(Key("", "web"), STAMP)
    assert wanted == Namespace(Key("", "web"), STAMP, (("a", "1"), ("b", "2")))
    assert item("services", body, labels=True).object == Service(WEB, STAMP, labels=(("a", "1"), ("b", "2")))


@pytest.mark.parametrize("name", ["", "Web", "a_b", "-a", "a-", "x" * 64, "a b", "a\n", "é", "*"])
@pytest.mark.parametrize("resource", ["namespaces", "services"])
def test_object_whose_name_is_no_label_is_left_out_whole(resource: Resource, name: str) -> None:
    made, problems = item(resource, {"metadata": META | {"name": name}})
    assert made is None
    assert [problem.field for problem in problems] == ["metadata.name"]


@pytest.mark.parametrize("resource", ["services", "pods", "endpointslices"])
def test_object_whose_namespace_is_no_label_is_left_out_whole(resource: Resource) -> None:
    made, problems = item(resource, {"metadata": META | {"namespace": "a.b"}})
    assert made is None
    assert [problem.field for problem in problems] == ["metadata.namespace"]


def test_names_of_pods_and_slices_may_have_dots_and_be_long() -> None:
    key = Key("shop", "kube-proxy-ip-10-0-0-1.example.internal" + "x" * 80)
    metadata = META | {"name": key.name}
    assert item("pods", {"metadata": metadata}).object == Pod(key, STAMP)
    assert isinstance(item("endpointslices", {"metadata": metadata, "addressType": "IPv4"}).object, EndpointSlice)


def test_what_is_not_read_may_be_anything() -> None:
    body = (
        b'{"metadata":{"name":"a","managedFields":[{"f":1e400}],"name":"b"},"spec":{"finalizers":[null]},"x":'
        + b"9" * 5000
    )
    assert decode.item("namespaces", body + b"}").object == Namespace(Key("", "b"), Stamp("", ""))


# Pages, events, heads, bookmarks, statuses


def test_page_keeps_items_as_octets() -> None:
    made = decode.page(
        b'{"kind":"List","metadata":{"resourceVersion":"9","continue":"t","remainingItemCount":3},"items":[{"a":1}, 2]}'
    )
    assert (made.version, made.token, made.remaining) == ("9", "t", 3)
    assert [bytes(raw) for raw in made.items] == [b'{"a":1}', b"2"]


def test_items_null_is_a_page_of_nothing() -> None:
    assert decode.page(b'{"metadata":{"resourceVersion":"9"},"items":null}') == ("9", "", None, [])


@pytest.mark.parametrize(
    "octets",
    [b'{"kind":"Status","metadata":{},"code":500}', b'{"kind":"Table","metadata":{},"rows":[]}', b"<html>", b""],
)
def test_page_without_items_is_refused(octets: bytes) -> None:
    with pytest.raises(DecodeError, match="expected a list"):
        decode.page(octets)


def test_event_keeps_its_object_as_octets() -> None:
    made = decode.event(b'{"type":"ADDED","object":{"a": 1}}\n')
    assert (made.type, bytes(made.object)) == ("ADDED", b'{"a": 1}')


@pytest.mark.parametrize("line", [b'{"type":"ODD","object":{}}', b'{"type":"ADDED"}', b'{"object":{}}', b"\n"])
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(DecodeError, match="expected a watch event"):
        decode.event(line)


@pytest.mark.parametrize(
    ("annotations", "end"),
    [
        (b"", False),
        (b',"annotations":{"k8s.io/initial-events-end":"true"}', True),
        (b',"annotations":{"a":"true"}', False),
    ],
)
def test_bookmark_says_whether_initial_events_end(annotations: bytes, end: bool) -> None:
    assert decode.bookmark(b'{"metadata":{"resourceVersion":"5"' + annotations + b"}}") == ("5", end)


def test_status_has_the_reasons_of_its_causes() -> None:
    body = (
        b'{"kind":"Status","code":504,"reason":"Timeout","message":"Too large","details":'
        b'{"retryAfterSeconds":1,"causes":[{"reason":"ResourceVersionTooLarge","message":"x"}]}}'
    )
    assert decode.status(body) == (504, "Timeout", "Too large", 1.0, ("ResourceVersionTooLarge",))
    assert decode.status(b'{"kind":"Status","code":410,"reason":"Expired"}') == (410, "Expired", "", None, ())


@pytest.mark.parametrize("octets", [b"forbidden", b'{"kind":"Pod"}', b"[]"])
def test_what_is_no_status_is_refused(octets: bytes) -> None:
    with pytest.raises(DecodeError, match="expected a Status"):
        decode.status(octets)


def test_head_is_the_key_and_stamp_that_the_item_has() -> None:
    raw = json.dumps({"metadata": META, "spec": 3}).encode()
    assert decode.head("services", raw) == (WEB, STAMP)
    assert decode.head("namespaces", raw) == (Key("", "web"), STAMP)
    with pytest.raises(DecodeError, match=r"no metadata\.name"):
        decode.head("pods", b'{"metadata":{}}')


# Any octets

FIELDS = [
    "metadata",
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "kubernetes.io/service-name",
    "annotations",
    "spec",
    "status",
    "type",
    "clusterIP",
    "clusterIPs",
    "externalName",
    "ports",
    "port",
    "protocol",
    "addressType",
    "endpoints",
    "addresses",
    "conditions",
    "ready",
    "hostname",
    "targetRef",
    "kind",
    "podIP",
    "podIPs",
    "ip",
    "phase",
    "items",
    "continue",
    "remainingItemCount",
    "object",
    "code",
    "reason",
    "message",
    "details",
    "retryAfterSeconds",
    "causes",
]
TEXTS = [
    "web",
    "IPv4",
    "IPv6",
    "FQDN",
    "None",
    "ExternalName",
    "10.0.0.1",
    "fd00::1",
    "ADDED",
    "ERROR",
    "Status",
    "Pod",
    "Running",
    "TCP",
    "true",
    "a.b",
]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(TEXTS)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=8)
)
WHOLE = json.dumps(
    {
        "type": "ADDED", "object": {}, "items": [{}], "kind": "Status", "code": 1, "details": {"causes": [{"reason": "a"}]},
        "metadata": META | {"labels": {"kubernetes.io/service-name": "web"}, "annotations": {"a": "b"}, "continue": "x"},
        "spec": {"type": "ClusterIP", "clusterIPs": ["10.0.0.1"], "externalIPs": ["::1"], "ports": [{"port": 80, "name": "http"}]},
        "addressType": "IPv4", "ports": [{"port": 80}], "status": {"podIPs": [{"ip": "10.0.0.1"}], "loadBalancer": {"ingress": [{"ip": "10.0.0.1"}, {"hostname": "a.b"}]}},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "hostname": "a", "targetRef": {"kind": "Pod"}}],
    }
).encode()  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    start = draw(st.integers(0, len(WHOLE)))
    end = draw(st.integers(start, min(len(WHOLE), start + 20)))
    return (
        WHOLE[:start] + draw(st.binary(max_size=6) | values.map(lambda value: json.dumps(value).encode())) + WHOLE[end:]
    )


@given(st.binary() | values.map(lambda value: json.dumps(value).encode()) | damaged())
def test_any_octets_give_a_value_or_decode_error(octets: bytes) -> None:
    read_all_ways(octets)


@pytest.mark.parametrize(
    "octets",
    [
        b"[" * 200_000,
        b'{"metadata":' * 200_000,
        b'{"items":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"metadata":{"name":' + b"9" * 5000 + b"}}",
        b'{"spec":{"ports":[{"port":' + b"9" * 4300 + b'}]},"metadata":{"name":"a","namespace":"b"}}',
        b'{"metadata":{"name":"\\ud800"}}',
        b'{"metadata":{"name":"\xff"}}',
        b'{"metadata":{"name":NaN}}',
        b'{"kind":"Status","details":{"retryAfterSeconds":1e999}}',
        b"\xef\xbb\xbf{}",
        b"\0",
    ],
)  # fmt: skip
def test_odd_json_gives_a_value_or_decode_error(octets: bytes) -> None:
    read_all_ways(octets)


def read_all_ways(octets: bytes) -> None:
    for read in (decode.page, decode.event, decode.bookmark, decode.status):
        with suppress(DecodeError):
            read(octets)
    for resource in get_args(Resource):
        with suppress(DecodeError):
            decode.head(resource, octets)
        for options in (DecodeOptions(), DecodeOptions(endpoint_pod_names=True, labels=True, outside=True)):
            with suppress(DecodeError):
                decode.item(resource, octets, options)
