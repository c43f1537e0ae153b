"""Demand: which resources are read, how, and what is made of them, as the operator's settings have it.

One place where the settings become what sources, decoding and compiler each take. Pure.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from kdns.cluster.compiler import CompileOptions
from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import Resource
from kdns.cluster.selection import Requirement, Selector
from kdns.config.settings import ReadSettings

IS_IMPORTED: Final[Requirement] = ("multicluster.kubernetes.io/service-name", "Exists", ())


class Demand(NamedTuple):
    """What a source and a compiler are made with."""

    resources: tuple[Resource, ...]  # that are read
    required: tuple[Resource, ...]  # of which all has to be seen before anything is published
    selectors: Mapping[Resource, Selector]  # what is read of them; all where there is none
    decode: DecodeOptions
    compile: CompileOptions


def demand_of(reading: ReadSettings) -> Demand:
    """The demand of these settings. Pods are never waited for: a role may not allow them.

    ServiceImports are, so that no name is denied too early; where there are none to be had, they count as seen.
    """
    required: tuple[Resource, ...] = ("namespaces", "services")
    if reading.endpoints or reading.imports:
        required += ("endpointslices",)
    if reading.imports:
        required += ("serviceimports",)
    resources: tuple[Resource, ...] = (*required, "pods") if reading.pods else required
    # Selected by the Namespace's own labels, all others by theirs, as CoreDNS does.
    selectors: dict[Resource, Selector] = {
        each: reading.namespace_labels if each == "namespaces" else reading.labels for each in resources
    }
    if reading.imports:
        selectors["serviceimports"] = ()  # made by a controller, with no labels of the operator's
    if reading.imports and not reading.endpoints:
        selectors["endpointslices"] = (*reading.labels, IS_IMPORTED)
    return Demand(
        resources,
        required,
        {resource: selector for resource, selector in selectors.items() if selector},
        DecodeOptions(
            endpoint_pod_names=reading.endpoint_pod_names,
            zones=reading.topology,
            outside=reading.outside,
            imports=reading.imports,
        ),
        CompileOptions(
            pods_verified=reading.pods,
            listed_namespaces=bool(reading.namespace_labels),
            endpoints=reading.endpoints,
            empty_services=reading.empty_services,
        ),
    )
