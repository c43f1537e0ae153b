"""A source for servers that no cluster's names are asked of: it says at once that all there is has been seen."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from kdns.cluster.objects import Delta, Resource, Synced
from kdns.sources.status import ResourceStatus


class Nothing:
    """No Services, no namespaces, and never any."""

    def __init__(self, resources: Iterable[Resource], emit: Callable[[Sequence[Delta]], None]) -> None:
        self._resources = tuple(resources)
        self._emit = emit

    async def run(self) -> None:
        """Emits what there is, and waits until cancelled."""
        self._emit([Synced(resource) for resource in self._resources])
        await asyncio.Event().wait()

    def status(self) -> dict[Resource, ResourceStatus]:
        """Nothing is waited for."""
        return {}

    def counts(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Nobody is asked."""
        return {}
