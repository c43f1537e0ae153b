"""The memo: finished replies by the octets of their question, forgotten by owner.

A reply stays as long as none of its owners changes; no time is involved. What is bounded
is octets: replies enter the young generation, and when that has grown to half the limit it
becomes the old one and the old one is let go. A reply asked for again while old moves back
to the young, so what is hot stays and a scan pushes out only what nobody asked for during
two generations. And a question enters on second sight only: names that never repeat leave
two octets each in a table of fixed size, and push nothing out at all.

Keys are questions as received but for their id; that this is safe is the responder's to see to.
Several doors may share a memo; each counts in a place of its own of a reply's cell.
"""

from array import array
from typing import TYPE_CHECKING, Final

from kdns.dns.reply import Reply
from kdns.zone.entry import Owner

if TYPE_CHECKING:
    from kdns.serve.querylog import Line

# What a remembered reply costs beside its octets and its question's: objects, and places in
# dictionaries (measured on CPython 3.11 with one owner each: 470 octets in all for 120 of both).
_OVERHEAD: Final = 350
# Questions seen once are remembered by 16 bits of their hash in a place that the others decide.
_SIGHTS: Final = 1 << 16


class Remembered:
    """A finished reply but for its id, and the cell that counts how often it is given: a number for each door.

    One that is cut lacks what would have made it longer than a door allows. Where count isn't 0, so many addresses of step octets each lie at start, and may be sent
    in any order; turn says which one is first.
    """

    __slots__ = ("cell", "count", "cut", "line", "octets", "owners", "size", "start", "step", "turn")

    def __init__(self, reply: Reply, owners: tuple[Owner, ...], cell: list[int]) -> None:
        self.octets = reply.octets[2:]
        self.size = len(reply.octets)
        self.owners = owners if len(owners) == 1 else tuple(dict.fromkeys(owners))  # a loop of names has one twice
        self.cell = cell
        self.cut = not reply.whole
        self.line: Line | None = None  # what is logged each time it is given
        self.turn = self.start = self.step = self.count = 0
        if reply.rotation is not None:
            self.start, self.step, self.count = reply.rotation.start - 2, reply.rotation.size, reply.rotation.count

    def turned(self) -> bytes:
        """The octets with the next address first; count isn't 0."""
        octets, start = self.octets, self.start
        self.turn = turn = (self.turn + 1) % self.count
        cut = start + turn * self.step
        end = start + self.count * self.step
        return octets[:start] + octets[cut:end] + octets[start:cut] + octets[end:]


class _Generation:
    """Replies, and the keys of each owner's. Every owner of a kept reply has its key, no other does."""

    __slots__ = ("octets", "owned", "replies")

    def __init__(self) -> None:
        self.replies: dict[bytes, Remembered] = {}
        self.owned: dict[Owner, bytes | set[bytes]] = {}  # most have one question: a set for it would double the cost
        self.octets = 0

    def put(self, key: bytes, reply: Remembered) -> None:
        self.replies[key] = reply
        self.octets += _cost(key, reply)
        for owner in reply.owners:
            keys = self.owned.get(owner)
            if keys is None:
                self.owned[owner] = key
            elif isinstance(keys, bytes):
                self.owned[owner] = {keys, key}
            else:
                keys.add(key)

    def take(self, key: bytes) -> Remembered | None:
        reply = self.replies.pop(key, None)
        if reply is None:
            return None
        self.octets -= _cost(key, reply)
        for owner in reply.owners:
            keys = self.owned[owner]
            if isinstance(keys, set):
                keys.discard(key)
            if isinstance(keys, bytes) or not keys:
                del self.owned[owner]
        return reply

    def forget(self, owner: Owner) -> None:
        keys = self.owned.get(owner, ())
        for key in (keys,) if isinstance(keys, bytes) else tuple(keys):
            self.take(key)


class Memo:
    """Remembered replies, at most limit_bytes of them with all that they cost."""

    __slots__ = ("_limit", "_old", "_sights", "_young", "evicted", "older", "replies")

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._young = _Generation()
        self._old = _Generation()
        self._sights = array("H", bytes(2 * _SIGHTS))
        self.replies = self._young.replies  # the hot path looks here first, without a call
        self.older = self._old.replies  # what is here is to be recovered
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._young.replies) + len(self._old.replies)

    def recover(self, key: bytes) -> Remembered | None:
        """The reply if the old generation has it; it is young again."""
        reply = self._old.replies.get(key)
        if reply is not None:
            self._old.take(key)
            self._add(key, reply)
        return reply

    def seen(self, key: bytes) -> bool:
        """Whether the question was seen before, not too long ago; if not, it has been now."""
        sight = hash(key)
        place, mark = sight & (_SIGHTS - 1), sight >> 16 & 0xFFFF | 1
        if self._sights[place] == mark:
            return True
        self._sights[place] = mark
        return False

    def remember(self, key: bytes, reply: Remembered) -> None:
        """Keeps the reply under its question's octets."""
        self._young.take(key)
        self._old.take(key)
        self._add(key, reply)

    def forget(self, owner: Owner) -> None:
        """Forgets every reply that depends on the owner."""
        self._young.forget(owner)
        self._old.forget(owner)

    def clear(self) -> None:
        """Forgets everything."""
        self._old, self._young = _Generation(), _Generation()
        self.replies, self.older = self._young.replies, self._old.replies

    def _add(self, key: bytes, reply: Remembered) -> None:
        if (self._young.octets + _cost(key, reply)) * 2 > self._limit:
            self.evicted += len(self._old.replies)
            self._old, self._young = self._young, _Generation()
            self.replies, self.older = self._young.replies, self._old.replies
        self._young.put(key, reply)


def _cost(key: bytes, reply: Remembered) -> int:
    return len(key) + reply.size + _OVERHEAD
