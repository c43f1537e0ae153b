"""A question and evidence in, an explanation out: each candidate of the search path, answered by zone.schema.

The answers are the schema's own, of the index that the server's workers have; nothing is worked out a second time. What the
cluster's zones don't own is passed on, and nobody is asked for it here. Pure.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from kdns.cluster.objects import Key
from kdns.dns import lines, names, types
from kdns.dns.query import Query
from kdns.dns.records import RecordSet
from kdns.explain import hints as hinting
from kdns.explain.denied import Denied
from kdns.explain.evidence import Evidence, below, reverse_address, text
from kdns.explain.explanation import Candidate, Explanation, Object, Outcome, Reason, Record, Reply, Verdict
from kdns.explain.makers import objects, rule
from kdns.explain.path import Question, candidates
from kdns.explain.readiness import unreachable
from kdns.zone import schema, stale
from kdns.zone.entry import Owner
from kdns.zone.terms import Found, Zone

_SHOWN_REASONS: Final = 8


def explain(question: Question, evidence: Evidence) -> Explanation:
    """Why the name is answered as it is, and what may be the matter where it isn't."""
    walked = list(_walk(question, evidence))
    found = [each for each, _ in walked]
    reasons = {reason.text: reason for _, each in walked for reason in each}
    answered = next((each.name for each in found if each.outcome == "answered"), "")
    asked = [each for each in found if each.outcome != "not-asked"]
    if not answered:
        reasons |= {reason.text: reason for reason in _of_zone(question, evidence)}
    notes = [question.path.note] if question.path.note else []
    notes += evidence.notes
    if answered:
        notes += unreachable(evidence, _services(found))
    notes += [each.note for each in evidence.details.values() if each.note]
    return Explanation(
        name=question.name,
        types=tuple(map(types.type_text, question.types)),
        source=evidence.source,
        path=question.path,
        candidates=tuple(found),
        answered=answered,
        verdict=_verdict(asked, answered, reasons, evidence),
        reasons=() if answered else tuple(reasons.values())[:_SHOWN_REASONS],
        queries=len(asked) * len(question.types),
        freshness=evidence.freshness,
        notes=tuple(dict.fromkeys(notes)),
    )


def services_of(explanation: Explanation) -> list[Key]:
    """The Services whose details may tell more: those of the answer, or those that have none ready."""
    return _services(explanation.candidates)


def _services(walked: Iterable[Candidate]) -> list[Key]:
    objects_ = (each for candidate in walked for each in candidate.objects)
    return list(dict.fromkeys(Key(each.namespace, each.name) for each in objects_ if each.kind == "Service"))


def addresses_of(question: Question, zones: Iterable[Zone]) -> set[bytes]:
    """The addresses whose reverse names the explanation may need: Index.of_addresses takes them."""
    wanted = {address for zone in zones for address in zone.addresses}
    for candidate in candidates(question.name, question.path):
        name = names.fold(names.from_text(candidate))
        address = reverse_address(name)
        if address is not None:
            wanted.add(address)
    return wanted


def _verdict(asked: list[Candidate], answered: str, reasons: Iterable[str], evidence: Evidence) -> Verdict:
    """What upstreams say isn't known, and doesn't matter where something in the cluster may be the matter."""
    if answered:
        return "answered"
    if not evidence.index.synced:
        return "unknown"
    # A name of one label is nobody's outside: such domains have no addresses (ICANN SAC 053).
    passed_on = any(each.outcome == "passed-on" and each.name.count(".") > 1 for each in asked)
    return "unknown" if passed_on and not any(reasons) else "nothing"


def _walk(question: Question, evidence: Evidence) -> Iterator[tuple[Candidate, tuple[Reason, ...]]]:
    """Each candidate, in order, until there are records."""
    over = False
    given = f"{question.name.rstrip('.')}."
    for candidate in candidates(question.name, question.path):
        if over:
            yield Candidate(name=candidate, outcome="not-asked"), ()
            continue
        made, reasons = _candidate(candidate, question.types, evidence, as_given=candidate == given)
        over = made.outcome == "answered"
        yield made, reasons


def _candidate(
    candidate: str, rtypes: Iterable[int], evidence: Evidence, *, as_given: bool
) -> tuple[Candidate, tuple[Reason, ...]]:
    qname = names.from_text(candidate)
    name = names.fold(qname)
    zone = evidence.zone_of(name)
    if zone is None:
        return Candidate(name=candidate, outcome="passed-on", why="it isn't a name of the cluster's"), ()
    found = {rtype: schema.answer(evidence.index, zone, Query(qname, rtype)) for rtype in rtypes}
    replies = tuple(_reply(rtype, each, evidence) for rtype, each in found.items())
    outcome = _outcome(replies)
    place = below(zone, name)
    made_by = _objects(found.values(), evidence)
    if outcome == "answered":
        made = Candidate(name=candidate, outcome=outcome, replies=replies, rule=rule(evidence, place), objects=made_by)
        return made, ()
    hints = hinting.hints(Denied(evidence, place, replies, as_given))
    why = f"{hints.why}; fallthrough passes it on" if outcome == "passed-on" else hints.why
    return Candidate(name=candidate, outcome=outcome, replies=replies, why=why, objects=made_by), hints.reasons


def _objects(found: Iterable[Found | None], evidence: Evidence) -> tuple[Object, ...]:
    owners: dict[Owner, None] = {}
    answers: set[bytes] = set()
    for each in found:
        if each is not None:
            owners |= dict.fromkeys(each.owners)
            sets = (*each.answer.answers, *each.answer.additional)
            answers |= {data for one in sets if one.rtype in {types.A, types.AAAA} for data in one.rdatas}
    return objects(evidence, owners, frozenset(answers))


def _outcome(replies: tuple[Reply, ...]) -> Outcome:
    """Of all questions for one name together, as a program sees them."""
    if any(reply.rcode == "NOERROR" and reply.records for reply in replies):
        return "answered"
    rcodes = {reply.rcode for reply in replies}
    if "" in rcodes:
        return "passed-on"
    if rcodes == {"NXDOMAIN"}:
        return "no-name"
    return "no-data" if rcodes <= {"NOERROR", "NXDOMAIN"} else "failed"


def _reply(rtype: int, found: Found | None, evidence: Evidence) -> Reply:
    if found is None:
        return Reply(type=types.type_text(rtype), rcode="")
    answer = stale.marked(found.answer) if evidence.index.stale else found.answer
    return Reply(
        type=types.type_text(rtype),
        rcode=types.rcode_text(answer.rcode),
        records=_records(answer.answers),
        additional=_records(answer.additional),
        leads_to="" if found.chase is None else names.to_text(found.chase),
        error="" if answer.error is None else answer.error.text,
    )


def _records(sets: Iterable[RecordSet]) -> tuple[Record, ...]:
    return tuple(
        Record(
            name=names.to_text(one.name),
            ttl=one.ttl,
            type=types.type_text(one.rtype),
            data=lines.data_text(one.rtype, data),
        )
        for one in sets
        for data in one.rdatas
    )


def _of_zone(question: Question, evidence: Evidence) -> Iterator[Reason]:
    if not evidence.zones:
        yield Reason(code="no-zone", text="no server block has the directive kubernetes: every name is passed on")
        return
    labels = question.name.rstrip(".").split(".")
    yield from hinting.beside(evidence.zones, labels, text(evidence.zones[0].origins[0]))


__all__ = ["addresses_of", "explain", "services_of"]
