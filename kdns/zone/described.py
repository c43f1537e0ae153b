"""A zone as an operator describes it: the fields of a kubernetes directive as what the schema reads.

The one place where labels and origins of settings become those of a Zone, so that all who answer or explain by a
directive see the same zone. Knows no directive; whatever has the fields will do.
"""

from typing import Protocol

from kdns.dns.names import Name
from kdns.zone.terms import Zone


class Description(Protocol):
    """What of a kubernetes directive its zone is made of."""

    @property
    def origins(self) -> tuple[Name, ...]: ...
    @property
    def reverse(self) -> tuple[Name, ...]: ...
    @property
    def fallthrough(self) -> tuple[Name, ...]: ...
    @property
    def ttl_s(self) -> int: ...
    @property
    def pods(self) -> str: ...
    @property
    def namespaces(self) -> tuple[str, ...]: ...
    @property
    def zonal(self) -> bool: ...
    @property
    def home(self) -> Name: ...
    @property
    def imports(self) -> tuple[Name, ...]: ...


def zone_of(settings: Description, addresses: tuple[bytes, ...]) -> Zone:
    """The zone that a directive describes; addresses are the server's own, 4 or 16 octets, for NS and ns.dns."""
    return Zone(
        origins=tuple(dict.fromkeys((settings.home, *settings.origins))),
        reverse=settings.reverse,
        fallthrough=settings.fallthrough,
        ttl=settings.ttl_s,
        pods=settings.pods,
        addresses=addresses,
        namespaces=frozenset(map(label, settings.namespaces)),
        zonal=settings.zonal,
        imports=frozenset(settings.imports),
    )


def label(text: str) -> bytes:
    """A label as zones have it: with its length octet, folded."""
    return bytes((len(text),)) + text.lower().encode("ascii")
