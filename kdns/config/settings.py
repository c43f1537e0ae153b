"""Settings: what the operator asked for, checked, complete and frozen.

Made by cli from flags (and, with a Corefile, by config's parser); read by every part that
is handed its piece. Nothing here is looked up again later.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from kdns.dns.names import Name

PodsMode: TypeAlias = Literal["disabled", "insecure", "verified"]


class SettingsError(Exception):
    """The operator's input is wrong; the message is one line: where, what was found, what was expected."""


class Address(NamedTuple):
    """An IP address (or, to listen on, "" for every address) and a port; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ZoneSettings:
    """The zone that the cluster's names are in."""

    origin: Name
    reverse: tuple[Name, ...]  # zones whose names are answered if they are of the cluster
    fallthrough: tuple[Name, ...]  # zones whose unknown names go on to the next step
    ttl: int  # seconds
    pods: PodsMode


@dataclass(frozen=True, slots=True)
class ForwardSettings:
    """Where names go that the zone doesn't own; no upstream means SERVFAIL."""

    upstreams: tuple[Address, ...]
    timeout_s: float = 2.0  # for one try
    max_concurrent: int = 1000  # questions in flight; one more fails at once


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """An API server: from a kubeconfig, or in a pod the service account's."""

    kubeconfig: str | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class ManifestSource:
    """YAML files and folders; "-" is standard input."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpsSettings:
    """Where health, readiness and metrics listen."""

    health: Address
    ready: Address
    metrics: Address


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it."""

    source: ClusterSource | ManifestSource
    listen: tuple[Address, ...]
    zone: ZoneSettings
    forward: ForwardSettings
    ops: OpsSettings
    workers: int
    log_level: str = "info"
