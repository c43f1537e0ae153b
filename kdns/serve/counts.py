"""What a worker has counted, as series of the metrics table.

The hot path adds to cells; here, when the controller asks, cells become named series.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

from kdns.config.directives.view import View
from kdns.dns import types
from kdns.ops.cells import Cells
from kdns.ops.lines import Lines
from kdns.ops.metrics import FAMILIES, OTHER, Counts
from kdns.serve import udp
from kdns.serve.blocks import Working
from kdns.serve.responder import Responder
from kdns.serve.sizes import BUCKETS as SIZES
from kdns.serve.stream import StreamServer
from kdns.serve.tally import Kind
from kdns.serve.timing import Where
from kdns.steps import cache as cache_step
from kdns.steps import forward as forward_step
from kdns.steps.forward import Forward

# The names of steps that are imported only where there is one.
_TRANSLATOR: Final = "dns64"
_AUTOPATH: Final = "autopath"
# Who answers questions before acl has let them pass.
_NOT_ALLOWED: Final = frozenset(("acl", "local"))

_Total: TypeAlias = "Counter[tuple[str, tuple[str, ...]]]"


def counts(
    responders: Sequence[Responder],
    doors: Iterable[udp.Door],
    streams: Iterable[StreamServer],
    blocks: Iterable[tuple[str, Working]],
    lines: Lines | None = None,
) -> Counts:
    """Everything counted so far, since the worker's start; blocks each with a listener that leads to it, as metrics name that."""
    total: _Total = Counter()
    for responder in responders:
        _count_door(responder, total)
    if responders:
        memos = {id(memo): memo for responder in responders for memo in responder.memos}
        total["kdns_memo_entries", ()] = sum(map(len, memos.values()))
    for door in doors:
        total["kdns_dropped_total", ("unsent",)] += door.unsent
        total["kdns_dropped_total", ("overload",)] += door.admission.dropped
    for stream in streams:
        for reason, count in stream.closed.items():
            total["kdns_connections_closed_total", (reason,)] += count
    for server, block in blocks:
        _count_steps(server, block, total)
    if lines is not None:
        total["kdns_log_lines_written_total", ()] += lines.written
        total["kdns_log_lines_dropped_total", ()] += lines.dropped
    return total


def _count_door(responder: Responder, total: _Total) -> None:
    """What a door has given.

    A question that the cache answered is a hit there, one that an upstream answered has missed it before. So replies
    that a responder remembered for a second are hits as well.
    """
    door, tally = responder.door, responder.tally
    given = tally.given
    for (qtype, rcode, by, empty, (zone, view), _, _, do), count in given.items():
        kind = types.TYPE_NAMES.get(qtype, OTHER)
        total["coredns_dns_requests_total", (door.server, zone, view, door.transport, door.family, kind)] += count
        total["coredns_dns_responses_total", (door.server, zone, view, types.rcode_text(rcode), by)] += count
        if do:
            total["coredns_dns_do_requests_total", (door.server, zone, view)] += count
        if by == _AUTOPATH:
            total["coredns_autopath_success_total", (door.server,)] += count
        if by == _TRANSLATOR:
            total["coredns_dns64_requests_translated_total", (door.server,)] += count
        if (zone, view) in responder.guarded and by not in _NOT_ALLOWED:
            total["coredns_acl_allowed_requests_total", (door.server, view)] += count
        if by == cache_step.NAME:
            hit = "denial" if rcode or empty else "success"
            total["coredns_cache_hits_total", (door.server, hit, zone, view)] += count
        elif by == forward_step.NAME:
            total["coredns_cache_misses_total", (door.server, zone, view)] += count
        else:
            continue
        total["coredns_cache_requests_total", (door.server, zone, view)] += count
    for reason, count in tally.dropped.items():
        total["kdns_dropped_total", (reason,)] += count
    total["coredns_panics_total", ()] += tally.panics
    total["kdns_memo_hits_total", ()] += tally.recalled
    _count_histograms(responder, given, total)


def _count_histograms(responder: Responder, given: Mapping[Kind, int], total: _Total) -> None:
    """Sizes of questions and replies, and how long they took."""
    door = responder.door
    asked: defaultdict[Where, Cells] = defaultdict(partial(Cells, SIZES))
    said: defaultdict[Where, Cells] = defaultdict(partial(Cells, SIZES))
    replies: Counter[Where] = Counter()
    for (_, _, _, _, where, question, reply, _), count in given.items():
        replies[where] += count
        asked[where].put(question, count)
        if reply:
            said[where].put(reply, count)
    for name, label, blocks in (
        ("coredns_dns_request_size_bytes", (door.transport,), asked),
        ("coredns_dns_response_size_bytes", (door.transport,), said),
        ("coredns_dns_request_duration_seconds", (), responder.timing.by_block(replies)),
    ):
        for where, cells in blocks.items():
            for series, value in cells.series(name, (door.server, *where, *label)):
                total[series] += value  # type: ignore[assignment] # some are seconds; a Counter adds any numbers


def _count_steps(server: str, block: Working, total: _Total) -> None:
    """What a block's steps have counted; it is kept once for all listeners and counts at the first."""
    view = block.block.first(View)
    named = "" if view is None else view.name
    for step in block.steps:
        if getattr(step, "looping", False):
            total["kdns_forwarding_loops", ()] += 1
        counts_at = getattr(step, "counts_at", None)
        if counts_at is not None:
            for series, value in counts_at(server, block.zones, named).items():
                # What is the same in all is no sum.
                total[series] = max(total[series], value) if FAMILIES[series[0]].common else total[series] + value
        elif isinstance(step, Forward):
            for series, value in step.counts().items():
                total[series] += value  # type: ignore[assignment] # some are seconds; a Counter adds any numbers
