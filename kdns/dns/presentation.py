r"""Records as text: one line of a zone file becomes a record set of one record.

Owner, then TTL and class in either order and each only if it is there, type, data. Names are absolute, with or without a
final dot; parentheses let data go on over line ends, `;` begins a comment. The data of each type is a row of fields, as
the table says; any type may be written as octets (`\# 4 c0000201`). dnslib's reader of zone files isn't used: it reads
\DDD as octal, takes numbers beyond their range, and knows TTL and class in one order alone.
Standards: RFC 1035 section 5.1, RFC 3597 section 5, RFC 2308 section 4 ($TTL's units), and those of the types.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from typing import Final, NamedTuple, NoReturn, TypeAlias

from kdns.dns import names, types
from kdns.dns.names import Name, NameTextError
from kdns.dns.records import RecordSet
from kdns.dns.wire import WireError, end_of_plain_name

LENGTH_MAX: Final = 65535  # characters of a line: no record is larger as octets
TTL: Final = 3600  # seconds, of a line that says none; as miekg/dns has it
TTL_MAX: Final = 2**31 - 1  # RFC 2181 section 8

_DATA_MAX: Final = 65535
_STRING_MAX: Final = 255
_OCTETS: Final = frozenset(map(str, range(256)))
_LEXEME: Final = (
    r"(?P<space>[ \t]+|;[^\n]*)|(?P<end>[\r\n]+)|(?P<open>\()|(?P<close>\))"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>(?:[^\s()";\\]|\\.)+)'
)
_ESCAPE: Final = r"\\(?:([0-9]{3})|(.))"
_SPAN: Final = r"(?=[0-9])(?:[0-9]+[wdhms])*(?:[0-9]+)?"
_SPAN_LENGTH_MAX: Final = 32
_UNITS: Final = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


class RecordTextError(ValueError):
    """A text that is no record; the message says what was found and what was expected."""


class _Word(NamedTuple):
    """A word as it is written, escapes included."""

    text: str
    quoted: bool = False


_Field: TypeAlias = Callable[[_Word], bytes]


def record(line: str, *, ttl: int = TTL) -> RecordSet:
    """The record that a line writes, with ttl where it says none. Raises RecordTextError and nothing else.

    The time is linear to the line, some 25 µs for an address.
    """
    words = _words(line)
    if len(words) < 2:
        _fail(f"{line!r}", "a name, a type and data")
    name = _name(words[0])
    position, rclass = 1, types.IN
    said: set[str] = set()
    while position < len(words) - 1:
        word = words[position].text
        if "ttl" not in said and re.fullmatch(_SPAN, word.lower()):
            ttl = seconds(word)
            said.add("ttl")
        elif "class" not in said and (found := _number(word, _CLASSES, "CLASS")) is not None:
            rclass = found
            said.add("class")
        else:
            break
        position += 1
    rtype = _number(words[position].text, _TYPES, "TYPE")
    if rtype is None or rtype in _NO_RECORDS:
        _fail(words[position].text, "a type that records have, such as A")
    return RecordSet(Name(name), rtype, ttl, (_data(rtype, words[position + 1 :]),), rclass)


def seconds(text: str) -> int:
    """A TTL: seconds, or numbers with units as in 1h30m. Raises RecordTextError."""
    folded = text.lower()
    total = TTL_MAX + 1
    if len(text) <= _SPAN_LENGTH_MAX and re.fullmatch(_SPAN, folded):
        total = sum(int(number) * _UNITS[unit or "s"] for number, unit in re.findall(r"([0-9]+)([wdhms]?)", folded))
    if total > TTL_MAX:
        _fail(text, f"seconds up to {TTL_MAX}")
    return total


def _words(line: str) -> list[_Word]:
    """The words of the only record in a line. Raises RecordTextError."""
    if len(line) > LENGTH_MAX:
        _fail(f"{len(line)} characters", f"{LENGTH_MAX} at the most")
    token = re.compile(_LEXEME, re.DOTALL)
    words: list[_Word] = []
    depth = position = 0
    ended = False
    while position < len(line):
        match = token.match(line, position)
        if match is None:
            _fail(line[position : position + 20], "a word, with the end of its quotes or of its escape")
        position = match.end()
        kind = match.lastgroup
        if kind == "end":
            ended = ended or (not depth and bool(words))
        elif kind != "space" and ended:
            _fail(match.group(), "the end of the only record")
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        elif kind is not None and kind != "space":
            words.append(_Word(match[kind], kind == "quoted"))
        if depth < 0:
            _fail(")", "a parenthesis that was opened")
    if depth:
        _fail("the end", "a closing parenthesis")
    return words


def _number(text: str, known: dict[str, int], prefix: str) -> int | None:
    """A type or class by its mnemonic or as TYPE123 (RFC 3597 section 5)."""
    folded = text.upper()
    if folded in known:
        return known[folded]
    digits = folded.removeprefix(prefix)
    if digits != folded and digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= 65535:
        return int(digits)
    return None


def _data(rtype: int, words: Sequence[_Word]) -> bytes:
    """The octets of record data."""
    if words and words[0] == _Word("\\#"):
        return _plain_octets(rtype, words[1:])
    layout = _LAYOUTS.get(rtype)
    if layout is None:
        _fail(" ".join(word.text for word in words)[:40], f"data of type {types.type_text(rtype)} as \\# LENGTH OCTETS")
    fields, rest = layout
    if len(words) < len(fields) + (rest is not None) or (rest is None and len(words) > len(fields)):
        more = " or more" if rest else ""
        expected = f"{len(fields) + (rest is not None)}{more} in the data of {types.type_text(rtype)}"
        _fail(f"{len(words)} words", expected)
    data = b"".join(field(word) for field, word in zip(fields, words, strict=False))
    if rest is not None:
        data += rest(words[len(fields) :])
    if len(data) > _DATA_MAX:
        _fail(f"{len(data)} octets of data", f"{_DATA_MAX} at the most")
    return data


def _plain_octets(rtype: int, words: Sequence[_Word]) -> bytes:
    """Data written as its length and octets."""
    if not words or not words[0].text.isdecimal():
        _fail(words[0].text if words else "the end", "the number of octets behind \\#")
    data = _hex(words[1:])
    if len(words[0].text) > 5 or len(data) != int(words[0].text) or len(data) > _DATA_MAX:
        _fail(f"{len(data)} octets", f"the {words[0].text} that were said")
    size = {types.A: 4, types.AAAA: 16}.get(rtype)
    if size not in {None, len(data)}:
        _fail(f"an address of {len(data)} octets", f"{size}")
    if rtype in _NAMED and not _has_its_names(data, *_NAMED[rtype]):
        _fail("octets", f"data of type {types.type_text(rtype)}")
    return data


def _has_its_names(data: bytes, position: int, count: int, behind: int) -> bool:
    """Whether there are count names from position on, and so many octets behind them."""
    try:
        for _ in range(count):
            position = end_of_plain_name(data, position)
    except WireError:
        return False
    return position + behind == len(data)


def _fail(found: str, expected: str) -> NoReturn:
    raise RecordTextError(f"found {found}, expected {expected}")


def _name(word: _Word) -> bytes:
    if word.text == "@":
        return names.ROOT
    try:
        return names.from_text(word.text)
    except (NameTextError, UnicodeEncodeError) as error:
        _fail(word.text, f"a domain name ({error})")


def _octets(text: str) -> bytes:
    r"""What a character string says, \DDD and \X read."""
    if "\\" not in text:
        return _encoded(text)
    octets = b""
    position = 0
    for match in re.finditer(_ESCAPE, text, re.DOTALL):
        octets += _encoded(text[position : match.start()])
        if match[1] and int(match[1]) > 255:
            _fail(match[0], "\\000 to \\255")
        octets += bytes((int(match[1]),)) if match[1] else _encoded(match[2])
        position = match.end()
    return octets + _encoded(text[position:])


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _string(word: _Word) -> bytes:
    octets = _octets(word.text)
    if len(octets) > _STRING_MAX:
        _fail(f"{len(octets)} octets", f"a text of {_STRING_MAX} at the most")
    return bytes((len(octets),)) + octets


def _strings(words: Sequence[_Word]) -> bytes:
    """Texts; one too long is several."""
    data = b""
    for word in words:
        octets = _octets(word.text)
        parts = [octets[start : start + _STRING_MAX] for start in range(0, len(octets), _STRING_MAX)] or [b""]
        data += b"".join(bytes((len(part),)) + part for part in parts)
    return data


def _whole(size: int) -> _Field:
    """A number of so many octets."""

    def read(word: _Word) -> bytes:
        text = word.text
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 1 << 8 * size):
            _fail(text, f"a number from 0 to {(1 << 8 * size) - 1}")
        return int(text).to_bytes(size, "big")

    return read


def _span(word: _Word) -> bytes:
    return seconds(word.text).to_bytes(4, "big")


def _ipv4(word: _Word) -> bytes:
    parts = word.text.split(".")
    octets = [int(part) for part in parts if part in _OCTETS]
    if len(octets) != 4 or len(parts) != 4:
        _fail(word.text, "an IPv4 address")
    return bytes(octets)


def _ipv6(word: _Word) -> bytes:
    try:
        if "%" in word.text:
            _fail(word.text, "an IPv6 address without a zone")
        return IPv6Address(word.text).packed
    except RecordTextError:
        raise
    except ValueError:
        _fail(word.text, "an IPv6 address")


def _hex(words: Sequence[_Word]) -> bytes:
    text = "".join(word.text for word in words)
    try:
        return binascii.unhexlify(text)
    except ValueError:
        _fail(text[:40], "octets as hexadecimal digits")


def _base64(words: Sequence[_Word]) -> bytes:
    text = "".join(word.text for word in words)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        _fail(text[:40], "octets in base64")


def _bare(words: Sequence[_Word]) -> bytes:
    """One text without its length."""
    if len(words) != 1:
        _fail(f"{len(words)} words", "one text")
    return _octets(words[0].text)


_Rest: TypeAlias = Callable[[Sequence[_Word]], bytes]
_U8: Final = _whole(1)
_U16: Final = _whole(2)
_U32: Final = _whole(4)

# Type, number, its fields, and what reads all words behind them.
_TABLE: Final[tuple[tuple[str, int, tuple[_Field, ...], _Rest | None], ...]] = (
    ("A", types.A, (_ipv4,), None),
    ("NS", types.NS, (_name,), None),
    ("CNAME", types.CNAME, (_name,), None),
    ("SOA", types.SOA, (_name, _name, _U32, _span, _span, _span, _span), None),
    ("PTR", types.PTR, (_name,), None),
    ("HINFO", types.HINFO, (_string, _string), None),
    ("MX", types.MX, (_U16, _name), None),
    ("TXT", types.TXT, (), _strings),
    ("RP", 17, (_name, _name), None),
    ("AFSDB", 18, (_U16, _name), None),
    ("AAAA", types.AAAA, (_ipv6,), None),
    ("SRV", types.SRV, (_U16, _U16, _U16, _name), None),
    ("NAPTR", types.NAPTR, (_U16, _U16, _string, _string, _string, _name), None),
    ("KX", 36, (_U16, _name), None),
    ("DNAME", types.DNAME, (_name,), None),
    ("DS", types.DS, (_U16, _U8, _U8), _hex),
    ("SSHFP", 44, (_U8, _U8), _hex),
    ("DNSKEY", types.DNSKEY, (_U16, _U8, _U8), _base64),
    ("TLSA", 52, (_U8, _U8, _U8), _hex),
    ("SMIMEA", 53, (_U8, _U8, _U8), _hex),
    ("OPENPGPKEY", 61, (), _base64),
    ("SPF", 99, (), _strings),
    ("URI", 256, (_U16, _U16), _bare),
    ("CAA", 257, (_U8, _string), _bare),
)
# Types whose names a renderer looks for: where they begin, how many they are, how many octets follow.
_NAMED: Final = {
    **dict.fromkeys((types.NS, types.CNAME, types.PTR, types.DNAME), (0, 1, 0)),
    types.SOA: (0, 2, 20),
    types.MX: (2, 1, 0),
    types.SRV: (6, 1, 0),
}
_LAYOUTS: Final = {number: (fields, rest) for _, number, fields, rest in _TABLE}
_NO_RECORDS: Final = frozenset((0, types.OPT, *range(128, 256)))  # RFC 6895 section 3.1
_TYPES: Final = {name: number for name, number, _, _ in _TABLE} | {
    types.type_text(number): number for number in (types.RRSIG, types.NSEC, types.NSEC3, types.SVCB, types.HTTPS)
}
_CLASSES: Final = {"IN": types.IN, "CS": 2, "CH": types.CH, "HS": types.HS}
