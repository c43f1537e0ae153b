"""Replies in text: the header's words, then a record a line, sections parted by ---."""

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from kdns.diff.question import Question
from kdns.diff.verdict import Pair
from kdns.dns.message import Message, read
from kdns.dns.names import from_text

FLAGS = {"aa": dns.flags.AA, "ra": dns.flags.RA, "tc": dns.flags.TC}


def question(text: str, **fields: object) -> Question:
    name, rtype = text.split()
    return Question(from_text(name), dns.rdatatype.from_text(rtype), **fields)  # type: ignore[arg-type]  # fields of Question


def reply(asked: str, head: str, text: str = "", *, payload: int = 0) -> Message:
    """The reply to a question: head is an rcode and flags."""
    name, rtype = asked.split()
    query = dns.message.make_query(name, rtype, use_edns=bool(payload), payload=payload or 1232)
    said = dns.message.make_response(query)
    rcode, *flags = head.split()
    said.set_rcode(dns.rcode.from_text(rcode))
    for flag in flags:
        said.flags |= FLAGS[flag]
    for section, lines in zip((said.answer, said.authority, said.additional), text.split("---"), strict=False):
        for line in lines.strip().splitlines():
            owner, ttl, rtype, data = line.split(maxsplit=3)
            section.append(dns.rrset.from_text(dns.name.from_text(owner), int(ttl), "IN", rtype, data))
    return read(said.to_wire())


def pair(asked: str, theirs: tuple[str, ...], ours: tuple[str, ...], **fields: object) -> Pair:
    return Pair(question(asked, **fields), reply(asked, *theirs), reply(asked, *ours))
