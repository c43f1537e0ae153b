"""Servers that refuse: credentials, permissions, resources that aren't there, too many requests; and connections that hang."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.faults.faulty_api import FaultyApi, service
from tests.faults.scene import plain, scene
from tests.faults.sins import SINS, Hangs, Refuses
from tests.serve.conversation import virtually

OLD, NEW = {"10.96.0.1"}, {"10.96.0.9"}


def kubeconfig(folder: Path, api: FaultyApi, token: str) -> Path:
    """A kubeconfig whose user has a token in a file; the port is what the server takes when it is opened."""
    (folder / "token").write_text(token)
    content = {
        "current-context": "lab",
        "clusters": [{"name": "c", "cluster": {"server": api.url}}],
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"tokenFile": str(folder / "token")}}],
    }
    path = folder / "config"
    path.write_text(json.dumps(content))
    return path


@virtually
async def test_a_token_that_is_refused_is_read_again_at_once(tmp_path: Path) -> None:
    api = plain()
    api.tokens = {"first"}
    await api.open()
    try:
        async with scene(api, "web.shop", kubeconfig=kubeconfig(tmp_path, api, "first"), audit_s=0) as it:
            api.tokens = {"second"}
            (tmp_path / "token").write_text("second")
            api.end_watches()
            await asyncio.sleep(1)
            api.put("services", service("web", "10.96.0.9"))
            assert await it.comes_to("web.shop", NEW) < 2
            assert it.answers["web.shop"] == [OLD, NEW]
    finally:
        await api.close()


@pytest.mark.parametrize("spoiled", ["", "\n", None], ids=["empty", "blank", "missing"])
@virtually
async def test_while_a_token_is_being_replaced_the_last_one_is_used(spoiled: str | None, tmp_path: Path) -> None:
    api = plain()
    api.tokens = {"first"}
    await api.open()
    try:
        async with scene(api, kubeconfig=kubeconfig(tmp_path, api, "first"), audit_s=0) as it:
            if spoiled is None:
                (tmp_path / "token").unlink()
            else:
                (tmp_path / "token").write_text(spoiled)
            api.end_watches()
            await asyncio.sleep(1)
            api.put("services", service("web", "10.96.0.9"))
            assert await it.comes_to("web.shop", NEW) < 5
    finally:
        await api.close()


@virtually
async def test_a_permission_taken_away_leaves_what_was_known_and_all_else_goes_on() -> None:
    async with scene(None, "web.shop", audit_s=0) as it:
        it.api.sins = [SINS["K31"]()]
        it.api.end_watches()
        await asyncio.sleep(100)
        it.api.put("services", service("web", "10.96.0.9"))
        await it.comes_to("web.shop", NEW, within_s=1)
        status = it.feed.status()["endpointslices"]
        assert status.synced
        assert status.trouble is not None
        assert "the role needs" in status.trouble
        assert it.freshness_s("endpointslices") > 99
        assert it.freshness_s("services") < 60
        it.api.sins = []
        await it.until(lambda: it.feed.status()["endpointslices"].trouble is None, within_s=31)
        await it.until(lambda: it.freshness_s("endpointslices") < 1, within_s=61)  # a bookmark's time


@pytest.mark.parametrize("number", ["K32", "K33"])
@virtually
async def test_what_is_not_needed_and_not_there_keeps_nobody_waiting(number: str) -> None:
    api = plain()
    api.sins = [SINS[number]()]
    async with scene(api, pods=True, synced=False, audit_s=0) as it:
        await it.comes_to("web.shop", OLD, within_s=5)
        assert it.said("nothing.shop") == {"NXDOMAIN"}
        assert it.feed.status()["pods"].synced
        api.sins = []
        await it.until(lambda: it.feed.status()["pods"].trouble is None, within_s=70)


@pytest.mark.parametrize(
    ("code", "headers", "at_least_s", "within_s"),
    [
        (429, ("Retry-After: 7",), 7, 30),
        (429, ("Retry-After: 9999",), 60, 210),
        (500, (), 0, 5),
        (503, (), 0, 5),
        (504, (), 0, 5),
    ],
)
@virtually
async def test_a_server_that_cant_answer_is_asked_again_later(
    code: int, headers: tuple[str, ...], at_least_s: float, within_s: float
) -> None:
    api = plain()
    refuses = SINS["K34"](code, *headers)
    assert isinstance(refuses, Refuses)
    refuses.means = lambda ask: ask.resource == "services"
    api.sins = [refuses]
    async with scene(api, synced=False, audit_s=0) as it:
        await it.comes_to("web.shop", OLD, within_s=within_s)
        gaps = [later - earlier for earlier, later in zip(refuses.times, [*refuses.times[1:], it.now], strict=True)]
        assert len(gaps) == 3
        assert min(gaps) >= at_least_s - 0.1


@virtually
async def test_a_server_that_takes_connections_and_says_nothing_is_left_after_30_seconds() -> None:
    api = plain()
    hangs = Hangs(lambda ask: ask.connection <= 3)
    api.sins = [hangs]
    async with scene(api, synced=False, audit_s=0) as it:
        took_s = await it.comes_to("web.shop", OLD, within_s=45)
        assert took_s >= 30
