"""Requests: how many were sent to the API server, how long their answers took and how long they had to wait for their turn.

Told by the names that CoreDNS has of client-go. A request's time ends with the head of its answer: a watch has no other end.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Final, TypeAlias

from kdns.ops.cells import Cells

# Seconds; those that Prometheus' libraries take where nobody says otherwise.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_VERB: Final = "GET"  # there are no others
_NO_ANSWER: Final = "<error>"  # client-go's word

Host: TypeAlias = str  # with port


class Requests:
    """Of all who ask for a source."""

    def __init__(self) -> None:
        self._codes: Counter[tuple[str, Host]] = Counter()
        self._took: defaultdict[Host, Cells] = defaultdict(partial(Cells, BUCKETS))
        self._waited: defaultdict[Host, Cells] = defaultdict(partial(Cells, BUCKETS))

    def waited(self, host: Host, seconds: float) -> None:
        """A request had its turn after so long."""
        self._waited[host].put(seconds)

    def answered(self, host: Host, status: int | None, seconds: float) -> None:
        """An answer came after so long, or none will."""
        self._codes[_NO_ANSWER if status is None else str(status), host] += 1
        self._took[host].put(seconds)

    def series(self) -> Iterator[tuple[tuple[str, tuple[str, ...]], float]]:
        """All of it for the page of metrics."""
        for (code, host), count in self._codes.items():
            yield ("coredns_kubernetes_rest_client_requests_total", (code, _VERB, host)), count
        for name, cells in (
            ("coredns_kubernetes_rest_client_request_duration_seconds", self._took),
            ("coredns_kubernetes_rest_client_rate_limiter_duration_seconds", self._waited),
        ):
            for host, each in cells.items():
                yield from each.series(name, (_VERB, host))
