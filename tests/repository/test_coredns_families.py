"""Each metric that CoreDNS 1.14 has is one of kdns', of the same type, labels and buckets, or named as missing with the reason.

The table is what CoreDNS' source says and its page shows, where they differ its page.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kdns.controller.servable import PROGRAMMING_BUCKETS
from kdns.ops import selfprobe
from kdns.ops.cells import BUCKETS as TIMES
from kdns.ops.metrics import FAMILIES
from kdns.serve.sizes import BUCKETS as SIZES
from kdns.sources.api.requests import BUCKETS as REQUESTS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
HEADING = "## What CoreDNS has and kdns doesn't"

TIME = tuple(0.25e-3 * 2**number for number in range(16))
SLIM = tuple(0.25e-3 * 10**number for number in range(5))
SIZE = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3)
PROGRAMMING = tuple(1e-3 * 2**number for number in range(20))
DEFAULT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# Name, type, labels; of histograms the buckets.
COREDNS = """
coredns_build_info gauge version revision goversion
coredns_dns_requests_total counter server zone view proto family type
coredns_dns_request_duration_seconds histogram server zone view
coredns_dns_request_size_bytes histogram server zone view proto
coredns_dns_do_requests_total counter server zone view
coredns_dns_response_size_bytes histogram server zone view proto
coredns_dns_responses_total counter server zone view rcode plugin
coredns_panics_total counter
coredns_plugin_enabled gauge server zone view name
coredns_dns_https_responses_total counter server status
coredns_dns_https3_responses_total counter server status
coredns_dns_quic_responses_total counter server status
coredns_acl_allowed_requests_total counter server view
coredns_acl_blocked_requests_total counter server zone view
coredns_acl_filtered_requests_total counter server zone view
coredns_acl_dropped_requests_total counter server zone view
coredns_autopath_success_total counter server
coredns_cache_entries gauge server type zones view
coredns_cache_requests_total counter server zones view
coredns_cache_hits_total counter server type zones view
coredns_cache_misses_total counter server zones view
coredns_cache_prefetch_total counter server zones view
coredns_cache_drops_total counter server zones view
coredns_cache_served_stale_total counter server zones view
coredns_cache_evictions_total counter server type zones view
coredns_dns64_requests_translated_total counter server
coredns_dnssec_cache_entries gauge server type
coredns_dnssec_cache_hits_total counter server
coredns_dnssec_cache_misses_total counter server
coredns_forward_healthcheck_broken_total counter
coredns_forward_max_concurrent_rejects_total counter
coredns_proxy_request_duration_seconds histogram proxy_name to rcode
coredns_proxy_healthcheck_failures_total counter proxy_name to
coredns_proxy_conn_cache_hits_total counter proxy_name to proto
coredns_proxy_conn_cache_misses_total counter proxy_name to proto
coredns_forward_requests_total counter to
coredns_forward_responses_total counter to rcode
coredns_forward_request_duration_seconds histogram to rcode
coredns_forward_healthcheck_failures_total counter to
coredns_grpc_requests_total counter to
coredns_grpc_responses_total counter rcode to
coredns_grpc_request_duration_seconds histogram to
coredns_health_request_duration_seconds histogram
coredns_health_request_failures_total counter
coredns_hosts_entries gauge hostsfile
coredns_hosts_reload_timestamp_seconds gauge
coredns_kubernetes_dns_programming_duration_seconds histogram service_kind
coredns_kubernetes_rest_client_request_duration_seconds histogram verb host
coredns_kubernetes_rest_client_rate_limiter_duration_seconds histogram verb host
coredns_kubernetes_rest_client_requests_total counter code method host
coredns_local_localhost_requests_total counter
coredns_nodecache_setup_errors_total counter errortype
coredns_nomad_success_requests_total counter server namespace
coredns_nomad_failed_requests_total counter server namespace
coredns_reload_failed_total counter
coredns_reload_version_info gauge hash value
coredns_shed_dropped_total counter server reason
coredns_template_matches_total counter server zone view class type
coredns_template_template_failures_total counter server zone view class type section template
coredns_template_rr_failures_total counter server zone view class type section template
process_cpu_seconds_total counter
process_max_fds gauge
process_network_receive_bytes_total counter
process_network_transmit_bytes_total counter
process_open_fds gauge
process_resident_memory_bytes gauge
process_start_time_seconds gauge
process_virtual_memory_bytes gauge
process_virtual_memory_max_bytes gauge
"""


class Row(NamedTuple):
    """A family of CoreDNS'."""

    name: str
    type: str
    labels: tuple[str, ...]


ROWS = [Row(name, kind, tuple(labels)) for name, kind, *labels in map(str.split, COREDNS.strip().splitlines())]


def missing() -> Iterator[tuple[str, str]]:
    """What the page names as missing, each with its reason."""
    _, _, section = PAGE.read_text().partition(f"{HEADING}\n")
    for line in section.partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            names, reason = line.strip("| ").split(" | ")
            yield from ((name, reason) for name in re.findall(r"`([^`]+)`", names))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_is_there_or_named_as_missing_with_the_reason(row: Row) -> None:
    family, reason = FAMILIES.get(row.name), dict(missing()).get(row.name)
    if family is None:
        assert reason, f"neither counted nor named under {HEADING!r}"
        return
    assert reason is None, "counted, and named as missing"
    assert family.type == row.type
    assert set(family.labels) == set(row.labels)


def test_nothing_else_is_named_as_missing() -> None:
    assert {name for name, _ in missing()} - {row.name for row in ROWS} == {"go_*"}


def test_what_has_coredns_name_is_coredns() -> None:
    assert {name for name in FAMILIES if not name.startswith("kdns_")} <= {row.name for row in ROWS}


def test_buckets_are_those_of_coredns() -> None:
    expected = (TIME, SIZE, SLIM, PROGRAMMING, DEFAULT)
    for ours, theirs in zip((TIMES, SIZES, selfprobe.BUCKETS, PROGRAMMING_BUCKETS, REQUESTS), expected, strict=True):
        assert ours == pytest.approx(theirs)
