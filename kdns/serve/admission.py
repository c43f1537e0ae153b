"""Admission: which of the datagrams taken from a socket are answered when there are more than can be.

The kernel's queue is finite and first come, first served: who sends most has most of it, and everybody else
loses with him. But to take a datagram costs a fraction of answering it. So while a socket stays backlogged,
more is taken than answered, the queue stays short, and what is answered is shared out by client (max-min: who
asks for little gets it all; of who is cut, the oldest go first). Without a backlog nothing is ever dropped,
and none of this runs. A client is an IPv4 address, or an IPv6 /64; all behind one address share one share.

What it can't do: help against sources that are forged at random, each of them a client who asks little (these
share alike with the honest); tell the clients of one address apart; or keep pace with more than can be taken,
some 4 to 5 times of what can be answered, where the kernel drops blindly again. Replies aren't limited by rate.

Jain's index: R. Jain, D. Chiu, W. Hawe, A Quantitative Measure of Fairness and Discrimination, 1984.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Final, TypeVar

from kdns.serve.mmsg import SLOTS

Client = TypeVar("Client", bound=Hashable)

# Wakes in a row that left a backlog, each of 256 datagrams: after some 5 ms of it clients are compared,
NOTICE: Final = 4
# and after more than the largest queue (some 11,000) holds, it is no burst. What has gathered while nobody answered,
# before a worker's first wake, is answered in full.
PATIENCE: Final = 48
# Of a full batch at least so many are answered. Where all ask alike, dropping keeps the queue short and helps nobody
# else: most of the time goes to answers, and the kernel drops the rest. Where few ask for most, it goes to the others.
LEAST_ALIKE: Final = 32
LEAST_UNEVEN: Final = 8
# Jain's index of what clients ask for, from which on they are alike: 1 if all ask for the same, 1/n if one for all.
_ALIKE: Final = 2 / 3
# Batches over which clients are compared; the table has a row for each of their datagrams at the most.
WINDOW: Final = 16
# Batches in a row that weren't full, and of which all was answered, after which there is no pressure any more.
RELIEF: Final = 1024


class Admission:
    """Of one socket. While pressed, each batch is to be admitted; otherwise all of it is answered."""

    __slots__ = ("_asked", "_batches", "_least", "_patient", "_quota", "backlog", "dropped", "pressed")

    def __init__(self) -> None:
        self.pressed = False
        self.backlog = NOTICE - PATIENCE  # wakes in a row that left one
        self.dropped = 0  # datagrams
        self._patient = True  # it may still be a burst
        self._quota = SLOTS  # answers to a full batch; what is above SLOTS counts towards relief
        self._least = SLOTS
        self._asked: Counter[Hashable] = Counter()  # datagrams by client in this window
        self._batches = 0  # of this window

    def backlogged(self) -> None:
        """A wake has ended, and there is more in the socket."""
        self.backlog += 1
        if self.backlog >= NOTICE:
            self.pressed = True
            self._patient = self._patient and self.backlog < PATIENCE

    def drained(self) -> None:
        """A wake has ended since there was nothing more."""
        self.backlog = 0

    def admit(self, clients: Sequence[Hashable]) -> list[tuple[int, int]]:
        """What to answer of a batch, by who sent each: runs of neighbouring slots, from the first up to before the end.

        All of it unless there are more than the quota, which falls as long as batches are full
        and rises when they aren't. Only to be called while pressed.
        """
        if not clients:
            return []
        count = len(clients)
        self._adapt(full=count == SLOTS)
        asked = Counter(clients)
        self._note(asked)
        if count <= self._quota:
            return [(0, count)]
        self.dropped += count - self._quota
        if len(asked) == 1:
            return [(count - self._quota, count)]
        ordered = sorted(asked, key=self._asked.__getitem__)
        return newest(clients, shares({client: asked[client] for client in ordered}, self._quota))

    def _adapt(self, *, full: bool) -> None:
        if full:
            step = 2 if self._least == LEAST_UNEVEN else 1  # the others are waiting
            self._quota = max(self._least, min(self._quota, SLOTS) - step)
        else:
            self._quota += 1
            if self._quota >= SLOTS + RELIEF:
                self._relieve()

    def _relieve(self) -> None:
        self.pressed = False
        self.backlog = 0
        self._patient = True
        self._quota = self._least = SLOTS
        self._asked, self._batches = Counter(), 0

    def _note(self, asked: Counter[Hashable]) -> None:
        """Adds a batch to the window; at its end looks whether clients are alike, and begins another."""
        table = self._asked
        for client, count in asked.items():
            table[client] += count
        self._batches += 1
        if self._batches >= WINDOW:
            alike = evenness(table.values()) >= _ALIKE
            self._least = LEAST_UNEVEN if not alike else SLOTS if self._patient else LEAST_ALIKE
            self._asked, self._batches = Counter(asked), 0


def evenness(asked: Collection[int]) -> float:
    """Jain's index of what clients, at least one, ask for."""
    return sum(asked) ** 2 / (len(asked) * sum(count * count for count in asked))


def shares(asked: Mapping[Client, int], quota: int) -> dict[Client, int]:
    """How many each client gets so that they are quota in all, which they asked for at least.

    Max-min: nobody gets more while somebody who gets less is cut. Where there isn't one for
    each, those named first get it.
    """
    if quota < len(asked):
        return {client: int(place < quota) for place, client in enumerate(asked)}
    given, left = {}, quota
    for waiting, client in zip(range(len(asked), 0, -1), sorted(asked, key=asked.__getitem__), strict=True):
        given[client] = min(asked[client], left // waiting)
        left -= given[client]
    return given


def newest(clients: Sequence[Client], left: dict[Client, int]) -> list[tuple[int, int]]:
    """The runs of slots that have the newest datagrams of each client, as many as are left to it; the last run first."""
    runs: list[tuple[int, int]] = []
    end = 0  # of the run that grows; 0: none does
    for slot in range(len(clients) - 1, -1, -1):
        client = clients[slot]
        if left[client]:
            left[client] -= 1
            end = end or slot + 1
        elif end:
            runs.append((slot + 1, end))
            end = 0
    if end:
        runs.append((0, end))
    return runs
