"""Wire: HTTP/1.1 to the API server, octets in and octets out.

Opens a connection under a deadline, sends a GET, hands the body on as it comes: gunzipped in
bounded steps, every wait for an octet under a deadline of the caller's. Knows nothing of
Kubernetes, of credentials or of when to try again; all that goes wrong is a WireError, of
which the connection doesn't survive. HTTP/1.1 and not 2: a watch has a connection of its own,
so one that stalls holds up nothing else, and its TCP keepalive tells of a dead peer.
Standards: RFC 9110, RFC 9112 (by h11), RFC 1952.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import h11

from kdns.sources.errors import SourceError

CONNECT_S: Final = 10.0  # for TCP and TLS together
LINE_LIMIT_BYTES: Final = 16 << 20  # an object is at most 1.5 MB in etcd, and some times that as JSON
_READ_BYTES: Final = 1 << 18
_HEADERS_LIMIT_BYTES: Final = 1 << 16
_STEP_BYTES: Final = 1 << 20  # inflated at once
# Slices shrink to a twentieth. Past this much, what shrinks further than to a two-hundredth is no list but a bomb.
_RATIO_LIMIT: Final = 200
_RATIO_FREE_BYTES: Final = 16 << 20
# Of a peer that is gone without a word the kernel tells after 15 + 3 x 15 seconds. macOS lacks some of the names.
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 3))


class WireError(SourceError):
    """The connection failed, or broke off, or what came isn't HTTP."""


class OversizeError(WireError):
    """The body is larger than its reader allows."""


class SilenceError(WireError):
    """Not an octet came in the time allowed."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect; tls makes a new context for each connection, so that changed files count."""

    host: str
    port: int
    tls: Callable[[], ssl.SSLContext] | None = None
    server_name: str | None = None  # whose certificate is expected, where not the host's

    @property
    def place(self) -> str:
        """HOST:PORT."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.place}"


class Lines:
    """Splits a stream at its newlines; each octet is looked at and copied a bounded number of times."""

    __slots__ = ("_limit", "_tail")

    def __init__(self, limit_bytes: int = LINE_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that end in the chunk, empty ones left out. Raises OversizeError."""
        *lines, tail = chunk.split(b"\n")
        if lines and self._tail:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail.clear()
        self._tail += tail
        if len(self._tail) > self._limit:
            raise OversizeError(f"a line of more than {self._limit} octets")
        return [line for line in lines if line]


class Inflater:
    """Gunzips a stream in steps, within a limit of octets and of how far they swell (RFC 1952)."""

    __slots__ = ("_came", "_gave", "_limit", "_zlib")

    def __init__(self, limit_bytes: int | None) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._limit = limit_bytes
        self._came = self._gave = 0

    def feed(self, chunk: bytes) -> bytes:
        """What the chunk inflates to. Raises WireError for no gzip, and OversizeError."""
        self._came += len(chunk)
        pieces = []
        while True:
            piece = self._step(chunk)
            pieces.append(piece)
            chunk = self._zlib.unconsumed_tail
            # zlib may hold back output although it took all input, but only where the step was filled.
            if not chunk and len(piece) < _STEP_BYTES:
                return b"".join(pieces)

    def end(self) -> None:
        """Raises WireError where the stream isn't whole."""
        if self._came and not self._zlib.eof:
            raise WireError("the gzip stream breaks off")

    def _step(self, chunk: bytes) -> bytes:
        try:
            piece = self._zlib.decompress(chunk, _STEP_BYTES)
        except zlib.error as error:
            raise WireError(f"no gzip: {error}") from error
        self._gave += len(piece)
        if self._limit is not None and self._gave > self._limit:
            raise OversizeError(f"a body of more than {self._limit} octets")
        if self._gave > max(_RATIO_FREE_BYTES, self._came * _RATIO_LIMIT):
            raise OversizeError(f"{self._came} octets of gzip that inflate to more than {self._gave}")
        return piece


class Response:
    """The answer to one request; its body is read once, in order."""

    __slots__ = ("_connection", "_gave", "_inflater", "_limit", "ended", "headers", "status")

    def __init__(self, connection: "Connection", head: h11.Response, limit_bytes: int | None) -> None:
        self.status: int = head.status_code
        self.headers: Mapping[bytes, bytes] = dict(head.headers)  # names in lower case
        self._connection = connection
        self._limit = limit_bytes
        self._gave = 0
        self.ended = False  # whether the body has been read to its end
        self._inflater = _inflater_for(self.headers, limit_bytes)

    @property
    def retry_after_s(self) -> float | None:
        """Seconds that the server asks to wait; None where it doesn't, or gives a date (RFC 9110 section 10.2.3)."""
        text = self.headers.get(b"retry-after", b"")
        return float(text) if text.isdigit() else None

    async def chunk(self, idle_s: float) -> bytes:
        """What has come of the body, at least one octet; none at its end.

        Raises WireError, also where nothing comes for idle_s, and OversizeError. The connection is closed then.
        """
        with self._connection.guarded():
            while not self.ended:
                octets, self.ended = await self._connection.receive_body(idle_s)
                if self._inflater:
                    octets = self._inflater.feed(octets)
                    if self.ended:
                        self._inflater.end()
                self._gave += len(octets)
                if self._limit is not None and self._gave > self._limit:
                    raise OversizeError(f"a body of more than {self._limit} octets")
                if octets:
                    return octets
        return b""

    async def read(self, idle_s: float) -> bytes:
        """The whole body. Raises as chunk does."""
        chunks = []
        while chunk := await self.chunk(idle_s):
            chunks.append(chunk)
        return b"".join(chunks)


def _inflater_for(headers: Mapping[bytes, bytes], limit_bytes: int | None) -> Inflater | None:
    coding = headers.get(b"content-encoding", b"identity").lower()
    if coding == b"identity":
        return None
    if coding != b"gzip":
        raise WireError(f"a body in coding {coding!r}, expected gzip or identity")
    return Inflater(limit_bytes)


class Connection:
    """One connection, one request at a time."""

    __slots__ = ("_http", "_peer", "_reader", "_writer")

    def __init__(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peer = peer
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADERS_LIMIT_BYTES)

    @property
    def reusable(self) -> bool:
        """Whether it is open and its last response has been read to the end, as far as can be told."""
        states = (self._http.our_state, self._http.their_state)
        if states not in {(h11.IDLE, h11.IDLE), (h11.DONE, h11.DONE)}:
            return False
        return not (self._writer.is_closing() or self._reader.at_eof())

    async def get(
        self, target: str, headers: Mapping[str, str], *, idle_s: float, limit_bytes: int | None = None
    ) -> Response:
        """Sends a GET and returns once status and headers have come.

        limit_bytes bounds the body as its reader sees it. Raises WireError; the connection is closed then.
        """
        with self.guarded():
            if self._http.our_state is h11.DONE:
                self._http.start_next_cycle()
            host = f"{self._peer}".partition("//")[2]
            request = h11.Request(method="GET", target=target, headers=[("Host", host), *headers.items()])
            self._send(request)
            self._send(h11.EndOfMessage())
            while True:
                event = await self._event(idle_s)
                if isinstance(event, h11.Response):
                    return Response(self, event, limit_bytes)

    async def receive_body(self, idle_s: float) -> tuple[bytes, bool]:
        """What has come of the body, and whether that is its end; waits only where nothing has."""
        pieces: list[bytes] = []
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            elif event is h11.NEED_DATA:
                if pieces:
                    return b"".join(pieces), False
                await self._receive(idle_s)
            else:
                return b"".join(pieces), True

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Translates what goes wrong within to WireError, and closes the connection whatever goes wrong."""
        try:
            with translated(self._peer):
                yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the connection at once, without taking leave."""
        self._writer.transport.abort()

    def _send(self, event: h11.Request | h11.EndOfMessage) -> None:
        if octets := self._http.send(event):
            self._writer.write(octets)

    async def _event(self, idle_s: float) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            await self._receive(idle_s)
        return event

    async def _receive(self, idle_s: float) -> None:
        try:
            async with asyncio.timeout(idle_s):
                octets = await self._reader.read(_READ_BYTES)
        except TimeoutError as error:
            raise SilenceError(f"not an octet for {idle_s:g} s") from error
        self._http.receive_data(octets)


@contextmanager
def translated(peer: Peer) -> Iterator[None]:
    """Raises as WireError, with the peer's name in front, what connecting and talking to it may raise."""
    try:
        yield
    except WireError as error:
        raise type(error)(f"{peer}: {error}") from error
    except ssl.SSLCertVerificationError as error:
        raise WireError(f"{peer}: its certificate isn't trusted: {error.verify_message}") from error
    except TimeoutError as error:
        raise WireError(f"{peer}: no connection within {CONNECT_S:g} s") from error
    except h11.RemoteProtocolError as error:
        raise WireError(f"{peer}: {error}") from error
    except OSError as error:
        raise WireError(f"{peer}: {error.strerror or error}") from error


async def connect(peer: Peer) -> Connection:
    """A new connection, ready for a request. Raises WireError, after CONNECT_S at the latest."""
    with translated(peer):
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(
                peer.host,
                peer.port,
                limit=_READ_BYTES,
                ssl=peer.tls() if peer.tls else None,
                server_hostname=(peer.server_name or peer.host) if peer.tls else None,
            )
    _keep_alive(writer.get_extra_info("socket"))
    return Connection(peer, reader, writer)


def _keep_alive(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Link:
    """Requests to a peer one after the other, over one connection as long as it holds."""

    __slots__ = ("_connection", "_peer")

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._peer: Peer | None = None

    async def get(
        self, peer: Peer, target: str, headers: Mapping[str, str], *, idle_s: float, limit_bytes: int | None = None
    ) -> Response:
        """As Connection.get. A kept connection that the server gave up meanwhile is replaced, once."""
        connection = self._connection
        if connection and connection.reusable and peer == self._peer:
            try:
                return await connection.get(target, headers, idle_s=idle_s, limit_bytes=limit_bytes)
            except WireError:
                pass
        self.close()
        self._peer, self._connection = peer, await connect(peer)
        return await self._connection.get(target, headers, idle_s=idle_s, limit_bytes=limit_bytes)

    def close(self) -> None:
        """Gives up the connection, if there is one; the next request opens another."""
        if self._connection:
            self._connection.close()
            self._connection = None
