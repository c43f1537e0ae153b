"""An upstream with a bit of everything: what resolvers say of names, and what they say when they are broken.

Its zone is text, section by section where a reply has more than an answer. Names below sins.example are answered as
their first label says: not at all, with another id, with octets that are no message, and so on.
"""

import struct
from collections.abc import Callable
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.integration.upstream import Upstream

ZONE: Final = """
www.example.com. 300 IN A 203.0.113.7
www.example.com. 300 IN A 203.0.113.8
www.example.com. 300 IN AAAA 2001:db8::7
www.example.com. 300 IN TXT "hello" "two strings"
www.example.com. 300 IN MX 10 mail.example.com.
www.example.com. 300 IN MX 20 mail2.example.com.
www.example.com. 300 IN HTTPS 1 . alpn="h2,h3"
www.example.com. 300 IN CAA 0 issue "ca.example"
example.com. 300 IN NS ns1.example.com.
example.com. 300 IN NS ns2.example.com.
example.com. 300 IN SOA ns1.example.com. host.example.com. 7 3600 600 86400 300
_sip._tcp.example.com. 300 IN SRV 1 2 5060 www.example.com.
naptr.example.com. 300 IN NAPTR 1 2 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
odd.example.com. 300 IN TYPE65280 \\# 3 010203
mail.example.com. 20 IN A 203.0.113.25
four.example.com. 300 IN A 203.0.113.44
short.example.com. 3 IN A 203.0.113.3
zero.example.com. 0 IN A 203.0.113.30
long.example.com. 86400 IN A 203.0.113.99
alias.example.com. 300 IN CNAME www.example.com.
one.example.com. 300 IN CNAME two.example.com.
two.example.com. 300 IN CNAME www.example.com.
lost.example.com. 300 IN CNAME nowhere.example.com.
a.new.example. 60 IN A 192.0.2.1
a.new.example. 60 IN A 192.0.2.2
a.new.example. 60 IN TXT "text"
a.new.example. 60 IN MX 10 mail.new.example.
b.new.example. 300 IN CNAME a.new.example.
deep.b.new.example. 5 IN A 192.0.2.3
_x._tcp.new.example. 60 IN SRV 1 2 80 a.new.example.
app.example. 200 IN CNAME app.cdn.example.
app.cdn.example. 300 IN A 192.0.2.9
app.other.example. 100 IN A 192.0.2.10
7.113.0.203.in-addr.arpa. 300 IN PTR www.example.com.
9.9.9.10.in-addr.arpa. 300 IN PTR printer.example.com.
"""
SOA: Final = "300 IN SOA ns1.example.com. host.example.com. 7 3600 600 86400 60"
# Replies that have more than an answer: answer, authority and additional.
WHOLE: Final = {
    ("extras.example.com.", "A"): (
        "extras.example.com. 300 IN A 203.0.113.5",
        "example.com. 300 IN NS ns1.example.com.",
        "ns1.example.com. 300 IN A 203.0.113.53",
    ),
    ("uneven.example.com.", "A"): (
        "uneven.example.com. 300 IN CNAME www.example.com.\nwww.example.com. 60 IN A 203.0.113.7",
        "",
        "",
    ),
    ("nosoa.example.com.", "A"): ("", "", ""),
    ("delegated.example.com.", "A"): (
        "",
        "delegated.example.com. 300 IN NS ns.delegated.example.com.",
        "ns.delegated.example.com. 300 IN A 203.0.113.60",
    ),
    ("foreign.example.com.", "A"): (
        "foreign.example.com. 300 IN A 203.0.113.5\nbank.example. 300 IN A 203.0.113.66",
        "",
        "",
    ),
}
RCODES: Final = {
    f"{rcode.lower()}.example.com.": rcode
    for rcode in ("SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "YXDOMAIN", "NOTAUTH")
}
MANY: Final = "many.example.com."
_ID: Final = struct.Struct("!H")


class Abroad(Upstream):
    """The upstream."""

    def __init__(self) -> None:
        super().__init__({}, RCODES)
        self.zone: dict[tuple[str, str], list[str]] = {}
        for line in ZONE.strip().splitlines():
            name, _, _, rtype, _ = line.split(maxsplit=4)
            self.zone.setdefault((name, rtype), []).append(line)
        self.zone[MANY, "A"] = [f"{MANY} 300 IN A 203.0.113.{number}" for number in range(1, 201)]
        self.names = {name for name, _ in (*self.zone, *WHOLE)}

    def reply(self, octets: bytes, transport: str) -> bytes:
        """What it says to a query; of a sinner what the sin is."""
        said = super().reply(octets, transport)
        name = dns.message.from_wire(octets).question[0].name.to_text().lower()
        sin, _, zone = name.partition(".")
        return _SINS[sin](said, transport) if zone == "sins.example." and sin in _SINS else said

    def _fill(self, reply: dns.message.Message, name: str, rtype: str) -> None:
        if name in self.rcodes:
            reply.set_rcode(dns.rcode.from_text(self.rcodes[name]))
        elif (name, rtype) in WHOLE:
            sections = (reply.answer, reply.authority, reply.additional)
            for section, text in zip(sections, WHOLE[name, rtype], strict=True):
                section.extend(map(_record, text.splitlines()))
        elif not self._answer(reply, name, rtype):
            ends = [owner for owner, _ in self.zone if owner.endswith(f".{name}")]
            reply.set_rcode(dns.rcode.NOERROR if name in self.names or ends or reply.answer else dns.rcode.NXDOMAIN)
            if reply.answer and reply.answer[-1].name.to_text() == "lost.example.com.":
                reply.set_rcode(dns.rcode.NXDOMAIN)
            denied = reply.answer[-1][0].to_text() if reply.answer else name
            reply.authority.append(_record(f"{_zone(denied)} {SOA}"))

    def _answer(self, reply: dns.message.Message, name: str, rtype: str) -> bool:
        """Whether the zone has such records, at the end of the aliases that it has."""
        if rtype == "ANY":
            found = [line for (owner, _), lines in self.zone.items() if owner == name for line in lines]
            reply.answer.extend(map(_record, found))
            return bool(found)
        while (name, rtype) not in self.zone and (name, "CNAME") in self.zone:
            reply.answer.append(_record(self.zone[name, "CNAME"][0]))
            name = self.zone[name, "CNAME"][0].split()[-1]
        lines = self.zone.get((name, rtype), [])
        reply.answer.extend(map(_record, lines))
        return bool(lines)


def _zone(name: str) -> str:
    """The zone of a name: its last two labels."""
    return ".".join(name.split(".")[-3:]) or "."


def _record(line: str) -> dns.rrset.RRset:
    name, ttl, rclass, rtype, data = line.split(maxsplit=4)
    return dns.rrset.from_text(name, int(ttl), rclass, rtype, data)


def _silent(_: bytes, __: str) -> bytes:
    return b""


def _other_id(said: bytes, _: str) -> bytes:
    return _with_id(said, 1)


def _short(said: bytes, _: str) -> bytes:
    return said[:11]


def _noise(said: bytes, _: str) -> bytes:
    return said[:2] + b"\xff" * 40


def _cut(said: bytes, _: str) -> bytes:
    return said[:-5]


def _query(said: bytes, _: str) -> bytes:
    return said[:2] + bytes((said[2] & 0x7F,)) + said[3:]


def _with_id(said: bytes, change: int) -> bytes:
    return _ID.pack(_ID.unpack_from(said)[0] ^ change) + said[2:]


def _renamed(said: bytes, _: str) -> bytes:
    return said.lower().replace(b"\4sins", b"\4sons")


_SINS: Final[dict[str, Callable[[bytes, str], bytes]]] = {
    "silent": _silent,
    "otherid": _other_id,
    "othername": _renamed,
    "short": _short,
    "noise": _noise,
    "cut": _cut,
    "query": _query,
}
