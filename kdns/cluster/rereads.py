"""Rereads: objects that couldn't be decoded, or are in doubt, to be read again one by one beside the watch (K27, K50).

Each gets a few tries; after the last its old state simply stays. What the watch or a list
says meanwhile is newer, and an answer still on its way to us then counts for nothing.
"""

from typing import Final, NamedTuple

from kdns.cluster import decode, targets
from kdns.cluster.decode import DecodeError, DecodeOptions
from kdns.cluster.draft import Item, read
from kdns.cluster.objects import Key, Resource
from kdns.cluster.targets import Request

_TRIES: Final = 3
_PAUSE_S: Final = 5.0
_NOTHING: Final = Item(None, None, decoded=True)
NEVER: Final = float("inf")


class Reread(NamedTuple):
    """An object to be read again, and how to ask for it."""

    key: Key
    number: int  # tells this question from any other
    request: Request


class _Pending(NamedTuple):
    due: float
    tries: int  # left
    asked: int = 0  # number of the question that is out


class Rereads:
    """Those of one resource."""

    __slots__ = ("_number", "_pending", "_resource", "_selector")

    def __init__(self, resource: Resource, selector: str = "") -> None:
        self._resource = resource
        self._selector = selector
        self._pending: dict[Key, _Pending] = {}
        self._number = 0

    def want(self, key: Key, now: float) -> None:
        """The object is to be read again."""
        self._pending[key] = _Pending(now, _TRIES)

    def forget(self, key: Key) -> None:
        """The object has been heard of."""
        self._pending.pop(key, None)

    def clear(self) -> None:
        """All will be heard of."""
        self._pending.clear()

    @property
    def due(self) -> float:
        """When take has something to give."""
        return min((pending.due for pending in self._pending.values()), default=NEVER)

    def take(self, now: float) -> Reread | None:
        """One that is due; until it is failed it isn't given again."""
        for key, pending in self._pending.items():
            if pending.due <= now:
                self._number += 1
                self._pending[key] = _Pending(NEVER, pending.tries - 1, self._number)
                return Reread(key, self._number, targets.one(self._resource, key, self._selector))
        return None

    def awaited(self, reread: Reread) -> bool:
        """Whether its answer is still of interest."""
        pending = self._pending.get(reread.key)
        return pending is not None and pending.asked == reread.number

    def came(self, reread: Reread, octets: bytes, options: DecodeOptions, now: float) -> Item | None:
        """The object as it is now, without a head where there is none; if it isn't decoded it will be read once more.

        None where the answer is of no interest any more, or is none.
        """
        if not self.awaited(reread):
            return None
        try:
            items = decode.page(octets).items
        except DecodeError:
            self.failed(reread, now)
            return None
        made = read(self._resource, items[0], options) if items else _NOTHING
        if made.decoded:
            self.forget(reread.key)
        else:
            self.failed(reread, now)
        return made

    def failed(self, reread: Reread, now: float) -> None:
        """No answer came, or none that can be read."""
        if self.awaited(reread):
            tries = self._pending[reread.key].tries
            if tries:
                self._pending[reread.key] = _Pending(now + _PAUSE_S, tries)
            else:
                del self._pending[reread.key]
