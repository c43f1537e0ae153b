"""Reads a zone's master file, in a process of its own: the one importer of dnspython in the server.

`python -m kdns.steps.masterfile FILE ORIGIN` writes the zone's record sets as unpack reads them, and is gone: a worker has
neither the library's memory nor its time. What is wrong goes to standard error in a line, with file and line number.
Standards: RFC 1035 section 5 ($ORIGIN, $INCLUDE), RFC 2308 section 4 ($TTL), RFC 3597.
"""

import contextlib
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from kdns.dns.names import Name
from kdns.dns.records import RecordSet

_SET: Final = struct.Struct("!BHIH")  # octets of the owner, type, TTL, number of records
_SIZE: Final = struct.Struct("!H")


class Contents(NamedTuple):
    """What a file holds."""

    sets: tuple[RecordSet, ...]
    includes: bool  # it takes in other files


def main(arguments: list[str]) -> int:
    """Writes what the file says of the zone, both as texts; the exit status."""
    file, origin = arguments
    try:
        octets = pack(read(file, origin))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(octets)
    return 0


def read(file: str, origin: str) -> Contents:
    """The record sets at and below origin. Raises OSError, and ValueError for what is no zone file.

    Relative names of files in it are looked for where it lies itself.
    """
    import dns.exception  # noqa: PLC0415 - whoever only unpacks has no need of it
    import dns.zone  # noqa: PLC0415

    path = Path(file).absolute()
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    try:
        with contextlib.chdir(path.parent):
            zone = dns.zone.from_text(
                text, origin, relativize=False, check_origin=False, filename=file, allow_include=True
            )
    except dns.exception.DNSException as error:
        raise ValueError(str(error) or type(error).__name__) from error
    # The library has a set of signatures for each type that they cover; to us they are one.
    merged: dict[tuple[bytes, int], tuple[int, list[bytes]]] = {}
    for name, ttl, rdata in zone.iterate_rdatas():
        key = (name.to_wire() or b"", int(rdata.rdtype))
        least, rdatas = merged.get(key, (ttl, []))
        rdatas.append(rdata.to_wire() or b"")
        merged[key] = min(least, ttl), rdatas
    sets = tuple(RecordSet(Name(name), rtype, ttl, tuple(each)) for (name, rtype), (ttl, each) in merged.items())
    return Contents(sets, "$INCLUDE" in text.upper())


def pack(contents: Contents) -> bytes:
    """The octets of contents."""
    parts = [bytes((contents.includes,))]
    for name, rtype, ttl, rdatas, _ in contents.sets:
        parts += (_SET.pack(len(name), rtype, ttl, len(rdatas)), name)
        for rdata in rdatas:
            parts += (_SIZE.pack(len(rdata)), rdata)
    return b"".join(parts)


def unpack(octets: bytes) -> Contents:
    """What pack packed."""
    return Contents(tuple(_sets(octets)), bool(octets[0]))


def _sets(octets: bytes) -> Iterator[RecordSet]:
    position = 1
    while position < len(octets):
        length, rtype, ttl, count = _SET.unpack_from(octets, position)
        position += _SET.size
        name = Name(octets[position : position + length])
        position += length
        rdatas = []
        for _ in range(count):
            (size,) = _SIZE.unpack_from(octets, position)
            position += _SIZE.size
            rdatas.append(octets[position : position + size])
            position += size
        yield RecordSet(name, rtype, ttl, tuple(rdatas))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
