"""metadata: what is known of a name; the values are CoreDNS'."""

import pytest

from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.view import Metadata, View
from kdns.dns.names import from_text
from kdns.steps.metadata import labels_of

LABELS = labels_of(
    (
        Metadata(zones=(from_text("local"), from_text("arpa"))),
        Kubernetes(zones=(from_text("cluster.local"), from_text("in-addr.arpa"))),
        View(name="inner"),
    )
)
WRONG = {"parse-error": "invalid query name"}
NAMES: list[tuple[str, dict[str, str]]] = [
    ("web.default.svc.cluster.local", {"service": "web", "namespace": "default", "kind": "svc", "endpoint": "", "port-name": ""}),
    ("e.web.default.svc.cluster.local", {"endpoint": "e", "service": "web"}),
    ("_http._tcp.web.default.svc.cluster.local", {"port-name": "http", "protocol": "tcp", "service": "web", "endpoint": ""}),
    ("10-0-0-1.default.pod.cluster.local", {"service": "10-0-0-1", "kind": "pod"}),
    ("default.svc.cluster.local", {"namespace": "default", "service": ""}),
    ("cluster.local", {"kind": "", "namespace": ""}),
    ("svc.cluster.local", {"kind": ""}),
    ("a.b.c.web.default.svc.cluster.local", WRONG),
    ("ns.dns.cluster.local", WRONG),
    ("1.0.0.10.in-addr.arpa", WRONG),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values"), NAMES)
def test_a_name_of_the_cluster_has_parts(name: str, values: dict[str, str]) -> None:
    assert LABELS is not None
    assert {part: LABELS.value(f"kubernetes/{part}", from_text(name)) for part in values} == values


def test_other_names_have_none_and_those_outside_of_the_zones_no_label_at_all() -> None:
    assert LABELS is not None
    assert LABELS.value("kubernetes/service", from_text("a.local")) is None
    assert LABELS.value("view/name", from_text("a.local")) == "inner"
    assert LABELS.value("view/name", from_text("a.test")) is None
    assert LABELS.value("kubernetes/parse-error", from_text("web.default.svc.cluster.local")) is None
    assert LABELS.value("none/such", from_text("a.local")) is None


def test_without_metadata_there_are_no_labels() -> None:
    assert labels_of((View(name="inner"),)) is None
