"""Details: who is ready since when, as far as the objects say it, and nothing where they are odd."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.cluster.objects import Key
from kdns.dns import types
from kdns.explain.details import detailed, details
from tests.explain.clusters import details_of, explain, of_yaml
from tests.explain.test_explained import CLUSTER, SVC

CHANGED = "endpoints.kubernetes.io/last-change-trigger-time"
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(("metadata", "spec", "status", "endpoints", "addresses", "conditions", "name")),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def slice_of(**endpoint: Any) -> dict[str, Any]:
    meta = {"name": "web-1", "annotations": {CHANGED: "2026-01-01T00:00:00Z"}}
    return {"metadata": meta, "endpoints": [{"addresses": ["10.0.0.1"], **endpoint}]}


def pod(*conditions: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "web-0"}, "status": {"conditions": list(conditions)}}


READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T00:00:00Z"}
POD = {"kind": "Pod", "name": "web-0"}


@pytest.mark.parametrize(
    ("endpoint", "pods", "since"),
    [
        ({"targetRef": POD}, [pod({"type": "Initialized"}, READY)], "2026-01-02T00:00:00Z"),
        ({"targetRef": POD}, [], None),
        ({}, [pod(READY)], None),
        ({"targetRef": {"kind": "Node", "name": "web-0"}}, [pod(READY)], None),
    ],
)
def test_since_when_is_what_the_pod_says(endpoint: dict[str, Any], pods: list[Any], since: str | None) -> None:
    found = details(None, [slice_of(**endpoint)], pods).slices["web-1"]
    assert found.changed == "2026-01-01T00:00:00Z"
    assert [each.since for each in found.endpoints] == [since]


@pytest.mark.parametrize(
    ("conditions", "ready", "why"),
    [({}, None, ""), ({"ready": True}, True, ""), ({"ready": False, "terminating": True}, False, "terminating")],
)
def test_who_is_ready(conditions: dict[str, bool], ready: bool | None, why: str) -> None:
    (endpoint,) = details(None, [slice_of(conditions=conditions)], []).slices["web-1"].endpoints
    assert (endpoint.ready, endpoint.why) == (ready, why)


PODS = """
---
kind: Pod
metadata: {name: p, namespace: shop}
status: {conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-01-02T00:00:00Z"}]}
"""


def test_what_a_server_says_gets_details_of_the_same_slices() -> None:
    told = explain(of_yaml(CLUSTER), f"peers.shop.{SVC}", types.A)
    text = CLUSTER.replace("[10.0.0.4], hostname: peer-0", "[10.0.0.4], targetRef: {kind: Pod, name: p}") + PODS
    key = Key("shop", "peers")
    more = detailed(told, {key: details_of(text, key)})
    (_, part) = more.candidates[0].objects
    assert [(each.addresses, each.counts, each.since) for each in part.endpoints] == [
        (("10.0.0.4",), True, "2026-01-02T00:00:00Z"),
        (("10.0.0.5",), False, None),
    ]
    assert more.notes == told.notes
    assert detailed(told, {Key("office", "peers"): details_of(text, key)}) == told


def test_a_slice_that_has_changed_since_is_told_of() -> None:
    told = explain(of_yaml(CLUSTER), f"peers.shop.{SVC}", types.A)
    key = Key("shop", "peers")
    newer = details_of(CLUSTER.replace("name: peers-1", 'name: peers-1, resourceVersion: "9"'), key)
    (note,) = detailed(told, {key: newer}).notes
    assert note.startswith("EndpointSlice shop/peers-1 has changed: ")
    assert note.endswith("the API server has 9")


@given(anything, st.lists(anything, max_size=2), st.lists(anything, max_size=2))
def test_odd_objects_say_nothing_and_break_nothing(service: Any, slices: list[Any], pods: list[Any]) -> None:
    assert details(service, slices, pods).publishes_not_ready is False
