"""API servers that are away, come back, take long, or break off in a list: what clients are told meanwhile, and afterwards."""

import asyncio

from tests.faults.faulty_api import FaultyApi, service
from tests.faults.scene import Scene, plain, scene
from tests.faults.sins import Cuts, Dawdles
from tests.serve.conversation import virtually

OLD, NEW = {"10.96.0.1"}, {"10.96.0.9"}


def three_pages() -> FaultyApi:
    api = plain()
    for number in range(1200):
        api.put("services", service(f"s{number}", f"10.97.{number // 200}.{number % 200}"))
    return api


async def lose_the_place(it: Scene) -> None:
    """The server restarts, and what changed meanwhile can be learnt by a list alone."""
    await it.api.close()
    it.api.put("services", service("web", "10.96.0.9"))
    it.api.drop("services", "s7")
    it.api.compact()
    await it.api.open()


@virtually
async def test_a_server_that_is_away_for_half_an_hour_leaves_all_as_it_was_and_its_age_is_told() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        await it.api.close()
        await asyncio.sleep(1800)
        assert it.said("web.shop") == OLD
        assert it.said("nothing.shop") == {"NXDOMAIN"}
        assert 1800 <= it.freshness_s() < 1900
        assert "Connect call failed" in str(it.feed.status()["services"].trouble)
        told = {(line["resource"], line["reason"]) for line in it.events("resource_in_trouble")}
        assert (
            len(it.events("resource_in_trouble")) == len(told) <= 6
        )  # closed, then refused, however often it was tried
        assert len(it.answers["web.shop"]) == len(it.revisions)


@virtually
async def test_a_server_that_comes_back_is_followed_from_where_it_was_and_not_listed() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        await it.api.close()
        it.api.put("services", service("web", "10.96.0.9"))
        await asyncio.sleep(600)
        asked = len(it.api.asks)
        await it.api.open()
        await it.comes_to("web.shop", NEW, within_s=11)
        lists = [ask.query for ask in it.api.asks[asked:] if not ask.watch]
        # Of one object each, to see that the history is still the same.
        assert all(query.get("limit") == "1" or query.get("fieldSelector") for query in lists)
        assert it.counters().relists == 0
        assert it.answers["web.shop"] == [OLD, NEW]


@virtually
async def test_a_list_may_take_as_long_as_it_likes_while_something_comes() -> None:
    api = three_pages()
    api.sins = [Dawdles(25.0)]
    async with scene(api, "web.shop", "s7.shop", audit_s=0, synced=False) as it:
        assert await it.until(lambda: bool(it.revisions), within_s=600) > 74  # three pages, one after the other
        await it.until(lambda: len(api.watching) >= 3, within_s=60)
        await lose_the_place(it)
        assert await it.comes_to("web.shop", NEW, within_s=600) > 74
        assert it.said("s7.shop") == {"NXDOMAIN"}
        assert it.counters().relists == 1
        assert it.answers == {"web.shop": [OLD, NEW], "s7.shop": [{"10.97.0.7"}, {"NXDOMAIN"}]}


@virtually
async def test_half_a_list_counts_for_nothing_and_the_old_state_stays() -> None:
    async with scene(three_pages(), "web.shop", "s7.shop", audit_s=0) as it:
        cuts = Cuts(lambda ask: "continue" in ask.query)
        it.api.sins = [cuts]
        await lose_the_place(it)
        await it.until(lambda: len(cuts.times) >= 3, within_s=120)
        assert it.said("web.shop") == OLD
        assert it.said("s7.shop") == {"10.97.0.7"}
        it.api.sins = []
        await it.comes_to("web.shop", NEW, within_s=120)
        assert it.answers == {"web.shop": [OLD, NEW], "s7.shop": [{"10.97.0.7"}, {"NXDOMAIN"}]}
        assert it.counters().relists == 1
        assert it.agrees()
