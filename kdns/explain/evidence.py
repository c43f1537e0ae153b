"""What an explanation rests on: the index that answers, the store it was made of, and what else could be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from kdns.cluster.objects import Key
from kdns.cluster.store import Store
from kdns.config.settings import ReadSettings
from kdns.dns import names, types
from kdns.dns.names import Name, is_below
from kdns.explain.details import Details
from kdns.explain.explanation import Freshness
from kdns.zone import reverse
from kdns.zone.entry import Owner
from kdns.zone.index import Index
from kdns.zone.terms import Asked, Zone, labels_before


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one moment."""

    source: str  # in words
    zones: tuple[Zone, ...]
    index: Index
    store: Store
    freshness: Freshness
    reading: ReadSettings
    details: Mapping[Key, Details] = field(default_factory=dict)  # of Services, beyond what DNS needs
    notes: tuple[str, ...] = ()  # what isn't taken into account
    places: Mapping[tuple[str, Key], str] = field(default_factory=dict)  # FILE:LINE of manifests, by kind and key

    def zone_of(self, name: Name) -> Zone | None:
        """The zone that a folded name lies in: of several the one with the longest origin."""
        found = [(len(origin), zone) for zone in self.zones for origin, _ in zone.places if is_below(name, origin)]
        return max(found, key=lambda each: each[0])[1] if found else None


class Below(NamedTuple):
    """Where in a zone a name lies."""

    name: Name  # folded
    zone: Zone
    origin: str  # presentation form, without final dot
    is_primary: bool
    labels: tuple[str, ...]  # left of the origin

    @property
    def is_import(self) -> bool:
        """Whether the Services there are those that other clusters export."""
        return self.is_primary and self.zone.is_import(names.from_text(self.origin))


def below(zone: Zone, name: Name) -> Below:
    """The place of a folded name in the zone, which it is in."""
    for origin, is_primary in zone.places:
        if is_below(name, origin):
            labels = labels_before(name, len(name) - len(origin)) or []
            texts = tuple(names.label_text(label[1:]) for label in labels)
            return Below(name, zone, text(origin), is_primary, texts)
    raise ValueError("the name isn't in the zone")


def reverse_address(name: Name) -> bytes | None:
    """The address whose whole reverse name a folded name is; None for any other."""
    return reverse.address_of(Asked(name, types.PTR, name, [], names.ROOT, 0))


def key_of(owner: Owner) -> Key:
    """The Service whose owner it is."""
    name = owner[1 : 1 + owner[0]]
    return Key(owner[2 + owner[0] :].decode("ascii", "replace"), name.decode("ascii", "replace"))


def text(name: bytes) -> str:
    """A name without its final dot."""
    return names.to_text(name).removesuffix(".")


def address_text(address: bytes) -> str:
    """An address of 4 or 16 octets."""
    return str(ip_address(address))
