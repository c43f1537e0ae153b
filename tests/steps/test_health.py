"""Probes and what they decide: when they go out, who is preferred, what happens while all are down."""

import asyncio
import itertools

import pytest

from kdns.config.directives.forward import HealthCheck
from kdns.dns import types
from kdns.dns.names import from_text
from kdns.steps.chain import Failed
from kdns.steps.forward import Forward
from tests.steps.forwarding import Asked, play, said
from tests.steps.upstream_of_sins import UpstreamOfSins


def test_nothing_is_probed_while_nothing_fails() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for sin in ("honest", "servfail", "refused", "nxdomain", "forged"):
            sinners[0].udp = sin
            await Asked(forward).outcome()
        assert sinners[0].probed == []

    play([("honest", "honest")], scene)


@pytest.mark.parametrize(
    ("check", "pauses"),
    [
        (HealthCheck(), [1.5, 2.0, 3.0, 5.0, 9.0, 17.0, 17.0]),  # a second each that the probe is waited for
        (HealthCheck(4.0), [5.0, 9.0, 17.0, 17.0]),
        (HealthCheck(20.0), [21.0, 21.0]),
        (HealthCheck(0.0), [1.01, 1.02, 1.04, 1.08]),
    ],
)
def test_probes_come_one_at_a_time_and_ever_more_rarely(check: HealthCheck, pauses: list[float]) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(2.5 + sum(pauses))
        times = sinners[0].probed
        found = [round(later - earlier, 2) for earlier, later in itertools.pairwise(times)]
        assert found[: len(pauses)] == pauses
        assert round(times[0], 2) == 2.0

    play([("silent", "honest")], scene, health_check=check)


@pytest.mark.parametrize("sin", ["honest", "servfail", "refused", "nxdomain", "truncated"])
def test_any_reply_to_a_probe_ends_them(sin: str) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(5)
        sinners[0].udp = sin
        await asyncio.sleep(60)
        assert len(sinners[0].probed) == 3
        assert not forward._servers.all[0].health.suspect
        assert forward.upstreams[0].counts.probes_failed == 2

    play([("silent", "honest")], scene)


def test_a_probe_asks_what_the_settings_say() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(2.5)
        (probe,) = [query for query in sinners[0].heard if b"\2up" in query]
        assert probe[2:] == b"\0\0\0\1\0\0\0\0\0\0" + from_text("up.example.") + b"\0\2\0\1"

    play([("silent", "honest")], scene, health_check=HealthCheck(5.0, recursion=False, domain=from_text("up.example.")))


@pytest.mark.parametrize("by_tcp", [False, True])
def test_probes_go_the_way_that_questions_go(by_tcp: bool) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(2.5)
        sinners[0].udp = sinners[0].tcp = "honest"
        await asyncio.sleep(10)
        assert not forward._servers.all[0].health.suspect
        assert forward.upstreams[0].lines.open == []

    play([("gone", "silent")] if by_tcp else [("silent", "gone")], scene, force_tcp=by_tcp)


def test_u01_who_is_suspect_is_asked_last() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        first = Asked(forward)
        await asyncio.sleep(2.1)
        assert [said(outcome) for outcome in first.outcomes] == ["from 2"]
        second = Asked(forward)
        assert (said(await second.outcome()), second.at) == ("from 2", 0.0)
        sinners[0].udp = "honest"
        await asyncio.sleep(20)
        assert said(await Asked(forward).outcome()) == "from 1"

    play([("silent", "honest"), ("honest", "honest")], scene)


def test_u33_one_that_comes_and_goes_costs_a_question_each_time() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        late = 0
        for second in range(20):
            sinners[0].udp = "silent" if second % 2 else "honest"
            asked = [Asked(forward, from_text(f"{second}-{n}.example.com.")) for n in range(3)]
            await asyncio.sleep(1)
            late += sum(not one.outcomes for one in asked)
        await asyncio.sleep(5)
        assert len(sinners[0].probed) <= 20
        assert late <= 30

    play([("honest", "honest"), ("honest", "honest"), ("honest", "honest")], scene, policy="round_robin")


@pytest.mark.parametrize("fail_fast", [False, True])
def test_while_all_are_down_one_is_asked_or_nobody(fail_fast: bool) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(12)  # three probes each have failed
        assert forward._servers.broken
        heard = sum(len(sinner.heard) for sinner in sinners)
        asked = Asked(forward)
        if fail_fast:
            assert isinstance(asked.outcomes[0], Failed)
            assert sum(len(sinner.heard) for sinner in sinners) == heard
        else:
            await asyncio.sleep(0.1)
            assert sum(len(sinner.heard) for sinner in sinners) == heard + 1
        assert forward.counts()["coredns_forward_healthcheck_broken_total", ()] == 1
        for sinner in sinners:
            sinner.udp = "honest"
        await asyncio.sleep(40)
        assert said(await Asked(forward).outcome()) == "from 1"
        assert forward.counts()["coredns_forward_healthcheck_broken_total", ()] == 1

    play([("silent", "honest"), ("silent", "honest")], scene, fail_fast=fail_fast)


def test_u42_a_question_that_is_answered_while_all_are_down_ends_that() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(60)
        assert forward._servers.broken
        sinners[0].udp = "honest"
        asked = Asked(forward)
        await asyncio.sleep(0.1)
        assert [said(outcome) for outcome in asked.outcomes] == ["from 1"]
        assert not forward._servers.broken

    play([("silent", "honest")], scene)


def test_max_fails_0_neither_probes_nor_prefers() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for _ in range(2):
            asked = Asked(forward)
            assert (said(await asked.outcome()), asked.at) == ("from 2", 2.0)
        assert sinners[0].probed == []

    play([("silent", "honest"), ("honest", "honest")], scene, max_fails=0)


def test_probes_are_no_questions_to_metrics_and_failures_are_counted() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(20)
        counts, to = forward.counts(), str(sinners[0].address)
        failures = counts["coredns_proxy_healthcheck_failures_total", ("forward", to)]
        assert failures == counts["coredns_forward_healthcheck_failures_total", (to,)] >= 4
        assert counts["coredns_forward_requests_total", (to,)] == 2
        assert ("coredns_forward_responses_total", (to, types.rcode_text(0))) not in counts

    play([("silent", "honest")], scene)


def test_closing_ends_probes() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        Asked(forward)
        await asyncio.sleep(5)
        forward.close()
        probed = len(sinners[0].probed)
        await asyncio.sleep(60)
        assert len(sinners[0].probed) == probed

    play([("silent", "honest")], scene)
