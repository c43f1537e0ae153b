"""A child process' line to the supervisor: what it is given at its start, and the control socket between them.

The child sends BEAT as its event loop makes progress, and a worker RENEW where its channel
has ended; it gets channels: the controller one for each living worker, a worker one to the
living controller. EOF on the control socket means that the supervisor is gone.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

BEAT: Final = b"."
RENEW: Final = b"r"
_CHANNEL: Final = struct.Struct("!cHI")  # b"c", the slot, its restarts; the channel's end comes with it
_BEAT_S: Final = 0.5


class WorkerStart(NamedTuple):
    """What a worker process is given."""

    slot: int
    udp: tuple[socket.socket, ...]
    tcp: tuple[socket.socket, ...]
    control: socket.socket


class ControllerStart(NamedTuple):
    """What the controller process is given."""

    ops: Mapping[str, socket.socket]
    control: socket.socket
    workers: int
    restarts: int = 0  # controllers before this one


class Control:
    """A child's side of its control socket, on its event loop.

    Beats from the start until closed. on_channel gets each channel, its slot first: the one
    before it for that slot is void; and how many workers the slot had before the one that it
    leads to. on_lost is called once, when the supervisor is gone: the process should end.
    """

    __slots__ = ("_beat_s", "_loop", "_on_channel", "_on_lost", "_sock", "_timer")

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        *,
        on_channel: Callable[[int, int, socket.socket], None],
        on_lost: Callable[[], None],
        beat_s: float = _BEAT_S,
    ) -> None:
        self._sock = sock
        self._loop = loop
        self._on_channel = on_channel
        self._on_lost = on_lost
        self._beat_s = beat_s
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._read)
        self._timer = loop.call_soon(self._beat)

    def renew(self) -> None:
        """Asks for another channel, after the last one has ended though both its ends may live."""
        self._send(RENEW)

    def close(self) -> None:
        """Beats no more and takes no more channels."""
        self._timer.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _beat(self) -> None:
        self._timer = self._loop.call_later(self._beat_s, self._beat)
        self._send(BEAT)

    def _send(self, octet: bytes) -> None:
        # Full: the supervisor has enough unread beats. Broken: the reader will see the end.
        with suppress(OSError):
            self._sock.send(octet)

    def _read(self) -> None:
        try:
            octets, fds, _, _ = socket.recv_fds(self._sock, _CHANNEL.size, 1)
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
            _, slot, restarts = _CHANNEL.unpack(octets)
            channel = socket.socket(fileno=fd)
            channel.setblocking(False)
            self._on_channel(slot, restarts, channel)


def hand(control: socket.socket, slot: int, restarts: int, end: socket.socket) -> bool:
    """The supervisor's side: sends a channel's end; whether there was room, and anybody to read it."""
    try:
        socket.send_fds(control, [_CHANNEL.pack(b"c", slot, restarts)], [end.fileno()])
    except OSError:
        return False
    return True
