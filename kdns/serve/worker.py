"""A worker: answers queries from its index, and keeps the index as the controller wants it.

Joins sockets, responders, the chain of steps and the link to the controller in one event
loop. Knows nothing of the API server, of YAML or of HTTP, and imports none of them. Without
a controller it goes on answering from what it has.
"""

import asyncio
import hashlib
import secrets
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import SystemRandom
from typing import TYPE_CHECKING, Final

import structlog

from kdns.config.directives.kubernetes import STARTUP_S, Kubernetes
from kdns.config.directives.places import Timeouts, Tls
from kdns.config.serving import ALL_ADDRESSES, Listener, S, Serving
from kdns.dns.cookies import SECRET_BYTES, cookie_option
from kdns.dns.reply import TCP_LIMIT, udp_limit
from kdns.ops import logs
from kdns.ops.lines import Lines
from kdns.ops.metrics import encode_report
from kdns.serve import mmsg, udp
from kdns.serve.blocks import Group, Working, audiences, group_of, routes, work
from kdns.serve.collector import Collector
from kdns.serve.control import PREPARED, SERVE, WARM, Control, Order, WorkerStart
from kdns.serve.counts import counts
from kdns.serve.link import WorkerLink
from kdns.serve.local import own_addresses
from kdns.serve.memo import Memo
from kdns.serve.responder import Door, Responder, Rules
from kdns.serve.sockets import address_of
from kdns.serve.stream import StreamLimits, StreamServer, serve_stream
from kdns.serve.tally import Shared
from kdns.serve.tls import Certificate
from kdns.serve.udp import open_door
from kdns.steps.around import Around
from kdns.steps.chain import Entrance, Step
from kdns.steps.turns import Turns
from kdns.zone.entry import Owner
from kdns.zone.index import Index
from kdns.zone.patch import Patch

if TYPE_CHECKING:
    from kdns.serve.querylog import QueryLog

# Octets of remembered replies: a generation of those that fit a datagram, shared by all doors, holds some 12,000
# questions; each door for streams keeps of larger ones, which are few, so much more.
_MEMO_BYTES: Final = 12 << 20
_LARGE_BYTES: Final = 1 << 20
_STREAM_LIMITS: Final = StreamLimits()
# Entries changed until those that live are taken out of the garbage collector's walks.
_SETTLE_AFTER: Final = 20_000
# How long a worker that was told to stop waits for upstreams and TCP clients.
_FINISH_S: Final = 4.0

_TRANSPORTS: Final = ("udp", "tcp")

_SECRET_OCTETS: Final = 16
# Drawn in the supervisor, before it forks: all workers of all time have the same.
_SECRET: Final = secrets.token_bytes(_SECRET_OCTETS)

_log: Final = structlog.get_logger()


def _secret_of(block: int) -> bytes:
    """What the workers' server blocks of that number have in common and nobody knows."""
    return hashlib.blake2b(block.to_bytes(4, "big"), key=_SECRET, digest_size=_SECRET_OCTETS).digest()


class Loop(asyncio.SelectorEventLoop):
    """The event loop, whose time needs no call of Python's: it is read three times for a question that is forwarded."""

    time = staticmethod(time.monotonic)


def run_worker(start: WorkerStart, settings: Serving) -> int:
    """Serves the slot's sockets until told to stop; the exit status."""
    logs.configure(settings.log_level, f"worker-{start.slot}")
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(_run(start, settings))


async def _run(start: WorkerStart, settings: Serving) -> int:
    worker = Worker(settings, asyncio.get_running_loop())
    await worker.open(start)
    await worker.stopped.wait()
    await worker.close()
    return 0


class Worker:
    """One worker's parts; its link's keeper."""

    def __init__(self, settings: Serving, loop: asyncio.AbstractEventLoop) -> None:
        self.index = Index()
        self.stopped = asyncio.Event()
        self._loaded = asyncio.Event()
        self._ordered = asyncio.Event()
        self._settings = settings
        # How long queries wait for the first image; then own names are said not to be ready.
        self._patience_s = max(
            (each.startup_timeout_s for block in settings.servers.blocks for each in block.each(Kubernetes)),
            default=STARTUP_S,
        )
        self._loop = loop
        self._responders: list[Responder] = []
        self._turns = Turns(loop)
        around = Around(
            loop=loop,
            random=SystemRandom(),
            entrance=Entrance(),
            index=self.index,
            zones=(),
            addresses=own_addresses(listener.address for listener in settings.servers.listeners),
            datagrams=mmsg.Connected() if mmsg.available else None,
            turns=self._turns,
            log=_log,
            forget=self._forget,
            forget_all=self._forget_all,
        )
        self._lines = Lines(sys.stdout.fileno(), loop)
        self._blocks = [
            work(block, around, self._write, _secret_of(number)) for number, block in enumerate(settings.servers.blocks)
        ]
        self._doors: list[udp.Door] = []
        self._streams: list[StreamServer] = []
        self._link: WorkerLink | None = None
        self._control: Control | None = None
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self._collector = Collector(loop, lambda: self._waiting)
        self._changed = 0  # entries put since the last of them were settled

    async def open(self, start: WorkerStart) -> None:
        """Makes all that answers, and starts to when the time has come.

        That is once the zone has come from a controller or has let us wait too long; or, while others answer by another
        configuration, when the supervisor says so.
        """
        self._collector.begin()
        self._loop.add_signal_handler(signal.SIGTERM, self.stopped.set)
        self._control = Control(
            start.control, self._loop, on_channel=self._connect, on_order=self._obey, on_lost=self.stopped.set
        )
        sockets = len(start.udp) + len(start.tcp)
        shared = self._sharing(sockets)
        doors = [(sock, self._responder(sock, "udp", shared)) for sock in start.udp]
        streams = []
        for sock in start.tcp:
            listener = self._listener(sock)
            responder = self._responder(sock, "tcp", shared)
            answer = responder.converse if responder.audiences is None else responder.converse_unmarked
            streams.append((sock, answer, self._limits(listener), self._tls(listener), responder.timing))
        self._control.say(PREPARED)
        if start.at_once:
            await self._either(self._loaded, self._patience_s)  # what is asked meanwhile waits in the sockets' queues
        elif not await self._either(self._ordered):
            return
        for door, responder in doors:
            self._doors.append(open_door(door, responder, responder.memos[0], self._loop, self._turns))
        for stream in streams:
            self._streams.append(await serve_stream(*stream))

    def _sharing(self, sockets: int) -> dict[Group, Shared]:
        """What sockets have in common."""
        listeners = self._settings.servers.listeners
        groups = {group_of(each, self._blocks, transport): each for each in listeners for transport in _TRANSPORTS}
        limit = _MEMO_BYTES // len(groups)
        return {
            group: Shared(Memo(limit), sockets, audiences(listener, self._blocks)) for group, listener in groups.items()
        }

    async def _either(self, event: asyncio.Event, timeout_s: float | None = None) -> bool:
        """Waits for the event, or the end of waiting or of the worker; whether the event came."""
        waiting = [self._loop.create_task(each.wait()) for each in (event, self.stopped)]
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
        return event.is_set()

    async def close(self) -> None:
        """Answers what has arrived, waits a while for what upstreams owe, and closes."""
        for door in self._doors:
            door.close()
        for stream in self._streams:
            stream.close()
        deadline = self._loop.time() + _FINISH_S
        while self._busy and self._loop.time() < deadline:  # noqa: ASYNC110 - once; what it waits for owes it no event
            await asyncio.sleep(0.02)
        for block in self._blocks:
            for each in (*block.steps, block.errors):
                close = getattr(each, "close", None)
                if close is not None:
                    close()
        if self._link is not None:
            self._link.tell()
        self._lines.close()

    @property
    def _busy(self) -> bool:
        """Whether anybody waits."""
        return self._waiting > 0 or any(each.busy for each in self._streams)

    @property
    def _waiting(self) -> int:
        """How many questions wait for somebody else: steps that let them wait say so."""
        return sum(len(getattr(step, "waiting", ())) for step in self._steps)

    @property
    def _steps(self) -> Iterator[Step]:
        return (step for block in self._blocks for step in block.steps)

    def _write(self, line: str) -> None:
        """A line for people and for programs that read CoreDNS' logs."""
        self._lines.add(f"{line}\n")

    def _forget_all(self) -> None:
        for responder in self._responders:
            responder.forget_all()

    # What the link asks of its keeper

    def changed(self, patch: Patch) -> None:
        """As Keeper.changed."""
        was_stale = self.index.stale
        touched = self.index.apply(patch)
        if self.index.stale == was_stale:
            self._forget(touched)
        else:
            self._forget_all()
        self._changed += len(patch.puts)
        if self._changed > _SETTLE_AFTER:
            self._settle()

    def replaced(self, staged: Index, revision: int, serial: int) -> None:
        """As Keeper.replaced."""
        self.index.adopt(staged, revision, serial)
        self._forget_all()
        self._settle()
        if not self._loaded.is_set() and self._control is not None:
            self._control.say(WARM)
        self._loaded.set()
        _log.info("index_loaded", revision=revision, entries=len(self.index.entries))

    def report(self) -> bytes:
        """As Keeper.report."""
        return encode_report(counts(self._responders, self._doors, self._streams, self._served_blocks(), self._lines))

    def _served_blocks(self) -> Iterator[tuple[str, Working]]:
        """Each block with the first listener that leads to it."""
        for number, block in enumerate(self._blocks):
            for listener in self._settings.servers.listeners:
                if any(route.block == number for route in listener.routes):
                    yield listener.label, block
                    break

    def _forget(self, owners: set[Owner]) -> None:
        for responder in self._responders:
            responder.forget(owners)

    def _settle(self) -> None:
        self._changed = 0
        self._collector.settle()

    def _obey(self, order: Order) -> None:
        if order.kind == SERVE:
            self._ordered.set()

    def _connect(self, _slot: int, _restarts: int, sock: socket.socket, _generation: int) -> None:
        if self._link is not None:
            self._link.close()
        self._link = WorkerLink(sock, self._loop, self, self._disconnected)

    def _disconnected(self, reason: str) -> None:
        self._link = None
        _log.info("controller_lost", reason=reason, goes_on_with_revision=self.index.revision)
        if self._control is not None:
            self._control.renew()

    def _cookie(self, client: bytes, address: str) -> bytes:
        return cookie_option(client, address, self._secret, int(time.time()))

    def _responder(self, sock: socket.socket, transport: str, shared: Mapping[Group, Shared]) -> Responder:
        """Who answers what comes in at a socket. Sockets whose questions go the same routes share what is remembered."""
        bound, listener = address_of(sock), self._listener(sock)
        common = shared[group_of(listener, self._blocks, transport)]
        responder = Responder(
            Door(
                server=listener.label,
                transport=transport,
                family="1" if sock.family == socket.AF_INET else "2",
                place=len(self._responders),
            ),
            routes(listener, self._blocks, transport),
            Rules(
                limit=udp_limit if transport == "udp" else lambda _query, _datagram: TCP_LIMIT,
                cookie=self._cookie,
                clock=self._loop.time,
                idle_s=None if transport == "udp" else self._limits(listener).idle_s,
            ),
            common.memo if transport == "udp" else Memo(_LARGE_BYTES),
            _log,
            common,
            self._querylog(listener, transport, bound.host),
        )
        self._responders.append(responder)
        return responder

    def _querylog(self, listener: Listener, transport: str, host: str) -> "QueryLog | None":
        if not any(self._blocks[route.block].logs for route in listener.routes):
            return None
        from kdns.serve.querylog import QueryLog  # noqa: PLC0415 - most servers log no questions

        return QueryLog(self._lines, transport, host)

    def _limits(self, listener: Listener) -> StreamLimits:
        """As the first of a listener's blocks says."""
        said = self._first(listener, Timeouts)
        if said is None:
            return _STREAM_LIMITS
        return replace(
            _STREAM_LIMITS,
            idle_s=said.idle_s or _STREAM_LIMITS.idle_s,
            message_s=said.read_s or _STREAM_LIMITS.message_s,
            write_s=said.write_s or _STREAM_LIMITS.write_s,
            messages=said.questions_max if said.questions_max and said.questions_max > 0 else None,
        )

    def _tls(self, listener: Listener) -> ssl.SSLContext | None:
        if listener.scheme != "tls":
            return None
        settings = self._first(listener, Tls)
        assert settings is not None, "config.servers has looked"
        return Certificate(settings, self._loop, _log).context

    def _first(self, listener: Listener, kind: type[S]) -> S | None:
        """What the first of a listener's blocks that has a directive says."""
        blocks = sorted({route.block for route in listener.routes})
        found = (self._settings.servers.blocks[number].first(kind) for number in blocks)
        return next((each for each in found if each is not None), None)

    def _listener(self, sock: socket.socket) -> Listener:
        """The listener that a socket is of: that of its address, or of all addresses."""
        bound = address_of(sock)
        places = {listener.address: listener for listener in self._settings.servers.listeners}
        return places.get(bound) or places[bound._replace(host=ALL_ADDRESSES)]
