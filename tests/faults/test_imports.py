"""ServiceImports and the slices of other clusters, from a server that has them, hasn't, or forbids them."""

import pytest

from tests.faults.faulty_api import FaultyApi, Json, Reply, slice_of
from tests.faults.scene import plain, scene
from tests.faults.sins import Refuses
from tests.serve.conversation import virtually

WEB, DB = "web.shop.svc.clusterset.local.", "db.shop.svc.clusterset.local."
ABSENT, FORBIDDEN = Reply(404, b"404 page not found"), Reply(403, b"")


def imported(name: str, kind: str, *ips: str) -> Json:
    spec = {"type": kind, "ips": list(ips), "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
    return {"metadata": {"namespace": "shop", "name": name}, "spec": spec}


def exported(service: str, cluster: str, *addresses: str) -> Json:
    """A slice that another cluster's Service has, as a controller puts it here."""
    made = slice_of(f"{service}-{cluster}", "", *addresses)
    labels = {
        "multicluster.kubernetes.io/service-name": service,
        "multicluster.kubernetes.io/source-cluster": cluster,
    }
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def with_imports() -> FaultyApi:
    api = plain()
    api.put("serviceimports", imported("web", "ClusterSetIP", "10.9.0.1"), imported("db", "Headless"))
    api.put("endpointslices", exported("db", "east", "10.1.0.1"), exported("db", "west", "10.2.0.1"))
    return api


@virtually
async def test_imports_come_change_and_go() -> None:
    async with scene(with_imports(), WEB, audit_s=0, imports=True) as it:
        assert it.answers[WEB] == [{"10.9.0.1"}]  # never denied before it was read
        assert it.said(DB) == {"10.1.0.1", "10.2.0.1"}
        assert it.said(f"10-2-0-1.west.{DB}") == {"10.2.0.1"}
        assert it.said(f"_http._tcp.{WEB}", "SRV") == {f"0 100 80 {WEB}"}
        it.api.put("serviceimports", imported("web", "ClusterSetIP", "10.9.0.2"))
        await it.comes_to(WEB, {"10.9.0.2"}, within_s=1)
        it.api.drop("endpointslices", "db-east")
        await it.comes_to(DB, {"10.2.0.1"}, within_s=1)
        it.api.put("endpointslices", exported("db", "west", "10.2.0.9"))
        await it.comes_to(f"10-2-0-9.west.{DB}", {"10.2.0.9"}, within_s=1)
        it.api.drop("serviceimports", "db")
        await it.comes_to(DB, {"NXDOMAIN"}, within_s=1)
        assert it.said("web.shop.svc.cluster.local.") == {"10.96.0.1"}


@pytest.mark.parametrize("reply", [ABSENT, FORBIDDEN], ids=["not installed", "forbidden"])
@virtually
async def test_where_there_are_no_imports_to_be_had_all_else_is_served_and_they_are_looked_for(reply: Reply) -> None:
    api = with_imports()
    api.sins = [Refuses(reply, lambda ask: ask.resource == "serviceimports")]
    async with scene(api, "web.shop", audit_s=0, imports=True, synced=False) as it:
        await it.comes_to("web.shop", {"10.96.0.1"}, within_s=2)
        assert it.said(WEB) == {"NXDOMAIN"}
        status = it.feed.status()["serviceimports"]
        assert status.synced
        assert "serviceimports" not in it.feed.required  # nor does it keep the server from being ready
        assert status.trouble is not None
        assert f"{reply.status}: " in status.trouble
        assert "it goes on without, trying again" in status.trouble
        api.sins = []
        await it.comes_to(WEB, {"10.9.0.1"}, within_s=70)
        assert it.feed.status()["serviceimports"].trouble is None


@virtually
async def test_an_audit_finds_imports_that_a_watch_lost() -> None:
    async with scene(with_imports(), imports=True) as it:
        gone = it.api.objects["serviceimports"].pop(("shop", "web"))
        assert gone["metadata"]["name"] == "web"
        await it.comes_to(WEB, {"NXDOMAIN"})
        assert it.agrees()


@virtually
async def test_who_asks_for_no_imports_reads_none() -> None:
    async with scene(with_imports(), audit_s=0) as it:
        assert {ask.resource for ask in it.api.asks} == {"namespaces", "services", "endpointslices"}
        assert it.said(DB) == {"NXDOMAIN"}
