"""An HTTP server on 127.0.0.1 that does whatever a test wants, octet for octet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from kdns.sources.wire import Peer

Behaviour = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class SinfulServer:
    """Answers each request, in the order they come, by the next behaviour; the last one goes on for ever."""

    def __init__(self, behaviours: Sequence[Behaviour]) -> None:
        self.requests: list[bytes] = []  # heads, as they came
        self.connections = 0
        self._behaviours = list(behaviours)
        self.port = 0

    @property
    def peer(self) -> Peer:
        return Peer("127.0.0.1", self.port)

    @property
    def targets(self) -> list[str]:
        return [head.split()[1].decode() for head in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head)
                behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
                await behaviour(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*behaviours: Behaviour) -> AsyncIterator[SinfulServer]:
    """The server, with no connection left open when it ends."""
    sinful = SinfulServer(behaviours)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(sinful.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    sinful.port = server.sockets[0].getsockname()[1]
    try:
        yield sinful
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def answer(body: bytes, status: int = 200, **headers: str) -> Behaviour:
    """A whole answer, the connection kept."""
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return sends("\r\n".join([*lines, "", ""]).encode() + body)


def sends(*pieces: bytes, close: bool = False) -> Behaviour:
    """These octets, a write each, and perhaps the end of the connection."""

    async def behave(_: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if close:
            raise ConnectionResetError

    return behave


def streams(*lines: bytes, close: bool = False) -> Behaviour:
    """A watch: its head, and each line as a chunk; close ends it cleanly."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return sends(head, *map(chunk, lines), *([b"0\r\n\r\n"] if close else []))


def chunk(octets: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(octets), octets)


async def stalls(_: bytes, __: asyncio.StreamWriter) -> None:
    """Nothing, for ever."""
    await asyncio.Event().wait()
