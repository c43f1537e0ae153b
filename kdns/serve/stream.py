"""DNS over TCP: messages with a length before them, from many connections to one answerer and back.

Covers RFC 7766 (pipelining and replies out of order, section 6.2.1.1; idle connections,
6.2.3; half-closed ones, 6.2.4; messages cut anywhere, 8) and RFC 9210 section 4 (limits).
Knows of a message only that it begins with a header of 12 octets.

Nothing a client does holds more than its share: reading stops while its replies aren't
read or too many of its queries are being answered; messages are handed over a few per turn
of the event loop; whoever is slow meets a deadline; a newcomer always gets a place, if need
be the one of the connection that was silent longest. One sweep a second looks at all the
deadlines; no connection has a timer, a task or a buffer of its own beyond what it is sending.
A zone that is transferred is sent message by message, each made when the one before it has been
taken by the kernel or nearly so: neither memory nor other clients pay for its size.
"""

import asyncio
import socket
import ssl
import struct
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from kdns.serve.sockets import BACKLOG
from kdns.serve.timing import Timing

# What is sent of a transfer, message by message; the next is asked for when there is room for it.
Messages: TypeAlias = Iterator[bytes]
# answer(message, client, send, stream): the reply at once; or None, if send will be called with it later, once, from the
# event loop, or never, if there is none to give; or if stream is called instead, with messages that are replies all of
# them. What comes when the connection is gone is lost without a word; messages that raise end the connection.
Answerer: TypeAlias = Callable[
    [bytes, tuple[str, int], Callable[[bytes], None], Callable[[Messages], None]], bytes | None
]

_PREFIX: Final = 2  # octets of a message's length
_HEAD: Final = struct.Struct("!HHHHHHH")  # the length; a header: id, flags, four counts
_HEADER: Final = 12
_SMALLEST_QUESTION: Final = 5  # the root, type, class
_SMALLEST_RECORD: Final = 11  # the root, type, class, TTL, length
_READ_BYTES: Final = 64 << 10
# Connections accepted per turn of the loop: a flood of them must not keep UDP waiting.
_ACCEPTS: Final = 32

# Why connections end.
REASONS: Final = {
    "client": "the client closed or reset it, all replies sent",
    "idle": "nothing came and nothing went for too long",
    "slow_message": "a message didn't end in time",
    "slow_reader": "the client didn't read its replies in time",
    "junk": "what came is no DNS",
    "broken": "a zone that was being sent came to no end",
    "evicted": "a newcomer needed its place",
    "refused": "the client's address had too many already",
    "stopped": "the server ends",
}


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What one listening socket's connections may take."""

    # Well below the 1,024 descriptors that a process has by default.
    connections: int = 512
    per_client: int = 128  # connections of one address
    idle_s: float = 10.0  # without a message come or a reply gone
    message_s: float = 5.0  # from a message's first octet to its last
    write_s: float = 5.0  # from a reply's rendering to the kernel having taken it
    pipeline: int = 64  # queries of one connection being answered
    share: int = 16  # messages of one connection per turn of the loop
    messages: int | None = None  # of one connection's life; None for any number
    unsent_bytes: int = 64 << 10  # replies waiting for the client to read; one turn's share may come on top
    sweep_s: float = 1.0  # between looks at the deadlines, which are so much longer at most


async def serve_stream(
    sock: socket.socket,
    answer: Answerer,
    limits: StreamLimits = StreamLimits(),
    tls: ssl.SSLContext | None = None,
    timing: Timing | None = None,
) -> "StreamServer":
    """Serves the listening socket, which it owns from now on, until the returned server is closed.

    With tls, what stands behind a handshake, which has the time of a message. Timing is told how long answers take.
    """
    loop = asyncio.get_running_loop()
    server = StreamServer(answer, limits, loop, timing)
    # To asyncio "backlog" is both how many to accept per turn and what to listen with; the latter is set right after.
    patience = None if tls is None else limits.message_s
    listener = await loop.create_server(
        partial(_Connection, server), sock=sock, backlog=_ACCEPTS, ssl=tls, ssl_handshake_timeout=patience
    )
    sock.listen(BACKLOG)
    server.listener = listener
    return server


class StreamServer:
    """The connections of one listening socket."""

    __slots__ = (
        "_answering",
        "_clients",
        "_draining",
        "_idle",
        "_open",
        "_sweeper",
        "accepted",
        "answer",
        "closed",
        "limits",
        "listener",
        "loop",
        "messages",
        "room",
        "timing",
    )

    def __init__(
        self,
        answer: Answerer,
        limits: StreamLimits,
        loop: asyncio.AbstractEventLoop,
        timing: Timing | None = None,
    ) -> None:
        self.answer = answer
        self.limits = limits
        self.loop = loop
        self.timing = timing or Timing()
        self.listener: asyncio.Server | None = None
        self.room = memoryview(bytearray(_READ_BYTES))  # what is read goes through here, for all connections
        self.accepted = 0
        self.messages = 0
        self.closed: Counter[str] = Counter()  # connections by why they ended: the keys of REASONS
        self._open: set[_Connection] = set()
        self._clients: Counter[str] = Counter()
        # Connections without and with a query being answered, the longest without progress first.
        self._idle: OrderedDict[_Connection, None] = OrderedDict()
        self._answering: OrderedDict[_Connection, None] = OrderedDict()
        self._sweeper: asyncio.TimerHandle | None = None
        self._draining = False

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def busy(self) -> bool:
        """Whether any connection is open; after close, whether any has still to get its replies."""
        return bool(self._open)

    @property
    def draining(self) -> bool:
        """Whether connections end as soon as they have nothing to wait for."""
        return self._draining

    def close(self) -> None:
        """Takes no more connections; those that there are get the replies to what they have sent, and end."""
        if self.listener is not None:
            self.listener.close()
        # Two turns of the loop from here, all that had arrived by now has been read.
        self.loop.call_soon(self.loop.call_soon, self._drain)

    def _drain(self) -> None:
        self._draining = True
        for connection in tuple(self._open):
            connection.settle()

    def enter(self, connection: "_Connection") -> None:
        """Takes a new connection in, or not."""
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(self.limits.sweep_s, self._sweep)
        self.accepted += 1
        self._open.add(connection)
        host, _ = connection.client
        self._clients[host] += 1
        if self._clients[host] > self.limits.per_client:
            connection.drop("refused")
            return
        if len(self._idle) + len(self._answering) >= self.limits.connections:
            next(iter(self._idle or self._answering)).drop("evicted")
        self._idle[connection] = None

    def order(self, connection: "_Connection", *, answering: bool) -> None:
        """Puts a connection that has made progress last among its like."""
        there, other = (self._answering, self._idle) if answering else (self._idle, self._answering)
        other.pop(connection, None)
        there[connection] = None
        there.move_to_end(connection)

    def forget(self, connection: "_Connection") -> None:
        """Counts a connection no more among those that hold a place."""
        self._idle.pop(connection, None)
        self._answering.pop(connection, None)

    def leave(self, connection: "_Connection") -> None:
        """Forgets a connection that is gone."""
        self.forget(connection)
        self._open.discard(connection)
        host, _ = connection.client
        self._clients[host] -= 1
        if not self._clients[host]:
            del self._clients[host]

    def _sweep(self) -> None:
        self._sweeper = self.loop.call_later(self.limits.sweep_s, self._sweep) if self._open else None
        now = self.loop.time()
        for connection in tuple(self._open):
            connection.check(now)


class _Connection(asyncio.BufferedProtocol):
    """One client's connection."""

    __slots__ = (
        "_active",
        "_at",
        "_blocked",
        "_ended",
        "_flowing",
        "_flows",
        "_left",
        "_mark",
        "_marked",
        "_over",
        "_partial_since",
        "_paused",
        "_pending",
        "_scheduled",
        "_server",
        "_transport",
        "_unread",
        "_written",
        "client",
    )

    def __init__(self, server: StreamServer) -> None:
        self._server = server
        self._unread = b""  # what was read last, and before it what of that wasn't whole
        self._at = 0  # so much of it has been handed over
        self._pending = 0  # queries being answered
        self._flows: deque[Messages] = deque()  # transfers, of which the first is being sent
        self._flowing = False  # sends on in the next turn
        self._blocked = False  # too much unsent
        self._paused = False  # nothing is read
        self._ended = False  # the client sends no more
        self._left = server.limits.messages
        self._scheduled = False  # serves again in the next turn
        self._over = ""  # why it ends
        self._active = server.loop.time()  # when a message had come, or a reply gone, last
        self._partial_since: float | None = None
        self._written = 0  # octets handed to the transport, in all
        self._mark = 0  # so many of them have to be sent
        self._marked = 0.0  # from then on, within write_s

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("peername")[:2]
        self.client: tuple[str, int] = (host, port)
        transport.set_write_buffer_limits(self._server.limits.unsent_bytes)
        self._server.enter(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        return self._server.room

    def buffer_updated(self, nbytes: int) -> None:
        if self._left == 0:
            return
        read = self._server.room[:nbytes].tobytes()
        self._unread = self._unread[self._at :] + read if self._at < len(self._unread) else read
        self._at = 0
        if not self._scheduled:
            self._serve()

    def eof_received(self) -> bool:
        self._ended = True
        self.settle()
        return True  # asyncio is not to close it: replies may be due

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._flow_on()
        self.settle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how a client went is nobody's concern
        self._server.closed[self._over or "client"] += 1
        self._over = self._over or "client"
        self._flows.clear()
        self._server.leave(self)

    # Messages in, replies out

    def _serve(self) -> None:
        """Hands over the messages that are whole, at most a share of them; the rest waits for the next turn."""
        self._scheduled = False
        server = self._server
        limits, answer, client, late, many = server.limits, server.answer, self.client, self._send_late, self._send_many
        unread, at, end = self._unread, self._at, len(self._unread)
        replies: list[bytes] = []
        size = handed = 0
        server.timing.began = server.loop.time()
        # What is said of room before the loop stays true in it: nothing is written before its end.
        share = limits.share if self._has_room() else 0
        if self._left is not None:
            share = min(share, self._left)
        while handed < share and size < limits.unsent_bytes and self._pending < limits.pipeline:
            start = at + _PREFIX
            stop = start + (unread[at] << 8 | unread[at + 1]) if start <= end else start
            if stop > end or stop < start + _HEADER:
                if self._has_next():
                    self._over = "junk"
                break
            self._at = at = stop
            handed += 1
            reply = answer(unread[start:stop], client, late, many)
            if reply is None:
                self._pending += 1
            else:
                replies += (len(reply).to_bytes(_PREFIX), reply)
                size += len(reply)
        if handed:
            self._partial_since = None
            server.messages += handed
            if self._left is not None:
                self._left -= handed
                if not self._left:  # what else it sends isn't read
                    self._ended = True
                    self._unread = unread = b""
                    self._at = at = 0
            if replies:
                self._write(b"".join(replies))
                server.timing.answered(len(replies) // 2, server.loop.time())
            self._progress()
        self.settle()
        if not self._scheduled:
            self._unread, self._at = unread[at:], 0  # who is silent now holds no more than what isn't whole

    def _has_next(self) -> bool:
        """Whether there is a whole message, or enough to see that it will never be one."""
        unread, at = self._unread, self._at
        left = len(unread) - at - _PREFIX
        if left < 0:
            return False
        length = unread[at] << 8 | unread[at + 1]
        return length < _HEADER or left >= length or _is_junk(unread, at)

    def _has_room(self) -> bool:
        return not self._over and not self._blocked and self._pending < self._server.limits.pipeline

    def _send_late(self, reply: bytes) -> None:
        self._pending -= 1
        if self._over:
            return
        self._write(len(reply).to_bytes(_PREFIX) + reply)
        self._progress()
        self.settle()

    def _send_many(self, messages: Messages) -> None:
        if self._over:
            return
        self._flows.append(messages)
        self._flow_on()

    def _flow_on(self) -> None:
        if self._flows and not (self._flowing or self._blocked):
            self._flowing = True
            self._server.loop.call_soon(self._flow)

    def _flow(self) -> None:
        """Sends one message of a transfer; the next in another turn of the loop, or once the client has read enough."""
        self._flowing = False
        if self._over or self._blocked or not self._flows:
            return
        try:
            message = next(self._flows[0], None)
        except Exception:  # noqa: BLE001 - told by who raised it; without an end the client would wait for it
            self.drop("broken")
            return
        if message is None:
            self._flows.popleft()
            self._pending -= 1
        else:
            self._write(len(message).to_bytes(_PREFIX) + message)
        self._flow_on()
        self._progress()
        self.settle()

    def _write(self, octets: bytes) -> None:
        self._written += len(octets)
        self._transport.write(octets)

    def _progress(self) -> None:
        self._active = self._server.loop.time()
        if not self._over:
            self._server.order(self, answering=self._pending > 0)

    # What to do next, and when to end

    def settle(self) -> None:
        """Does what the state asks for now: end, serve on, read on or stop reading."""
        if self._transport.is_closing():
            return
        waiting = self._has_next()
        if self._over:
            self._finish(self._over)
        elif not waiting and not self._pending and (self._ended or self._server.draining):
            self._finish("client" if self._ended else "stopped")
        else:
            self._note_partial(waiting)
            if waiting and self._has_room() and not self._scheduled:
                self._scheduled = True
                self._server.loop.call_soon(self._serve)
            self._pause(waiting or not self._has_room())

    def _note_partial(self, waiting: bool) -> None:
        """Starts the clock of a message that has begun and isn't whole; it stands still while nothing is read."""
        if waiting or self._at == len(self._unread) or not self._has_room():
            self._partial_since = None
        elif self._partial_since is None:
            self._partial_since = self._server.loop.time()

    def _pause(self, pause: bool) -> None:
        if pause is self._paused or self._ended:
            return
        self._paused = pause
        if pause:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def check(self, now: float) -> None:
        """Ends the connection if it is past a deadline."""
        limits = self._server.limits
        if self._is_stuck(now):
            self.drop("slow_reader")
        elif self._over:
            return
        elif self._partial_since is not None and now - self._partial_since >= limits.message_s:
            self._finish("slow_message")
        elif now - self._active >= limits.idle_s:
            self._finish("idle")

    def _is_stuck(self, now: float) -> bool:
        """Whether something written write_s ago is still here."""
        sent = self._written - self._transport.get_write_buffer_size()
        if sent >= self._mark:
            self._mark, self._marked = self._written, now
        return sent < self._mark and now - self._marked >= self._server.limits.write_s

    def drop(self, reason: str) -> None:
        """Ends the connection at once; what is unsent is lost."""
        self._over = reason
        self._server.forget(self)
        self._transport.abort()

    def _finish(self, reason: str) -> None:
        """Ends the connection once what was written is sent; the sweep sees to it that this isn't never."""
        self._over = reason
        self._server.forget(self)
        self._transport.close()


def _is_junk(unread: bytes, at: int) -> bool:
    """Whether the header that follows the length at that place announces more records than so many octets could hold.

    So do a TLS ClientHello and text, HTTP requests among it, read as length and header.
    """
    if len(unread) - at < _HEAD.size:
        return False
    length, _, _, questions, *records = _HEAD.unpack_from(unread, at)
    return bool(questions * _SMALLEST_QUESTION + sum(records) * _SMALLEST_RECORD > length - _HEADER)
