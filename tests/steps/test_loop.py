"""Loops of forwarded questions: found, reported, stopped and left, in virtual time; U24, ADV-13."""

import asyncio
from collections.abc import Callable
from random import Random, SystemRandom
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.cache import Cache as CacheSettings
from kdns.config.settings import Address
from kdns.dns import types
from kdns.dns.names import ROOT, Name, from_labels, from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer
from kdns.dns.reply import render, udp_limit
from kdns.serve.memo import Memo
from kdns.serve.responder import Door, Responder, Rules
from kdns.steps.cache import made
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request, compose
from kdns.steps.forward import Forward
from kdns.steps.loop import Loop
from tests import virtual_time
from tests.serve.routed import everywhere
from tests.steps.cached import CLIENT, NXDOMAIN, SERVFAIL, UNREACHED, WWW, Logged, Scripted, running_or_stopped
from tests.steps.forwarding import to

ELSEWHERE = Relayed(b"\0" * 12, "forward")
SECRET = b"s" * 16


class Noted(Logged):
    """Keeps whatever is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def info(self, event: str, **keys: object) -> None:
        self.events.append(event)

    warning = info

    def error(self, event: str, **keys: object) -> None:
        super().error(event, **keys)
        self.events.append(event)


class Stage:
    """A loop step, what is behind it, and when that was asked."""

    def __init__(self, say: Callable[[Request], Outcome], zone: Name = ROOT) -> None:
        self.clock = running_or_stopped()
        self.log = Noted()
        self.step = Loop(zone, self.clock, SystemRandom(), self.log)
        self.say = say
        self.probes: list[tuple[int, Query]] = []

    def rest(self, request: Request, _done: Done) -> Outcome:
        if request.query.qtype == types.HINFO:
            self.probes.append((round(self.clock.time()), request.query))
        return self.say(request)

    def start(self) -> None:
        self.step.start(self.rest, upstreams=("192.0.2.53:53", "192.0.2.54:53"))

    def ask(self, query: Query = WWW) -> Outcome | None:
        return self.step.ask(Request(query, CLIENT, "udp"), self.rest, lambda _: None)

    @property
    def seconds(self) -> list[int]:
        """When probes were sent."""
        return [second for second, _ in self.probes]


def round_to(step: Loop) -> Callable[[Request], Outcome]:
    """An upstream that asks the worker with this step, and passes on what that says."""

    def upstream(request: Request) -> Outcome:
        outcome = step.ask(Request(request.query, Peer("192.0.2.53", 53), "udp"), lambda _request, _done: ELSEWHERE, no)
        if not isinstance(outcome, Answered):
            assert outcome is not None
            return outcome
        made = render(request.query, outcome.answer, limit=512, recursion=True)
        return Relayed(made.octets, "forward")

    return upstream


def no(_outcome: Outcome) -> None:
    raise AssertionError


def looping(stage: Stage) -> None:
    """Lets questions of the stage come back to it."""
    stage.say = round_to(stage.step)


# Finding it


@pytest.mark.parametrize("say", [lambda _: ELSEWHERE, NXDOMAIN, SERVFAIL], ids=["an answer", "NXDOMAIN", "SERVFAIL"])
def test_one_probe_is_sent_where_somebody_else_answers_it(say: Callable[[Request], Outcome]) -> None:
    async def scene() -> None:
        stage = Stage(say)
        stage.start()
        await asyncio.sleep(3600)
        assert (stage.seconds, stage.step.looping, stage.log.events) == ([0], False, [])
        assert stage.ask() == say(Request(WWW, CLIENT, "udp"))

    virtual_time.run(scene())


def test_u24_three_that_come_back_are_a_loop() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        looping(stage)
        stage.start()
        await asyncio.sleep(0.1)
        assert (stage.seconds, stage.step.looping) == ([0, 0, 0], True)
        assert len({query.name for _, query in stage.probes}) == 3
        ((event, keys),) = stage.log.errors
        assert (event, keys["zone"], keys["upstreams"]) == ("forwarding_loop", ".", "192.0.2.53:53, 192.0.2.54:53")

    virtual_time.run(scene())


def test_two_that_come_back_are_none() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        back = round_to(stage.step)
        stage.say = lambda request: back(request) if len(stage.probes) <= 2 else ELSEWHERE
        stage.start()
        await asyncio.sleep(3600)
        assert (len(stage.probes), stage.step.looping) == (3, False)

    virtual_time.run(scene())


def test_it_comes_back_to_any_worker_of_the_block() -> None:
    async def scene() -> None:
        stage, sibling = Stage(lambda _: ELSEWHERE), Stage(lambda _: ELSEWHERE)
        sibling.step.start(sibling.rest, secret=SECRET)
        stage.say = round_to(sibling.step)
        stage.step.start(stage.rest, secret=SECRET)
        await asyncio.sleep(0.1)
        assert (stage.step.looping, sibling.step.looping) == (True, False)

    virtual_time.run(scene())


def test_another_block_that_forwards_on_is_no_loop() -> None:
    async def scene() -> None:
        stage, other = Stage(lambda _: ELSEWHERE), Stage(lambda _: ELSEWHERE)
        other.start()
        stage.say = round_to(other.step)
        stage.start()
        await asyncio.sleep(60)
        assert (stage.seconds, stage.step.looping, other.step.looping) == ([0], False, False)

    virtual_time.run(scene())


def test_a_probe_seen_here_counts_even_if_the_way_back_is_lost() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        back = round_to(stage.step)

        def lost(request: Request) -> Outcome:
            back(request)
            return UNREACHED

        stage.say = lost
        stage.start()
        await asyncio.sleep(0.1)
        assert stage.step.looping

    virtual_time.run(scene())


def test_it_is_for_the_first_zone_of_the_block() -> None:
    stage = Stage(lambda _: ELSEWHERE, from_text("example.com."))
    stage.start()
    ((_, query),) = stage.probes
    assert query.name.endswith(from_text("example.com."))
    assert len(query.name) == len(from_text("example.com.")) + 34


def test_without_a_start_the_first_question_is_one() -> None:
    stage = Stage(lambda _: ELSEWHERE)
    assert [stage.ask(), stage.ask()] == [ELSEWHERE, ELSEWHERE]
    stage.start()
    assert stage.seconds == [0]


def test_a_zone_too_long_for_a_probe_is_reported() -> None:
    stage = Stage(lambda _: ELSEWHERE, from_labels([b"a" * 63] * 3 + [b"b" * 30]))
    stage.start()
    assert (stage.probes, stage.log.events, stage.ask()) == ([], ["loop_unknown"], ELSEWHERE)


# While nobody answers


def test_a_probe_that_nobody_answers_is_sent_for_half_a_minute() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: UNREACHED)
        stage.start()
        await asyncio.sleep(3600)
        assert (stage.seconds, stage.step.looping, stage.log.events) == (list(range(31)), False, ["loop_unknown"])

    virtual_time.run(scene())


def test_a_fault_inside_is_logged_and_tried_again() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)

        def raises(_request: Request) -> Outcome:
            raise ZeroDivisionError

        stage.say = raises
        stage.start()
        stage.say = lambda _: ELSEWHERE
        await asyncio.sleep(60)
        assert (stage.seconds, stage.log.events) == ([0, 1], ["loop_probe_failed_inside"])

    virtual_time.run(scene())


# While it lasts


def test_what_would_go_round_fails_and_says_why() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        looping(stage)
        stage.start()
        await asyncio.sleep(0.1)
        for query in (WWW, WWW.replace(qtype=types.HINFO)):
            outcome = stage.ask(query)
            assert isinstance(outcome, Failed)
            assert (outcome.rcode, outcome.by) == (types.SERVFAIL, "loop")
            assert outcome.error is not None
            assert "loop" in outcome.error.text

    virtual_time.run(scene())


def test_it_is_probed_more_and_more_seldom_and_reported_once() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        looping(stage)
        stage.start()
        await asyncio.sleep(220)
        assert stage.seconds == [0, 0, 0, 5, 15, 35, 75, 135, 195]
        assert stage.log.events == ["forwarding_loop"]

    virtual_time.run(scene())


def test_it_is_over_when_three_in_a_row_went_out() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        looping(stage)
        stage.start()
        await asyncio.sleep(1)
        back, stage.say = stage.say, lambda _: ELSEWHERE
        await asyncio.sleep(5.5)  # probes at 5 and 6
        assert stage.step.looping
        await asyncio.sleep(3600)
        assert (stage.seconds[3:], stage.step.looping) == ([5, 6, 7], False)
        assert stage.log.events == ["forwarding_loop", "forwarding_loop_over"]
        assert stage.ask() == ELSEWHERE
        assert back is not None

    virtual_time.run(scene())


def test_one_that_comes_back_between_them_begins_anew() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        back = round_to(stage.step)
        stage.say = lambda request: back(request) if len(stage.probes) in {1, 2, 3, 6} else ELSEWHERE
        stage.start()
        await asyncio.sleep(3600)
        assert (stage.seconds, stage.step.looping) == ([0, 0, 0, 5, 6, 7, 17, 18, 19], False)

    virtual_time.run(scene())


def test_while_nobody_answers_it_stays_what_it_is() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        looping(stage)
        stage.start()
        await asyncio.sleep(1)
        stage.say = lambda _: UNREACHED
        await asyncio.sleep(3600)
        assert stage.step.looping

    virtual_time.run(scene())


def test_closed_it_sends_no_more() -> None:
    async def scene() -> None:
        stage = Stage(lambda _: ELSEWHERE)
        looping(stage)
        stage.start()
        await asyncio.sleep(1)
        stage.step.close()
        await asyncio.sleep(3600)
        assert len(stage.probes) == 3

    virtual_time.run(scene())


# Who would make believe


def test_adv_13_a_name_that_was_seen_proves_nothing() -> None:
    stage = Stage(lambda _: ELSEWHERE)
    stage.start()
    ((_, probe),) = stage.probes
    for _ in range(10):
        assert isinstance(stage.ask(probe), Answered)
    assert (stage.step.looping, stage.ask(), len(stage.probes)) == (False, ELSEWHERE, 1)


@given(st.binary(min_size=33, max_size=34), st.integers(0, 2**32))
def test_adv_13_a_name_made_up_is_an_ordinary_question(octets: bytes, seed: int) -> None:
    stage = Stage(lambda _: ELSEWHERE)
    stage.start()
    ((_, probe),) = stage.probes
    labels = [bytes([97 + Random(seed).randrange(6)]) * 16, octets[:16]]
    for name in (from_labels(labels), Name(octets[:33] + b"\0"), Name(probe.name[:17] + b"\x10" + octets[:16] + b"\0")):
        assert stage.ask(Query(name, types.HINFO)) == ELSEWHERE
    assert not stage.step.looping


def test_a_probe_of_another_type_is_an_ordinary_question() -> None:
    stage = Stage(lambda _: ELSEWHERE)
    stage.start()
    ((_, probe),) = stage.probes
    assert stage.ask(probe.replace(qtype=types.A)) == ELSEWHERE


def test_case_does_not_matter() -> None:
    stage = Stage(lambda _: ELSEWHERE)
    stage.start()
    ((_, probe),) = stage.probes
    assert isinstance(stage.ask(probe.replace(qname=Name(probe.qname.upper()))), Answered)


# With sockets


class Front(asyncio.DatagramProtocol):
    """A server's socket."""

    responder: Responder

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self.responder.respond(data, Peer(*addr), lambda octets: self.transport.sendto(octets, addr))
        if reply is not None:
            self.transport.sendto(reply, addr)


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_u24_a_loop_over_sockets_is_found_through_cache_and_other_servers(hops: int) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        fronts = [(await loop.create_datagram_endpoint(Front, local_addr=("127.0.0.1", 0)))[1] for _ in range(hops)]
        forwards, found = [], []
        for number, front in enumerate(fronts):
            host, port = fronts[(number + 1) % hops].transport.get_extra_info("sockname")
            forward = Forward(to(Address(host, port)), loop=loop, random=SystemRandom(), log=Logged())
            step = Loop(ROOT, loop, SystemRandom(), Logged())
            steps = (step, forward) if not number else (forward,)
            chain = compose((made(CacheSettings(), loop, Logged()), *steps))
            rules = Rules(udp_limit, cookie=lambda _client, _address: b"", clock=loop.time)
            front.responder = Responder(
                Door("dns://:53", "udp", "1"), everywhere(chain), rules, Memo(1 << 20), Logged()
            )
            forwards.append(forward)
            if not number:
                found.append((step, compose((forward,))))
        ((step, rest),) = found
        step.start(rest)
        await asyncio.sleep(1)
        assert step.looping
        outcomes = [step.ask(Request(WWW, CLIENT, "udp"), rest, no)]
        assert [isinstance(outcome, Failed) for outcome in outcomes] == [True]
        step.close()
        for forward, front in zip(forwards, fronts, strict=True):
            forward.close()
            front.transport.close()

    virtual_time.run(scene())


def test_what_it_says_is_an_answer() -> None:
    stage = Stage(lambda _: ELSEWHERE)
    stage.start()
    ((_, probe),) = stage.probes
    outcome = stage.ask(probe)
    assert isinstance(outcome, Answered)
    assert (outcome.owners, outcome.answer.rcode, outcome.answer.authoritative) == ((), Answer().rcode, False)
    assert [(each.ttl, each.rtype) for each in outcome.answer.answers] == [(0, types.HINFO)]


def test_scripted_steps_that_wait_are_waited_for() -> None:
    async def scene() -> None:
        behind = Scripted(lambda _: ELSEWHERE)
        behind.waits = True
        loop = asyncio.get_running_loop()
        step = Loop(ROOT, loop, SystemRandom(), Logged())
        step.start(compose((behind,)))
        await asyncio.sleep(10)
        assert len(behind.asked) == 1
        behind.tell()
        await asyncio.sleep(60)
        assert (len(behind.asked), step.looping) == (1, False)

    virtual_time.run(scene())
