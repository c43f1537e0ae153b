"""Namespaces and Services that aren't there: what is spelt alike, and where else the same Service is."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from kdns.cluster.objects import Key
from kdns.explain.denied import LOOKED_AT, SHOWN, Denied, Hints, named, near, with_label
from kdns.explain.explanation import Reason
from kdns.explain.readiness import no_endpoints
from kdns.zone.described import label

_OF_SERVICE: Final = 3  # labels of SERVICE.NAMESPACE.svc


def no_namespace(denied: Denied, namespace: str, service: str) -> Hints:
    evidence = denied.evidence
    known = {key.name for key in evidence.store.keys("namespaces")}
    reasons = [
        Reason(
            code="near-namespace", text=f"there is a namespace {alike}: did you mean {with_label(denied, -2, alike)}?"
        )
        for alike in near(namespace, sorted(known - {namespace}))
        if not service or evidence.store.has("services", Key(alike, service))
    ]
    if namespace in known or evidence.store.has_any("services", namespace):
        why = f"namespace {namespace} is left out, by namespace_labels or since nothing in it has a name"
        return Hints(why, (Reason(code="hidden", text=f"namespace {namespace} hasn't the labels that are asked for"),))
    return Hints(f"there is no namespace {namespace}", (*reasons, *_elsewhere(denied, Key(namespace, service))))


def _elsewhere(denied: Denied, key: Key) -> Iterator[Reason]:
    """The same Service in other namespaces."""
    if not key.name:
        return
    found = [each for each in denied.evidence.store.namespaces_with("services", key.name) if each != key.namespace]
    shown = [each for each in found if denied.place.zone.shows(label(each))]
    if shown:
        names = ", ".join(with_label(denied, -2, each) for each in shown[:SHOWN])
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        yield Reason(code="elsewhere", text=f"a Service {key.name} is in another namespace: {names}{more}")


def no_service(denied: Denied, key: Key, why: str = "") -> Hints:
    evidence = denied.evidence
    if evidence.store.service(key) is not None:
        said = f"Service {named(key)} is there, but has no ready endpoint, and ignore empty_service leaves such out"
        return no_endpoints(denied, key, said)
    known = evidence.store.names("services", key.namespace)
    reasons = [
        Reason(code="near-service", text=f"there is a Service {alike}: did you mean {with_label(denied, -3, alike)}?")
        for alike in near(key.name, known)
    ]
    said = f"there is no Service {key.name} in namespace {key.namespace}"
    reasons += _elsewhere(denied, key)
    return Hints(f"{said}; {why}" if why else said, tuple(reasons or _alike_elsewhere(denied, key)))


def _alike_elsewhere(denied: Denied, key: Key) -> Iterator[Reason]:
    """Services in other namespaces that are spelt alike, where it is the Service's name that was asked for."""
    if len(denied.place.labels) > _OF_SERVICE:
        return
    store = denied.evidence.store
    known = {each.name for each in islice(store.keys("services"), LOOKED_AT)}
    for alike in near(key.name, sorted(known)):
        spaces = [each for each in store.namespaces_with("services", alike) if denied.place.zone.shows(label(each))]
        for each in spaces[:SHOWN]:
            meant = ".".join((alike, each, *denied.place.labels[2:], denied.place.origin))
            yield Reason(
                code="elsewhere", text=f"there is a Service {alike} in namespace {each}: did you mean {meant}?"
            )


def missing_import(denied: Denied, key: Key, *, exists: bool) -> Hints:
    """In a zone of multicluster, which has no Services of this cluster."""
    if exists:
        return Hints(f"ServiceImport {named(key)} is there, and has no such name below it or no such records")
    freshness = next((each for each in denied.evidence.freshness.resources if each.name == "serviceimports"), None)
    trouble = f": {freshness.trouble}" if freshness is not None and freshness.trouble else ""
    return Hints(f"there is no ServiceImport {named(key)}{trouble}")
