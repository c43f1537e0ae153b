"""The controller with a real source of manifests and real links: what workers are sent, and what the pages say.

The workers' ends live in the test's loop, on socket pairs; time is virtual.
"""

import asyncio
import contextlib
import inspect
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from kdns import __version__
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.probes import Monitor, Ready
from kdns.config.directives.view import View
from kdns.config.serving import Block, Listener, Probes, Route, Servers, Serving
from kdns.config.settings import Address
from kdns.config.settings import ManifestSource as ManifestSettings
from kdns.controller.controller import Controller
from kdns.dns.names import ROOT, from_text
from kdns.ops.metrics import Series, encode_report
from kdns.serve.channel import Ack, Hello, encode
from kdns.serve.configuration import FIRST, News
from kdns.serve.link import WorkerLink
from kdns.zone.entry import service_owner
from kdns.zone.index import Index
from kdns.zone.patch import Patch
from tests.config.directives import chain
from tests.serve.conversation import until, virtually

LISTEN = Address("127.0.0.1", 1053)
FREE = Address("127.0.0.1", 0)
BLOCK = Block((ROOT,), (Kubernetes(zones=(from_text("cluster.local."),), pods="insecure"),))
HITS: Series = ("kdns_memo_hits_total", ())
ENTRIES: Series = ("kdns_memo_entries", ())


def service(name: str, spec: str = "{clusterIP: 10.96.0.5}") -> str:
    return f"---\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n"


class Worker:
    """A worker's part: keeps an index, reports what the test says."""

    def __init__(self) -> None:
        self.index = Index()
        self.counts: dict[Series, float] = {}
        self.octets: bytes | None = None  # to report in their place
        self.lost: list[str] = []
        self.links: list[WorkerLink] = []

    def changed(self, patch: Patch) -> None:
        self.index.apply(patch)

    def replaced(self, staged: Index, revision: int, serial: int) -> None:
        self.index.adopt(staged, revision, serial)

    def report(self) -> bytes:
        return encode_report(self.counts) if self.octets is None else self.octets

    def has(self, name: str) -> bool:
        return service_owner("shop", name) in self.index.entries


class Scene:
    """A controller, and the workers that were connected to it."""

    def __init__(self, folder: Path, workers: int, blocks: tuple[Block, ...]) -> None:
        routes = tuple(Route(ROOT, number) for number in range(len(blocks)))
        self.controller = Controller(
            Serving(
                servers=Servers(blocks, (Listener(LISTEN, "dns", routes),)),
                source=ManifestSettings((str(folder),)),
                probes=Probes((FREE,), (FREE,), (FREE,)),
                workers=workers,
            ),
            workers,
        )
        self.file = folder / "a.yaml"
        self.opened: list[socket.socket] = []
        self.links: list[WorkerLink] = []

    def connect(self, slot: int, worker: Worker, process: int = 0, generation: int = FIRST) -> Worker:
        """A channel between the slot and the worker, which has had so many predecessors there."""
        ours, theirs = socket.socketpair()
        self.opened += (ours, theirs)
        self.controller.connect(slot, process, ours, generation)
        self.links.append(WorkerLink(theirs, asyncio.get_running_loop(), worker, worker.lost.append))
        return worker

    def hold(self, slot: int) -> socket.socket:
        """A channel whose worker never reads nor writes by itself."""
        ours, theirs = socket.socketpair()
        self.opened += (ours, theirs)
        self.controller.connect(slot, 0, ours)
        return theirs

    async def page(self, name: str, query: str = "") -> tuple[int, str]:
        answered = self.controller.routes(name)[f"/{name}"](query)
        status, _, body = await answered if inspect.isawaitable(answered) else answered
        return status, body.decode()

    async def metrics(self) -> dict[str, float]:
        """The page's series by their text."""
        status, body = await self.page("metrics")
        assert status == 200
        lines = (line.rpartition(" ") for line in body.splitlines() if not line.startswith("#"))
        return {series: float(value) for series, _, value in lines}

    async def ready(self) -> None:
        """Waits, at most 100 s of virtual time."""
        for _ in range(10_000):
            if (await self.page("ready"))[0] == 200:
                return
            await asyncio.sleep(0.01)
        pytest.fail("it never became ready")

    def close(self) -> None:
        for link in self.links:
            link.close()
        for worker in self.controller.crew.workers:
            if worker.link is not None:
                worker.link.close()
        for sock in self.opened:
            sock.close()


@asynccontextmanager
async def scene(
    folder: Path,
    workers: int = 2,
    text: str | None = None,
    *,
    fed: bool = True,
    blocks: tuple[Block, ...] = (BLOCK,),
) -> AsyncIterator[Scene]:
    made = Scene(folder, workers, blocks)
    made.file.write_text(service("web") if text is None else text)
    source = asyncio.ensure_future(made.controller.feed.run()) if fed else None
    try:
        yield made
    finally:
        if source is not None:
            source.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await source
        made.close()


def holds(page: Mapping[str, float], expected: Mapping[str, float]) -> None:
    assert {series: page.get(series) for series in expected} == expected


# What workers are sent


@virtually
async def test_every_worker_is_sent_what_the_source_says_and_each_change(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        workers = [made.connect(slot, Worker()) for slot in range(2)]
        await until(lambda: all(worker.has("web") for worker in workers))
        made.file.write_text(service("web") + service("db"))
        await until(lambda: all(worker.has("db") for worker in workers))
        made.file.write_text(service("db"))
        await until(lambda: not any(worker.has("web") for worker in workers))
        assert [worker.index.revision for worker in workers] == [3, 3]


@virtually
async def test_a_worker_that_comes_late_gets_the_image(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        first = made.connect(0, Worker())
        await until(lambda: first.has("web"))
        second = made.connect(1, Worker())
        await until(lambda: second.has("web"))
        assert second.index.serial == first.index.serial


@virtually
async def test_a_new_channel_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1) as made:
        first, second = made.connect(0, Worker()), made.connect(0, Worker(), process=1)
        await until(lambda: second.has("web"))
        await until(lambda: first.lost == ["closed by the other side"])
        made.file.write_text(service("db"))
        await until(lambda: second.has("db"))
        assert not first.has("db")
        await made.ready()


@virtually
async def test_the_banner_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with scene(tmp_path, workers=1) as made:
        worker = made.connect(0, Worker())
        await until(lambda: worker.has("web"))
        made.file.write_text(service("web") + service("db"))
        await until(lambda: worker.has("db"))
    assert capsys.readouterr().out.count("kdns serves 1 Service of cluster.local on 127.0.0.1:1053") == 1


# Health and readiness


@virtually
async def test_health_is_ok_before_anything_is(tmp_path: Path) -> None:
    async with scene(tmp_path, fed=False) as made:
        assert await made.page("health") == (200, "OK")


@virtually
async def test_not_ready_before_the_source_has_been_read(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1, fed=False) as made:
        made.connect(0, Worker())
        await asyncio.sleep(1)
        assert await made.page("ready") == (503, "kubernetes")
        _, body = await made.page("ready", "verbose")
        assert body.splitlines() == [
            "kubernetes",
            *(f"{name}: not synced" for name in ("endpointslices", "namespaces", "pods", "services")),
            "worker 0: no index yet",
        ]


@virtually
async def test_ready_once_every_worker_serves_the_index_and_not_while_one_is_gone(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        first = made.connect(0, Worker())
        await until(lambda: first.has("web"))
        await asyncio.sleep(1)
        assert await made.page("ready") == (503, "kubernetes")
        made.connect(1, Worker())
        await made.ready()
        assert await made.page("ready") == (200, "OK")
        made.links[0].close()
        await asyncio.sleep(1)
        assert (await made.page("ready", "verbose"))[1].splitlines()[-2:] == [
            "worker 0: not running",
            "worker 1: serves revision 1",
        ]
        made.connect(0, Worker(), process=1)
        await made.ready()


@pytest.mark.parametrize(("monitor", "status"), [("until-ready", 200), ("continuously", 503)])
@virtually
async def test_monitor_says_whether_what_has_been_ready_stays_so(monitor: Monitor, status: int, tmp_path: Path) -> None:
    block = BLOCK._replace(settings=(Ready(monitor=monitor), *BLOCK.settings))
    async with scene(tmp_path, workers=1, blocks=(block,)) as made:
        made.connect(0, Worker())
        await made.ready()
        made.links[0].close()
        await asyncio.sleep(1)
        assert (await made.page("ready"))[0] == status
        made.controller.bow_out()
        assert (await made.page("ready"))[0] == 503


@virtually
async def test_an_empty_cluster_is_ready(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1, text="") as made:
        made.connect(0, Worker())
        await made.ready()


@virtually
async def test_manifests_that_become_unreadable_leave_it_ready_and_are_named(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1) as made:
        worker = made.connect(0, Worker())
        await made.ready()
        made.file.write_text("a: [")
        await asyncio.sleep(1)
        status, body = await made.page("ready", "verbose")
        assert status == 200
        assert f"services: synced: {made.file}:2:1: " in body
        assert worker.has("web")


# Metrics


@virtually
async def test_the_page_tells_what_is_served_and_of_what(tmp_path: Path) -> None:
    text = service("web") + service("db") + "---\nkind: Namespace\nmetadata: {name: empty}\n"
    async with scene(tmp_path, text=text) as made:
        for slot in range(2):
            made.connect(slot, Worker())
        await made.ready()
        page = await made.metrics()
        holds(
            page,
            {
                'kdns_revision{worker="0"}': 1,
                'kdns_revision{worker="1"}': 1,
                'kdns_synced{resource="services"}': 1,
                'kdns_objects{resource="services"}': 2,
                'kdns_objects{resource="namespaces"}': 2,
                'kdns_objects{resource="pods"}': 0,
                'coredns_plugin_enabled{server="dns://127.0.0.1:1053",zone=".",view="",name="kubernetes"}': 1,
                "kdns_worker_restarts_total": 0,
            },
        )
        assert 0 <= page['kdns_freshness_seconds{resource="services"}'] < 1
        assert [series for series in page if series.startswith(f'coredns_build_info{{version="{__version__}"')]


@virtually
async def test_a_directive_of_several_lines_is_on_once_in_each_view(tmp_path: Path) -> None:
    rewrites = chain("rewrite type A AAAA\nrewrite type MX A").settings
    viewed = Block((ROOT,), (View(name="inside"), *rewrites))
    async with scene(tmp_path, blocks=(viewed, Block((ROOT,), (*rewrites, *BLOCK.settings)))) as made:
        on = [series for series in await made.metrics() if series.startswith("coredns_plugin_enabled")]
    server = 'coredns_plugin_enabled{server="dns://127.0.0.1:1053",zone="."'
    assert on == [
        f'{server},view="",name="kubernetes"}}',
        f'{server},view="",name="rewrite"}}',
        f'{server},view="inside",name="rewrite"}}',
        f'{server},view="inside",name="view"}}',
    ]


@virtually
async def test_before_anything_is_there_the_page_says_so(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1, fed=False) as made:
        page = await made.metrics()
        holds(page, {'kdns_revision{worker="0"}': 0, 'kdns_synced{resource="services"}': 0})
        assert 'kdns_freshness_seconds{resource="services"}' not in page


@virtually
async def test_the_workers_reports_are_added_up_as_they_are_at_the_moment_of_asking(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        one, other = (made.connect(slot, Worker()) for slot in range(2))
        one.counts, other.counts = {HITS: 5, ENTRIES: 2}, {HITS: 7, ENTRIES: 1}
        holds(await made.metrics(), {"kdns_memo_hits_total": 12, "kdns_memo_entries": 3})
        one.counts = {HITS: 50, ENTRIES: 0}
        holds(await made.metrics(), {"kdns_memo_hits_total": 57, "kdns_memo_entries": 1})


@virtually
async def test_the_counters_of_a_worker_that_is_gone_stay_and_its_gauges_go_with_its_successor(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        one, other = (made.connect(slot, Worker()) for slot in range(2))
        one.counts, other.counts = {HITS: 5, ENTRIES: 2}, {HITS: 7, ENTRIES: 1}
        await made.metrics()
        made.links[0].close()
        await asyncio.sleep(1)
        holds(await made.metrics(), {"kdns_memo_hits_total": 12, "kdns_worker_restarts_total": 0})
        for process in (1, 2):
            successor = made.connect(0, Worker(), process)
            successor.counts = {HITS: 1, ENTRIES: 1}
            expected = {"kdns_memo_hits_total": 12 + process, "kdns_memo_entries": 2}
            holds(await made.metrics(), {**expected, "kdns_worker_restarts_total": process})


@virtually
async def test_another_channel_to_the_same_worker_counts_nothing_twice(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1) as made:
        worker = made.connect(0, Worker())
        worker.counts = {HITS: 5, ENTRIES: 2}
        expected = {"kdns_memo_hits_total": 5, "kdns_memo_entries": 2, "kdns_worker_restarts_total": 0}
        holds(await made.metrics(), expected)
        made.links[0].close()
        made.connect(0, worker)
        holds(await made.metrics(), expected)


@virtually
async def test_workers_that_a_controller_before_it_lost_are_restarts_too(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.connect(0, Worker(), process=3)
        made.connect(1, Worker(), process=0)
        holds(await made.metrics(), {"kdns_worker_restarts_total": 3})


@virtually
async def test_a_worker_that_does_not_report_delays_the_page_by_half_a_second(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.connect(0, Worker()).counts = {HITS: 5}
        made.hold(1)
        before = asyncio.get_running_loop().time()
        holds(await made.metrics(), {"kdns_memo_hits_total": 5})
        assert asyncio.get_running_loop().time() - before == pytest.approx(0.5, abs=0.2)


@virtually
async def test_two_pages_asked_for_at_once_are_both_made(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1) as made:
        made.connect(0, Worker()).counts = {HITS: 5}
        for page in await asyncio.gather(made.metrics(), made.metrics()):
            holds(page, {"kdns_memo_hits_total": 5})


@pytest.mark.parametrize("octets", [b"", b"[1]", b'[["no_such_family", [], 1]]', b"\xff"])
@virtually
async def test_a_report_that_is_none_leaves_the_last_one_and_the_link(octets: bytes, tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1) as made:
        worker = made.connect(0, Worker())
        worker.counts = {HITS: 5}
        await made.metrics()
        worker.octets = octets
        with structlog.testing.capture_logs() as lines:
            for _ in range(2):
                holds(await made.metrics(), {"kdns_memo_hits_total": 5})
        assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["report_unreadable"]
        worker.octets, worker.counts = None, {HITS: 6}
        holds(await made.metrics(), {"kdns_memo_hits_total": 6})
        assert worker.lost == []


@virtually
async def test_what_was_left_out_of_manifests_is_counted_and_logged_once(tmp_path: Path) -> None:
    broken = service("odd", "{clusterIP: nonsense}")
    with structlog.testing.capture_logs() as lines:
        async with scene(tmp_path, workers=1, text=broken) as made:
            worker = made.connect(0, Worker())
            await made.ready()
            made.file.write_text(broken + service("web"))
            await until(lambda: worker.has("web"))
            page = await made.metrics()
    told = [line["subject"] for line in lines if line["event"] == "object_left_out"]
    assert [subject.split()[0] for subject in told] == ["Service/shop/odd"]
    holds(page, {f'kdns_object_problems_total{{kind="Service",field="{told[0].split()[1]}"}}': 1})


# Another configuration


@virtually
async def test_what_workers_that_left_have_counted_stays(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1) as made:
        old = made.connect(0, Worker())
        old.counts = {HITS: 7, ENTRIES: 3}
        await made.ready()
        await made.metrics()
        made.controller.prepare(made.controller.crew.settings, 2)
        new = made.connect(0, Worker(), generation=2)
        new.counts = {HITS: 1, ENTRIES: 1}
        await until(lambda: new.has("web"))
        made.controller.take_over()
        assert (await made.metrics())["kdns_memo_hits_total"] == 8
        old.counts = {HITS: 9, ENTRIES: 3}
        made.links[0].tell()  # the last words of who leaves
        made.links[0].close()
        await until(lambda: not made.controller._left)
        holds(await made.metrics(), {"kdns_memo_hits_total": 10, "kdns_memo_entries": 1})
        assert (await made.page("ready"))[0] == 200


@virtually
async def test_workers_that_won_t_come_leave_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1) as made:
        made.connect(0, Worker())
        await made.ready()
        made.controller.prepare(made.controller.crew.settings, 2)
        new = made.connect(0, Worker(), generation=2)
        assert "another configuration gets ready" in (await made.page("ready", "verbose"))[1]
        made.controller.drop()
        await until(lambda: bool(new.lost))
        assert await made.page("ready") == (200, "OK")
        late = made.connect(0, Worker(), generation=2)  # a channel that was on its way
        await until(lambda: bool(late.lost))


@virtually
async def test_a_failed_reload_is_a_line_of_ready_and_a_number(tmp_path: Path) -> None:
    async with scene(tmp_path, workers=1) as made:
        made.connect(0, Worker())
        await made.ready()
        assert "coredns_reload_failed_total" not in await made.metrics()  # there is no file to reload
        made.controller.news = News(
            done=1, failed=2, trouble="Corefile:1:1: error: a\nCorefile:2:1: error: b", seen="s"
        )
        status, body = await made.page("ready", "verbose")
        assert status == 200
        assert body.endswith("reload: failed: Corefile:1:1: error: a\nreload: failed: Corefile:2:1: error: b\n")
        holds(await made.metrics(), {"coredns_reload_failed_total": 2, "kdns_reloads_total": 1})


@virtually
async def test_a_change_is_timed_until_the_last_worker_serves_it(tmp_path: Path) -> None:
    name = "kdns_change_to_servable_seconds_count"
    async with scene(tmp_path) as made:
        quick, slow = made.connect(0, Worker()), made.hold(1)
        await until(lambda: quick.has("web"))
        slow.sendall(encode(Hello()) + encode(Ack(1)))
        links = [worker.link for worker in made.controller.crew.workers if worker.link is not None]
        await until(lambda: [link.acked for link in links] == [1, 1])
        made.file.write_text(service("shop"))
        await until(lambda: [link.acked for link in links] == [2, 1])
        assert (await made.metrics())[name] == 0  # nor is what was there from the start a change
        slow.sendall(encode(Ack(2)))
        await until(lambda: [link.acked for link in links] == [2, 2])
        assert (await made.metrics())[name] == 1
