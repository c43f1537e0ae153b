"""The self-probe: /health asked once a second, and how long the answer took, by the names that CoreDNS has for it.

Where the answer is slow the process gets too little time, whoever's fault that is.
"""

import asyncio
from typing import Final

from kdns.ops.cells import Cells
from kdns.ops.logs import Repeated
from kdns.ops.metrics import Counts

# Seconds, as CoreDNS has them.
BUCKETS: Final = tuple(0.00025 * 10**number for number in range(5))
_EVERY_S: Final = 1.0
_PATIENCE_S: Final = 3.0
_REQUEST: Final = b"GET /health HTTP/1.0\r\n\r\n"
_GOOD: Final = b"HTTP/1.1 200 "
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound

_failing: Final = Repeated("health_unanswered")


class SelfProbe:
    """What came of asking; all places where /health is count together."""

    def __init__(self) -> None:
        self._took = Cells(BUCKETS)
        self._failed = 0

    def counts(self) -> Counts:
        """The series."""
        return dict(
            [
                *self._took.series("coredns_health_request_duration_seconds", ()),
                (("coredns_health_request_failures_total", ()), self._failed),
            ]
        )

    async def run(self, host: str, port: int) -> None:
        """Asks until cancelled, at the address that is listened on."""
        loop, place = asyncio.get_running_loop(), f"{host}:{port}"
        while True:
            await asyncio.sleep(_EVERY_S)
            since = loop.time()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await _ask(_WILDCARDS.get(host, host), port)
            except OSError as error:  # TimeoutError is one
                self._failed += 1
                _failing.trouble(place, repr(error))
            else:
                _failing.over(place)
            self._took.put(loop.time() - since)


async def _ask(host: str, port: int) -> None:
    """Asks once. Raises OSError where there is no good answer."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_REQUEST)
        answer = await reader.read()
    finally:
        writer.transport.abort()
    if not answer.startswith(_GOOD):
        raise OSError(f"{answer[:40]!r} for /health")
