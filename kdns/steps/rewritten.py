"""What rewrite's rules make of an answer: TTLs, rcode, names of records and in their data.

Each is a function from an answer to an answer, over all its sections; what is wrong with a name they make is NameTextError.
Names in data are those that CoreDNS changes: one of each record of the types in the table.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from kdns.config.rewriting import Range
from kdns.dns import names, types
from kdns.dns.names import Name, fold, is_below
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.dns.wire import end_of_plain_name
from kdns.steps.renaming import Rename, TextChange, read

Change: TypeAlias = Callable[[Answer], Answer]

# Octets before the name in the data of a type; NAPTR has three texts there, too.
_BEFORE_NAME: Final = {
    **dict.fromkeys((types.NS, types.CNAME, types.PTR, types.DNAME, types.SOA), 0),
    types.MX: 2,
    types.SRV: 6,
    types.NAPTR: 4,
}
_NAPTR_TEXTS: Final = 3


def with_ttl(ttl: Range) -> Change:
    """TTLs brought into a range."""

    def of_set(records: RecordSet) -> RecordSet:
        return records._replace(ttl=max(ttl.least, min(records.ttl, ttl.most)))

    return lambda answer: _each(answer, of_set)


def with_rcode(old: int, new: int) -> Change:
    """One rcode for another."""
    return lambda answer: answer._replace(rcode=new) if answer.rcode == old else answer


def with_owners(rename: Rename) -> Change:
    """Other names of records; rename is given a name in its case."""

    def of_set(records: RecordSet) -> RecordSet:
        new = rename(records.name)
        return records if new is None else records._replace(name=new)

    return lambda answer: _each(answer, of_set)


def with_values(rename: Rename) -> Change:
    """Other names in record data; rename is given a name in its case."""

    def of_set(records: RecordSet) -> RecordSet:
        before = _BEFORE_NAME.get(records.rtype)
        if before is None:
            return records
        rdatas = tuple(_renamed(rename, records.rtype, before, rdata) for rdata in records.rdatas)
        return records._replace(rdatas=rdatas)

    return lambda answer: _each(answer, of_set)


def back(new: Name, asked: Query) -> Rename:
    """From the name that a question was given, and names below it, to the one that it was asked for."""

    def rename(name: Name) -> Name | None:
        folded = fold(name)
        if folded == new:
            return asked.qname
        if not is_below(folded, new):
            return None
        return names.from_labels(tuple(names.labels_of(name[: len(name) - len(new)] + asked.qname)))

    return rename


def by_text(change: TextChange, asked: Query) -> Rename:
    """A change of texts as one of names. What becomes the question's name has its case; a change is tried folded, too."""

    def rename(name: Name) -> Name | None:
        text = names.to_text(name)
        changed = change(text)
        if changed is None and text != text.lower():
            changed = change(text.lower())
        if changed is None:
            return None
        new = read(changed)
        return asked.qname if fold(new) == asked.name else new

    return rename


class Led(NamedTuple):
    """An answer up to a CNAME that leads elsewhere now, and where."""

    answers: tuple[RecordSet, ...]
    target: Name


def led(answer: Answer, rename: Rename) -> Led | None:
    """The first CNAME whose target a rule changes; rename is given a folded name. Of what is before it CNAMEs stay."""
    kept: list[RecordSet] = []
    for records in answer.answers:
        if records.rtype != types.CNAME:
            continue
        target = rename(fold(records.rdatas[0]))
        if target is not None and fold(target) != fold(records.rdatas[0]):
            return Led((*kept, records._replace(rdatas=(target,))), target)
        kept.append(records)
    return None


def _each(answer: Answer, change: Callable[[RecordSet], RecordSet]) -> Answer:
    return answer._replace(
        answers=tuple(map(change, answer.answers)),
        authority=tuple(map(change, answer.authority)),
        additional=tuple(map(change, answer.additional)),
    )


def _renamed(rename: Rename, rtype: int, start: int, rdata: bytes) -> bytes:
    if rtype == types.NAPTR:
        for _ in range(_NAPTR_TEXTS):
            start += rdata[start] + 1
    end = end_of_plain_name(rdata, start)
    new = rename(Name(rdata[start:end]))
    return rdata if new is None else rdata[:start] + new + rdata[end:]
