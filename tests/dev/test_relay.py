"""Relaying: between real sockets, through tunnels that lead to another socket, or nowhere."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from kdns.dev.relay import relay


class LostError(Exception):
    """What the tunnels here raise."""


class Through:
    """A tunnel to a socket; refusing, it says so after it was opened."""

    def __init__(self, end: socket.socket, *, refuses: str = "") -> None:
        self._end, self._refuses = end, refuses
        self._waiting = bytearray()
        self.is_pending = bool(refuses)

    def fileno(self) -> int:
        return self._end.fileno()

    @property
    def backlog(self) -> int:
        return len(self._waiting)

    def receive(self) -> bytes | None:
        if self._refuses:
            raise LostError(self._refuses)
        return self._end.recv(1 << 16) or None

    def add(self, octets: bytes) -> None:
        self._waiting += octets

    def flush(self) -> None:
        del self._waiting[: self._end.send(self._waiting, socket.MSG_DONTWAIT)]

    def close(self) -> None:
        self._end.close()


class Table:
    """A client, what relays for it, and the far ends of two tunnels."""

    def __init__(self) -> None:
        self.client, self._accepted = socket.socketpair()
        self.far, near = socket.socketpair()
        self._pairs = [socket.socketpair() for _ in range(3)]
        self.through: Callable[[], Through] = lambda: Through(near)
        self._near = near
        self.said: list[str] = []
        self.client.settimeout(20)
        self.far.settimeout(20)

    def start(self, *ways: Callable[[], Through]) -> threading.Thread:
        def run() -> None:
            with self._accepted:
                try:
                    relay(self._accepted, iter(ways), LostError)
                except LostError as error:
                    self.said.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def refusing(self) -> Through:
        return Through(self._pairs[0][0], refuses="refused")

    def close(self) -> None:
        for each in (self.client, self._accepted, self.far, self._near, *(end for pair in self._pairs for end in pair)):
            each.close()


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table()
    yield made
    made.close()


def lost() -> Through:
    raise LostError("no way")


def test_octets_go_both_ways_until_the_far_side_ends(table: Table) -> None:
    thread = table.start(table.through)
    table.client.sendall(b"hello")
    assert table.far.recv(16) == b"hello"
    table.far.sendall(b"there")
    table.far.close()
    assert (table.client.recv(16), table.client.recv(16)) == (b"there", b"")
    thread.join()
    assert table.said == []


def test_what_the_far_side_says_comes_though_the_client_has_said_all(table: Table) -> None:
    thread = table.start(table.through)
    table.client.sendall(b"all")
    table.client.shutdown(socket.SHUT_WR)
    assert table.far.recv(16) == b"all"
    table.far.sendall(b"answer")
    table.far.close()
    assert (table.client.recv(16), table.client.recv(16)) == (b"answer", b"")
    thread.join()


def test_where_a_way_leads_nowhere_the_next_is_tried_with_all_that_was_said(table: Table) -> None:
    table.client.sendall(b"hello")
    thread = table.start(lost, table.refusing, table.through)
    assert table.far.recv(16) == b"hello"
    table.far.close()
    assert table.client.recv(16) == b""
    thread.join()
    assert table.said == []


@pytest.mark.parametrize(("ways", "why"), [((lost,), "no way"), ((), "there is no ready endpoint")])
def test_without_any_way_the_last_reason_is_told(
    ways: tuple[Callable[[], Through], ...], why: str, table: Table
) -> None:
    thread = table.start(*ways)
    assert table.client.recv(16) == b""
    thread.join()
    assert table.said == [why]


def test_who_has_been_answered_is_not_taken_elsewhere(table: Table) -> None:
    breaking: list[Through] = []

    def first() -> Through:
        breaking.append(table.through())
        return breaking[0]

    thread = table.start(first, lost)
    table.client.sendall(b"hello")
    assert table.far.recv(16) == b"hello"
    table.far.sendall(b"there")
    assert table.client.recv(16) == b"there"
    breaking[0]._refuses = "broken"
    table.far.sendall(b"!")
    thread.join()
    assert table.said == ["broken"]


def test_much_goes_both_ways_at_once_though_nobody_reads_before_all_is_said(table: Table) -> None:
    octets = bytes(range(256)) * 16384
    thread = table.start(table.through)
    echoed = threading.Thread(target=_echo, args=(table.far, len(octets)))
    echoed.start()
    said = threading.Thread(target=table.client.sendall, args=(octets,))
    said.start()
    found = bytearray()
    while len(found) < len(octets):
        found += table.client.recv(1 << 16)
    assert found == octets
    said.join()
    echoed.join()
    table.far.close()
    thread.join()


def _echo(end: socket.socket, count: int) -> None:
    while count:
        octets = end.recv(1 << 16)
        end.sendall(octets)
        count -= len(octets)
