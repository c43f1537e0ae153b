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
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

import structlog

from kdns import __version__
from kdns.cluster.compiler import REQUIRED, Compiler
from kdns.cluster.objects import Delta, Problem, Resource
from kdns.config.clusters import reading_of
from kdns.config.directives.bare import Loop
from kdns.config.directives.kubernetes import Kubernetes as KubernetesSettings
from kdns.config.serving import Serving
from kdns.config.settings import ClusterSource, ReadSettings
from kdns.config.settings import ManifestSource as ManifestSettings
from kdns.config.table import name_of
from kdns.dns import names
from kdns.ops import health, logs, metrics
from kdns.ops.listener import Response, Route, serve_http
from kdns.ops.processes import process_samples
from kdns.serve.channel import PatchFrame
from kdns.serve.control import Control, ControllerStart
from kdns.serve.link import ControllerLink
from kdns.serve.signals import LAMEDUCK
from kdns.sources.demand import Demand, demand_of
from kdns.sources.status import ResourceStatus
from kdns.zone.patch import Image, encode_patch

# How long a page of metrics waits for the workers' reports.
_REPORT_S: Final = 0.5

_log: Final = structlog.get_logger()


class Source(Protocol):
    """What feeds the controller."""

    async def run(self) -> None:
        """Emits deltas until cancelled; raises SourceError for what only the operator can mend."""
        ...

    def status(self) -> dict[Resource, ResourceStatus]:
        """How far each resource is."""
        ...


async def control(start: ControllerStart, settings: Serving) -> int:
    """Runs the controller until SIGTERM or until the supervisor is gone; the exit status. Raises SourceError."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    controller = Controller(settings, start.workers)
    loop.add_signal_handler(LAMEDUCK, controller.bow_out)
    link = Control(start.control, loop, on_channel=controller.connect, on_lost=stopped.set)
    tasks = [asyncio.ensure_future(serve_http(sock, controller.routes(name))) for name, sock in start.ops.items()]
    tasks.append(asyncio.ensure_future(controller.source.run()))
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
        every = [each for block in settings.servers.blocks for each in block.each(KubernetesSettings)]
        demand = demand_of(reading_of(every) if every else ReadSettings())
        self._settings = settings
        self._compiler = Compiler(demand.compile, demand.required)
        self._workers = [Worker() for _ in range(workers)]
        self._leaving = False
        self._looks_for_loops = any(block.each(Loop) for block in settings.servers.blocks)
        self._left_out = logs.Repeated("object_left_out")
        self._unreadable = logs.Repeated("report_unreadable")
        self.source = self._make_source(settings, demand)

    def take(self, deltas: Iterable[Delta]) -> None:
        """Compiles what the source says, in one step, and sends what changed to every worker."""
        if not self._compiler.revision:  # serials go on from those of a controller before this one
            served = (worker.link.served for worker in self._workers if worker.link is not None)
            self._compiler.serial = max(self._compiler.serial, *served, 0)
        patch = self._compiler.apply(deltas, int(time.time()))
        if patch is None:
            return
        if patch.base == 0:
            self._first(len(patch.puts))
        frame = PatchFrame(encode_patch(patch))
        for worker in self._workers:
            if worker.link is not None:
                worker.link.publish(patch, frame)

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
            self._image,
            reported=lambda octets: self._reported(slot, octets),
            lost=lambda reason: self._lost(slot, reason),
        )

    def routes(self, name: str) -> dict[str, Route]:
        """The paths of the listener of that name."""
        pages: dict[str, dict[str, Route]] = {
            "health": {"/health": lambda _: _text(*health.health())},
            "ready": {"/ready": self._ready},
            "metrics": {"/metrics": self._metrics},
        }
        return pages[name.partition(" ")[0]]

    def _make_source(self, settings: Serving, demand: Demand) -> Source:
        # Each imported only where it is used: YAML by the one, HTTP and TLS by the other.
        if isinstance(settings.source, ClusterSource):
            from kdns.sources.api import ApiSource  # noqa: PLC0415

            return ApiSource(
                settings.source,
                resources=demand.resources,
                optional=frozenset(("pods",)),
                decode_options=demand.decode,
                stamp=self._compiler.store.stamp,
                emit=self.take,
                report=self._problem,
                log=_log,
                selectors=demand.selectors,
            )
        if settings.source is None:
            from kdns.sources.nothing import Nothing  # noqa: PLC0415

            return Nothing(demand.required, self.take)
        from kdns.sources.manifests import ManifestSource  # noqa: PLC0415

        return ManifestSource(
            settings.source,
            emit=self.take,
            report=self._problem,
            log=_log,
            decode_options=demand.decode,
            selectors=demand.selectors,
        )

    def _first(self, entries: int) -> None:
        _log.info("synced", entries=entries, **{name: self._compiler.store.count(name) for name in REQUIRED})
        if isinstance(self._settings.source, ManifestSettings):
            self._show_banner()

    def _show_banner(self) -> None:
        """Tells the person who serves manifests what there is to ask."""
        from kdns.cli.banner import Served, serving_lines  # noqa: PLC0415
        from kdns.sources.manifests import ManifestSource  # noqa: PLC0415

        assert isinstance(self.source, ManifestSource)
        store = self._compiler.store
        services = (found for key in store.keys("services") if (found := store.service(key)) is not None)
        lines = serving_lines(
            [Served(service, store.slices(service.key)) for service in services],
            origin=next(
                each.zones[0] for block in self._settings.servers.blocks for each in block.each(KubernetesSettings)
            ),
            listen=self._settings.servers.listeners[0].address,
            made_up=self.source.made_up,
            colour=sys.stdout.isatty(),
        )
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def _image(self) -> Image | None:
        return self._compiler.image() if self._compiler.revision else None

    def _lost(self, slot: int, reason: str) -> None:
        self._workers[slot].link = None
        _log.info("worker_lost", slot=slot, reason=reason)

    def _problem(self, problem: Problem) -> None:
        """Logs what was left out of an object, once for each thing found there."""
        kind, (namespace, name) = problem.kind, problem.key
        subject = f"{kind}/{namespace}/{name} {problem.field}" if namespace else f"{kind}/{name} {problem.field}"
        keys = {"place": problem.place} if problem.place else {}
        self._left_out.trouble(subject, f"found {problem.found}, expected {problem.expected}", **keys)

    # Pages

    def bow_out(self) -> None:
        """From now on the server isn't ready, though it answers: others are to be asked."""
        self._leaving = True

    async def _ready(self, query: str) -> Response:
        if self._leaving:
            return _text(503, "stopping")
        if self._looks_for_loops and await self._is_looping():
            return _text(503, "loop")
        states = [
            None if worker.link is None else health.WorkerState(worker.link.acked is not None, worker.link.acked or 0)
            for worker in self._workers
        ]
        resources: dict[str, health.ResourceState] = {
            name: health.ResourceState(status.synced, status.trouble or "")
            for name, status in self.source.status().items()
        }
        return _text(*health.readiness(states, resources, verbose="verbose" in query))

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
        for resource, status in self.source.status().items():
            yield "kdns_synced", (resource,), int(status.synced)
            yield "kdns_objects", (resource,), self._compiler.store.count(resource)
            if status.age_s is not None:
                yield "kdns_freshness_seconds", (resource,), round(status.age_s, 3)
            yield "kdns_relists_total", (resource,), status.counters.relists
            yield "kdns_undecodable_total", (resource,), status.counters.undecodable
            for series, count in status.counters.problems.items():
                yield "kdns_object_problems_total", series, count
        yield from process_samples()

    def _plugins_enabled(self) -> Iterator[metrics.Sample]:
        servers = self._settings.servers
        for listener in servers.listeners:
            for route in listener.routes:
                for name in sorted(map(name_of, servers.blocks[route.block].settings)):
                    yield "coredns_plugin_enabled", (listener.label, names.to_text(route.zone), "", name), 1


def _text(status: int, body: str) -> Response:
    return status, "text/plain; charset=utf-8", body.encode()
