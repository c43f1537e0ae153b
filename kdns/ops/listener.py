"""The HTTP/1.1 server behind health, readiness and metrics.

Serves GET and HEAD of a few fixed paths on a listening socket that somebody else bound; what
the paths say is handed in. h11 knows the protocol (RFC 9112), this file moves its octets and
holds the limits: anybody in the cluster can reach these ports, and nothing that arrives here
may cost the process more than a bounded number of small connections.
"""

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple, TypeAlias

import h11
import structlog

from kdns.ops.logs import Repeated

Response: TypeAlias = tuple[int, str, bytes]  # status, content type, body
Route: TypeAlias = Callable[[str], Response | Awaitable[Response]]  # from the query, without its question mark
_Event: TypeAlias = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class Limits(NamedTuple):
    """What clients may take."""

    request_s: float = 5.0  # from a connection's start, or a later request's first octet, to the end of the head
    answer_s: float = 10.0  # until the answer is made and taken
    idle_s: float = 120.0  # from an answer to the next request; Prometheus asks once a minute
    connections: int = 64
    head_octets: int = 8192
    headers: int = 100


_LIMITS: Final = Limits()
_METHODS: Final = (b"GET", b"HEAD")
_READ_OCTETS: Final = 4096
_log: Final = structlog.get_logger()
_failures: Final = Repeated("ops_route_failed")


async def serve_http(listening: socket.socket, routes: Mapping[str, Route], limits: Limits = _LIMITS) -> None:
    """Answers on the listening socket until cancelled; closes it and every connection then.

    A route that raises is logged and answered with 500; nothing that a client does ends this.
    """
    clients = _Clients(limits.connections)

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with clients.place() as place:
                if place:
                    await _converse(_Line(reader, writer, limits), routes, clients)
        except Exception:  # noqa: BLE001 - the root of a task
            _log.exception("ops_connection_failed")
        finally:
            writer.transport.abort()  # what was to be sent has been sent

    server = await asyncio.start_server(attend, sock=listening)
    try:
        await asyncio.get_running_loop().create_future()  # nobody sets it
    finally:
        server.close()
        await clients.dismiss()


class _Clients:
    """The tasks that attend to clients, a bounded number, and which of them only wait for a request."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._all: set[asyncio.Task[None]] = set()
        self._waiting: dict[asyncio.Task[None], None] = {}  # the longest waiting first

    @contextmanager
    def place(self) -> Iterator[bool]:
        """A place for the current task, if need be that of the one that waits the longest; False if all are busy."""
        task = _current()
        if len(self._all) >= self._limit and self._waiting:
            oldest = next(iter(self._waiting))
            self._forget(oldest)
            oldest.cancel()
        if len(self._all) >= self._limit:
            yield False
            return
        self._all.add(task)
        try:
            yield True
        finally:
            self._forget(task)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Meanwhile the current task may lose its place."""
        task = _current()
        self._waiting[task] = None
        try:
            yield
        finally:
            self._waiting.pop(task, None)

    async def dismiss(self) -> None:
        """Ends all of them."""
        tasks = tuple(self._all)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._all.discard(task)
        self._waiting.pop(task, None)


def _current() -> "asyncio.Task[None]":
    task = asyncio.current_task()
    assert task is not None, "called outside of a task"
    return task


async def _converse(line: "_Line", routes: Mapping[str, Route], clients: _Clients) -> None:
    """Request after request, until the client has had enough or has gone too far."""
    patience_s = line.limits.request_s
    with suppress(OSError, TimeoutError):
        while True:
            try:
                with clients.waiting():
                    request = await line.request(patience_s)
                if request is None:
                    return
                async with asyncio.timeout(line.limits.answer_s):
                    await line.answer(await _response(request, routes), head=request.method == b"HEAD")
                if not line.next_cycle():
                    return
            except h11.RemoteProtocolError as error:
                async with asyncio.timeout(line.limits.answer_s):
                    await line.refuse(_plain(error.error_status_hint))
                return
            patience_s = line.limits.idle_s


class _Line:
    """The connection to one client: octets outside, requests and answers inside."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> None:
        self.limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_octets)
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)  # drain waits until all is sent

    async def request(self, patience_s: float) -> h11.Request | None:
        """The next request, None if the client leaves.

        Raises TimeoutError if nothing comes within patience_s or no whole head within the limit after that,
        RemoteProtocolError for what isn't HTTP or exceeds a limit.
        """
        event = self._http.next_event()
        if event is h11.NEED_DATA:
            async with asyncio.timeout(patience_s):
                event = await self._more()
        async with asyncio.timeout(self.limits.request_s):
            while event is h11.NEED_DATA:
                event = await self._more()
        if not isinstance(event, h11.Request):
            return None
        octets = len(event.target) + sum(len(name) + len(value) for name, value in event.headers)
        if octets > self.limits.head_octets or len(event.headers) > self.limits.headers:
            raise h11.RemoteProtocolError("the request's head is too large", error_status_hint=431)
        return event

    async def _more(self) -> _Event:
        self._http.receive_data(await self._reader.read(_READ_OCTETS))
        return self._http.next_event()

    async def answer(self, response: Response, *, head: bool = False, close: bool = False) -> None:
        """Sends the response, without its body if only the head was asked for."""
        status, content_type, body = response
        headers = [("content-type", content_type), ("content-length", str(len(body)))]
        headers += [("allow", "GET, HEAD")] if status == 405 else []
        headers += [("connection", "close")] if close else []
        events = [h11.Response(status_code=status, headers=headers), h11.EndOfMessage()]
        if not head:
            events.insert(1, h11.Data(data=body))
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
        await self._writer.drain()

    async def refuse(self, response: Response) -> None:
        """Says what was wrong with a request that is none, where there is still somebody to say it to."""
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self.answer(response, close=True)

    def next_cycle(self) -> bool:
        """Gets ready for another request; False where none can follow, such as after a body nobody wanted."""
        if self._http.their_state is h11.SEND_BODY:
            self._http.next_event()  # the end of the message, if there is no body
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True


async def _response(request: h11.Request, routes: Mapping[str, Route]) -> Response:
    if request.method not in _METHODS:
        return _plain(405)
    path, _, query = request.target.decode("ascii", "replace").partition("?")
    route = routes.get(path)
    if route is None:
        return _plain(404)
    try:
        response = route(query)
        answer = await response if inspect.isawaitable(response) else response
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one page, the others go on
        _failures.trouble(path, repr(error), exc_info=True)
        return _plain(500)
    _failures.over(path)
    return answer


_REASONS: Final[Mapping[int, str]] = {
    400: "bad request",
    404: "not found",
    405: "only GET and HEAD",
    431: "the request's head is too large",
    500: "internal error",
    501: "not implemented",
}


def _plain(status: int) -> Response:
    return status, "text/plain; charset=utf-8", f"{_REASONS[status]}\n".encode()
