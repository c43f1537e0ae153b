r"""Records as a person reads them: the lines of a zone file, the other way round from presentation.

Types whose layout isn't here, and data that isn't laid out as its type says, are written as octets (`\# 4 c0000201`),
so every record has a line, and presentation reads each as the record it was.
Standards: RFC 1035 section 5.1, RFC 3597 section 5, RFC 5952 (IPv6 addresses).
"""

import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from kdns.dns import types
from kdns.dns.names import Name, to_text
from kdns.dns.wire import WireError, end_of_plain_name

_CLASSES: Final = {types.IN: "IN", types.CH: "CH", types.HS: "HS"}
_PRINTABLE: Final = range(0x20, 0x7F)
_QUOTED: Final = b'"\\'


def line(name: Name, rtype: int, rclass: int, ttl: int, data: bytes) -> str:
    """`www.example.org. 60 IN A 192.0.2.1`, of data without compression."""
    words = (to_text(name), str(ttl), class_text(rclass), types.type_text(rtype), data_text(rtype, data))
    return " ".join(words)


def class_text(rclass: int) -> str:
    """The mnemonic of a class, or its CLASS123 form (RFC 3597 section 5)."""
    return _CLASSES.get(rclass) or f"CLASS{rclass}"


def data_text(rtype: int, data: bytes) -> str:
    r"""Record data; as octets (`\# 1 ff`) where the type has no other form here, or the data doesn't fit it."""
    layout = _LAYOUTS.get(rtype)
    if layout is not None:
        try:
            return layout(data)
        except (ValueError, struct.error, WireError):
            pass
    return f"\\# {len(data)} {data.hex()}".rstrip()


def _names(count: int, before: str = "", behind: str = "") -> Callable[[bytes], str]:
    """Numbers, names, and numbers again: layouts as struct writes them."""

    def text(data: bytes) -> str:
        position = struct.calcsize(f"!{before}")
        words = [str(number) for number in struct.unpack(f"!{before}", data[:position])]
        for _ in range(count):
            end = end_of_plain_name(data, position)
            words.append(to_text(data[position:end]))
            position = end
        words += [str(number) for number in struct.unpack(f"!{behind}", data[position:])]
        return " ".join(words)

    return text


def _strings(data: bytes) -> str:
    """Character strings, quoted (RFC 1035 section 3.3)."""
    words, position = [], 0
    while position < len(data) or not data:
        end = position + 1 + (data[position] if data else 0)
        if end > len(data):
            raise ValueError(f"a string ends at {end}, the data at {len(data)}")
        words.append(f'"{"".join(map(_character, data[position + 1 : end]))}"')
        position = end
    return " ".join(words)


def _character(octet: int) -> str:
    if octet in _QUOTED:
        return f"\\{chr(octet)}"
    return chr(octet) if octet in _PRINTABLE else f"\\{octet:03d}"


_LAYOUTS: Final[dict[int, Callable[[bytes], str]]] = {
    types.A: lambda data: str(IPv4Address(data)),
    types.AAAA: lambda data: str(IPv6Address(data)),
    **dict.fromkeys((types.NS, types.CNAME, types.PTR, types.DNAME), _names(1)),
    types.SOA: _names(2, behind="IIIII"),
    types.MX: _names(1, before="H"),
    types.SRV: _names(1, before="HHH"),
    **dict.fromkeys((types.TXT, types.HINFO), _strings),
}
