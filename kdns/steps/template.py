"""template: answers made of the question, by records with gaps in them.

A template is for a class, a type and zones; of questions that these take it answers those that one of its patterns fits.
What no pattern fits is SERVFAIL, unless it may fall through. Records that are the same for every question have been read
with the settings; others are filled and read per question, which takes some 50 µs each. A CNAME that leads out of the
answer is followed, for questions for addresses, by asking the server block anew.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from kdns.config.directives.template import Line
from kdns.config.directives.template import Template as Settings
from kdns.config.gofunctions import FillError
from kdns.dns import names, presentation, types
from kdns.dns.names import Name, fold, is_below
from kdns.dns.presentation import RecordTextError
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.steps.apart import apart
from kdns.steps.around import Around, Samples
from kdns.steps.chain import Answered, Done, Failed, Outcome, Relayed, Request, Rest, asked_then
from kdns.steps.leading import continued
from kdns.steps.lineformat import Labels
from kdns.steps.view import Asked, Place
from kdns.zone.entry import STATIC

NAME: Final = "template"
CLASSES: Final = {
    types.IN: "IN",
    2: "CS",
    types.CH: "CH",
    types.HS: "HS",
    types.CLASS_NONE: "NONE",
    types.CLASS_ANY: "ANY",
}

_ADDRESSES: Final = frozenset((types.A, types.AAAA))
_TEXT_MAX: Final = 200  # characters of an extended error
# What isn't in the octets by which a reply is remembered, or changes with time.
_PERSONAL: Final = frozenset(("Remote", "Message", "Message.Id"))
# The same of what expressions read.
_ASKER: Final = frozenset(("bufsize", "client_ip", "id", "port", "proto"))
_UNFIT: Final = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "no match of the template fits this name"), NAME)


class Match(NamedTuple):
    """The pattern that fits, as text, and what it and its groups fit."""

    pattern: str
    texts: tuple[str, ...]
    groups: dict[str, str]


class _Known:
    """What expressions may ask of a question that a pattern fits."""

    __slots__ = ("_asked", "_groups", "_variables")

    def __init__(self, request: Request, match: Match, variables: Mapping[str, object], labels: Labels | None) -> None:
        self._asked = Asked(request.query, request.client, Place(request.transport, "", 0), labels)
        self._groups = match.groups
        self._variables = variables

    def fact(self, name: str) -> object:
        """As Facts.fact."""
        if name.startswith("$"):
            return self._variables[name[1:]]
        if name.startswith("group:"):
            return self._groups.get(name.removeprefix("group:"), "")
        return self._asked.fact(name)

    def label(self, name: str) -> str:
        """As Facts.label."""
        return self._asked.label(name)


class Template:
    """The step of one template."""

    __slots__ = (
        "_counts",
        "_labels",
        "_owners",
        "_patterns",
        "_personal",
        "_qclass",
        "_qtype",
        "_sections",
        "_settings",
        "_zone_texts",
        "_zones",
        "entrance",
    )

    def __init__(self, settings: Settings, entrance: Rest, labels: Labels | None = None) -> None:
        self.entrance = entrance
        self._labels = labels
        self._settings = settings
        self._zones = tuple(sorted(settings.zones, key=len, reverse=True))
        self._zone_texts = {zone: names.to_text(zone) for zone in self._zones}
        self._patterns = [(pattern, tuple(pattern.names.items())) for pattern in settings.patterns]
        self._qclass = None if settings.qclass == types.CLASS_ANY else settings.qclass
        self._qtype = None if settings.qtype == types.ANY else settings.qtype
        self._sections = (
            ("answer", settings.answers),
            ("additional", settings.additionals),
            ("authority", settings.authorities),
        )
        used = {field for line in settings.lines for field in line.template.fields}
        expressions = (*(each.expression for each in settings.variables), *settings.conditions)
        self._personal = any(_ASKER & each.reads for each in expressions)
        self._owners = () if used & _PERSONAL or self._personal else (STATIC,)
        # By family; zone, class and type, of failures section and template as well.
        self._counts: Counter[tuple[str, tuple[str, ...]]] = Counter()

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if self._passes(query):
            return rest(request, done)
        fits = query.name.endswith(self._zones)
        zone = next((zone for zone in self._zones if is_below(query.name, zone)), None) if fits else None
        if zone is None:
            return apart(rest(request, done), self._zones)
        text = names.to_text(query.name)
        match = self._match(text)
        variables: dict[str, object] = {}
        if match is not None and not self._holds(request, match, variables):
            match = None
        if match is None:
            falls = any(is_below(query.name, each) for each in self._settings.fallthrough)
            return self._further(request, rest, done) if falls else _UNFIT
        return self._answer(request, text, zone, match, variables, done)

    def _holds(self, request: Request, match: Match, variables: dict[str, object]) -> bool:
        """Whether all conditions hold, given the variables, which it sets; what can't be had holds for nothing."""
        settings = self._settings
        if not (settings.variables or settings.conditions):
            return True
        known = _Known(request, match, variables, self._labels)
        try:
            for each in settings.variables:
                variables[each.name] = each.expression.value(known)
        except ValueError:
            return False
        return all(each.holds(known) for each in settings.conditions)

    def _further(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """What others say; for nobody else where conditions look at who asks."""
        if self._personal:
            return asked_then(_once, rest, request, done)
        return apart(rest(request, done), self._zones)

    def counts_at(self, server: str, _zones: str, view: str) -> Samples:
        """The families coredns_template_*, of a server and view; zone is the template's."""
        samples: dict[tuple[str, tuple[str, ...]], float] = {}
        for (family, (zone, *more)), count in self._counts.items():
            samples[family, (server, zone, view, *more)] = count
        return samples

    def _passes(self, query: Query) -> bool:
        """Whether a question is of another class or type; ANY is of all."""
        return (self._qclass is not None and query.qclass not in {self._qclass, types.CLASS_ANY}) or (
            self._qtype is not None and query.qtype not in {self._qtype, types.ANY}
        )

    def _match(self, text: str) -> Match | None:
        if not self._patterns:
            return Match(".*", (text,), {"0": text})
        for pattern, named in self._patterns:
            texts = pattern.search(text)
            if texts is not None:
                groups = {str(number): each for number, each in enumerate(texts)}
                groups |= {name: texts[number] for name, number in named}
                return Match(pattern.text, texts, groups)
        return None

    def _answer(
        self, request: Request, text: str, zone: Name, match: Match, variables: Mapping[str, object], done: Done
    ) -> Outcome | None:
        settings, query = self._settings, request.query
        said = settings.extended_error
        error = None if said is None else ExtendedError(*said)
        kind = (self._zone_texts[zone], _class_text(query, settings), _type_text(query, settings))
        self._counts["coredns_template_matches_total", kind] += 1
        if settings.rcode == types.SERVFAIL:
            return Failed(types.SERVFAIL, error, NAME)
        scope = {**_scope(request, text, kind, match, self._labels), "Var": variables}
        sections: list[tuple[RecordSet, ...]] = []
        for section, lines in self._sections:
            try:
                sections.append(_sets([_record(line, scope, query) for line in lines]))
            except (FillError, RecordTextError) as problem:
                return self._failed(problem, kind, section)
        answers, additional, authority = sections
        answer = Answer(settings.rcode, answers, authority, additional, error=error)
        target = _led_out(answers) if query.qtype in _ADDRESSES else None
        if target is None:
            return Answered(answer, self._owners, NAME)
        asked = request._replace(query=query.replace(qname=target))
        return asked_then(lambda outcome: self._led(query, answer, outcome), self.entrance, asked, done)

    def _led(self, query: Query, answer: Answer, outcome: Outcome) -> Outcome:
        """The answer with what its CNAME leads to; the template's own rcode, records and error go before the target's."""
        whole = continued(query, answer, outcome, NAME, self._owners)
        if not isinstance(whole, Answered):
            return whole
        found = whole.answer
        rcode = answer.rcode or found.rcode
        authority, additional = answer.authority or found.authority, answer.additional or found.additional
        found = found._replace(
            rcode=rcode, authority=authority, additional=additional, error=answer.error or found.error
        )
        return whole._replace(answer=found)

    def _failed(self, problem: Exception, kind: tuple[str, str, str], section: str) -> Failed:
        unfilled = isinstance(problem, FillError)
        family = "coredns_template_template_failures_total" if unfilled else "coredns_template_rr_failures_total"
        settings = self._settings
        template = " ".join(pattern.text for pattern in settings.patterns)
        self._counts[family, (*kind, section, template)] += 1
        text = f"the {section} of the template: {problem}"
        return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text[:_TEXT_MAX]), NAME)


def make(settings: Settings, around: Around) -> Template:
    """The step of the directive."""
    return Template(settings, around.entrance, around.labels)


def _once(outcome: Outcome) -> Outcome:
    """The outcome, which is given to nobody else."""
    if isinstance(outcome, Answered):
        return outcome._replace(owners=(), alike=None)
    return outcome._replace(until=0.0) if isinstance(outcome, Relayed) else outcome


def _scope(
    request: Request, text: str, kind: tuple[str, str, str], match: Match, labels: Labels | None
) -> Mapping[str, object]:
    """What a template may look at."""
    query = request.query
    question = {"Name": names.to_text(query.qname), "Qtype": query.qtype, "Qclass": query.qclass}
    zone, qclass, qtype = kind
    return {
        "Zone": zone,
        "Name": text,
        "Class": qclass,
        "Type": qtype,
        "Regex": match.pattern,
        "Match": match.texts,
        "Group": match.groups,
        "Remote": request.client.host,
        "Meta": lambda label: (labels and labels.value(label, query.name)) or "",
        "Question": question,
        "Message": {
            "Id": query.id,
            "Response": False,
            "Opcode": 0,
            "RecursionDesired": query.flags & types.RD != 0,
            "AuthenticatedData": query.flags & types.AD != 0,
            "CheckingDisabled": query.flags & types.CD != 0,
            "Question": (question,),
        },
    }


def _class_text(query: Query, settings: Settings) -> str:
    return CLASSES.get(settings.qclass if query.qclass == types.CLASS_ANY else query.qclass, "")


def _type_text(query: Query, settings: Settings) -> str:
    qtype = settings.qtype if query.qtype == types.ANY else query.qtype
    return types.TYPE_NAMES.get(qtype, "")


def _record(line: Line, scope: Mapping[str, object], query: Query) -> RecordSet:
    """The record for a question; the question's own name in its case. Raises FillError, RecordTextError."""
    found = line.fixed or presentation.record(line.template.fill(scope))
    return found._replace(name=query.qname) if fold(found.name) == query.name else found


def _sets(records: list[RecordSet]) -> tuple[RecordSet, ...]:
    """Records of one name, class and type together, with the least TTL (RFC 2181 section 5.2)."""
    sets: dict[tuple[Name, int, int], RecordSet] = {}
    if len(records) == 1:
        return tuple(records)
    for record in records:
        key = (fold(record.name), record.rtype, record.rclass)
        before = sets.get(key, record)
        rdatas = tuple(dict.fromkeys((*before.rdatas, *record.rdatas)))
        sets[key] = before._replace(ttl=min(before.ttl, record.ttl), rdatas=rdatas)
    return tuple(sets.values())


def _led_out(answers: tuple[RecordSet, ...]) -> Name | None:
    """Where the last CNAME leads, if nothing among the answers is of that name."""
    targets = [Name(records.rdatas[0]) for records in answers if records.rtype == types.CNAME]
    if not targets or any(fold(records.name) == fold(targets[-1]) for records in answers):
        return None
    return targets[-1]
