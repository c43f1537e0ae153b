"""Steps in tests, each made from the text of its directive, and outcomes as text: rcode and flags, then record after record.

NOERROR aa; web.example.com. 60 A 10.0.0.1; ns example.com. 60 NS ns.example.com.
"""

import importlib
import random
from typing import Any, Final

import dns.flags
import dns.message
import dns.rdata
import dns.rdatatype
import dns.rrset
import structlog

from kdns.config.declarations import Settings
from kdns.dns import foreign, names, types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.dns.reply import TCP_LIMIT, render
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Entrance, Failed, Outcome, Peer, Relayed, Request, Rest, Step
from kdns.zone.entry import STATIC
from kdns.zone.index import Index
from tests.config.directives import settings
from tests.steps.cached import running_or_stopped

CLIENT: Final = Peer("127.0.0.1", 5353)
CLIENT_V6: Final = Peer("2001:db8::5353", 5353)
PASSED: Final = Failed(types.REFUSED, by="the rest")

_CLASSES: Final = {"IN": types.IN, "CH": types.CH, "HS": types.HS}
_SECTIONS: Final = ("ns ", "ar ")


def surroundings(**changes: Any) -> Around:
    """What a step is made with, in the loop that runs or one whose clock alone is used."""
    given: dict[str, Any] = {
        "loop": running_or_stopped(),
        "random": random.Random(7),
        "entrance": Entrance(),
        "index": Index(),
        "zones": (names.ROOT,),
        "addresses": (),
        "datagrams": None,
        "log": structlog.get_logger(),
    }
    return Around(**{**given, **changes})


def step(text: str, **changes: Any) -> Any:
    """The step that a directive's text makes in a server block of all names."""
    return made(settings(text, (names.ROOT,)), **changes)


def made(given: Settings, **changes: Any) -> Any:
    """The step that settings make, by their directive's module."""
    name = type(given).__name__.lower()
    return importlib.import_module(f"kdns.steps.{name}").make(given, surroundings(**changes))


def query(question: str, **more: Any) -> Query:
    """The query that "NAME TYPE [CLASS]" writes."""
    name, qtype, qclass = (*question.split(), "IN")[:3]
    return Query(from_text(name), getattr(types, qtype), _CLASSES[qclass], **more)


def asked(one: Step, question: str, rest: Rest | None = None, client: Peer = CLIENT, **more: Any) -> str:
    """What the step says at once to a question, as text; "passed" where the rest is asked and nothing was given for it."""
    given = query(question, **more)
    outcome = one.ask(Request(given, client, "udp"), rest or passed, never)
    assert outcome is not None
    return told(outcome, given)


def passed(_request: Request, _done: Done) -> Outcome:
    return PASSED


def never(outcome: Outcome) -> None:
    raise AssertionError(outcome)


def told(outcome: Outcome, given: Query) -> str:
    """The outcome as text, read from the octets that its reply would have; addresses in their order."""
    if outcome is PASSED:
        return "passed"
    if isinstance(outcome, Failed):
        return types.rcode_text(outcome.rcode)
    if isinstance(outcome, Relayed):
        octets = foreign.fit(given, outcome.octets, TCP_LIMIT, b"", outcome.error, outcome.tidy)
    else:
        assert isinstance(outcome, Answered)
        octets = render(given, outcome.answer, limit=TCP_LIMIT, recursion=False).octets
    return text(octets)


def text(octets: bytes) -> str:
    """A reply as text."""
    message = dns.message.from_wire(octets, one_rr_per_rrset=True)
    flags = [flag.lower() for flag in ("AA", "TC") if message.flags & dns.flags.Flag[flag]]
    lines = [" ".join([types.rcode_text(message.rcode()), *flags])]
    for section, mark in zip(message.sections[1:], ("", *_SECTIONS), strict=True):
        lines += [
            f"{mark}{records.name} {records.ttl} {dns.rdatatype.to_text(records.rdtype)} {records[0]}"
            for records in section
        ]
    return "; ".join(lines)


def answered(said: str) -> Answered:
    """The answer of our own making that a text tells."""
    head, *lines = said.split("; ")
    rcode, *flags = head.split()
    sections: list[list[RecordSet]] = [[], [], []]
    for line in lines:
        number = next((place for place, mark in enumerate(_SECTIONS, 1) if line.startswith(mark)), 0)
        owner, ttl, rtype, data = line[3 if number else 0 :].split(None, 3)
        rdata = dns.rdata.from_text("IN", rtype, data).to_wire()
        assert rdata is not None
        section = sections[number]
        records = RecordSet(from_text(owner), getattr(types, rtype), int(ttl), (rdata,))
        if section and section[-1]._replace(rdatas=()) == records._replace(rdatas=()):
            section[-1] = section[-1]._replace(rdatas=(*section[-1].rdatas, rdata))
        else:
            section.append(records)
    answers, authority, additional = map(tuple, sections)
    answer = Answer(getattr(types, rcode), answers, authority, additional, authoritative="aa" in flags)
    return Answered(answer, (STATIC,), "the rest")


def relayed(said: str, given: Query, *, flags: int = 0) -> Relayed:
    """The upstream's reply to a query that a text tells."""
    plain = Query(given.qname, given.qtype, given.qclass, 7, types.RD)
    octets = bytearray(render(plain, answered(said).answer, limit=TCP_LIMIT, recursion=True).octets)
    octets[2] |= flags >> 8
    octets[3] |= flags & 0xFF
    return Relayed(bytes(octets), "the rest")
