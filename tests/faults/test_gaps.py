"""Gaps, and histories that aren't the one that is known: what was lost is found, and nothing older is taken for newer."""

import asyncio

import pytest

from kdns.sources.api import ApiSource
from tests.faults.faulty_api import FaultyApi, namespace, refusal, service, slice_of
from tests.faults.scene import plain, scene
from tests.faults.sins import SINS, Dawdles, ListsThePast, Loses, Refuses, Resets
from tests.serve.conversation import virtually


def change_fifty(api: FaultyApi) -> None:
    """Twenty come, twenty change, and ten go."""
    for number in range(20):
        api.put("services", service(f"new{number}", f"10.96.1.{number}"))
        api.put("services", service(f"s{number}", f"10.96.2.{number}"))
    for number in range(20, 30):
        api.drop("services", f"s{number}")


@virtually
async def test_fifty_lost_events_are_mended_by_the_next_audit_and_counted() -> None:
    api = plain()
    for number in range(30):
        api.put("services", service(f"s{number}", f"10.96.0.{number + 2}"))
    async with scene(api, "web.shop") as it:
        lost = Loses(50)
        it.api.sins = [lost]
        change_fifty(it.api)
        assert lost.most == 0
        audits = it.counters().audits
        await it.until(it.agrees, within_s=915)
        assert it.counters().audits == audits + 1
        assert it.counters().repairs == {"missing": 20, "outdated": 20, "gone": 10}
        assert it.counters().relists == 0
        assert it.said("new19.shop") == {"10.96.1.19"}
        assert it.said("s0.shop") == {"10.96.2.0"}
        assert it.said("s29.shop") == {"NXDOMAIN"}
        assert it.answers["web.shop"] == [{"10.96.0.1"}] * len(it.revisions)
        told = it.events("audit_repaired")
        assert {kind: sum(line.get(kind, 0) for line in told) for kind in ("missing", "outdated", "gone")} == dict(
            it.counters().repairs
        )


@virtually
async def test_five_hundred_lost_events_are_mended_by_a_list_on_a_new_connection() -> None:
    async with scene(None, "web.shop") as it:
        it.api.sins = [Loses()]
        for number in range(500):
            it.api.put("services", service(f"s{number}", f"10.97.{number // 200}.{number % 200}"))
        await it.until(it.agrees, within_s=915)
        assert it.counters().repairs == {"missing": 500}
        assert it.counters().relists == 1
        assert it.counters("endpointslices").relists == 0
        assert not it.events("resource_in_trouble")
        it.api.sins = []
        it.api.put("services", service("after", "10.96.0.7"))
        await it.comes_to("after.shop", {"10.96.0.7"}, within_s=1)
        assert it.answers["web.shop"] == [{"10.96.0.1"}] * len(it.revisions)


@virtually
async def test_an_audit_costs_pages_of_metadata_one_at_a_time_and_nothing_else() -> None:
    api = plain()
    for number in range(1200):
        api.put("services", service(f"s{number}", f"10.97.{number // 200}.{number % 200}"))
    async with scene(api) as it:
        asked = len(api.asks)
        await it.until(lambda: it.counters().audits == 1)
        lists = [ask for ask in api.asks[asked:] if ask.resource == "services" and "limit" in ask.query]
        pages = [ask for ask in lists if ask.query["limit"] != "1"]
        assert [ask.metadata_only for ask in pages] == [True] * 3
        assert {ask.query["limit"] for ask in pages} == {"500"}
        assert len({ask.connection for ask in pages}) == 1
        assert not it.counters().repairs


@virtually
async def test_audits_are_jittered_and_can_be_turned_off() -> None:
    async with scene(audit_s=60) as it:
        await it.until(lambda: it.counters().audits == 10)
        assert 300 < it.now < 900
        assert it.counters("namespaces").audits > 0
    async with scene(audit_s=0) as it:
        await asyncio.sleep(2000)
        assert it.counters().audits == 0
        assert not any(ask.metadata_only for ask in it.api.asks)


@virtually
async def test_an_audit_that_fails_says_why_and_changes_nothing() -> None:
    async with scene(audit_s=60) as it:
        it.api.sins = [Refuses(refusal(500), lambda ask: ask.metadata_only)]
        await it.until(lambda: it.counters().audits_failed == 3)
        assert [line["reason"] for line in it.events("audit_failed") if line["resource"] == "services"] == [
            "500 for /api/v1/services?limit=500"
        ]
        assert it.counters().audits == 0
        assert it.freshness_s() <= 60
        it.api.sins = []
        await it.until(lambda: it.counters().audits == 1)


@virtually
async def test_a_deletion_lost_in_a_gap_leaves_no_ghost_behind_a_list() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        it.api.put("services", service("ghost", "10.96.0.2"))
        await it.comes_to("ghost.shop", {"10.96.0.2"})
        it.api.sins = [SINS["K14"]()]
        it.api.drop("services", "ghost")
        await asyncio.sleep(5)
        assert it.said("ghost.shop") == {"10.96.0.2"}
        it.api.version += 1
        it.api.compact()
        await it.api.close()
        await it.api.open()
        await it.comes_to("ghost.shop", {"NXDOMAIN"}, within_s=30)
        assert it.agrees()


@virtually
async def test_a_token_that_expired_between_pages_begins_the_list_anew() -> None:
    api = plain()
    for number in range(700):
        api.put("services", service(f"s{number}", f"10.97.{number // 200}.{number % 200}"))
    api.sins = [SINS["K22"]()]
    async with scene(api, "web.shop", "s699.shop") as it:
        assert it.answers == {"web.shop": [{"10.96.0.1"}], "s699.shop": [{"10.97.3.99"}]}
        assert any("sendInitialEvents" in ask.query for ask in api.asks)
        assert it.agrees()


@virtually
async def test_what_a_server_says_of_remaining_objects_and_empty_pages_mean_nothing() -> None:
    api = plain()
    api.sins = [SINS["K23"]()]
    async with scene(api, "web.shop") as it:
        assert it.answers["web.shop"] == [{"10.96.0.1"}]
        assert it.agrees()


@virtually
async def test_a_list_older_than_what_was_seen_is_refused() -> None:
    api = plain()
    past = {"metadata": {"resourceVersion": str(api.version)}, "items": list(api.objects["services"].values())}
    async with scene(api, "web.shop", audit_s=0) as it:
        it.api.put("services", service("web", "10.96.0.9"))
        await it.comes_to("web.shop", {"10.96.0.9"})
        await it.api.close()
        it.api.version += 1
        it.api.compact()
        lagging = ListsThePast("services", past, most=3)  # a probe, and two lists
        it.api.sins = [lagging]
        await it.api.open()
        await it.until(lambda: it.counters().lists == 2, within_s=60)
        assert lagging.most == 0
        assert it.answers["web.shop"] == [{"10.96.0.1"}, {"10.96.0.9"}]
        assert it.counters().rewinds == 0
        assert "older than" in it.events("resource_in_trouble")[-1]["reason"]


@virtually
async def test_a_server_that_lags_is_waited_for_and_not_listed_anew() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        lagging = SINS["K25"]()
        it.api.sins = [lagging]
        it.api.end_watches()
        await it.until(lambda: len(it.api.watching) == 0)
        it.api.put("services", service("web", "10.96.0.9"))
        await it.comes_to("web.shop", {"10.96.0.9"}, within_s=60)
        assert it.counters().relists == 0


@pytest.mark.parametrize("audit_s", [0.0, 600.0])
@virtually
async def test_a_history_that_went_back_is_listed_anew_logged_and_counted(audit_s: float) -> None:
    async with scene(plain(900_000), "web.shop", audit_s=audit_s) as it:
        await it.api.close()
        it.api.restore(500)
        it.api.objects["services"] = {}
        it.api.put("services", service("web", "10.96.0.9"))
        await it.api.open()
        await it.comes_to("web.shop", {"10.96.0.9"}, within_s=60)
        assert it.counters().rewinds == 1
        assert it.answers["web.shop"] == [{"10.96.0.1"}, {"10.96.0.9"}]
        await it.until(lambda: len(it.events("history_reset")) == 3, within_s=60)
        assert it.agrees()


@virtually
async def test_another_cluster_with_later_versions_behind_the_same_address_is_seen_and_all_listed_anew() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        other = FaultyApi(version=5_000_000)
        other.put("namespaces", namespace("kube-system"), namespace("shop"))
        other.put("services", service("web", "10.96.0.9"))
        other.put("endpointslices", slice_of("web-1", "web", "10.0.0.1"))
        await it.api.close()
        other.port = it.api.port
        await other.open()
        try:
            it.api = other
            await it.comes_to("web.shop", {"10.96.0.9"}, within_s=60)
            await it.until(it.agrees, within_s=60)
            assert it.counters("namespaces").rewinds == 1
            assert it.events("history_reset")
        finally:
            await other.close()


@pytest.mark.parametrize("at_s", [0.0, 0.5, 1.5, 2.5])
@virtually
async def test_whoever_begins_anew_in_the_middle_of_a_list_lists_from_its_start(at_s: float) -> None:
    api = plain()
    for number in range(1200):
        api.put("services", service(f"s{number}", f"10.97.{number // 200}.{number % 200}"))
    api.sins = [Dawdles(1.0)]
    async with scene(api, "web.shop", "s1199.shop", synced=False, audit_s=0) as it:
        await asyncio.sleep(at_s)
        assert isinstance(it.feed.source, ApiSource)
        it.feed.source._begin_anew()
        await it.until(lambda: bool(it.revisions), within_s=60)
        await it.until(it.agrees, within_s=60)
        assert it.answers == {"web.shop": [{"10.96.0.1"}], "s1199.shop": [{"10.97.5.199"}]}


@virtually
async def test_each_failure_is_followed_by_a_new_connection() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        number = it.api.connections
        # Behind the address are three servers, of which the next two are dead.
        it.api.sins = [Resets(lambda ask: ask.connection <= number + 6)]
        it.api.hold()
        it.api.put("services", service("web", "10.96.0.9"))
        await it.comes_to("web.shop", {"10.96.0.9"}, within_s=120)
        assert it.counters().relists == 0


@virtually
async def test_replicas_with_the_same_objects_have_the_same_digest_and_others_another() -> None:
    api = plain()
    async with scene(api, audit_s=600) as one:
        number = api.connections
        async with scene(api, audit_s=600) as other:
            assert one.digest() == other.digest() != 0
            api.sins = [Loses(means=lambda ask: ask.connection > number)]
            api.put("services", service("web", "10.96.0.9"))
            await one.comes_to("web.shop", {"10.96.0.9"})
            await asyncio.sleep(10)
            assert one.digest() != other.digest()
            await other.comes_to("web.shop", {"10.96.0.9"})
            assert one.digest() == other.digest()
            assert other.counters().repairs == {"outdated": 1}
            assert not one.counters().repairs
