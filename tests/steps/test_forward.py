"""What comes of a forwarded question, for every way an upstream can fail it. Real sockets, virtual time."""

import asyncio
import random
import resource

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.config.settings import Address
from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.records import ExtendedError
from kdns.steps.chain import Failed, Relayed
from kdns.steps.forward import Forward
from kdns.steps.ports import FORGED, QUESTIONS
from tests import virtual_time
from tests.steps.forwarding import Asked, Noted, play, said, to
from tests.steps.upstream_of_sins import UDP, UpstreamOfSins

pytestmark = pytest.mark.usefixtures("each_way")


def ask_once(*sins: str | tuple[str, str], transport: str = "udp") -> tuple[str, float]:
    """What is said to one question, and after how many seconds."""

    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> tuple[str, float]:
        asked = Asked(forward, transport=transport)
        return said(await asked.outcome()), asked.at

    return play([(sin, "honest") if isinstance(sin, str) else sin for sin in sins], scene)  # type: ignore[no-any-return]


# Sins of the upstreams in their order; what is said; after how many seconds. Ids are robustness' rows.
@pytest.mark.parametrize(
    ("sins", "expected", "seconds"),
    [
        pytest.param(["honest"], "from 1", 0.0, id="first of one"),
        pytest.param(["honest", "honest"], "from 1", 0.0, id="the first is always asked first"),
        pytest.param(["nxdomain", "honest"], "NXDOMAIN", 0.0, id="a denial is an answer"),
        pytest.param(["silent", "honest"], "from 2", 2.0, id="U01 one silent"),
        pytest.param(["silent"], "failed SERVFAIL", 4.0, id="U02 the only one silent, asked twice"),
        pytest.param(["silent", "silent", "silent"], "failed SERVFAIL", 4.5, id="U02 all silent"),
        pytest.param(["gone", "honest"], "from 2", 0.0, id="U03 connection refused"),
        pytest.param(["gone", "gone"], "failed SERVFAIL", 0.0, id="U03 all refuse connections"),
        pytest.param(["servfail", "honest"], "from 2", 0.0, id="U04 SERVFAIL, then an answer"),
        pytest.param(["servfail"], "SERVFAIL", 0.0, id="U04 SERVFAIL passed on"),
        pytest.param(["servfail", "servfail", "honest"], "SERVFAIL", 0.0, id="U04 only one more is asked"),
        pytest.param(["servfail", "silent"], "SERVFAIL", 2.0, id="U04 SERVFAIL, then silence"),
        pytest.param(["refused", "honest"], "from 2", 0.0, id="U05 REFUSED"),
        pytest.param(["refused", "refused"], "failed SERVFAIL", 0.0, id="U05 all answer REFUSED"),
        pytest.param(["no edns", "honest"], "from 1", 0.0, id="U05 FORMERR without OPT, asked plainly"),
        pytest.param(["formerr", "honest"], "FORMERR", 0.0, id="U05 FORMERR with OPT is an answer"),
        pytest.param(["notimp", "honest"], "NOTIMP", 0.0, id="U05 NOTIMP is an answer"),
        *(
            pytest.param([sin, "honest"], "from 2", 2.0, id=f"{row} {sin}")
            for row, sin in [
                ("U07", "wrong id"),
                ("U08", "wrong name"),
                ("U08", "other type"),
                ("U08", "other class"),
                ("U09", "stranger"),
                ("U10", "a query"),
                ("U10", "opcode"),
                ("U10", "no question"),
                ("U10", "two questions"),
                ("U11", "bare header"),
                ("U11", "cut in the header"),
                ("U11", "cut in the question"),
                ("U11", "empty"),
                ("U11", "garbage"),
            ]
        ),
        *(
            pytest.param([sin], "from 1", 2.0, id=f"{row} {sin}, asked by TCP when time is up")
            for row, sin in [
                ("U08", "wrong name"),
                ("U10", "two questions"),
                ("U11", "garbage"),
                ("U11", "bare header"),
            ]
        ),
        pytest.param([("garbage", "gone")], "failed SERVFAIL", 2.0, id="U11 garbage, and no TCP"),
        pytest.param(["other case", "honest"], "from 1", 0.0, id="U12 another case, asked by TCP"),
        pytest.param([("other case", "gone"), "honest"], "from 2", 0.0, id="U12 another case, and no TCP"),
        pytest.param([("other case", "silent"), "honest"], "from 2", 2.0, id="U12 another case, silent by TCP"),
        pytest.param(["wrong, then right"], "from 1", 1.0, id="U08 the wait goes on"),
        pytest.param(["stranger first"], "from 1", 0.0, id="U09 the stranger's word counts nothing"),
        pytest.param(["forged"], "from 1", 0.0, id="T-ADV-06 200 guesses before the answer"),
        pytest.param(["a few forged"], "from 1", 0.0, id="U07 nine guesses before the answer"),
        pytest.param(["twice"], "from 1", 0.0, id="U13 the first counts"),
        pytest.param(["late", "honest"], "from 2", 2.0, id="U14 late"),
        pytest.param(["truncated"], "from 1", 0.0, id="U15 truncated, asked by TCP"),
        pytest.param(["large"], "from 1", 0.0, id="U17 over the advertised size, but whole"),
        pytest.param(["oversize"], "from 1", 0.0, id="U17 over 4096 octets, asked by TCP"),
        pytest.param([("truncated", "half"), "honest"], "from 2", 0.0, id="U18 half a message"),
        pytest.param([("truncated", "closed"), "honest"], "from 2", 0.0, id="U18 closed"),
        pytest.param([("truncated", "closed once")], "from 1", 0.0, id="U18 a second connection"),
        pytest.param([("truncated", "wrong length"), "honest"], "from 2", 0.0, id="U18 wrong length"),
        pytest.param([("truncated", "in pieces")], "from 1", 0.61, id="U18 octet by octet"),
        pytest.param([("truncated", "another's first")], "from 1", 0.0, id="U19 unknown ids"),
        pytest.param([("truncated", "wrong name"), "honest"], "from 2", 2.0, id="U19 another question's answer"),
        pytest.param([("truncated", "silent"), "honest"], "from 2", 2.0, id="U18 silent by TCP"),
        pytest.param([("truncated", "gone"), "honest"], "from 2", 0.0, id="no TCP there"),
        pytest.param([("truncated", "servfail"), "honest"], "from 2", 0.0, id="U04 SERVFAIL by TCP"),
        pytest.param([("truncated", "gone")], "from 1", 0.0, id="U15 no TCP anywhere: a part is better than nothing"),
    ],
)
def test_outcome_of_sins(sins: list[str | tuple[str, str]], expected: str, seconds: float) -> None:
    assert (expected, seconds) == ask_once(*sins)


def test_half_an_answer_is_nothing_to_a_client_that_asked_by_tcp() -> None:
    assert ask_once(("truncated", "gone"), transport="tcp") == ("failed SERVFAIL", 0.0)


def test_answer_by_tcp_is_whole() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        outcome = await Asked(forward).outcome()
        assert isinstance(outcome, Relayed)
        assert len(dns.message.from_wire(outcome.octets).answer[0]) == 300

    play([("truncated", "honest")], scene)


@pytest.mark.parametrize(
    ("sins", "code", "words"),
    [
        (["gone", "gone"], types.EDE_NETWORK_ERROR, ["Connection refused", "Connection refused"]),
        (["silent", "gone"], types.EDE_NO_REACHABLE_AUTHORITY, ["timed out", "Connection refused"]),
        (["refused", "gone"], types.EDE_NO_REACHABLE_AUTHORITY, ["answered REFUSED", "Connection refused"]),
    ],
)
def test_failure_names_each_upstream_and_what_it_did(sins: list[str], code: int, words: list[str]) -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        outcome = await Asked(forward).outcome()
        assert isinstance(outcome, Failed)
        assert outcome.error is not None
        assert outcome.error.code == code
        assert outcome.error.text == "; ".join(
            f"{sinner.address} {word}" for sinner, word in zip(sinners, words, strict=True)
        )

    play([(sin, "honest") for sin in sins], scene)


def test_no_upstream_fails_at_once() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        asked = Asked(forward)
        assert [said(outcome) for outcome in asked.outcomes] == ["failed SERVFAIL"]

    play([], scene)


def test_what_cannot_be_sent_to_anybody_fails_at_once_and_says_why() -> None:
    async def scene() -> None:
        nowhere = to(Address("255.255.255.255", 53))  # connecting to it isn't allowed
        forward = Forward(nowhere, loop=asyncio.get_running_loop(), random=random.SystemRandom(), log=Noted())
        assert Asked(forward).outcomes == [
            Failed(
                types.SERVFAIL,
                ExtendedError(types.EDE_NETWORK_ERROR, "255.255.255.255:53 Permission denied"),
                "forward",
            )
        ]

    virtual_time.run(scene())


def test_more_than_max_concurrent_fails_at_once_and_the_rest_go_on() -> None:  # U21
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        first = [Asked(forward) for _ in range(3)]
        fourth = Asked(forward)
        assert [said(outcome) for outcome in fourth.outcomes] == ["failed SERVFAIL"]
        assert forward.rejected == 1
        assert [said(await asked.outcome()) for asked in first] == ["from 1"] * 3
        assert said(await Asked(forward).outcome()) == "from 1"

    play([("slow", "honest")], scene, max_concurrent=3)


def test_answers_held_for_long_reach_nobody_when_all_come_at_once() -> None:  # U22
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        asked = [Asked(forward, from_text(f"{n}.example.com.")) for n in range(100)]
        await asyncio.sleep(9)
        assert {said(outcome) for one in asked for outcome in one.outcomes} == {"failed SERVFAIL"}
        assert (len(forward.waiting), {one.at for one in asked}) == (0, {4.0})
        sinners[0].udp = "honest"
        well = Asked(forward)
        assert (said(await well.outcome()), well.at) == ("from 1", 0.0)
        assert [len(one.outcomes) for one in asked] == [1] * 100

    play([("held", "honest")], scene)


def test_a_flood_of_names_that_nobody_answers_takes_no_more_than_may_wait() -> None:  # U23
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        asked = [Asked(forward, from_text(f"{n}.dead.example.")) for n in range(1000)]
        assert len(forward.waiting) == 50
        assert sum(len(one.outcomes) for one in asked) == 950
        sinners[0].udp = "honest"
        await asyncio.sleep(5)
        assert not forward.waiting
        assert said(await Asked(forward).outcome()) == "from 1"

    play([("silent", "honest")], scene, max_concurrent=50)


def test_late_answer_is_delivered_to_nobody() -> None:  # U14
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        asked = [Asked(forward, from_text(f"{n}.example.com.")) for n in range(20)]
        await asyncio.sleep(2.5)
        sinners[0].udp = "silent"  # what was asked once more stays so, what was asked first comes at 3
        others = [Asked(forward, from_text(f"{n}.example.com.")) for n in range(20)]
        assert {said(await one.outcome()) for one in [*asked, *others]} == {"failed SERVFAIL"}
        assert forward.upstreams[0].counts.ignored == 40

    play([("late", "honest")], scene)


def test_what_answers_nothing_is_counted() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        await Asked(forward).outcome()
        counts = forward.upstreams[0].counts
        assert (counts.asked, counts.streamed, counts.ignored, counts.timed_out, counts.failed) == (1, 0, 9, 0, 0)

    play([("a few forged", "honest")], scene)


def test_after_ten_forgeries_the_question_goes_by_tcp() -> None:  # U07
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        outcome = await Asked(forward).outcome()
        assert isinstance(outcome, Relayed)
        counts = forward.upstreams[0].counts
        assert (counts.asked, counts.streamed, counts.ignored) == (1, 1, FORGED)
        assert len(sinners[0].streamed) == 1

    play([("forged", "honest")], scene)


def test_without_descriptors_the_question_fails_and_the_next_one_is_answered() -> None:  # U34
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            failed = Asked(forward)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert [said(outcome) for outcome in failed.outcomes] == ["failed SERVFAIL"]
        assert said(await Asked(forward).outcome()) == "from 1"

    play([("honest", "honest")], scene)


def test_closing_fails_what_is_in_flight() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        asked = [Asked(forward) for _ in range(5)]
        forward.close()
        assert {said(await one.outcome()) for one in asked} == {"failed SERVFAIL"}

    play([("silent", "honest")], scene)


def test_refusal_of_one_datagram_ends_the_wait_of_all_on_that_socket() -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> None:
        asked = [Asked(forward) for _ in range(100)]
        assert {said(await one.outcome()) for one in asked} == {"from 2"}
        assert {one.at for one in asked} == {0.0}

    play([("gone", "honest"), ("honest", "honest")], scene)


def test_all_is_quiet_once_all_is_answered() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for _ in range(3):
            asked = [Asked(forward) for _ in range(QUESTIONS - 6)]  # no more than a queue holds
            assert {said(await one.outcome()) for one in asked} == {"from 1"}
        assert max(sinners[0].ports.count(port) for port in set(sinners[0].ports)) <= QUESTIONS
        assert not forward.waiting
        assert forward._timer is None

    play([("slow", "honest")], scene)


SINS = st.tuples(
    st.sampled_from([*sorted(UDP), "gone"]), st.sampled_from(["honest", "closed", "half", "silent", "gone"])
)


@settings(max_examples=30, deadline=None)
@given(
    upstreams=st.lists(SINS, min_size=1, max_size=3),
    pauses=st.lists(st.sampled_from([0.0, 0.5, 1.9, 2.0]), min_size=1, max_size=5),
)
def test_every_question_has_exactly_one_outcome_in_time(upstreams: list[tuple[str, str]], pauses: list[float]) -> None:
    async def scene(forward: Forward, _sinners: list[UpstreamOfSins]) -> list[Asked]:
        asked = []
        for number, pause in enumerate(pauses):
            await asyncio.sleep(pause)
            asked.append(Asked(forward, from_text(f"{number}.example.com.")))
        for one in asked:
            await one.outcome()
        return asked

    for one in play(upstreams, scene):
        assert 0 <= one.at <= 4.5
