"""hosts: answers names and addresses from a file like /etc/hosts and from the directive's own lines.

Nothing is read when a question comes: steps.hostsfile makes tables of what steps.watched brings, and the step looks names
up in them. What is remembered of this step's answers, and of what the rest of the chain said of names that it didn't
have, holds until forget_all is called; for the latter no owner could be named, so all that is remembered has to go then.
Denials of the cluster's that hold for names alike are told apart where a name of ours may be among these.
Standards: RFC 8020 isn't followed here: hosts has no zone, so a name above others doesn't exist.
"""

from functools import partial
from typing import Final

from kdns.config.directives.hosts import Hosts as Settings
from kdns.dns import types
from kdns.dns.names import ROOT, Name, is_below
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.steps.around import Around, Samples
from kdns.steps.chain import Answered, Done, Failed, Outcome, Request, Rest, asked_then
from kdns.steps.hostsfile import Source, Table, table_of
from kdns.steps.watched import DamagedError, Portions, Watched
from kdns.zone.entry import STATIC

NAME: Final = "hosts"

_ENDS_MAX: Final = 32  # last labels that questions are compared with; past them each is taken for a match
_NODATA: Final = Answered(Answer(), (STATIC,), NAME)
_ABSENT: Final = Failed(
    types.SERVFAIL, ExtendedError(types.EDE_OTHER, "hosts has no such name, and may not ask further"), NAME
)


def make(settings: Settings, around: Around) -> "Hosts":
    """The step; reads the file."""
    return Hosts(settings, around)


class Hosts:
    """Answers from the table of the moment."""

    __slots__ = (
        "_ends",
        "_file",
        "_forget_all",
        "_inline",
        "_log",
        "_passes_all",
        "_settings",
        "_table",
        "_unsupported",
    )

    def __init__(self, settings: Settings, around: Around) -> None:
        self._forget_all = around.forget_all
        self._settings = settings
        self._passes_all = ROOT in settings.fallthrough
        self._log = around.log
        self._inline = self._source()
        for host in settings.inline:
            self._inline.add(host.address, host.names)
        self._table = Table()
        self._ends: tuple[Name, ...] = ()
        for _ in self._use(self._source()):
            pass
        self._file = Watched(settings.file, self._read, around, settings.reload_s)

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        found = self._table.addresses(query.name)
        qtype = query.qtype
        if qtype == types.PTR:
            targets = self._table.reverse.get(query.name)
            if targets is not None:
                return _answered(RecordSet(query.qname, types.PTR, self._settings.ttl_s, targets))
            return self._further(request, rest, done)
        if found is None:
            if self._passes_all or self._passes(query.name):
                return self._further(request, rest, done)
            return _ABSENT
        if qtype in {types.A, types.AAAA}:
            addresses = found[qtype == types.AAAA]
            return _answered(RecordSet(query.qname, qtype, self._settings.ttl_s, addresses)) if addresses else _NODATA
        if self._settings.fallthrough_unsupported and self._falls_through(query.name):
            return self._further(request, rest, done)
        return _NODATA

    def counts_at(self, server: str, zones: str, view: str) -> Samples:  # noqa: ARG002 - as every step's
        """Samples as steps.around has them; gauges that are the same in each worker."""
        return {
            ("coredns_hosts_entries", (self._settings.file,)): float(self._table.entries),
            ("coredns_hosts_reload_timestamp_seconds", ()): self._file.written_at,
        }

    def close(self) -> None:
        """Looks at the file no more."""
        self._file.close()

    def _further(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        if not request.query.name.endswith(self._ends):
            return rest(request, done)
        return asked_then(partial(_alone, self._table), rest, request, done)

    def _passes(self, name: Name) -> bool:
        """Whether a name that isn't there is asked of the steps behind."""
        return self._falls_through(name) or not any(is_below(name, zone) for zone in self._settings.zones)

    def _falls_through(self, name: Name) -> bool:
        return any(is_below(name, zone) for zone in self._settings.fallthrough)

    def _source(self) -> Source:
        return Source(self._settings.zones, reverse=not self._settings.no_reverse)

    def _read(self, octets: bytes) -> Portions:
        """The work on the file's content; what it says counts when all of it is done."""
        if b"\0" in octets:
            raise DamagedError("found zero octets, expected text")
        source = self._source()
        yield from source.read(octets)
        if source.ignored and not source.used:
            raise DamagedError(f"found no line of a hosts file, but {source.ignored[0]}")
        yield from self._use(source)
        if source.ignored:
            count, first = len(source.ignored), str(source.ignored[0])
            self._log.warning("file_lines_ignored", path=self._settings.file, count=count, first=first)
        self._forget_all()

    def _use(self, source: Source) -> Portions:
        self._table = table = yield from table_of((source, self._inline))
        self._ends = tuple(table.ends) if len(table.ends) <= _ENDS_MAX else (ROOT,)


def _answered(records: RecordSet) -> Answered:
    return Answered(Answer(answers=(records,)), (STATIC,), NAME)


def _alone(table: Table, outcome: Outcome) -> Outcome:
    """The outcome, for this name alone if a name of ours is among those that a denial would hold for."""
    if isinstance(outcome, Answered) and outcome.alike is not None and table.reaches(outcome.alike.end):
        return outcome._replace(alike=None)
    return outcome
