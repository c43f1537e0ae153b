"""The differences from CoreDNS that are meant to be, as docs/records.md and the directives' pages tell them.

Each row says of one difference between two replies whether it is its own, from the question and both replies alone, so
tightly that a mistake of another sort isn't taken for it. What no reply shows (which upstream was asked, what happens
while the cluster is read) has no row.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kdns.diff import cluster, directives, others
from kdns.diff.difference import Difference
from kdns.diff.verdict import Explains, Intended, Pair
from kdns.dns.names import Name, fold, from_text, is_below

REVERSE: Final = tuple(map(from_text, ("in-addr.arpa", "ip6.arpa")))


def table(zones: Iterable[str] = (), *, used: Iterable[str] = ()) -> tuple[Intended, ...]:
    """The rows for a server of these zones of a cluster, with its reverse zones, in which these directives are used."""
    primary = tuple(fold(from_text(zone)) for zone in zones)
    own = (*primary, *REVERSE) if primary else ()
    scopes = {"cluster": primary, "reverse": own[len(primary) :], "own": own}
    names = frozenset(used)
    rows = (*(row for row in directives.ROWS if row.name in names), *cluster.ROWS, *others.ROWS)
    return tuple(Intended(row.name, row.reason, _within(scopes, row.scope, row.explains)) for row in rows)


def _within(scopes: Mapping[str, Sequence[Name]], scope: str, explains: Explains) -> Explains:
    """The same for names of a scope alone."""
    if scope == "any":
        return explains
    zones = scopes["own" if scope == "others" else scope]

    def holds(pair: Pair, difference: Difference) -> bool:
        inside = any(is_below(fold(pair.question.name), zone) for zone in zones)
        return inside == (scope != "others") and explains(pair, difference)

    return holds
