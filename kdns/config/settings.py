"""Settings: what the operator asked for, checked, complete and frozen.

Made by cli from flags (and, with a Corefile, by config's parser); read by every part that
is handed its piece. Nothing here is looked up again later.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from kdns.config.labels import Selector
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
class ApiEndpoint:
    """An API server by its URL; files in PEM, read again for each connection, "" for none."""

    url: str
    certificate: str = ""
    key: str = ""
    authorities: str = ""  # whose certificate it has to have; the system's where there is no file


class ApiLimits(NamedTuple):
    """How an API server is asked; 0 for no limit."""

    rate: float = 0.0  # requests a second
    burst: int = 0  # that may come at once at this rate; 0 for 10
    in_flight: int = 0  # requests without an answer


UNLIMITED: Final = ApiLimits()


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """An API server: from a kubeconfig, by its URL, or in a pod the service account's; the first that is given."""

    kubeconfig: str | None = None
    context: str | None = None
    endpoint: ApiEndpoint | None = None
    limits: ApiLimits = UNLIMITED


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What of the cluster is read, and which of it exists: for all zones alike."""

    pods: bool = False  # who has which address
    endpoints: bool = True
    empty_services: bool = True  # those with a ClusterIP are there without a ready endpoint, too
    endpoint_pod_names: bool = False  # endpoints without a hostname have the name of their pod
    topology: bool = False  # the topology zones of endpoints
    labels: Selector = ()  # that Services, EndpointSlices and Pods have to have
    namespace_labels: Selector = ()  # that Namespaces have to have, or nothing in them exists
    patience_s: float = 5.0  # how long the start waits for all of it


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
