"""A question as it is put to two servers: what may differ between questions, and their octets.

Standards: RFC 1035 section 4.1, RFC 6891 section 6.1.
"""

import struct
from typing import Final, NamedTuple

from kdns.dns import lines, types
from kdns.dns.names import Name, to_text

_HEADER: Final = struct.Struct("!HHHHHH").pack
_FIXED: Final = struct.Struct("!HH").pack
_OPT: Final = struct.Struct("!BHHIH").pack
_DO: Final = 0x8000


class Question(NamedTuple):
    """What both are asked."""

    name: Name
    qtype: int
    qclass: int = types.IN
    tcp: bool = False
    payload: int = 0  # octets that the client takes by UDP; 0 for a client without EDNS
    do: bool = False
    flags: int = types.RD
    options: tuple[tuple[int, bytes], ...] = ()  # EDNS options, code and data

    def __str__(self) -> str:
        words = [to_text(self.name), lines.class_text(self.qclass), types.type_text(self.qtype)]
        words.append("tcp" if self.tcp else "udp")
        words += [f"edns={self.payload}"] if self.payload else []
        words += [word for word, said in (("do", self.do), ("cd", self.flags & types.CD)) if said]
        words += [f"option {code}={data.hex()}" for code, data in self.options]
        return " ".join(words)

    def octets(self, ident: int) -> bytes:
        """The query with this id."""
        opt = b""
        if self.payload:
            options = b"".join(_FIXED(code, len(data)) + data for code, data in self.options)
            opt = _OPT(0, types.OPT, self.payload, _DO if self.do else 0, len(options)) + options
        header = _HEADER(ident, self.flags, 1, 0, 0, bool(opt))
        return header + self.name + _FIXED(self.qtype, self.qclass) + opt
