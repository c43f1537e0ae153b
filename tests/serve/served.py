"""Responders in tests, made of a Corefile's text as a worker makes them."""

import asyncio
import random
from typing import Final

import dns.message
import pytest
import structlog

from kdns.config import servers
from kdns.config.servers import Place
from kdns.config.serving import Servers
from kdns.dns.cookies import cookie_option
from kdns.dns.reply import udp_limit
from kdns.serve.blocks import audiences, group_of, routes, work
from kdns.serve.memo import Memo
from kdns.serve.responder import Door, Responder, Rules
from kdns.serve.tally import Shared
from kdns.steps.around import Around
from kdns.steps.chain import Entrance, Peer
from kdns.zone.entry import Owner
from kdns.zone.index import Index
from tests.config.reading import read
from tests.serve.routed import tcp_limit
from tests.steps.cached import running_or_stopped

CLIENT: Final = Peer("127.0.0.1", 4053)


class Silent:
    """A log to which nothing is told."""

    def error(self, event: str, **_keys: object) -> None:
        pytest.fail(event)


def servers_of(text: str) -> Servers:
    """What a Corefile without mistakes says."""
    corefile = read(text)
    found = servers.read(corefile.blocks, Place(53, lambda _interface: ()))
    assert (*corefile.problems, *found.problems) == ()
    return found.servers


class Served:
    """The doors of one listener, for datagrams and for streams."""

    def __init__(
        self, text: str, index: Index, *, loop: asyncio.AbstractEventLoop | None = None, memo_bytes: int = 1 << 20
    ) -> None:
        stated = servers_of(text)
        (listener,) = stated.listeners
        around = Around(
            loop=loop or running_or_stopped(),
            random=random.Random(7),
            entrance=Entrance(),
            index=index,
            zones=(),
            addresses=(bytes((10, 0, 0, 1)),),
            datagrams=None,
            log=structlog.get_logger(),
            forget=self.forget,
        )
        self.blocks = [work(block, around, lambda _line: None, b"secret") for block in stated.blocks]
        groups = [group_of(listener, self.blocks, transport) for transport in ("udp", "tcp")]
        shared = {group: Shared(Memo(memo_bytes), 2, audiences(listener, self.blocks)) for group in groups}
        self.udp, self.tcp = (
            Responder(
                Door(listener.label, transport, "1", place),
                routes(listener, self.blocks, transport),
                Rules(udp_limit if transport == "udp" else tcp_limit, cookie=_cookie, clock=around.loop.time),
                shared[groups[place]].memo if transport == "udp" else Memo(memo_bytes),
                Silent(),
                shared[groups[place]],
            )
            for place, transport in enumerate(("udp", "tcp"))
        )

    def forget(self, owners: set[Owner]) -> None:
        """As a worker does."""
        for responder in (self.udp, self.tcp):
            responder.forget(owners)

    def forget_all(self) -> None:
        """As a worker does."""
        for responder in (self.udp, self.tcp):
            responder.forget_all()

    def close(self) -> None:
        """Closes the steps' sockets."""
        for block in self.blocks:
            for step in block.steps:
                getattr(step, "close", lambda: None)()

    def reply(self, octets: bytes, client: Peer = CLIENT, transport: str = "udp") -> bytes | None:
        """The reply to a query; None where there is none."""
        door = self.udp if transport == "udp" else self.tcp
        return door.converse_unmarked(octets, client, _never)

    def ask(self, name: str, rtype: str = "A", client: Peer = CLIENT, transport: str = "udp") -> dns.message.Message:
        """The reply to a question, which has one."""
        reply = self.reply(question(name, rtype), client, transport)
        assert reply is not None
        return dns.message.from_wire(reply)


def question(name: str, rtype: str = "A", ident: int = 7) -> bytes:
    return dns.message.make_query(name, rtype, id=ident).to_wire()


def _cookie(client: bytes, address: str) -> bytes:
    return cookie_option(client, address, bytes(16), 1_800_000_000)


def _never(_octets: bytes) -> None:
    pytest.fail("nothing was to be sent later")
