"""A feed: the cluster as a configuration wants it read. A source, and the compiler that makes patches of what it says.

Knows nothing of workers, pages or server blocks: what it is fed from and what is made of that are all its settings, and
whoever has it made hears of each patch.
Beside an API server it has a snapshot, where there is a folder for one.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import structlog

from kdns.cluster.compiler import REQUIRED, Compiler
from kdns.cluster.objects import OPTIONAL, Delta, EndpointSlice, Key, Problem, Put, Resource
from kdns.config.clusters import reading_of
from kdns.config.defaults import STATE_FOLDER
from kdns.config.directives.autopath import Autopath
from kdns.config.directives.k8s_external import K8sExternal
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.serving import Serving
from kdns.config.settings import ClusterSource, ManifestSource, ReadSettings, SnapshotSettings
from kdns.controller.lastknown import Feeding, LastKnown, origin_of
from kdns.controller.servable import CLUSTER_IP, HEADLESS, Change
from kdns.ops import logs
from kdns.ops.metrics import Series
from kdns.sources.demand import Demand, demand_of
from kdns.sources.status import ResourceStatus
from kdns.zone.entry import service_owner
from kdns.zone.patch import Image, Patch

_log: Final = structlog.get_logger()
# One for all feeds of a process: what was told of an object by one of them isn't told again by the next.
_left_out: Final = logs.Repeated("object_left_out")


class Source(Protocol):
    """What feeds."""

    async def run(self) -> None:
        """Emits deltas until cancelled; raises SourceError for what only the operator can mend."""
        ...

    def status(self) -> dict[Resource, ResourceStatus]:
        """How far each resource is."""
        ...

    def counts(self) -> Mapping[Series, float]:
        """What it has counted beside that."""
        ...


class Wish(NamedTuple):
    """What of a configuration a feed is made by: equal wishes can share one."""

    source: ClusterSource | ManifestSource | None
    reading: ReadSettings
    snapshot: SnapshotSettings | None = None


def wish_of(settings: Serving) -> Wish:
    """The wish of all kubernetes directives of a configuration, which agree."""
    every = [each for block in settings.servers.blocks for each in block.each(Kubernetes)]
    outside = any(block.each(K8sExternal) for block in settings.servers.blocks)
    lists = (each for block in settings.servers.blocks for each in block.each(Autopath))
    clients = any(each.search.file is None for each in lists)
    reading = reading_of(every, outside=outside, clients=clients) if every else ReadSettings()
    return Wish(settings.source, reading, settings.snapshot)


class Feed:
    """The cluster, read and compiled."""

    def __init__(
        self,
        wish: Wish,
        publish: Callable[["Feed", Patch, Change | None], None],
        served: Callable[[], int],
        *,
        at_work: bool = True,
    ) -> None:
        """Publish gets each patch and what led to it if that was a change in the cluster; served says the greatest serial that anybody was told before the first.

        One that isn't at work yet has nothing to do with the snapshot: it is that of the feed whose place it is to take.
        """
        self.wish: Final = wish
        demand = demand_of(wish.reading)
        self.required: Final = frozenset(demand.required) - OPTIONAL  # resources that have to be current
        self.compiler: Final = Compiler(demand.compile, demand.required)
        self.source: Final = self._make_source(wish.source, demand)
        self._publish = publish
        self._served = served
        self._told_synced = False
        self._at_work = asyncio.Event()
        if at_work:
            self._at_work.set()
        self.last_known: Final = self._make_last_known(wish, demand)

    async def run(self) -> None:
        """Feeds until cancelled; raises SourceError. It isn't over before what is worth saving has been saved."""
        if self.last_known is None:
            await self.source.run()
            return
        tasks = [asyncio.ensure_future(each) for each in (self.source.run(), self._keep(self.last_known))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            # Once each, and both waited for: a second time, or the end of the loop, would stop the saver at its last save.
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            task.result()

    def take_over(self) -> None:
        """It is the one at work from now on."""
        self._at_work.set()

    async def _keep(self, last_known: LastKnown) -> None:
        is_late = not self._at_work.is_set()  # others were at work before, and workers have what they had
        await self._at_work.wait()
        await last_known.run(gives=not is_late)

    def take(self, deltas: Sequence[Delta], since: float | None = None) -> None:
        """Compiles what the source says and received at that time, or now; in one step, and publishes what changed."""
        since = asyncio.get_running_loop().time() if since is None else since
        if not self.compiler.revision:  # serials go on from those of whoever was at work before
            self.compiler.serial = max(self.compiler.serial, self._served())
        patch = self.compiler.apply(deltas, int(time.time()))
        if patch is None:
            return
        if not (patch.stale or self._told_synced):
            self._told_synced = True
            _log.info(
                "synced", entries=self.compiler.entries, **{name: self.compiler.store.count(name) for name in REQUIRED}
            )
        if self.last_known is not None:
            self.last_known.published()
        self._publish(self, patch, Change(since, tuple(self._triggers(deltas, patch))) if patch.base else None)

    def _triggers(self, deltas: Iterable[Delta], patch: Patch) -> Iterator[tuple[str, float]]:
        """The kinds of Services whose endpoints the patch changes, and since when they are others, where that is told."""
        for delta in deltas:
            if not (isinstance(delta, Put) and delta.triggered and isinstance(delta.object, EndpointSlice)):
                continue
            key = Key(delta.object.key.namespace, delta.object.service)
            service = self.compiler.store.service(key)
            if service is not None and service_owner(*key) in patch.puts:
                yield (HEADLESS if service.headless else CLUSTER_IP), delta.triggered

    def _publish_stale(self, patch: Patch) -> None:
        """Publishes what a snapshot has, which is no change."""
        self._publish(self, patch, None)

    def image(self) -> Image | None:
        """All that is published, None before there is anything."""
        return self.compiler.image() if self.compiler.revision else None

    def status(self) -> dict[Resource, ResourceStatus]:
        """How far each resource is."""
        return self.source.status()

    def age_s(self, resource: Resource, status: ResourceStatus) -> float | None:
        """How long ago what is known of a resource was proven to be current, by the API server or by a snapshot."""
        stale_s = None if self.last_known is None else self.last_known.age_s(resource)
        return status.age_s if stale_s is None else stale_s

    def _make_last_known(self, wish: Wish, demand: Demand) -> LastKnown | None:
        if not isinstance(wish.source, ClusterSource):
            if wish.snapshot is not None:
                _log.warning("snapshot_off", reason="no server block serves a cluster", path=wish.snapshot.folder)
            return None
        if wish.snapshot is None:
            if wish.source.of_pod:
                _log.info(
                    "snapshot_off", reason="no folder for it", add=f"a volume such as an emptyDir at {STATE_FOLDER}"
                )
            return None
        feeding = Feeding(self.compiler, demand, self.status, self._served, self._publish_stale)
        return LastKnown(wish.snapshot, origin_of(wish.source, demand), feeding, _log)

    def _make_source(self, source: ClusterSource | ManifestSource | None, demand: Demand) -> Source:
        # Each imported only where it is used: YAML by the one, HTTP and TLS by the other.
        common: dict[str, Any] = {"emit": self.take, "report": _problem, "log": _log}
        if isinstance(source, ClusterSource):
            from kdns.sources.api import ApiSource  # noqa: PLC0415

            return ApiSource(
                source,
                resources=demand.resources,
                optional=OPTIONAL,
                decode_options=demand.decode,
                stamp=self.compiler.store.stamp,
                keys=self.compiler.store.keys,
                selectors=demand.selectors,
                **common,
            )
        if source is None:
            from kdns.sources.nothing import Nothing  # noqa: PLC0415

            return Nothing(demand.required, self.take)
        from kdns.sources.manifests import ManifestSource as Manifests  # noqa: PLC0415

        return Manifests(source, decode_options=demand.decode, selectors=demand.selectors, **common)


def _problem(problem: Problem) -> None:
    """Logs what was left out of an object, once for each thing found there."""
    kind, (namespace, name) = problem.kind, problem.key
    subject = f"{kind}/{namespace}/{name} {problem.field}" if namespace else f"{kind}/{name} {problem.field}"
    keys = {"place": problem.place} if problem.place else {}
    _left_out.trouble(subject, f"found {problem.found}, expected {problem.expected}", **keys)
