"""Replies that pass with time: what upstreams have a part in, remembered up to a second of the loop's clock.

All that are remembered pass together, so one comparison tells whether they have. Where owners of the cluster have a part in
one, their change ends it sooner, and all others of that second with it.
"""

from collections.abc import Set as AbstractSet
from typing import Final

from kdns.dns.reply import UDP_LIMIT
from kdns.serve.memo import Remembered
from kdns.zone.entry import Owner

# Replies at a time, and octets of the largest: 4 MiB a door at the worst.
_LIMIT: Final = 2048
_OCTETS: Final = UDP_LIMIT


class Passing:
    """Those of a door, by question."""

    __slots__ = ("_owned", "replies", "until")

    def __init__(self) -> None:
        self.replies: dict[bytes, Remembered] = {}
        self.until = 0.0  # all of them
        self._owned: set[Owner] = set()  # whose change ends some of them sooner

    def put(self, key: bytes, reply: Remembered, until: float) -> None:
        """Remembers a reply up to then, unless there are too many or it is too large; those of earlier seconds are gone."""
        if until > self.until:
            self.clear()
            self.until = until
        if until == self.until and len(self.replies) < _LIMIT and reply.size <= _OCTETS:
            self.replies[key] = reply
            if reply.owners:
                self._owned.update(reply.owners)

    def forget(self, owners: AbstractSet[Owner]) -> None:
        """Forgets all, if any depends on one of these."""
        if not self._owned.isdisjoint(owners):
            self.clear()

    def clear(self) -> None:
        """Forgets all."""
        self.replies = {}
        self._owned = set()
