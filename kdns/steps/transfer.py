"""transfer: lets others copy zones, whole (AXFR) or where they have changed (IXFR), and tells them of changes (NOTIFY).

Decides who may have what, and passes no such question on; the zones are the sources', steps of the same server block. A
question for changes is answered by the whole zone, or by its SOA alone where nothing has changed, which over UDP also
says to come back by TCP. Standards: RFC 5936, RFC 1995, RFC 1982, RFC 1996 (notify does that).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

from kdns.config.directives.zonefiles import Transfer as TransferSettings
from kdns.config.settings import Address
from kdns.dns import types
from kdns.dns.names import Name, is_below, to_text
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.dns.serials import is_newer
from kdns.steps.around import Around, Log
from kdns.steps.chain import TRANSFERS, Answered, Done, Failed, Outcome, Request, Rest, Step, Transfer, Whole
from kdns.steps.notify import Notifier

NAME: Final = "transfer"
OPEN: Final = 10  # transfers at a time in a server block, as in BIND

_PROHIBITED: Final = 18  # RFC 8914 section 4.19


@runtime_checkable
class Source(Protocol):
    """A step that has zones to copy."""

    def whole(self, zone: Name) -> Whole | Failed | None:
        """The zone of that folded name, or why it can't be had at present; None if it is none of this step's."""
        ...

    def notify(self, tell: Callable[[Name], None]) -> None:
        """Has tell called with a zone's name whenever secondaries are to hear that it has changed."""
        ...


class Rule(NamedTuple):
    """Who may have zones."""

    zones: tuple[Name, ...]
    hosts: frozenset[str]
    everybody: bool
    tell: tuple[Address, ...]
    source: str


class Transfers:
    """The gate for AXFR and IXFR."""

    __slots__ = ("_log", "_notifier", "_open", "_rules", "_sources")

    def __init__(self, rules: Sequence[Rule], notifier: Notifier | None, log: Log) -> None:
        self._rules = tuple(rules)
        self._notifier = notifier
        self._log = log
        self._sources: tuple[Source, ...] = ()
        self._open = 0

    def lead_to(self, steps: Sequence[Step]) -> None:
        """Copies the zones of those of the steps that are sources from now on, the first first."""
        self._sources = tuple(each for each in steps if isinstance(each, Source))
        for each in self._sources:
            each.notify(self._tell)

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        if request.query.qtype not in TRANSFERS:
            return rest(request, done)
        return self._decide(request)

    def close(self) -> None:
        """Tells nobody of changes any more."""
        if self._notifier is not None:
            self._notifier.close()

    def _decide(self, request: Request) -> Outcome:
        zone, is_whole = request.query.name, request.query.qtype == types.AXFR
        rule = self._rule_for(zone)
        if rule is None or not (rule.everybody or request.client.host in rule.hosts):
            return _failed(types.REFUSED, "this zone isn't for this client to copy", _PROHIBITED)
        whole = next((found for each in self._sources if (found := each.whole(zone)) is not None), None)
        if whole is None:
            return _failed(types.NOTAUTH, "no zone of this name is here")
        if isinstance(whole, Failed):
            return whole
        if not is_whole and request.since is None:
            return _failed(types.FORMERR, "a question for changes names the serial of a SOA (RFC 1995 section 3)")
        if request.transport == "udp" and is_whole:
            return _failed(types.REFUSED, "a zone is sent over TCP only")
        if request.since is not None and (request.transport == "udp" or not is_newer(whole.serial, request.since)):
            return Answered(Answer(answers=(whole.soa,)), by=NAME)
        if self._open >= OPEN:
            self._log.warning("zone_not_sent", zone=to_text(zone), to=request.client.host, being_sent=self._open)
            return _failed(types.REFUSED, f"{OPEN} zones are being sent already")
        sets = self._counted(whole, to_text(zone), request.client.host)
        next(sets)  # counts it, whether or not it is ever read
        return Transfer(sets, NAME)

    def _rule_for(self, zone: Name) -> Rule | None:
        """The rule with the longest zone around this one; of equals the first."""
        fitting = ((len(each), rule) for rule in self._rules for each in rule.zones if is_below(zone, each))
        return max(fitting, key=lambda found: found[0], default=(0, None))[1]

    def _counted(self, whole: Whole, zone: str, to: str) -> Iterator[RecordSet]:
        """The sets of a transfer behind a first one that nobody is to read; closed, or forgotten, it is over."""
        self._open += 1
        count, ended = 0, False
        try:
            yield whole.soa
            for each in whole.sets:
                count += len(each.rdatas)
                yield each
            ended = True
            yield whole.soa
        finally:
            self._open -= 1
            self._log.info("zone_sent", zone=zone, to=to, serial=whole.serial, records=count, whole=ended)

    def _tell(self, zone: Name) -> None:
        rule = self._rule_for(zone)
        if rule is not None and self._notifier is not None:
            self._notifier.tell(zone, rule.tell, rule.source)


def make(settings: Sequence[TransferSettings], around: Around) -> Transfers:
    """One step for all directives of a server block."""
    rules = [
        Rule(
            each.zones or around.zones,
            frozenset(to.host for to in each.to if to is not None),
            None in each.to,
            tuple(to for to in each.to if to is not None),
            each.source,
        )
        for each in settings
    ]
    notifier = Notifier(around.loop, around.random, around.log) if any(rule.tell for rule in rules) else None
    return Transfers(rules, notifier, around.log)


def _failed(rcode: int, text: str, code: int = types.EDE_OTHER) -> Failed:
    return Failed(rcode, ExtendedError(code, text), NAME)
