"""Details: of a Service's objects what DNS has no use for, and people have: who isn't ready, since when, which pod.

The API has no time for an endpoint. A slice tells the last change that it was written for (an annotation), and a Pod since
when its condition Ready is as it is; where neither is said nothing is said. Reads plain values, leniently: what doesn't fit
is as if it weren't there, for decode complains of it.
Sources: discovery.k8s.io/v1; the annotation endpoints.kubernetes.io/last-change-trigger-time of the endpoint controller.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from kdns.cluster.objects import Key
from kdns.explain.explanation import Endpoint, Explanation, Object

_CHANGED: Final = "endpoints.kubernetes.io/last-change-trigger-time"


class SliceDetails(NamedTuple):
    """Of one EndpointSlice."""

    changed: str | None
    endpoints: tuple[Endpoint, ...]
    version: str = ""  # its resourceVersion


class Details(NamedTuple):
    """Of a Service."""

    publishes_not_ready: bool
    slices: dict[str, SliceDetails]  # by name
    note: str = ""  # what couldn't be read, and why


def details(service: Any, slices: Iterable[Any], pods: Sequence[Any], note: str = "") -> Details:
    """Of objects as JSON or YAML have them; service may be None."""
    conditions = {_text(_of(pod, "metadata", "name")): _ready(pod) for pod in pods}
    found = {_text(_of(each, "metadata", "name")): _slice(each, conditions) for each in slices}
    return Details(_of(service, "spec", "publishNotReadyAddresses") is True, found, note)


def detailed(told: Explanation, found: Mapping[Key, Details]) -> Explanation:
    """The explanation of a server that keeps less, with what an API server says of the same slices now."""
    slices = {Key(key.namespace, name): part for key, each in found.items() for name, part in each.slices.items()}
    candidates = tuple(
        msgspec.structs.replace(each, objects=tuple(_detailed(one, slices) for one in each.objects))
        for each in told.candidates
    )
    notes = [each.note for each in found.values() if each.note]
    notes += [
        f"EndpointSlice {one.namespace}/{one.name} has changed: the server answers by resourceVersion"
        f" {one.resource_version}, the API server has {slices[_key(one)].version}"
        for each in told.candidates
        for one in each.objects
        if _is_known(one, slices) and slices[_key(one)].version != one.resource_version
    ]
    return msgspec.structs.replace(told, candidates=candidates, notes=(*told.notes, *dict.fromkeys(notes)))


def _key(one: Object) -> Key:
    return Key(one.namespace, one.name)


def _is_known(one: Object, slices: Mapping[Key, SliceDetails]) -> bool:
    return one.kind == "EndpointSlice" and _key(one) in slices


def _detailed(one: Object, slices: Mapping[Key, SliceDetails]) -> Object:
    if not _is_known(one, slices):
        return one
    answers = frozenset(address for each in one.endpoints if each.counts for address in each.addresses)
    part = slices[_key(one)]
    return msgspec.structs.replace(one, changed=part.changed, endpoints=marked(part.endpoints, answers))


def marked(endpoints: Iterable[Endpoint], answers: frozenset[str]) -> tuple[Endpoint, ...]:
    """The endpoints, each with whether it is among the addresses that are answered."""
    return tuple(
        msgspec.structs.replace(each, counts=each.ready is not False and not answers.isdisjoint(each.addresses))
        for each in endpoints
    )


class _Condition(NamedTuple):
    since: str | None
    why: str


def _slice(value: Any, pods: dict[str, _Condition]) -> SliceDetails:
    changed = _of(value, "metadata", "annotations", _CHANGED)
    endpoints = _list(_of(value, "endpoints"))
    version = _text(_of(value, "metadata", "resourceVersion"))
    return SliceDetails(_text(changed) or None, tuple(_endpoint(each, pods) for each in endpoints), version)


def _endpoint(value: Any, pods: dict[str, _Condition]) -> Endpoint:
    ready = _of(value, "conditions", "ready")
    ready = ready if isinstance(ready, bool) else None
    pod = _text(_of(value, "targetRef", "name")) if _of(value, "targetRef", "kind") == "Pod" else ""
    condition = pods.get(pod, _Condition(None, "")) if pod else _Condition(None, "")
    terminating = "terminating" if _of(value, "conditions", "terminating") is True else ""
    return Endpoint(
        addresses=tuple(each for each in _list(_of(value, "addresses")) if isinstance(each, str)),
        ready=ready,
        counts=ready is not False,
        hostname=_text(_of(value, "hostname")),
        pod=pod,
        since=condition.since,
        why=(terminating or condition.why) if ready is False else "",
    )


def _ready(pod: Any) -> _Condition:
    for condition in _list(_of(pod, "status", "conditions")):
        if _of(condition, "type") == "Ready":
            words = (_text(_of(condition, "reason")), _text(_of(condition, "message")))
            return _Condition(_text(_of(condition, "lastTransitionTime")) or None, ": ".join(filter(None, words)))
    return _Condition(None, "")


def _of(value: Any, *path: str) -> Any:
    for each in path:
        value = value.get(each) if isinstance(value, dict) else None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
