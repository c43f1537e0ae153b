"""Upstreams over HTTPS: every way in which one can fail a question. Real sockets, real TLS, virtual time."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import dns.message
import pytest
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.config.directives.forward import Certificates
from kdns.config.directives.forward import Forward as Settings
from kdns.config.endpoints import Upstream as Target
from kdns.config.kinds import FilePath
from kdns.dns import names
from kdns.dns.names import Name, from_text
from kdns.steps.chain import Failed, Relayed
from kdns.steps.forward import Forward
from kdns.steps.http2 import STREAMS, Http2
from kdns.steps.https import Resource
from tests import virtual_time
from tests.steps.certificates import Made, Pair
from tests.steps.doh_of_sins import Doh, doh
from tests.steps.forwarding import Asked, Noted, said
from tests.steps.test_targets import knows
from tests.steps.upstream_of_sins import UDP, UpstreamOfSins


def target(server: Doh | int, name: str = "dns.example", path: str = "/dns-query") -> Target:
    port = server if isinstance(server, int) else server.port
    return Target("address", "127.0.0.1", "https", port, name, path)


def ask(made: Made, *targets: Target, client: Pair | None = None, **changes: Any) -> Forward:
    tls = Certificates(authorities=FilePath(str(made.authority.certificate)))
    if client is not None:
        tls = tls._replace(certificate=FilePath(str(client.certificate)), key=FilePath(str(client.key)))
    chosen = {"origin": (names.ROOT,), "upstreams": targets, "tls": tls, "policy": "sequential", **changes}
    return Forward(Settings(**chosen), loop=asyncio.get_running_loop(), random=random.SystemRandom(), log=Noted())


def name(number: int) -> Name:
    return from_text(f"{number}.example.com.")


def why(asked: Asked) -> str:
    (outcome,) = asked.outcomes
    assert isinstance(outcome, Failed)
    assert outcome.error is not None
    return outcome.error.text


def played(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(scene())


# What the first of two upstreams does; what is said; after how many seconds; why, where it is the only upstream.
FAILS = [
    ("silent", 2.0, "timed out"),
    ("status 204", 0.0, "answered something else"),
    ("status 302", 0.0, "HTTP status 302"),
    ("status 404", 0.0, "HTTP status 404"),
    ("status 503", 0.0, "HTTP status 503"),
    ("another type", 0.0, "HTTP content of type text/html, expected application/dns-message"),
    ("no type", 0.0, "HTTP content of type nothing, expected application/dns-message"),
    ("encoded", 0.0, "HTTP content encoded as gzip, which wasn't asked for"),
    ("huge, and says so", 0.0, "HTTP content of 65536 octets or more, expected at most 65535"),
    ("huge", 0.0, "octets or more, expected at most 65535"),
    ("octet by octet", 2.0, "timed out"),
    ("half", 2.0, "timed out"),
    ("half, then closes", 0.0, "closed before the answer"),
    ("less than it says", 0.0, "HTTP/2: "),
    ("empty", 0.0, "answered something else"),
    ("garbage", 0.0, "answered something else"),
    ("another question", 0.0, "answered something else"),
    ("aged, and garbage", 0.0, "HTTP content that is no DNS message"),
    ("reset", 0.0, "HTTP/2: the server reset the stream (INTERNAL_ERROR)"),
    ("half, then reset", 0.0, "HTTP/2: the server reset the stream (CANCEL)"),
    ("closes", 0.0, "closed before the answer"),
    ("goes away in anger", 0.0, "HTTP/2: the server went away (ENHANCE_YOUR_CALM)"),
    ("overlong frame", 0.0, "HTTP/2: a frame of 16777215 octets, expected at most 16384"),
    ("no frames", 0.0, "HTTP/2: a frame of"),
]


@pytest.mark.parametrize(("sin", "seconds", "words"), FAILS, ids=[sin for sin, _, _ in FAILS])
def test_what_fails_is_asked_of_the_next_and_says_why(made: Made, sin: str, seconds: float, words: str) -> None:
    async def scene() -> None:
        async with doh(sin, made.named) as bad, doh("honest", made.named, number=2) as good:
            forward = ask(made, target(bad), target(good), max_fails=0)
            asked = Asked(forward)
            assert said(await asked.outcome()) == "from 2"
            assert asked.at == seconds
            forward.close()
            forward = ask(made, target(bad), max_fails=0)
            asked = Asked(forward)
            await asked.outcome()
            assert words in why(asked)
            assert not forward.waiting
            forward.close()

    played(scene)


@pytest.mark.parametrize(
    ("sin", "connections", "seconds"),
    [
        ("honest", 1, 0.0),
        ("slow", 1, 1.0),
        ("in two", 1, 1.0),
        ("the largest", 1, 0.0),
        ("type with a parameter", 1, 0.0),
        ("unknown frames", 1, 0.0),
        ("closes after", 1, 0.0),
        ("goes away, answers", 1, 1.0),
        ("reset once", 2, 0.0),
        ("closes once", 2, 0.0),
        ("goes away once", 2, 0.0),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_question_is_lost(made: Made, sin: str, connections: int, seconds: float, method: str) -> None:
    async def scene() -> None:
        async with doh(sin, made.named) as server:
            forward = ask(made, target(server), doh_method=method)
            asked = Asked(forward)
            assert said(await asked.outcome()) == "from 1"
            assert (server.connections, asked.at) == (connections, seconds)
            forward.close()

    played(scene)


def test_a_question_is_what_rfc_8484_wants(made: Made) -> None:
    async def scene() -> None:
        async with doh("honest", made.named) as server:
            forward = ask(made, target(server, path="/other/path"))
            assert said(await Asked(forward).outcome()) == "from 1"
            (request,) = server.requests
            assert dns.message.from_wire(request.query).id == 0
            assert request.fields == {
                ":method": "POST",
                ":scheme": "https",
                ":authority": f"dns.example:{server.port}",
                ":path": "/other/path",
                "accept": "application/dns-message",
                "content-type": "application/dns-message",
                "content-length": str(len(request.query)),
            }
            forward.close()

    played(scene)


def test_equal_questions_are_equal_requests(made: Made) -> None:
    async def scene() -> None:
        async with doh("honest", made.named) as server:
            forward = ask(made, target(server), doh_method="GET")
            for _ in range(2):
                assert said(await Asked(forward).outcome()) == "from 1"
            first, second = server.requests
            assert first.fields == second.fields
            forward.close()

    played(scene)


def test_one_connection_takes_many_questions_at_a_time_and_is_used_again(made: Made) -> None:
    async def scene() -> None:
        async with doh("slow", made.named) as server:
            forward = ask(made, target(server))
            for turn in range(3):
                asked = [Asked(forward, name(number)) for number in range(STREAMS)]
                await asyncio.sleep(5)
                assert {said(outcome) for one in asked for outcome in one.outcomes} == {"from 1"}, turn
            assert (server.connections, len(server.requests)) == (1, 3 * STREAMS)
            assert [counts for upstream in forward.upstreams if (counts := upstream.counts).lines == 1]
            await asyncio.sleep(20)
            assert server.open == set()
            forward.close()

    played(scene)


def test_the_servers_bound_of_streams_is_kept(made: Made) -> None:
    async def scene() -> None:
        async with doh("slow", made.named, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 4}) as server:
            forward = ask(made, target(server))
            assert said(await Asked(forward).outcome()) == "from 1"
            assert said(await Asked(forward).outcome()) == "from 1"
            one = Asked(forward)
            await asyncio.sleep(1)  # by now the bound is known
            asked = [one, *(Asked(forward, name(number)) for number in range(8))]
            await asyncio.sleep(5)
            assert {said(outcome) for each in asked for outcome in each.outcomes} == {"from 1"}
            forward.close()

    played(scene)


def test_without_a_window_the_content_waits_for_one(made: Made) -> None:
    async def scene() -> None:
        async with doh("honest", made.named, settings={SettingCodes.INITIAL_WINDOW_SIZE: 0}) as server:
            forward = ask(made, target(server))
            first = Asked(forward)
            await asyncio.sleep(1)  # by now the window is known
            second = Asked(forward)
            assert said(await second.outcome()) == said(first.outcomes[0]) == "from 1"
            assert (first.at, second.at, server.connections) == (0.0, 1.0, 1)
            forward.close()

    played(scene)


def test_what_is_waited_for_no_longer_is_cancelled_and_the_connection_left(made: Made) -> None:
    async def scene() -> None:
        async with doh("silent", made.named) as server:
            forward = ask(made, target(server), max_fails=0)
            await Asked(forward).outcome()
            assert server.connections == 2  # one that was silent takes no more
            assert server.open == set()
            forward.close()
        async with doh("silent once", made.named) as server:
            forward = ask(made, target(server), max_fails=0)
            first = Asked(forward)
            await asyncio.sleep(1.5)
            assert said(await Asked(forward).outcome()) == "from 1"
            assert said(first.outcomes[0]) == "from 1"
            assert (server.cancelled, server.connections) == (1, 2)
            forward.close()

    played(scene)


def test_an_idle_connection_that_the_server_closes_costs_nothing(made: Made) -> None:
    async def scene() -> None:
        async with doh("closes after", made.named) as server:
            forward = ask(made, target(server))
            for _ in range(3):
                asked = Asked(forward)
                assert said(await asked.outcome()) == "from 1"
            counts = forward.upstreams[0].counts
            assert (server.connections, counts.streamed, counts.failed) == (3, 3, 0)
            forward.close()

    played(scene)


def test_after_goaway_new_questions_have_a_new_connection_and_old_ones_are_answered(made: Made) -> None:
    async def scene() -> None:
        async with doh("goes away, answers", made.named) as server:
            forward = ask(made, target(server))
            first = Asked(forward)
            await asyncio.sleep(0.5)
            second = Asked(forward)
            assert said(await second.outcome()) == said(first.outcomes[0]) == "from 1"
            assert server.connections == 2
            forward.close()

    played(scene)


@pytest.mark.parametrize(
    ("sin", "ttl"), [("honest", 30), ("aged", 20), ("fresh for 5 s", 5), ("fresh for 25 s, aged", 5)]
)
def test_what_a_cache_on_the_way_kept_is_that_much_older(made: Made, sin: str, ttl: int) -> None:
    async def scene() -> None:
        async with doh(sin, made.named) as server:
            forward = ask(made, target(server))
            outcome = await Asked(forward).outcome()
            assert isinstance(outcome, Relayed)
            assert dns.message.from_wire(outcome.octets).answer[0].ttl == ttl
            forward.close()

    played(scene)


def test_servfail_is_an_answer_as_by_any_other_way(made: Made) -> None:
    async def scene() -> None:
        async with doh("servfail", made.named) as bad, doh("honest", made.named, number=2) as good:
            forward = ask(made, target(bad), target(good))
            assert said(await Asked(forward).outcome()) == "from 2"
            forward.close()

    played(scene)


@pytest.mark.parametrize("way", ["%NAME", "tls_servername", "address"])
def test_the_name_is_verified_and_asked_for(made: Made, way: str) -> None:
    async def scene() -> None:
        async with doh("honest", made.addressed if way == "address" else made.named) as server:
            own = "dns.example" if way == "%NAME" else ""
            general = "dns.example" if way == "tls_servername" else ""
            forward = ask(made, target(server, own), tls_server_name=general)
            assert said(await Asked(forward).outcome()) == "from 1"
            authority = "127.0.0.1" if way == "address" else "dns.example"
            assert server.requests[0].fields[":authority"] == f"{authority}:{server.port}"
            assert server.names == [None if way == "address" else "dns.example"]
            forward.close()

    played(scene)


@pytest.mark.parametrize(("general", "expected"), [("", "from 1"), ("other.example", "failed SERVFAIL")])
def test_a_host_s_name_is_the_one_to_verify_unless_the_settings_say_another(
    made: Made, monkeypatch: pytest.MonkeyPatch, general: str, expected: str
) -> None:
    async def scene() -> None:
        async with UpstreamOfSins("known") as resolver, doh("honest", made.named) as server:
            host = Target("host", "dns.example", "https", server.port, "", "/dns-query")
            forward = ask(made, host, resolvers=(resolver.address,), tls_server_name=general)
            await asyncio.sleep(1)
            assert said(await Asked(forward).outcome()) == expected
            assert [each.fields[":authority"] for each in server.requests] == [f"dns.example:{server.port}"][
                : not general
            ]
            forward.close()

    monkeypatch.setitem(UDP, "known", knows("127.0.0.1"))
    played(scene)


@pytest.mark.parametrize(
    ("name", "protocols", "words"),
    [
        ("other.example", ["h2"], "certificate not believed: Hostname mismatch"),
        ("", ["h2"], "certificate not believed: IP address mismatch"),
        ("dns.example", ["http/1.1"], "TLS: "),
        ("dns.example", [], "TLS: h2 isn't spoken there"),
    ],
    ids=["another's name", "no name", "HTTP/1.1 only", "no ALPN"],
)
def test_u20_who_isnt_believed_or_speaks_no_http2_is_asked_nothing(
    made: Made, name: str, protocols: list[str], words: str
) -> None:
    async def scene() -> None:
        async with doh("honest", made.named, protocols=protocols) as server:
            forward = ask(made, target(server, name), max_fails=0)
            asked = Asked(forward)
            await asked.outcome()
            assert words in why(asked)
            assert server.requests == []
            forward.close()

    played(scene)


@pytest.mark.parametrize("shown", [True, False])
def test_the_clients_certificate_is_shown(made: Made, shown: bool) -> None:
    async def scene() -> None:
        async with doh("honest", made.named, clients=made.authority) as server:
            forward = ask(made, target(server), client=made.client if shown else None)
            assert said(await Asked(forward).outcome()) == ("from 1" if shown else "failed SERVFAIL")
            assert len(server.requests) == shown
            forward.close()

    played(scene)


def test_who_asks_and_does_not_read_is_left(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with doh("pings", made.named) as server:
            forward = ask(made, target(server), max_fails=0)
            asked = Asked(forward)
            await asked.outcome()
            assert "asks, and doesn't read" in why(asked)
            forward.close()

    monkeypatch.setattr("kdns.steps.line._OUT_MAX", 4096)  # else the system's own buffers would have to be filled
    played(scene)


def test_probes_go_over_https_until_one_is_answered(made: Made) -> None:
    async def scene() -> None:
        async with doh("silent", made.named) as server:
            forward = ask(made, target(server))
            assert said(await Asked(forward).outcome()) == "failed SERVFAIL"
            assert len(server.probed) > 2
            (upstream,) = forward.upstreams
            assert upstream.counts.probes_failed > 2
            server.sin = "honest"
            await asyncio.sleep(20)
            probes = len(server.probed)
            await asyncio.sleep(60)
            assert len(server.probed) == probes
            assert said(await Asked(forward).outcome()) == "from 1"
            forward.close()

    played(scene)


def test_what_was_counted_is_of_https(made: Made) -> None:
    async def scene() -> None:
        async with doh("honest", made.named) as server:
            forward = ask(made, target(server))
            await Asked(forward).outcome()
            for one in (Asked(forward), Asked(forward)):
                await one.outcome()
            to, counted = f"127.0.0.1:{server.port}", forward.counts()
            assert counted["coredns_proxy_conn_cache_misses_total", ("forward", to, "https")] == 2
            assert counted["coredns_proxy_conn_cache_hits_total", ("forward", to, "https")] == 1
            assert counted["coredns_proxy_request_duration_seconds_count", ("forward", to, "NOERROR")] == 3
            forward.close()

    played(scene)


# Sans-IO: any octets at all


@settings(max_examples=200, deadline=None)
@given(
    octets=st.lists(
        st.binary(max_size=40)
        | st.builds(
            lambda kind, flags, stream, body: (
                len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body
            ),
            st.integers(0, 11),
            st.sampled_from([0, 1, 4, 5, 8, 32, 255]),
            st.sampled_from([0, 1, 3, 5, 2, 2**31 - 1]),
            st.binary(max_size=40) | st.sampled_from([b"\x88", b"\x88\x88", b"\0\0\0\0", b"\xff" * 8, bytes(8)]),
        ),
        max_size=8,
    ),
    cut=st.integers(1, 30),
)
def test_any_octets_are_answers_errors_or_the_end(octets: list[bytes], cut: int) -> None:
    speech = Http2(Resource("dns.example", "/dns-query", "POST"))
    keys = {speech.say(0, bytes(17)) for _ in range(2)}
    heard, stream = [], b"".join(octets)
    for start in range(0, len(stream), cut):
        heard += speech.hear(stream[start : start + cut])
    assert len({key for key, _ in heard}) == len(heard)
    assert {key for key, _ in heard} <= keys
    assert all(isinstance(what, bytes | OSError) for _, what in heard)
    for key in keys - {key for key, _ in heard}:
        speech.forget(key)
    speech.pending()
    assert isinstance(speech.end, OSError | None)
