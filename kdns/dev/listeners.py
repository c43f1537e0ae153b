"""Listeners on loopback addresses, opened when they are needed, and a thread for each connection that they take.

A port that can't be opened is told of once, with the reason; the others are open all the same.
"""

import errno
import selectors
import socket
import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Final

_BACKLOG: Final = 64
_WHY: Final = {
    errno.EACCES: "ports below {first} are root's: as root, sysctl net.ipv4.ip_unprivileged_port_start={port} lets others open it",
    errno.EADDRINUSE: "another program has it",
    errno.EADDRNOTAVAIL: "this machine has no such address: on macOS, sudo ifconfig lo0 alias {host} gives it one",
}
_FIRST: Final = 1024


class Listeners:
    """All of them."""

    def __init__(self, serve: Callable[[socket.socket, Hashable, int], None]) -> None:
        """Takes what serves a connection: what its listener was opened for, and its port, are handed to it."""
        self._serve = serve
        self._open: dict[tuple[str, int], tuple[Hashable, str]] = {}  # whose it is, and why it isn't open
        self._selector = selectors.DefaultSelector()
        self._wake, waking = socket.socketpair()  # said a word by who opens one, closed by who ends
        self._selector.register(waking, selectors.EVENT_READ, None)
        threading.Thread(target=self._accept, daemon=True).start()

    def open(self, host: str, ports: Iterable[int], whose: Hashable) -> list[str]:
        """Opens those that aren't open; what there is to tell of those that can't be, once."""
        told = []
        for port in ports:
            key = (host, port)
            before = self._open.get(key)
            if before is not None and not before[1] and before[0] == whose:
                continue
            why = self._opened(host, port, whose) if before is None or before[1] else f"{before[0]} has it"
            if before is None or before[1] != why:
                told += [f"port {port} can't be opened on {host}: {why}"] if why else []
            if before is None or before[1]:
                self._open[key] = (whose, why)
        return told

    def close(self) -> None:
        """Opens no more, and has those that are open closed."""
        self._wake.close()

    def _opened(self, host: str, port: int, whose: Hashable) -> str:
        """Why it can't be; nothing where it is."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            hint = _WHY.get(error.errno or 0, "").format(first=_FIRST, port=port, host=host)
            return ": ".join(filter(None, (error.strerror or str(error), hint)))
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, (whose, port))
        self._wake.send(b"\0")
        return ""

    def _accept(self) -> None:
        while True:
            for key, _ in self._selector.select():
                listener = key.fileobj
                assert isinstance(listener, socket.socket)
                if key.data is None:
                    if not listener.recv(_BACKLOG):
                        self._close_all()
                        return
                    continue
                try:
                    client, _ = listener.accept()
                except OSError:  # it is gone already
                    continue
                whose, port = key.data
                threading.Thread(target=self._serve, args=(client, whose, port), daemon=True).start()

    def _close_all(self) -> None:
        for key in list(self._selector.get_map().values()):
            listener = key.fileobj
            assert isinstance(listener, socket.socket)
            listener.close()
        self._selector.close()
