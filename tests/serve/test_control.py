"""A child's control socket: it beats, takes channels, and notices the supervisor's end."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from kdns.serve.control import BEAT, CHANNEL, RENEW, Control, Order, hand


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The supervisor's end and the child's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


class Seen:
    """What a Control has told."""

    def __init__(self) -> None:
        self.channels: asyncio.Queue[tuple[int, int, socket.socket]] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.times_lost = 0

    def on_channel(self, slot: int, restarts: int, channel: socket.socket, _generation: int) -> None:
        self.channels.put_nowait((slot, restarts, channel))

    def on_lost(self) -> None:
        self.times_lost += 1
        self.lost.set()

    def control(self, sock: socket.socket) -> Control:
        loop = asyncio.get_running_loop()
        return Control(sock, loop, on_channel=self.on_channel, on_lost=self.on_lost, beat_s=0.001)


def test_it_beats_from_the_start_until_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        control = Seen().control(pair[1])
        beats = b""
        while len(beats) < 5:
            beats += await loop.sock_recv(pair[0], 100)
        control.close()
        while octets := await loop.sock_recv(pair[0], 100):
            beats += octets
        return beats

    assert set(asyncio.run(run())) == {BEAT[0]}


def test_a_channel_comes_with_its_slot_and_restarts_and_is_the_one_that_was_handed(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    async def run() -> None:
        seen = Seen()
        control = seen.control(pair[1])
        for slot, restarts in ((0, 70_000), (65535, 0)):
            one, other = socket.socketpair()
            with one:
                with other:
                    assert hand(pair[0], Order(CHANNEL, slot, restarts, 1, other.fileno()))
                *came, channel = await asyncio.wait_for(seen.channels.get(), 20)
                with channel:
                    one.send(b"%d" % slot)
                    assert (came, channel.recv(10), channel.getblocking()) == ([slot, restarts], b"%d" % slot, False)
                    assert not channel.get_inheritable()
        control.close()

    asyncio.run(run())


def test_channels_handed_at_once_come_one_by_one(pair: tuple[socket.socket, socket.socket]) -> None:
    async def run() -> list[int]:
        seen = Seen()
        for slot in range(10):
            one, other = socket.socketpair()
            with one, other:
                assert hand(pair[0], Order(CHANNEL, slot, 0, 1, other.fileno()))
        control = seen.control(pair[1])
        slots = []
        for _ in range(10):
            slot, _, channel = await asyncio.wait_for(seen.channels.get(), 20)
            channel.close()
            slots.append(slot)
        control.close()
        return slots

    assert asyncio.run(run()) == list(range(10))


def test_the_supervisor_s_end_is_told_once(pair: tuple[socket.socket, socket.socket]) -> None:
    async def run() -> int:
        seen = Seen()
        control = seen.control(pair[1])
        pair[0].close()
        await asyncio.wait_for(seen.lost.wait(), 20)
        control.renew()
        control.close()
        await asyncio.sleep(0)
        return seen.times_lost

    assert asyncio.run(run()) == 1


def test_a_child_that_does_not_read_is_handed_no_more_than_fits(pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = socket.socketpair()
    with one, other:
        handed = 0
        while handed < 10_000 and hand(pair[0], Order(CHANNEL, 0, 0, 1, other.fileno())):
            handed += 1
        assert 0 < handed < 10_000


def test_nobody_is_handed_anything_when_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    one, other = socket.socketpair()
    with one, other:
        assert not hand(pair[0], Order(CHANNEL, 0, 0, 1, other.fileno()))


def test_another_channel_is_asked_for_by_an_octet_of_its_own(pair: tuple[socket.socket, socket.socket]) -> None:
    async def run() -> bytes:
        control = Seen().control(pair[1])
        control.renew()
        octets = await asyncio.get_running_loop().sock_recv(pair[0], 1)
        control.close()
        return octets

    assert asyncio.run(run()) == RENEW
