"""Names of a Service that is there: its endpoints, its ports, its aliases, and records of types that it hasn't."""

from typing import Final

from kdns.cluster.objects import Key
from kdns.dns import types
from kdns.explain.denied import Denied, Hints, named, near, reason, with_label
from kdns.explain.makers import owner_of
from kdns.zone import entry as entries
from kdns.zone import headless, zonal
from kdns.zone.entry import Kind, Port

_FAMILIES: Final = {types.A: (4, "IPv4"), types.AAAA: (16, "IPv6")}


def below_service(denied: Denied, key: Key, kind: Kind) -> Hints:
    labels = denied.place.labels
    if denied.place.zone.zonal and len(labels) > 3 and labels[-4] == zonal.ANCHOR[1:].decode():
        return Hints(f"Service {named(key)} has no ready endpoint in that topology zone, or isn't headless")
    if len(labels) == 4:
        return _no_host(denied, key)
    if len(labels) == 5:
        return _no_port(denied, key, kind)
    return Hints(f"nothing below Service {named(key)} has so many labels")


def _no_host(denied: Denied, key: Key) -> Hints:
    host = denied.place.labels[0]
    entry = denied.evidence.index.entries[owner_of(denied.place)]
    known = [host_[1:].decode() for part in headless.slices_of(entry) for host_ in headless.hosts(part)]
    reasons = [
        reason("near-endpoint", f"there is an endpoint {alike}: did you mean {with_label(denied, 0, alike)}?")
        for alike in near(host, known)
    ]
    if host.startswith("_"):
        said = f"Service {named(key)} has no port with a name and the protocol {host[1:]}"
        return Hints(said, tuple(reasons))
    waiting = sum(part.not_ready for part in denied.evidence.store.members(key))
    if waiting:
        are = "isn't" if waiting == 1 else "aren't"
        text = f"{waiting} of {named(key)}'s endpoints {are} ready: no such endpoint has a name"
        reasons.append(reason("no-ready-endpoints", text))
    return Hints(f"Service {named(key)} has no ready endpoint {host}", tuple(reasons))


def _no_port(denied: Denied, key: Key, kind: Kind) -> Hints:
    name, protocol = (each.removeprefix("_").lower() for each in denied.place.labels[:2])
    ports = _ports(denied, kind)
    there = [(port.name.decode(), port.protocol.decode()) for port in ports]
    with_names = [each for each, _ in there if each]
    others = [proto for each, proto in there if each == name and proto != protocol]
    reasons = [
        reason("wrong-protocol", f"port {name} is {other}: did you mean {with_label(denied, 1, f'_{other}')}?")
        for other in others
    ]
    if not others:
        reasons += [
            reason("near-port", f"there is a port {alike}: did you mean {with_label(denied, 0, f'_{alike}')}?")
            for alike in near(name, [each for each in with_names if each != name])
        ]
    if not with_names and there:
        reasons.append(
            reason("ports-without-names", f"the ports of {named(key)} have no names, so none can be asked for")
        )
    shown = ", ".join(f"{each or 'no name'} ({proto})" for each, proto in dict.fromkeys(there)) or "none"
    return Hints(f"Service {named(key)} has no port {name} by {protocol}; its ports: {shown}", tuple(reasons))


def _ports(denied: Denied, kind: Kind) -> list[Port]:
    entry = denied.evidence.index.entries[owner_of(denied.place)]
    if kind == Kind.CLUSTER_IP:
        return list(entries.unpack_service(entry).ports)
    return [port for part in headless.slices_of(entry) for port in part.ports]


def no_data(denied: Denied, key: Key, kind: Kind) -> Hints:
    """The name is there, records of these types aren't."""
    asked = [reply.type for reply in denied.replies]
    families = [_FAMILIES[number] for number in _FAMILIES if types.type_text(number) in asked]
    what = "endpoints" if kind == Kind.HEADLESS or len(denied.place.labels) == 4 else "ClusterIPs"
    if families:
        return Hints(f"{named(key)} is there, its {what} are not {' nor '.join(family for _, family in families)}")
    if "SRV" in asked:
        return Hints(f"{named(key)} is there, but has no ports")
    return Hints(f"{named(key)} is there, but has no {' or '.join(asked)} records")


def of_external(denied: Denied, key: Key) -> Hints:
    service = denied.evidence.store.service(key)
    target = "" if service is None else service.external_name
    if len(denied.place.labels) > 3:
        return Hints(f"Service {named(key)} is an ExternalName, which has no names below it")
    rcodes = {reply.rcode for reply in denied.replies}
    if rcodes == {"NOERROR"}:
        return Hints(f"Service {named(key)} is an ExternalName, which has a CNAME alone")
    text = f'spec.externalName of {named(key)} is "{target}", expected the name of a host, not an address'
    return Hints(
        f'Service {named(key)} leads to "{target}", which is no host\'s name', (reason("external-name", text),)
    )
