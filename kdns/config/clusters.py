"""Clusters: what all kubernetes directives of a Corefile want of the one cluster that is read for them.

Which names a zone shows is each directive's own: its zones, namespaces, ttl, pods, fallthrough, zonal, multicluster. What exists at all,
and where the cluster is, all of them have to say alike, since it is read once.
"""

from collections.abc import Sequence
from typing import Final

from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.settings import ApiEndpoint, ApiLimits, ClusterSource, ReadSettings
from kdns.config.syntax import Place, Problem

# The fields that all have to have alike.
SHARED: Final = (
    *("endpoints", "tls", "kubeconfig", "api_qps", "api_burst", "api_max_in_flight"),
    *("labels", "namespace_labels", "endpoint_pod_names", "no_endpoints", "ignore_empty_services"),
)


def disagreements(found: Sequence[tuple[Place, Kubernetes]]) -> tuple[Problem, ...]:
    """An error for each option that differs from the first directive's and mustn't; found are all of the file's."""
    return tuple(
        Problem(place, _message(field, getattr(kubernetes, field), found[0][0]), _HINT)
        for place, kubernetes in found[1:]
        for field in SHARED
        if getattr(kubernetes, field) != getattr(found[0][1], field)
    )


_HINT: Final = "one cluster is read for all of them: write these options alike in each, or serve with another kdns"


def _message(field: str, value: object, first: Place) -> str:
    declared = Kubernetes.fields[field]
    assert declared.option is not None
    name = declared.option.name
    what = f'no option "{name}"' if value == declared.default else f'another "{name}"'
    return f"kubernetes: found {what}, expected it as in line {first.line}"


def source_of(kubernetes: Kubernetes) -> ClusterSource:
    """Where the cluster is, and how it is asked; any of the directives will do, since they agree."""
    limits = ApiLimits(kubernetes.api_qps, kubernetes.api_burst, kubernetes.api_max_in_flight)
    if kubernetes.kubeconfig is not None:
        return ClusterSource(kubernetes.kubeconfig.path, kubernetes.kubeconfig.context or None, limits=limits)
    if not kubernetes.endpoints:
        return ClusterSource(limits=limits)
    return ClusterSource(endpoint=ApiEndpoint(kubernetes.endpoints[0], *(kubernetes.tls or ())), limits=limits)


def reading_of(every: Sequence[Kubernetes], *, outside: bool = False, clients: bool = False) -> ReadSettings:
    """What is read for all directives of a file, at least one, and which of it exists.

    outside says that k8s_external is among the others, clients that a directive tells clients apart by their pods.
    """
    first = every[0]
    return ReadSettings(
        pods=clients or any(each.pods == "verified" for each in every),
        endpoints=not first.no_endpoints,
        empty_services=not first.ignore_empty_services,
        endpoint_pod_names=first.endpoint_pod_names,
        topology=any(each.zonal for each in every),
        outside=outside,
        imports=any(each.multicluster for each in every),
        labels=first.labels,
        namespace_labels=first.namespace_labels,
    )
