"""Routes: which server block answers a question that came in at a door, and what its replies follow.

The longest zone that the name lies in decides; among the blocks of that zone the first whose view takes the question. A
question for DS goes to the zone above, where DS records are (RFC 4035 section 2.4), if there is a block for it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from kdns.dns import types
from kdns.dns.names import ROOT, Name, is_below
from kdns.dns.query import Query
from kdns.dns.reply import UDP_LIMIT
from kdns.dns.rules import UNCHANGED, FlagChange
from kdns.steps.chain import Client, Failed, Rest

if TYPE_CHECKING:  # most servers log no questions, and don't carry what that needs
    from kdns.steps.lineformat import Rule

Takes: TypeAlias = Callable[[Query, Client], bool]


class Manner(NamedTuple):
    """What all replies of a server block follow."""

    recursion: bool = False  # whether foreign names are asked for (RA)
    rotate: bool = True  # whether addresses change places from reply to reply
    datagram: int = UDP_LIMIT  # octets of the largest one, whatever the client takes
    chaos: bool = False  # whether it answers the class CH
    remembers: bool = True  # whether a reply to one client may be given to others, unseen by the block
    minimal: bool = False  # whether what records don't need is left out
    asks: FlagChange = UNCHANGED  # what becomes of a question's flags
    says: FlagChange = UNCHANGED  # what becomes of a reply's
    identifier: bytes = b""  # of the server, for clients that ask for it; empty where nothing is told


class Block(NamedTuple):
    """A server block at work."""

    where: tuple[str, str]  # as metrics name it: the key that names lie in, and the view or nothing
    chain: Rest
    manner: Manner = Manner()
    takes: Takes | None = None  # the view; without one it takes all questions for its zone
    failed: Callable[[Query, Failed], None] | None = None  # told of each question that failed
    logs: "tuple[Rule, ...]" = ()  # which questions are logged, and how
    guarded: bool = False  # acl looks at its questions


_REFUSED: Final = Failed(types.REFUSED)
# What answers where no block does. CoreDNS counts these as of the zone "dropped".
NOBODY: Final = Block(("dropped", ""), lambda _request, _done: _REFUSED)


class Routes:
    """The routes of a door."""

    __slots__ = ("_all", "guarded", "only", "recursion")

    def __init__(self, routes: Sequence[tuple[Name, Block]]) -> None:
        """The longest zones first; of one zone in the order in which views are asked."""
        self._all = tuple(routes)
        alone = len(routes) == 1 and routes[0][0] == ROOT and routes[0][1].takes is None
        self.only: Final = routes[0][1] if alone else None  # most servers have one block for all names
        self.guarded: Final = frozenset(block.where for _, block in routes if block.guarded)
        self.recursion: Final = any(block.manner.recursion for _, block in routes)

    def find(self, query: Query, client: Client) -> Block:
        """The block that a question goes to, NOBODY if there is none."""
        if self.only is not None:
            return self.only
        above = query.qtype == types.DS
        name, own = query.name, None
        for zone, block in self._all:
            if not is_below(name, zone) or (block.takes is not None and not block.takes(query, client)):
                continue
            if not above or name != zone:
                return block
            own = own or block
        return own or NOBODY
