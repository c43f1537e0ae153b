"""Somebody who asks and asks while other things happen, and takes note of every reply."""

import threading
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

import dns.exception

from tests.server import Server, short

_PAUSE_S: Final = 0.002  # between two rounds: what is asked leaves the machine to what is tested


class Ask(NamedTuple):
    """A question, and every answer (in short) that is right while the asking lasts."""

    name: str
    rtype: str
    right: tuple[set[str], ...]


class Asking:
    """Asks a server in a thread, one question after the other in turn, by UDP, each but once."""

    def __init__(self, server: Server, *asks: Ask, timeout_s: float = 5.0) -> None:
        self.lost = 0
        self.wrong: list[tuple[str, set[str]]] = []
        self.replies = 0
        self._server = server
        self._timeout_s = timeout_s  # after which a reply counts as lost
        self._asks: Sequence[Ask] = asks
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def check(self) -> None:
        """Fails unless there were replies, none missing and none wrong."""
        assert (self.lost, self.wrong[:10]) == (0, [])
        assert self.replies > 0

    def _run(self) -> None:
        while not self._enough.wait(_PAUSE_S):
            for name, rtype, right in self._asks:
                try:
                    found = short(self._server.ask(name, rtype, timeout_s=self._timeout_s))
                except dns.exception.Timeout:
                    self.lost += 1
                    continue
                self.replies += 1
                if found not in right:
                    self.wrong.append((name, found))
