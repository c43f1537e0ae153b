"""A worker: answers queries from its index, and keeps the index as the controller wants it.

Joins sockets, responders, the chain of steps and the link to the controller in one event
loop. Knows nothing of the API server, of YAML or of HTTP, and imports none of them. Without
a controller it goes on answering from what it has.
"""

import asyncio
import gc
import secrets
import signal
import socket
import time
from random import SystemRandom
from typing import Final

import structlog

from kdns.config.settings import Settings
from kdns.dns.cookies import SECRET_BYTES, cookie_option
from kdns.dns.reply import TCP_LIMIT, udp_limit
from kdns.ops import logs
from kdns.ops.metrics import encode_report
from kdns.serve import mmsg, udp
from kdns.serve.control import Control, WorkerStart
from kdns.serve.counts import counts
from kdns.serve.link import WorkerLink
from kdns.serve.local import own_addresses
from kdns.serve.memo import Memo
from kdns.serve.responder import Door, Responder, Rules, Shared
from kdns.serve.sockets import address_of
from kdns.serve.stream import StreamLimits, StreamServer, serve_stream
from kdns.serve.udp import open_door
from kdns.steps.cache import Cache
from kdns.steps.chain import Entrance, Rest, Step, compose, in_order
from kdns.steps.forward import Forward
from kdns.steps.kubernetes import Kubernetes
from kdns.steps.special import Special
from kdns.zone.index import Index
from kdns.zone.patch import Patch
from kdns.zone.schema import Zone

# Octets of remembered replies: a generation of those that fit a datagram, shared by all doors, holds some 12,000
# questions; each door for streams keeps of larger ones, which are few, so much more.
_MEMO_BYTES: Final = 12 << 20
_LARGE_BYTES: Final = 1 << 20
_STREAM_LIMITS: Final = StreamLimits()
# Entries changed between two collections that take everything found so far out of later ones.
_FREEZE_AFTER: Final = 20_000
# How long queries wait for the first image, less than the 5 s that clients wait for their first try; then own names are
# said not to be ready.
_PATIENCE_S: Final = 3.0
# How long a worker that was told to stop waits for upstreams and TCP clients.
_FINISH_S: Final = 4.0

_log: Final = structlog.get_logger()


def run_worker(start: WorkerStart, settings: Settings) -> int:
    """Serves the slot's sockets until told to stop; the exit status."""
    logs.configure(settings.log_level, f"worker-{start.slot}")
    return asyncio.run(_run(start, settings))


async def _run(start: WorkerStart, settings: Settings) -> int:
    worker = Worker(settings, asyncio.get_running_loop())
    await worker.open(start)
    await worker.stopped.wait()
    await worker.close()
    return 0


class Worker:
    """One worker's parts; its link's keeper."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.index = Index()
        self.stopped = asyncio.Event()
        self._loaded = asyncio.Event()
        self._settings = settings
        self._loop = loop
        datagrams = mmsg.Connected() if mmsg.available else None
        self._forward = Forward(settings.forward, loop=loop, random=SystemRandom(), datagrams=datagrams)
        self._cache = None if settings.cache is None else Cache(settings.cache, loop)
        self._chain = _chain(settings, self.index, self._cache, self._forward)
        self._responders: list[Responder] = []
        self._doors: list[udp.Door] = []
        self._streams: list[StreamServer] = []
        self._link: WorkerLink | None = None
        self._control: Control | None = None
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self._changed = 0  # entries put since the last freeze

    async def open(self, start: WorkerStart) -> None:
        """Starts serving, once the zone has come from a controller or has let us wait too long."""
        self._loop.add_signal_handler(signal.SIGTERM, self.stopped.set)
        self._control = Control(start.control, self._loop, on_channel=self._connect, on_lost=self.stopped.set)
        await self._first_image()
        memo = Memo(_MEMO_BYTES)
        shared = Shared(memo, len(start.udp) + len(start.tcp))
        for sock in start.udp:
            self._doors.append(open_door(sock, self._responder(sock, "udp", memo, shared), memo, self._loop))
        for sock in start.tcp:
            responder = self._responder(sock, "tcp", Memo(_LARGE_BYTES), shared)
            self._streams.append(await serve_stream(sock, responder.converse, _STREAM_LIMITS))

    async def _first_image(self) -> None:
        """Until there is a zone to answer from: what is asked meanwhile waits in the sockets' queues."""
        stopped = self._loop.create_task(self.stopped.wait())
        loaded = self._loop.create_task(self._loaded.wait())
        await asyncio.wait((stopped, loaded), timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        loaded.cancel()

    async def close(self) -> None:
        """Answers what has arrived, waits a while for what upstreams owe, and closes."""
        for door in self._doors:
            door.close()
        for stream in self._streams:
            stream.close()
        deadline = self._loop.time() + _FINISH_S
        while self._busy and self._loop.time() < deadline:  # noqa: ASYNC110 - once; what it waits for owes it no event
            await asyncio.sleep(0.02)
        self._forward.close()

    @property
    def _busy(self) -> bool:
        return bool(self._forward.waiting) or any(stream.busy for stream in self._streams)

    # What the link asks of its keeper

    def changed(self, patch: Patch) -> None:
        """As Keeper.changed."""
        touched = self.index.apply(patch)
        for responder in self._responders:
            responder.forget(touched)
        self._changed += len(patch.puts)
        if self._changed > _FREEZE_AFTER:
            self._freeze()

    def replaced(self, staged: Index, revision: int, serial: int) -> None:
        """As Keeper.replaced."""
        self.index.adopt(staged, revision, serial)
        for responder in self._responders:
            responder.forget_all()
        self._freeze()
        self._loaded.set()
        _log.info("index_loaded", revision=revision, entries=len(self.index.entries))

    def report(self) -> bytes:
        """As Keeper.report."""
        return encode_report(counts(self._responders, self._doors, self._streams, self._forward, self._cache))

    def _freeze(self) -> None:
        """Takes what lives long out of the garbage collector's walks: no pause grows with the cluster."""
        self._changed = 0
        gc.collect()
        gc.freeze()

    def _connect(self, _slot: int, _restarts: int, sock: socket.socket) -> None:
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

    def _responder(self, sock: socket.socket, transport: str, memo: Memo, shared: Shared) -> Responder:
        """Who answers what comes in at a socket."""
        bound = address_of(sock)
        every = bound._replace(host="")
        responder = Responder(
            Door(
                server=f"dns://{every if every in self._settings.listen else bound}",
                transport=transport,
                family="1" if sock.family == socket.AF_INET else "2",
                place=len(self._responders),
            ),
            self._chain,
            Rules(
                limit=udp_limit if transport == "udp" else lambda _: TCP_LIMIT,
                recursion=bool(self._settings.forward.upstreams),
                cookie=self._cookie,
                clock=self._loop.time,
                idle_s=None if transport == "udp" else _STREAM_LIMITS.idle_s,
            ),
            memo,
            _log,
            shared,
        )
        self._responders.append(responder)
        return responder


def _chain(settings: Settings, index: Index, cache: Cache | None, forward: Forward) -> Rest:
    """The steps of a server that forwards what isn't the cluster's, and keeps what comes back."""
    asked = settings.zone
    zone = Zone(
        origins=(asked.origin,),
        reverse=asked.reverse,
        fallthrough=asked.fallthrough,
        ttl=asked.ttl,
        pods=asked.pods,
        addresses=own_addresses(settings.listen),
    )
    entrance = Entrance()
    steps: dict[str, Step] = {"kubernetes": Kubernetes(index, zone, entrance), "special": Special(), "forward": forward}
    if cache is not None:
        steps["cache"] = cache
    chain = compose(in_order(steps))
    entrance.lead_to(chain)
    return chain
