"""The controller: what the sources say becomes patches for the workers, and pages for people.

One event loop: deltas in, one patch per batch out to every worker's link; probes and
Prometheus are answered from what the sources and the workers last said. Never answers DNS.
"""

import asyncio
import platform
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

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
from kdns.controller.crew import Crew, Worker
from kdns.controller.feed import Feed, wish_of
from kdns.controller.servable import Change
from kdns.dns import names
from kdns.ops import health, metrics, terminals
from kdns.ops.listener import Response, Route
from kdns.ops.processes import process_samples
from kdns.ops.selfprobe import SelfProbe
from kdns.serve.channel import PatchFrame
from kdns.serve.configuration import FIRST, NO_NEWS, News
from kdns.sources.status import ResourceStatus
from kdns.zone.patch import Patch, encode_patch

if TYPE_CHECKING:
    from kdns.controller.explaining import Explaining

_READY: Final = 200


class Controller:
    """The state of the controller."""

    def __init__(self, settings: Serving, workers: int, number: int = FIRST, news: News = NO_NEWS) -> None:
        self.news = news  # of reloads
        self.self_probe = SelfProbe()
        self.unreadable = 0  # looks at the files of the configuration that found one gone
        self.crew = self._crew(settings, workers, number, Feed(wish_of(settings), self._publish, self._served))
        self.coming: Crew | None = None
        self._left: list[Crew] = []  # who finish what they have begun
        self._lasting: metrics.Counts = {}  # counters of crews and feeds that are gone
        self._restarts = 0  # of workers in crews that are gone
        self._leaving = False
        self._was_ready = False
        self._explaining: Explaining | None = None

    @property
    def feed(self) -> Feed:
        """What is served."""
        return self.crew.feed

    @property
    def _monitors(self) -> bool:
        """Whether what has been ready once is looked at again; who limits the age of what is served wants that, too."""
        settings = self.crew.settings
        return settings.max_staleness_s > 0 or any(
            each.monitor == "continuously" for block in settings.servers.blocks for each in block.each(Ready)
        )

    def prepare(self, settings: Serving, number: int) -> Feed:
        """Expects the workers of another generation; what they will be fed with: what there is, where that will do."""
        wish = wish_of(settings)
        feed = self.feed if wish == self.feed.wish else Feed(wish, self._publish, self._served, at_work=False)
        self.coming = self._crew(settings, len(self.crew.workers), number, feed)
        return feed

    def take_over(self) -> None:
        """The crew that was to come is the one that is asked now; the one before goes when it has finished."""
        assert self.coming is not None
        if self.coming.feed is not self.feed:
            self._lasting = metrics.merge((self._lasting, _counters(self.feed), _saved(self.feed)))
        self._left.append(self.crew)
        self.crew, self.coming = self.coming, None
        self._forget_gone()

    def drop(self) -> None:
        """The crew that was to come won't."""
        if self.coming is not None:
            self.coming.close()
            self.coming = None

    def connect(self, slot: int, restarts: int, sock: socket.socket, generation: int = FIRST) -> None:
        """A channel to the worker of the slot, which had so many before it, in place of the channel before."""
        for crew in self._crews:
            if crew.number == generation:
                crew.connect(slot, restarts, sock)
                return
        sock.close()

    @property
    def _crews(self) -> list[Crew]:
        return [self.crew, *((self.coming,) if self.coming is not None else ()), *self._left]

    def _crew(self, settings: Serving, workers: int, number: int, feed: Feed) -> Crew:
        return Crew(number, settings, feed, workers, self._forget_gone)

    def _forget_gone(self) -> None:
        """Keeps of crews that have left what they have counted, and nothing else."""
        for crew in [each for each in self._left if not each.is_there]:
            self._left.remove(crew)
            counted = (metrics.lasting(each) for each in crew.counts())
            self._lasting = metrics.merge((self._lasting, *counted))
            self._restarts += crew.restarts

    def _publish(self, feed: Feed, patch: Patch, change: Change | None) -> None:
        """Sends a patch, and what led to it, to every worker that is fed so."""
        settings = self.crew.settings
        is_first = patch.base == 0 and feed is self.feed
        if is_first and not settings.quiet and (settings.attended or isinstance(settings.source, ManifestSettings)):
            self._show_banner()
        frame = PatchFrame(encode_patch(patch))
        for crew in self._crews:
            if crew.feed is feed:
                crew.publish(patch, frame, change if crew is self.crew else None)

    def _served(self) -> int:
        """The greatest serial that any worker has been told."""
        return max(self.feed.compiler.serial, *(crew.served for crew in self._crews))

    def routes(self, name: str) -> dict[str, Route]:
        """The paths of the listener of that name."""
        pages: dict[str, dict[str, Route]] = {
            "health": {"/health": lambda _: _text(*health.health())},
            "ready": {"/ready": self._ready, "/explain": self._explain},
            "metrics": {"/metrics": self._metrics},
        }
        return pages[name.partition(" ")[0]]

    def _show_banner(self) -> None:
        """Tells the person who serves manifests, or looks on, what there is to ask."""
        from kdns.controller.banner import Served, serving_lines  # noqa: PLC0415
        from kdns.sources.manifests import ManifestSource  # noqa: PLC0415

        source, store = self.feed.source, self.feed.compiler.store
        services = (found for key in store.keys("services") if (found := store.service(key)) is not None)
        lines = serving_lines(
            [Served(service, store.slices(service.key)) for service in services],
            origin=next(
                each.home for block in self.crew.settings.servers.blocks for each in block.each(KubernetesSettings)
            ),
            listen=self.crew.settings.servers.listeners[0].address,
            made_up=source.made_up if isinstance(source, ManifestSource) else None,
            colour=terminals.colours(sys.stdout),
        )
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    # Pages

    def bow_out(self) -> None:
        """From now on the server isn't ready, though it answers: others are to be asked."""
        self._leaving = True

    async def _ready(self, query: str) -> Response:
        if self._leaving:
            return _text(503, "stopping")
        if any(block.each(Loop) for block in self.crew.settings.servers.blocks) and await self._is_looping():
            return _text(503, "loop")
        states = [self._worker_state(worker) for worker in self.crew.workers]
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
            max_age_s=self.crew.settings.max_staleness_s,
            snapshot_counts=last_known is not None and last_known.counts,
            before=self._was_ready and not self._monitors,
            notes=self._notes(),
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

    def _notes(self) -> list[str]:
        """What is to be said of reloads."""
        notes = [f"reload: failed: {line}" for line in self.news.trouble.splitlines()]
        return notes if self.coming is None else [*notes, "reload: another configuration gets ready"]

    async def _is_looping(self) -> bool:
        """Whether a worker says that forwarded questions come back."""
        await self.crew.ask_reports()
        return any(worker.report.get(("kdns_forwarding_loops", ())) for worker in self.crew.workers)

    async def _explain(self, query: str) -> Response:
        """Why a name is answered as it is; what makes this page comes with the first who asks for it."""
        if self._explaining is None:
            from kdns.controller.explaining import Explaining  # noqa: PLC0415

            self._explaining = Explaining()
        revisions = [None if worker.link is None else worker.link.acked for worker in self.crew.workers]
        return await self._explaining.page(query, self.feed, self.crew.settings, revisions)

    async def _metrics(self, _query: str) -> Response:
        await asyncio.gather(*(crew.ask_reports() for crew in self._crews))
        return 200, metrics.CONTENT_TYPE, metrics.render(self._samples()).encode()

    def _samples(self) -> Iterator[metrics.Sample]:
        counted = [counts for crew in self._crews for counts in crew.counts()]
        merged = metrics.merge((self._lasting, *counted, _counters(self.feed)))
        if self.crew.settings.probes.health:
            merged |= self.self_probe.counts()
        yield from ((name, labels, value) for (name, labels), value in merged.items())
        yield "coredns_build_info", (__version__, "", f"python{platform.python_version()}"), 1
        yield from self._plugins_enabled()
        for slot, worker in enumerate(self.crew.workers):
            acked = worker.link.acked if worker.link is not None else None
            yield "kdns_revision", (str(slot),), acked or 0
        yield "kdns_worker_restarts_total", (), self._restarts + sum(crew.restarts for crew in self._crews)
        for resource, status in self.feed.status().items():
            yield "kdns_synced", (resource,), int(status.synced)
            yield "kdns_objects", (resource,), self.feed.compiler.store.count(resource)
            age_s = self.feed.age_s(resource, status)
            if age_s is not None:
                yield "kdns_freshness_seconds", (resource,), round(age_s, 3)
            yield "kdns_store_digest", (resource,), self.feed.compiler.store.digest(resource)
            if status.audit_age_s is not None:
                yield "kdns_audit_age_seconds", (resource,), round(status.audit_age_s, 3)
        yield "kdns_snapshot_enabled", (), int(self.feed.last_known is not None)
        if self.feed.last_known is not None:
            yield from self.feed.last_known.samples()
        yield from self._reloads()
        yield from process_samples()

    def _reloads(self) -> Iterator[metrics.Sample]:
        if self.news.seen:  # else there is nothing to reload
            yield "coredns_reload_failed_total", (), self.news.failed
            yield "coredns_reload_version_info", ("sha512", self.news.digest), 1
            yield "kdns_reloads_total", (), self.news.done
            yield "kdns_reload_unreadable_total", (), self.unreadable

    def _plugins_enabled(self) -> Iterator[metrics.Sample]:
        servers = self.crew.settings.servers
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


def _counters(feed: Feed) -> metrics.Counts:
    """What a feed has counted."""
    counts: dict[metrics.Series, float] = {**feed.source.counts()}
    for resource, status in feed.status().items():
        counts["kdns_relists_total", (resource,)] = status.counters.relists
        counts["kdns_history_resets_total", (resource,)] = status.counters.rewinds
        counts["kdns_undecodable_total", (resource,)] = status.counters.undecodable
        counts["kdns_audits_total", (resource, "done")] = status.counters.audits
        counts["kdns_audits_total", (resource, "failed")] = status.counters.audits_failed
        for kind in REPAIRS:
            counts["kdns_audit_repairs_total", (resource, kind)] = status.counters.repairs[kind]
        for series, count in status.counters.problems.items():
            counts["kdns_object_problems_total", series] = count
    return counts


def _saved(feed: Feed) -> metrics.Counts:
    """What a feed has counted of its snapshot."""
    samples = () if feed.last_known is None else feed.last_known.samples()
    return metrics.lasting({(name, labels): value for name, labels, value in samples})
