"""An explanation as people read it. Decides nothing of what is said."""

from collections.abc import Iterator
from typing import Final

from kdns.explain.explanation import Candidate, Endpoint, Explanation, Object, Outcome

_MARKS: Final[dict[Outcome, str]] = {
    "answered": "✔",
    "no-data": "✘",
    "no-name": "✘",
    "failed": "✘",
    "passed-on": "?",
    "not-asked": "·",
}
_WORDS: Final[dict[Outcome, str]] = {
    "answered": "answered",
    "no-data": "no data",
    "no-name": "no such name",
    "failed": "fails",
    "passed-on": "passed on",
    "not-asked": "not asked",
}
_COLOURS: Final = {"✔": "32", "✘": "31", "?": "33", "·": "2"}
_ENDPOINTS_MAX: Final = 20


def as_text(explanation: Explanation, *, colour: bool = False) -> str:
    """For people."""
    return "".join(f"{line}\n" for line in _lines(explanation, colour=colour))


def _lines(told: Explanation, *, colour: bool) -> Iterator[str]:
    yield f"{told.name} {' '.join(told.types)}, as {told.path.whose} asks, by {told.source}"
    yield ""
    width = max((len(each.name) for each in told.candidates), default=0)
    for number, candidate in enumerate(told.candidates, 1):
        mark = _coloured(_MARKS[candidate.outcome], colour=colour)
        words = f"{_WORDS[candidate.outcome]:<12}"
        yield f"  {number} {mark} {candidate.name:<{width}}  {words}  {candidate.why}".rstrip()
    for candidate in told.candidates:
        if candidate.outcome == "answered" or (candidate.outcome == "failed" and any(candidate.replies)):
            yield from _records(candidate)
        if candidate.objects and (candidate.outcome == "answered" or not told.answered):
            yield from _objects(candidate, colour=colour)
    if told.reasons:
        yield from ("", "What may be the matter")
        yield from (f"  - {reason.text}" for reason in told.reasons)
    yield from _end(told)


def _coloured(mark: str, *, colour: bool) -> str:
    return f"\x1b[{_COLOURS[mark]}m{mark}\x1b[0m" if colour else mark


def _records(candidate: Candidate) -> Iterator[str]:
    records = [record for reply in candidate.replies for record in (*reply.records, *reply.additional)]
    leads_to = dict.fromkeys(reply.leads_to for reply in candidate.replies if reply.leads_to)
    if records:
        yield from ("", f"Records ({candidate.rule})" if candidate.rule else "Records")
    yield from dict.fromkeys(f"  {each.name} {each.ttl} IN {each.type} {each.data}" for each in records)
    yield from (f"  and what upstreams say of {target}, who weren't asked" for target in leads_to)


def _objects(candidate: Candidate, *, colour: bool) -> Iterator[str]:
    yield from ("", f"Objects behind {candidate.name}")
    for each in candidate.objects:
        yield f"  {_named(each)}"
        shown = each.endpoints[:_ENDPOINTS_MAX]
        width = max((len(", ".join(one.addresses)) for one in shown), default=0)
        yield from (f"    {_endpoint(one, width, colour=colour)}" for one in shown)
        if len(each.endpoints) > len(shown):
            yield f"    … and {len(each.endpoints) - len(shown)} more"
        hidden = each.not_ready - sum(one.ready is False for one in each.endpoints)
        if hidden > 0:
            yield f"    and {hidden} not ready"


def _named(each: Object) -> str:
    name = f"{each.namespace}/{each.name}" if each.namespace else each.name
    said = [f"resourceVersion {each.resource_version}" if each.resource_version else "", each.place, each.says]
    said.append(f"written for a change at {each.changed}" if each.changed else "")
    return "  ".join((f"{each.kind} {name}", *filter(None, said)))


def _endpoint(each: Endpoint, width: int, *, colour: bool) -> str:
    ready = each.ready is not False
    mark = _coloured("✔" if ready else "✘", colour=colour)
    addresses = ", ".join(each.addresses)
    words = "ready" if ready else "not ready"
    since = f"{words} since {each.since}" if each.since else f"{words}, since when isn't known"
    rest = [each.hostname, f"pod {each.pod}" if each.pod else "", each.why]
    return "  ".join((f"{mark} {addresses:<{width}}", since, *filter(None, rest)))


def _end(told: Explanation) -> Iterator[str]:
    fresh = told.freshness
    yield ""
    yield f"Cost       {told.queries} {'query' if told.queries == 1 else 'queries'}: {_cost(told)}"
    state = ", from a snapshot: stale" if fresh.stale else ""
    workers = f"; workers serve {', '.join('nothing' if each is None else str(each) for each in fresh.workers)}"
    yield f"Freshness  revision {fresh.revision}, serial {fresh.serial}{state}{workers if fresh.workers else ''}"
    for each in fresh.resources:
        age = "not known to be current" if each.age_s is None else f"current {each.age_s:.1f} s ago"
        said = f"{each.objects} {each.name}, {age if each.synced else 'not listed yet'}"
        yield f"           {said}: {each.trouble}" if each.trouble else f"           {said}"
    yield from (f"Note       {note}" for note in told.notes)


def _cost(told: Explanation) -> str:
    asked = sum(each.outcome != "not-asked" for each in told.candidates)
    names = f"{asked} {'name' if asked == 1 else 'names'}, {' and '.join(told.types)}{' each' if asked > 1 else ''}"
    if asked > 1 and told.answered:
        return f"{names}; {told.answered} with its final dot takes {len(told.types)}"
    return names
