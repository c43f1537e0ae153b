"""What was last known of the cluster: given while the API server has nothing to say, saved while it has.

At the start the API server comes first: what it says is never older. Only if it can't be reached, says nothing, or takes
long, is the snapshot published, as stale; the lists that follow are compared with it and replace it, resource by
resource, and with the last of them nothing is stale any more. A watch isn't taken up again where the snapshot was made:
whether that is current would be known no sooner than by a list. While anything is stale nothing is saved.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Final, NamedTuple

from kdns.cluster.compiler import Compiler
from kdns.cluster.objects import OPTIONAL, Key, Resource
from kdns.cluster.snapshot import REASONS, Header, Origin, Rows, SnapshotError
from kdns.config.settings import ClusterSource, SnapshotSettings
from kdns.ops import metrics
from kdns.sources.demand import Demand
from kdns.sources.saver import Log, Saver
from kdns.sources.status import ResourceStatus
from kdns.zone.patch import Patch

# How long the API server has to say anything, and, if it does, to say all: less than workers let questions wait for it.
_SILENT_S: Final = 0.4
_SLOW_S: Final = 2.0
_LOOK_S: Final = 0.02
_SYSTEM: Final = Key("", "kube-system")  # its uid is what tools take for the cluster's


class Feeding(NamedTuple):
    """What it is the last known state of."""

    compiler: Compiler
    demand: Demand
    status: Callable[[], dict[Resource, ResourceStatus]]
    served: Callable[[], int]  # the greatest serial that anybody was told before
    publish: Callable[[Patch], None]


def origin_of(source: ClusterSource, demand: Demand) -> Origin:
    """What snapshots have to be of. Raises SourceError where there are no credentials."""
    from kdns.sources.api.identity import identity_of  # noqa: PLC0415 - HTTP and TLS come with it

    reading = repr((demand.resources, sorted(demand.selectors.items()), demand.decode))
    return Origin(identity_of(source, os.environ), hashlib.blake2b(reading.encode(), digest_size=8).hexdigest())


class LastKnown:
    """The snapshot of one feed."""

    def __init__(self, settings: SnapshotSettings, origin: Origin, feeding: Feeding, log: Log) -> None:
        self.counts: Final = settings.counts
        self._origin = origin
        self._feeding = feeding
        self._log = log
        self._loaded: Header | None = None
        self._stale_since = 0.0  # in the loop's time, while anything is
        self._saver = Saver(Path(settings.folder), origin, self._take, SystemRandom().random, log)

    async def run(self, *, gives: bool = True) -> None:
        """Gives, unless it is too late for that, and saves until cancelled; then saves once more."""
        self._saver.prepare()
        try:
            if gives:
                await self._restore()
            await self._saver.run()
        finally:
            await self._saver.finish()

    def published(self) -> None:
        """There is a new revision, made of what the API server said."""
        if self._loaded is not None:
            self._compare(self._loaded)
        self._saver.changed()

    def age_s(self, resource: Resource) -> float | None:
        """How long ago what is stale of a resource was known to be current; None where it isn't stale."""
        stale = self._loaded is not None and self._feeding.compiler.store.stale(resource)
        return time.time() - self._loaded.current_s if stale and self._loaded is not None else None

    # Giving

    async def _restore(self) -> None:
        """Publishes the snapshot, if there is one, unless the API server is quick enough."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (why := self._why(loop.time() - began)) is None:
            if self._feeding.compiler.synced:
                return
            await asyncio.sleep(_LOOK_S)
        found = self._saver.load()
        if found is not None:
            self._give(found.header, found.rows, why)

    def _why(self, waited_s: float) -> str | None:
        """Why the snapshot is needed; None while the API server may still come first."""
        store, required = self._feeding.compiler.store, self._feeding.demand.required
        status = self._feeding.status()
        waited_for = (status[each] for each in required if not status[each].synced)
        if trouble := next((each.trouble for each in waited_for if each.trouble), None):
            return trouble
        speaks = any(store.synced(resource) for resource in required)
        if waited_s < (_SLOW_S if speaks else _SILENT_S):
            return None
        return f"the API server hasn't listed {'everything' if speaks else 'anything'} within {waited_s:.1f} s"

    def _give(self, header: Header, rows: Rows, why: str) -> None:
        compiler = self._feeding.compiler
        serial = max(header.serial, self._feeding.served())
        try:
            patch = compiler.restore(rows, serial, int(time.time()))
        except ValueError as error:
            self._saver.reject(SnapshotError("damaged", f"found rows that can't be read: {error}"))
            return
        self._loaded = header
        self._stale_since = asyncio.get_running_loop().time()
        age_s = round(time.time() - header.current_s)
        self._log.warning("answers_from_snapshot", path=str(self._saver.path), age_s=age_s, reason=why)
        if patch is not None:
            self._feeding.publish(patch)

    def _compare(self, loaded: Header) -> None:
        """Looks what the API server's lists have made of the snapshot."""
        store = self._feeding.compiler.store
        if not store.stale("namespaces") and loaded.system_uid:
            uid = self._system_uid()
            if uid and uid != loaded.system_uid:
                error = SnapshotError("cluster", f"found the cluster {loaded.system_uid}, the API server has {uid}")
                self._saver.reject(error)
                self._loaded = loaded = _without_uid(loaded)
        if not self._feeding.compiler.stale:
            self._loaded = None
            stale_s = round(asyncio.get_running_loop().time() - self._stale_since, 3)
            self._log.info("answers_current_again", stale_s=stale_s)

    # Saving

    def _take(self) -> tuple[Header, Rows] | None:
        """What there is to save; None while not all that is required is known from the API server."""
        compiler, demand = self._feeding.compiler, self._feeding.demand
        if not compiler.synced or compiler.stale:
            return None
        status = self._feeding.status()
        ages = [status[resource].age_s for resource in demand.required if resource not in OPTIONAL]
        age_s = max((age for age in ages if age is not None), default=0.0)
        store = compiler.store
        listed = [resource for resource in demand.resources if store.synced(resource)]
        header = Header(
            *self._origin,
            time.time() - age_s,
            compiler.serial,
            {resource: store.count(resource) for resource in listed},
            self._system_uid(),
        )
        return header, store.rows(listed)

    def _system_uid(self) -> str:
        stamp = self._feeding.compiler.store.stamp("namespaces", _SYSTEM)
        return "" if stamp is None else stamp.uid

    # For people

    def samples(self) -> list[metrics.Sample]:
        """Its metrics."""
        numbers = self._saver.numbers
        made: list[metrics.Sample] = [
            ("kdns_snapshot_serving", (), int(self._feeding.compiler.stale)),
            ("kdns_snapshot_bytes", (), numbers.size_bytes),
            ("kdns_snapshot_writes_total", (), numbers.writes),
            ("kdns_snapshot_write_failures_total", (), numbers.failures),
            *(("kdns_snapshot_rejected_total", (reason,), numbers.rejected[reason]) for reason in REASONS),
        ]
        if numbers.current_s is not None:
            made.append(("kdns_snapshot_age_seconds", (), round(time.time() - numbers.current_s, 3)))
        return made


def _without_uid(header: Header) -> Header:
    return Header(header.cluster, header.reading, header.current_s, header.serial, header.counts)
