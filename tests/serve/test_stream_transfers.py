"""Many messages for one question: sent as the client reads them, and nobody else waits for them."""

import asyncio
import socket

from tests.serve.conversation import Answers, connect, ends, framed, message, receive, serving, turns, until, virtually


@virtually
async def test_all_messages_come_in_their_order() -> None:
    async with serving(Answers(size=1000)) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"many")))
        for number in range(1000):
            assert await receive(client) == message(1, b"many") + number.to_bytes(2) + bytes(1000)
        client[1].write(framed(message(2, b"next")))
        assert await receive(client) == message(2, b"next") + bytes(1000)
        client[1].close()
        await until(lambda: not server.busy)
        assert server.closed == {"client": 1}


@virtually
async def test_no_more_is_made_than_the_client_reads() -> None:
    answers = Answers(size=16_000)
    async with serving(answers) as (server, port):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        await asyncio.get_running_loop().sock_sendall(raw, framed(message(1, b"many")))
        await until(lambda: server.closed == {"slow_reader": 1})  # of 16 MB the kernel takes a few, we keep less
        assert 0 < answers.made < 500
        raw.close()


@virtually
async def test_another_question_of_the_connection_is_answered_meanwhile() -> None:
    async with serving(Answers()) as (_, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"many")) + framed(message(2, b"short")))
        replies = [await receive(client) for _ in range(1001)]
        assert replies.index(message(2, b"short")) < 10
        client[1].close()


@virtually
async def test_two_transfers_of_a_connection_come_one_after_the_other() -> None:
    async with serving(Answers()) as (_, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"many")) + framed(message(2, b"many")))
        assert [(await receive(client))[1] for _ in range(2000)] == [1] * 1000 + [2] * 1000
        client[1].close()


@virtually
async def test_a_client_that_sends_no_more_gets_all() -> None:
    async with serving(Answers()) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"many")))
        client[1].write_eof()
        for _ in range(1000):
            await receive(client)
        await ends(client)
        await until(lambda: not server.busy)
        assert server.closed == {"client": 1}


@virtually
async def test_messages_that_break_off_end_the_connection() -> None:
    async with serving(Answers()) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"many broken")))
        await until(lambda: not server.busy)
        assert server.closed == {"broken": 1}
        client[1].close()


@virtually
async def test_a_client_that_goes_ends_the_making() -> None:
    answers = Answers(size=60_000)
    async with serving(answers) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"many")))
        await receive(client)
        client[1].transport.abort()
        await until(lambda: not server.busy)
        made = answers.made
        await turns(50)
        assert made == answers.made < 1000
