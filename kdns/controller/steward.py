"""The controller process: the tasks that feed the controller and show its pages, and the supervisor's orders to it.

It also looks whether what the configuration was read from has changed, as the directive reload says, and tells the
supervisor, who has it read again by a process of its own.
"""

import asyncio
import gc
import os
import random
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import structlog

from kdns.config.directives.reload import Reload
from kdns.config.disk import Disk
from kdns.config.seen import look, unpack
from kdns.config.serving import Serving
from kdns.config.settings import SettingsError
from kdns.controller.controller import Controller
from kdns.controller.feed import Feed
from kdns.ops import logs
from kdns.ops.listener import serve_http
from kdns.serve.configuration import Coming, read_coming, read_news
from kdns.serve.control import (
    CHANGED,
    COMING,
    DROP,
    NEWS,
    PAGE,
    TAKE_OVER,
    Control,
    ControllerStart,
    Order,
)
from kdns.serve.local import interface_addresses
from kdns.serve.signals import LAMEDUCK
from kdns.sources.errors import SourceError

_unreadable: Final = logs.Repeated("configuration_unreadable")
_log: Final = structlog.get_logger()

T = TypeVar("T")
SettingsOf: TypeAlias = Callable[[ControllerStart | Coming], Serving]


async def control(start: ControllerStart, settings: Serving, settings_of: SettingsOf) -> int:
    """Runs the controller until SIGTERM or until the supervisor is gone; the exit status. Raises SourceError.

    settings_of makes the settings of what the supervisor hands on of a generation; it may raise SettingsError.
    """
    steward = Steward(start, settings, settings_of)
    try:
        return await steward.run()
    finally:
        await steward.close()


class Here(Disk):
    """This machine."""

    def addresses_of(self, interface: str) -> list[str]:
        """The addresses of an interface."""
        return interface_addresses(interface)


class Steward:
    """The controller's tasks."""

    def __init__(self, start: ControllerStart, settings: Serving, settings_of: SettingsOf) -> None:
        loop = asyncio.get_running_loop()
        self.controller: Final = Controller(settings, start.workers, start.generation, start.news)
        self._settings_of = settings_of
        self._over: asyncio.Future[int] = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, self._end)
        loop.add_signal_handler(LAMEDUCK, self.controller.bow_out)
        self._control = Control(
            start.control, loop, on_channel=self.controller.connect, on_order=self._obey, on_lost=self._end
        )
        self._handed: list[socket.socket] = []  # the pages' of the configuration that is to come, in its order
        self._pages: dict[str, asyncio.Task[None]] = {}
        self._probes: dict[str, asyncio.Task[None]] = {}  # of health's pages
        self._feeds: dict[Feed, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None
        for name, sock in start.ops.items():
            self._show(name, sock)
        self._run(self.controller.feed)
        self._look_out()

    async def run(self) -> int:
        """Until it is over; the exit status. Raises SourceError."""
        return await self._over

    async def close(self) -> None:
        """Ends all tasks."""
        tasks: list[asyncio.Task[Any]] = [*self._probes.values(), *self._pages.values(), *self._feeds.values()]
        tasks += [] if self._watch is None else [self._watch]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._control.close()

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(os.EX_OK)

    def _show(self, name: str, sock: socket.socket) -> None:
        self._pages[name] = asyncio.ensure_future(serve_http(sock, self.controller.routes(name)))
        self._pages[name].add_done_callback(self._ended)
        if name.startswith("health"):
            self._probes[name] = asyncio.ensure_future(self.controller.self_probe.run(*sock.getsockname()[:2]))
            self._probes[name].add_done_callback(self._ended)

    def _run(self, feed: Feed) -> None:
        self._feeds[feed] = asyncio.ensure_future(feed.run())
        self._feeds[feed].add_done_callback(partial(self._starved, feed))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Nothing here may end by itself."""
        if task.cancelled() or self._over.done():
            return
        error = task.exception()
        if error is not None:
            self._over.set_exception(error)
        else:
            self._over.set_result(os.EX_SOFTWARE)

    def _starved(self, feed: Feed, task: "asyncio.Task[None]") -> None:
        """A feed that only the operator can mend: of what is to come it ends the attempt, else the process."""
        if feed is self.controller.feed or task.cancelled():
            self._ended(task)
            return
        error = task.exception()
        if not isinstance(error, SourceError | SettingsError):
            _log.error("feed_failed_inside", reason=repr(error))
        self._control.cannot(str(error))

    # The supervisor's orders

    def _obey(self, order: Order) -> None:
        if order.kind == COMING:
            self._prepare(order)
        elif order.kind == PAGE:
            sock = socket.socket(fileno=order.descriptor)
            sock.setblocking(False)
            self._handed.append(sock)
        elif order.kind == TAKE_OVER:
            self._take_over()
        elif order.kind == DROP:
            self._drop()
        elif order.kind == NEWS:
            self.controller.news = _read(order, read_news)
            self._look_out()

    def _prepare(self, order: Order) -> None:
        try:
            coming = _read(order, read_coming)
            feed = self.controller.prepare(self._settings_of(coming), coming.generation)
        except SettingsError as error:  # another process has found it sound
            self._control.cannot(str(error))
            return
        if feed not in self._feeds:
            self._run(feed)

    def _take_over(self) -> None:
        before = self.controller.feed
        self.controller.take_over()
        if self.controller.feed is not before:
            task = self._feeds.pop(before)
            task.add_done_callback(self._succeed)
            task.cancel()
        handed, self._handed = self._handed, []
        pages = dict(zip(self.controller.crew.settings.probes.pages(), handed, strict=True))
        for name in [name for name in self._pages if name not in pages]:
            self._pages.pop(name).cancel()
            if name in self._probes:
                self._probes.pop(name).cancel()
        for name, sock in pages.items():
            if name in self._pages:
                sock.close()
            else:
                self._show(name, sock)

    def _succeed(self, _: "asyncio.Task[None]") -> None:
        """The feed before has ended: what it held, in circles, is given back, and its snapshot is the next one's."""
        self.controller.feed.take_over()
        gc.collect()

    def _drop(self) -> None:
        coming = self.controller.coming
        self.controller.drop()
        if coming is not None and coming.feed is not self.controller.feed:
            self._feeds.pop(coming.feed).cancel()
        for sock in self._handed:
            sock.close()
        self._handed.clear()

    # What the configuration was read from

    def _look_out(self) -> None:
        """Looks at it from now on as often as the configuration says; of several server blocks the last counts."""
        if self._watch is not None:
            self._watch.cancel()
        found = [each for block in self.controller.crew.settings.servers.blocks for each in block.each(Reload)]
        self._watch = asyncio.ensure_future(self._look(found[-1])) if found and self.controller.news.seen else None

    async def _look(self, often: Reload) -> None:
        seen = unpack(self.controller.news.seen)
        jitter_s = often.used_jitter_s
        while True:
            await asyncio.sleep(often.interval_s + random.uniform(-jitter_s, jitter_s))  # noqa: S311 - no secret
            found = look(seen, Here())
            away = {file.path: file.reason for file in found.unreadable}
            self.controller.unreadable += bool(away)
            for file in seen.files:
                if file.path in away:
                    _unreadable.trouble(file.path, away[file.path])
                else:
                    _unreadable.over(file.path)
            if found.changed:
                self._control.say(CHANGED)


def _read(order: Order, read: Callable[[int], T]) -> T:
    try:
        return read(order.descriptor)
    finally:
        os.close(order.descriptor)
