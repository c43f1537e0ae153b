"""/ready and kdns_freshness_seconds while an API server sins: what a probe and a dashboard are told."""

import asyncio
import contextlib
import inspect
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.serving import Block, Listener, Probes, Route, Servers, Serving
from kdns.config.settings import Address, ApiEndpoint, ClusterSource
from kdns.controller.controller import Controller
from kdns.dns.names import ROOT, from_text
from kdns.serve.link import WorkerLink
from kdns.zone.index import Index
from kdns.zone.patch import Patch
from tests.faults.faulty_api import FaultyApi, refusal, serving
from tests.faults.scene import plain
from tests.faults.sins import SINS, Refuses
from tests.serve.conversation import virtually

LIMIT_S = 300.0


class Worker:
    """A worker that only serves."""

    def __init__(self) -> None:
        self.index = Index()

    def changed(self, patch: Patch) -> None:
        self.index.apply(patch)

    def replaced(self, staged: Index, revision: int, serial: int) -> None:
        self.index.adopt(staged, revision, serial)

    def report(self) -> bytes:
        return b"[]"


class Pages:
    """What the controller says."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def get(self, name: str, query: str = "") -> tuple[int, str]:
        answered = self._controller.routes(name)[f"/{name}"](query)
        status, _, body = await answered if inspect.isawaitable(answered) else answered
        return status, body.decode()

    async def ready(self) -> bool:
        return (await self.get("ready"))[0] == 200

    async def freshness_s(self, resource: str) -> float:
        lines = (await self.get("metrics"))[1].splitlines()
        (value,) = (
            line.split()[1] for line in lines if line.startswith(f'kdns_freshness_seconds{{resource="{resource}"')
        )
        return float(value)


@asynccontextmanager
async def ready(api: FaultyApi, pods: bool = False) -> AsyncIterator[Pages]:
    """The pages of a controller that reads the server's cluster, once it is ready, with a limit of staleness."""
    everywhere = Address("127.0.0.1", 0)
    block = Block((ROOT,), (Kubernetes(zones=(from_text("cluster.local."),), pods="verified" if pods else "insecure"),))
    ours, theirs = socket.socketpair()
    async with serving(api):
        controller = Controller(
            Serving(
                servers=Servers((block,), (Listener(everywhere, "dns", (Route(ROOT, 0),)),)),
                source=ClusterSource(endpoint=ApiEndpoint(api.url), audit_s=0),
                probes=Probes((everywhere,), (everywhere,), (everywhere,)),
                workers=1,
                max_staleness_s=LIMIT_S,
            ),
            1,
        )
        task = asyncio.create_task(controller.feed.run())
        controller.connect(0, 0, ours)
        link = WorkerLink(theirs, asyncio.get_running_loop(), Worker(), lambda _: None)
        pages = Pages(controller)
        try:
            await asyncio.sleep(1)
            assert await pages.get("ready") == (200, "OK")
            yield pages
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            link.close()
            if (theirs_link := controller.crew.workers[0].link) is not None:
                theirs_link.close()


@virtually
async def test_a_server_that_is_away_for_longer_than_the_limit_makes_it_unready_and_its_return_ready() -> None:
    api = plain()
    async with ready(api) as pages:
        await asyncio.sleep(200)
        await api.close()
        await asyncio.sleep(LIMIT_S - 61)
        assert await pages.get("ready") == (200, "OK")
        await asyncio.sleep(62)
        status, body = await pages.get("ready")
        assert status == 503
        first, *reasons = body.splitlines()
        assert first == "kubernetes"
        assert [line.split(":")[0] for line in reasons] == ["endpointslices", "namespaces", "services"]
        assert "at most 300 s are allowed: " in reasons[0]
        assert "Connect call failed" in reasons[0]
        assert await pages.get("health") == (200, "OK")
        assert await pages.freshness_s("services") > LIMIT_S
        await api.open()
        await asyncio.sleep(15)
        assert await pages.get("ready") == (200, "OK")
        assert await pages.freshness_s("services") < 15


@virtually
async def test_a_quiet_day_is_no_staleness() -> None:
    async with ready(plain()) as pages:
        ages = []
        for _ in range(60):
            await asyncio.sleep(50)
            assert await pages.ready()
            ages.append(await pages.freshness_s("services"))
        assert max(ages) <= 70


@virtually
async def test_watches_that_end_each_second_are_no_staleness() -> None:
    api = plain()
    async with ready(api) as pages:
        api.sins = [SINS["K08"]()]
        api.end_watches()
        ages = []
        for _ in range(20):
            await asyncio.sleep(50)
            ages.append(await pages.freshness_s("services"))
        assert max(ages) < 20


@virtually
async def test_what_nobody_waits_for_may_be_as_old_as_it_likes() -> None:
    api = plain()
    async with ready(api, pods=True) as pages:
        api.sins = [Refuses(refusal(403, "Forbidden"), lambda ask: ask.resource == "pods")]
        api.end_watches()
        await asyncio.sleep(1000)
        assert await pages.freshness_s("pods") > 900
        assert await pages.ready()


@virtually
async def test_one_resource_that_is_refused_is_enough() -> None:
    api = plain()
    async with ready(api) as pages:
        api.sins = [Refuses(refusal(403, "Forbidden"), lambda ask: ask.resource == "services")]
        api.end_watches()
        await asyncio.sleep(400)
        _, body = await pages.get("ready")
        assert body.startswith("kubernetes\nservices: not proven fresh for ")
        assert "403" in body
        assert "namespaces" not in body.splitlines()[1].split(":")[0]
