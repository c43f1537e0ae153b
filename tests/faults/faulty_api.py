"""An API server on 127.0.0.1 that can be made to sin: plain asyncio, HTTP/1.1, in virtual time as in real.

Without sins it does what kdns relies on: lists in pages of one state, metadata alone where that is accepted, one object by
field selector, watches with bookmarks each minute, 410 for what has been compacted, lists as streams, bearer tokens. What
goes wrong is the table of sins' to say (sins.py), each by one of four hooks: a request, a list, an event, a page.
Objects are JSON; the store behind it is a history, so that any watch can be replayed and any part of it forgotten.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

Json: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str, str]  # namespace and name

BOOKMARK_S = 60.0
_METADATA = "as=PartialObjectMetadataList"


class Change(NamedTuple):
    """An entry of the history."""

    version: int
    kind: str  # ADDED, MODIFIED or DELETED
    object: Json


@dataclass
class Ask:
    """A request, as far as it matters here."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: float  # seconds of the loop's clock
    connection: int  # by number, from 1

    @property
    def resource(self) -> str:
        return self.path.rsplit("/", 1)[1]

    @property
    def watch(self) -> bool:
        return self.query.get("watch") == "1"

    @property
    def metadata_only(self) -> bool:
        return _METADATA in self.headers.get("accept", "")

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def since(self) -> int | None:
        version = self.query.get("resourceVersion")
        return int(version) if version else None


class Reply(NamedTuple):
    """An answer in place of the right one."""

    status: int
    body: bytes = b""
    headers: tuple[str, ...] = ()


class Sin:
    """Does nothing wrong; a sin does, by at least one of these."""

    async def request(self, api: "FaultyApi", ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        """What is answered in place of the right answer; None for nothing. May write itself, wait, or raise ConnectionError."""
        return None

    def page(self, api: "FaultyApi", ask: Ask, page: Json) -> Json:
        """What is sent for a page of a list."""
        return page

    def lines(self, api: "FaultyApi", ask: Ask, change: Change, line: bytes) -> Iterable[bytes]:
        """What is sent for a change in a watch."""
        return (line,)

    def pieces(self, api: "FaultyApi", ask: Ask, octets: bytes) -> Iterable[tuple[float, bytes]]:
        """What of a watch's octets is written, and how many seconds before each piece."""
        return ((0.0, octets),)


@dataclass
class Watch:
    ask: Ask
    lines: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    ended: bool = False


class FaultyApi:
    """The server. Its sins may be changed at any time; they count for what is asked, or happens, from then on."""

    def __init__(self, version: int = 1000) -> None:
        self.version = version
        self.port = 0
        self.asks: list[Ask] = []
        self.connections = 0
        self.sins: list[Sin] = []
        self.tokens: set[str] = set()  # that are taken; empty for anybody
        self.bookmark_s: float | None = BOOKMARK_S
        self.objects: dict[str, dict[Place, Json]] = {}
        self.expired = 0  # the history up to here is forgotten
        self._history: dict[str, list[Change]] = {}
        self._states: dict[tuple[str, str], list[Json]] = {}  # what lists by token go on with
        self._watches: list[Watch] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._held: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    # What is in the cluster

    def put(self, resource: str, *objects: Json) -> None:
        """Makes or changes objects; each gets a version, and a uid if it has none."""
        for given in objects:
            there = self.objects.setdefault(resource, {})
            place = (given["metadata"].get("namespace", ""), given["metadata"]["name"])
            before = there.get(place)
            self.version += 1
            uid = given["metadata"].get("uid") or (before["metadata"]["uid"] if before else f"uid-{self.version}")
            metadata = {**given["metadata"], "uid": uid, "resourceVersion": str(self.version)}
            there[place] = {**given, "metadata": metadata}
            self._tell(resource, Change(self.version, "MODIFIED" if before else "ADDED", there[place]))

    def drop(self, resource: str, name: str, namespace: str = "shop") -> None:
        """Deletes an object."""
        gone = self.objects[resource].pop((namespace, name))
        self.version += 1
        metadata = {**gone["metadata"], "resourceVersion": str(self.version)}
        self._tell(resource, Change(self.version, "DELETED", {**gone, "metadata": metadata}))

    def compact(self) -> None:
        """Forgets the history up to now."""
        self.expired = self.version

    def restore(self, version: int) -> None:
        """Becomes a server whose history ends at this version, as after a restored backup; what is there stays, unchanged."""
        self.version = version
        self.expired = 0
        self._history.clear()

    def _tell(self, resource: str, change: Change) -> None:
        self._history.setdefault(resource, []).append(change)
        for watch in self._watches:
            if watch.ask.resource == resource:
                self._send(watch, change)

    def _send(self, watch: Watch, change: Change) -> None:
        lines: list[bytes] = [_line(change.kind, change.object)]
        for sin in self.sins:
            lines = [made for line in lines for made in sin.lines(self, watch.ask, change, line)]
        for line in lines:
            watch.lines.put_nowait(line)

    # Connections

    async def open(self) -> None:
        """Takes connections, on the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def close(self) -> None:
        """Resets all connections and refuses new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """The connections there are go on to exist, and nothing comes through any more: half open."""
        self._held |= self._writers

    def end_watches(self) -> None:
        """Ends all open watches cleanly."""
        for watch in self._watches:
            watch.ended = True
            watch.lines.put_nowait(b"")

    @property
    def watching(self) -> tuple[str, ...]:
        """Of which resources there are watches."""
        return tuple(watch.ask.resource for watch in self._watches)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await self._answer(_ask(head, number), writer)
        self._writers.discard(writer)
        self._held.discard(writer)
        writer.transport.abort()

    async def _write(self, writer: asyncio.StreamWriter, octets: bytes) -> None:
        if writer in self._held:
            await asyncio.Event().wait()
        writer.write(octets)
        await writer.drain()

    # Answers

    async def _answer(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        self.asks.append(ask)
        if self.tokens and ask.token not in self.tokens:
            await self._reply(writer, refusal(401, "Unauthorized"))
            return
        for sin in self.sins:
            reply = await sin.request(self, ask, writer)
            if reply is not None:
                await self._reply(writer, reply)
                return
        if ask.watch:
            await self._watch(ask, writer)
        else:
            await self._reply(writer, self._list(ask))

    async def _reply(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        lines = [f"HTTP/1.1 {reply.status} So", f"Content-Length: {len(reply.body)}", *reply.headers, "", ""]
        await self._write(writer, "\r\n".join(lines).encode() + reply.body)

    def _list(self, ask: Ask) -> Reply:
        token = ask.query.get("continue", "")
        if token:
            version, _, start = token.partition(":")
            items = self._states[ask.resource, version]
        else:
            version, start, items = str(self.version), "0", self._selected(ask)
            self._states[ask.resource, version] = items
        if token and int(version) < self.expired:
            return refusal(410, "Expired")
        end = int(start) + int(ask.query.get("limit", len(items)))
        page: Json = {"metadata": {"resourceVersion": version}, "items": items[int(start) : end]}
        if end < len(items):
            page["metadata"] |= {"continue": f"{version}:{end}", "remainingItemCount": len(items) - end}
        if ask.metadata_only:
            page |= {
                "kind": "PartialObjectMetadataList",
                "items": [{"metadata": each["metadata"]} for each in page["items"]],
            }
        for sin in self.sins:
            page = sin.page(self, ask, page)
        return Reply(200, json.dumps(page).encode())

    def _selected(self, ask: Ask) -> list[Json]:
        everything = self.objects.get(ask.resource, {})
        name = ask.query.get("fieldSelector", "").removeprefix("metadata.name=")
        return [each for (_, each_name), each in sorted(everything.items()) if not name or each_name == name]

    async def _watch(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        if ask.since is not None and ask.since < self.expired:
            await self._reply(writer, refusal(410, "Expired"))
            return
        watch = Watch(ask)
        if "sendInitialEvents" in ask.query:
            for each in self.objects.get(ask.resource, {}).values():
                self._send(watch, Change(int(each["metadata"]["resourceVersion"]), "ADDED", each))
            watch.lines.put_nowait(bookmark(self.version, end=True))
        for change in self._history.get(ask.resource, ()):
            if ask.since is not None and change.version > ask.since:
                self._send(watch, change)
        self._watches.append(watch)
        try:
            await self._write(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await self._stream(watch, writer)
        finally:
            self._watches.remove(watch)

    async def _stream(self, watch: Watch, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + float(watch.ask.query["timeoutSeconds"])
        while not watch.ended:
            try:
                async with asyncio.timeout(min(self.bookmark_s or 1e9, ends - loop.time())):
                    line = await watch.lines.get()
            except TimeoutError:
                watch.ended = loop.time() >= ends
                line = b"" if watch.ended or self.bookmark_s is None else bookmark(self.version)
            octets = line
            while not watch.lines.empty():
                octets += watch.lines.get_nowait()
            if octets:
                await self._send_pieces(watch, writer, octets)
        await self._write(writer, b"0\r\n\r\n")

    async def _send_pieces(self, watch: Watch, writer: asyncio.StreamWriter, octets: bytes) -> None:
        pieces: list[tuple[float, bytes]] = [(0.0, octets)]
        for sin in self.sins:
            pieces = [
                (wait + more, each) for wait, piece in pieces for more, each in sin.pieces(self, watch.ask, piece)
            ]
        for wait_s, piece in pieces:
            await asyncio.sleep(wait_s)
            await self._write(writer, b"%x\r\n%s\r\n" % (len(piece), piece))


@asynccontextmanager
async def serving(api: FaultyApi) -> AsyncIterator[FaultyApi]:
    """The server while this lasts; one that serves already goes on to."""
    opened = api.is_open
    if not opened:
        await api.open()
    try:
        yield api
    finally:
        if not opened:
            await api.close()


def refusal(code: int, reason: str = "", *headers: str, **details: Any) -> Reply:
    """A Status as the API server sends it."""
    return Reply(code, json.dumps(status(code, reason, **details)).encode(), headers)


def status(code: int, reason: str = "", **details: Any) -> Json:
    return {"kind": "Status", "code": code, "reason": reason, "message": "", "details": details}


def bookmark(version: int, *, end: bool = False) -> bytes:
    annotations = {"k8s.io/initial-events-end": "true"} if end else {}
    return _line("BOOKMARK", {"metadata": {"resourceVersion": str(version), "annotations": annotations}})


def _line(kind: str, content: Json) -> bytes:
    return json.dumps({"type": kind, "object": content}).encode() + b"\n"


def _ask(head: str, connection: int) -> Ask:
    first, *rest = head.strip().split("\r\n")
    target = urlsplit(first.split()[1])
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    query = {name: values[0] for name, values in parse_qs(target.query).items()}
    return Ask(target.path, query, headers, asyncio.get_running_loop().time(), connection)


# Objects


def namespace(name: str, **metadata: Any) -> Json:
    return {"metadata": {"name": name, **metadata}}


def service(name: str, ip: str = "10.96.0.1", in_namespace: str = "shop", **spec: Any) -> Json:
    ports = [{"name": "http", "port": 80}]
    return {
        "metadata": {"name": name, "namespace": in_namespace},
        "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": ports, **spec},
    }


def slice_of(name: str, owner: str, *addresses: str, ready: bool = True, **fields: Any) -> Json:
    labels = {"kubernetes.io/service-name": owner} if owner else {}
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [each], "conditions": {"ready": ready}} for each in addresses],
        "ports": [{"name": "http", "port": 80}],
        **fields,
    }
