"""The controller's process in the test's loop: looks at what the configuration was read from, and the supervisor's orders.

Time is virtual; the files are real, and so are the sockets.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from kdns.cli.corefiles import Here
from kdns.config.defaults import PodsMode
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.reload import Reload
from kdns.config.seen import Witness, pack
from kdns.config.serving import Block, Listener, Probes, Route, Servers, Serving
from kdns.config.settings import Address, ManifestSource, SettingsError
from kdns.controller.steward import Steward
from kdns.dns.names import ROOT, from_text
from kdns.serve.configuration import Coming, News, file_of
from kdns.serve.control import CANNOT, CHANGED, COMING, DROP, NEWS, PAGE, TAKE_OVER, ControllerStart, Order, hand, words
from kdns.serve.sockets import address_of
from tests.serve.conversation import until, virtually

LISTEN = Address("127.0.0.1", 1053)
PAGE_AT = Address("127.0.0.1", 0)


def serving(folder: Path, pods: PodsMode = "insecure", pages: int = 1) -> Serving:
    kubernetes = Kubernetes(zones=(from_text("cluster.local."),), pods=pods)
    return Serving(
        servers=Servers(
            (Block((ROOT,), (kubernetes, Reload(interval_s=2.0, jitter_s=0.0))),),
            (Listener(LISTEN, "dns", (Route(ROOT, 0),)),),
        ),
        source=ManifestSource((str(folder / "cluster"),)),
        probes=Probes(health=tuple(Address("127.0.0.1", at) for at in range(pages))),
        workers=1,
        quiet=True,
    )


class Scene:
    """A steward, and the supervisor's end of its control socket."""

    def __init__(self, folder: Path) -> None:
        (folder / "cluster").mkdir()
        self.file = folder / "Corefile"
        self.file.write_text("first")
        self.others = serving(folder)  # the settings of what is to come
        self.ours, theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.page = listening()
        start = ControllerStart({"health 127.0.0.1:0": self.page}, theirs, 1, news=self.news())
        self.steward = Steward(start, serving(folder), self.settings_of)
        self.unread = bytearray()
        self.said: list[bytes] = []

    def settings_of(self, coming: ControllerStart | Coming) -> Serving:
        if coming.seen == "broken":
            raise SettingsError("no such thing")
        return self.others

    def news(self, failed: int = 0) -> News:
        witness = Witness(Here(""))
        with suppress(OSError):
            witness.read(str(self.file))
        return News(failed=failed, digest="d", seen=pack(witness.seen))

    def order(self, kind: bytes, value: News | Coming | socket.socket | None = None) -> None:
        if isinstance(value, socket.socket):
            assert hand(self.ours, Order(kind, generation=2, descriptor=value.fileno()))
        elif value is None:
            assert hand(self.ours, Order(kind, generation=2))
        else:
            descriptor = file_of(value)
            assert hand(self.ours, Order(kind, generation=2, descriptor=descriptor))
            os.close(descriptor)

    def heard(self) -> list[bytes]:
        """Words other than beats."""
        with suppress(BlockingIOError):
            self.unread += self.ours.recv(1 << 16)
        self.said += [word for word in words(self.unread) if word != b"."]
        return self.said


def listening() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


async def answers(sock: Address) -> bool:
    """Whether a page is there."""
    try:
        reader, writer = await asyncio.open_connection(*sock)
    except OSError:
        return False
    writer.write(b"GET /health HTTP/1.0\r\n\r\n")
    said = await reader.read()
    writer.close()
    return said.startswith(b"HTTP/1.1 200")


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    made = Scene(folder)
    try:
        yield made
    finally:
        await made.steward.close()
        made.ours.close()
        made.page.close()


@virtually
async def test_a_change_is_told_at_each_look_until_it_has_been_read(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        await asyncio.sleep(5)
        assert made.heard() == []
        made.file.write_text("second")
        await until(lambda: CHANGED in made.heard())
        made.order(NEWS, made.news())
        await until(lambda: made.steward.controller.news == made.news())
        made.said.clear()
        await asyncio.sleep(10)
        assert made.heard() == []


@virtually
async def test_a_file_that_is_gone_is_counted_and_no_change(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.file.unlink()
        await until(lambda: made.steward.controller.unreadable >= 2)
        made.file.write_text("first")
        await asyncio.sleep(5)
        assert made.heard() == []


@virtually
async def test_what_is_read_of_the_cluster_is_read_once_where_it_stays_the_same(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        before = made.steward.controller.feed
        cases: tuple[tuple[PodsMode, bool], ...] = (("disabled", True), ("verified", False))
        for pods, same in cases:
            made.others = serving(tmp_path, pods)
            made.order(COMING, Coming(2, "s", (LISTEN,)))
            await until(lambda: made.steward.controller.coming is not None)
            assert made.steward.controller.coming is not None
            assert (made.steward.controller.coming.feed is before) == same
            made.order(DROP)
            await until(lambda: made.steward.controller.coming is None)
        assert made.steward.controller.feed is before


@virtually
async def test_pages_go_on_come_and_go_with_the_configuration(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        assert await answers(address_of(made.page))
        made.others = serving(tmp_path, "verified", pages=2)
        first, second = made.page.dup(), listening()
        with first, second:
            made.order(COMING, Coming(2, "s", (LISTEN,)))
            made.order(PAGE, first)
            made.order(PAGE, second)
            made.order(TAKE_OVER)
            await until(lambda: made.steward.controller.crew.number == 2)
            assert await answers(address_of(made.page))
            assert await answers(address_of(second))
            made.others = replace(made.others, probes=Probes(health=(Address("127.0.0.1", 1),)))
            made.order(COMING, Coming(3, "s", (LISTEN,)))
            made.order(PAGE, second)
            made.order(TAKE_OVER)
            await until(lambda: made.steward.controller.crew.number == 3)
            assert await answers(address_of(second))


@virtually
async def test_settings_that_cannot_be_made_are_told_of(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.order(COMING, Coming(2, "broken", (LISTEN,)))
        await until(lambda: CANNOT + b"no such thing" in made.heard())
        assert made.steward.controller.coming is None


@virtually
async def test_a_cluster_that_only_the_operator_can_mend_ends_the_attempt_and_nothing_else(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        made.others = replace(made.others, source=ManifestSource((str(tmp_path / "nowhere"),)))
        made.order(COMING, Coming(2, "s", (LISTEN,)))
        await until(lambda: any(word.startswith(CANNOT) for word in made.heard()))
        assert b"nowhere" in made.said[-1]
        made.order(DROP)
        await until(lambda: made.steward.controller.coming is None)
        assert await answers(address_of(made.page))
