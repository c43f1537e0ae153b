"""What upstreams have counted, as series of the metrics table: CoreDNS' names of today and of before 1.12, and our own.

Dashboards and alerts in use ask for either. Nothing is counted twice: the old are the new under other names.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from kdns.dns import types
from kdns.ops.cells import Cells
from kdns.steps.around import Samples
from kdns.steps.upstream import Upstream

_PROXY: Final = "forward"  # the value of proxy_name


def samples(upstreams: Iterable[Upstream], rejected: int, broken: int) -> Samples:
    """The series of some upstreams, and of the step that asks them."""
    total: Counter[tuple[str, tuple[str, ...]]] = Counter()  # adds up what two names of one server have counted
    total["coredns_forward_max_concurrent_rejects_total", ()] = rejected
    total["coredns_forward_healthcheck_broken_total", ()] = broken
    for upstream in upstreams:
        _count(upstream, total)
        for rcode, cells in upstream.durations.by_rcode().items():
            _count_durations(str(upstream.address), types.rcode_text(rcode), cells, total)
    return total


def _count(upstream: Upstream, total: Counter[tuple[str, tuple[str, ...]]]) -> None:
    to, seen = str(upstream.address), upstream.counts
    total["coredns_proxy_healthcheck_failures_total", (_PROXY, to)] += seen.probes_failed
    total["coredns_forward_healthcheck_failures_total", (to,)] += seen.probes_failed
    for proto, asked, opened in (("udp", seen.asked, seen.ports), (upstream.proto, seen.streamed, seen.lines)):
        if asked:
            total["coredns_proxy_conn_cache_hits_total", (_PROXY, to, proto)] += max(asked - opened, 0)
            total["coredns_proxy_conn_cache_misses_total", (_PROXY, to, proto)] += opened
    total["coredns_forward_requests_total", (to,)] += seen.asked + seen.streamed
    total["kdns_forward_tries_total", (to,)] += seen.asked + seen.streamed
    total["kdns_forward_ignored_total", (to,)] += seen.ignored
    total["kdns_forward_failures_total", (to, "timeout")] += seen.timed_out
    total["kdns_forward_failures_total", (to, "network")] += seen.failed


def _count_durations(to: str, rcode: str, cells: Cells, total: Counter[tuple[str, tuple[str, ...]]]) -> None:
    total["coredns_forward_responses_total", (to, rcode)] += cells.count
    for name, labels in (
        ("coredns_proxy_request_duration_seconds", (_PROXY, to, rcode)),
        ("coredns_forward_request_duration_seconds", (to, rcode)),
    ):
        for series, value in cells.series(name, labels):
            total[series] += value  # type: ignore[assignment] # some are seconds; a Counter adds any numbers
