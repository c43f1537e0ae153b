"""What was last known: given only where the API server doesn't come first, and replaced by what it says. Virtual time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kdns.cluster.compiler import Compiler
from kdns.cluster.objects import Delta, Key, Namespace, Reset, Resource, Service, Stamp, Synced
from kdns.cluster.snapshot import Header, Origin, Rows
from kdns.cluster.store import Store
from kdns.config.settings import ReadSettings, SnapshotSettings
from kdns.controller.lastknown import Feeding, LastKnown
from kdns.sources import snapshot
from kdns.sources.demand import demand_of
from kdns.sources.status import ResourceStatus
from kdns.zone.entry import service_owner
from kdns.zone.patch import Patch
from tests.serve.conversation import until, virtually

ORIGIN = Origin("https://10.96.0.1:443", "all")
DEMAND = demand_of(ReadSettings(pods=True))
WEB, NEW = (Service(Key("shop", name), Stamp("u", "1"), (bytes(4),)) for name in ("web", "new"))
SYSTEM = Namespace(Key("", "kube-system"), Stamp("uid-1", "1"))
AGE_S = 600


def listed(resource: Resource, *objects: Service | Namespace) -> tuple[Delta, ...]:
    return Reset(resource, objects), Synced(resource)


class Scene:
    """A compiler, the API server as far as it is known of, and what became of both."""

    def __init__(self, folder: Path) -> None:
        self.compiler = Compiler(DEMAND.compile, DEMAND.required)
        self.trouble: dict[Resource, str] = {}
        self.age_s = 0.0
        self.patches: list[tuple[float, Patch]] = []
        self.lines: list[tuple[str, dict[str, Any]]] = []
        feeding = Feeding(self.compiler, DEMAND, self.status, lambda: 70, self.publish)
        self.known = LastKnown(SnapshotSettings(str(folder)), ORIGIN, feeding, self)

    def status(self) -> dict[Resource, ResourceStatus]:
        store = self.compiler.store
        return {
            each: ResourceStatus(
                store.synced(each) and not store.stale(each), self.age_s, trouble=self.trouble.get(each)
            )
            for each in DEMAND.resources
        }

    def take(self, deltas: Iterable[Delta]) -> None:
        """What a feed does."""
        patch = self.compiler.apply(deltas, 0)
        if patch is not None:
            self.known.published()
            self.publish(patch)

    def publish(self, patch: Patch) -> None:
        self.patches.append((asyncio.get_running_loop().time(), patch))

    def info(self, event: str, /, **keys: Any) -> None:
        self.lines.append((event, keys))

    warning = info

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.lines]

    @property
    def metrics(self) -> dict[str, float]:
        return {"".join((name, *labels)): value for name, labels, value in self.known.samples()}


@asynccontextmanager
async def scene(folder: Path, *, left: bool = True) -> AsyncIterator[Scene]:
    """With a snapshot that has the Service web, unless nothing was left."""
    if left:
        store = Store()
        store.apply(Reset("services", (WEB,)))
        store.apply(Reset("namespaces", (SYSTEM,)))
        leave(folder, store.rows(DEMAND.resources))
    made = Scene(folder)
    task = asyncio.ensure_future(made.known.run())
    try:
        yield made
    finally:
        task.cancel()
        await until(task.done)  # time passes meanwhile: threads don't live in it
        with suppress(asyncio.CancelledError):
            await task


def leave(folder: Path, rows: Rows) -> None:
    counts = {resource: sum(map(len, named.values())) for resource, named in rows.items()}
    snapshot.save(folder, Header(*ORIGIN, time.time() - AGE_S, 50, counts, "uid-1"), rows)


@virtually
async def test_where_the_api_server_cannot_be_reached_it_is_given_at_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.trouble["services"] = "no route"
        await until(lambda: bool(made.patches))
        ((at, patch),) = made.patches
        assert at < 0.1
        assert (patch.base, patch.serial >= 71, patch.stale) == (0, True, True)
        assert service_owner("shop", "web") in patch.puts
        ((event, keys),) = made.lines
        assert (event, keys["reason"], keys["age_s"]) == ("answers_from_snapshot", "no route", AGE_S)
        assert made.known.age_s("services") == pytest.approx(AGE_S, abs=60)
        assert made.metrics["kdns_snapshot_serving"] == 1


@virtually
async def test_where_it_says_nothing_it_is_given_soon(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.trouble["pods"] = "403"  # which aren't waited for
        await until(lambda: bool(made.patches))
        assert made.patches[0][0] == pytest.approx(0.4, abs=0.1)


@virtually
async def test_trouble_with_what_counts_as_seen_is_no_reason_for_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.take(listed("services", NEW))
        made.trouble["services"] = "404: not installed"  # as of ServiceImports, which are required and may not be there
        await until(lambda: bool(made.patches))
        assert made.patches[0][0] == pytest.approx(2.0, abs=0.1)


@virtually
async def test_where_it_takes_long_it_is_given_in_place_of_what_is_missing(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.take(listed("services", NEW))
        await until(lambda: bool(made.patches))
        ((at, patch),) = made.patches
        assert at == pytest.approx(2.0, abs=0.1)
        assert service_owner("shop", "new") in patch.puts
        assert service_owner("shop", "web") not in patch.puts
        assert (made.known.age_s("services"), made.known.age_s("endpointslices") is None) == (None, False)


@virtually
async def test_where_it_comes_first_nothing_else_is_ever_given(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        await asyncio.sleep(0.3)
        made.take([delta for each in DEMAND.required for delta in listed(each)])
        await until(lambda: "snapshot_written" in made.events)
        await asyncio.sleep(10)
        assert [(patch.stale, dict(patch.puts)) for _, patch in made.patches] == [(False, {})]
        assert made.events == ["snapshot_written"]


@virtually
async def test_each_list_takes_the_place_of_what_was_known_and_the_last_one_says_so(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.trouble["services"] = "no route"
        await until(lambda: bool(made.patches))
        await asyncio.sleep(100)
        made.take(listed("services", WEB, NEW))
        made.take(listed("namespaces", SYSTEM))
        made.take(listed("endpointslices"))
        assert [patch.stale for _, patch in made.patches] == [True, True]
        assert made.metrics["kdns_snapshot_writes_total"] == 0
        made.take([Synced("pods")])
        assert [patch.stale for _, patch in made.patches] == [True, True, False]
        assert made.events == ["answers_from_snapshot", "answers_current_again"]
        assert made.lines[1][1]["stale_s"] == pytest.approx(100, abs=1)
        assert made.known.age_s("services") is None
        await until(lambda: made.metrics["kdns_snapshot_writes_total"] == 1)
        found = snapshot.load(tmp_path, ORIGIN, time.time())
        assert found is not None
        assert found.header.counts == {"namespaces": 1, "services": 2, "endpointslices": 0, "pods": 0}


@virtually
async def test_who_ends_before_all_is_listed_leaves_the_snapshot_as_it_was(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        before = (tmp_path / snapshot.NAME).read_bytes()
        made.trouble["services"] = "no route"
        await until(lambda: bool(made.patches))
        made.take(listed("services"))
    assert (tmp_path / snapshot.NAME).read_bytes() == before


@virtually
async def test_a_snapshot_is_as_old_as_the_last_proof_of_what_is_in_it(tmp_path: Path) -> None:
    async with scene(tmp_path, left=False) as made:
        made.age_s = 3000
        made.take([delta for each in DEMAND.required for delta in listed(each)])
        await until(lambda: made.metrics["kdns_snapshot_writes_total"] == 1)
        assert made.metrics["kdns_snapshot_age_seconds"] == pytest.approx(3000, abs=60)


@virtually
async def test_without_a_snapshot_nothing_is_given(tmp_path: Path) -> None:
    async with scene(tmp_path, left=False) as made:
        made.trouble["services"] = "no route"
        await asyncio.sleep(100)
        assert (made.patches, made.lines) == ([], [])


@virtually
async def test_rows_that_cannot_be_read_are_damage_and_leave_no_trace(tmp_path: Path) -> None:
    async with scene(tmp_path, left=False) as made:
        leave(tmp_path, {each: {"n": {"a": b"\x90"}} for each in DEMAND.resources})
        made.trouble["services"] = "no route"
        await until(lambda: bool(made.lines))
        assert made.events == ["snapshot_rejected"]
        assert made.metrics["kdns_snapshot_rejected_totaldamaged"] == 1
        assert "kdns_snapshot_age_seconds" not in made.metrics
        assert (made.patches, made.compiler.store.count("services"), made.compiler.stale) == ([], 0, False)


@virtually
async def test_another_cluster_behind_the_same_address_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.trouble["services"] = "no route"
        await until(lambda: bool(made.patches))
        made.take(
            listed("namespaces", SYSTEM._replace(stamp=Stamp("uid-2", "1")), Namespace(Key("", "n"), Stamp("u", "1")))
        )
        made.take(listed("services"))
        assert made.events == ["answers_from_snapshot", "snapshot_rejected"]
        assert made.metrics["kdns_snapshot_rejected_totalcluster"] == 1
