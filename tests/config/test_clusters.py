"""Several kubernetes directives: what each has to itself, and what all have to say alike."""

import pytest

from kdns.config.clusters import SHARED, disagreements, reading_of, source_of
from kdns.config.directives.kubernetes import ClientCertificate, Kubeconfig, Kubernetes
from kdns.config.kinds import FilePath
from kdns.config.labels import parse
from kdns.config.settings import ApiEndpoint, ApiLimits, ClusterSource, ReadSettings
from kdns.config.syntax import Place
from kdns.dns.names import ROOT, from_text

PLAIN = Kubernetes(zones=(from_text("cluster.local"),))
AT, BELOW = Place("Corefile", 2, 5), Place("Corefile", 9, 5)
OTHER: dict[str, object] = {
    "endpoints": ("https://192.0.2.1",),
    "tls": ClientCertificate(FilePath("c"), FilePath("k"), FilePath("a")),
    "kubeconfig": Kubeconfig(FilePath("f")),
    "api_qps": 1.0,
    "api_burst": 2,
    "api_max_in_flight": 3,
    "labels": parse("a=b"),
    "namespace_labels": parse("a=b"),
    "endpoint_pod_names": True,
    "no_endpoints": True,
    "ignore_empty_services": True,
    "zones": (from_text("other"),),
    "namespaces": ("a",),
    "pods": "verified",
    "ttl_s": 30,
    "fallthrough": (ROOT,),
    "zonal": True,
    "multicluster": (from_text("cluster.local"),),
    "startup_timeout_s": 1.0,
}


def test_every_field_is_either_shared_or_its_own() -> None:
    assert set(OTHER) == set(Kubernetes.fields)
    assert set(SHARED) <= set(OTHER)


@pytest.mark.parametrize("field", OTHER)
def test_directives_differ_freely_but_in_what_is_shared(field: str) -> None:
    problems = disagreements([(AT, PLAIN), (BELOW, PLAIN.replaced(**{field: OTHER[field]}))])
    assert [problem.place for problem in problems] == ([BELOW] if field in SHARED else [])


def test_a_disagreement_names_the_option_and_the_other_directive() -> None:
    found = [(AT, PLAIN.replaced(labels=parse("a=b"))), (BELOW, PLAIN), (BELOW, PLAIN.replaced(labels=parse("c")))]
    assert [problem.message for problem in disagreements(found)] == [
        'kubernetes: found no option "labels", expected it as in line 2',
        'kubernetes: found another "labels", expected it as in line 2',
    ]


def test_one_directive_or_none_agrees() -> None:
    assert disagreements([]) == ()
    assert disagreements([(AT, PLAIN)]) == ()


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({}, ClusterSource()),
        ({"endpoints": ("u", "v")}, ClusterSource(endpoint=ApiEndpoint("u"))),
        ({"endpoints": ("u",), "tls": OTHER["tls"]}, ClusterSource(endpoint=ApiEndpoint("u", "c", "k", "a"))),
        ({"tls": OTHER["tls"]}, ClusterSource()),
        ({"kubeconfig": Kubeconfig(FilePath("f"), "c"), "endpoints": ("u",)}, ClusterSource("f", "c")),
        ({"kubeconfig": Kubeconfig(FilePath("f"))}, ClusterSource("f")),
        (
            {"api_qps": 2.5, "api_burst": 3, "api_max_in_flight": 4},
            ClusterSource(limits=ApiLimits(2.5, 3, 4)),
        ),
    ],
)
def test_a_kubeconfig_counts_before_an_endpoint_and_that_before_the_pods_own(
    options: dict[str, object], source: ClusterSource
) -> None:
    assert source_of(PLAIN.replaced(**options)) == source


@pytest.mark.parametrize(
    ("options", "reading"),
    [
        ({}, ReadSettings()),
        ({"pods": "verified"}, ReadSettings(pods=True)),
        ({"pods": "insecure"}, ReadSettings()),
        ({"zonal": True}, ReadSettings(topology=True)),
        ({"multicluster": (from_text("cluster.local"),)}, ReadSettings(imports=True)),
        ({"no_endpoints": True}, ReadSettings(endpoints=False)),
        ({"ignore_empty_services": True}, ReadSettings(empty_services=False)),
        ({"endpoint_pod_names": True}, ReadSettings(endpoint_pod_names=True)),
        ({"labels": parse("a")}, ReadSettings(labels=parse("a"))),
        ({"namespace_labels": parse("a")}, ReadSettings(namespace_labels=parse("a"))),
        ({"startup_timeout_s": 1.0}, ReadSettings()),
    ],
)
def test_what_is_read_is_what_the_directive_says(options: dict[str, object], reading: ReadSettings) -> None:
    assert reading_of([PLAIN.replaced(**options)]) == reading


def test_what_one_directive_needs_is_read_for_all() -> None:
    every = [PLAIN, PLAIN.replaced(pods="verified", startup_timeout_s=9.0), PLAIN.replaced(zonal=True)]
    assert reading_of(every) == ReadSettings(pods=True, topology=True)


def test_pods_are_read_for_who_tells_clients_apart_by_them() -> None:
    assert reading_of([PLAIN], clients=True) == ReadSettings(pods=True)
