"""What happens to objects: in odd orders, in storms, in odd forms; what clients are told at every step."""

import asyncio
import json

import pytest

from tests.faults.faulty_api import Json, namespace, service, slice_of
from tests.faults.scene import Scene, plain, scene
from tests.faults.sins import SINS, Bombs, Spoils
from tests.serve.conversation import virtually

ONE, TWO, THREE = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def headless(name: str = "db") -> Json:
    return service(name, "None")


async def settled(it: Scene) -> None:
    await it.until(it.agrees, within_s=10)


@virtually
async def test_an_object_that_came_again_under_its_name_is_another_in_one_step() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        other = service("web", "10.96.0.9")
        other["metadata"]["uid"] = "another"
        it.api.put("services", other)
        await settled(it)
        it.api.drop("services", "web")
        it.api.put("services", service("web", "10.96.0.8"))
        await it.comes_to("web.shop", {"10.96.0.8"})
        assert it.answers["web.shop"][:2] == [{"10.96.0.1"}, {"10.96.0.9"}]
        assert {"10.96.0.1"} not in it.answers["web.shop"][1:]


@virtually
async def test_an_endpoint_that_moves_from_slice_to_slice_is_there_once_and_all_the_time() -> None:
    api = plain()
    api.put("services", headless())
    api.put("endpointslices", slice_of("db-1", "db", ONE, TWO))
    async with scene(api, "db.shop", audit_s=0) as it:
        for change in (slice_of("db-2", "db", TWO), slice_of("db-1", "db", ONE)):
            it.api.put("endpointslices", change)
            await settled(it)
        assert {frozenset(told) for told in it.answers["db.shop"]} == {frozenset((ONE, TWO))}


@virtually
async def test_between_a_slice_and_its_successor_there_is_nothing_as_the_specification_says() -> None:
    api = plain()
    api.put("services", headless())
    api.put("endpointslices", slice_of("db-1", "db", ONE))
    async with scene(api, "db.shop", audit_s=0) as it:
        it.api.drop("endpointslices", "db-1")
        await it.comes_to("db.shop", {"NXDOMAIN"})
        it.api.put("endpointslices", slice_of("db-2", "db", TWO))
        await it.comes_to("db.shop", {TWO})
        assert it.answers["db.shop"] == [{ONE}, {"NXDOMAIN"}, {TWO}]


@virtually
async def test_a_slice_that_is_given_to_another_service_changes_both_in_one_step() -> None:
    api = plain()
    api.put("services", headless("db"), headless("cache"))
    api.put("endpointslices", slice_of("part", "db", ONE))
    async with scene(api, "db.shop", "cache.shop", audit_s=0) as it:
        it.api.put("endpointslices", slice_of("part", "cache", ONE))
        await it.comes_to("cache.shop", {ONE})
        assert it.answers == {"db.shop": [{ONE}, {"NXDOMAIN"}], "cache.shop": [{"NXDOMAIN"}, {ONE}]}


@virtually
async def test_a_slice_waits_for_its_service_and_one_without_label_for_nobody() -> None:
    async with scene(audit_s=0) as it:
        it.api.put("endpointslices", slice_of("early", "db", ONE), slice_of("nobodys", "", TWO))
        await settled(it)
        assert it.said("db.shop") == {"NXDOMAIN"}
        it.api.put("services", headless())
        await it.comes_to("db.shop", {ONE}, within_s=1)


@virtually
async def test_what_is_odd_of_a_slice_is_left_out_and_the_rest_is_there() -> None:
    api = plain()
    api.put("services", headless())
    odd = slice_of("odd", "db", ONE, ports=None)
    odd["endpoints"] += [
        {"addresses": [TWO], "conditions": {"ready": None}},
        {"addresses": ["10.0.0.300", THREE], "hostname": "h" * 64},
        {"addresses": [ONE], "hostname": "same"},
        {"addresses": [TWO], "hostname": "same"},
        {"addresses": []},
    ]
    api.put("endpointslices", odd, slice_of("names", "db", "example.com", addressType="FQDN"))
    api.put("endpointslices", slice_of("empty", "db", endpoints=None))
    async with scene(api, audit_s=0) as it:
        assert it.said("db.shop") == {ONE, TWO, THREE}
        assert it.said("same.db.shop") == {ONE, TWO}
        assert sum(it.counters("endpointslices").problems.values()) == 3


@virtually
async def test_of_a_storm_of_flips_the_last_counts() -> None:
    api = plain()
    api.put("services", headless())
    async with scene(api, "db.shop", audit_s=0) as it:
        for number in range(1001):
            it.api.put("endpointslices", slice_of("db-1", "db", ONE, ready=number % 2 == 0))
            if number % 5 == 0:
                await asyncio.sleep(0.05)
        await settled(it)
        assert it.said("db.shop") == {ONE}
        assert it.counters("endpointslices").events == 1001
        assert len(it.revisions) <= 1 + 201


@virtually
async def test_ten_thousand_services_at_once_are_all_there() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        for number in range(10_000):
            it.api.put("services", service(f"s{number}", f"10.97.{number // 200}.{number % 200}"))
            if number % 1000 == 0:
                await asyncio.sleep(1)
        await it.until(lambda: it.said("s9999.shop") == {"10.97.49.199"})
        await settled(it)
        assert it.answers["web.shop"] == [{"10.96.0.1"}] * len(it.revisions)


@virtually
async def test_a_namespace_goes_with_the_last_of_its_services() -> None:
    api = plain()
    api.put("namespaces", namespace("doomed"))
    api.put("services", *(service(f"s{number}", "10.97.0.1", "doomed") for number in range(500)))
    async with scene(api, "web.shop", audit_s=0) as it:
        it.api.drop("namespaces", "doomed", "")
        for number in range(499):
            it.api.drop("services", f"s{number}", "doomed")
        await it.comes_to("s498.doomed", {"NXDOMAIN"})
        assert it.said("s499.doomed") == {"10.97.0.1"}
        assert it.said("doomed") == {"NOERROR"}
        it.api.drop("services", "s499", "doomed")
        await it.comes_to("doomed", {"NXDOMAIN"})
        assert it.answers["web.shop"] == [{"10.96.0.1"}] * len(it.revisions)


@virtually
async def test_a_service_has_its_name_before_its_namespace_is_heard_of() -> None:
    async with scene(audit_s=0) as it:
        it.api.put("services", service("early", "10.96.0.7", "new"))
        await it.comes_to("early.new", {"10.96.0.7"})
        assert it.said("new") == {"NOERROR"}


@virtually
async def test_a_service_that_changes_its_type_is_as_it_is_now() -> None:
    api = plain()
    api.put("endpointslices", slice_of("web-1", "web", ONE))
    async with scene(api, audit_s=0) as it:
        for spec, expected in (
            (service("web", "None"), {ONE}),
            (service("web", "", type="ExternalName", externalName="db.shop.svc.cluster.local"), {"NXDOMAIN"}),
            (service("web", "10.96.0.3"), {"10.96.0.3"}),
            (service("web", "10.96.0.4"), {"10.96.0.4"}),
        ):
            if spec["spec"].get("type"):
                it.api.put("services", headless("other"), spec)
                await settled(it)
                assert it.said("web.shop") == {"db.shop.svc.cluster.local."}
                continue
            it.api.put("services", spec)
            await it.comes_to("web.shop", expected, within_s=1)


def strange(line: bytes) -> bytes:
    """The same object with all that JSON can have where nobody looks."""
    event = json.loads(line)
    event["object"]["metadata"]["annotations"] = {f"a{number}": "x" * 150 for number in range(10_000)}
    event["object"]["spec"]["more"] = {"list": [1e400, -1, 10**400, None], "deep": 0}
    text = json.dumps(event).encode()
    deep = b'{"a":' * 300 + b"0" + b"}" * 300
    return text.replace(b'"deep": 0', b'"deep": ' + deep, 1).replace(b"Infinity", b"1e400") + b"\n"


def nested(line: bytes) -> bytes:
    """The same object, nested so deep that it can't be read."""
    return line.replace(b'"spec": {', b'"spec": {"deep": ' + b"[" * 100_000 + b"]" * 100_000 + b", ", 1)


def not_a_number(line: bytes) -> bytes:
    return line.replace(b'"spec": {', b'"spec": {"odd": NaN, ', 1)


@virtually
async def test_a_huge_object_with_fields_that_nobody_knows_is_read_as_any_other() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        it.api.sins = [Spoils("web", strange)]
        it.api.put("services", service("web", "10.96.0.9"))
        await it.comes_to("web.shop", {"10.96.0.9"}, within_s=2)
        assert it.counters().undecodable == 0


@pytest.mark.parametrize("change", [nested, not_a_number])
@virtually
async def test_an_object_that_is_no_json_for_us_leaves_all_others_as_they_are(change: object) -> None:
    assert callable(change)
    async with scene(None, "web.shop", audit_s=600) as it:
        it.api.sins = [Spoils("odd", change)]
        it.api.put("services", service("odd", "10.96.0.5"))
        it.api.put("services", service("good", "10.96.0.6"))
        await it.comes_to("good.shop", {"10.96.0.6"}, within_s=2)
        await it.comes_to("odd.shop", {"10.96.0.5"})
        assert it.agrees()
        assert it.answers["web.shop"] == [{"10.96.0.1"}] * len(it.revisions)


@virtually
async def test_little_gzip_that_swells_is_refused_and_asked_for_in_smaller_pages() -> None:
    api = plain()
    api.sins = [Bombs()]
    async with scene(api, synced=False, audit_s=0) as it:
        await it.comes_to("web.shop", {"10.96.0.1"}, within_s=30)
        limits = {ask.query.get("limit") for ask in api.asks}
        assert "250" in limits


@virtually
async def test_an_object_that_was_spoiled_on_its_way_is_read_again() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        it.api.sins = [SINS["K50"]()]
        it.api.put("services", service("web", "10.96.0.9"))
        await it.comes_to("web.shop", {"10.96.0.9"}, within_s=10)
        assert it.counters().undecodable == 1
        assert it.answers["web.shop"] == [{"10.96.0.1"}, {"10.96.0.9"}]
