"""A gate between a client and the API server: octets pass, are held up, or connections are cut.

TLS goes through untouched; the API server's certificate is for 127.0.0.1, where the gate stands.
"""

import asyncio
from contextlib import suppress
from typing import Self


class Gate:
    """A forwarder on a port of its own."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """Octets of the connections there are stay where they are, as if a cable were pulled; new connections pass."""
        self._open.clear()
        self._open = asyncio.Event()
        self._open.set()

    async def cut(self) -> None:
        """Resets all connections and refuses new ones."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def restore(self) -> None:
        """Takes connections again, on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            passes = self._open
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers.add(back)
            with suppress(OSError):
                await asyncio.gather(self._copy(reader, back, passes), self._copy(there, writer, passes))
            back.transport.abort()
            self._writers.discard(back)
        writer.transport.abort()
        self._writers.discard(writer)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
        while octets := await reader.read(1 << 16):
            await passes.wait()
            writer.write(octets)
            await writer.drain()
        writer.close()
