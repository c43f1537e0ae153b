"""A crew: the workers of one generation as the controller sees them, each behind a link that may come and go."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import structlog

from kdns.config.serving import Serving
from kdns.controller.feed import Feed
from kdns.controller.servable import Change, Servable
from kdns.ops import logs, metrics
from kdns.serve.channel import PatchFrame
from kdns.serve.link import ControllerLink
from kdns.zone.patch import Image, Patch

# How long a page of metrics waits for the workers' reports.
_REPORT_S: Final = 0.5

_log: Final = structlog.get_logger()
_unreadable: Final = logs.Repeated("report_unreadable")


class Worker:
    """A worker slot."""

    def __init__(self) -> None:
        self.link: ControllerLink | None = None
        self.restarts = 0  # workers in the slot before this one
        self.report: metrics.Counts = {}
        self.lasting: metrics.Counts = {}  # counters of its predecessors
        self.reported = asyncio.Event()


class Crew:
    """The workers that serve by the same settings, and the feed that theirs is."""

    def __init__(self, number: int, settings: Serving, feed: Feed, workers: int, gone: Callable[[], None]) -> None:
        """Gone is called whenever a link has ended."""
        self.number: Final = number
        self.settings: Final = settings
        self.feed: Final = feed
        self.workers: Final = [Worker() for _ in range(workers)]
        self._gone = gone
        self._servable = Servable()

    @property
    def is_there(self) -> bool:
        """Whether any of them has a link."""
        return any(worker.link is not None for worker in self.workers)

    @property
    def served(self) -> int:
        """The greatest serial that a worker served before its link."""
        return max((worker.link.served for worker in self.workers if worker.link is not None), default=0)

    @property
    def restarts(self) -> int:
        """Workers that were started again."""
        return sum(worker.restarts for worker in self.workers)

    def connect(self, slot: int, restarts: int, sock: socket.socket) -> None:
        """A channel to the worker of the slot, which had so many before it, in place of the channel before."""
        worker = self.workers[slot]
        if worker.link is not None:
            worker.link.close()
        if restarts != worker.restarts:  # else it is the same worker, which goes on counting
            worker.restarts = restarts
            worker.lasting = metrics.merge((worker.lasting, metrics.lasting(worker.report)))
            worker.report = {}
        worker.link = ControllerLink(
            sock,
            asyncio.get_running_loop(),
            partial(self._image, worker),
            reported=partial(self._reported, slot),
            lost=partial(self._lost, slot),
            acked=self._acked,
        )

    def close(self) -> None:
        """Ends all links; nobody is told."""
        for worker in self.workers:
            if worker.link is not None:
                worker.link.close()
                worker.link = None

    def publish(self, patch: Patch, frame: PatchFrame, change: Change | None = None) -> None:
        """Sends a patch of the feed to all; frame is its octets, change what led to it, if its time is to be told."""
        if change is not None:
            self._servable.published(patch.revision, change)
        for worker in self.workers:
            if worker.link is not None:
                worker.link.publish(patch, frame)

    async def ask_reports(self) -> None:
        """Waits for all to have reported, as long as a page may wait for that."""
        asked = [worker for worker in self.workers if worker.link is not None]
        for worker in asked:
            worker.reported.clear()
            if worker.link is not None:
                worker.link.ask_report()
        waits = [asyncio.ensure_future(worker.reported.wait()) for worker in asked]
        if waits:
            _, late = await asyncio.wait(waits, timeout=_REPORT_S)
            for wait in late:
                wait.cancel()

    def counts(self) -> Iterator[metrics.Counts]:
        """What all have reported last, and what was counted before them in their slots."""
        for worker in self.workers:
            yield from (worker.lasting, worker.report)
        yield self._servable.counts()

    def _image(self, worker: Worker) -> Image | None:
        """What a worker is to serve, None while it has to wait; of what it served before nothing stale takes the place."""
        image = self.feed.image()
        return None if image is None or (image.stale and worker.link is not None and worker.link.served) else image

    def _acked(self) -> None:
        """A worker serves another revision: those that all serve are servable. Who has nothing yet answers nobody."""
        served = [acked for each in self.workers if each.link is not None and (acked := each.link.acked) is not None]
        if served:
            self._servable.served(min(served), asyncio.get_running_loop().time(), time.time())

    def _lost(self, slot: int, reason: str) -> None:
        self.workers[slot].link = None
        _log.info("worker_lost", slot=slot, reason=reason)
        self._acked()
        self._gone()

    def _reported(self, slot: int, octets: bytes) -> None:
        worker = self.workers[slot]
        try:
            worker.report = metrics.decode_report(octets)
        except metrics.ReportError as error:  # a fault of our own; the worker's last report stays
            _unreadable.trouble(f"worker {slot}", str(error))
        else:
            _unreadable.over(f"worker {slot}")
        worker.reported.set()
