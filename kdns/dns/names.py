"""Domain names in wire form: octet strings, never Unicode (robustness rule P7).

A Name is the uncompressed wire form with its final zero octet. Comparisons are made on
folded names: bytes.lower() touches only ASCII letters, and length octets (0 to 63) lie
below them, so folding a whole wire name is right (RFC 4343 section 3).
Standards: RFC 1035 sections 2.3.4, 3.1 and 5.1, RFC 4343.
"""

from collections.abc import Iterator
from typing import Final, NewType

Name = NewType("Name", bytes)

ROOT: Final = Name(b"\0")
LABEL_LIMIT: Final = 63
NAME_LIMIT: Final = 255

_PLAIN_OCTETS: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/+=:@%~"
_PLAIN: Final = frozenset(_PLAIN_OCTETS)


class NameTextError(ValueError):
    """A text that is no domain name; the message says what was found and what was expected."""


def fold(name: bytes) -> Name:
    """The name with ASCII letters in lower case."""
    return Name(name.lower())


def from_labels(labels: Iterator[bytes] | list[bytes] | tuple[bytes, ...]) -> Name:
    """The name made of labels, root excluded. Raises NameTextError past the limits of RFC 1035 section 2.3.4."""
    wire = bytearray()
    for label in labels:
        if not 0 < len(label) <= LABEL_LIMIT:
            raise NameTextError(f"a label has {len(label)} octets, expected 1 to {LABEL_LIMIT}")
        wire.append(len(label))
        wire += label
    wire.append(0)
    if len(wire) > NAME_LIMIT:
        raise NameTextError(f"the name has {len(wire)} octets, expected at most {NAME_LIMIT}")
    return Name(bytes(wire))


def from_text(text: str) -> Name:
    r"""The name that text writes, made absolute; understands \. and \DDD (RFC 1035 section 5.1).

    Raises NameTextError.
    """
    if text in {"", "."}:
        return ROOT
    if text.isascii() and "\\" not in text:
        return from_labels(text.removesuffix(".").encode("ascii").split(b"."))
    labels: list[bytes] = []
    label = bytearray()
    octets = text.encode("utf-8")
    position = 0
    while position < len(octets):
        octet = octets[position]
        position += 1
        if octet == 0x5C:  # backslash
            digits = octets[position : position + 3]
            if len(digits) == 3 and digits.isdigit():
                if int(digits) > 255:
                    raise NameTextError(f"\\{digits.decode()} is no octet, expected \\000 to \\255")
                label.append(int(digits))
                position += 3
            elif position < len(octets):
                label.append(octets[position])
                position += 1
            else:
                raise NameTextError(f"{text!r} ends in a backslash")
        elif octet == 0x2E:  # dot
            labels.append(bytes(label))
            label.clear()
        else:
            label.append(octet)
    if label:
        labels.append(bytes(label))
    return from_labels(labels)


def labels_of(name: bytes) -> Iterator[bytes]:
    """The labels of an uncompressed name, leftmost first, without the root."""
    position = 0
    while length := name[position]:
        yield name[position + 1 : position + 1 + length]
        position += 1 + length


def to_text(name: bytes) -> str:
    r"""Presentation form with a final dot; unusual octets as \DDD, so safe in logs and metrics (RFC 1035 section 5.1)."""
    if name == ROOT:
        return "."
    labels = list(labels_of(name))
    joined = b"".join(labels)
    if not joined.translate(None, _PLAIN_OCTETS):  # as nearly all are: a tenth of the time
        return b".".join((*labels, b"")).decode("ascii")
    return "".join(label_text(label) + "." for label in labels)


def label_text(label: bytes) -> str:
    """One label in presentation form."""
    return "".join(
        chr(octet) if octet in _PLAIN else "\\" + chr(octet) if octet in b'."\\();$' else f"\\{octet:03d}"
        for octet in label
    )


def is_below(name: bytes, zone: bytes) -> bool:
    """Whether name is zone or lies below it; both folded."""
    if not name.endswith(zone):
        return False
    return starts_label(name, len(name) - len(zone))


def starts_label(name: bytes, offset: int) -> bool:
    """Whether a label of the uncompressed name starts at offset."""
    position = 0
    while position < offset:
        position += name[position] + 1
    return position == offset
