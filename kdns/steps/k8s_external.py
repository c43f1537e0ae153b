"""k8s_external as a step: answers names of outer zones from the cluster's index, and passes on what isn't theirs or falls through.

A load balancer's host name is answered by its CNAME and what the whole chain says of the target, as an ExternalName is.
What a name denotes is zone.outer's.
"""

from collections.abc import Callable
from typing import Final

from kdns.config.directives.k8s_external import K8sExternal as Settings
from kdns.dns import types
from kdns.dns.names import Name
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Failed, Outcome, Request, Rest, Whole, asked_then
from kdns.steps.copying import whole
from kdns.steps.kubernetes import of_this_moment
from kdns.steps.leading import continued
from kdns.zone import outer, stale
from kdns.zone.described import label
from kdns.zone.index import Index
from kdns.zone.listing import outer_listing
from kdns.zone.outer import Outer

NAME: Final = "k8s_external"


def make(settings: Settings, around: Around) -> "K8sExternal":
    """The step of one directive: its zones, of the cluster that the server block's kubernetes shows."""
    zones = Outer(
        origins=settings.origins,
        reverse=settings.reverse,
        fallthrough=settings.fallthrough,
        ttl=settings.ttl_s,
        apex=label(settings.apex),
        headless=settings.headless,
        addresses=around.addresses,
        namespaces=frozenset(map(label, () if around.cluster is None else around.cluster.namespaces)),
    )
    return K8sExternal(around.index, zones, around.entrance)


class K8sExternal:
    """Answers from the index."""

    __slots__ = ("_entrance", "_index", "_zones", "places")

    def __init__(self, index: Index, zones: Outer, entrance: Rest) -> None:
        """Host names are asked for at the entrance."""
        self._index = index
        self._zones = zones
        self.places = tuple(origin for origin, _ in zones.places)
        self._entrance = entrance

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if not query.name.endswith(self.places) or query.qclass != types.IN:  # and so in none of the zones
            return rest(request, done)
        found = outer.answer(self._index, self._zones, query)
        if found is None:
            return asked_then(of_this_moment, rest, request, done)
        prefix, owners = stale.marked(found.answer) if self._index.stale else found.answer, found.owners
        if found.chase is None:
            return Answered(prefix, owners, NAME)
        target = request._replace(query=query.replace(qname=found.chase))
        return asked_then(lambda outcome: continued(query, prefix, outcome, NAME, owners), self._entrance, target, done)

    def whole(self, zone: Name) -> Whole | Failed | None:
        """As transfer.Source.whole; reverse zones can't be had."""
        if zone not in self._zones.origins:
            return None
        return whole(self._index, lambda: outer_listing(self._index, self._zones, zone), NAME)

    def notify(self, tell: Callable[[Name], None]) -> None:
        """As transfer.Source.notify: the cluster changes all the time, so nobody is told, as in CoreDNS."""
