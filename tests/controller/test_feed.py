"""The feed: what a configuration wishes of the cluster, and what is told where it can't be had."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from kdns.cluster.objects import Delta, Key, Namespace, Reset, Resource, Service, Stamp, Synced
from kdns.config.settings import ApiEndpoint, ClusterSource, ReadSettings, SnapshotSettings
from kdns.controller.feed import Feed, Wish
from kdns.controller.lastknown import origin_of
from kdns.sources import snapshot
from kdns.sources.demand import demand_of
from kdns.sources.errors import SourceError


def off(wish: Wish) -> list[tuple[str, str]]:
    """What is told of there being no snapshot: level and reason."""
    with structlog.testing.capture_logs() as lines:
        assert Feed(wish, lambda *_: None, lambda: 0).last_known is None
    return [(line["log_level"], line["reason"]) for line in lines if line["event"] == "snapshot_off"]


def test_a_pod_without_a_volume_is_told_which_one_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    with structlog.testing.capture_logs() as lines:
        Feed(Wish(ClusterSource(), ReadSettings()), lambda *_: None, lambda: 0)
    assert lines == [
        {
            "event": "snapshot_off",
            "log_level": "info",
            "reason": "no folder for it",
            "add": "a volume such as an emptyDir at /var/lib/kdns",
        }
    ]


def test_a_snapshot_of_no_cluster_is_told_and_one_nobody_asked_for_is_not() -> None:
    endpoint = ClusterSource(endpoint=ApiEndpoint("http://127.0.0.1:1"))
    assert off(Wish(None, ReadSettings(), SnapshotSettings("/state"))) == [
        ("warning", "no server block serves a cluster")
    ]
    assert off(Wish(None, ReadSettings())) == []
    assert off(Wish(endpoint, ReadSettings())) == []


def test_a_cluster_with_a_folder_has_a_snapshot(tmp_path: Path) -> None:
    endpoint = ClusterSource(endpoint=ApiEndpoint("http://127.0.0.1:1"))
    feed = Feed(
        Wish(endpoint, ReadSettings(), SnapshotSettings(str(tmp_path), counts=False)), lambda *_: None, lambda: 0
    )
    assert feed.last_known is not None
    assert not feed.last_known.counts


NOBODY = ClusterSource(endpoint=ApiEndpoint("http://127.0.0.1:1"))
WEB = Service(Key("shop", "web"), Stamp("u", "1"), (bytes(4),))
SHOP = Namespace(Key("", "shop"), Stamp("n", "1"))


def listed() -> list[Delta]:
    """All that is required, seen whole."""
    objects: dict[Resource, tuple[Service | Namespace, ...]] = {"services": (WEB,), "namespaces": (SHOP,)}
    required = demand_of(ReadSettings()).required
    return [delta for each in required for delta in (Reset(each, objects.get(each, ())), Synced(each))]


def saving_feed(folder: Path) -> Feed:
    return Feed(Wish(NOBODY, ReadSettings(), SnapshotSettings(str(folder))), lambda *_: None, lambda: 0)


async def turns() -> None:
    """Everything that needs only the event loop comes to pass."""
    for _ in range(200):
        await asyncio.sleep(0)


@pytest.mark.parametrize("sooner", [False, True])
def test_a_feed_is_not_over_before_what_changed_last_is_saved(tmp_path: Path, sooner: bool) -> None:
    """However long it takes until a thread has time to write, and where no turn lies between the change and the end."""
    free = threading.Event()

    async def story() -> None:
        asyncio.get_running_loop().set_default_executor(busy := ThreadPoolExecutor(1))
        feed = saving_feed(tmp_path)
        running = asyncio.ensure_future(feed.run())
        await turns()
        busy.submit(free.wait)
        feed.take(listed())
        if not sooner:
            await turns()
        running.cancel()
        await turns()
        over_before = running.done()
        free.set()
        with suppress(asyncio.CancelledError):
            await running
        assert not over_before

    asyncio.run(story())
    found = snapshot.load(tmp_path, origin_of(NOBODY, demand_of(ReadSettings())), time.time())
    assert found is not None
    assert list(found.rows["services"]["shop"]) == ["web"]


def test_a_source_that_cannot_be_is_told_to_whoever_runs_the_feed(tmp_path: Path) -> None:
    wish = Wish(NOBODY, ReadSettings(), SnapshotSettings(str(tmp_path)))
    feed = Feed(wish, lambda *_: None, lambda: 0)

    async def refuse() -> None:
        raise SourceError("no credentials")

    feed.source.run = refuse  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="no credentials"):
        asyncio.run(feed.run())
