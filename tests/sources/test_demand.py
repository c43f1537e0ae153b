"""What is read, and how, by the settings."""

from dataclasses import replace

import pytest

from kdns.cluster.compiler import REQUIRED, CompileOptions
from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import Resource
from kdns.config.labels import parse
from kdns.config.settings import ReadSettings
from kdns.sources.demand import IS_IMPORTED, Demand, demand_of

PLAIN = Demand(REQUIRED, REQUIRED, {}, DecodeOptions(), CompileOptions())
IMPORTS: tuple[Resource, ...] = (*REQUIRED, "serviceimports")
WEB, OPEN = parse("app=web"), parse("open")


@pytest.mark.parametrize(
    ("reading", "demand"),
    [
        (ReadSettings(), PLAIN),
        (
            ReadSettings(pods=True),
            PLAIN._replace(resources=(*REQUIRED, "pods"), compile=CompileOptions(pods_verified=True)),
        ),
        (
            ReadSettings(endpoints=False),
            PLAIN._replace(
                resources=("namespaces", "services"),
                required=("namespaces", "services"),
                compile=CompileOptions(endpoints=False),
            ),
        ),
        (ReadSettings(empty_services=False), PLAIN._replace(compile=CompileOptions(empty_services=False))),
        (ReadSettings(endpoint_pod_names=True), PLAIN._replace(decode=DecodeOptions(endpoint_pod_names=True))),
        (ReadSettings(topology=True), PLAIN._replace(decode=DecodeOptions(zones=True))),
        (
            ReadSettings(imports=True),
            PLAIN._replace(resources=IMPORTS, required=IMPORTS, decode=DecodeOptions(imports=True)),
        ),
        (
            ReadSettings(imports=True, endpoints=False, labels=WEB),
            Demand(
                IMPORTS,
                IMPORTS,
                {"services": WEB, "endpointslices": (*WEB, IS_IMPORTED)},
                DecodeOptions(imports=True),
                CompileOptions(endpoints=False),
            ),
        ),
        (ReadSettings(labels=WEB), PLAIN._replace(selectors={"services": WEB, "endpointslices": WEB})),
        (
            ReadSettings(namespace_labels=OPEN),
            PLAIN._replace(selectors={"namespaces": OPEN}, compile=CompileOptions(listed_namespaces=True)),
        ),
    ],
)
def test_each_setting_changes_what_is_its_own(reading: ReadSettings, demand: Demand) -> None:
    assert demand_of(reading) == demand


def test_pods_are_selected_as_services_are() -> None:
    demand = demand_of(replace(ReadSettings(labels=WEB), pods=True))
    assert demand.selectors["pods"] == WEB
    assert "pods" not in demand.required
