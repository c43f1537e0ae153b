"""autopath: goes through a client's search list in its place, where the first name asked for is in the list's first domain.

The list is that of the client's pod, found by its address, or one for all clients, from a file. Whether a pod with that
address is in a namespace is told by the owner of its name, so nothing is kept of pods but what pods verified keeps. What
one client's list has come to is never remembered for others: neither is a denial that another's list may lead on from.
How the names are asked for is walk's.
Source: CoreDNS 1.14, plugin/autopath and plugin/kubernetes.
"""

import socket
from collections.abc import Sequence
from typing import Final

from kdns.config.directives.autopath import Autopath as Settings
from kdns.config.directives.searchpath import RESOLV_CONF
from kdns.dns import types
from kdns.dns.names import Name, is_below
from kdns.steps.apart import apart
from kdns.steps.around import Around
from kdns.steps.chain import TRANSFERS, Answered, Done, Outcome, Relayed, Request, Rest, Step, asked_then
from kdns.steps.searchlist import completed, domains_of, in_pod
from kdns.steps.walk import Walk, Way
from kdns.zone.alike import Uncompleted, Unowned
from kdns.zone.entry import namespace_owner_of, pod_owner_of
from kdns.zone.index import Index
from kdns.zone.terms import SVC, labels_before

NAME: Final = "autopath"
TTL_S: Final = 30  # of the CNAME at the most, where no cluster's zone says how long something is remembered

_MAPPED: Final = "::ffff:"  # how the address of a client over IPv4 begins at a socket for both families


def make(settings: Settings, around: Around) -> Step | None:
    """The step; none where there is no list."""
    file = settings.search.file
    if file is not None:
        domains = domains_of(file, around.log)
        return Listed(domains, settings.zones) if domains else None
    if around.cluster is None:
        return None
    origins = around.cluster.origins
    domains = domains_of(RESOLV_CONF, around.log, origins)
    return OfPods(around.index, origins, domains, settings.zones, around.cluster.ttl_s)


class Listed:
    """One list for all clients."""

    __slots__ = ("_domains", "_first", "_zones", "places")

    def __init__(self, domains: Sequence[Name], zones: Sequence[Name]) -> None:
        """At least one domain; zones are those of the names that are completed."""
        self._first, *self._domains = domains
        self._zones = tuple(zones)
        self.places = (self._first,)

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query, first = request.query, self._first
        name = query.name
        if not is_below(name, first) or query.qclass != types.IN or query.qtype in TRANSFERS:
            return rest(request, done)
        if name == first or not any(is_below(name, zone) for zone in self._zones):
            return asked_then(self._apart, rest, request, done)
        base = query.qname[: -len(first)]
        path = (query.qname, *completed(base, self._domains))
        return Walk(Way(path, NAME, TTL_S), rest).ask(request, done)

    def _apart(self, outcome: Outcome) -> Outcome:
        """The outcome; no denial that holds for names that are completed."""
        return apart(outcome, (self._first,)) or outcome


class OfPods:
    """The lists of pods."""

    __slots__ = ("_domains", "_index", "_ttl_s", "_zones", "places")

    def __init__(
        self, index: Index, origins: Sequence[Name], domains: Sequence[Name], zones: Sequence[Name], ttl_s: int
    ) -> None:
        """Origins are the cluster's primary zones; domains follow in each list; zones are those of the names that are completed."""
        self._index = index
        self._domains = tuple(domains)
        self._zones = tuple(zones)
        self._ttl_s = ttl_s
        self.places = tuple(Name(SVC + origin) for origin in origins)

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        name = query.name
        if (
            query.qclass != types.IN
            or query.qtype in TRANSFERS
            or not any(is_below(name, zone) for zone in self._zones)
        ):
            return rest(request, done)
        for end in self.places:
            if is_below(name, end):
                return self._ask_below(request, len(name) - len(end), rest, done)
        return rest(request, done)

    def _ask_below(self, request: Request, cut: int, rest: Rest, done: Done) -> Outcome | None:
        """The answer to a name with so many octets before svc.Z."""
        query = request.query
        labels = labels_before(query.name, cut) or []
        if len(labels) < 2:
            return rest(request, done)
        namespace = labels[-1]
        if pod_owner_of(namespace, _address_of(request.client.host)) not in self._index.entries:
            there = namespace_owner_of(namespace) in self._index.entries
            return asked_then(_not_for_pods if there else _narrowed, rest, request, done)
        base = query.qname[: cut - len(namespace)]
        origin = Name(query.qname[cut + len(SVC) :])
        others = list(in_pod(namespace, origin, self._domains))[1:]
        path = (query.qname, *completed(base, others))
        return Walk(Way(path, NAME, self._ttl_s, None), rest).ask(request, done)


def _address_of(host: str) -> bytes:
    """The octets of an address; none where it isn't one."""
    text = host.partition("%")[0]
    if "." in text:
        text = text.removeprefix(_MAPPED)
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        return b""


def _not_for_pods(outcome: Outcome) -> Outcome:
    """What is said to who isn't a pod of the namespace; where it is a denial, its pods may be told something else."""
    if isinstance(outcome, Answered) and outcome.answer.rcode == types.NXDOMAIN:
        return outcome._replace(owners=(), alike=None)
    return outcome._replace(until=0.0) if isinstance(outcome, Relayed) else outcome


def _narrowed(outcome: Outcome) -> Outcome:
    """The outcome of a name in no namespace; a denial for such names alone."""
    if isinstance(outcome, Answered) and isinstance(outcome.alike, Unowned):
        return outcome._replace(alike=Uncompleted(outcome.alike.end, outcome.alike.zone, every=True))
    return outcome
