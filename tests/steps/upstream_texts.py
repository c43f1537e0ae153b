"""Replies of upstreams, written as zone-file text; the independent library makes the octets."""

import dns.edns
import dns.message
import dns.rcode
import dns.rrset

from kdns.dns import foreign
from kdns.dns.query import Query

SOA = "example.com. {} IN SOA ns.example.com. admin.example.com. 1 2 3 4 {}"


def soa(ttl: int, minimum: int, zone: str = "example.com.") -> str:
    """A line with the SOA that goes with a denial."""
    return SOA.format(ttl, minimum).replace("example.com.", zone, 1)


def reply(
    query: Query,
    answers: str = "",
    authority: str = "",
    additional: str = "",
    *,
    rcode: str = "NOERROR",
    flags: int = 0,
    options: tuple[dns.edns.Option, ...] | None = None,
) -> bytes:
    """The octets of a reply to the query with these records, a line each, and an OPT record if there are options."""
    made = dns.message.make_response(dns.message.from_wire(foreign.ask(query, 7)), recursion_available=True)
    made.use_edns(False) if options is None else made.use_edns(0, 0, 1232, options=list(options))
    made.set_rcode(dns.rcode.from_text(rcode))
    made.flags |= flags
    for section, text in zip(made.sections[1:], (answers, authority, additional), strict=True):
        for line in filter(None, map(str.strip, text.splitlines())):
            owner, ttl, rclass, rtype, rdata = line.split(None, 4)
            section.append(dns.rrset.from_text(owner, int(ttl), rclass, rtype, rdata))
    return made.to_wire(max_size=65535)


def lines(octets: bytes) -> list[list[str]]:
    """The records of a reply as text in lower case, section by section."""
    message = dns.message.from_wire(octets, one_rr_per_rrset=True)
    return [[rrset.to_text().lower() for rrset in section] for section in message.sections[1:]]
