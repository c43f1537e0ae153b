"""The words that schema and the record families share: how the zone is set up, what is asked, what was found.

A family is a function from an entry to what the asked name has: an Answer with records,
NODATA for a name that exists without such records, None for a name that doesn't exist.
What a denial looks like, who may answer instead and what may be remembered is schema's.
Standards: RFC 2308 (the difference between no data and no name), RFC 4343 (case).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from kdns.dns import types
from kdns.dns.names import Name, fold, is_below
from kdns.dns.records import Answer, ExtendedError, Packed, RecordSet
from kdns.zone.alike import Alike
from kdns.zone.entry import Entry, Owner

NODATA: Final = Answer()
SVC: Final = b"\3svc"
POD: Final = b"\3pod"
ADDRESS_SIZES: Final = {types.A: 4, types.AAAA: 16}
ADDRESS_TYPES: Final = {4: types.A, 16: types.AAAA}


@dataclass(frozen=True, slots=True)
class Zone:
    """What the operator decided about the cluster's names."""

    origins: tuple[Name, ...]  # primary zones, folded; the first one's names are what reverse names lead to
    reverse: tuple[Name, ...]  # folded: in-addr.arpa., ip6.arpa. or narrower ones
    fallthrough: tuple[Name, ...]  # folded zones whose unknown names go on to the next step
    ttl: int  # seconds
    pods: str  # disabled, insecure or verified
    addresses: tuple[bytes, ...] = ()  # the server's own, 4 or 16 octets; link-local ones are left out here
    # The only namespaces that are there, as labels with their length octets, folded; all if there are none.
    namespaces: frozenset[bytes] = frozenset()
    zonal: bool = False  # whether the endpoints of a topology zone have names of their own
    imports: frozenset[Name] = frozenset()  # those primary zones, folded, whose Services other clusters export
    places: tuple[tuple[Name, bool], ...] = field(init=False, repr=False, compare=False)
    # Whether all names below a primary zone are the zone's own, and none of them alone falls through.
    uniform: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Leaves link-local addresses out, and orders the zones: the longest first, and whether it is a primary one."""
        places = dict.fromkeys(self.reverse, False) | dict.fromkeys(self.origins, True)
        object.__setattr__(self, "places", tuple(sorted(places.items(), key=lambda place: -len(place[0]))))
        others = {*places, *self.fallthrough}
        whole = not any(other != origin and is_below(other, origin) for other in others for origin in self.origins)
        object.__setattr__(self, "uniform", whole)
        object.__setattr__(self, "addresses", reachable(self.addresses))

    def shows(self, namespace: bytes) -> bool:
        """Whether names in the namespace, a folded label with its length octet, may exist."""
        return not self.namespaces or namespace in self.namespaces

    def is_import(self, origin: Name) -> bool:
        """Whether the Services of a primary zone, in whatever case, are imported ones."""
        return bool(self.imports) and fold(origin) in self.imports


class Asked(NamedTuple):
    """A question inside one of the zones, cut into what the families need."""

    qname: Name  # in the case it was asked: the owner name of what is found
    qtype: int
    name: Name  # folded
    labels: list[bytes]  # of name, left of the zone, each with its length octet
    origin: Name  # the zone's part of qname, in its case: names made up for the answer end in it
    ttl: int
    branch: bytes = (
        SVC  # the label between a namespace and the zone, with its length octet; nothing outside the cluster
    )

    def service(self, owner: Owner) -> Name:
        """The name of a Service in the zone asked."""
        return Name(owner + self.branch + self.origin)


class Found(NamedTuple):
    """An answer, and what it depends on."""

    answer: Answer
    owners: tuple[Owner, ...]  # whoever's change can change the answer; () for one that must not be remembered
    # An ExternalName leads to this name, which somebody else must be asked for; answer holds the CNAMEs so far.
    chase: Name | None = None
    alike: Alike | None = None  # of a denial: which other names get it, too


UNREAD: Final = ExtendedError(types.EDE_NOT_READY, "the cluster hasn't been read yet")
# What there is to say of a name until then.
NOT_READY: Final = Found(Answer(types.SERVFAIL, error=UNREAD), ())

Family: TypeAlias = Callable[[Entry, Owner, Asked], Answer | None]


def nowhere(_entry: Entry, _owner: Owner, _asked: Asked) -> Answer | None:
    """The family of names that don't exist."""
    return None


def service_name(owner: Owner, origin: Name) -> Name:
    """The name S.N.svc.Z of a Service."""
    return Name(owner + SVC + origin)


def address_set(name: Name, ttl: int, size: int, octets: bytes) -> RecordSet:
    """The A or AAAA records of a name; at least one address, size octets each, no two alike."""
    rdatas: Sequence[bytes] = (octets,) if len(octets) == size else Packed(octets, size)
    return RecordSet(name, ADDRESS_TYPES[size], ttl, rdatas)


def labels_before(name: Name, end: int) -> list[bytes] | None:
    """The labels before end, each with its length octet; None if end lies within one."""
    labels = []
    start = 0
    while start < end:
        after = start + name[start] + 1
        labels.append(name[start:after])
        start = after
    return labels if start == end else None


def reachable(addresses: Iterable[bytes]) -> tuple[bytes, ...]:
    """The addresses of 4 or 16 octets that others can reach: those that aren't link-local."""
    return tuple(each for each in addresses if not _is_link_local(each))


def _is_link_local(address: bytes) -> bool:
    """Whether the address is of 169.254.0.0/16 or fe80::/10."""
    if len(address) == 4:
        return address[:2] == b"\xa9\xfe"
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80
