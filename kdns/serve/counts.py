"""What a worker has counted, as series of the metrics table.

The hot path adds to cells; here, when the controller asks, cells become named series.
"""

from collections import Counter
from collections.abc import Iterable

from kdns.dns import types
from kdns.ops.metrics import OTHER, Counts
from kdns.serve import udp
from kdns.serve.responder import Responder
from kdns.serve.stream import StreamServer
from kdns.steps.forward import Forward

_ZONE = "."  # the best fitting key of the server block, as CoreDNS counts
_VIEW = ""


def counts(
    responders: Iterable[Responder], doors: Iterable[udp.Door], streams: Iterable[StreamServer], forward: Forward
) -> Counts:
    """Everything counted so far, since the worker's start."""
    total: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for responder in responders:
        _count_door(responder, total)
    for door in doors:
        total["kdns_dropped_total", ("unsent",)] += door.unsent
    for stream in streams:
        for reason, count in stream.closed.items():
            total["kdns_connections_closed_total", (reason,)] += count
    for upstream in forward.upstreams:
        to, seen = str(upstream.address), upstream.counts
        total["kdns_forward_tries_total", (to,)] += seen.asked + seen.streamed
        total["kdns_forward_ignored_total", (to,)] += seen.ignored
        total["kdns_forward_failures_total", (to, "timeout")] += seen.timed_out
        total["kdns_forward_failures_total", (to, "network")] += seen.failed
    return total


def _count_door(responder: Responder, total: "Counter[tuple[str, tuple[str, ...]]]") -> None:
    door, tally = responder.door, responder.tally
    for (qtype, rcode, by), (count,) in tally.cells.items():
        kind = types.TYPE_NAMES.get(qtype, OTHER)
        total["coredns_dns_requests_total", (door.server, _ZONE, _VIEW, door.transport, door.family, kind)] += count
        total["coredns_dns_responses_total", (door.server, _ZONE, _VIEW, types.rcode_text(rcode), by)] += count
    for reason, count in tally.dropped.items():
        total["kdns_dropped_total", (reason,)] += count
    total["coredns_panics_total", ()] += tally.panics
    total["kdns_memo_hits_total", ()] += tally.recalled
    total["kdns_memo_entries", ()] += responder.remembered
