"""Details: of a Service's objects what DNS has no use for, and people have: who isn't ready, since when, which pod.

The API has no time for an endpoint. A slice tells the last change that it was written for (an annotation), and a Pod since
when its condition Ready is as it is; where neither is said nothing is said. Reads plain values, leniently: what doesn't fit
is as if it weren't there, for decode complains of it.
Sources: discovery.k8s.io/v1; the annotation endpoints.kubernetes.io/last-change-trigger-time of the endpoint controller.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from kdns.explain.explanation import Endpoint

_CHANGED: Final = "endpoints.kubernetes.io/last-change-trigger-time"


class SliceDetails(NamedTuple):
    """Of one EndpointSlice."""

    changed: str | None
    endpoints: tuple[Endpoint, ...]


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


class _Condition(NamedTuple):
    since: str | None
    why: str


def _slice(value: Any, pods: dict[str, _Condition]) -> SliceDetails:
    changed = _of(value, "metadata", "annotations", _CHANGED)
    endpoints = _list(_of(value, "endpoints"))
    return SliceDetails(_text(changed) or None, tuple(_endpoint(each, pods) for each in endpoints))


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
