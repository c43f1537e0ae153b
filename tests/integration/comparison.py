"""A whole cluster asked for, name by name: what a server says of it against the slow reference.

Names are asked over UDP as they are, over TCP in upper case. A server under comparison forwards
to an upstream that knows ABROAD and nothing else.
"""

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.server import Server
from tests.zone.reference import Expected, Line, Reference

Question = tuple[str, str]
Answers = dict[Question, Expected | None]

TYPES: Final = ("A", "AAAA", "SRV", "TXT", "PTR", "CNAME", "SOA", "NS", "MX", "HTTPS", "ANY")
AT_ONCE: Final = 32  # queries on their way

# Seconds that the server keeps what the upstream says, and counts down; upstream's own TTL is longer.
KEPT: Final = 30
# What the upstream knows; all else it denies.
ABROAD: Final = {("www.example.com.", "A"): ("203.0.113.7", "203.0.113.8")}
# What is answered here though it isn't the cluster's (RFC 6761 section 6.3).
LOCALHOST: Final = {"A": ("127.0.0.1", 10800), "AAAA": ("::1", 10800)}

# Names that don't exist, or almost, whatever the cluster is.
NEAR: Final = (
    *("nowhere.cluster.local.", "svc.", "local.svc.cluster.local.", "nothing.zoo.svc.cluster.local."),
    *("*.zoo.svc.cluster.local.", "any.plain.zoo.svc.cluster.local.", "_tcp.ports.zoo.svc.cluster.local."),
    *("_http._tcp.plain.zoo-2.svc.cluster.local.", "_http._sctp.ports.zoo.svc.cluster.local.", "dns.cluster.local."),
    *("1-2-3-4.zoo.pod.cluster.local.", "x.1-2-3-4.zoo.pod.cluster.local.", "1-2-3.zoo.pod.cluster.local."),
    *("256-1-1-1.zoo.pod.cluster.local.", "fd00--1.zoo.pod.cluster.local.", "1-2-3-4.nowhere.pod.cluster.local."),
    *("9.9.9.9.in-addr.arpa.", "10.in-addr.arpa.", "256.0.0.10.in-addr.arpa.", "x.ip6.arpa."),
)


def everything(reference: Reference) -> Answers:
    """Every question worth asking, and its answer."""
    return {question: expect(reference, *question) for question in every_question(reference)}


def every_question(reference: Reference) -> list[Question]:
    """Each type that each name has and each address; for names of each make all types; what is below and beside names."""
    nodes = reference.nodes()
    makes = {frozenset(node): name for name, node in nodes.items()}
    return list(
        dict.fromkeys(
            [
                *((name, rtype) for name, node in nodes.items() for rtype in (*node, "A", "AAAA")),
                *((name, rtype) for name in (*makes.values(), *NEAR) for rtype in TYPES),
                *((f"x.{name}", "A") for name in nodes),
                *((name.partition(".")[2], "A") for name in nodes),
            ]
        )
    )


def wrong_by_udp(server: Server, expected: Answers) -> Iterator[str]:
    """What isn't as expected, a line each; a truncated reply must hold a part of what is, and nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(server.addresses[0])
        for batch in _batches([*expected]):
            for number, (name, rtype) in enumerate(batch):
                sock.send(dns.message.make_query(name, rtype, id=number, payload=1232).to_wire())
            for octets in (sock.recv(65535) for _ in batch):
                reply = dns.message.from_wire(octets)
                wanted = expected[batch[reply.id]]
                if len(octets) > 1232 or not (_is_part if _is_cut(reply) else _is_all)(reply, wanted):
                    yield f"udp {batch[reply.id]}: {said(reply)}, expected {wanted}"


def wrong_by_tcp(server: Server, expected: Answers) -> Iterator[str]:
    """As by UDP; nothing is truncated."""
    with socket.create_connection(server.addresses[0], timeout=10) as sock, sock.makefile("rb") as read:
        for batch in _batches([*expected]):
            for number, (name, rtype) in enumerate(batch):
                octets = dns.message.make_query(name.upper(), rtype, id=number, use_edns=False).to_wire()
                sock.sendall(len(octets).to_bytes(2, "big") + octets)
            for octets in (read.read(int.from_bytes(read.read(2), "big")) for _ in batch):
                reply = dns.message.from_wire(octets)
                wanted = expected[batch[reply.id]]
                if _is_cut(reply) or not _is_all(reply, wanted) or not _keeps_case(reply):
                    yield f"tcp {batch[reply.id]}: {said(reply)}, expected {wanted}"


def expect(reference: Reference, name: str, rtype: str) -> Expected | None:
    """The reference's answer, with what is found where it leads out of the zone; None for what the upstream denies."""
    expected = reference.expect(name, rtype)
    if expected is None or expected.chase is None:
        return expected
    target = expected.chase
    found: list[Line] = [(target, KEPT, rtype, data) for data in ABROAD.get((target, rtype), ())]
    if target == "localhost." and rtype in LOCALHOST:
        data, ttl = LOCALHOST[rtype]
        found = [(target, ttl, rtype, data)]
    exists = target == "localhost." or any(target == name for name, _ in ABROAD)
    return expected._replace(rcode="NOERROR" if exists else "NXDOMAIN", answers=expected.answers | {*found})


def said(reply: dns.message.Message) -> Expected:
    """What a reply says, with the one serial that the reference knows."""
    rcode = dns.rcode.to_text(reply.rcode())
    if rcode == "SERVFAIL":
        return Expected(rcode)
    return Expected(rcode, _lines(reply.answer), _lines(reply.authority), _lines(reply.additional))


def _is_all(reply: dns.message.Message, expected: Expected | None) -> bool:
    """Whether a reply says all that is expected; by UDP extras may have had no room."""
    found = said(reply)
    if expected is None:
        return found.rcode == "NXDOMAIN" and not found.answers and not reply.flags & dns.flags.AA
    if expected.chase is not None:
        return found[:2] == expected[:2]
    extras: Callable[[frozenset[Line], frozenset[Line]], bool] = frozenset.issubset if reply.edns >= 0 else _same
    return found[:3] == expected[:3] and extras(found.additional, expected.additional)


def _is_part(reply: dns.message.Message, expected: Expected | None) -> bool:
    found = said(reply)
    return (
        expected is not None
        and found.rcode == expected.rcode
        and found.answers < expected.answers
        and not (found.authority or found.additional)
    )


def _same(one: frozenset[Line], other: frozenset[Line]) -> bool:
    return one == other


def _is_cut(reply: dns.message.Message) -> bool:
    return bool(reply.flags & dns.flags.TC)


def _keeps_case(reply: dns.message.Message) -> bool:
    """Whether question and first answer are written as they were asked."""
    names = [reply.question[0].name, *(rrset.name for rrset in reply.answer[:1])]
    return all(name.to_text() == name.to_text().upper() for name in names)


def _lines(section: Sequence[dns.rrset.RRset]) -> frozenset[Line]:
    return frozenset(
        (name, _ttl(name, rrset.ttl), dns.rdatatype.to_text(rrset.rdtype), _data(rdata.to_text().lower()))
        for rrset in section
        for name in (rrset.name.to_text().lower(),)
        for rdata in rrset
    )


def _ttl(name: str, ttl: int) -> int:
    """The TTL; of a name from abroad KEPT if it is on its way down from there."""
    return KEPT if 0 < ttl <= KEPT and any(name == known for known, _ in ABROAD) else ttl


def _data(text: str) -> str:
    """The data of a record; the serial of an SOA is 1."""
    parts = text.split()
    return " ".join((*parts[:2], "1", *parts[3:])) if len(parts) == 7 else text


def _batches(questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
    return (questions[at : at + AT_ONCE] for at in range(0, len(questions), AT_ONCE))
