"""Drafts: a list while it comes in, until it is whole and becomes one Reset.

An object that the store has in the same state already is kept by key only, neither decoded
nor held a second time: a relist of a large cluster costs next to no memory. What can't be
decoded stays as the store has it. Knows nothing of pages, streams or versions of the list.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from kdns.cluster.decode import DecodeError, DecodeOptions, Head, head, headed
from kdns.cluster.objects import Key, Object, Problem, Reset, Resource, Stamp
from kdns.cluster.shapes import Octets

Known: TypeAlias = Callable[[Key], Stamp | None]


class Item(NamedTuple):
    """What could be read of an object in a list or an event."""

    head: Head | None  # None where not even its name could be read
    object: Object | None  # None where it is of no use to DNS, or couldn't be decoded
    decoded: bool
    problems: tuple[Problem, ...] = ()


def read(resource: Resource, raw: Octets, options: DecodeOptions) -> Item:
    """The object as far as it can be read; raises nothing."""
    try:
        top, decoded = headed(resource, raw, options)
    except DecodeError as error:
        return _unread(resource, raw, str(error))
    if not decoded.problems:
        return Item(top, decoded.object, decoded=True)
    try:
        top = head(resource, raw)
    except DecodeError:
        return _NAMELESS
    return Item(top, decoded.object, decoded=True, problems=decoded.problems)


def _unread(resource: Resource, raw: Octets, why: str) -> Item:
    try:
        top = head(resource, raw)
    except DecodeError:
        return _NAMELESS
    return Item(top, None, decoded=False, problems=(Problem(resource, top.key, "", why, "an object"),))


_NAMELESS: Final = Item(None, None, decoded=False)


class Draft:
    """The objects of a list so far. known tells the state in which the store has an object."""

    __slots__ = ("_known", "_objects", "_options", "_resource", "_unchanged", "afresh")

    def __init__(self, resource: Resource, options: DecodeOptions, known: Known, *, afresh: bool) -> None:
        """afresh: what is known can't be trusted to be the same where its stamp is, as after a restored backup."""
        self.afresh = afresh
        self._resource = resource
        self._options = options
        self._known = known
        self._objects: dict[Key, Object] = {}
        self._unchanged: set[Key] = set()

    def put(self, raw: Octets) -> Item | None:
        """Takes an object in; returns how it was read, None where it is as the store has it."""
        if not self.afresh and self._is_unchanged(raw):
            return None
        made = read(self._resource, raw, self._options)
        if made.head is not None:
            key = made.head.key
            self._forget(key)
            if made.object is not None:
                self._objects[key] = made.object
            elif not made.decoded and self._known(key) is not None:
                self._unchanged.add(key)
        return made

    def _is_unchanged(self, raw: Octets) -> bool:
        """Whether the store has the object in this state, which is noted then."""
        try:
            top = head(self._resource, raw)
        except DecodeError:
            return False
        if self._known(top.key) != top.stamp:
            return False
        self._forget(top.key)
        self._unchanged.add(top.key)
        return True

    def drop(self, key: Key) -> None:
        """Takes an object out: it went while the list came in."""
        self._forget(key)

    def stamp(self, key: Key) -> Stamp | None:
        """The state of an object in the list; None where there is none of use."""
        if key in self._unchanged:
            return self._known(key)
        made = self._objects.get(key)
        return None if made is None else made.stamp

    def reset(self) -> Reset:
        """The list, now that it is whole."""
        return Reset(self._resource, tuple(self._objects.values()), frozenset(self._unchanged))

    def _forget(self, key: Key) -> None:
        self._objects.pop(key, None)
        self._unchanged.discard(key)
