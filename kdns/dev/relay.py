"""A client's connection, relayed through a tunnel to where it was meant to go, until either side ends it.

Where the first tunnel leads nowhere, and nothing has come back yet, the next is tried with all that the client has said.
A tunnel can't be closed on one side alone: when the client has said all, what comes back is relayed for as long as it comes.
"""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, Protocol

_READ_BYTES: Final = 1 << 16
_KEPT_BYTES: Final = 1 << 18  # of what the client has said; who has said more isn't taken elsewhere
_FULL_BYTES: Final = 1 << 18  # of what one side hasn't taken yet, before the other is read no more
_SILENT_S: Final = 10.0  # after the client has said all


class Tunnel(Protocol):
    """A way for one connection. Where nothing can be had by it, or no more, that is an exception of a type of its own."""

    def fileno(self) -> int: ...
    @property
    def is_pending(self) -> bool: ...
    @property
    def backlog(self) -> int: ...
    def receive(self) -> bytes | None: ...
    def add(self, octets: bytes) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


def relay(client: socket.socket, ways: Iterator[Callable[[], Tunnel]], lost: type[Exception]) -> None:
    """Relays by the first of the ways that leads somewhere. Raises lost, which is what ways and tunnels raise."""
    said = bytearray()
    why = lost("there is no ready endpoint")
    for way in ways:
        try:
            tunnel = way()
        except lost as error:
            why = error
            continue
        connection = _Connection(client, tunnel, said)
        try:
            connection.run()
        except lost as error:
            if not connection.is_movable:
                raise
            why = error
            continue
        finally:
            tunnel.close()
        return
    raise why


class _Connection:
    """A client and a tunnel."""

    def __init__(self, client: socket.socket, tunnel: Tunnel, said: bytearray) -> None:
        """Takes what the client has said by now, which is kept on."""
        self._client, self._tunnel, self._said = client, tunnel, said
        self._answer = bytearray()  # that the client hasn't taken yet
        self._is_open = True  # the client may say more
        self.is_movable = True
        client.setblocking(False)
        if said:
            tunnel.add(bytes(said))

    def run(self) -> None:
        """Until it ends. Raises what the tunnel does."""
        try:
            while self._turn():
                pass
            self._client.settimeout(_SILENT_S)
            self._client.sendall(self._answer)
        except OSError:  # the client is gone
            return

    def _turn(self) -> bool:
        """Whether it goes on."""
        client, tunnel = self._client, self._tunnel
        reading: list[Tunnel | socket.socket] = [tunnel] if len(self._answer) < _FULL_BYTES else []
        if self._is_open and tunnel.backlog < _FULL_BYTES:
            reading.append(client)
        writing: list[Tunnel | socket.socket] = [tunnel] if tunnel.backlog else []
        if self._answer:
            writing.append(client)
        wait = 0.0 if tunnel.is_pending and tunnel in reading else None if self._is_open else _SILENT_S
        readable, writable, _ = select.select(reading, writing, [], wait)
        if not (readable or writable or tunnel.is_pending):
            return False
        if client in writable:
            with suppress(BlockingIOError):
                del self._answer[: client.send(self._answer)]
        if tunnel in writable:
            tunnel.flush()
        if client in readable:
            with suppress(BlockingIOError):
                self._hear(client.recv(_READ_BYTES))
        if tunnel in readable or (tunnel.is_pending and tunnel in reading):
            octets = tunnel.receive()
            if octets is None:
                return False
            self.is_movable = self.is_movable and not octets
            self._answer += octets
        return True

    def _hear(self, octets: bytes) -> None:
        if not octets:
            self._is_open = False
            return
        if self.is_movable:
            self._said += octets
            self.is_movable = len(self._said) <= _KEPT_BYTES
        self._tunnel.add(octets)
