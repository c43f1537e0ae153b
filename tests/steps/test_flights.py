"""Equal questions in flight are asked once: behind the cache, a script or Forward and an upstream."""

import dns.flags

from kdns.dns.names import from_text
from kdns.steps.chain import Failed, Outcome, Relayed, Request, Rest
from kdns.steps.flights import WAITING_MAX
from kdns.steps.forward import Forward
from tests.steps.cached import CLIENT, UNREACHED, WWW, A, Asked, Scene, play, relayed, said
from tests.steps.upstream_of_sins import UpstreamOfSins


def test_equal_questions_in_flight_are_asked_once_and_all_are_told() -> None:
    scene, outcomes = Scene(relayed(A.replace("60", "0"))), list[Outcome]()
    scene.behind.waits = True
    cases = ["www.example.com.", "WWW.example.com.", "www.EXAMPLE.com."]
    for name in cases:
        assert scene.chain(Request(WWW.replace(qname=from_text(name)), CLIENT, "udp"), outcomes.append) is None
    assert (scene.asked, outcomes) == (1, [])
    scene.behind.tell()
    assert [said(outcome) for outcome in outcomes] == [["0 192.0.2.1"]] * 3
    assert scene.chain(Request(WWW, CLIENT, "udp"), outcomes.append) is None
    assert scene.asked == 2  # TTL 0: merged, not kept


def test_a_fault_in_what_was_waited_for_is_told_to_all() -> None:
    scene, outcomes = Scene(lambda _: Relayed(b"", "forward")), list[Outcome]()
    scene.behind.waits = True
    for _ in range(2):
        scene.chain(Request(WWW, CLIENT, "udp"), outcomes.append)
    scene.behind.tell()
    assert len(outcomes) == 2
    assert all(isinstance(outcome, Failed) and outcome.cause is not None for outcome in outcomes)
    assert not scene.cache.flights.flying
    assert scene.cache.flights.waiting == 0


def test_who_waits_is_bounded() -> None:
    scene, outcomes = Scene(), list[Outcome]()
    scene.behind.waits = True
    for _ in range(WAITING_MAX):
        assert scene.chain(Request(WWW, CLIENT, "udp"), outcomes.append) is None
    assert said(scene.ask()) == ["failed SERVFAIL"]
    scene.behind.tell()
    assert len(outcomes) == WAITING_MAX
    assert said(scene.ask()) == ["30 192.0.2.1"]


def test_half_an_answer_is_told_to_nobody_who_asked_by_tcp() -> None:
    scene, outcomes = Scene(), dict[str, list[Outcome]](udp=[], tcp=[])
    scene.behind.waits = True
    for transport in ("udp", "tcp", "udp", "tcp"):
        scene.chain(Request(WWW, CLIENT, transport), outcomes[transport].append)
    assert [request.transport for request in scene.behind.asked] == ["udp", "tcp"]
    truncated = relayed(flags=dns.flags.TC)
    scene.behind.say = lambda request: truncated(request) if request.transport == "udp" else UNREACHED
    scene.behind.tell()
    assert [type(outcome) for outcome in outcomes["udp"]] == [Relayed, Relayed]
    assert [type(outcome) for outcome in outcomes["tcp"]] == [Failed, Failed]


def test_adv_07_a_thousand_equal_questions_are_one_datagram() -> None:
    async def scene(chain: Rest, _forward: Forward, upstream: UpstreamOfSins) -> None:
        asked = [Asked(chain) for _ in range(1000)]
        assert {tuple(await asked[0].said())} == {("30 192.0.2.1",)}
        assert [len(each.outcomes) for each in asked] == [1] * 1000
        assert len(upstream.heard) == 1

    play(scene, "slow")
