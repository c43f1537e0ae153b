"""DNS over TCP: every way of holding a connection for nothing.

The ids S01 to S15 are rows of the catalogue of hostile input.
"""

import asyncio
import logging
import socket
import struct
import tracemalloc

import pytest

from kdns.serve.stream import StreamLimits, StreamServer, _Connection
from tests.serve.conversation import (
    DEFAULTS,
    Answers,
    connect,
    descriptors,
    ends,
    framed,
    message,
    receive,
    serving,
    turns,
    until,
    virtually,
)


@virtually
async def test_s01_a_silent_connection_ends_after_the_idle_limit() -> None:
    async with serving(Answers()) as (server, port):
        assert 10 <= await ends(await connect(port)) <= 11.1
        await turns()
        assert server.closed == {"idle": 1}


@virtually
async def test_s01_a_message_starts_the_idle_limit_anew() -> None:
    async with serving(Answers()) as (_, port):
        client = await connect(port)
        await asyncio.sleep(8)
        client[1].write(framed(message(1)))
        await receive(client)
        assert 18 <= await ends(client) <= 19.1


@virtually
async def test_a_query_that_is_never_answered_holds_no_connection() -> None:
    async with serving(Answers()) as (_, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"drop")))
        assert 10 <= await ends(client) <= 11.1


@pytest.mark.parametrize("length", [0, 1, 11])
@virtually
async def test_s02_s03_a_length_below_a_header_s(length: int) -> None:
    async with serving(Answers()) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(1)) + struct.pack("!H", length))
        assert await receive(client) == message(1)
        assert await ends(client) < 1
        await turns()
        assert server.closed == {"junk": 1}


@pytest.mark.parametrize("first", [b"\0", struct.pack("!H", 65535), framed(bytes(40))[:-1]])
@virtually
async def test_s04_a_message_that_does_not_end(first: bytes) -> None:
    async with serving(Answers()) as (server, port):
        client = await connect(port)
        await asyncio.sleep(3)
        client[1].write(first)
        assert 8 <= await ends(client) <= 9.1
        await turns()
        assert server.closed == {"slow_message": 1}


@virtually
async def test_s04_an_octet_a_second_does_not_prolong_a_message() -> None:
    async with serving(Answers()) as (server, port):
        client = await connect(port)
        client[1].write(struct.pack("!H", 65535))
        for _ in range(7):
            client[1].write(b"\0")
            await asyncio.sleep(1)
        await ends(client)
        assert server.closed == {"slow_message": 1}


@virtually
async def test_each_message_has_its_own_time() -> None:
    async with serving(Answers()) as (_, port):
        client = await connect(port)
        whole = framed(message(1, b"cut in two"))
        client[1].write(whole[:9])
        for _ in range(10):
            await asyncio.sleep(1)
            client[1].write(whole[9:] + whole[:9])
            assert await receive(client) == message(1, b"cut in two")
        client[1].close()


@virtually
async def test_s04_an_announced_length_reserves_nothing() -> None:
    async with serving(Answers()) as (server, port):
        clients = [await connect(port) for _ in range(50)]
        tracemalloc.start()
        for client in clients:
            client[1].write(struct.pack("!HB", 65535, 0))
        await until(lambda: sum(len(each._unread) for each in server._open) == 150)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown < 50 * 2000
        for client in clients:
            client[1].close()


@virtually
async def test_what_has_been_answered_is_held_no_longer() -> None:
    answers = Answers()
    async with serving(answers) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(1)) * 2000 + b"\0")
        for _ in range(2000):
            await receive(client)
        await until(lambda: len(answers.asked) == 2000)
        assert [each._unread for each in server._open] == [b"\0"]
        client[1].close()


@virtually
async def test_a_message_s_time_stands_still_while_it_may_not_be_read() -> None:
    answers = Answers()
    async with serving(answers, StreamLimits(pipeline=1)) as (_, port):
        client = await connect(port)
        second = framed(message(2, b"second"))
        client[1].write(framed(message(1, b"slow")) + second[:9])
        await asyncio.sleep(8)
        answers.release()
        assert await receive(client) == message(1, b"slow")
        client[1].write(second[9:])
        assert await receive(client) == message(2, b"second")
        client[1].close()


@virtually
async def test_s10_a_client_that_never_reads() -> None:
    answers = Answers(size=4000)
    async with serving(answers) as (server, port):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        sent = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(raw, framed(message(1)) * 200_000))
        kept = 0
        while server.connections or not server.accepted:
            await asyncio.sleep(0.05)
            for each in server._open:
                kept = max(kept, each._transport.get_write_buffer_size() + len(each._unread))
        assert server.closed == {"slow_reader": 1}
        assert asyncio.get_running_loop().time() < 8
        assert 64 << 10 < kept < 260 << 10  # the limit, a turn's replies, what was read ahead
        sent.cancel()
        raw.close()


class SlowTransport(asyncio.Transport):
    """A transport whose client takes as much as the test says."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1)})
        self.unsent = 0
        self.aborted = False

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.unsent += len(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize(("taken", "aborted"), [(0, True), (1, True), (500, False)])
@virtually
async def test_s10_a_reply_has_five_seconds_to_be_taken_whatever_is_still_behind_it(taken: int, aborted: bool) -> None:
    server = StreamServer(Answers(size=1000), DEFAULTS, asyncio.get_running_loop())
    connection, transport = _Connection(server), SlowTransport()
    connection.connection_made(transport)
    for _ in range(8):
        ask(connection)  # a reply of 1,014 octets, of which the client takes some in each second
        for _ in range(2):
            await asyncio.sleep(0.5)
            transport.unsent = max(0, transport.unsent - taken)
    assert transport.aborted is aborted
    connection.connection_lost(None)
    assert server.closed == {"slow_reader" if aborted else "client": 1}


def ask(connection: _Connection) -> None:
    octets = framed(message(1))
    connection.get_buffer(-1)[: len(octets)] = octets
    connection.buffer_updated(len(octets))


@virtually
async def test_s11_reset_in_the_middle_of_the_answers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = Answers(size=60_000)
    async with serving(answers) as (server, port):
        before = descriptors()
        for _ in range(20):
            client = await connect(port)
            sock = client[1].get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client[1].write(framed(message(1)) * 50 + framed(message(2, b"slow")))
            await client[0].readexactly(100)
            client[1].transport.abort()
        await until(lambda: not server.busy)
        answers.release()
        await turns()
        assert descriptors() == before
        assert server.closed == {"client": 20}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@virtually
async def test_s12_an_address_with_too_many_connections_does_not_keep_others_out() -> None:
    async with serving(Answers(), StreamLimits(per_client=4)) as (server, port):
        greedy = [await connect(port) for _ in range(10)]
        other = await connect(port, "127.0.0.2")
        other[1].write(framed(message(1)))
        assert await receive(other) == message(1)
        assert (server.connections, server.closed) == (5, {"refused": 6})
        greedy[0][1].close()
        await until(lambda: server.connections == 4)
        again = await connect(port)
        again[1].write(framed(message(2)))
        assert await receive(again) == message(2)
        for client in (*greedy, other, again):
            client[1].close()


@virtually
async def test_s13_at_the_cap_the_longest_idle_makes_place() -> None:
    answers = Answers()
    async with serving(answers, StreamLimits(connections=3)) as (server, port):
        answering, first, second = [await connect(port) for _ in range(3)]
        answering[1].write(framed(message(1, b"slow")))
        await until(lambda: len(answers.slow) == 1)
        first[1].write(framed(message(2)))  # which makes the second the longest idle
        await receive(first)
        newcomer = await connect(port)
        newcomer[1].write(framed(message(3)))
        assert await receive(newcomer) == message(3)
        await ends(second)
        answers.release()
        assert await receive(answering) == message(1, b"slow")
        first[1].write(framed(message(4)))
        assert await receive(first) == message(4)
        assert (server.connections, server.closed) == (3, {"evicted": 1})
        for client in (answering, first, newcomer):
            client[1].close()


@virtually
async def test_s13_a_message_begun_does_not_hold_a_place() -> None:
    async with serving(Answers(), StreamLimits(connections=2)) as (_, port):
        begun = [await connect(port) for _ in range(2)]
        for client in begun:
            client[1].write(b"\0")
        await turns()
        newcomer = await connect(port)
        newcomer[1].write(framed(message(3)))
        assert await receive(newcomer) == message(3)
        await ends(begun[0])
        for client in (begun[1], newcomer):
            client[1].close()


@virtually
async def test_s13_where_none_is_idle_the_one_longest_without_progress_makes_place() -> None:
    answers = Answers()
    async with serving(answers, StreamLimits(connections=2)) as (_, port):
        stuck = []
        for number in range(2):
            stuck.append(await connect(port))
            stuck[number][1].write(framed(message(number, b"slow")))
            await until(lambda number=number: len(answers.slow) == number + 1)  # type: ignore[misc]
        newcomer = await connect(port)
        newcomer[1].write(framed(message(3)))
        assert await receive(newcomer) == message(3)
        await ends(stuck[0])
        answers.release()
        assert await receive(stuck[1]) == message(1, b"slow")
        for client in (stuck[1], newcomer):
            client[1].close()


@virtually
async def test_s14_a_flood_on_one_connection_leaves_the_others_their_turn() -> None:
    answers = Answers()
    async with serving(answers) as (server, port):
        flood, other = await connect(port), await connect(port)
        flood[1].write(framed(message(1)) * 20_000)
        reading = asyncio.ensure_future(flood[0].readexactly(20_000 * 14))
        await until(lambda: len(answers.asked) > 100)
        other[1].write(framed(message(2)))
        before = len(answers.asked)
        assert await receive(other) == message(2)
        assert len(answers.asked) - before < 20 * 16
        await reading
        assert server.messages == 20_001
        for client in (flood, other):
            client[1].close()


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        bytes.fromhex("1603010200010001fc0303") + bytes(range(1, 33)) + b"\x20" + bytes(64),
        bytes.fromhex("16030100f4010000f00303") + bytes(32),  # no random number so small comes by chance
    ],
    ids=["http", "http2", "ssh", "tls", "tls-small"],
)
@virtually
async def test_s15_what_is_no_dns_ends_at_once(junk: bytes) -> None:
    answers = Answers()
    async with serving(answers) as (server, port):
        client = await connect(port)
        client[1].write(junk)
        assert await ends(client) < 1
        await turns()
        assert (server.closed, answers.asked) == ({"junk": 1}, [])


@virtually
async def test_a_whole_message_of_impossible_counts_is_the_answerer_s() -> None:
    async with serving(Answers()) as (_, port):
        client = await connect(port)
        octets = struct.pack("!6H", 1, 0, 65535, 0, 0, 0)
        client[1].write(framed(octets))
        assert await receive(client) == octets
        client[1].close()


@virtually
async def test_no_more_queries_of_a_connection_are_taken_than_may_be_answered_at_once() -> None:
    answers = Answers()
    async with serving(answers, StreamLimits(pipeline=20)) as (_, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"slow")) * 50)
        await asyncio.sleep(2)
        assert len(answers.slow) == 20
        answers.release()
        await until(lambda: len(answers.slow) == 20)
        answers.release()
        await until(lambda: len(answers.slow) == 10)
        answers.release()
        assert [await receive(client) for _ in range(50)] == [message(1, b"slow")] * 50
        client[1].close()


@virtually
async def test_connection_that_has_brought_its_number_of_messages_ends_after_their_answers() -> None:
    async with serving(Answers(), StreamLimits(messages=3)) as (server, port):
        client = await connect(port)
        client[1].write(b"".join(framed(message(number)) for number in range(5)))
        assert [(await receive(client))[:2] for _ in range(3)] == [number.to_bytes(2, "big") for number in range(3)]
        assert await ends(client) < 1
        assert server.messages == 3
