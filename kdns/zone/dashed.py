"""Addresses as labels: 10-0-0-1 and 2001-db8--1, read strictly and written in one form.

Everything works on octets: the text functions of Python take digits of every script for
digits, and signs, spaces and underscores besides (robustness rule P7).
Standards: RFC 4291 section 2.2 (what is read), RFC 5952 section 4 (what is written).
"""

import struct
from binascii import unhexlify
from collections.abc import Sequence
from typing import Final

_DECIMALS: Final = {b"%d" % octet: octet for octet in range(256)}
_HEX: Final = b"0123456789abcdef"


def quad(parts: Sequence[bytes]) -> bytes | None:
    """The IPv4 address of four decimal numbers without leading zeros; None for anything else."""
    if len(parts) != 4:
        return None
    try:
        return bytes([_DECIMALS[part] for part in parts])
    except KeyError:
        return None


def parse(text: bytes) -> bytes | None:
    """The address that a label in lower case, without its length octet, is a dashed form of; None if it is none.

    Three single dashes make it IPv4, all else is IPv6, of which every spelling is understood.
    """
    if text.count(b"-") == 3 and b"--" not in text:
        return quad(text.split(b"-"))
    left, gap, right = text.partition(b"--")
    before = left.split(b"-") if left else []
    after = right.split(b"-") if right else []
    missing = 8 - len(before) - len(after)
    if missing < 1 if gap else missing != 0:
        return None
    groups = [*before, *[b"0"] * missing, *after]
    if any(not 0 < len(group) <= 4 or group.strip(_HEX) for group in groups):
        return None
    return unhexlify(b"".join(group.rjust(4, b"0") for group in groups))


def write(address: bytes) -> bytes:
    """The dashed form of an address (4 or 16 octets), without a length octet.

    IPv6 in its shortest form, with a 0 behind a final dash: no label ends in one.
    """
    if len(address) == 4:
        return b"%d-%d-%d-%d" % (*address,)
    groups = [b"%x" % group for group in struct.unpack("!8H", address)]
    start, end = _longest_zeros(groups)
    if end - start < 2:
        return b"-".join(groups)
    return b"-".join(groups[:start]) + b"--" + (b"-".join(groups[end:]) or b"0")


def _longest_zeros(groups: list[bytes]) -> tuple[int, int]:
    """Where the first of the longest runs of zero groups starts and ends."""
    best, run = (0, 0), 0
    for position, group in enumerate(groups, 1):
        run = run + 1 if group == b"0" else 0
        if run > best[1] - best[0]:
            best = (position - run, position)
    return best
