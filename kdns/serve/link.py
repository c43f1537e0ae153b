"""The two ends of a channel on their sockets: octets move here, channel says what they mean.

Neither end ever blocks: what the kernel doesn't take waits, in a bounded amount, until it
does. When the other side goes away, or talks nonsense, the link closes and says so once.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Protocol

from kdns.serve.channel import (
    Ack,
    Adopt,
    ChannelError,
    Decoder,
    Follower,
    Frame,
    Leader,
    Part,
    PatchFrame,
    Report,
    ReportRequest,
    Stage,
    WantImage,
    encode,
)
from kdns.zone.index import Index
from kdns.zone.patch import Image, Patch

_READ_BYTES: Final = 256 << 10
# Octets that may wait in this process for a slow reader before the next frame is made.
_AHEAD_BYTES: Final = 256 << 10


class Link:
    """A socket that carries frames both ways."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, lost: Callable[[str], None]) -> None:
        """Tells lost, once and with the reason, when the other side is gone; not before its maker has the link."""
        self._socket = sock
        self._loop = loop
        self._lost = lost
        self._decoder = Decoder()
        self._unsent = bytearray()
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._readable)
        loop.add_writer(sock.fileno(), self._writable)  # the greeting: by the loop, since writing may find nobody there

    def close(self) -> None:
        """Closes the socket; lost isn't told. May be called again."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()

    def _receive(self, frame: Frame) -> None:
        raise NotImplementedError

    def _send(self, frame: Frame) -> None:
        self._unsent += encode(frame)

    def _flush(self) -> None:
        """Hands the kernel what it takes now, and the rest when it is ready."""
        if self._socket.fileno() < 0:
            return
        blocked = False
        while self._unsent and not blocked:
            try:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
            except (BlockingIOError, InterruptedError):
                blocked = True
            except OSError as error:
                self._fail(str(error))
                return
        if blocked:
            self._loop.add_writer(self._socket.fileno(), self._writable)
        else:
            self._loop.remove_writer(self._socket.fileno())

    def _writable(self) -> None:
        self._flush()

    def _readable(self) -> None:
        try:
            octets = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._fail(str(error))
            return
        if not octets:
            self._fail("closed by the other side")
            return
        try:
            for frame in self._decoder.feed(octets):
                self._receive(frame)
        except ChannelError as error:
            self._fail(str(error))
            return
        self._writable()

    def _fail(self, reason: str) -> None:
        if self._socket.fileno() >= 0:
            self.close()
            self._lost(reason)


class Keeper(Protocol):
    """What a worker's link works on."""

    index: Index

    def changed(self, patch: Patch) -> None:
        """Moves the index by the patch and forgets what it touched, or everything where the index was stale and isn't now."""
        ...

    def replaced(self, staged: Index, revision: int, serial: int) -> None:
        """Serves the staged index from now on and forgets everything."""
        ...

    def report(self) -> bytes:
        """How the worker is, as the controller's metrics read it."""
        ...


class WorkerLink(Link):
    """The worker's end: keeps the index as the controller wants it."""

    def __init__(
        self, sock: socket.socket, loop: asyncio.AbstractEventLoop, keeper: Keeper, lost: Callable[[str], None]
    ) -> None:
        super().__init__(sock, loop, lost)
        self._keeper = keeper
        self._follower = Follower()
        self._staged = Index()
        for frame in self._follower.start(keeper.index.serial):
            self._send(frame)

    def tell(self) -> None:
        """Sends a report that nobody has asked for: the last one, as far as the kernel takes it at once."""
        self._send(Report(self._keeper.report()))
        self._flush()

    def _receive(self, frame: Frame) -> None:
        for action in self._follower.receive(frame):
            match action:
                case Stage(stale):
                    self._staged = Index(stale=stale)
                case Part(entries):
                    self._staged.extend(entries)
                case Adopt(revision, serial):
                    self._keeper.replaced(self._staged, revision, serial)
                    self._staged = Index()
                case Patch():
                    self._keeper.changed(action)
                case ReportRequest():
                    self._send(Report(self._keeper.report()))
                case WantImage() | Ack():
                    self._send(action)


class ControllerLink(Link):
    """The controller's end: what one worker is sent, and what it said last."""

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        image: Callable[[], Image | None],
        reported: Callable[[bytes], None],
        lost: Callable[[str], None],
        acked: Callable[[], None] = lambda: None,
    ) -> None:
        """Tells acked when the worker has said that it serves another revision."""
        super().__init__(sock, loop, lost)
        self._on_ack = acked
        self._leader = Leader(image)
        self._reported = reported

    @property
    def acked(self) -> int | None:
        """The revision that the worker says it serves."""
        return self._leader.acked

    @property
    def served(self) -> int:
        """The serial that the worker served before this link; 0 if it served nothing, or hasn't said so yet."""
        return self._leader.served

    def publish(self, patch: Patch, frame: PatchFrame) -> None:
        """Sends the patch, or the image if the worker has none yet; frame is the patch's octets."""
        self._leader.publish(patch, frame)
        self._writable()

    def ask_report(self) -> None:
        """Asks the worker how it is; the answer comes to reported."""
        self._leader.ask_report()
        self._writable()

    def _receive(self, frame: Frame) -> None:
        before = self._leader.acked
        octets = self._leader.receive(frame)
        if self._leader.acked != before:
            self._on_ack()
        if octets is not None:
            self._reported(octets)

    def _writable(self) -> None:
        self._flush()
        while len(self._unsent) < _AHEAD_BYTES and (frame := self._leader.pull()) is not None:
            self._send(frame)
            if len(self._unsent) >= _AHEAD_BYTES:
                self._flush()
        self._flush()
