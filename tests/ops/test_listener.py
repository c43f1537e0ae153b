"""The HTTP server of ops, over real sockets and in virtual time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.ops.listener import Limits, Response, Route, serve_http
from tests import virtual_time

PLAIN = "text/plain; charset=utf-8"
GET = b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n"
LIMITS = Limits()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, octets: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to these octets; status 0 if the connection ends without."""
        self.writer.write(octets)
        return await self.answer(head=octets.startswith(b"HEAD"))

    async def answer(self, *, head: bool = False) -> tuple[int, dict[str, str], bytes]:
        try:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, {}, b""
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = b"" if head else await self.reader.readexactly(int(headers["content-length"]))
        return int(lines[0].split()[1]), headers, body

    async def ended(self) -> bool:
        with suppress(ConnectionError):
            return await self.reader.read() == b""
        return True


class Server:
    def __init__(self, limits: Limits) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.address = listening.getsockname()
        self.clients: list[Client] = []
        self._task = asyncio.create_task(serve_http(listening, ROUTES, limits))

    async def client(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection(*self.address)))
        return self.clients[-1]

    async def end(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def _slow(_query: str) -> Response:
    await asyncio.sleep(3)
    return 200, PLAIN, b"late"


def _broken(_query: str) -> Response:
    raise RuntimeError("broken")


ROUTES: dict[str, Route] = {
    "/ready": lambda query: (200, PLAIN, f"OK {query}".encode()),
    "/slow": _slow,
    "/broken": _broken,
    "/big": lambda _: (200, PLAIN, b"x" * 20_000_000),
}


@asynccontextmanager
async def serving(limits: Limits = LIMITS) -> AsyncIterator[Server]:
    server = Server(limits)
    try:
        yield server
    finally:
        await server.end()
        for client in server.clients:
            client.writer.transport.abort()
            with suppress(OSError):
                await client.writer.wait_closed()


def run(story: Callable[[Server], Awaitable[None]], limits: Limits = LIMITS) -> None:
    async def told() -> None:
        async with serving(limits) as server:
            await story(server)

    virtual_time.run(told())


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        (b"GET /ready HTTP/1.1", 200, b"OK "),
        (b"GET /ready?verbose&a=b HTTP/1.1", 200, b"OK verbose&a=b"),
        (b"HEAD /ready HTTP/1.1", 200, b""),
        (b"GET /slow HTTP/1.1", 200, b"late"),
        (b"GET /broken HTTP/1.1", 500, b"internal error\n"),
        (b"GET / HTTP/1.1", 404, b"not found\n"),
        (b"GET /ready/ HTTP/1.1", 404, b"not found\n"),
        (b"POST /ready HTTP/1.1", 405, b"only GET and HEAD\n"),
        (b"DELETE /other HTTP/1.1", 405, b"only GET and HEAD\n"),
        (b"GET /ready HTTP/1.0", 200, b"OK "),
        (b"GET /ready", 400, b"bad request\n"),
        (b"\x16\x03\x01\x02\x00", 400, b"bad request\n"),
    ],
)
def test_a_request_gets_its_answer(request_line: bytes, status: int, body: bytes) -> None:
    async def story(server: Server) -> None:
        answer = await (await server.client()).ask(request_line + b"\r\nHost: x\r\n\r\n")
        assert (answer[0], answer[2]) == (status, body)

    run(story)


def test_head_tells_the_length_and_405_what_is_allowed() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        assert (await client.ask(GET.replace(b"GET", b"HEAD")))[1]["content-length"] == "3"
        assert (await client.ask(GET.replace(b"GET", b"PUT")))[1]["allow"] == "GET, HEAD"

    run(story)


def test_a_request_without_host_is_refused() -> None:
    async def story(server: Server) -> None:
        assert (await (await server.client()).ask(b"GET /ready HTTP/1.1\r\n\r\n"))[0] == 400

    run(story)


def test_requests_in_one_segment_are_answered_in_order() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        assert (await client.ask(GET.replace(b"/ready", b"/slow") + GET))[2] == b"late"
        assert (await client.answer())[2] == b"OK "

    run(story)


def test_a_request_in_single_octets_is_answered() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        for octet in GET:
            client.writer.write(bytes((octet,)))
            await asyncio.sleep(0.01)
        assert (await client.answer())[0] == 200

    run(story)


def test_a_client_that_closed_its_side_is_answered() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        client.writer.write(GET)
        client.writer.write_eof()
        assert (await client.answer())[0] == 200
        assert await client.ended()

    run(story)


def test_a_broken_page_leaves_the_others_as_they_are() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        assert (await client.ask(GET.replace(b"/ready", b"/broken")))[0] == 500
        assert (await client.ask(GET))[0] == 200

    run(story)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /ready HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET /ready?" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ready HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 16_000,
        b"GET /ready HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100 + b"\r\n",
    ],
)
def test_a_head_too_large_is_refused_and_the_connection_closed(head: bytes) -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        status, headers, _ = await client.ask(head)
        assert (status, headers["connection"]) == (431, "close")
        assert await client.ended()

    run(story)


def test_a_body_is_not_read_and_ends_the_connection() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        assert (await client.ask(b"GET /ready HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"))[0] == 200
        assert await client.ended()

    run(story)


@pytest.mark.parametrize("octets", [b"", b"GET /ready HTTP/1.1\r\n"])
def test_a_head_that_does_not_come_in_time_ends_the_connection(octets: bytes) -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        client.writer.write(octets)
        assert await client.ended()
        assert LIMITS.request_s <= now() <= 2 * LIMITS.request_s + 0.1

    run(story)


def test_a_head_an_octet_a_second_ends_the_connection() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        task = asyncio.create_task(client.ended())
        for octet in GET:
            if task.done():
                break
            client.writer.write(bytes((octet,)))
            await asyncio.sleep(1)
        assert await task
        assert now() < 8

    run(story)


def test_between_requests_a_client_may_take_its_time() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        assert (await client.ask(GET))[0] == 200
        await asyncio.sleep(LIMITS.idle_s - 1)
        assert (await client.ask(GET))[0] == 200
        assert await client.ended()
        assert now() == pytest.approx(2 * LIMITS.idle_s - 1, abs=1)

    run(story)


def test_a_client_that_does_not_take_its_answer_is_let_go() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        client.writer.write(GET.replace(b"/ready", b"/big"))
        await asyncio.sleep(LIMITS.answer_s + 1)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.reader.readexactly(20_000_000)

    run(story)


def test_one_client_too_many_takes_the_place_of_the_one_that_waits_the_longest() -> None:
    async def story(server: Server) -> None:
        first, second = await server.client(), await server.client()
        assert (await first.ask(GET))[0] == 200  # now second waits for longer
        third = await server.client()
        assert (await third.ask(GET))[0] == 200
        assert await second.ended()
        assert now() < LIMITS.request_s
        assert (await first.ask(GET))[0] == 200

    run(story, Limits(connections=2))


def test_a_client_whose_answer_is_being_made_keeps_its_place() -> None:
    async def story(server: Server) -> None:
        slow = [await server.client(), await server.client()]
        answers = [asyncio.create_task(client.ask(GET.replace(b"/ready", b"/slow"))) for client in slow]
        await asyncio.sleep(1)
        assert await (await server.client()).ended()
        assert now() < 2
        assert [(await answer)[2] for answer in answers] == [b"late", b"late"]
        assert (await (await server.client()).ask(GET))[0] == 200

    run(story, Limits(connections=2))


def test_a_flood_of_connections_leaves_room_for_a_question() -> None:
    async def story(server: Server) -> None:
        for _ in range(200):
            await server.client()
        assert (await (await server.client()).ask(GET))[0] == 200

    run(story)


def test_the_end_closes_the_socket_and_every_connection() -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        assert (await client.ask(GET))[0] == 200
        await server.end()
        assert await client.ended()
        assert now() < 1
        with pytest.raises(ConnectionRefusedError):
            await server.client()

    run(story)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda octets: GET[:-2] + octets + b"\r\n\r\n"))
def test_whatever_octets_come_the_next_client_is_answered(octets: bytes) -> None:
    async def story(server: Server) -> None:
        client = await server.client()
        client.writer.write(octets)
        client.writer.write_eof()
        with suppress(ConnectionError):
            await client.reader.read()
        assert (await (await server.client()).ask(GET))[0] == 200

    run(story)
