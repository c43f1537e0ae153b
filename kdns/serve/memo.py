"""The memo: finished replies by the octets of their question, forgotten by owner.

A reply stays as long as none of its owners changes; no time is involved. What is bounded
is octets: replies enter the young generation, and when that has grown to half the limit it
becomes the old one and the old one is let go. A reply asked for again while old moves back
to the young, so what is hot stays and a scan pushes out only what nobody asked for during
two generations. Keys are questions as received but for their id; that this is safe is the
responder's to see to.
"""

from dataclasses import replace
from typing import Final

from kdns.dns.reply import Reply, Rotation
from kdns.zone.entry import Owner

# What a remembered reply costs beside its octets: two octet strings, its object, its places in
# dictionaries and lists (measured with tracemalloc on CPython 3.11: 420 to 480 octets).
_OVERHEAD: Final = 450


class Remembered:
    """A finished reply but for its id, and the cell that counts how often it is given."""

    __slots__ = ("cell", "octets", "owners", "rotating", "size", "turn")

    def __init__(self, reply: Reply, owners: tuple[Owner, ...], cell: list[int]) -> None:
        self.octets = reply.octets[2:]
        self.size = len(reply.octets)
        self.owners = owners if len(owners) == 1 else tuple(dict.fromkeys(owners))  # a loop of names has one twice
        self.cell = cell
        self.turn = 0
        self.rotating = None if reply.rotation is None else _without_id(reply, reply.rotation)


def _without_id(reply: Reply, rotation: Rotation) -> Reply:
    """The reply less its first two octets, its addresses still where it says."""
    return reply._replace(octets=reply.octets[2:], rotation=replace(rotation, start=rotation.start - 2))


class _Generation:
    """Replies, and the keys of each owner's. Every owner of a kept reply has its key, no other does."""

    __slots__ = ("octets", "owned", "replies")

    def __init__(self) -> None:
        self.replies: dict[bytes, Remembered] = {}
        self.owned: dict[Owner, set[bytes]] = {}
        self.octets = 0

    def put(self, key: bytes, reply: Remembered) -> None:
        self.replies[key] = reply
        for owner in reply.owners:
            keys = self.owned.get(owner)
            if keys is None:
                self.owned[owner] = {key}
            else:
                keys.add(key)
        self.octets += _cost(key, reply)

    def take(self, key: bytes) -> Remembered | None:
        reply = self.replies.pop(key, None)
        if reply is None:
            return None
        self.octets -= _cost(key, reply)
        for owner in reply.owners:
            keys = self.owned[owner]
            keys.discard(key)
            if not keys:
                del self.owned[owner]
        return reply

    def forget(self, owner: Owner) -> None:
        for key in tuple(self.owned.get(owner, ())):
            self.take(key)


class Memo:
    """Remembered replies, at most limit_bytes of them with all that they cost."""

    __slots__ = ("_limit", "_old", "_young", "evicted", "replies")

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._young = _Generation()
        self._old = _Generation()
        self.replies = self._young.replies  # the hot path looks here first, without a call
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._young.replies) + len(self._old.replies)

    def recover(self, key: bytes) -> Remembered | None:
        """The reply if the old generation has it; it is young again."""
        reply = self._old.take(key)
        if reply is not None:
            self.remember(key, reply)
        return reply

    def remember(self, key: bytes, reply: Remembered) -> None:
        """Keeps the reply under its question's octets."""
        self._young.take(key)
        self._old.take(key)
        if (self._young.octets + _cost(key, reply)) * 2 > self._limit:
            self.evicted += len(self._old.replies)
            self._old, self._young = self._young, _Generation()
            self.replies = self._young.replies
        self._young.put(key, reply)

    def forget(self, owner: Owner) -> None:
        """Forgets every reply that depends on the owner."""
        self._young.forget(owner)
        self._old.forget(owner)

    def clear(self) -> None:
        """Forgets everything."""
        self._old, self._young = _Generation(), _Generation()
        self.replies = self._young.replies


def _cost(key: bytes, reply: Remembered) -> int:
    return len(key) + len(reply.octets) + _OVERHEAD
