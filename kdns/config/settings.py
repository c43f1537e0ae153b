"""Settings that no directive has: addresses, and where the cluster is read from; frozen, as all settings are."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from kdns.config.defaults import AUDIT_S
from kdns.config.labels import Selector


class SettingsError(Exception):
    """The operator's input is wrong; the message is one line: where, what was found, what was expected."""


class Address(NamedTuple):
    """An IP address (or, to listen on, "" for every address) and a port; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


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
    audit_s: float = AUDIT_S  # between two comparisons of what is known with what is there; 0 for none

    @property
    def of_pod(self) -> bool:
        """Whether it is that of the pod's service account."""
        return self.kubeconfig is None and self.context is None and self.endpoint is None


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What of the cluster is read, and which of it exists: for all zones alike."""

    pods: bool = False  # who has which address
    endpoints: bool = True
    empty_services: bool = True  # those with a ClusterIP are there without a ready endpoint, too
    endpoint_pod_names: bool = False  # endpoints without a hostname have the name of their pod
    topology: bool = False  # the topology zones of endpoints
    outside: bool = False  # where Services are reached from outside the cluster
    imports: bool = False  # the Services imported from other clusters
    labels: Selector = ()  # that Services, EndpointSlices and Pods have to have
    namespace_labels: Selector = ()  # that Namespaces have to have, or nothing in them exists


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """Where what was last known of the cluster is kept."""

    folder: str
    counts: bool = True  # who answers from it is ready


@dataclass(frozen=True, slots=True)
class ManifestSource:
    """YAML files and folders; "-" is standard input."""

    paths: tuple[str, ...]
