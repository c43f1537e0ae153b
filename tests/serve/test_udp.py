"""UDP doors: one contract for the batched and the plain way, with and without a log and audiences, on real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import NamedTuple

import dns.message
import pytest

from kdns.config.settings import Address
from kdns.dns import types
from kdns.dns.names import ROOT
from kdns.dns.records import Answer, RecordSet
from kdns.dns.reply import udp_limit
from kdns.serve import mmsg
from kdns.serve.audiences import Audiences
from kdns.serve.memo import Memo
from kdns.serve.querylog import QueryLog
from kdns.serve.responder import Door as Place
from kdns.serve.responder import Responder, Rules
from kdns.serve.routes import Block, Routes
from kdns.serve.sieve import OPEN
from kdns.serve.sockets import open_sockets
from kdns.serve.tally import Shared
from kdns.serve.udp import BatchDoor, Door, LoggedBatchDoor, PlainDoor, open_door
from kdns.steps.chain import Answered, Done, Outcome, Request, compose
from kdns.steps.lineformat import Format, Rule
from kdns.zone.entry import Owner
from tests.serve.replies_of import replies_of
from tests.serve.routed import WHERE

OWNER = (Owner(b"o"),)
FORMAT = "{>id} {port} {name} {size} {rcode} {rsize}"


class Kind(NamedTuple):
    """A way to serve a socket."""

    door: type[Door]
    logged: bool = False
    marked: bool = False


BATCHED = pytest.mark.skipif(not mmsg.available, reason="no recvmmsg on this system")
DOORS = [
    pytest.param(Kind(PlainDoor), id="plain"),
    pytest.param(Kind(PlainDoor, logged=True, marked=True), id="plain, logged, with audiences"),
    pytest.param(Kind(BatchDoor), id="batched", marks=BATCHED),
    pytest.param(Kind(BatchDoor, marked=True), id="batched, with audiences", marks=BATCHED),
    pytest.param(Kind(LoggedBatchDoor, logged=True), id="batched, logged", marks=BATCHED),
    pytest.param(Kind(LoggedBatchDoor, logged=True, marked=True), id="batched, logged, with audiences", marks=BATCHED),
]
LOGGED = [each for each in DOORS if isinstance(each.values[0], Kind) and each.values[0].logged]
MARKED = [each for each in DOORS if isinstance(each.values[0], Kind) and each.values[0].marked]


class Script:
    """A step that answers by the first label: remembered, addresses, later, or big; and what was logged of it."""

    def __init__(self) -> None:
        self.waiting: list[Done] = []
        self.clients: list[tuple[str, int]] = []
        self.lines = Sink()

    def ask(self, request: Request, _rest: object, done: Done) -> Outcome | None:
        self.clients.append((request.client.host, request.client.port))
        query = request.query
        label = query.name[1 : 1 + query.name[0]]
        if label == b"later":
            self.waiting.append(done)
            return None
        count = {b"many": 3, b"big": 500}.get(label, 1)
        addresses = [bytes((10, 0, i >> 8, i & 255)) for i in range(count)]
        return Answered(Answer(answers=(RecordSet(query.qname, types.A, 5, addresses),)), OWNER)


class Sink:
    """Keeps the lines that are logged."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, text: str) -> None:
        self.text += text


class Quiet:
    def error(self, event: str, **_keys: object) -> None:
        pytest.fail(event)


@asynccontextmanager
async def serving(kind: Kind, host: str) -> AsyncIterator[tuple[Script, Door, socket.socket, Responder]]:
    script = Script()
    with ExitStack() as stack:
        opened = open_sockets([Address(host, 0)], 1)
        for sock in (*opened.slots[0].udp, *opened.slots[0].tcp):
            stack.enter_context(sock)
        memo = Memo(1 << 20)
        rules = Rules(udp_limit, cookie=lambda _, __: b"")
        shared = Shared(memo, audiences=Audiences([lambda host: host[-1]]) if kind.marked else None)
        querylog = QueryLog(script.lines, "udp", host) if kind.logged else None
        block = Block((".", ""), compose((script,)), logs=(Rule((ROOT,), Format(FORMAT)),) if kind.logged else ())
        responder = Responder(
            Place("dns://:53", "udp", "1"), Routes([(ROOT, block)]), rules, memo, Quiet(), shared, querylog
        )
        sock = opened.slots[0].udp[0]
        door = kind.door(sock, responder, memo, asyncio.get_running_loop())
        try:
            yield script, door, sock, responder
        finally:
            door.close()


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


def query(name: str, ident: int = 1) -> bytes:
    made = dns.message.make_query(name, "A")
    made.id = ident
    return made.to_wire()


async def receive(client: socket.socket) -> tuple[dns.message.Message, tuple[str, int]]:
    loop = asyncio.get_running_loop()
    octets, source = await asyncio.wait_for(loop.sock_recvfrom(client, 65535), 10)
    return dns.message.from_wire(octets), source


@pytest.mark.parametrize("kind", DOORS)
def test_each_reply_has_its_query_s_id_and_question(kind: Kind, client: socket.socket) -> None:
    async def run() -> None:
        async with serving(kind, "127.0.0.1") as (_, _, sock, _):
            names = ["a.", "many.", "a.", "big.", "B.", "many."] * 15  # more than a batch
            for ident, name in enumerate(names):
                client.sendto(query(name, ident), sock.getsockname())
            seen = [(await receive(client))[0] for _ in names]
            assert {(reply.id, str(reply.question[0].name)) for reply in seen} == set(enumerate(names))

    asyncio.run(run())


@pytest.mark.parametrize("kind", DOORS)
def test_silence_and_waiting_leave_the_neighbours_replies_alone(kind: Kind, client: socket.socket) -> None:
    async def run() -> None:
        async with serving(kind, "127.0.0.1") as (script, _, sock, _):
            for ident, octets in enumerate(
                [query("later.", 0), b"junk", query("a.", 2), query("later.", 3), b"", query("a.", 5), b"\0" * 11]
            ):
                assert octets[:2] == ident.to_bytes(2, "big") or len(octets) < 12
                client.sendto(octets, sock.getsockname())
            first = {(await receive(client))[0].id for _ in range(2)}
            assert first == {2, 5}
            assert len(script.waiting) == 2
            for done in script.waiting:
                done(Answered(Answer()))
            assert {(await receive(client))[0].id for _ in range(2)} == {0, 3}
            assert script.clients[0] == client.getsockname()

    asyncio.run(run())


@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2"])
def test_replies_leave_from_the_address_that_was_asked(kind: Kind, asked: str, client: socket.socket) -> None:
    async def run() -> None:
        async with serving(kind, "0.0.0.0") as (script, _, sock, _):
            port = sock.getsockname()[1]
            for name in ("a.", "a.", "many.", "later."):
                client.sendto(query(name), (asked, port))
            sources = [(await receive(client))[1] for _ in range(3)]
            script.waiting[0](Answered(Answer()))
            sources.append((await receive(client))[1])
            assert sources == [(asked, port)] * 4

    asyncio.run(run())


@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("host", ["::", "::1"])
def test_ipv6_clients_are_answered(kind: Kind, host: str) -> None:
    async def run() -> None:
        async with serving(kind, host) as (script, _, sock, _):
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
                client.setblocking(False)
                client.bind(("::1", 0))
                for name in ("a.", "a.", "later."):
                    client.sendto(query(name), ("::1", sock.getsockname()[1]))
                for _ in range(2):
                    assert (await receive(client))[1][0] == "::1"
                script.waiting[0](Answered(Answer()))
                assert (await receive(client))[1][0] == "::1"
                assert script.clients[0] == client.getsockname()[:2]

    asyncio.run(run())


@pytest.mark.parametrize("kind", DOORS)
def test_no_reply_is_longer_than_the_client_takes(kind: Kind, client: socket.socket) -> None:
    async def run() -> None:
        async with serving(kind, "127.0.0.1") as (_, _, sock, _):
            client.sendto(query("big."), sock.getsockname())
            octets = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65535), 10)
            assert len(octets) <= 512
            assert octets[2] & 0x02  # TC

    asyncio.run(run())


@pytest.mark.parametrize("kind", DOORS)
def test_what_is_queued_at_the_close_is_answered(kind: Kind, client: socket.socket) -> None:
    """All of it, though it is more than a wake takes."""

    async def run() -> None:
        with ExitStack() as opened:
            clients = [opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(5)]
            async with serving(kind, "127.0.0.1") as (_, door, sock, _):
                for each in clients:
                    each.setblocking(False)
                    for ident in range(100):
                        each.sendto(query("a.", ident), sock.getsockname())
                door.close()
                for each in clients:
                    assert {(await receive(each))[0].id for _ in range(100)} == set(range(100))
                client.sendto(query("a."), sock.getsockname())
                with pytest.raises(BlockingIOError):
                    client.recv(100)

    asyncio.run(run())


@pytest.mark.parametrize("kind", DOORS)
def test_a_client_that_went_away_costs_only_its_own_reply(kind: Kind, client: socket.socket) -> None:
    async def run() -> None:
        async with serving(kind, "127.0.0.1") as (_, _, sock, _):
            for ident in range(10):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
                    gone.sendto(query("a."), sock.getsockname())
                client.sendto(query("a.", ident), sock.getsockname())
            assert {(await receive(client))[0].id for _ in range(10)} == set(range(10))

    asyncio.run(run())


@pytest.mark.parametrize("kind", DOORS)
def test_remembered_replies_are_counted_and_turned(kind: Kind, client: socket.socket) -> None:
    async def run() -> None:
        async with serving(kind, "127.0.0.1") as (script, _, sock, responder):
            firsts = set()
            for name in ["many."] * 6 + ["a."] * 4:
                client.sendto(query(name), sock.getsockname())
                firsts.add(str((await receive(client))[0].answer[0][0]))
            assert firsts == {"10.0.0.0", "10.0.0.1", "10.0.0.2"}
            assert len(script.clients) == 4  # each name twice, since a question is remembered on second sight
            assert replies_of(responder.tally) == {(types.A, types.NOERROR, "", False, WHERE): 10}

    asyncio.run(run())


@pytest.mark.parametrize("kind", LOGGED)
def test_each_question_leaves_one_line_whether_its_reply_was_made_or_remembered(
    kind: Kind, client: socket.socket
) -> None:
    async def run() -> None:
        async with serving(kind, "127.0.0.1") as (script, _, sock, _):
            asked = [(ident, name) for ident, name in enumerate(["a.", "many.", "later.", "b.c."] * 20)]
            for ident, name in asked:
                client.sendto(query(name, ident), sock.getsockname())
            for _ in range(60):
                await receive(client)
            for done in script.waiting:
                done(Answered(Answer()))
            for _ in range(20):
                await receive(client)
            port, sizes = client.getsockname()[1], {"a.": 36, "many.": 82, "later.": 23, "b.c.": 40}
            assert sorted(script.lines.text.splitlines()) == sorted(
                f"[INFO] {ident} {port} {name} {len(query(name))} NOERROR {sizes[name]}" for ident, name in asked
            )

    asyncio.run(run())


@pytest.mark.parametrize("kind", MARKED)
def test_each_audience_has_remembered_replies_of_its_own(kind: Kind) -> None:
    async def run() -> None:
        async with serving(kind, "127.0.0.1") as (script, _, sock, responder):
            with bound("127.0.0.2") as one, bound("127.0.1.2") as alike, bound("127.0.0.3") as other:
                for _ in range(5):
                    for client in (one, alike, other):
                        client.sendto(query("a."), sock.getsockname())
                        await receive(client)
            assert [host for host, _ in script.clients] == ["127.0.0.2", "127.0.1.2", "127.0.0.3", "127.0.0.3"]
            assert (len(responder.memos[0]), responder.tally.recalled) == (2, 11)

    asyncio.run(run())


@BATCHED
def test_the_mark_of_a_query_that_fills_its_slot_is_in_no_neighbour_s(client: socket.socket) -> None:
    async def run() -> None:
        async with serving(Kind(BatchDoor, marked=True), "127.0.0.1") as (_, _, sock, _):
            for ident in (1, 2, 3, 4):
                octets = query("a.", ident)
                client.sendto(
                    octets + bytes(mmsg.SLOT_BYTES - len(octets)) if ident == 2 else octets, sock.getsockname()
                )
            assert {(await receive(client))[0].id for _ in range(4)} == {1, 2, 3, 4}

    asyncio.run(run())


@BATCHED
@pytest.mark.parametrize(("logged", "kind"), [(False, BatchDoor), (True, LoggedBatchDoor)])
def test_only_where_questions_are_logged_a_door_notes_them(logged: bool, kind: type[Door]) -> None:
    async def run() -> None:
        async with serving(Kind(kind, logged=logged), "127.0.0.1") as (_, door, _, responder):
            door.close()
            again = open_door(door._socket, responder, responder.memos[0], asyncio.get_running_loop())
            assert type(again) is kind
            again.close()

    asyncio.run(run())


@BATCHED
def test_a_flood_is_kept_out_and_the_others_are_answered() -> None:
    async def run() -> None:
        async with serving(Kind(BatchDoor), "127.0.0.1") as (_, door, sock, _):
            with bound("127.0.0.2") as flood, bound("127.0.0.3") as other:
                while door.admission._chances == OPEN:
                    other.sendto(query("a.", 0), sock.getsockname())
                    for ident in range(4 * 256):  # four times what a wake takes
                        flood.sendto(query("a.", ident), sock.getsockname())
                    await asyncio.sleep(0)
                while idents(flood) | idents(other):
                    door.serve()
                for ident in range(1000):
                    flood.sendto(query("a.", ident), sock.getsockname())
                    if ident < 20:
                        other.sendto(query("a.", ident), sock.getsockname())
                for _ in range(4):
                    door.serve()
                assert idents(other) == set(range(20))
                assert len(idents(flood)) < 500

    asyncio.run(asyncio.wait_for(run(), 30))


@BATCHED
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_ports_of_one_address_are_one_client(host: str) -> None:
    with ExitStack() as stack:
        opened = open_sockets([Address(host, 0)], 1)
        for sock in (*opened.slots[0].udp, *opened.slots[0].tcp):
            stack.enter_context(sock)
        server = opened.slots[0].udp[0]
        batch = mmsg.Batch(server, wildcard=False)
        for _ in range(5):
            stack.enter_context(bound(host)).sendto(b"x", server.getsockname())
        assert batch.receive() == 5
        first, *others = batch.clients(5)
        assert others == [first] * 4


def bound(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    made.setblocking(False)
    return made


def idents(client: socket.socket) -> set[int]:
    """Of the replies that have come to the client."""
    found = set()
    while True:
        try:
            found.add(int.from_bytes(client.recv(4096)[:2]))
        except BlockingIOError:
            return found
