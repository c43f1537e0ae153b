"""A child process' line to the supervisor: what it is given at its start, and the control socket between them.

The child sends words: BEAT as its event loop makes progress, RENEW where its channel has ended, and what only some say,
below. It gets orders, of which each carries a descriptor at the most: the controller a channel for each living worker, a
worker one to the living controller, and both what a change of configuration wants of them. EOF on the control socket
means that the supervisor is gone.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from kdns.config.settings import Address
from kdns.serve.configuration import FIRST, NO_NEWS, News

BEAT: Final = b"."
RENEW: Final = b"r"
PREPARED: Final = b"p"  # a worker: all is made that answers, and may be asked to
WARM: Final = b"w"  # a worker: the cluster has come
CHANGED: Final = b"l"  # the controller: what the configuration was read from isn't what it was
CANNOT: Final = b"!"  # the controller: the generation that is to come can't be served; why follows, up to a zero octet
_END: Final = b"\0"
_REASON_BYTES: Final = 2048

# What the supervisor orders. With a descriptor:
CHANNEL: Final = b"c"  # the end of a channel to the worker of that slot and generation, which had so many before it
COMING: Final = b"g"  # a file with configuration.Coming: make that generation's part ready, beside what is served
PAGE: Final = b"o"  # the listening socket of the page of that number, in the order of the settings, of the generation
NEWS: Final = b"n"  # a file with configuration.News
# Without:
TAKE_OVER: Final = b"t"  # the generation that was to come is the one that is served
DROP: Final = b"x"  # it won't come
SERVE: Final = b"s"  # to a worker: answer from now on

_ORDER: Final = struct.Struct("!cHII")
_BEAT_S: Final = 0.5


class WorkerStart(NamedTuple):
    """What a worker process is given."""

    slot: int
    udp: tuple[socket.socket, ...]
    tcp: tuple[socket.socket, ...]
    control: socket.socket
    generation: int = FIRST
    seen: str = ""  # what the generation's configuration was read from, but the first's
    listen: tuple[Address, ...] = ()  # with the ports that 0 became, in the settings' order
    at_once: bool = True  # answers as soon as it can, and not only when it is ordered to


class ControllerStart(NamedTuple):
    """What the controller process is given."""

    ops: Mapping[str, socket.socket]
    control: socket.socket
    workers: int
    restarts: int = 0  # controllers before this one
    generation: int = FIRST
    seen: str = ""
    listen: tuple[Address, ...] = ()
    news: News = NO_NEWS


class Order(NamedTuple):
    """What the supervisor wants; the descriptor, where there is one, is the receiver's to close."""

    kind: bytes
    number: int = 0  # of a slot, or a page
    restarts: int = 0
    generation: int = FIRST
    descriptor: int = -1


class Control:
    """A child's side of its control socket, on its event loop.

    Beats from the start until closed. on_channel gets each channel, its slot first: the one
    before it for that slot is void; and how many workers the slot had before the one that it
    leads to, and that one's generation. on_order gets all other orders. on_lost is called once, when the supervisor is
    gone: the process should end.
    """

    __slots__ = ("_beat_s", "_loop", "_on_channel", "_on_lost", "_on_order", "_sock", "_timer")

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        *,
        on_channel: Callable[[int, int, socket.socket, int], None],
        on_lost: Callable[[], None],
        on_order: Callable[[Order], None] = lambda _: None,
        beat_s: float = _BEAT_S,
    ) -> None:
        self._sock = sock
        self._loop = loop
        self._on_channel = on_channel
        self._on_order = on_order
        self._on_lost = on_lost
        self._beat_s = beat_s
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._read)
        self._timer = loop.call_soon(self._beat)

    def say(self, word: bytes) -> None:
        """Sends a word of one octet."""
        self._send(word)

    def renew(self) -> None:
        """Asks for another channel, after the last one has ended though both its ends may live."""
        self._send(RENEW)

    def cannot(self, reason: str) -> None:
        """Says why the generation that is to come can't be served."""
        self._send(CANNOT + reason.encode(errors="replace").replace(_END, b" ")[:_REASON_BYTES] + _END)

    def close(self) -> None:
        """Beats no more and takes no more channels."""
        self._timer.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _beat(self) -> None:
        self._timer = self._loop.call_later(self._beat_s, self._beat)
        self._send(BEAT)

    def _send(self, octets: bytes) -> None:
        # Full: the supervisor has enough unread beats. Broken: the reader will see the end.
        with suppress(OSError):
            self._sock.send(octets)

    def _read(self) -> None:
        try:
            octets, fds, _, _ = socket.recv_fds(self._sock, _ORDER.size, 1)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            octets, fds = b"", []
        if not octets:
            self.close()
            self._on_lost()
            return
        for fd in fds:
            os.set_inheritable(fd, False)
        order = Order(*_ORDER.unpack(octets), *fds)
        if order.kind != CHANNEL:
            self._on_order(order)
            return
        channel = socket.socket(fileno=order.descriptor)
        channel.setblocking(False)
        self._on_channel(order.number, order.restarts, channel, order.generation)


def hand(control: socket.socket, order: Order) -> bool:
    """The supervisor's side: sends an order; whether there was room, and anybody to read it."""
    octets = _ORDER.pack(*order[:-1])
    try:
        if order.descriptor < 0:
            return control.send(octets) == len(octets)
        socket.send_fds(control, [octets], [order.descriptor])
    except OSError:
        return False
    return True


def words(unread: bytearray) -> Iterator[bytes]:
    """The supervisor's side: takes out of what a child has sent all that is whole, a word at a time.

    CANNOT comes with its reason, without the end.
    """
    while unread:
        end = unread.find(_END) if unread.startswith(CANNOT) else 1
        if end < 0:
            return
        yield bytes(unread[:end])
        del unread[: end + unread.startswith(CANNOT)]
