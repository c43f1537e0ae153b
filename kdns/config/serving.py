"""What is served where: server blocks, the listeners that their questions come in at, and all that goes with them.

Made from flags or a Corefile, checked, complete and frozen; every part of the server is handed its piece. A listener is an address and a port of one scheme. Of its routes the longest zone that a name lies in decides, and of
several blocks for that zone the first whose view takes the question.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

from kdns.config.declarations import Settings
from kdns.config.settings import Address, ClusterSource, ManifestSource, SnapshotSettings
from kdns.dns.names import Name

Scheme: TypeAlias = Literal["dns", "tls"]
S = TypeVar("S", bound=Settings)

ALL_ADDRESSES: Final = ""


class Block(NamedTuple):
    """A server block: its zones, and its directives' settings in the order in which questions go through them."""

    zones: tuple[Name, ...]
    settings: tuple[Settings, ...]

    def each(self, kind: type[S]) -> tuple[S, ...]:
        """All settings of a directive."""
        return tuple(settings for settings in self.settings if isinstance(settings, kind))

    def first(self, kind: type[S]) -> S | None:
        """The settings of a directive, None where the block hasn't got it."""
        return next(iter(self.each(kind)), None)


class Route(NamedTuple):
    """Names of this zone go to the block of that number."""

    zone: Name
    block: int


class Listener(NamedTuple):
    """Where questions come in; host "" is every address. The longest zones come first, then the file's order."""

    address: Address
    scheme: Scheme
    routes: tuple[Route, ...]

    @property
    def label(self) -> str:
        """What metrics and logs call it, as CoreDNS does: dns://:53."""
        return f"{self.scheme}://{self.address}"


class Servers(NamedTuple):
    """All server blocks, and where they listen."""

    blocks: tuple[Block, ...]
    listeners: tuple[Listener, ...]


class Probes(NamedTuple):
    """Where people and machines look in from outside; each page may be at several addresses, or nowhere."""

    health: tuple[Address, ...] = ()
    ready: tuple[Address, ...] = ()
    metrics: tuple[Address, ...] = ()

    def pages(self) -> dict[str, Address]:
        """Each address by the page's name and its own: "health :8080"."""
        return {f"{page} {address}": address for page, each in self._asdict().items() for address in each}


@dataclass(frozen=True, slots=True)
class Serving:
    """All that a server does."""

    servers: Servers
    source: ClusterSource | ManifestSource | None  # where the cluster is read; None where no block serves it
    probes: Probes
    workers: int
    log_level: str = "info"
    # For so long the cluster's freshness may go unproven before /ready says no; 0 for ever.
    max_staleness_s: float = 0.0
    snapshot: SnapshotSettings | None = None  # None where there is no folder for it
    lameduck_s: float = 0.0  # for so long questions are answered after the signal to stop
    pidfile: str | None = None  # where the supervisor writes its process id
    quiet: bool = False  # says nothing of the start but what is wrong
    attended: bool = (
        False  # a person looks on: is told when a cluster is answered for, and ends all by closing the terminal
    )
