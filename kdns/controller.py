"""The controller: what the sources say becomes patches for the workers, and pages for people.

One event loop: deltas in, one patch per batch out to every worker's link; probes and
Prometheus are answered from what the sources and the workers last said. Never answers DNS.
"""

import asyncio
import os
import platform
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import structlog

from kdns import __version__
from kdns.cluster.counters import REPAIRS
from kdns.cluster.objects import Resource
from kdns.config.directives.bare import Loop
from kdns.config.directives.kubernetes import Kubernetes as KubernetesSettings
from kdns.config.directives.probes import Ready
from kdns.config.directives.view import View
from kdns.config.serving import Serving
from kdns.config.settings import ManifestSource as ManifestSettings
from kdns.config.table import name_of
from kdns.dns import names
from kdns.feed import Feed, wish_of
from kdns.ops import health, logs, metrics
from kdns.ops.listener import Response, Route, serve_http
from kdns.ops.processes import process_samples
from kdns.serve.channel import PatchFrame
from kdns.serve.control import Control, ControllerStart
from kdns.serve.link import ControllerLink
from kdns.serve.signals import LAMEDUCK
from kdns.sources.status import ResourceStatus
from kdns.zone.patch import Image, Patch, encode_patch

# How long a page of metrics waits for the workers' reports.
_REPORT_S: Final = 0.5
_READY: Final = 200

_log: Final = structlog.get_logger()


async def control(start: ControllerStart, settings: Serving) -> int:
    """Runs the controller until SIGTERM or until the supervisor is gone; the exit status. Raises SourceError."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    controller = Controller(settings, start.workers)
    loop.add_signal_handler(LAMEDUCK, controller.bow_out)
    link = Control(start.control, loop, on_channel=controller.connect, on_lost=stopped.set)
    tasks = [asyncio.ensure_future(serve_http(sock, controller.routes(name))) for name, sock in start.ops.items()]
    tasks.append(asyncio.ensure_future(controller.feed.run()))
    waiting = loop.create_task(stopped.wait())
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()  # raises what ended it
                return os.EX_SOFTWARE
        return os.EX_OK
    finally:
        everything: list[asyncio.Task[Any]] = [waiting, *tasks]
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)
        link.close()


class Worker:
    """A worker slot as the controller sees it."""

    def __init__(self) -> None:
        self.link: ControllerLink | None = None
        self.restarts = 0  # workers in the slot before this one
        self.report: metrics.Counts = {}
        self.lasting: metrics.Counts = {}  # counters of its predecessors
        self.reported = asyncio.Event()


class Controller:
    """The state of the controller."""

    def __init__(self, settings: Serving, workers: int) -> None:
        self._settings = settings
        self.feed = Feed(wish_of(settings), self._publish, self._served)
        self._workers = [Worker() for _ in range(workers)]
        self._leaving = False
        self._was_ready = False
        # Whether what has been ready once is looked at again; who limits the age of what is served wants that, too.
        self._monitors = settings.max_staleness_s > 0 or any(
            each.monitor == "continuously" for block in settings.servers.blocks for each in block.each(Ready)
        )
        self._looks_for_loops = any(block.each(Loop) for block in settings.servers.blocks)
        self._unreadable = logs.Repeated("report_unreadable")

    def _publish(self, patch: Patch) -> None:
        """Sends a patch to every worker."""
        settings = self._settings
        if patch.base == 0 and isinstance(settings.source, ManifestSettings) and not settings.quiet:
            self._show_banner()
        frame = PatchFrame(encode_patch(patch))
        for worker in self._workers:
            if worker.link is not None:
                worker.link.publish(patch, frame)

    def _served(self) -> int:
        """The greatest serial that a worker served before its link."""
        return max((worker.link.served for worker in self._workers if worker.link is not None), default=0)

    def connect(self, slot: int, restarts: int, sock: socket.socket) -> None:
        """A channel to the worker of the slot, which had so many before it, in place of the channel before."""
        worker = self._workers[slot]
        if worker.link is not None:
            worker.link.close()
        if restarts != worker.restarts:  # else it is the same worker, which goes on counting
            worker.restarts = restarts
            worker.lasting = metrics.merge((worker.lasting, metrics.lasting(worker.report)))
            worker.report = {}
        worker.link = ControllerLink(
            sock,
            asyncio.get_running_loop(),
            lambda: self._image(worker),
            reported=lambda octets: self._reported(slot, octets),
            lost=lambda reason: self._lost(slot, reason),
        )

    def _image(self, worker: Worker) -> Image | None:
        """What a worker is to serve, None while it has to wait; of what it served before nothing stale takes the place."""
        image = self.feed.image()
        return None if image is None or (image.stale and worker.link is not None and worker.link.served) else image

    def routes(self, name: str) -> dict[str, Route]:
        """The paths of the listener of that name."""
        pages: dict[str, dict[str, Route]] = {
            "health": {"/health": lambda _: _text(*health.health())},
            "ready": {"/ready": self._ready},
            "metrics": {"/metrics": self._metrics},
        }
        return pages[name.partition(" ")[0]]

    def _show_banner(self) -> None:
        """Tells the person who serves manifests what there is to ask."""
        from kdns.cli.banner import Served, serving_lines  # noqa: PLC0415
        from kdns.sources.manifests import ManifestSource  # noqa: PLC0415

        assert isinstance(self.feed.source, ManifestSource)
        store = self.feed.compiler.store
        services = (found for key in store.keys("services") if (found := store.service(key)) is not None)
        lines = serving_lines(
            [Served(service, store.slices(service.key)) for service in services],
            origin=next(
                each.zones[0] for block in self._settings.servers.blocks for each in block.each(KubernetesSettings)
            ),
            listen=self._settings.servers.listeners[0].address,
            made_up=self.feed.source.made_up,
            colour=sys.stdout.isatty(),
        )
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def _lost(self, slot: int, reason: str) -> None:
        self._workers[slot].link = None
        _log.info("worker_lost", slot=slot, reason=reason)

    # Pages

    def bow_out(self) -> None:
        """From now on the server isn't ready, though it answers: others are to be asked."""
        self._leaving = True

    async def _ready(self, query: str) -> Response:
        if self._leaving:
            return _text(503, "stopping")
        if self._looks_for_loops and await self._is_looping():
            return _text(503, "loop")
        states = [self._worker_state(worker) for worker in self._workers]
        last_known = self.feed.last_known
        resources: dict[str, health.ResourceState] = {
            name: health.ResourceState(
                status.synced,
                status.trouble or "",
                self._age_s(name, status),
                None if last_known is None else last_known.age_s(name),
            )
            for name, status in self.feed.status().items()
        }
        status, body = health.readiness(
            states,
            resources,
            max_age_s=self._settings.max_staleness_s,
            snapshot_counts=last_known is not None and last_known.counts,
            before=self._was_ready and not self._monitors,
            verbose="verbose" in query,
        )
        self._was_ready = self._was_ready or status == _READY
        return _text(status, body)

    def _worker_state(self, worker: Worker) -> health.WorkerState | None:
        if worker.link is None:
            return None
        # While there is only a snapshot, a worker goes on with what it had before this controller.
        serves = worker.link.acked is not None or (self.feed.compiler.stale and worker.link.served > 0)
        return health.WorkerState(serves, worker.link.acked or 0)

    def _age_s(self, resource: Resource, status: ResourceStatus) -> float | None:
        """How long ago what must be known of the resource was last proven; None where that keeps nobody waiting."""
        return self.feed.age_s(resource, status) if resource in self.feed.required else None

    async def _is_looping(self) -> bool:
        """Whether a worker says that forwarded questions come back."""
        await self._ask_reports()
        return any(worker.report.get(("kdns_forwarding_loops", ())) for worker in self._workers)

    async def _metrics(self, _query: str) -> Response:
        await self._ask_reports()
        return 200, metrics.CONTENT_TYPE, metrics.render(self._samples()).encode()

    async def _ask_reports(self) -> None:
        asked = [worker for worker in self._workers if worker.link is not None]
        for worker in asked:
            worker.reported.clear()
            if worker.link is not None:
                worker.link.ask_report()
        waits = [asyncio.ensure_future(worker.reported.wait()) for worker in asked]
        if waits:
            _, late = await asyncio.wait(waits, timeout=_REPORT_S)
            for wait in late:
                wait.cancel()

    def _reported(self, slot: int, octets: bytes) -> None:
        worker = self._workers[slot]
        try:
            worker.report = metrics.decode_report(octets)
        except metrics.ReportError as error:  # a fault of our own; the worker's last report stays
            self._unreadable.trouble(f"worker {slot}", str(error))
        else:
            self._unreadable.over(f"worker {slot}")
        worker.reported.set()

    def _samples(self) -> Iterator[metrics.Sample]:
        merged = metrics.merge(report for worker in self._workers for report in (worker.lasting, worker.report))
        yield from ((name, labels, value) for (name, labels), value in merged.items())
        yield "coredns_build_info", (__version__, "", f"python{platform.python_version()}"), 1
        yield from self._plugins_enabled()
        for slot, worker in enumerate(self._workers):
            acked = worker.link.acked if worker.link is not None else None
            yield "kdns_revision", (str(slot),), acked or 0
            yield "kdns_worker_restarts_total", (), worker.restarts
        for resource, status in self.feed.status().items():
            yield "kdns_synced", (resource,), int(status.synced)
            yield "kdns_objects", (resource,), self.feed.compiler.store.count(resource)
            age_s = self.feed.age_s(resource, status)
            if age_s is not None:
                yield "kdns_freshness_seconds", (resource,), round(age_s, 3)
            yield "kdns_relists_total", (resource,), status.counters.relists
            yield "kdns_store_digest", (resource,), self.feed.compiler.store.digest(resource)
            yield "kdns_history_resets_total", (resource,), status.counters.rewinds
            yield from self._audit_samples(resource, status)
            yield "kdns_undecodable_total", (resource,), status.counters.undecodable
            for series, count in status.counters.problems.items():
                yield "kdns_object_problems_total", series, count
        yield "kdns_snapshot_enabled", (), int(self.feed.last_known is not None)
        if self.feed.last_known is not None:
            yield from self.feed.last_known.samples()
        yield from process_samples()

    @staticmethod
    def _audit_samples(resource: Resource, status: ResourceStatus) -> Iterator[metrics.Sample]:
        if status.audit_age_s is not None:
            yield "kdns_audit_age_seconds", (resource,), round(status.audit_age_s, 3)
        yield "kdns_audits_total", (resource, "done"), status.counters.audits
        yield "kdns_audits_total", (resource, "failed"), status.counters.audits_failed
        for kind in REPAIRS:
            yield "kdns_audit_repairs_total", (resource, kind), status.counters.repairs[kind]

    def _plugins_enabled(self) -> Iterator[metrics.Sample]:
        servers = self._settings.servers
        blocks = [
            (listener.label, names.to_text(route.zone), servers.blocks[route.block])
            for listener in servers.listeners
            for route in listener.routes
        ]
        enabled = {
            (server, zone, view.name if (view := block.first(View)) else "", name_of(each))
            for server, zone, block in blocks
            for each in block.settings
        }
        yield from (("coredns_plugin_enabled", labels, 1) for labels in sorted(enabled))


def _text(status: int, body: str) -> Response:
    return status, "text/plain; charset=utf-8", body.encode()
