"""Hands: what a reflector does things with, a task and a connection for one resource.

Does the IO that the reflector asks for and hands on at once what comes of it: all deltas of what one
read brought together. Lists are decoded in short stretches, so that nothing else in the loop waits
for them. Rereads and audits go beside the watch. Decides nothing of what to ask or when to ask again.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Final, NamedTuple, TypeAlias

from kdns import __version__
from kdns.cluster.audit import SECOND_LOOK_S, Audit
from kdns.cluster.decode import DecodeError
from kdns.cluster.objects import Delta, Key
from kdns.cluster.patience import LIST_IDLE_S
from kdns.cluster.reflector import Reflector, Wait
from kdns.cluster.rereads import NEVER
from kdns.cluster.targets import Request
from kdns.sources.api.pacing import Pace
from kdns.sources.api.requests import Requests
from kdns.sources.api.telling import Log, Teller
from kdns.sources.credentials import Account, Credentials
from kdns.sources.errors import SourceError
from kdns.sources.status import ResourceStatus
from kdns.sources.wire import Lines, Link, OversizeError, Response, SilenceError

_PAGE_LIMIT_BYTES: Final = 64 << 20  # 500 full slices are some 30 MB; what is larger is asked for in smaller pages
_STRETCH_S: Final = 0.01  # of decoding, before others get their turn
_AGENT: Final = {"User-Agent": f"kdns/{__version__}"}
_WHOLE: Final = {"Accept": "application/json", **_AGENT}
# A server that can't leave all but the metadata out sends whole objects.
_HEADS: Final = {
    "Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
    **_AGENT,
}

Emit: TypeAlias = Callable[[list[Delta], float], None]  # and when they were received, by the loop's clock


class Shared(NamedTuple):
    """What the hands of a source have in common."""

    account: Account
    pace: Pace
    random: Callable[[], float]  # from 0 to 1
    emit: Emit
    log: Log
    audit_s: float  # between two audits, on average; 0 for none
    turn: asyncio.Lock  # held by the one that lists for an audit
    requests: Requests
    begin_anew: Callable[[], None]  # for all of them: what is known is of another cluster


class _Answer(NamedTuple):
    """What came of a request."""

    response: Response
    credentials: Credentials  # that it was made with
    octets: bytes  # the body; empty of a watch, which is read as it comes


class Hands:
    """One resource."""

    __slots__ = (
        "_ahead",
        "_asking",
        "_keys",
        "_link",
        "_moves",
        "_reflector",
        "_rereading",
        "_shared",
        "_since",
        "_teller",
    )

    def __init__(self, reflector: Reflector, keys: Callable[[], Iterable[Key]], shared: Shared) -> None:
        """Takes keys: of all objects that are known."""
        self._reflector = reflector
        self._keys = keys
        self._shared = shared
        self._teller = Teller(reflector, shared.log)
        self._link = Link()
        self._rereading: asyncio.Task[None] | None = None
        self._ahead: tuple[Request, asyncio.Task[_Answer | SourceError]] | None = None  # a page that is on its way
        self._asking: asyncio.Task[None] | None = None  # what is under way for the reflector
        self._since = 0.0  # when the present stretch began
        self._moves = 0  # of the reflector, that have been told

    def status(self, now: float) -> ResourceStatus:
        """How it is doing."""
        reflector = self._reflector
        return ResourceStatus(
            reflector.synced,
            _age_s(reflector.freshness, now),
            reflector.trouble,
            reflector.counters,
            _age_s(reflector.audited_at, now),
        )

    async def run(self) -> None:
        """Does what the reflector says, one thing after the other."""
        with closing(self._link):
            async with asyncio.TaskGroup() as beside:
                beside.create_task(self._audit_for_ever(beside))
                await self._follow(beside)

    def begin_anew(self) -> None:
        """Trusts nothing of what is known."""
        self._reflector.start_over(_now())
        self._give_up()

    async def _follow(self, beside: asyncio.TaskGroup) -> None:
        while True:
            what = self._reflector.next(_now())
            if isinstance(what, Wait):
                await asyncio.sleep(what.until - _now())
            else:
                self._asking = beside.create_task(self._ask(what, beside))
                await asyncio.wait([self._asking])
                self._tell()

    def _give_up(self) -> None:
        """Ends what is under way, so that none of it reaches the reflector, which wants something else now."""
        if self._asking is not None:
            self._asking.cancel()
        if self._ahead is not None:
            self._ahead[1].cancel()
            self._ahead = None
        self._link.close()

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

    async def _answer(self, request: Request) -> _Answer:
        """What comes of the request, which may be on its way already. Raises SourceError."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return await self._get(self._link, request)
        if ahead[0] != request:  # the page isn't wanted any more, and nobody else may use its connection
            ahead[1].cancel()
            self._link.close()
            return await self._get(self._link, request)
        came = await ahead[1]
        if isinstance(came, SourceError):
            raise came
        return came

    async def _get(self, link: Link, request: Request) -> _Answer:
        """The answer, whose body has been read unless it is a watch. Raises SourceError."""
        credentials = await self._shared.account.credentials()
        headers = {**(_HEADS if request.heads else _WHOLE), **credentials.headers()}
        limit_bytes = None if request.watch else _PAGE_LIMIT_BYTES
        target = credentials.base + request.target
        peer, requests, since = credentials.peer(), self._shared.requests, _now()
        async with self._shared.pace.turn():
            sent = _now()
            requests.waited(peer.place, sent - since)
            try:
                response = await link.get(peer, target, headers, idle_s=LIST_IDLE_S, limit_bytes=limit_bytes)
            except SourceError:
                requests.answered(peer.place, None, _now() - sent)
                raise
            requests.answered(peer.place, response.status, _now() - sent)
            opened = request.watch and response.status == 200
            return _Answer(response, credentials, b"" if opened else await response.read(LIST_IDLE_S))

    async def _get_ahead(self, request: Request) -> _Answer | SourceError:
        try:
            return await self._get(self._link, request)
        except SourceError as error:
            return error

    def _refused(self, answer: _Answer) -> None:
        response = answer.response
        if response.status == 401:
            self._shared.account.refused(answer.credentials)
        now = _now()
        self._give(self._reflector.refused(response.status, answer.octets, response.retry_after_s, now), now)

    async def _page(self, octets: bytes, beside: asyncio.TaskGroup) -> None:
        since = _now()
        for deltas in self._reflector.page(octets, since):
            if self._ahead is None and (request := self._reflector.ahead) is not None:
                # The server makes the next page while this one is decoded.
                self._ahead = request, beside.create_task(self._get_ahead(request))
                await asyncio.sleep(0)
            self._give(deltas, since)
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
            self._give([delta for line in lines.feed(chunk) for delta in reflector.line(line, now)], now)
            await self._breathe()

    def _give(self, deltas: Sequence[Delta], since: float) -> None:
        if deltas:
            self._shared.emit(list(deltas), since)

    async def _breathe(self) -> None:
        """Lets others have their turn, if this has gone on for long."""
        now = time.monotonic()
        if now - self._since > _STRETCH_S:
            await asyncio.sleep(0)
            self._since = time.monotonic()

    # Beside the watch

    def _reread(self, beside: asyncio.TaskGroup) -> None:
        """Sees to it that objects that couldn't be decoded, or are in doubt, are read again."""
        if self._reflector.rereads.due < NEVER and (self._rereading is None or self._rereading.done()):
            self._rereading = beside.create_task(self._reread_all())

    async def _reread_all(self) -> None:
        """Reads again what is due, now and later, until there is nothing left or a list reads everything."""
        with closing(Link()) as link:
            while (due := self._reflector.rereads.due) < NEVER:
                await asyncio.sleep(due - _now())
                reread = self._reflector.reread(_now())
                if reread is None:
                    break
                try:
                    octets = await self._body(link, reread.request)
                except SourceError:
                    octets = b""
                now = _now()
                self._give(self._reflector.reread_came(reread, octets, now), now)
        self._tell()

    async def _body(self, link: Link, request: Request) -> bytes:
        """The body of the answer. Raises SourceError, also for any other status than 200."""
        answer = await self._get(link, request)
        if answer.response.status == 401:
            self._shared.account.refused(answer.credentials)
        if answer.response.status != 200:
            raise SourceError(f"{answer.response.status} for {request.target}")
        return answer.octets

    async def _audit_for_ever(self, beside: asyncio.TaskGroup) -> None:
        while self._shared.audit_s:
            # Half to one and a half, so that neither resources nor replicas come together.
            await asyncio.sleep(self._shared.audit_s * (0.5 + self._shared.random()))
            await self._audit(beside)

    async def _audit(self, beside: asyncio.TaskGroup) -> None:
        """Compares what is known with what the API server has, and sees to it that what differs is read again."""
        reflector = self._reflector
        async with self._shared.turn:
            audit = reflector.audit(self._keys(), _now())
            if audit is None:
                return
            try:
                await self._list(audit)
            except (SourceError, DecodeError) as error:
                reflector.counters.audits_failed += 1
                self._teller.audit(str(error))
                return
        self._teller.audit(None)
        if audit.suspects:
            await asyncio.sleep(SECOND_LOOK_S)
        was_open = reflector.streaming
        reflector.audited(audit, _now())
        if was_open and not reflector.streaming:
            self._give_up()
        self._reread(beside)

    async def _list(self, audit: Audit) -> None:
        """Gives the audit all pages that it asks for. Raises SourceError and DecodeError."""
        with closing(Link()) as link:
            while audit.request is not None:
                octets = await self._body(link, audit.request)
                for _ in audit.page(octets):
                    await self._breathe()

    # For people

    def _tell(self) -> None:
        """Logs what has changed, and has all begin anew where it was found to be of another cluster."""
        self._teller.tell()
        if self._reflector.moves != self._moves:
            self._moves = self._reflector.moves
            self._shared.begin_anew()


def _age_s(at: float | None, now: float) -> float | None:
    return None if at is None else now - at


def _now() -> float:
    return asyncio.get_running_loop().time()
