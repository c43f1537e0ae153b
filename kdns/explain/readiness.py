"""Endpoints that don't count: not ready, in no EndpointSlice, or in one that names another Service."""

from collections.abc import Iterable, Iterator
from itertools import islice

from kdns.cluster.objects import SERVICE_LABEL, EndpointSlice, Key
from kdns.explain.denied import LOOKED_AT, SHOWN, Denied, Hints, named, reason
from kdns.explain.evidence import Evidence
from kdns.explain.explanation import Reason
from kdns.zone import entry as entries


def no_endpoints(denied: Denied, key: Key, why: str) -> Hints:
    return Hints(why, tuple(_of_readiness(denied.evidence, key)))


def unreachable(evidence: Evidence, keys: Iterable[Key]) -> Iterator[str]:
    """Notes of Services whose ClusterIP is answered though nothing is behind it. Manifests may leave that to the cluster."""
    if evidence.places or not evidence.reading.endpoints:
        return
    for key in keys:
        service = evidence.store.service(key)
        members = evidence.store.members(key)
        if (
            service is None
            or not service.cluster_ips
            or any(entries.unpack_slice(each.packed).addresses for each in members)
        ):
            continue
        waiting = sum(each.not_ready for each in members)
        what = f"{waiting} that {'are' if waiting != 1 else 'is'} not" if waiting else "none at all"
        yield f"{named(key)} has no ready endpoint ({what}): its name is answered, connections to it fail"


def _of_readiness(evidence: Evidence, key: Key) -> Iterator[Reason]:
    if not evidence.reading.endpoints:
        yield reason(
            "no-endpoints-read", "noendpoints says that no EndpointSlices are read: headless Services have no names"
        )
        return
    members = evidence.store.members(key)
    waiting = sum(part.not_ready for part in members)
    if waiting:
        slices = ", ".join(part.key.name for part in members[:SHOWN])
        text = f"{waiting} endpoint{'s' if waiting != 1 else ''} of {named(key)} {'are' if waiting != 1 else 'is'} not ready ({slices})"
        details = evidence.details.get(key)
        if details is not None and not details.publishes_not_ready:
            text += "; publishNotReadyAddresses would have {'them' if waiting != 1 else 'it'} answered all the same"
        yield reason("no-ready-endpoints", text)
    elif members:
        yield reason("no-ready-endpoints", f"the EndpointSlices of {named(key)} are empty: its selector takes no pod")
    else:
        yield reason(
            "no-slices", f"no EndpointSlice names {named(key)}: it has no selector, or no controller makes them"
        )
    yield from _unlabelled(evidence, key)


def _unlabelled(evidence: Evidence, key: Key) -> Iterator[Reason]:
    """Slices of the namespace that name no Service, or one that isn't there, and may be meant for this one."""
    for name in islice(evidence.store.names("endpointslices", key.namespace), LOOKED_AT):
        if name != key.name and not name.startswith(f"{key.name}-"):
            continue
        part = evidence.store.get("endpointslices", Key(key.namespace, name))
        if isinstance(part, EndpointSlice) and part.service != key.name:
            found = f'says "{part.service}"' if part.service else "isn't there"
            text = f"EndpointSlice {key.namespace}/{name}: the label {SERVICE_LABEL} {found}, so it doesn't count for {key.name}"
            yield reason("slice-without-label", text)
