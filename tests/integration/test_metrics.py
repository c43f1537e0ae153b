"""The page of metrics of a whole server with traffic of every kind: CoreDNS' families are on it, and Prometheus' own tool reads it.

The cluster is YAML, so this needs no lab.
"""

import re
import socket
from collections.abc import Iterator

import dns.message
import dns.query
import pytest

from kdns.ops.metrics import FAMILIES
from tests.integration.upstream import Upstream
from tests.kit import kit
from tests.repository.test_coredns_families import ROWS, SIZE, SLIM, TIME
from tests.server import Server, until

WEB = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.5, ports: [{name: http, port: 80}]}
"""
COREFILE = """\
.:0 {{
    bind 127.0.0.1
    errors
    health 127.0.0.1:0
    ready 127.0.0.1:0
    prometheus 127.0.0.1:0
    acl {{
        block type MX
        filter type TXT
        drop type SPF
    }}
    local
    hosts {folder}/hosts {{
        fallthrough
    }}
    template IN A made.example {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.7"
        fallthrough
    }}
    template IN A broken.example {{
        answer "{{{{ .Name }}}} 60 IN A nonsense"
    }}
    dns64 {{
        allow_ipv4
    }}
    kubernetes cluster.local
    autopath {folder}/resolv.conf
    cache 30
    forward . {upstream}
    reload 2s
}}
"""
# Families of ours that need what this server hasn't: an API server, and its events; or a template that can't be filled.
ABSENT = {
    "coredns_kubernetes_dns_programming_duration_seconds",
    "coredns_kubernetes_rest_client_requests_total",
    "coredns_kubernetes_rest_client_request_duration_seconds",
    "coredns_kubernetes_rest_client_rate_limiter_duration_seconds",
    "coredns_template_template_failures_total",
}
WHERE = 'zone=".",view=""'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers, which have been asked."""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "web.yaml").write_text(WEB)
    (folder / "hosts").write_text("192.0.2.9 host.example\n")
    (folder / "resolv.conf").write_text("search shop.svc.cluster.local svc.cluster.local\n")
    with Upstream({("www.example.com.", "A"): ("192.0.2.1",)}) as upstream:
        (folder / "Corefile").write_text(COREFILE.format(folder=folder, upstream=upstream.address))
        flags = ("-conf", str(folder / "Corefile"), "--manifests", str(folder / "web.yaml"), "--workers", "2")
        with Server(*flags, folder=folder, workers=2, plain=True) as started:
            ask(started)
            yield started


def ask(server: Server) -> None:
    """Everything a few times, so that some is remembered, by UDP and TCP; then a change."""
    host, port = server.addresses[0]
    for name, rtype in (
        ("web.shop.svc.cluster.local", "A"),
        ("gone.shop.svc.cluster.local", "A"),
        ("www.example.com", "A"),
        ("none.example.com", "AAAA"),
        ("www.example.com", "MX"),
        ("www.example.com", "TXT"),
        ("host.example", "A"),
        ("a.made.example", "A"),
        ("a.broken.example", "A"),
        ("a.localhost.example", "A"),
        ("www.example.com", "AAAA"),
        ("www.example.com.shop.svc.cluster.local", "A"),
    ):
        query = dns.message.make_query(name, rtype, want_dnssec=rtype == "A")
        for _ in range(4):
            dns.query.udp(query, host, 5.0, port)
            dns.query.tcp(query, host, 5.0, port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(dns.message.make_query("www.example.com", "SPF").to_wire(), (host, port))
    until(lambda: any(each.startswith("coredns_acl_dropped_requests_total") for each in server.metrics()))


def labels_of(page: str) -> dict[str, set[frozenset[str]]]:
    """The sets of label names that each series has on the page."""
    found: dict[str, set[frozenset[str]]] = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            name = re.split(r"[{ ]", line, maxsplit=1)[0]
            found.setdefault(name, set()).add(frozenset(re.findall(r'[{,](\w+)="', line)))
    return found


def test_prometheus_own_tool_finds_nothing_wrong_with_the_page(server: Server) -> None:
    kit.run(kit.tool("promtool"), "check", "metrics", given=server.page("metrics", "/metrics")[1])


def test_families_are_on_the_page_with_coredns_type_and_labels(server: Server) -> None:
    page = server.page("metrics", "/metrics")[1]
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE))
    found = labels_of(page)
    for row in ROWS:
        if row.name in FAMILIES and row.name not in ABSENT:
            assert types.get(row.name) == row.type, row.name
            series, more = (f"{row.name}_bucket", {"le"}) if row.type == "histogram" else (row.name, set())
            assert found[series] == {frozenset(row.labels) | more}, row.name


@pytest.mark.parametrize(
    ("family", "buckets"),
    [
        ("coredns_dns_request_duration_seconds", TIME),
        ("coredns_dns_request_size_bytes", SIZE),
        ("coredns_dns_response_size_bytes", SIZE),
        ("coredns_proxy_request_duration_seconds", TIME),
        ("coredns_forward_request_duration_seconds", TIME),
        ("coredns_health_request_duration_seconds", SLIM),
        ("kdns_change_to_servable_seconds", (*TIME, *(TIME[-1] * 2**number for number in range(1, 5)))),
    ],
)
def test_buckets_on_the_page_are_coredns(server: Server, family: str, buckets: tuple[float, ...]) -> None:
    page = server.page("metrics", "/metrics")[1]
    bounds = list(dict.fromkeys(re.findall(rf'^{family}_bucket\{{.*?le="([^"]+)"\}}', page, re.MULTILINE)))
    assert bounds[-1] == "+Inf"
    assert [float(bound) for bound in bounds[:-1]] == pytest.approx(buckets)


def test_every_question_is_in_every_histogram(server: Server) -> None:
    page = server.metrics()
    asked = sum(value for series, value in page.items() if series.startswith("coredns_dns_requests_total{"))
    assert asked >= 80
    for family in ("request_duration_seconds", "request_size_bytes", "response_size_bytes"):
        told = sum(value for series, value in page.items() if series.startswith(f"coredns_dns_{family}_count{{"))
        assert told == asked, family


def test_a_change_of_a_file_is_timed(server: Server) -> None:
    before = server.metric("kdns_change_to_servable_seconds_count")
    file = server.log.parent / "web.yaml"
    file.write_text(WEB.replace("10.96.0.5", "10.96.0.6"))
    until(lambda: server.metric("kdns_change_to_servable_seconds_count") == before + 1)
    server.comes_to("web.shop.svc.cluster.local", "A", {"10.96.0.6"})


def test_kdns_asks_itself_how_it_is(server: Server) -> None:
    until(lambda: server.metric("coredns_health_request_duration_seconds_count") >= 2)
    assert server.metric("coredns_health_request_failures_total") == 0
