"""view: which questions a server block takes, by the conditions of its directive.

A condition sees the question as it came in, before any step. What it says of two clients may differ; kind tells them apart,
so that what is remembered for one is given to others of its kind alone. Where a condition reads what differs from question
to question, the id or the client's port, nothing may be remembered at all.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from kdns.config.directives.view import View
from kdns.config.expressions import Expression
from kdns.dns import summary
from kdns.dns.query import Query
from kdns.dns.wire import HEADER_SIZE
from kdns.steps.chain import Client
from kdns.steps.lineformat import Labels, class_text, type_text

_PASSING: Final = frozenset(("id", "port"))  # what differs though the client asks the same again
_PLACED: Final = frozenset(("bufsize", "proto", "server_ip", "server_port"))
_NAMED: Final = frozenset(("metadata", "name"))
_QUESTION_REST: Final = 4
_OPT: Final = 11
_STREAM_PAYLOAD: Final = 65535


class Place(NamedTuple):
    """Where questions come in: the transport (udp or tcp), and the server's address, "::" for all."""

    transport: str
    host: str
    port: int


class Asked:
    """What conditions may ask of one question."""

    __slots__ = ("client", "labels", "place", "query")

    def __init__(self, query: Query, client: Client, place: Place, labels: Labels | None) -> None:
        self.query = query
        self.client = client
        self.place = place
        self.labels = labels

    def fact(self, name: str) -> str | int | bool:
        return _FACTS[name](self)

    def label(self, name: str) -> str:
        return "" if self.labels is None else self.labels.value(name, self.query.name) or ""


_FACTS: Final[dict[str, Callable[[Asked], str | int | bool]]] = {
    "bufsize": lambda asked: asked.query.payload if asked.place.transport == "udp" else _STREAM_PAYLOAD,
    "class": lambda asked: class_text(asked.query.qclass),
    "client_ip": lambda asked: asked.client.host,
    "do": lambda asked: asked.query.do,
    "id": lambda asked: asked.query.id,
    "name": lambda asked: summary.name_text(asked.query.name),
    "opcode": lambda asked: asked.query.flags >> 11 & 15,
    "port": lambda asked: str(asked.client.port),
    "proto": lambda asked: asked.place.transport,
    "server_ip": lambda asked: asked.place.host,
    "server_port": lambda asked: str(asked.place.port),
    "size": lambda asked: _size(asked.query),
    "type": lambda asked: type_text(asked.query.qtype),
}


def _size(query: Query) -> int:
    size = HEADER_SIZE + len(query.qname) + _QUESTION_REST
    return size + _OPT + len(query.options) if query.edns else size


class Conditions:
    """A view at one place; all of its conditions have to hold."""

    __slots__ = ("_all", "_labels", "_place", "by_client", "by_name", "by_place", "remembers")

    def __init__(self, settings: View, place: Place, labels: Labels | None = None) -> None:
        self._all: Sequence[Expression] = settings.conditions
        self._place = place
        self._labels = labels
        reads = frozenset(fact for each in self._all for fact in each.reads)
        self.remembers: Final = not _PASSING & reads
        self.by_client: Final = "client_ip" in reads  # whether two clients may be treated otherwise
        self.by_name: Final = bool(_NAMED & reads)  # the same of names
        self.by_place: Final = bool(_PLACED & reads)  # the same of places

    def take(self, query: Query, client: Client) -> bool:
        """Whether the question is for the view's server block."""
        asked = Asked(query, client, self._place, self._labels)
        return all(each.holds(asked) for each in self._all)

    def kind(self, host: str) -> tuple[object, ...]:
        """What the conditions make of a client's address: equal for clients whose equal questions they take alike."""
        asked = _Address(host)
        return tuple(each.kind(asked) for each in self._all)


class _Address(NamedTuple):
    """The one fact that kinds are made of."""

    host: str

    def fact(self, name: str) -> str:
        del name
        return self.host

    def label(self, name: str) -> str:
        raise LookupError(name)
