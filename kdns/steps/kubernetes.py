"""The cluster's zone as a step: answers the names it owns, and passes on only what isn't its own or falls through.

An ExternalName that leads out of the zone is answered by the CNAMEs and what the whole chain
says of their target: the CNAMEs stay, the rcode is the target's (RFC 6604 section 3). Such an
answer depends on others than the cluster, so it names no owners and isn't remembered.
What a name denotes is zone.schema's; how octets of an upstream continue an answer dns.message's.
"""

from collections.abc import Callable
from typing import Final

from kdns.config.directives.kubernetes import Kubernetes as Settings
from kdns.dns import types
from kdns.dns.names import Name
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Failed, Outcome, Relayed, Request, Rest, Whole, asked_then
from kdns.steps.copying import whole
from kdns.steps.leading import continued
from kdns.zone import schema, stale
from kdns.zone.described import zone_of
from kdns.zone.index import Index
from kdns.zone.listing import listing
from kdns.zone.schema import Zone

NAME: Final = "kubernetes"


def make(settings: Settings, around: Around) -> "Kubernetes":
    """The step of one directive: its zones, of the cluster that all of them share."""
    return Kubernetes(around.index, zone_of(settings, around.addresses), around.entrance)


class Kubernetes:
    """Answers from the index."""

    __slots__ = ("_entrance", "_index", "_zone", "places")

    def __init__(self, index: Index, zone: Zone, entrance: Rest | None = None) -> None:
        """Targets outside the zone are asked for at the entrance; without one, at the steps after this."""
        self._index = index
        self._zone = zone
        self.places = tuple(origin for origin, _ in zone.places)
        self._entrance = entrance

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if not query.name.endswith(self.places) or query.qclass != types.IN:  # and so in none of the zones
            return rest(request, done)
        found = schema.answer(self._index, self._zone, query)
        if found is None:
            return asked_then(of_this_moment, rest, request, done)
        answer = stale.marked(found.answer) if self._index.stale else found.answer
        if found.chase is None:
            return Answered(answer, found.owners, NAME, found.alike)
        target = request._replace(query=query.replace(qname=found.chase))
        return asked_then(lambda outcome: continued(query, answer, outcome, NAME), self._entrance or rest, target, done)

    def whole(self, zone: Name) -> Whole | Failed | None:
        """As transfer.Source.whole; reverse zones can't be had."""
        if not any(is_primary and zone == origin for origin, is_primary in self._zone.places):
            return None
        return whole(self._index, lambda: listing(self._index, self._zone, zone), NAME)

    def notify(self, tell: Callable[[Name], None]) -> None:
        """As transfer.Source.notify: the cluster changes all the time, so nobody is told, as in CoreDNS."""


def of_this_moment(outcome: Outcome) -> Outcome:
    """What is said of a name that fell through: the next change of the cluster may give us one to say."""
    return outcome._replace(until=0.0) if isinstance(outcome, Relayed) else outcome


__all__ = ["NAME", "Kubernetes", "make", "of_this_moment", "zone_of"]
