"""A network of our own: a loopback interface on which every port is ours, and nothing else.

Port 53 is root's in the machine's network. Who has made a network may open it there, without being root. Only sockets
live in it: processes stay where they are, and reach everything as before.
"""

import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import Final, Self, TypeVar

from kdns.dev import kernel

T = TypeVar("T")

_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914  # SIOCGIFFLAGS, SIOCSIFFLAGS
_UP: Final = 1
_INTERFACE: Final = struct.Struct("16sH22x")  # struct ifreq


class Network:
    """One, as long as its descriptor is open somewhere."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def make(cls) -> Self:
        """A new one. Raises OSError where that isn't allowed."""
        return cls(_in_a_thread(_make))

    def do(self, call: Callable[[], T]) -> T:
        """What the call returns or raises; sockets that it makes belong to this network."""

        def within() -> T:
            self.enter()
            return call()

        return _in_a_thread(within)

    def enter(self) -> None:
        """Moves this thread there, for good."""
        kernel.enter(self._descriptor, kernel.NEW_NETWORK)


def _make() -> int:
    kernel.unshare(kernel.NEW_NETWORK)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, _GET_FLAGS, _INTERFACE.pack(b"lo", 0))
        _, flags = _INTERFACE.unpack(asked)
        fcntl.ioctl(any_socket, _SET_FLAGS, _INTERFACE.pack(b"lo", flags | _UP))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _in_a_thread(call: Callable[[], T]) -> T:
    """As the call by itself, in a thread that has ended then."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
