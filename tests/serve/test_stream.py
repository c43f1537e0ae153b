"""DNS over TCP: every way of talking it right, and how a server ends.

The ids S05 to S09 are rows of the catalogue of hostile input; its others are in test_stream_limits.
"""

import asyncio
import socket

import pytest

from kdns.serve.stream import REASONS, serve_stream
from tests.serve.conversation import Answers, connect, ends, framed, message, receive, serving, turns, until, virtually


@virtually
async def test_a_query_is_answered() -> None:
    answers = Answers(size=300)
    async with serving(answers) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(7, b"a")))
        assert await receive(client) == message(7, b"a") + bytes(300)
        assert answers.clients == [client[1].get_extra_info("sockname")]
        client[1].close()
        await until(lambda: not server.busy)
        assert (server.accepted, server.messages, server.closed) == (1, 1, {"client": 1})


@virtually
async def test_s05_each_octet_in_a_segment_of_its_own() -> None:
    async with serving(Answers()) as (_, port):
        client = await connect(port)
        for octet in framed(message(1, b"abc")) + framed(message(2)):
            client[1].write(bytes((octet,)))
            await turns()
        assert [await receive(client), await receive(client)] == [message(1, b"abc"), message(2)]
        client[1].close()


@virtually
async def test_s06_a_hundred_queries_in_one_segment() -> None:
    async with serving(Answers()) as (_, port):
        client = await connect(port)
        client[1].write(b"".join(framed(message(number)) for number in range(100)))
        assert [await receive(client) for _ in range(100)] == [message(number) for number in range(100)]
        client[1].close()


@virtually
async def test_s07_what_takes_long_delays_nothing_behind_it() -> None:
    answers = Answers()
    async with serving(answers) as (_, port):
        client = await connect(port)
        client[1].write(framed(message(999, b"slow")))
        client[1].write(b"".join(framed(message(number)) for number in range(50)))
        assert [await receive(client) for _ in range(50)] == [message(number) for number in range(50)]
        answers.release()
        assert await receive(client) == message(999, b"slow")
        client[1].close()


@virtually
async def test_s08_the_same_id_twice_in_flight() -> None:
    answers = Answers()
    async with serving(answers) as (_, port):
        client = await connect(port)
        client[1].write(framed(message(5, b"slow one")) + framed(message(5, b"slow two")))
        await until(lambda: len(answers.slow) == 2)
        answers.slow.reverse()
        answers.release()
        assert [await receive(client), await receive(client)] == [message(5, b"slow two"), message(5, b"slow one")]
        client[1].close()


@pytest.mark.parametrize("text", [b"", b"slow"])
@virtually
async def test_s09_half_closed_after_the_query(text: bytes) -> None:
    answers = Answers()
    async with serving(answers) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(1, text)) * 40)
        client[1].write_eof()
        await until(lambda: len(answers.asked) == 40)
        await turns()
        answers.release()
        assert [await receive(client) for _ in range(40)] == [message(1, text)] * 40
        await ends(client)
        await until(lambda: not server.busy)
        assert (asyncio.get_running_loop().time() < 1, server.closed) == (True, {"client": 1})


@virtually
async def test_a_client_of_a_dual_socket_is_told_by_address_and_port() -> None:
    answers = Answers()
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    server = await serve_stream(listener, answers)
    client = await asyncio.open_connection("::1", listener.getsockname()[1])
    client[1].write(framed(message(1)))
    await receive(client)
    assert answers.clients == [("::1", client[1].get_extra_info("sockname")[1])]
    client[1].close()
    server.close()
    await until(lambda: not server.busy)


# The end


@virtually
async def test_a_server_that_closes_lets_go_of_the_idle_and_answers_the_rest() -> None:
    answers = Answers()
    async with serving(answers) as (server, port):
        idle, begun, waiting = [await connect(port) for _ in range(3)]
        begun[1].write(b"\0")
        waiting[1].write(framed(message(1, b"slow")))
        await until(lambda: len(answers.slow) == 1)
        server.close()
        assert await ends(idle) < 1
        assert await ends(begun) < 1
        assert server.busy
        answers.release()
        assert await receive(waiting) == message(1, b"slow")
        await ends(waiting)
        await until(lambda: not server.busy)
        assert server.closed == {"stopped": 3}
        with pytest.raises(ConnectionRefusedError):
            await connect(port)


@virtually
async def test_what_has_arrived_when_a_server_closes_is_answered() -> None:
    async with serving(Answers()) as (server, port):
        client = await connect(port)
        await until(lambda: server.connections == 1)
        with client[1].get_extra_info("socket").dup() as sock:
            sock.send(framed(message(1)) * 100)
        server.close()
        assert [await receive(client) for _ in range(100)] == [message(1)] * 100
        await ends(client)


@virtually
async def test_a_reply_that_comes_too_late_is_lost_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    answers = Answers()
    async with serving(answers) as (server, port):
        client = await connect(port)
        client[1].write(framed(message(1, b"slow")) * 10)
        await ends(client)
        await until(lambda: not server.busy)
        answers.release()
    assert caplog.records == []


def test_every_reason_is_explained() -> None:
    assert set(REASONS) == {
        "broken",
        "client",
        "evicted",
        "idle",
        "junk",
        "refused",
        "slow_message",
        "slow_reader",
        "stopped",
    }
