"""What the settings of a forward make of replies and names: zones, exceptions, failover, the next forward, attempts."""

import asyncio
from typing import Any

import pytest

from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request
from kdns.steps.forward import Forward
from tests.steps.forwarding import Asked, play, said
from tests.steps.upstream_of_sins import UpstreamOfSins

NEXT = Relayed(b"next", "forward")


class Behind:
    """The steps behind a forward: note what comes there, and say one thing, now or later."""

    def __init__(self, outcome: Outcome = NEXT, *, later: bool = False) -> None:
        self.asked: list[Request] = []
        self._outcome = outcome
        self._later = later

    def __call__(self, request: Request, done: Done) -> Outcome | None:
        self.asked.append(request)
        if isinstance(self._outcome, Failed) and self._outcome.cause:
            raise self._outcome.cause
        if self._later:
            asyncio.get_running_loop().call_later(1.0, done, self._outcome)
            return None
        return self._outcome


async def outcome_of(forward: Forward, behind: Behind, name: str = "www.example.com.") -> Outcome:
    outcomes: list[Outcome] = []
    found = forward.ask(
        Request(Query(from_text(name), types.A), Peer("127.0.0.1", 5353), "udp"), behind, outcomes.append
    )
    await asyncio.sleep(10)
    (outcome,) = outcomes if found is None else [found]
    return outcome


@pytest.mark.parametrize(
    ("name", "passes_on"),
    [
        ("example.com.", False),
        ("www.example.com.", False),
        ("a.b.EXAMPLE.com.", False),
        ("example.org.", True),
        ("notexample.com.", True),
        (".", True),
        ("sub.example.com.", True),
        ("a.sub.example.com.", True),
        ("notsub.example.com.", False),
    ],
)
def test_names_outside_of_the_zone_and_exceptions_are_passed_on(name: str, passes_on: bool) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        behind = Behind()
        outcome = await outcome_of(forward, behind, name)
        assert (outcome is NEXT) is passes_on
        assert len(sinners[0].heard) == (not passes_on)

    zones = {"origin": (from_text("example.com."),), "exceptions": (from_text("sub.example.com."),)}
    play([("honest", "honest")], scene, **zones)


def test_the_zone_itself_is_no_exception() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        assert await outcome_of(forward, Behind(), "example.com.") is not NEXT
        assert await outcome_of(forward, Behind(), "www.example.com.") is NEXT

    zone = (from_text("example.com."),)
    play([("honest", "honest")], scene, origin=zone, exceptions=zone)


@pytest.mark.parametrize(
    ("sins", "failover", "expected"),
    [
        (["nxdomain", "honest"], [types.NXDOMAIN], "from 2"),
        (["nxdomain", "nxdomain", "honest"], [types.NXDOMAIN], "from 3"),
        (["nxdomain", "nxdomain"], [types.NXDOMAIN], "NXDOMAIN"),
        (["refused", "refused"], [types.REFUSED], "REFUSED"),
        (["servfail", "servfail", "honest"], [types.SERVFAIL], "from 3"),
        (["nxdomain", "refused"], [types.NXDOMAIN, types.REFUSED], "REFUSED"),
        (["nxdomain", "gone"], [types.NXDOMAIN], "NXDOMAIN"),
        (["nxdomain", "honest"], [types.NOTIMP], "NXDOMAIN"),
        (["formerr", "honest"], [types.FORMERR], "from 2"),
    ],
)
def test_upon_rcodes_of_failover_the_next_upstream_is_asked(
    sins: list[str], failover: list[int], expected: str
) -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        assert said(await Asked(forward).outcome()) == expected

    play([(sin, "honest") for sin in sins], scene, failover=tuple(failover))


OTHERS = [
    pytest.param(Failed(types.SERVFAIL), id="there is none"),
    pytest.param(Answered(Answer(), by="whoami"), id="another step"),
]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("sin", "settings", "leads_on"),
    [
        ("nxdomain", {"next": (types.NXDOMAIN,)}, True),
        ("nxdomain", {"next": (types.REFUSED,)}, False),
        ("nxdomain", {"next_on_nodata": True}, False),
        ("empty answer", {"next_on_nodata": True}, True),
        ("empty answer", {"next": (types.NXDOMAIN,)}, False),
        ("honest", {"next": (types.NXDOMAIN,), "next_on_nodata": True}, False),
        ("honest", {"next": (types.NOERROR,)}, True),
        ("servfail", {"next": (types.SERVFAIL,)}, True),
    ],
)
def test_upon_rcodes_of_next_the_next_forward_is_asked(
    sin: str, settings: dict[str, Any], leads_on: bool, later: bool
) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        behind = Behind(later=later)
        assert (await outcome_of(forward, behind) is NEXT) is leads_on
        assert [request.query.qtype for request in behind.asked] == [types.A] * leads_on
        assert not forward.waiting

    play([(sin, "honest")], scene, **settings)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("later", [False, True])
def test_where_no_other_forward_answers_the_first_one_has(other: Outcome, later: bool) -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        behind = Behind(other, later=later)
        assert said(await outcome_of(forward, behind)) == "NXDOMAIN"
        assert len(behind.asked) == 1

    play([("nxdomain", "honest")], scene, next=(types.NXDOMAIN,))


def test_a_fault_behind_is_told() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        fault = ZeroDivisionError()
        outcome = await outcome_of(forward, Behind(Failed(types.SERVFAIL, cause=fault)))
        assert isinstance(outcome, Failed)
        assert outcome.cause is fault

    play([("nxdomain", "honest")], scene, next=(types.NXDOMAIN,))


@pytest.mark.parametrize(
    ("sins", "attempts", "heard", "seconds"),
    [
        (["silent"], None, [2], 4.0),
        (["silent"], 1, [1], 2.0),
        (["silent"], 5, [3], 4.5),
        (["silent"], 0, [3], 4.5),
        (["silent", "silent"], 1, [1, 0], 2.0),
        (["silent", "silent"], 2, [1, 1], 4.0),
        (["gone", "silent", "silent"], 2, [0, 1, 0], 2.0),
    ],
)
def test_max_connect_attempts_bounds_the_tries(
    sins: list[str], attempts: int | None, heard: list[int], seconds: float
) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        asked = Asked(forward)
        assert said(await asked.outcome()) == "failed SERVFAIL"
        assert ([len(sinner.heard) for sinner in sinners], asked.at) == (heard, seconds)

    play([(sin, "honest") for sin in sins], scene, max_connect_attempts=attempts, max_fails=0)


@pytest.mark.parametrize(("timeout", "seconds"), [(0.3, 0.6), (1.0, 2.0), (6.0, 6.0)])
def test_read_timeout_is_how_long_a_try_waits(timeout: float, seconds: float) -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        asked = Asked(forward)
        await asked.outcome()
        assert asked.at == seconds

    play([("silent", "honest")], scene, read_timeout_s=timeout)


def test_rejects_are_counted_and_0_is_any_number() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        asked = [Asked(forward, from_text(f"{number}.example.com.")) for number in range(250)]
        await asyncio.sleep(3)
        assert {said(outcome) for one in asked for outcome in one.outcomes} == {"from 1"}
        assert forward.counts()["coredns_forward_max_concurrent_rejects_total", ()] == 0

    play([("slow", "honest")], scene, max_concurrent=0)
