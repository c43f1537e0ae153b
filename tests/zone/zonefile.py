"""Answers as zone-file text, for tests; dnspython reads the record data."""

from functools import lru_cache

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from kdns.dns import types
from kdns.dns.names import from_text, to_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.zone.index import Index
from kdns.zone.schema import Zone, answer


def lines(sets: tuple[RecordSet, ...]) -> list[str]:
    """The records, a line each: name, ttl, type, data."""
    return [
        f"{to_text(one.name)} {one.ttl} {types.type_text(one.rtype)} {data(one.rtype, rdata)}"
        for one in sets
        for rdata in one.rdatas
    ]


@lru_cache(maxsize=10000)
def data(rtype: int, rdata: bytes) -> str:
    return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RdataType.make(rtype), rdata, 0, len(rdata)).to_text()


def text(reply: Answer) -> str:
    """The whole answer: rcode and answers, then what authority and additional hold behind their names."""
    parts = [types.rcode_text(reply.rcode), *lines(reply.answers)]
    if reply.authority:
        parts += ["; authority", *lines(reply.authority)]
    if reply.additional:
        parts += ["; additional", *lines(reply.additional)]
    return "\n".join(parts)


def ask(index: Index, zone: Zone, question: str) -> str:
    """The answer to "NAME TYPE" as text; "not ours" where there is none to give, "; chase" where somebody must be asked."""
    name, qtype = question.rsplit(" ", 1)
    number = int(qtype[4:]) if qtype.startswith("TYPE") else getattr(types, qtype)
    found = answer(index, zone, Query(from_text(name), number))
    if found is None:
        return "not ours"
    return text(found.answer) + ("" if found.chase is None else f"\n; chase {to_text(found.chase)}")


def dedent(table: str) -> str:
    """A table in a test without its indentation."""
    return "\n".join(line.strip() for line in table.strip().splitlines())
