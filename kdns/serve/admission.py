"""Admission: who is let into a socket's queue while more comes than can be answered.

The kernel's queue is finite and first come, first served: who sends most has most of it, and everybody else waits and loses
with him. So while it overflows, every hundredth of a second it is counted who asked for how much; what can be answered is
shared out by client (max-min: who asks for little gets it all), and what is beyond a client's share is kept out by a sieve
on the socket, at no cost to the worker. What is in the queue is answered, and a burst that the queue can hold costs nobody
anything. Without pressure none of this runs. A client is an IPv4 address, or an IPv6 /64; all behind one share one share.

Where everybody asks for more than a share there is nobody to protect: then nothing is sieved, and the full queue drops. So it
is, too, with sources that are forged at random, each of them a client who asks for little. Replies aren't limited by rate.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from kdns.serve.sieve import MOST, OPEN, Chances, Client, Sieve

# Wakes in a row that left a backlog, each of 256 datagrams, after which clients are counted: 5 ms. Calm wakes take 1 or 2.
NOTICE: Final = 4
# Between settlements. At 200,000 answers a second 2,000 datagrams are counted in it, and to settle for one flood takes 40 us.
WINDOW_S: Final = 0.01
# Of what is answered by a worker that is never idle, so much is let in: others find a queue that is nearly empty. Beside
# other busy processes they waited for 144 us in the middle, with 0.9 and without _LONG for 210 us; answers were as many.
_SHARE: Final = 0.85
# As long as the queue is long, more than a wake takes, so much of that: it is gone after a few windows.
_DRAIN: Final = 0.25
_LONG: Final = 256 * 768
# What can be answered may have been measured while something else had the core. So more is let in by and by, 10 % a second,
_CREEP: Final = 1.001
# and sooner where wakes find few datagrams: at 4 of them a worker does some three quarters of what it can.
_STRIDE: Final = 1.1
_FEW: Final = 4
# Windows without anything to keep out, or without anybody to protect, after which that is believed: a second.
RELIEF: Final = 100


class Admission:
    """To one socket, from the event loop. While pressed, each wake and what it took from the socket is to be noted."""

    __slots__ = (
        "_calm",
        "_chances",
        "_left",
        "_loop",
        "_queue",
        "_room",
        "_seen",
        "_sieve",
        "_since",
        "_timer",
        "_unprotected",
        "_wakes",
        "backlog",
        "pressed",
    )

    def __init__(self, sieve: Sieve, loop: asyncio.AbstractEventLoop) -> None:
        self.pressed = False
        self.backlog = 0  # wakes in a row that left one, before there is pressure
        self._sieve = sieve
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._chances = OPEN
        self._room = math.inf  # datagrams a second
        self._calm = self._unprotected = 0  # windows in a row: without anything to keep out, without anybody to protect
        self._begin_window()

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel has dropped from this socket since then."""
        return self._sieve.queue().dropped

    def woke(self, *, left: bool) -> None:
        """A wake has ended, and has left something in the socket or not."""
        if self.pressed:
            self._wakes += 1
            self._left += left
        elif left:
            self.backlog += 1
            if self.backlog >= NOTICE:
                self._press()
        else:
            self.backlog = 0

    def note(self, clients: Iterable[Client]) -> None:
        """Who sent the datagrams that were just taken; only while pressed."""
        self._seen.update(clients)

    def close(self) -> None:
        """Leaves the socket open to all."""
        if self._timer is not None:
            self._timer.cancel()
        self._sieve.put(OPEN)

    def _press(self) -> None:
        self.pressed = True
        self._calm = self._unprotected = 0
        self._begin_window()
        self._timer = self._loop.call_later(WINDOW_S, self._settle)

    def _begin_window(self) -> None:
        self._since, self._queue = self._loop.time(), self._sieve.queue()
        self._wakes = self._left = 0
        self._seen: Counter[Client] = Counter()

    def _settle(self) -> None:
        """Decides by the window that ends who is kept out in the next, or that the pressure is over."""
        chances = self._decide()
        busy = self._left * 2 > self._wakes
        self._calm = 0 if busy or chances != OPEN else self._calm + 1
        if chances != OPEN or self._chances != OPEN:
            try:
                self._sieve.put(chances)
            except OSError:  # the system won't have it; what the full queue drops is all that is dropped
                chances = OPEN
        self._chances = chances
        if self._calm < RELIEF:
            self._begin_window()
            self._timer = self._loop.call_later(WINDOW_S, self._settle)
        else:
            self.pressed = False
            self.backlog = 0
            self._timer = None

    def _decide(self) -> Chances:
        passed, queue = self._loop.time() - self._since, self._sieve.queue()
        busy = self._left * 2 > self._wakes
        taken = self._seen.total()
        if busy:
            self._room = taken / passed * _SHARE
        else:
            self._room *= _STRIDE if taken < _FEW * self._wakes else _CREEP
        grows = queue.dropped > self._queue.dropped or queue.octets > self._queue.octets
        if not taken or (self._chances == OPEN and not (busy and grows)):
            return OPEN
        # Only a full queue drops others than the sieve does, and as blindly.
        asked = demand(self._seen, self._chances, taken + queue.dropped - self._queue.dropped if busy else None)
        most = level(asked.values(), self._room * passed)
        self._unprotected = 0 if min(asked.values()) <= most else self._unprotected + 1
        if self._unprotected >= RELIEF or (self._chances == OPEN and self._unprotected):
            return OPEN
        return cut(asked, most, _DRAIN if busy or queue.octets > _LONG else 1.0)


def demand(seen: Mapping[Client, int], chances: Chances, total: int | None = None) -> dict[Client, float]:
    """What each client asked for, by what was seen of it through a sieve of these chances; in all so much, if that is known."""
    asked = {client: count / chances[client] for client, count in seen.items()}
    scale = 1.0 if total is None else total / sum(asked.values())
    return {client: count * scale for client, count in asked.items()}


def level(asked: Collection[float], room: float) -> float:
    """The most that a client is given so that all get as much as there is room for; infinite if there is room for all."""
    left = room
    for waiting, each in zip(range(len(asked), 0, -1), sorted(asked), strict=True):
        if each * waiting > left:
            return left / waiting
        left -= each
    return math.inf


def cut(asked: Mapping[Client, float], most: float, part: float) -> Chances:
    """What lets through of each client who asked for more than the most a part of the most; of the rest everything.

    Of more clients than a sieve has room for, those who asked for less than these share one chance with the rest.
    """
    heavy = sorted((client for client in asked if asked[client] > most), key=asked.__getitem__, reverse=True)
    of = {client: most / asked[client] * part for client in heavy[:MOST]}
    if len(heavy) <= MOST:
        return Chances(of)
    rest = [count for client, count in asked.items() if client not in of]
    return Chances(of, sum(min(count, most) for count in rest) / sum(rest))
