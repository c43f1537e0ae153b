"""The schema: what a name denotes, and so which family answers it and whose change could change the answer.

Reading order: answer, one step of it, what lies below a primary zone, what lies below a
reverse one. The decisions are tables: the label next to the zone, the number of labels, the
kind of the entry. Denials, names that fall through and the time before the first image are
decided here and nowhere else. Knows no record data.
Standards: the Kubernetes DNS specification 1.1.0, RFC 2308, RFC 8020, RFC 4343.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from kdns.dns import types
from kdns.dns.names import Name, fold, is_below
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.zone import apex, external, headless, imports, pods, reverse, services, zonal
from kdns.zone.alike import Alike, Elsewhere, Familyless, Unowned
from kdns.zone.entry import APEX, STATIC, Kind, Owner, address_owner, import_owner_of, namespace_owner_of
from kdns.zone.index import Index
from kdns.zone.terms import (
    ADDRESS_SIZES,
    NODATA,
    NOT_READY,
    POD,
    SVC,
    Asked,
    Family,
    Found,
    Zone,
    labels_before,
    nowhere,
)

__all__ = ["Found", "Zone", "answer"]

_Denoted: TypeAlias = tuple[Answer | None, Owner]

_NOTHING: Final[_Denoted] = (None, STATIC)
_BETWEEN: Final[_Denoted] = (NODATA, STATIC)  # a name that only stands above others (RFC 8020)


def answer(index: Index, zone: Zone, query: Query) -> Found | None:
    """The answer to a query of class IN, with all owners that it depends on.

    None for a name that isn't the zone's, or that doesn't exist and falls through: the next
    step may answer. With chase, that name has to be asked for and its answer added.
    """
    found = _step(index, zone, query.qname, query.name, query.qtype)
    if found is None or found.chase is None:
        return found
    if not found.answer.answers:
        return None
    return external.follow(found, lambda target: _step(index, zone, target, fold(target), query.qtype))


def _step(index: Index, zone: Zone, qname: Name, name: Name, qtype: int) -> Found | None:
    """What one name has, None outside the zone.

    With chase, the target of an ExternalName; or the name itself, without records, where it falls through.
    """
    for origin, is_primary in zone.places:
        if name.endswith(origin):
            labels = labels_before(name, len(name) - len(origin))
            if labels is not None:
                asked = Asked(qname, qtype, name, labels, Name(qname[len(qname) - len(origin) :]), zone.ttl)
                if not index.synced:
                    return _before_sync(zone, origin, is_primary, asked)
                return _in_zone(index, zone, is_primary, asked)
    return None


def _in_zone(index: Index, zone: Zone, is_primary: bool, asked: Asked) -> Found:
    """What one name of a zone has, as in _step; a denial where it has nothing."""
    found, owner = (_primary if is_primary else _reverse)(index, zone, asked)
    if found is None:
        if _falls_through(zone, asked.name):
            return Found(NODATA, (owner,), asked.qname)
        rcode = types.NXDOMAIN
    elif found.answers:
        first = found.answers[0]
        leads_on = first.rtype == types.CNAME != asked.qtype
        return Found(found, (owner,), Name(first.rdatas[0]) if leads_on else None)
    else:
        rcode = types.NOERROR
    primary = asked.origin if is_primary else zone.origins[0]
    alike = _alike(index, zone, asked, owner, rcode) if is_primary else None
    return Found(apex.denial(rcode, asked.origin, primary, index.serial, zone.ttl), (owner,), None, alike)


def _alike(index: Index, zone: Zone, asked: Asked, owner: Owner, rcode: int) -> Alike | None:
    """Which names below the zone are denied as this one is, as far as that is quick to tell."""
    labels = asked.labels
    if not labels or not zone.uniform:
        return None
    if labels[-1] not in _SIGNIFICANT:
        return Elsewhere(asked.origin, _SIGNIFICANT)
    if labels[-1] != SVC or len(labels) < 3 or zone.is_import(asked.origin):
        return None
    entry = index.entries.get(owner)
    if entry is None:
        return Unowned(Name(SVC + asked.origin), index)
    if zone.namespaces:
        return None  # of a name alike one would have to see whether its namespace is shown
    size = ADDRESS_SIZES.get(asked.qtype)
    if rcode == types.NOERROR and size is not None and len(labels) == 3 and entry[0] == Kind.CLUSTER_IP:
        return Familyless(Name(SVC + asked.origin), index, size)
    return None


def _falls_through(zone: Zone, name: Name) -> bool:
    return any(is_below(name, through) for through in zone.fallthrough)


def _before_sync(zone: Zone, origin: Name, is_primary: bool, asked: Asked) -> Found:
    """Nothing is known of the cluster: nothing that may be its own is denied or left to others."""
    own = is_primary or not asked.labels or reverse.may_be_ours(origin, reverse.address_of(asked))
    if own or not _falls_through(zone, asked.name):
        return NOT_READY
    return Found(NODATA, (), asked.qname)


# Below a primary zone


def _primary(index: Index, zone: Zone, asked: Asked) -> _Denoted:
    if not asked.labels:
        return apex.at_apex(index, zone, asked, asked.origin), APEX
    branch = _BRANCHES.get(asked.labels[-1])
    return _NOTHING if branch is None else branch(index, zone, asked)


def _svc(index: Index, zone: Zone, asked: Asked) -> _Denoted:
    labels = asked.labels
    depth = len(labels)
    if depth < 3:
        return _BETWEEN if depth == 1 else _namespace(index, zone, labels[0])
    if zone.namespaces and labels[-2] not in zone.namespaces:
        return _NOTHING
    if zone.is_import(asked.origin):
        return _import(index, Owner(labels[-3] + labels[-2]), asked)
    owner = Owner(labels[-3] + labels[-2])
    entry = index.entries.get(owner)
    if entry is None:
        return None, owner
    if zone.zonal and depth > 3 and labels[-4] == zonal.ANCHOR:
        return zonal.at_zone(entry, owner, asked), owner
    if depth > 5:
        return None, owner
    return _FAMILIES[entry[0]][depth - 3](entry, owner, asked), owner


def _import(index: Index, labels: Owner, asked: Asked) -> _Denoted:
    """A name at or below an imported Service; labels are its own and its namespace's."""
    owner = import_owner_of(labels)
    entry = index.entries.get(owner)
    if entry is None or len(asked.labels) > 5:
        return None, owner
    return _IMPORTED[len(asked.labels) - 3](entry, labels, asked), owner


def _pod(index: Index, zone: Zone, asked: Asked) -> _Denoted:
    depth = len(asked.labels)
    if depth == 1:
        return _BETWEEN
    if zone.pods == pods.DISABLED or depth > 3:
        return _NOTHING
    if depth == 2:
        return _namespace(index, zone, asked.labels[0])
    return pods.at_pod(index.entries, zone.pods, asked) if zone.shows(asked.labels[-2]) else _NOTHING


def _namespace(index: Index, zone: Zone, label: bytes) -> _Denoted:
    if not zone.shows(label):
        return _NOTHING
    owner = namespace_owner_of(label)
    return NODATA if owner in index.entries else None, owner


def _dns(index: Index, zone: Zone, asked: Asked) -> _Denoted:
    if len(asked.labels) == 1:
        return _BETWEEN
    if asked.labels[:-1] == [b"\2ns"]:
        return apex.at_server(index, zone, asked), APEX
    return _NOTHING


def _version(_index: Index, _zone: Zone, asked: Asked) -> _Denoted:
    return (apex.at_version(asked), STATIC) if len(asked.labels) == 1 else _NOTHING


_BRANCHES: Final[dict[bytes, Callable[[Index, Zone, Asked], _Denoted]]] = {
    SVC: _svc,
    POD: _pod,
    b"\3dns": _dns,
    b"\x0bdns-version": _version,
}

# Labels next to the zone that mean something, and the one that the SOA's mailbox begins with: behind it the denial is
# shorter.
_SIGNIFICANT: Final = frozenset((*_BRANCHES, apex.HOSTMASTER))

# By the number of labels left of the Service's: S.N.svc, X.S.N.svc, Y.X.S.N.svc
_FAMILIES: Final[dict[int, tuple[Family, Family, Family]]] = {
    Kind.CLUSTER_IP: (services.at_service, services.at_endpoint, services.at_port),
    Kind.HEADLESS: (headless.at_service, headless.at_endpoint, headless.at_port),
    Kind.EXTERNAL_NAME: (external.at_service, nowhere, nowhere),
    Kind.SLICES_ONLY: (nowhere, nowhere, nowhere),
}
_IMPORTED: Final[tuple[Family, Family, Family]] = (imports.at_service, imports.at_below, imports.at_two)


# Below a reverse zone


def _reverse(index: Index, zone: Zone, asked: Asked) -> _Denoted:
    if not asked.labels:
        return apex.at_apex(index, zone, asked, zone.origins[0]), APEX
    address = reverse.address_of(asked)
    if address is None:
        return _NOTHING
    return reverse.at_address(index, zone, address, asked), address_owner(address)
