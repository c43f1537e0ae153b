"""An audit: what is known of a resource compared with the metadata of all that the API server has (K27).

A watch can lose an event without either side knowing. An audit lists names, uids and versions alone, in pages of one
consistent state, and notes as suspects all that differ from what is known, but for objects that changed after
that state. What differs may only be on its way: a suspect counts once nothing has been heard of it until a second look.
Knows nothing of how pages are asked for, nor of what is done about suspects.
Source: Kubernetes API Concepts, "Metadata-only fetches".
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from kdns.cluster import decode, targets
from kdns.cluster.decode import DecodeError
from kdns.cluster.draft import Known
from kdns.cluster.history import is_before
from kdns.cluster.objects import Key, Resource, Stamp
from kdns.cluster.targets import Request

SECOND_LOOK_S: Final = 10.0  # after the first; an event on its way takes far less


class Beginning(NamedTuple):
    """Where an audit began."""

    at: float  # seconds of the reflector's clock
    lists: int  # there had been by then
    version: str  # the place in the history


class Audit:
    """One comparison, under way until request is None."""

    __slots__ = ("_known", "_resource", "_selector", "_unlisted", "began", "left_out", "request", "suspects", "version")

    def __init__(
        self,
        resource: Resource,
        known: Known,
        keys: Iterable[Key],
        left_out: set[int],
        began: Beginning,
        selector: str = "",
    ) -> None:
        """Takes keys: of all that is known now; left_out: hashes of heads that nobody wants, a set of the audit's own."""
        self.began: Final = began
        self.version = ""  # of the state that is listed
        self.request: Request | None = targets.heads(resource, "", selector)
        self.suspects: dict[Key, Stamp | None] = {}  # what was known of each at the first look
        self.left_out: Final = left_out  # in the end: those that nobody has any more
        self._resource: Final = resource
        self._selector: Final = selector
        self._known = known
        self._unlisted = set(keys)

    def page(self, octets: bytes) -> Iterator[None]:
        """A page has come; goes on by an object with each step. Raises DecodeError."""
        page = decode.page(octets)
        self.version = page.version
        for raw in page.items:
            try:
                head = decode.head(self._resource, raw)
            except DecodeError:  # without a name it is nobody's
                continue
            self._unlisted.discard(head.key)
            if hash(head) in self.left_out:
                self.left_out.discard(hash(head))
            else:
                self._look(head.key, head.stamp)
            yield
        self.request = targets.heads(self._resource, page.token, self._selector) if page.token else None
        if not page.token:
            for key in self._unlisted:
                self._look(key, None)
            self._unlisted.clear()

    def second_look(self) -> dict[Key, Stamp | None]:
        """The suspects of which nothing has been heard since the first look, and what is known of each."""
        return {key: before for key, before in self.suspects.items() if self._known(key) == before}

    def _look(self, key: Key, listed: Stamp | None) -> None:
        known = self._known(key)
        if known != listed and not (known and is_before(self.version, known.version)):
            self.suspects[key] = known
