"""What a reply means before it is rendered: record sets and the answer they make.

Record data is uncompressed wire form; the renderer knows which types hold names that
may be compressed (RFC 3597 section 4). Standards: RFC 1035 section 4.1.3, RFC 2181 section 5.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple, overload

from kdns.dns import types
from kdns.dns.names import Name


class Packed(Sequence[bytes]):
    """Record data of equal size, cut from one octet string only when read: 5,000 addresses cost what is sent of them."""

    __slots__ = ("octets", "size")

    def __init__(self, octets: bytes, size: int) -> None:
        self.octets = octets
        self.size = size

    def __len__(self) -> int:
        return len(self.octets) // self.size

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> "Packed": ...
    def __getitem__(self, index: int | slice) -> "bytes | Packed":
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return Packed(self.octets[start * self.size : max(start, stop) * self.size], self.size)
            return Packed(b"".join(self[i] for i in range(start, stop, step)), self.size)
        count = len(self)
        if not -count <= index < count:
            raise IndexError(index)
        start = index % count * self.size
        return self.octets[start : start + self.size]


class RecordSet(NamedTuple):
    """Records of one name, class and type, with one TTL (RFC 2181 section 5)."""

    name: Name  # as it is to be sent, its case included
    rtype: int
    ttl: int  # seconds
    rdatas: Sequence[bytes]
    rclass: int = types.IN


class ExtendedError(NamedTuple):
    """An extended DNS error (RFC 8914), sent only to clients that speak EDNS."""

    code: int
    text: str = ""


class Answer(NamedTuple):
    """The meaning of a reply, apart from what the query itself decides (id, question, EDNS, size)."""

    rcode: int = types.NOERROR
    answers: tuple[RecordSet, ...] = ()
    authority: tuple[RecordSet, ...] = ()
    additional: tuple[RecordSet, ...] = ()
    authoritative: bool = True
    error: ExtendedError | None = None


def srv(priority: int, weight: int, port: int, target: Name) -> bytes:
    """SRV record data (RFC 2782)."""
    return struct.pack("!HHH", priority, weight, port) + target


def soa(mname: Name, rname: Name, serial: int, refresh: int, retry: int, expire: int, minimum: int) -> bytes:
    """SOA record data (RFC 1035 section 3.3.13); times in seconds."""
    return mname + rname + struct.pack("!IIIII", serial & 0xFFFFFFFF, refresh, retry, expire, minimum)


def txt(*strings: bytes) -> bytes:
    """TXT record data of strings of at most 255 octets each (RFC 1035 section 3.3.14)."""
    return b"".join(bytes((len(string),)) + string for string in strings)
