"""Counts: what real responders, doors, streams and upstreams have seen, as series that the metrics table knows."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import SystemRandom

import dns.flags
import dns.message

from kdns.config.directives.cache import Cache as Settings
from kdns.config.serving import Block
from kdns.config.settings import Address
from kdns.dns import types
from kdns.dns.names import ROOT, from_text
from kdns.dns.records import Answer
from kdns.dns.reply import udp_limit
from kdns.ops.lines import Lines
from kdns.ops.metrics import Counts, decode_report, encode_report, render
from kdns.serve.blocks import Working
from kdns.serve.counts import counts
from kdns.serve.memo import Memo
from kdns.serve.responder import Door, Responder, Rules
from kdns.serve.routes import Manner
from kdns.serve.stream import StreamServer
from kdns.serve.tally import Shared
from kdns.serve.udp import PlainDoor
from kdns.steps.cache import Cache
from kdns.steps.chain import Answered, Done, Failed, Outcome, Relayed, Request, Rest, Step, compose
from kdns.steps.forward import Forward
from kdns.zone.entry import Owner
from kdns.zone.index import Index
from tests.serve.conversation import Answers, connect, ends, serving, until, virtually
from tests.serve.routed import everywhere
from tests.serve.served import Served
from tests.steps.cached import Logged
from tests.steps.forwarding import Noted, to
from tests.steps.upstream_texts import reply, soa
from tests.virtual_time import VirtualTimeLoop

UDP = Door("dns://:53", "udp", "1")
TCP6 = Door("dns://:53", "tcp", "2")
REQUESTS = "coredns_dns_requests_total"
RESPONSES = "coredns_dns_responses_total"
RULES = Rules(udp_limit, cookie=lambda _client, _address: b"")


class Silent:
    def error(self, event: str, **_keys: object) -> None:
        pass


def chain(request: Request, _done: Done) -> Outcome | None:
    """Answers by the first label."""
    name = request.query.name
    match name[1 : 1 + name[0]]:
        case b"absent":
            return Answered(Answer(types.NXDOMAIN), (), "kubernetes")
        case b"dead":
            return Failed(types.SERVFAIL, by="forward")
        case b"fault":
            raise ZeroDivisionError
    return Answered(Answer(), (Owner(b"o"),), "kubernetes")


def responder(door: Door = UDP) -> Responder:
    return Responder(door, everywhere(chain), RULES, Memo(1 << 20), Silent())


def ask(asked: Responder, name: str, rtype: str = "A", times: int = 1) -> None:
    octets = dns.message.make_query(name, rtype).to_wire()
    for _ in range(times):
        asked.converse(octets, ("127.0.0.1", 4053), lambda _reply: None)


def forward(*upstreams: Address) -> Forward:
    return Forward(to(*upstreams), loop=asyncio.new_event_loop(), random=SystemRandom(), log=Noted())


def working(step: Step) -> tuple[str, Working]:
    """A server block of one step, and a listener that leads to it."""
    return "dns://:53", Working(Block((ROOT,), ()), ".", (step,), compose((step,)), Manner())


def request_of(rtype: str, door: Door = UDP) -> tuple[str, tuple[str, ...]]:
    return REQUESTS, (door.server, ".", "", door.transport, door.family, rtype)


def response_of(rcode: str, plugin: str) -> tuple[str, tuple[str, ...]]:
    return RESPONSES, ("dns://:53", ".", "", rcode, plugin)


def told(responders: list[Responder]) -> Counts:
    """What they count beside what questions, replies and waiting measured."""
    measures = ("coredns_dns_request_size", "coredns_dns_response_size", "coredns_dns_request_duration")
    return {
        series: count for series, count in counts(responders, [], [], []).items() if not series[0].startswith(measures)
    }


def test_before_the_first_question_all_totals_are_zero() -> None:
    assert counts([responder()], [], [], []) == {
        ("coredns_panics_total", ()): 0,
        ("kdns_memo_hits_total", ()): 0,
        ("kdns_memo_entries", ()): 0,
    }


def test_each_question_is_a_request_by_type_and_a_response_by_rcode_and_plugin() -> None:
    asked = responder()
    ask(asked, "here.", times=2)
    ask(asked, "here.", "AAAA")
    ask(asked, "absent.")
    ask(asked, "dead.", "MX")
    assert (
        counts([asked], [], [], []).items()
        >= {
            request_of("A"): 3,
            request_of("AAAA"): 1,
            request_of("MX"): 1,
            response_of("NOERROR", "kubernetes"): 3,
            response_of("NXDOMAIN", "kubernetes"): 1,
            response_of("SERVFAIL", "forward"): 1,
        }.items()
    )


def test_remembered_replies_count_as_questions_and_as_hits() -> None:
    asked = responder()
    ask(asked, "here.", times=10)  # the second sight is remembered
    assert told([asked]) == {
        request_of("A"): 10,
        response_of("NOERROR", "kubernetes"): 10,
        ("coredns_panics_total", ()): 0,
        ("kdns_memo_hits_total", ()): 8,
        ("kdns_memo_entries", ()): 1,
    }


def test_sizes_are_told_of_remembered_questions_and_replies_too() -> None:
    asked = responder()
    ask(asked, f"{'a' * 60}.{'b' * 60}.", times=5)  # 123 octets of name, 139 of question and reply
    found = counts([asked], [], [], [])
    where = ("dns://:53", ".", "", "udp")
    for family in ("coredns_dns_request_size_bytes", "coredns_dns_response_size_bytes"):
        within = {bound: found[f"{family}_bucket", (*where, bound)] for bound in ("0", "100", "200", "64000", "+Inf")}
        assert within == {"0": 0, "100": 0, "200": 5, "64000": 5, "+Inf": 5}
        assert found[f"{family}_count", where] == 5
        assert abs(found[f"{family}_sum", where] - 5 * 139) <= 5 * 8


def test_questions_that_want_dnssec_records_are_counted() -> None:
    asked = responder()
    for want in (True, False, True, True):
        octets = dns.message.make_query("here.", "A", want_dnssec=want).to_wire()
        asked.converse(octets, ("127.0.0.1", 4053), lambda _reply: None)
    assert counts([asked], [], [], [])["coredns_dns_do_requests_total", ("dns://:53", ".", "")] == 3


def test_how_long_questions_took_is_told_by_server_block() -> None:
    asked = responder()
    asked.timing.began = 10.0
    ask(asked, "here.", times=3)
    asked.timing.answered(3, 10.001)
    found = counts([asked], [], [], [])
    name, where = "coredns_dns_request_duration_seconds", ("dns://:53", ".", "")
    within = [found[f"{name}_bucket", (*where, bound)] for bound in ("0.0005", "0.002", "8.192", "+Inf")]
    assert (within, found[f"{name}_count", where]) == ([0, 3, 3, 3], 3)
    assert round(found[f"{name}_sum", where], 6) == 0.003


def test_what_acl_lets_pass_counts_each_time_though_it_is_asked_again() -> None:
    served = Served(
        '. {\nacl {\nblock type MX\n}\ntemplate ANY ANY {\nanswer "{{ .Name }} 60 A 192.0.2.1"\n}\n}', Index()
    )
    for transport in ("udp", "tcp", "udp", "udp", "tcp"):
        served.ask("a.example.", transport=transport)
        served.ask("a.example.", "MX", transport=transport)
    counted = counts([served.udp, served.tcp], [], [], [("dns://:53", served.blocks[0])])
    assert counted["coredns_acl_allowed_requests_total", ("dns://:53", "")] == 5
    assert counted["coredns_acl_blocked_requests_total", ("dns://:53", ".", "")] == 5


def test_replies_with_made_addresses_count_remembered_ones_too() -> None:
    made = "{{ .Name }} 60 A 192.0.2.1"
    served = Served(
        f'. {{\ndns64 {{\nallow_ipv4\n}}\ntemplate IN A {{\nanswer "{made}"\n}}\ntemplate IN AAAA\n}}', Index()
    )
    for name in ("a.example.", "a.example.", "a.example.", "b.example."):
        assert str(served.ask(name, "AAAA").answer[0][0]) == "64:ff9b::c000:201"
        served.ask(name, "A")
    counted = counts([served.udp], [], [], [("dns://:53", served.blocks[0])])
    assert counted["coredns_dns64_requests_translated_total", ("dns://:53",)] == 4
    assert "coredns_dns64_requests_translated_total" in render(
        (name, labels, value) for (name, labels), value in counted.items()
    )


def test_lines_are_counted_as_written_or_dropped(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    with (tmp_path / "log").open("wb") as out:
        lines = Lines(out.fileno(), loop)
        lines.add("a\nb\n")
        lines.close()
    loop.close()
    assert counts([], [], [], [], lines) == {
        ("kdns_log_lines_written_total", ()): 2,
        ("kdns_log_lines_dropped_total", ()): 0,
    }


def test_a_fault_of_our_own_is_a_panic_and_one_servfail() -> None:
    asked = responder()
    ask(asked, "fault.")
    assert told([asked]) == {
        request_of("A"): 1,
        response_of("SERVFAIL", ""): 1,
        ("coredns_panics_total", ()): 1,
        ("kdns_memo_hits_total", ()): 0,
        ("kdns_memo_entries", ()): 0,
    }


def test_whatever_types_are_asked_for_their_series_are_few() -> None:
    asked = responder()
    for number in range(1000, 1100):
        ask(asked, "here.", f"TYPE{number}")
    asked.converse(b"\0\1\0\0\0\2" + bytes(6), ("127.0.0.1", 4053), lambda _reply: None)  # two questions: FORMERR
    found = {series: count for series, count in counts([asked], [], [], []).items() if series[0] == REQUESTS}
    malformed = REQUESTS, ("dns://:53", "dropped", "", "udp", "1", "other")
    assert found == {request_of("other"): 100, malformed: 1}


def test_datagrams_without_a_reply_are_counted_by_why() -> None:
    asked = responder()
    response = dns.message.make_query("here.", "A")
    response.flags |= dns.flags.QR
    for octets in (b"", b"short", response.to_wire()):
        asked.converse(octets, ("127.0.0.1", 4053), lambda _reply: None)
    found = counts([asked], [], [], [])
    assert found["kdns_dropped_total", ("short",)] == 2
    assert found["kdns_dropped_total", ("response",)] == 1
    assert not [series for series in found if series[0] == REQUESTS]


def test_doors_are_told_apart_and_what_has_no_door_is_added_up() -> None:
    one, other, third = responder(), responder(TCP6), responder()
    for each in (one, other, third):
        ask(each, "here.", times=3)
    assert told([one, other, third]) == {
        request_of("A"): 6,
        request_of("A", TCP6): 3,
        response_of("NOERROR", "kubernetes"): 9,
        ("coredns_panics_total", ()): 0,
        ("kdns_memo_hits_total", ()): 3,
        ("kdns_memo_entries", ()): 3,
    }


def test_replies_that_doors_share_are_entries_once() -> None:
    shared = Shared(Memo(1 << 20), doors=2)
    one = Responder(UDP, everywhere(chain), RULES, shared.memo, Silent(), shared)
    other = Responder(TCP6._replace(place=1), everywhere(chain), RULES, Memo(1 << 20), Silent(), shared)
    ask(one, "here.", times=3)
    ask(other, "here.", times=4)
    assert told([one, other]) == {
        request_of("A"): 3,
        request_of("A", TCP6): 4,
        response_of("NOERROR", "kubernetes"): 7,
        ("coredns_panics_total", ()): 0,
        ("kdns_memo_hits_total", ()): 5,
        ("kdns_memo_entries", ()): 1,
    }


def test_replies_that_the_kernel_does_not_take_are_dropped_ones() -> None:
    async def unsent() -> None:
        asked = responder()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            doors = [PlainDoor(sock, asked, Memo(1 << 20), asyncio.get_running_loop())]
            doors[0].send(("127.0.0.1", 0), [], b"to nobody's port")
            assert counts([], doors, [], []) == {
                ("kdns_dropped_total", ("unsent",)): 1,
                ("kdns_dropped_total", ("overload",)): 0,
            }
            doors[0].close()

    asyncio.run(unsent())


@asynccontextmanager
async def conversed(clients: int) -> AsyncIterator[StreamServer]:
    """A server whose clients have come, been silent and been sent away."""
    async with serving(Answers()) as (server, port):
        for client in [await connect(port) for _ in range(clients)]:
            await ends(client)
        await until(lambda: not server.busy)
        yield server


@virtually
async def test_connections_are_counted_by_why_they_ended() -> None:
    async with conversed(2) as one, conversed(1) as other:
        assert counts([], [], [one, other], []) == {("kdns_connections_closed_total", ("idle",)): 3}


def test_what_steps_count_of_upstreams_is_among_it() -> None:
    step = forward(Address("192.0.2.1", 53))
    step.upstreams[0].counts.asked = 10
    step.loop.close()
    found = counts([], [], [], [working(step), working(step)])
    assert found["kdns_forward_tries_total", ("192.0.2.1:53",)] == 20


def test_what_the_cache_answered_is_a_hit_and_what_an_upstream_did_a_miss() -> None:
    loop = VirtualTimeLoop()
    loop.close()  # only its clock is used
    cache = Cache(Settings(), loop, Logged())
    rules = RULES._replace(clock=loop.time)
    asked = Responder(UDP, everywhere(compose((cache, Upstream()))), rules, Memo(1 << 20), Silent())
    ask(asked, "www.example.com.", times=5)  # one is a miss, one a hit, three are remembered ones
    ask(asked, "www.example.com.", "MX", times=2)
    ask(asked, "absent.example.com.", times=3)
    found = counts([asked], [], [], [working(cache)])
    where = ("dns://:53", ".", "")
    assert {series: count for series, count in found.items() if series[0].startswith("coredns_cache")} == {
        ("coredns_cache_requests_total", where): 10,
        ("coredns_cache_misses_total", where): 3,
        ("coredns_cache_hits_total", ("dns://:53", "success", ".", "")): 4,
        ("coredns_cache_hits_total", ("dns://:53", "denial", ".", "")): 3,
        ("coredns_cache_entries", ("dns://:53", "success", ".", "")): 1,
        ("coredns_cache_entries", ("dns://:53", "denial", ".", "")): 2,
        ("coredns_cache_evictions_total", ("dns://:53", "success", ".", "")): 0,
        ("coredns_cache_evictions_total", ("dns://:53", "denial", ".", "")): 0,
        ("coredns_cache_prefetch_total", where): 0,
        ("coredns_cache_served_stale_total", where): 0,
        ("coredns_cache_drops_total", where): 0,
    }
    page = render((name, labels, value) for (name, labels), value in found.items())
    assert 'coredns_cache_hits_total{server="dns://:53",type="denial",zones=".",view=""} 3' in page


class Upstream:
    """A step that knows one address."""

    def ask(self, request: Request, _rest: Rest, _done: Done) -> Outcome:
        query = request.query
        if query.name == from_text("www.example.com.") and query.qtype == types.A:
            return Relayed(reply(query, "www.example.com. 60 IN A 192.0.2.1"), "forward")
        return Relayed(
            reply(query, "", soa(60, 60), rcode="NXDOMAIN" if query.qtype == types.A else "NOERROR"), "forward"
        )


@virtually
async def test_every_series_is_of_the_table() -> None:
    asked = responder()
    for name in ("here.", "absent.", "fault."):
        ask(asked, name, "SVCB", times=3)
    where = to(Address("192.0.2.1", 53))
    step = Forward(where, loop=asyncio.get_running_loop(), random=SystemRandom(), log=Noted())
    async with conversed(1) as server:
        found = counts([asked], [], [server], [working(step)])
    assert decode_report(encode_report(found)) == found
    assert 'type="other"' in render((name, labels, value) for (name, labels), value in found.items())
