"""Servable: how long changes took until they were served, as histograms.

A change is received, published as a revision, and servable once the last worker has said that it serves it: from then on
nobody gets an older answer. Where endpoints changed and the cluster says since when (an annotation that Kubernetes' own
controller writes), the time from there is told as well, as CoreDNS tells it: clocks of two machines are compared then.
What was there before the first revision isn't a change.
"""

from collections import deque
from typing import Final, NamedTuple

from kdns.ops.cells import Cells
from kdns.ops.metrics import Counts, Series

# Seconds: a quarter of a millisecond to 131 s.
BUCKETS: Final = tuple(0.00025 * 2**number for number in range(20))
# Seconds: a millisecond to 524 s, as CoreDNS has them.
PROGRAMMING_BUCKETS: Final = tuple(0.001 * 2**number for number in range(20))
_WAITING_MAX: Final = 10_000  # changes; what no worker takes in time isn't told

CLUSTER_IP: Final = "cluster_ip"
HEADLESS: Final = "headless_with_selector"


class Change(NamedTuple):
    """What led to a revision."""

    since: float  # when it was received, by the loop's clock
    triggers: tuple[
        tuple[str, float], ...
    ] = ()  # kind of a Service, and since when its endpoints are others: Unix seconds


class Servable:
    """Of a crew."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Change]] = deque(maxlen=_WAITING_MAX)  # by revision
        self._changes = Cells(BUCKETS)
        self._programmed: dict[str, Cells] = {}

    def published(self, revision: int, change: Change) -> None:
        """The workers are being told."""
        self._waiting.append((revision, change))

    def served(self, revision: int, now: float, unix_now: float) -> None:
        """All workers serve this revision or a later one, and the time is this, by the loop's and the world's clock."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= revision:
            _, change = waiting.popleft()
            self._changes.put(now - change.since)
            for kind, since in change.triggers:
                self._programmed.setdefault(kind, Cells(PROGRAMMING_BUCKETS)).put(max(unix_now - since, 0.0))

    def counts(self) -> Counts:
        """The histograms."""
        counts: dict[Series, float] = dict(self._changes.series("kdns_change_to_servable_seconds", ()))
        for kind, cells in self._programmed.items():
            counts.update(cells.series("coredns_kubernetes_dns_programming_duration_seconds", (kind,)))
        return counts
