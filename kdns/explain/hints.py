"""Why there is nothing: which part of a name that has no records is short of what, and who says what may have been meant.

A candidate gets one sentence, why; reasons are what may help, each with a code that programs can tell apart.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from kdns.cluster.objects import Key
from kdns.explain.denied import HIDDEN, LOOKED_AT, SHOWN, Denied, Hints, named, near, reason, with_label
from kdns.explain.evidence import Evidence, address_text, key_of, reverse_address, text
from kdns.explain.explanation import Reason
from kdns.explain.inner import below_service, no_data, of_external
from kdns.explain.makers import owner_of
from kdns.explain.missing import missing_import, no_namespace, no_service
from kdns.explain.readiness import no_endpoints
from kdns.zone import dashed, headless
from kdns.zone import entry as entries
from kdns.zone.described import label
from kdns.zone.entry import Kind, namespace_owner
from kdns.zone.pods import DISABLED
from kdns.zone.terms import Zone

_BRANCHES: Final = ("svc", "pod")


def hints(denied: Denied) -> Hints:
    """Why the name has no records, and what may be the matter."""
    if not denied.evidence.index.synced:
        return Hints("the cluster hasn't been read yet", (Reason(code="not-synced", text=_unsynced(denied.evidence)),))
    errors = [reply.error for reply in denied.replies if reply.rcode not in {"NOERROR", "NXDOMAIN"} and reply.error]
    if errors and "circle" in errors[0]:
        return Hints(errors[0], (Reason(code="external-loop", text=_circle(denied)),))
    if errors:
        return Hints(errors[0])
    if not denied.place.labels:
        return Hints("the zone's own name has no such records")
    if not denied.place.is_primary:
        return _of_address(denied)
    branch = denied.place.labels[-1]
    if branch == "svc":
        return _of_svc(denied)
    return _of_pod(denied) if branch == "pod" else _astray(denied, branch)


def beside(zones: Iterable[Zone], labels: list[str], primary: str) -> Iterator[Reason]:
    """What is to be said of an absolute name, by its labels, that isn't the cluster's, or nothing in it."""
    lowered = [each.lower() for each in labels]
    for branch in _BRANCHES:
        if branch in lowered[1:]:
            at = lowered.index(branch, 1)
            behind = ".".join(labels[at + 1 :])
            if behind.lower() not in _origins(zones):
                found = f'the zone is "{behind}"' if behind else "there is no zone behind it"
                meant = ".".join((*labels[: at + 1], primary))
                yield Reason(code="wrong-zone", text=f"{found}, this cluster's is {primary}: did you mean {meant}?")
                return


def _origins(zones: Iterable[Zone]) -> set[str]:
    return {text(origin) for zone in zones for origin in zone.origins}


def _unsynced(evidence: Evidence) -> str:
    missing = [each for each in evidence.freshness.resources if not each.synced]
    said = "; ".join(f"{each.name}: {each.trouble or 'not listed yet'}" for each in missing)
    return f"nothing is denied before the cluster has been read: {said or 'it is being read'}"


def _circle(denied: Denied) -> str:
    record = next((record for reply in denied.replies for record in reply.records), None)
    names = [record.name for reply in denied.replies[:1] for record in reply.records]
    last = [record.data for reply in denied.replies[:1] for record in reply.records][-1:]
    way = " -> ".join((*names, *last)) if record is not None else "the way isn't known"
    return f"ExternalNames lead on and on: {way}; one of them has to hold another name"


def _of_svc(denied: Denied) -> Hints:
    labels, evidence = denied.place.labels, denied.evidence
    if len(labels) == 1:
        return Hints("it only stands above namespaces")
    namespace = labels[-2]
    if not denied.place.zone.shows(label(namespace)):
        return Hints(f"this zone shows some namespaces only, and {namespace} is none of them", (HIDDEN,))
    exists = namespace_owner(namespace) in evidence.index.entries
    if len(labels) == 2:
        return Hints("a namespace has no records of its own") if exists else no_namespace(denied, namespace, "")
    service = labels[-3]
    entry = evidence.index.entries.get(owner_of(denied.place))
    if denied.place.is_import:
        return missing_import(denied, Key(namespace, service), exists=entry is not None)
    if entry is None:
        return no_namespace(denied, namespace, service) if not exists else no_service(denied, Key(namespace, service))
    kind = entries.kind_of(entry)
    key = Key(namespace, service)
    if kind == Kind.SLICES_ONLY:
        return no_service(denied, key, "EndpointSlices name it, but that makes no names")
    if kind == Kind.EXTERNAL_NAME:
        return of_external(denied, key)
    if kind == Kind.HEADLESS and not headless.slices_of(entry):
        return no_endpoints(denied, key, f"Service {named(key)} is headless and has no ready endpoint")
    if all(reply.rcode == "NOERROR" for reply in denied.replies):
        return no_data(denied, key, kind)
    return below_service(denied, key, kind)


def _of_pod(denied: Denied) -> Hints:
    labels, zone = denied.place.labels, denied.place.zone
    if zone.pods == DISABLED:
        return Hints("names of pods are off", (reason("pods-disabled", "pods insecure or verified gives pods names"),))
    if len(labels) == 1:
        return Hints("it only stands above namespaces")
    namespace = labels[-2]
    if namespace_owner(namespace) not in denied.evidence.index.entries:
        return no_namespace(denied, namespace, "")
    if len(labels) != 3:
        return Hints("a namespace has no records of its own" if len(labels) == 2 else "nothing is below a pod's name")
    if all(reply.rcode == "NOERROR" for reply in denied.replies):
        return Hints("the address in it is of the other family")
    if zone.pods == "verified":
        return Hints(f"no pod in namespace {namespace} has that address", tuple(_pod_elsewhere(denied)))
    text = "a pod's name is its address in dashes, such as 10-1-2-3, not the pod's own"
    return Hints(f'"{labels[0]}" is no address in dashes', (reason("pod-name", text),))


def _pod_elsewhere(denied: Denied) -> Iterator[Reason]:
    address = dashed.parse(denied.place.labels[0].encode("ascii", "replace"))
    if address is None:
        yield reason("pod-name", "a pod's name is its address in dashes, such as 10-1-2-3, not the pod's own")
        return
    store = denied.evidence.store
    for key in islice(store.keys("namespaces"), LOOKED_AT):
        if store.pods_at(key.name, address):
            yield reason("elsewhere", f"a pod in namespace {key.name} has it: {with_label(denied, -2, key.name)}")


def _of_address(denied: Denied) -> Hints:
    address = reverse_address(denied.place.name)
    if address is None:
        return Hints("it isn't the whole of a reverse name")
    shown = address_text(address)
    owners = denied.evidence.index.owners_at(address)
    if owners and all(reply.rcode == "NOERROR" for reply in denied.replies):
        return Hints(f"{shown} has a name; PTR records alone lead to it")
    if owners:
        services = ", ".join(named(key_of(owner)) for owner in owners[:SHOWN])
        return Hints(f"{shown} is of {services}, whose namespace this zone doesn't show", (HIDDEN,))
    pods = _pods_at(denied.evidence, address)
    said = f"; it is that of a pod in {', '.join(pods)}, which no Service has as an endpoint" if pods else ""
    return Hints(f"no Service has {shown} as ClusterIP or as a ready endpoint{said}")


def _pods_at(evidence: Evidence, address: bytes) -> list[str]:
    names = islice((key.name for key in evidence.store.keys("namespaces")), LOOKED_AT)
    return [name for name in names if evidence.store.pods_at(name, address)][:SHOWN]


def _astray(denied: Denied, branch: str) -> Hints:
    """A name in the zone that is none of its branches'."""
    labels, origin = denied.place.labels, denied.place.origin
    why = f'"{branch}" means nothing below {origin}; Services are below svc.{origin}'
    if not denied.as_given:
        return Hints(why)
    reasons = []
    if len(labels) > 1 and denied.evidence.store.has("services", Key(labels[-1], labels[-2])):
        meant = ".".join((*labels, "svc", origin))
        reasons.append(reason("svc-missing", f"svc is missing: did you mean {meant}?"))
    else:
        reasons += [
            reason("near-branch", f"did you mean {with_label(denied, -1, near)}?") for near in near(branch, _BRANCHES)
        ]
    return Hints(why, tuple(reasons))
