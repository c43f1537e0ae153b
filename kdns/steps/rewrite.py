"""rewrite: a question is changed on its way in, and its answer on the way out.

The rules of a server block are one step, since one that fits may end those behind it. On the way in each rule looks at
the question as those before it left it; on the way out what they say of the answer is done in the opposite order. The
client's question comes back as it was asked, whatever the rules are.

What upstreams say is read only where something of it changes, and becomes octets again, so that it can be remembered for
as long as it could before. A CNAME that a rule leads elsewhere is followed by asking the server block anew.
"""

from collections.abc import Sequence
from typing import Final

from kdns.config.directives.rewrite import Rewrite as Settings
from kdns.dns import foreign, reply, types
from kdns.dns.foreign import ForeignError
from kdns.dns.names import ROOT, Name, NameTextError
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError
from kdns.steps import rewrite_rules
from kdns.steps.apart import apart
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Failed, Outcome, Relayed, Request, Rest, Transfer, asked_then
from kdns.steps.leading import continued
from kdns.steps.lineformat import Labels
from kdns.steps.rewrite_rules import Leading
from kdns.steps.rewritten import Change, led

NAME: Final = "rewrite"

_EXTENDED: Final = 15  # rcodes above need an OPT record
_CNAME_IN: Final = b"\0\x05\0\1"  # in every reply with a CNAME, and few others


class Rewrite:
    """The step of all rules of a server block."""

    __slots__ = ("_anything", "_endings", "_entrance", "_names", "_rules")

    def __init__(self, settings: Sequence[Settings], entrance: Rest, labels: Labels | None = None) -> None:
        self._entrance = entrance
        self._rules = tuple((rewrite_rules.compiled(each.rule, labels), each.mode == "stop") for each in settings)
        # By which a question that no rule is for is told without asking each.
        wanted = [rewrite_rules.wanted(each.rule) for each in settings]
        self._names = frozenset(each.name for each in wanted if each and each.name is not None)
        self._endings = tuple(each.ending for each in wanted if each and each.ending is not None)
        self._anything = None in wanted
        # A rule for whatever name may be for one of any names that are denied alike.
        if any(
            each is None and rewrite_rules.is_of_names(one.rule) for each, one in zip(wanted, settings, strict=True)
        ):
            self._endings = (ROOT,)

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        name = request.query.name
        if not (self._anything or name in self._names or name.endswith(self._endings)):
            return apart(rest(request, done), self._endings, self._names)
        asked, personal = request, False
        changes: list[Change | Leading] = []
        try:
            for apply, stop in self._rules:
                hit = apply(asked)
                if hit is None:
                    continue
                asked = hit.request
                changes += hit.changes
                personal = personal or hit.personal
                if stop:
                    break
        except NameTextError as error:
            return _failed(f"rewrite made no name: {error}")
        if asked is request and not changes:
            return apart(rest(request, done), self._endings, self._names)
        return _Trip(self._entrance, request.query, asked, changes, personal, done).begin(rest)


def make(settings: Settings | Sequence[Settings], around: Around) -> Rewrite:
    """The step for all rewrite lines of a server block, in the file's order."""
    return Rewrite((settings,) if isinstance(settings, Settings) else settings, around.entrance, around.labels)


class _Trip:
    """A question that is changed, on its way."""

    __slots__ = ("_asked", "_changes", "_done", "_entrance", "_personal", "_plain", "_query")

    def __init__(
        self,
        entrance: Rest,
        query: Query,
        asked: Request,
        changes: list[Change | Leading],
        personal: bool,
        done: Done,
    ) -> None:
        self._entrance = entrance
        self._query = query  # as the client asked
        self._asked = asked
        self._changes = changes
        self._plain = [change for change in changes if not isinstance(change, Leading)]
        self._personal = personal
        self._done = done

    def begin(self, rest: Rest) -> Outcome | None:
        """Asks the rest; as Step.ask."""
        if len(self._plain) == len(self._changes):
            return asked_then(self._back, rest, self._asked, self._done)
        outcome = rest(self._asked, self._arrived)
        return None if outcome is None else self._led(outcome)

    def _arrived(self, outcome: Outcome) -> None:
        try:
            found = self._led(outcome)
        except Exception as fault:  # noqa: BLE001 - whoever runs the chain isn't below us any more; it gets the fault as a value
            found = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), cause=fault)
        if found is not None:
            self._done(found)

    def _back(self, outcome: Outcome) -> Outcome:
        """The outcome for the client, where no CNAME is led elsewhere."""
        if isinstance(outcome, Relayed) and not self._plain and _same_question(self._asked.query, self._query):
            return outcome._replace(until=0.0) if self._personal else outcome
        return self._made(outcome, self._plain)

    def _led(self, outcome: Outcome) -> Outcome | None:
        """The same, where one may be: it is asked for where its rule's turn comes."""
        try:
            found = self._leading(outcome)
        except (NameTextError, ForeignError) as error:
            return _unusable(outcome, error)
        if found is None:
            return self._back(outcome)
        answer, target, left = found
        owners = outcome.owners if isinstance(outcome, Answered) else ()
        query = self._asked.query.replace(qname=target)

        def then(outcome: Outcome) -> Outcome:
            return self._made(continued(self._asked.query, answer, outcome, NAME, owners), left)

        return asked_then(then, self._entrance, self._asked._replace(query=query), self._done)

    def _leading(self, outcome: Outcome) -> tuple[Answer, Name, list[Change]] | None:
        """The answer up to the first CNAME that leads elsewhere, its new target, and the changes to be made yet.

        What the chain says of the target has been through all rules already, so no other CNAME is led elsewhere.
        """
        if isinstance(outcome, (Failed, Transfer)):
            return None
        if isinstance(outcome, Relayed) and outcome.octets.find(_CNAME_IN) < 0:
            return None
        answer = self._read(outcome)
        if answer is None:
            return None
        for position in range(len(self._changes) - 1, -1, -1):
            change = self._changes[position]
            if not isinstance(change, Leading):
                answer = change(answer)
            elif found := led(answer, change.rename):
                left = [each for each in self._changes[:position] if not isinstance(each, Leading)]
                prefix = answer._replace(answers=found.answers, authority=(), additional=())
                return prefix, found.target, left
        return None

    def _read(self, outcome: Answered | Relayed) -> Answer | None:
        """The answer; None for octets that are truncated. Raises ForeignError."""
        if isinstance(outcome, Answered):
            return outcome.answer
        if foreign.truncated(outcome.octets):
            return None
        # Imported by the first reply that is read: it brings in dnslib, which nothing else in a worker needs.
        from kdns.dns import message  # noqa: PLC0415

        return message.splice(self._asked.query, Answer(authoritative=False), outcome.octets)

    def _made(self, outcome: Outcome, changes: Sequence[Change]) -> Outcome:
        """The outcome after the changes, the last first, with the question that was asked."""
        try:
            if isinstance(outcome, Failed):
                return outcome._replace(rcode=_changed(Answer(outcome.rcode), changes).rcode)
            if isinstance(outcome, Answered):
                return outcome._replace(answer=_changed(outcome.answer, changes), alike=None)
            if isinstance(outcome, Transfer):
                return outcome
            answer = self._read(outcome)
            return self._relayed(outcome, None if answer is None else _changed(answer, changes))
        except (NameTextError, ForeignError) as error:
            return _unusable(outcome, error)

    def _relayed(self, outcome: Relayed, answer: Answer | None) -> Outcome:
        """What an upstream said, as octets again; the question alone, truncated, for what was truncated."""
        query = self._query
        if answer is not None and answer.rcode > _EXTENDED:
            return Answered(answer, by=outcome.by)
        plain = Query(query.qname, query.qtype, query.qclass, name=query.name, do=query.do)
        made = reply.render(plain, answer or Answer(authoritative=False), limit=reply.TCP_LIMIT, recursion=True)
        octets, until = made.octets, 0.0 if self._personal else outcome.until
        if answer is None or made.truncated:
            octets = octets[:2] + (int.from_bytes(octets[2:4]) | types.TC).to_bytes(2) + octets[4:]
            return Relayed(octets, outcome.by, error=outcome.error)
        return Relayed(octets, outcome.by, until, outcome.error, made.rotation, tidy=True, owners=outcome.owners)


def _changed(answer: Answer, changes: Sequence[Change]) -> Answer:
    for change in reversed(changes):
        answer = change(answer)
    return answer


def _same_question(one: Query, other: Query) -> bool:
    return one.qname == other.qname and one.qtype == other.qtype and one.qclass == other.qclass


def _failed(text: str) -> Failed:
    return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text), NAME)


def _unusable(outcome: Outcome, error: Exception) -> Failed:
    return _failed(f"what {outcome.by or 'a step'} answered can't be rewritten: {error}")
