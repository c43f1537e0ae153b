"""The API server's source: a task and a connection for each resource, which a reflector directs.

Does the IO that reflectors ask for and hands on at once what comes of it: all deltas of what one
read brought together. Lists are decoded in short stretches, so that nothing else in the loop waits
for them. Decides nothing of what to ask or when to ask again. Trouble is logged as it changes.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from random import SystemRandom
from typing import Any, Final, NamedTuple, Protocol

from kdns import __version__
from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import Delta, Key, Problem, Resource, Stamp
from kdns.cluster.reflector import LIST_IDLE_S, Reflector, Wait
from kdns.cluster.rereads import NEVER
from kdns.cluster.selection import ALL, Selector, written
from kdns.cluster.targets import Request
from kdns.config.settings import ClusterSource
from kdns.sources.api.account import account_of
from kdns.sources.api.pacing import Pace
from kdns.sources.credentials import Account, Credentials
from kdns.sources.errors import SourceError
from kdns.sources.status import ResourceStatus
from kdns.sources.wire import Lines, Link, OversizeError, Response, SilenceError

_PAGE_LIMIT_BYTES: Final = 64 << 20  # 500 full slices are some 30 MB; what is larger is asked for in smaller pages
_STRETCH_S: Final = 0.01  # of decoding, before others get their turn
_HEADERS: Final = {"Accept": "application/json", "User-Agent": f"kdns/{__version__}"}

_ALL: Final[Mapping[Resource, Selector]] = {}

Emit = Callable[[list[Delta]], None]


class Log(Protocol):
    """What is needed of a structlog logger."""

    def info(self, event: str, /, **keys: Any) -> Any: ...
    def warning(self, event: str, /, **keys: Any) -> Any: ...


class ApiSource:
    """Keeps the cluster's objects coming, whatever the API server does."""

    def __init__(
        self,
        settings: ClusterSource,
        *,
        resources: Sequence[Resource],
        optional: frozenset[Resource],
        decode_options: DecodeOptions,
        stamp: Callable[[Resource, Key], Stamp | None],
        emit: Emit,
        report: Callable[[Problem], None],
        log: Log,
        account: Account | None = None,
        selectors: Mapping[Resource, Selector] = _ALL,
    ) -> None:
        """Takes, among others, stamp: which state of an object was last emitted; account: in place of the settings';
        and selectors: of such a resource, objects without these labels aren't there.

        Optional resources never hold up Synced. Raises SourceError where there is no such kubeconfig, or no pod.
        """
        self._account = account or account_of(settings, os.environ)
        pace = Pace(settings.limits, _now)
        self._feeds = {
            resource: _Feed(
                Reflector(
                    resource,
                    known=lambda key, resource=resource: stamp(resource, key),  # type: ignore[misc] # bound here
                    random=SystemRandom().random,
                    report=report,
                    options=decode_options,
                    optional=resource in optional,
                    selector=written(selectors.get(resource, ALL)),
                ),
                self._account,
                pace,
                emit,
                log,
            )
            for resource in resources
        }

    async def run(self) -> None:
        """Emits deltas until cancelled. Raises SourceError only at once: where there are no credentials to begin with."""
        await self._account.credentials()
        async with asyncio.TaskGroup() as tasks:
            for feed in self._feeds.values():
                tasks.create_task(feed.run())

    def status(self) -> dict[Resource, ResourceStatus]:
        """How each resource is doing. To be called in the loop that run is in."""
        now = asyncio.get_running_loop().time()
        return {resource: feed.status(now) for resource, feed in self._feeds.items()}


class _Answer(NamedTuple):
    """What came of a request."""

    response: Response
    credentials: Credentials  # that it was made with
    octets: bytes  # the body; empty of a watch, which is read as it comes


class _Feed:
    """One resource: the reflector's hands."""

    __slots__ = (
        "_account",
        "_ahead",
        "_emit",
        "_link",
        "_log",
        "_pace",
        "_reflector",
        "_rereading",
        "_since",
        "_told_synced",
        "_told_trouble",
    )

    def __init__(self, reflector: Reflector, account: Account, pace: Pace, emit: Emit, log: Log) -> None:
        self._reflector = reflector
        self._account = account
        self._pace = pace
        self._emit = emit
        self._log = log
        self._link = Link()
        self._rereading: asyncio.Task[None] | None = None
        self._ahead: tuple[Request, asyncio.Task[_Answer | SourceError]] | None = None  # a page that is on its way
        self._since = 0.0  # when the present stretch began
        self._told_trouble: str | None = None
        self._told_synced = False

    def status(self, now: float) -> ResourceStatus:
        reflector = self._reflector
        age_s = None if reflector.freshness is None else now - reflector.freshness
        return ResourceStatus(reflector.synced, age_s, reflector.trouble, reflector.counters)

    async def run(self) -> None:
        """Does what the reflector says, one thing after the other."""
        with closing(self._link):
            async with asyncio.TaskGroup() as beside:
                await self._follow(beside)

    async def _follow(self, beside: asyncio.TaskGroup) -> None:
        while True:
            what = self._reflector.next(_now())
            if isinstance(what, Wait):
                await asyncio.sleep(what.until - _now())
            else:
                await self._ask(what, beside)
                self._tell()

    async def _ask(self, request: Request, beside: asyncio.TaskGroup) -> None:
        """Sends the request and tells the reflector what came of it, until there is no more of it."""
        try:
            answer = await self._answer(request)
            if answer.response.status != 200:
                self._refused(answer)
            elif request.watch:
                await self._watch(answer.response, beside)
            else:
                await self._page(answer.octets, beside)
            if self._reflector.trouble is None and answer.response.ended:
                return
        except SilenceError:
            self._reflector.silent(_now())
        except OversizeError as error:
            self._reflector.oversized(str(error), _now())
        except SourceError as error:
            self._reflector.failed(str(error), _now())
        # Behind the same address there may be another server, in better health (K36).
        self._link.close()

    async def _answer(self, request: Request) -> "_Answer":
        """What comes of the request, which may be on its way already. Raises SourceError."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead[0] != request:
            return await self._get(self._link, request)
        came = await ahead[1]
        if isinstance(came, SourceError):
            raise came
        return came

    async def _get(self, link: Link, request: Request) -> "_Answer":
        """The answer, whose body has been read unless it is a watch. Raises SourceError."""
        credentials = await self._account.credentials()
        headers = {**_HEADERS, **credentials.headers()}
        limit_bytes = None if request.watch else _PAGE_LIMIT_BYTES
        target = credentials.base + request.target
        async with self._pace.turn():
            response = await link.get(credentials.peer(), target, headers, idle_s=LIST_IDLE_S, limit_bytes=limit_bytes)
            opened = request.watch and response.status == 200
            return _Answer(response, credentials, b"" if opened else await response.read(LIST_IDLE_S))

    async def _get_ahead(self, request: Request) -> "_Answer | SourceError":
        try:
            return await self._get(self._link, request)
        except SourceError as error:
            return error

    def _refused(self, answer: "_Answer") -> None:
        response = answer.response
        if response.status == 401:
            self._account.refused(answer.credentials)
        self._give(self._reflector.refused(response.status, answer.octets, response.retry_after_s, _now()))

    async def _page(self, octets: bytes, beside: asyncio.TaskGroup) -> None:
        for deltas in self._reflector.page(octets, _now()):
            if self._ahead is None and (request := self._reflector.ahead) is not None:
                # The server makes the next page while this one is decoded.
                self._ahead = request, beside.create_task(self._get_ahead(request))
                await asyncio.sleep(0)
            self._give(deltas)
            await self._breathe()

    async def _watch(self, response: Response, beside: asyncio.TaskGroup) -> None:
        reflector = self._reflector
        reflector.opened(_now())
        lines = Lines()
        while reflector.streaming:
            self._tell()
            self._reread(beside)
            chunk = await response.chunk(reflector.idle_s)
            now = _now()
            if not chunk:
                reflector.closed(now)
                return
            self._give([delta for line in lines.feed(chunk) for delta in reflector.line(line, now)])
            await self._breathe()

    def _give(self, deltas: Sequence[Delta]) -> None:
        if deltas:
            self._emit(list(deltas))

    async def _breathe(self) -> None:
        """Lets others have their turn, if this has gone on for long."""
        now = time.monotonic()
        if now - self._since > _STRETCH_S:
            await asyncio.sleep(0)
            self._since = time.monotonic()

    # Beside the watch

    def _reread(self, beside: asyncio.TaskGroup) -> None:
        """Sees to it that objects that couldn't be decoded are read again."""
        if self._reflector.rereads.due < NEVER and (self._rereading is None or self._rereading.done()):
            self._rereading = beside.create_task(self._reread_all())

    async def _reread_all(self) -> None:
        """Reads again what is due, now and later, until there is nothing left or a list reads everything."""
        with closing(Link()) as link:
            while (due := self._reflector.rereads.due) < NEVER:
                await asyncio.sleep(due - _now())
                reread = self._reflector.reread(_now())
                if reread is None:
                    return
                octets = await self._body(link, reread.request)
                self._give(self._reflector.reread_came(reread, octets, _now()))

    async def _body(self, link: Link, request: Request) -> bytes:
        """The body of the answer; nothing where there is none that helps."""
        try:
            answer = await self._get(link, request)
        except SourceError:
            return b""
        return answer.octets if answer.response.status == 200 else b""

    # For people

    def _tell(self) -> None:
        """Logs what has changed."""
        reflector = self._reflector
        if reflector.synced and not self._told_synced:
            self._told_synced = True
            self._log.info("resource_synced", resource=reflector.resource)
        if reflector.trouble != self._told_trouble:
            self._told_trouble = reflector.trouble
            if reflector.trouble is None:
                self._log.info("resource_recovered", resource=reflector.resource)
            else:
                self._log.warning("resource_in_trouble", resource=reflector.resource, reason=reflector.trouble)


def _now() -> float:
    return asyncio.get_running_loop().time()
