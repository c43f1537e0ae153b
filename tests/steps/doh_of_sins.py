"""A DNS over HTTPS server that misbehaves in every way of a table, on a port of 127.0.0.1, in the test's own loop.

HTTP/2 by h2's server side, TLS by asyncio. What it does to a request is written as a list of deeds; raw octets where
h2 wouldn't send them.
"""

import asyncio
import ssl
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from tests.steps.certificates import Pair
from tests.steps.upstream_of_sins import answer

TYPE: Final = ("content-type", "application/dns-message")
PING: Final = bytes.fromhex("000008060000000000") + bytes(8)


class Reply(NamedTuple):
    """A response; its content in pieces, so many seconds apart."""

    pieces: tuple[bytes, ...] = ()
    fields: tuple[tuple[str, str], ...] = (TYPE,)
    status: int = 200
    after_s: float = 0.0
    apart_s: float = 0.0
    whole: bool = True  # whether it ends


class Reset(NamedTuple):
    """RST_STREAM."""

    code: ErrorCodes


class Away(NamedTuple):
    """GOAWAY, naming the last stream that will be answered."""

    last: int
    code: ErrorCodes = ErrorCodes.NO_ERROR


class Raw(NamedTuple):
    """Octets as they are."""

    octets: bytes


class Close(NamedTuple):
    """The end of the connection."""


Deed = Reply | Reset | Away | Raw | Close
Sin = Callable[[bytes, "Request"], Sequence[Deed]]


class Request(NamedTuple):
    """What was asked: the message, how, on which stream, and how many were asked before."""

    query: bytes
    fields: dict[str, str]
    stream: int
    number: int


def _says(**changes: Any) -> Sin:
    """The right answer, in a response that differs so."""
    return lambda good, _: [Reply((good,), **changes)]


def _with(name: str, value: str) -> Sin:
    return _says(fields=(TYPE, (name, value)))


def _content(octets: bytes, **changes: Any) -> Sin:
    return lambda _good, _: [Reply((octets,), **changes)]


def _octet_by_octet(good: bytes, _request: Request) -> list[Deed]:
    return [Reply(tuple(good[n : n + 1] for n in range(len(good))), apart_s=0.5)]


def _only_first(first: Sin, then: Sin) -> Sin:
    return lambda good, request: (then if request.number else first)(good, request)


def _honest(good: bytes, _request: Request) -> list[Deed]:
    return [Reply((good,))]


SINS: Final[dict[str, Sin]] = {
    "honest": _honest,
    "silent": lambda _good, _: [],
    "silent once": _only_first(lambda _good, _: [], _says(after_s=1.0)),
    "slow": _says(after_s=1.0),
    "status 204": lambda _good, _: [Reply((), status=204)],
    "status 302": _says(status=302, fields=(TYPE, ("location", "https://127.0.0.1/elsewhere"))),
    "status 404": _says(status=404),
    "status 503": _says(status=503),
    "another type": _says(fields=(("content-type", "text/html"),)),
    "no type": _says(fields=()),
    "type with a parameter": _says(fields=(("content-type", "Application/DNS-Message; charset=utf-8"),)),
    "encoded": _with("content-encoding", "gzip"),
    "huge, and says so": lambda good, _: [Reply((good,), fields=(TYPE, ("content-length", "65536")), whole=False)],
    "huge": lambda good, _: [Reply((good + bytes(70000),), whole=False)],
    "the largest": lambda good, _: [Reply((good + bytes(65535 - len(good)),))],
    "octet by octet": _octet_by_octet,
    "in two": lambda good, _: [Reply((good[:20], good[20:]), apart_s=0.5)],
    "half": lambda good, _: [Reply((good[:20],), whole=False)],
    "half, then closes": lambda good, _: [Reply((good[:20],), whole=False), Close()],
    "less than it says": lambda good, _: [Reply((good[:20],), fields=(TYPE, ("content-length", "40")))],
    "empty": _content(b""),
    "garbage": _content(bytes(range(256))),
    "another question": lambda good, _: [Reply((good.replace(b"\3www", b"\3xxx").replace(b"\3WWW", b"\3XXX"),))],
    "reset": lambda _good, _: [Reset(ErrorCodes.INTERNAL_ERROR)],
    "reset once": _only_first(lambda _good, _: [Reset(ErrorCodes.REFUSED_STREAM)], _honest),
    "half, then reset": lambda good, _: [Reply((good[:20],), whole=False), Reset(ErrorCodes.CANCEL)],
    "closes": lambda _good, _: [Close()],
    "closes once": _only_first(lambda _good, _: [Close()], _honest),
    "closes after": lambda good, _: [Reply((good,)), Close()],
    "goes away, answers": lambda good, request: [Away(request.stream), Reply((good,), after_s=1.0)],
    "goes away once": _only_first(lambda _good, _: [Away(0), Close()], _honest),
    "goes away in anger": lambda _good, _: [Away(0, ErrorCodes.ENHANCE_YOUR_CALM)],
    "servfail": lambda good, _: [Reply((good[:3] + bytes([good[3] & 0xF0 | 2]) + good[4:6] + bytes(2) + good[8:],))],
    "aged": _with("age", "10"),
    "fresh for 5 s": _with("cache-control", "private, Max-Age=5"),
    "fresh for 25 s, aged": _says(fields=(TYPE, ("cache-control", "max-age=25"), ("age", "20"))),
    "aged, and garbage": _content(bytes(range(256)), fields=(TYPE, ("age", "10"))),
    "overlong frame": lambda _good, _: [Raw(bytes.fromhex("ffffff000000000001"))],
    "no frames": lambda _good, _: [Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")],
    "unknown frames": lambda good, _: [Raw(bytes.fromhex("000000ee0000000000") * 5000), Reply((good,))],
    "pings": lambda _good, _: [Raw(PING * 40000)],
}


class Doh:
    """The server: what it does, and what it has heard."""

    def __init__(self, sin: str, number: int) -> None:
        self.sin = sin
        self.number = number
        self.settings: dict[SettingCodes | int, int] = {}
        self.requests: list[Request] = []
        self.probed: list[float] = []  # when, by probes, which aren't among those above
        self.connections = 0
        self.cancelled = 0  # streams that the client reset
        self.names: list[str | None] = []  # asked for in TLS
        self.port = 0
        self.open: set[asyncio.Transport] = set()


class _Connection(asyncio.Protocol):
    def __init__(self, server: Doh) -> None:
        self._server = server
        self._deaf = False  # whether nothing more is read
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._fields: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytes] = {}
        self._queued: dict[int, tuple[bytes, bool]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections += 1
        self._server.open.add(transport)
        self._h2.initiate_connection()
        self._h2.update_settings(self._server.settings)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self._transport.close()
            return
        for event in events:
            match event:
                case RequestReceived(stream_id=stream, headers=fields):
                    self._fields[stream] = {str(name): str(value) for name, value in fields}
                    self._bodies[stream] = b""
                    if self._server.settings.get(SettingCodes.INITIAL_WINDOW_SIZE) == 0:
                        asyncio.get_running_loop().call_later(1.0, self._grant, stream)
                case DataReceived(stream_id=stream, data=octets, flow_controlled_length=size):
                    self._bodies[stream] += octets
                    self._h2.acknowledge_received_data(size, stream)
                case StreamEnded(stream_id=stream):
                    self._answer(stream)
                case StreamReset():
                    self._server.cancelled += 1
                case WindowUpdated():
                    for stream in list(self._queued):
                        self._send(stream, b"", end=False)
                case ConnectionTerminated():
                    self._transport.close()
                case _:
                    pass
        self._flush()

    def _grant(self, stream: int) -> None:
        """Lets the client send what it asks, a second late."""
        self._h2.increment_flow_control_window(1000, stream)
        self._flush()

    def _answer(self, stream: int) -> None:
        fields, query = self._fields[stream], self._bodies[stream]
        if fields[":method"] == "GET":
            text = fields[":path"].partition("?dns=")[2]
            query = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if query[12:] == b"\0\0\2\0\1":
            self._server.probed.append(asyncio.get_running_loop().time())
        request = Request(query, fields, stream, len(self._server.requests))
        if query[12:] != b"\0\0\2\0\1":
            self._server.requests.append(request)
        deeds = SINS[self._server.sin](answer(query, self._server.number), request)
        asyncio.get_running_loop().create_task(self._do(stream, deeds))

    async def _do(self, stream: int, deeds: Sequence[Deed]) -> None:
        for deed in deeds:
            if self._transport.is_closing():
                return
            try:
                await self._do_one(stream, deed)
            except ProtocolError:
                return  # the client has let the stream go
            self._flush()

    async def _do_one(self, stream: int, deed: Deed) -> None:
        match deed:
            case Reply():
                await asyncio.sleep(deed.after_s)
                fields = [(":status", str(deed.status)), *deed.fields]
                self._h2.send_headers(stream, fields, end_stream=deed.whole and not deed.pieces)
                for number, piece in enumerate(deed.pieces, 1):
                    await asyncio.sleep(deed.apart_s)
                    self._send(stream, piece, end=deed.whole and number == len(deed.pieces))
                    self._flush()
            case Reset(code):
                self._h2.reset_stream(stream, code)
            case Away(last, code):
                octets = last.to_bytes(4, "big") + code.to_bytes(4, "big")
                self._flush()
                self._transport.write(bytes.fromhex("000008070000000000") + octets)
            case Raw(octets):
                self._flush()
                self._transport.write(octets)
                self._deaf = self._server.sin == "pings"
                if self._deaf:
                    self._transport.pause_reading()
            case Close():
                self._flush()
                self._transport.close()

    def _send(self, stream: int, octets: bytes, *, end: bool) -> None:
        """Sends what the client's window allows, the rest once it has opened."""
        before, ends = self._queued.pop(stream, (b"", False))
        octets, end = before + octets, end or ends
        if not octets:
            if end:
                self._h2.end_stream(stream)
            return
        while octets and (room := min(self._h2.local_flow_control_window(stream), 16384)):
            piece, octets = octets[:room], octets[room:]
            self._h2.send_data(stream, piece, end_stream=end and not octets)
        if octets:
            self._queued[stream] = octets, end

    def _flush(self) -> None:
        if octets := self._h2.data_to_send():
            self._transport.write(octets)


@asynccontextmanager
async def doh(
    sin: str,
    pair: Pair,
    *,
    number: int = 1,
    protocols: Sequence[str] = ("h2",),
    settings: dict[SettingCodes | int, int] | None = None,
    clients: Pair | None = None,
    port: int = 0,
) -> AsyncIterator[Doh]:
    """A server with this certificate, and with these protocols by ALPN; with clients it wants a certificate of theirs."""
    server = Doh(sin, number)
    server.settings = settings or {}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients and clients.certificate)
    context.load_cert_chain(*pair)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    context.sni_callback = lambda _socket, name, _context: server.names.append(name)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # handshakes that fail here are meant to
    listening = await loop.create_server(lambda: _Connection(server), "127.0.0.1", port, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for transport in list(server.open):
            transport.abort()
        await asyncio.sleep(0.1)
