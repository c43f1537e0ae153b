"""What tests in virtual time rely on."""

import asyncio
import socket

import pytest

from tests import virtual_time


def test_time_moves_by_exactly_what_is_slept() -> None:
    async def scene() -> list[float]:
        loop = asyncio.get_running_loop()
        times = [loop.time()]
        for seconds in (0, 2.5, 3600):
            await asyncio.sleep(seconds)
            times.append(loop.time())
        return times

    assert virtual_time.run(scene()) == [0, 0, 2.5, 3602.5]


def test_what_has_been_sent_is_read_before_time_moves() -> None:
    async def scene() -> list[float]:
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair()
        one.setblocking(False)
        other.setblocking(False)
        times = []
        with one, other:
            for _ in range(50):
                other.send(b"x")
                async with asyncio.timeout(0.001):
                    await loop.sock_recv(one, 1)
                times.append(loop.time())
        return times

    assert set(virtual_time.run(scene())) == {0}


def test_timers_come_in_order_and_in_their_time() -> None:
    async def scene() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        came: list[tuple[str, float]] = []

        def note(name: str) -> None:
            came.append((name, loop.time()))

        for name, seconds in (("c", 30.0), ("a", 1.0), ("b", 2.0)):
            loop.call_later(seconds, note, name)
        await asyncio.sleep(60)
        return came

    assert virtual_time.run(scene()) == [("a", 1.0), ("b", 2.0), ("c", 30.0)]


def test_waiting_for_what_never_comes_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "STUCK_S", 0.01)

    async def scene() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(AssertionError, match="no timer"):
        virtual_time.run(scene())
