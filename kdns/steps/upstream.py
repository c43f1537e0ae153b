"""One upstream: the ports and lines that lead to it, whether it is well, and what is known of its ways.

Questions go out by UDP from a few connected sockets, those that come together from the same one; a socket is used for a
bounded number of questions and seconds. By TCP, TLS and HTTPS they go over a few connections. Known of it is whether it gives
names back in the case in which they were asked, and whether it understands EDNS: each learned from what it does, and
forgotten after an hour. What a reply means for the question, when time is up and who is asked next is errand's.
Standards: RFC 5452 section 9.2, RFC 6891 section 7, draft-vixie-dnsext-dns0x20-00.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from kdns.config.settings import Address
from kdns.steps.carriers import Chance, Counts, Datagrams, Flight, Way
from kdns.steps.durations import Durations
from kdns.steps.https import Resource
from kdns.steps.ports import Port
from kdns.steps.speech import Framed, Speech
from kdns.steps.stream import Lines
from kdns.steps.tls import Security, Tunnel
from kdns.steps.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKETS: Final = 16  # in use at a time; as many ports a spoofer can't tell apart
LEARNED_S: Final = 3600.0  # that what was learned of an upstream's weaknesses is held against it

_PROOFS: Final = 2  # questions answered once they came without EDNS, before it is left out from the start
_PROVEN: Final = 16  # replies in the right case, after which other cases are forgeries, even without TCP


class Upstream:
    """A server that questions can be sent to."""

    __slots__ = (
        "_open",
        "_packing",
        "_plain_proofs",
        "_slots",
        "_speak",
        "_until",
        "address",
        "chance",
        "counts",
        "datagrams",
        "durations",
        "edns",
        "folds",
        "lines",
        "loop",
        "mixes",
        "proto",
        "security",
        "server_name",
        "turns",
        "way",
    )

    def __init__(
        self,
        address: Address,
        *,
        loop: asyncio.AbstractEventLoop,
        chance: Chance,
        datagrams: Datagrams | None = None,
        turns: Turns | None = None,
        way: Way = Way(),  # noqa: B008 - a value
        security: Security | None = None,
        server_name: str = "",
        resource: Resource | None = None,
    ) -> None:
        """Without datagrams each is sent and read by a system call of its own.

        With security it is asked by TLS alone, and with a resource by HTTP/2 inside of it.
        """
        self.address = address
        self.loop = loop
        self.chance = chance
        self.datagrams = datagrams
        self.turns = turns or Turns(loop)
        self.way = way
        self.security = security
        self.server_name = server_name or address.host
        self._speak = _framed if resource is None else _over_http(resource)
        self.proto = "tcp" if security is None else "tcp-tls" if resource is None else "https"  # of its streams
        self.counts = Counts()
        self.durations = Durations()
        self.lines = Lines(self)
        self.mixes = security is None  # whether names go out in random case
        self.folds = False  # whether it gives names back in a case of its own
        self.edns = True  # whether it understands an OPT record
        self._plain_proofs = 0
        self._until = 0.0  # when what was learned is to be learned again
        self._slots: list[Port | None] = [None] * SOCKETS
        self._open: set[Port] = set()  # those in slots, and those that still wait for answers
        self._packing: Port | None = None  # the one that takes the questions of this turn of the loop

    @property
    def source(self) -> str:
        """As ports.Keeper.source."""
        return self.way.source

    def ask(self, flight: Flight) -> None:
        """Sends the flight's query by UDP, with an id of its own. Raises OSError, and tells the flight nothing then."""
        port = self._packing
        if port is None or not port.left:
            port = self._packing = self._port()
        port.ask(flight)
        self.counts.asked += 1

    def ask_by_stream(self, flight: Flight, *, fresh: bool = False) -> None:
        """Sends it by TCP, TLS or HTTPS, on a new connection if it has to be fresh. Raises OSError, as ask."""
        self.lines.ask(flight, fresh=fresh)

    def alone(self) -> Port:
        """A port of its own for one question: for a probe. Raises OSError."""
        port = Port(self)
        self._open.add(port)
        return port

    def tunnel(self) -> Tunnel | None:
        """As line.Keeper.tunnel."""
        return None if self.security is None else self.security.tunnel(self.server_name)

    def speech(self) -> Speech:
        """As line.Keeper.speech."""
        return self._speak()

    def learn_case(self, *, kept: bool) -> None:
        """As line.Keeper.learn_case."""
        if not kept:
            self._learn(folds=True)

    def learn_case_without_proof(self) -> bool:
        """For an answer in another case, where TCP can't tell a forgery: whether names go out in no random case now.

        They don't unless the upstream has kept the case of many.
        """
        proven = sum(cells.count for cells in self.durations.by_rcode().values()) >= _PROVEN
        if self.mixes and not proven:
            self._learn(folds=True)
            return True
        return False

    def learn_plain(self) -> None:
        """A question that was answered FORMERR is answered now that it came without EDNS."""
        self._plain_proofs += 1
        if self._plain_proofs >= _PROOFS:
            self._plain_proofs = 0
            self._learn(edns=False)

    def retire(self) -> None:
        """Closes everything as soon as nobody waits there any more."""
        self._slots = [None] * SOCKETS
        for port in list(self._open):
            port.retire()
        self.lines.retire()

    def close(self) -> None:
        """Closes all sockets; who waits on them is told nothing."""
        for port in list(self._open):
            port.close()
        self.lines.close()

    def packed(self, port: Port) -> None:
        """As ports.Keeper.packed."""
        if self._packing is port:
            self._packing = None

    def closed(self, port: Port) -> None:
        """As ports.Keeper.closed."""
        self._open.discard(port)
        self.packed(port)

    def _learn(self, *, folds: bool = False, edns: bool = True) -> None:
        if folds:
            self.folds, self.mixes = True, False
        if not edns:
            self.edns = False
        self._until = self.loop.time() + LEARNED_S

    def _port(self) -> Port:
        slot = self.chance.draw() % SOCKETS
        port = self._slots[slot]
        if port is not None:
            if port.left and port.until > self.loop.time():
                return port
            self._slots[slot] = None
            port.retire()
            self._look_around()
        port = self._slots[slot] = Port(self)
        self._open.add(port)
        self.counts.ports += 1
        return port

    def _look_around(self) -> None:
        """What is to be done now and then."""
        self.durations.settle()
        if (self.folds or not self.edns) and self.loop.time() > self._until:
            self.folds, self.edns, self.mixes = False, True, self.security is None


def _framed() -> Speech:
    return Framed()


def _over_http(resource: Resource) -> "Callable[[], Speech]":
    """Makes speeches that ask this resource."""
    from kdns.steps.http2 import Http2  # noqa: PLC0415 - 20 ms and 1.6 MiB that only who needs them pays

    return lambda: Http2(resource)
