"""Octets of queries put together by hand, so that they may be as wrong as a case needs them."""

import struct

from kdns.dns import names, types
from kdns.dns.names import Name

WEB = names.from_text("web.shop.svc.cluster.local")


def header(*, ident: int = 0x1234, flags: int = types.RD, qd: int = 1, an: int = 0, ns: int = 0, ar: int = 0) -> bytes:
    return struct.pack("!6H", ident, flags, qd, an, ns, ar)


def question(name: bytes = WEB, qtype: int = types.A, qclass: int = types.IN) -> bytes:
    return name + struct.pack("!HH", qtype, qclass)


def record(owner: bytes, rtype: int, data: bytes = b"", *, rclass: int = types.IN, ttl: int = 0) -> bytes:
    return owner + struct.pack("!HHIH", rtype, rclass, ttl, len(data)) + data


def option(code: int, data: bytes = b"") -> bytes:
    return struct.pack("!HH", code, len(data)) + data


def opt(options: bytes = b"", *, payload: int = 1232, version: int = 0, flags: int = 0, owner: bytes = b"\0") -> bytes:
    return record(owner, types.OPT, options, rclass=payload, ttl=version << 16 | flags)


def query(name: bytes = WEB, qtype: int = types.A, qclass: int = types.IN, *, flags: int = types.RD) -> bytes:
    return header(flags=flags) + question(name, qtype, qclass)


def edns_query(*additional: bytes, qtype: int = types.A) -> bytes:
    return header(ar=len(additional)) + question(qtype=qtype) + b"".join(additional)


def named(text: str) -> Name:
    return names.from_text(text)
