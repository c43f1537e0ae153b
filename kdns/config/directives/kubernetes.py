"""kubernetes: the names of the cluster.

Defaults are CoreDNS 1.14's (plugin/kubernetes).
"""

from typing import Final, NamedTuple

from kdns.config.declarations import Directive, Law, Only, flag, option, zones
from kdns.config.defaults import PODS, TTL_S, PodsMode
from kdns.config.domains import ZONE
from kdns.config.kinds import FilePath, decimal, duration, file, of_text, seconds, text, whole, words
from kdns.config.labels import Selector, parse
from kdns.config.shapes import Kind, Shape, many, mapped, record, spread
from kdns.config.syntax import WARNING
from kdns.config.zoned import Zoned
from kdns.dns import names
from kdns.dns.names import Name, is_below

TTL_MAX_S: Final = 3600
# Less than the 5 s that clients wait for their first try, which CoreDNS takes.
STARTUP_S: Final = 3.0


class ClientCertificate(NamedTuple):
    """How the API server is spoken to."""

    certificate: FilePath
    key: FilePath
    authorities: FilePath


class Kubeconfig(NamedTuple):
    """A kubeconfig, and the context of it that is used; empty for its current one."""

    path: FilePath
    context: str = ""


def _is_namespace(name: str) -> str:
    if not name or len(name) > names.LABEL_LIMIT or not name.replace("-", "").isalnum() or not name.isascii():
        raise ValueError(name)
    return name


NAMESPACE: Final = of_text("the name of a namespace", _is_namespace, "default")
_EXPRESSION: Final[Kind[str]] = text("a label selector such as app=web", "app=web")
_SELECTOR: Final[Shape[Selector]] = mapped(_EXPRESSION, parse)
_PATH: Final = file("client.pem", rooted=False)


class Kubernetes(Zoned):
    """Which names of the cluster are served, and where it is read."""

    zones: tuple[Name, ...] = zones(
        "ZONE",
        doc="The zones that are the cluster's, reverse ones and ranges of addresses, too; the server block's by default.",
    )
    endpoints: tuple[str, ...] = option(
        "endpoint URL...",
        many(text("the URL of an API server", "https://192.0.2.1:6443")),
        default=(),
        doc="The API server, where kdns runs outside of the cluster; of several the first is used.",
    )
    tls: ClientCertificate | None = option(
        "tls CERT KEY CA",
        record(ClientCertificate, certificate=("CERT", _PATH), key=("KEY", _PATH), authorities=("CA", _PATH)),
        default=None,
        doc="The certificate and key for that API server, and whose certificate it has to have.",
    )
    kubeconfig: Kubeconfig | None = option(
        "kubeconfig FILE [CONTEXT]",
        record(
            Kubeconfig,
            path=("FILE", file("kubeconfig", rooted=False)),
            context=("CONTEXT", text("the name of a context", "admin")),
        ),
        default=None,
        doc="Where the cluster is, and how one logs in; it counts before endpoint and tls.",
    )
    api_qps: float = option(
        "apiserver_qps QPS", decimal(0), default=0.0, doc="How many requests a second are sent; 0 for any number."
    )
    api_burst: int = option(
        "apiserver_burst BURST",
        whole(0),
        default=0,
        doc="How many requests may be sent at once within that; 0 for 10.",
    )
    api_max_in_flight: int = option(
        "apiserver_max_inflight MAX",
        whole(0),
        default=0,
        doc="How many requests may wait for their answer; 0 for any number.",
    )
    namespaces: tuple[str, ...] = option(
        "namespaces NAMESPACE...",
        many(NAMESPACE),
        default=(),
        repeat="each",
        doc="Only names in these namespaces are there; all by default.",
    )
    namespace_labels: Selector = option(
        "namespace_labels EXPRESSION...",
        _SELECTOR,
        default=(),
        doc="Only names in namespaces with these labels are there.",
    )
    labels: Selector = option(
        "labels EXPRESSION...",
        _SELECTOR,
        default=(),
        doc="Only Services, EndpointSlices and Pods with these labels are there.",
    )
    pods: PodsMode = option(
        "pods MODE",
        words(PODS),
        default="disabled",
        doc="Whether a-b-c-d.NAMESPACE.pod has the address a.b.c.d: never, always, or if there is such a pod.",
    )
    endpoint_pod_names: bool = flag(
        "endpoint_pod_names", doc="Endpoints without a hostname have the name of their pod, not of their address."
    )
    ttl_s: int = option("ttl TTL", seconds(0, TTL_MAX_S), default=TTL_S, doc="The TTL of all records.")
    no_endpoints: bool = flag("noendpoints", doc="Endpoints aren't read: headless Services have no names.")
    fallthrough: tuple[Name, ...] = option(
        "fallthrough [ZONE...]",
        spread(ZONE),
        default=(),
        bare=(names.ROOT,),
        doc="Names of these zones, or of all, that aren't there are asked of the directives behind.",
    )
    ignore_empty_services: bool = flag("ignore empty_service", doc="A Service without a ready endpoint has no name.")
    zonal: bool = flag(
        "zonal", doc="Headless Services also have names for a topology zone's endpoints, as ZONE.pin._zone.S.N.svc."
    )
    multicluster: tuple[Name, ...] = option(
        "multicluster [ZONE...]",
        spread(ZONE),
        default=(),
        doc=(
            "Those of the zones, with zones in them, whose Services are those of ServiceImports, from other clusters; none"
            " where none is named."
        ),
    )
    startup_timeout_s: float = option(
        "startup_timeout DURATION",
        duration(),
        default=STARTUP_S,
        doc="How long questions wait for the cluster to be read when the server starts.",
    )

    @property
    def home(self) -> Name:
        """The zone that reverse names lead to: the first that has this cluster's own Services, or the first of all."""
        return next((zone for zone in self.origins if zone not in self.imports), self.origins[0])

    @property
    def imports(self) -> tuple[Name, ...]:
        """The zones whose Services are imported ones."""
        return tuple(zone for zone in self.origins if any(is_below(zone, other) for other in self.multicluster))


DIRECTIVE: Final = Directive(
    Kubernetes,
    "kubernetes [ZONE...]",
    doc="Answers the names of the cluster's Services, endpoints and pods.",
    repeat="once",
    gone={
        "upstream": "leave it out: names outside the cluster are resolved by the server block itself",
        "resyncperiod": "leave it out: changes are watched",
        "federation": "write rewrite rules",
        "transfer": "write the directive transfer",
        "cidrs": "write the ranges as zones behind kubernetes",
        "interval": "leave it out: changes are watched",
    },
    differs=(
        (
            "Several directives read one cluster once, so the API server and its limits, labels, namespace_labels,"
            " endpoint_pod_names, noendpoints and ignore have to be alike in all of them; all else is each one's own."
        ),
        Only(
            "namespaces namespace_labels",
            "namespaces and namespace_labels hold for reverse names and name servers, too; CoreDNS leaves namespace_labels"
            " out of reverse names, and both out of NS.",
        ),
        Only("namespace_labels", "With namespace_labels nothing of a namespace is there before the Namespace itself."),
        Only("ignore", "A Service that ignore empty_service leaves out has no reverse name either."),
        Only(
            "zonal",
            "Names of zonal don't exist where the Service has no ready endpoint, as the Service's own doesn't;"
            " _zone.S.N and pin._zone.S.N, above them, do. Additional addresses aren't narrowed to the zone.",
        ),
        Only(
            "multicluster",
            "Where ServiceImports aren't installed or not allowed, multicluster has no Services, and all else is served;"
            " for CoreDNS the cluster is then never read, so that names that aren't there get SERVFAIL.",
        ),
        Only(
            "multicluster",
            "In multicluster zones, too, namespace_labels means the labels of Namespaces; CoreDNS looks for them at"
            " ServiceImports. CLUSTER.S.N, above endpoints' names, has no data, not NXDOMAIN. Copies of the zone have endpoints'"
            " names as they are asked for; CoreDNS leaves the cluster out of them.",
        ),
        Only(
            "multicluster",
            "The name server of a multicluster zone is ns.dns in it, and reverse names lead to the first zone that isn't one;"
            " CoreDNS names Services of its own cluster there, which don't exist.",
        ),
        "Without apiserver_qps requests aren't slowed down; CoreDNS sends 5 a second.",
        (
            "Without startup_timeout the start waits 3 s, not 5, after which clients would have given up. Questions that come"
            " meanwhile wait and are answered then; CoreDNS opens its port only afterwards."
        ),
        Only(
            "verified",
            "Every address of a pod counts in the mode verified, in every spelling; CoreDNS knows the first as it is written.",
        ),
    ),
    laws=(
        Law(
            lambda kubernetes: not kubernetes.zones or bool(kubernetes.origins),
            "found reverse zones alone, expected a zone such as cluster.local",
        ),
        Law(
            lambda kubernetes: not (kubernetes.namespaces and kubernetes.namespace_labels),
            "found namespaces and namespace_labels, expected one of them",
            "namespace_labels",
        ),
        Law(
            lambda kubernetes: not (kubernetes.zonal and kubernetes.no_endpoints),
            "found zonal and noendpoints, expected one of them",
            "zonal",
        ),
        Law(
            lambda kubernetes: not kubernetes.zones or {*kubernetes.multicluster} <= {*kubernetes.origins},
            "found a zone behind multicluster that isn't among the directive's, expected one of those that aren't reverse",
            "multicluster",
        ),
        Law(
            lambda kubernetes: not kubernetes.api_burst or bool(kubernetes.api_qps),
            "found apiserver_burst without apiserver_qps: it has no effect",
            "apiserver_burst",
            WARNING,
        ),
        Law(
            lambda kubernetes: (
                kubernetes.tls is None or bool(kubernetes.endpoints) or kubernetes.kubeconfig is not None
            ),
            "found tls without endpoint: it has no effect",
            "tls",
            WARNING,
        ),
        Law(
            lambda kubernetes: kubernetes.kubeconfig is None or not (kubernetes.endpoints or kubernetes.tls),
            "found endpoint or tls beside kubeconfig, which counts",
            "kubeconfig",
            WARNING,
        ),
        Law(
            lambda kubernetes: len(kubernetes.endpoints) <= 1,
            "found several endpoints: the first is used",
            "endpoint",
            WARNING,
        ),
    ),
)
