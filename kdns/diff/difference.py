"""What differs between two replies to one question, record by record.

A difference is the smallest thing that can be told apart: a flag, the rcode, one record that only one reply has, one
TTL. What has no meaning isn't compared: the id, how names are compressed, and the order of records but for that of an
answer's sets (a CNAME comes before what it leads to). Which differences are meant to be is none of this module's
business.
Standards: RFC 1035 section 4.1, RFC 2181 section 5 (sets of records), RFC 4343 (the case of letters), RFC 6891.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from kdns.dns import lines, types
from kdns.dns.message import Line, Message
from kdns.dns.names import Name, fold, to_text

SECTIONS: Final = ("answer", "authority", "additional")
SILENCE: Final = Message(0, 0, 0, -1, (), (), (), (), None, 0)  # stands for no reply
_FLAGS: Final = (
    *((types.QR, "qr"), (types.AA, "aa"), (types.TC, "tc"), (types.RD, "rd"), (types.RA, "ra")),
    *((0x40, "z"), (types.AD, "ad"), (types.CD, "cd")),
)
# The types whose data holds names, whose case doesn't count, and a zone's serial in the data of its SOA.
_NAMED: Final = frozenset((types.NS, types.CNAME, types.SOA, types.PTR, types.MX, types.SRV, types.DNAME))
_SERIAL: Final = slice(-20, -16)

_Meaning: TypeAlias = tuple[Name, int, int, bytes]


class Difference(NamedTuple):
    """Where two replies differ, and what each says there; "" where one says nothing.

    Of a section: a record that one has alone, as a line without its TTL. "answer ttl" and so on: the TTL of a record
    that both have, behind its line; "answer serial": the serial of an SOA that is the same otherwise; "answer order":
    the sets; "answer case": a record, if it is all but the case of letters that differs. Elsewhere the name of a flag,
    "rcode", "opcode", "question", "edns", "payload", "version", "do" or "option CODE"; "reply" where one says nothing.
    """

    where: str
    theirs: str
    ours: str

    def __str__(self) -> str:
        return f"{self.where}: {self.theirs or '-'} | {self.ours or '-'}"


def differences(theirs: Message, ours: Message, *, slack_s: int = 0) -> tuple[Difference, ...]:
    """All that differs; () for replies that say the same. TTLs up to slack_s seconds apart are the same."""
    if SILENCE in (theirs, ours):
        words = ["" if each == SILENCE else types.rcode_text(each.rcode) for each in (theirs, ours)]
        return () if theirs == ours else (Difference("reply", *words),)
    found = [*_headers(theirs, ours), *_edns(theirs, ours)]
    for section in SECTIONS:
        found += _section(section, getattr(theirs, section), getattr(ours, section), slack_s)
    return tuple(found)


def _headers(theirs: Message, ours: Message) -> Iterator[Difference]:
    for mask, word in _FLAGS:
        if (theirs.flags ^ ours.flags) & mask:
            yield Difference(word, *("set" if each.flags & mask else "clear" for each in (theirs, ours)))
    if theirs.rcode != ours.rcode:
        yield Difference("rcode", *(types.rcode_text(each.rcode) for each in (theirs, ours)))
    if theirs.opcode != ours.opcode:
        yield Difference("opcode", str(theirs.opcode), str(ours.opcode))
    if theirs.questions != ours.questions:
        yield Difference("question", _questions(theirs), _questions(ours))


def _questions(message: Message) -> str:
    return ", ".join(
        f"{to_text(name)} {lines.class_text(qclass)} {types.type_text(qtype)}"
        for name, qtype, qclass in message.questions
    )


def _edns(theirs: Message, ours: Message) -> Iterator[Difference]:
    if theirs.edns is None or ours.edns is None:
        if theirs.edns is not ours.edns:
            yield Difference("edns", *("" if each.edns is None else "spoken" for each in (theirs, ours)))
        return
    for word in ("payload", "version", "do"):
        one, other = getattr(theirs.edns, word), getattr(ours.edns, word)
        if one != other:
            yield Difference(word, str(one), str(other))
    found, told = (Counter(each.edns.options) for each in (theirs, ours) if each.edns)
    yield from (Difference(f"option {code}", data.hex() or "empty", "") for code, data in (found - told).elements())
    yield from (Difference(f"option {code}", "", data.hex() or "empty") for code, data in (told - found).elements())


def _section(section: str, theirs: Sequence[Line], ours: Sequence[Line], slack_s: int) -> Iterator[Difference]:
    """What differs in a section: records that one has alone, then what differs in those that both have."""
    pairs, left, added = _matched(theirs, ours)
    yield from (Difference(section, _text(each), "") for each in left)
    yield from (Difference(section, "", _text(each)) for each in added)
    for one, other in pairs:
        if abs(one.ttl - other.ttl) > slack_s:
            yield Difference(f"{section} ttl", f"{one.ttl} {_text(one)}", f"{other.ttl} {_text(other)}")
        if one.rtype == types.SOA and one.data[_SERIAL] != other.data[_SERIAL]:
            yield Difference(f"{section} serial", *(str(int.from_bytes(each.data[_SERIAL])) for each in (one, other)))
        if _written(one) != _written(other):
            yield Difference(f"{section} case", _text(one), _text(other))
    if section == "answer" and not (left or added) and _sets(theirs) != _sets(ours):
        yield Difference(f"{section} order", *(" ".join(map(_shown, _sets(of))) for of in (theirs, ours)))


def _matched(theirs: Sequence[Line], ours: Sequence[Line]) -> tuple[list[tuple[Line, Line]], list[Line], list[Line]]:
    """Records that both have, in pairs, and those that only one has; of equal ones as many as are too many."""
    waiting: dict[_Meaning, list[Line]] = {}
    for each in ours:
        waiting.setdefault(_meaning(each), []).append(each)
    pairs, left = [], []
    for each in theirs:
        same = waiting.get(_meaning(each))
        if same:
            alike = next((other for other in same if _written(other) == _written(each)), same[0])
            same.remove(alike)
            pairs.append((each, alike))
        else:
            left.append(each)
    return pairs, left, [each for same in waiting.values() for each in same]


def _meaning(line: Line) -> _Meaning:
    """What makes a record the one it is, whatever its TTL, its serial and the case of its names."""
    return fold(line.name), line.rtype, line.rclass, _written(line)[1].lower() if line.rtype in _NAMED else line.data


def _written(line: Line) -> tuple[Name, bytes]:
    """Its names, as they are written; without the serial."""
    data = line.data
    return line.name, data[: _SERIAL.start] + data[_SERIAL.stop :] if line.rtype == types.SOA else data


def _sets(section: Sequence[Line]) -> list[tuple[Name, int]]:
    """The sets of a section in the order in which they begin."""
    return list(dict.fromkeys((fold(line.name), line.rtype) for line in section))


def _shown(key: tuple[Name, int]) -> str:
    return f"{to_text(key[0])}/{types.type_text(key[1])}"


def _text(line: Line) -> str:
    """A record without its TTL, whose case counts for who reads it."""
    words = (to_text(line.name), lines.class_text(line.rclass), types.type_text(line.rtype))
    return " ".join((*words, lines.data_text(line.rtype, line.data)))
