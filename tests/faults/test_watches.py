"""Watches that end, expire, fall silent, repeat themselves or come in drops: what clients are told meanwhile, and afterwards."""

import asyncio

import pytest

from kdns.cluster.patience import WATCH_IDLE_S
from tests.faults.faulty_api import Sin, service
from tests.faults.scene import Scene, plain, scene
from tests.faults.sins import SINS
from tests.serve.conversation import virtually
from tests.virtual_time import VirtualTimeLoop

OLD, NEW = {"10.96.0.1"}, {"10.96.0.9"}


def change_web(it: Scene) -> None:
    it.api.put("services", service("web", "10.96.0.9"))


def only_old_then_new(it: Scene, name: str = "web.shop") -> None:
    """Whether clients were told the old state, then the new one, and nothing else."""
    told = it.answers[name]
    assert told == [OLD] * told.count(OLD) + [NEW] * told.count(NEW)
    assert told[-1] == NEW


@pytest.mark.parametrize("sins", [[], [SINS["K07"]()]], ids=["K06: by a status", "K07: by an event"])
@virtually
async def test_a_history_that_was_compacted_is_listed_anew_and_the_old_state_served_until_then(sins: list[Sin]) -> None:
    async with scene(None, "web.shop") as it:
        await it.api.close()
        change_web(it)
        it.api.put("services", service("ghost"))
        it.api.drop("services", "ghost")
        it.api.compact()
        it.api.sins = sins
        await it.api.open()
        await it.comes_to("web.shop", NEW, within_s=30)
        assert it.counters().relists == 1
        only_old_then_new(it)


@virtually
async def test_watches_that_end_each_second_delay_no_change_by_more_than_six() -> None:
    async with scene(None, "web.shop") as it:
        it.api.sins = [SINS["K08"]()]
        it.api.end_watches()
        await asyncio.sleep(60)
        change_web(it)
        assert await it.comes_to("web.shop", NEW) <= 6
        assert it.freshness_s() < 10


@pytest.mark.parametrize("after_s", [0, 59, 200])
@virtually
async def test_a_half_open_connection_is_noticed_within_100_seconds(after_s: float) -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        await asyncio.sleep(after_s)
        it.api.hold()
        held, connections = it.now, it.api.connections
        change_web(it)
        await it.comes_to("web.shop", NEW)
        assert it.revisions[-1] - held <= WATCH_IDLE_S
        assert it.api.connections > connections
        assert it.counters().relists == 0
        only_old_then_new(it)


@virtually
async def test_without_bookmarks_a_half_open_connection_is_still_noticed() -> None:
    api = plain()
    api.bookmark_s = None
    async with scene(api, "web.shop", audit_s=0) as it:
        await asyncio.sleep(3000)
        it.api.hold()
        change_web(it)
        assert await it.comes_to("web.shop", NEW) <= 315
        assert it.counters().relists == 0


@virtually
async def test_without_bookmarks_freshness_is_proven_by_new_watches_and_audits() -> None:
    api = plain()
    api.bookmark_s = None
    async with scene(api) as it:
        ages = []
        for _ in range(40):
            await asyncio.sleep(50)
            ages.append(it.freshness_s())
        assert 100 < max(ages) <= 310
        assert it.counters().relists == 0


@virtually
async def test_events_that_come_twice_are_no_second_revision() -> None:
    async with scene(None, "web.shop") as it:
        it.api.sins = [SINS["K11"]()]
        change_web(it)
        await asyncio.sleep(10)
        assert len(it.answers["web.shop"]) == 2
        only_old_then_new(it)


@virtually
async def test_what_an_older_event_behind_a_newer_one_spoils_the_next_audit_mends() -> None:
    async with scene() as it:
        it.api.sins = [SINS["K12"]()]
        it.api.put("services", service("web", "10.96.0.5"))
        change_web(it)
        await it.comes_to("web.shop", {"10.96.0.5"})
        await it.comes_to("web.shop", NEW)
        assert it.counters().repairs == {"outdated": 1}
        assert it.agrees()


@virtually
async def test_changes_of_what_was_never_told_of_are_taken() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        it.api.sins = [SINS["K13"]()]
        it.api.put("services", service("late", "10.96.0.2"))
        it.api.put("services", service("late", "10.96.0.3"))
        await it.comes_to("late.shop", {"10.96.0.3"})
        it.api.sins = [SINS["K13"]()]
        it.api.put("services", service("unseen", "10.96.0.4"))
        it.api.drop("services", "unseen")
        await asyncio.sleep(5)
        assert it.agrees()
        assert {frozenset(told) for told in it.answers["web.shop"]} == {frozenset(OLD)}


@virtually
async def test_a_process_that_stood_still_goes_on_where_it_was() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        for stood_s in (60, 1000):
            change_web(it)
            it.api.put("services", service(f"s{stood_s}", "10.96.0.4"))
            loop.jump(stood_s)
            await it.comes_to(f"s{stood_s}.shop", {"10.96.0.4"}, within_s=60)
        assert it.counters().relists == 0
        assert it.agrees()
        only_old_then_new(it)


@virtually
async def test_an_octet_a_second_is_enough() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        it.api.sins = [SINS["K51"]()]
        change_web(it)
        assert 100 < await it.comes_to("web.shop", NEW) < 1000
        assert it.counters().reconnects == 0
        only_old_then_new(it)
