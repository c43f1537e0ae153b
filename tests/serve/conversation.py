"""Conversations over TCP: clients and an answerer for a stream server, on real sockets and in virtual time."""

import asyncio
import functools
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from kdns.serve.stream import StreamLimits, StreamServer, serve_stream
from tests import virtual_time

Send = Callable[[bytes], None]
Stream = Callable[[Iterator[bytes]], None]
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]

DEFAULTS = StreamLimits()


def virtually(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs the test in virtual time, for an hour of it at most."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        virtual_time.run(asyncio.wait_for(test(*args, **kwargs), 3600))

    return run


class Answers:
    """An answerer: says back what was asked, later where the text begins with "slow", never where with "drop", often where with "many"."""

    def __init__(self, size: int = 0) -> None:
        self.size = size  # octets added to each reply
        self.made = 0  # messages of the transfer asked for last
        self.asked: list[bytes] = []
        self.clients: list[tuple[str, int]] = []
        self.slow: list[tuple[bytes, Send]] = []

    def __call__(self, message: bytes, client: tuple[str, int], send: Send, stream: Stream) -> bytes | None:
        self.asked.append(message)
        self.clients.append(client)
        if message[12:].startswith(b"many"):
            stream(self.many(message))
            return None
        if message[12:].startswith(b"slow"):
            self.slow.append((message, send))
            return None
        return None if message[12:].startswith(b"drop") else message + bytes(self.size)

    def many(self, message: bytes) -> Iterator[bytes]:
        """Says back a thousand messages; with "broken" in the text it comes to no end."""
        for number in range(1000):
            self.made = number + 1
            yield message + number.to_bytes(2) + bytes(self.size)
            if b"broken" in message and number == 2:
                raise ValueError("no more")

    def release(self) -> None:
        for message, send in self.slow:
            send(message)
        self.slow.clear()


def message(number: int, text: bytes = b"") -> bytes:
    """A message as an Answers takes it: a header of no records, and a text."""
    return struct.pack("!6H", number, 0, 0, 0, 0, 0) + text


def framed(octets: bytes) -> bytes:
    return struct.pack("!H", len(octets)) + octets


@asynccontextmanager
async def serving(answers: Answers, limits: StreamLimits = DEFAULTS) -> AsyncIterator[tuple[StreamServer, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    server = await serve_stream(listener, answers, limits)
    try:
        yield server, listener.getsockname()[1]
    finally:
        server.close()
        await until(lambda: not server.busy)


async def until(condition: Callable[[], bool]) -> None:
    """Waits, at most 100 s of virtual time."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came true")


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def connect(port: int, host: str = "127.0.0.1") -> Client:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))


async def receive(client: Client) -> bytes:
    length = int.from_bytes(await client[0].readexactly(2))
    return await client[0].readexactly(length)


async def ends(client: Client) -> float:
    """Reads up to the end, of which nothing may be left, and closes; the time it came."""
    with suppress(ConnectionError):
        assert await client[0].read() == b""
    client[1].close()
    return asyncio.get_running_loop().time()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
