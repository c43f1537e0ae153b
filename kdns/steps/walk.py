"""A walk along a search path: names are asked for one after the other, and the first that exists is the answer.

The rest of the chain is asked for each name as if the client did, so policy sees every one of them. A name exists unless it
is denied by NXDOMAIN: one without records of the type asked ends the walk, too, so that all types of a name are answered
with the same one. What fails ends the walk, since nobody knows then whether the name exists. If none exists, the
answer is what was said of the name that the client asked for, for as long as all denials last.

The answer to another name than that asked for is a CNAME and the records. It depends on all that was said on
the way: on every owner, and on the second in which the first of an upstream's replies passes.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from kdns.dns import foreign, types
from kdns.dns.lead import lead
from kdns.dns.names import Name
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.dns.translation import soa_ttl
from kdns.dns.wire import WireError
from kdns.steps.chain import Answered, Done, Failed, Outcome, Relayed, Request, Rest, Transfer
from kdns.steps.leading import continued
from kdns.zone.entry import Owner

_GOOD: Final = frozenset((types.NOERROR, types.NXDOMAIN))


class Way(NamedTuple):
    """Where a walk leads, and what is said of what it finds."""

    path: Sequence[Name]  # the names, in the order in which they are asked for; the client's own is among them
    by: str  # who answers, where another name than the client's is found
    ttl_max: int  # seconds, of the CNAME
    owners: tuple[Owner, ...] | None = ()  # what the way depends on already; None for one that is the client's alone


class Walk:
    """One question's walk."""

    __slots__ = ("_at", "_denied", "_denied_s", "_done", "_owners", "_request", "_rest", "_until", "_way")

    def __init__(self, way: Way, rest: Rest) -> None:
        self._way = way
        self._rest = rest
        self._at = 0  # names asked for
        self._denied: Outcome | None = None  # what was said of the client's own name
        self._denied_s = math.inf  # how long upstreams' denials last
        self._owners = way.owners
        self._until = math.inf

    @property
    def length(self) -> int:
        """How many names have been asked for."""
        return self._at

    def ask(self, request: Request, done: Done) -> Outcome | None:
        """Answers the question whose name is on the way, once; as Step.ask."""
        self._request = request
        self._done = done
        return self._go()

    def _go(self) -> Outcome | None:
        query, path = self._request.query, self._way.path
        while self._at < len(path):
            name = path[self._at]
            self._at += 1
            asked = self._request if name == query.qname else self._request._replace(query=_for(query, name))
            outcome = self._rest(asked, self._arrived)
            if outcome is None:
                return None
            found = self._judged(name, outcome)
            if found is not None:
                return found
        return self._none_there()

    def _arrived(self, outcome: Outcome) -> None:
        """What was waited for is there."""
        try:
            found = self._judged(self._way.path[self._at - 1], outcome) or self._go()
        except Exception as fault:  # noqa: BLE001 - whoever runs the chain isn't below us any more; it gets the fault as a value
            found = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), cause=fault)
        if found is not None:
            self._done(found)

    def _judged(self, name: Name, outcome: Outcome) -> Outcome | None:
        """The answer, if the walk ends here."""
        if isinstance(outcome, (Failed, Transfer)):
            return outcome
        own = name == self._request.query.qname
        rcode = outcome.answer.rcode if isinstance(outcome, Answered) else foreign.rcode(outcome.octets)
        if own and self._at == 1 and rcode != types.NXDOMAIN:
            return outcome  # the same without any list
        if rcode not in _GOOD:
            error = outcome.answer.error if isinstance(outcome, Answered) else outcome.error
            return _alone(outcome) if own else Failed(rcode, error, outcome.by)
        self._depend_on(outcome)
        if rcode == types.NOERROR:
            return self._dependent(outcome) if own else self._led(name, outcome)
        if own:
            self._denied = outcome
        elif isinstance(outcome, Relayed):
            self._denied_s = min(self._denied_s, soa_ttl(_for(self._request.query, name), outcome.octets))
        return None

    def _depend_on(self, outcome: Answered | Relayed) -> None:
        owners = outcome.owners
        if isinstance(outcome, Relayed):
            self._until = min(self._until, outcome.until)
        else:
            self._until = min(self._until, math.inf if outcome.until is None else outcome.until)
            if not owners:
                self._owners = None
        if self._owners is not None:
            self._owners += owners

    def _dependent(self, outcome: Answered | Relayed) -> Outcome:
        """The outcome, to be remembered for no longer than all that it depends on lasts."""
        owners, until = self._owners, self._until
        if isinstance(outcome, Relayed):
            return outcome._replace(until=0.0 if owners is None else until, owners=owners or (), lasting=None)
        passing = None if until == math.inf else until
        return outcome._replace(owners=owners if owners and until else (), until=passing, alike=None)

    def _led(self, name: Name, outcome: Answered | Relayed) -> Outcome:
        """The answer that another name than the client's has."""
        query, by, ttl_max = self._request.query, self._way.by, self._way.ttl_max
        if isinstance(outcome, Answered):
            ttl_max = min([ttl_max, *(records.ttl for records in outcome.answer.answers[:1])])
        cname = Answer(
            answers=(RecordSet(query.qname, types.CNAME, ttl_max, (name,)),), authoritative=_authoritative(outcome)
        )
        if query.qtype == types.CNAME:
            return self._dependent(Answered(cname, by=by))
        if isinstance(outcome, Relayed):
            try:
                octets, rotation = lead(query, name, outcome.octets, outcome.rotation, ttl_max)
            except WireError:
                return _alone(continued(query, cname, outcome, by))
            tidy = not foreign.truncated(octets)
            return self._dependent(Relayed(octets, by, outcome.until, outcome.error, rotation, tidy))
        made = continued(query, cname, outcome, by)
        return self._dependent(made) if isinstance(made, Answered) else made

    def _none_there(self) -> Outcome:
        """What was said of the client's own name, for no longer than the others are denied."""
        denied = self._denied
        assert isinstance(denied, (Answered, Relayed)), "the client's own name is on the way"
        if isinstance(denied, Answered) and self._denied_s < math.inf:
            ttl = int(self._denied_s)
            authority = tuple(each._replace(ttl=min(each.ttl, ttl)) for each in denied.answer.authority)
            denied = denied._replace(answer=denied.answer._replace(authority=authority))
        return self._dependent(denied)


def _authoritative(outcome: Answered | Relayed) -> bool:
    """Whether who answers does so for a zone of its own: nobody knows better than that of a name which leads there."""
    if isinstance(outcome, Answered):
        return outcome.answer.authoritative
    return bool(outcome.octets[2] << 8 & types.AA)


def _for(query: Query, name: Name) -> Query:
    """The question for another name; as Query.replace, for a third of the time."""
    return Query(
        name,
        query.qtype,
        query.qclass,
        query.id,
        query.flags,
        None,
        query.edns,
        query.payload,
        query.do,
        query.options,
        query.edns_version,
        query.upstream_options,
    )


def _alone(outcome: Outcome) -> Outcome:
    """The outcome for this question alone."""
    if isinstance(outcome, Answered):
        return outcome._replace(owners=(), alike=None)
    return outcome._replace(until=0.0) if isinstance(outcome, Relayed) else outcome
