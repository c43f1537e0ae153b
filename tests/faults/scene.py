"""A scene: a faulty API server, and the cluster read from it and served, with all that a user could notice.

The feed is the real one, with its sockets, in virtual time; what a worker would have is an index that takes the patches
as they come. Of names that are watched over, every answer that was ever published is kept.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from kdns.cluster.objects import Resource
from kdns.config.settings import ApiEndpoint, ClusterSource, ReadSettings
from kdns.controller.feed import Feed, Wish
from kdns.controller.servable import Change
from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.zone.index import Index
from kdns.zone.patch import Patch
from kdns.zone.schema import Zone, answer
from tests.faults.faulty_api import FaultyApi, Json, namespace, service, serving
from tests.zone.zonefile import data

SET = from_text("clusterset.local")
ZONE = Zone(
    (from_text("cluster.local"), SET), (from_text("in-addr.arpa"),), (), 5, "insecure", imports=frozenset((SET,))
)
AUDIT_S = 600.0
PATIENCE_S = 7200.0  # virtual


class Scene:
    """The server's side and the clients'."""

    def __init__(self, api: FaultyApi, source: ClusterSource, reading: ReadSettings, watched: tuple[str, ...]) -> None:
        self.api = api
        self.index = Index()
        self.revisions: list[float] = []  # when each came
        self.answers: dict[str, list[set[str]]] = {name: [] for name in watched}
        self.log: list[Any] = []
        self.feed = Feed(Wish(source, reading), self._publish, lambda: 0)

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def said(self, name: str, rtype: str = "A") -> set[str]:
        """What a client is told of a name below the zone, or of a whole one that ends in a dot: data, or the rcode."""
        whole = from_text(name if name.endswith(".") else f"{name}.svc.cluster.local.")
        found = answer(self.index, ZONE, Query(whole, getattr(types, rtype)))
        assert found is not None
        rdatas = {data(one.rtype, rdata) for one in found.answer.answers for rdata in one.rdatas}
        return rdatas or {types.rcode_text(found.answer.rcode)}

    def freshness_s(self, resource: Resource = "services") -> float:
        """kdns_freshness_seconds."""
        age_s = self.feed.status()[resource].age_s
        assert age_s is not None
        return age_s

    def counters(self, resource: Resource = "services") -> Any:
        return self.feed.status()[resource].counters

    def events(self, name: str) -> list[Any]:
        """The lines of the log with this event."""
        return [line for line in self.log if line["event"] == name]

    async def until(self, condition: Callable[[], bool], within_s: float = PATIENCE_S) -> float:
        """Waits for the condition, at first looking often, then each second, then each five; how many seconds that took."""
        began = self.now
        while not condition():
            waited_s = self.now - began
            assert waited_s <= within_s, f"not within {within_s:g} s"
            await asyncio.sleep(0.1 if waited_s < 5 else 1 if waited_s < 120 else 5)
        return self.now - began

    async def comes_to(self, name: str, expected: set[str], within_s: float = PATIENCE_S) -> float:
        """Waits until a client is told this; how many seconds that took."""
        return await self.until(lambda: self.said(name) == expected, within_s)

    def digest(self, resource: Resource = "services") -> int:
        return self.feed.compiler.store.digest(resource)

    def agrees(self) -> bool:
        """Whether what is known is exactly what the server has."""
        store = self.feed.compiler.store
        return all(
            {key: store.stamp(resource, key) for key in store.keys(resource)}
            == {place: _stamp(each) for place, each in self.api.objects.get(resource, {}).items()}
            for resource in self.feed.status()
        )

    def _publish(self, _feed: Feed, patch: Patch, _change: Change | None) -> None:
        if patch.base == 0:
            image = self.feed.image()
            assert image is not None
            self.index.load(image)
        else:
            self.index.apply(patch)
        self.revisions.append(self.now)
        for name, told in self.answers.items():
            told.append(self.said(name))


def _stamp(content: Json) -> tuple[str, str]:
    return content["metadata"]["uid"], content["metadata"]["resourceVersion"]


@asynccontextmanager
async def scene(
    api: FaultyApi | None = None,
    *watched: str,
    audit_s: float = AUDIT_S,
    kubeconfig: Path | None = None,
    pods: bool = False,
    imports: bool = False,
    synced: bool = True,
) -> AsyncIterator[Scene]:
    """A scene of a server that has two namespaces and the Service web in shop, read whole at the beginning."""
    made_api = api or plain()
    with capture_logs() as lines:
        async with serving(made_api):
            source = ClusterSource(
                kubeconfig=None if kubeconfig is None else str(kubeconfig),
                endpoint=ApiEndpoint(made_api.url) if kubeconfig is None else None,
                audit_s=audit_s,
            )
            made = Scene(made_api, source, ReadSettings(pods=pods, imports=imports), watched)
            made.log = lines
            task = asyncio.create_task(made.feed.run())
            try:
                if synced:
                    await made.until(lambda: bool(made.revisions) and len(made_api.watching) >= 3 + pods + imports)
                yield made
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def plain(version: int = 1000) -> FaultyApi:
    """A server without sins."""
    api = FaultyApi(version)
    api.put("namespaces", namespace("kube-system"), namespace("shop"))
    api.put("services", service("web"))
    return api
