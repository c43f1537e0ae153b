"""searchpath: completes names in the place of clients that go through a search list, by what stands in the names.

The first name that a client asks for has its namespace in it: www.example.com.N.svc.Z. So the list is known without
knowing the pod. Completed is what has two labels or more before N.svc.Z, as long as N is a namespace and the label next to N
none of its Services: nothing of the cluster can have such a name. The moment that a Service is there, what it has is
the answer; so an answer depends on the owner (N, label), on the namespace, and on all that was asked for.

Short names are completed for clients without a list, as in a pod of the namespaces that the settings name; other names, by
the list of domains that the settings have, as glibc goes through one.
How the names are asked for is walk's.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from kdns.config.directives.searchpath import Searchpath as Settings
from kdns.dns import names, types
from kdns.dns.names import Name, is_below, label_text
from kdns.dns.query import Query
from kdns.steps.around import Around, Samples
from kdns.steps.chain import TRANSFERS, Answered, Done, Outcome, Relayed, Request, Rest, asked_then
from kdns.steps.searchlist import completed, domains_of, in_pod
from kdns.steps.walk import Walk, Way
from kdns.zone.alike import Uncompleted, Unowned
from kdns.zone.described import label
from kdns.zone.entry import Kind, Owner, namespace_owner_of
from kdns.zone.index import Index
from kdns.zone.terms import SVC, labels_before

NAME: Final = "searchpath"
NAMESPACES_MAX: Final = 64  # that are counted apart; the others together
OTHERS: Final = "other"

_ARPA: Final = names.from_text("arpa")  # of addresses: no client goes through a list for them
_SHORT_MAX: Final = 4  # labels of a short name: those of an endpoint's name below N.svc


def make(settings: Settings, around: Around) -> "Searchpath":
    """The step."""
    assert around.cluster is not None, "config.servers has looked"
    origins = tuple(zone for zone in around.cluster.origins if any(is_below(zone, each) for each in settings.zones))
    return Searchpath(
        around.index,
        origins,
        domains_of(settings.resolv_conf, around.log, around.cluster.origins),
        around.zones,
        settings,
        around.cluster.ttl_s,
        frozenset(map(label, around.cluster.namespaces)),
    )


class Searchpath:
    """Completes names and passes on what it has nothing to do with."""

    __slots__ = (
        *(
            "_asked",
            "_domains",
            "_ends",
            "_index",
            "_list",
            "_long",
            "_ndots",
            "_namespaces",
            "_origins",
            "_questions",
            "_short",
            "_ttl_s",
        ),
        *("_whole", "_zones", "places"),
    )

    def __init__(
        self,
        index: Index,
        origins: Sequence[Name],
        domains: Sequence[Name],
        zones: Sequence[Name],
        settings: Settings,
        ttl_s: int,
        namespaces: frozenset[bytes] = frozenset(),
    ) -> None:
        """Origins are the cluster's primary zones, domains follow in each list; namespaces are all that are shown, or none.

        Zones are those of the server block: what lies in no zone of it isn't asked for.
        """
        self._index = index
        self._origins = tuple(origins)
        self._domains = tuple(domains)
        self._zones = tuple(zones)
        self._whole = names.ROOT in zones
        self._ttl_s = ttl_s
        self._namespaces = namespaces
        self._long = not settings.no_completion
        self._short = tuple(map(label, settings.short))
        self._list, self._ndots = settings.list, settings.ndots
        self._ends = tuple(Name(SVC + origin) for origin in origins) if self._long else ()
        # Short names may end in anything.
        self.places = (names.ROOT,) if self._short or self._list else self._ends
        self._questions: Counter[tuple[str, str]] = Counter()  # by namespace and what came of it
        self._asked: Counter[str] = Counter()  # names, by namespace

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if query.qclass != types.IN or query.qtype in TRANSFERS:
            return rest(request, done)
        for end in self._ends:
            if is_below(query.name, end):
                return self._ask_below(request, len(query.name) - len(end), rest, done)
        if (self._short or self._list) and not any(is_below(query.name, origin) for origin in (*self._origins, _ARPA)):
            path = self._short_path(query) or self._listed_path(query)
            if path:
                return Walk(Way(path, NAME, self._ttl_s), rest).ask(request, done)
        return rest(request, done)

    def counts_at(self, server: str, zones: str, view: str) -> Samples:  # noqa: ARG002 - as every step's
        """Samples as steps.around has them."""
        counted: dict[tuple[str, tuple[str, ...]], float] = {}
        for key, count in self._questions.items():
            counted["kdns_searchpath_questions_total", key] = count
        for namespace, count in self._asked.items():
            counted["kdns_searchpath_asked_total", (namespace,)] = count
        return counted

    # Long names

    def _ask_below(self, request: Request, cut: int, rest: Rest, done: Done) -> Outcome | None:
        """The answer to a name with so many octets before svc.Z."""
        query = request.query
        labels = labels_before(query.name, cut)
        owners = None if labels is None else self._unowned(labels)
        if labels is None or owners is None:
            return asked_then(_narrowed, rest, request, done)
        base = query.qname[: cut - len(labels[-1])]
        path = [query.qname, *self._others(base, labels[-1], Name(query.qname[cut + len(SVC) :]))]
        walk = Walk(Way(path, NAME, self._ttl_s, owners), rest)
        namespace = self._counted(labels[-1])

        def tell(outcome: Outcome) -> Outcome:
            self._questions[namespace, _result(outcome)] += 1
            self._asked[namespace] += walk.length
            return outcome

        return asked_then(tell, walk.ask, request, done)

    def _unowned(self, labels: Sequence[bytes]) -> tuple[Owner, ...] | None:
        """Whom it depends on that a name with these labels before svc.Z is completed; None if it isn't."""
        if len(labels) < 3 or (self._namespaces and labels[-1] not in self._namespaces):
            return None
        namespace = namespace_owner_of(labels[-1])
        owner = Owner(labels[-2] + labels[-1])
        entries = self._index.entries
        if namespace not in entries:
            return None
        entry = entries.get(owner)
        return (namespace, owner) if entry is None or entry[0] == Kind.SLICES_ONLY else None

    def _others(self, base: bytes, namespace: bytes, origin: Name) -> list[Name]:
        """The names that a client of the namespace asks for next."""
        domains = list(in_pod(namespace, origin, self._domains))[1:]
        path = list(completed(base, domains))
        return path if self._whole else [name for name in path if self._serves(name)]

    def _serves(self, name: Name) -> bool:
        folded = names.fold(name)
        return any(is_below(folded, zone) for zone in self._zones)

    def _counted(self, label: bytes) -> str:
        """What metrics call a namespace, of which there are only so many."""
        name = label_text(label[1:])
        return name if name in self._asked or len(self._asked) < NAMESPACES_MAX else OTHERS

    # Short names

    def _short_path(self, query: Query) -> list[Name]:
        """The names that a client of the short namespaces asks for, the name itself last; none for a name that isn't short."""
        labels = labels_before(query.name, len(query.name) - 1) or []
        count = sum(1 for label in labels if label[1:2] != b"_")
        if not (self._short and self._origins) or not 0 < count <= _SHORT_MAX or (count > 2 and labels[-1] != SVC):
            return []
        base = query.qname[:-1]
        origin = self._origins[0]
        domains = [*(Name(each + SVC + origin) for each in self._short), Name(SVC + origin), origin]
        return list(completed(base, domains))

    def _listed_path(self, query: Query) -> list[Name]:
        """The names that a client with the settings' list asks for; none where there is no list."""
        labels = labels_before(query.name, len(query.name) - 1)
        if not self._list or not labels:
            return []
        path = list(completed(query.qname[:-1], self._list))  # the name itself is last
        return path if len(labels) <= self._ndots else [path[-1], *path[:-1]]


def _narrowed(outcome: Outcome) -> Outcome:
    """The outcome; a denial for those names alone that are never completed."""
    if isinstance(outcome, Answered) and isinstance(outcome.alike, Unowned):
        return outcome._replace(alike=Uncompleted(outcome.alike.end, outcome.alike.zone, every=False))
    return outcome


def _result(outcome: Outcome) -> str:
    """What came of a question, as metrics have it."""
    if isinstance(outcome, Answered):
        rcode, empty = outcome.answer.rcode, not outcome.answer.answers
    elif isinstance(outcome, Relayed):
        rcode, empty = outcome.octets[3] & 15, not (outcome.octets[6] or outcome.octets[7])
    else:
        return "failed"
    if rcode == types.NXDOMAIN or empty:
        return "denied"
    return "completed" if outcome.by == NAME else "found"
