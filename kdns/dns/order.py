"""The order of addresses in an answer or in a reply: which come first.

In an Answer a set becomes several of the same name and type, one behind the other, since the renderer lets the first set
of several addresses take turns and keeps the order of sets; in octets, records that are alike but for their data change
places. Nothing is added, taken away or decoded. Who comes first, and why, is the step's matter.
Standards: RFC 2181 section 5 (the order of a set means nothing).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from kdns.dns import types
from kdns.dns.names import Name, fold
from kdns.dns.records import RecordSet
from kdns.dns.reply import Rotation
from kdns.dns.wire import HEADER_SIZE, Record, end_of_plain_name, read_name, record_at, records_at

Rank: TypeAlias = Callable[[bytes], int]

_SIZES: Final = {types.A: 4, types.AAAA: 16}
_TTL_BEFORE_DATA: Final = 6  # octets from a record's TTL to its data


class Ordered(NamedTuple):
    """A reply's octets, and where addresses lie that may still change places."""

    octets: bytes
    rotation: Rotation | None


def is_several(records: RecordSet) -> bool:
    """Whether the set has addresses that could come in another order."""
    return records.rtype in _SIZES and len(records.rdatas) > 1


def by_rank(records: RecordSet, rank: Rank) -> tuple[RecordSet, ...]:
    """The set of addresses as sets of equal rank, the least first; as it is where all have the same."""
    ranks: dict[int, list[bytes]] = {}
    for address in records.rdatas:
        ranks.setdefault(rank(address), []).append(address)
    if len(ranks) == 1:
        return (records,)
    return tuple(records._replace(rdatas=tuple(ranks[each])) for each in sorted(ranks))


def with_first(records: RecordSet, number: int) -> tuple[RecordSet, ...]:
    """The set with that address alone in front of the others."""
    rdatas = tuple(records.rdatas)
    rest = rdatas[:number] + rdatas[number + 1 :]
    return records._replace(rdatas=(rdatas[number],)), records._replace(rdatas=rest)


def run_of(octets: bytes) -> Rotation | None:
    """The first addresses among a reply's answers that lie one behind the other and are alike but for their data.

    Raises WireError for octets that aren't whole.
    """
    position = end_of_plain_name(octets, HEADER_SIZE) + 4
    run: list[Record] = []
    for record in records_at(octets, position, int.from_bytes(octets[6:8], "big")):
        if record.rtype in _SIZES and (not run or _head(octets, record) == _head(octets, run[0])):
            run.append(record)
        elif len(run) > 1:
            break
        else:
            run = [record] if record.rtype in _SIZES else []
    return Rotation(run[0].start, run[0].end - run[0].start, len(run)) if len(run) > 1 else None


def _head(octets: bytes, record: Record) -> bytes:
    """A record but for its TTL and data."""
    return octets[record.start : record.data - _TTL_BEFORE_DATA] + octets[record.data - 2 : record.data]


def owner_of(octets: bytes, run: Rotation) -> Name:
    """The folded name that the run's addresses are of. Raises WireError."""
    return fold(read_name(octets, run.start)[0])


def addresses_of(octets: bytes, run: Rotation) -> list[bytes]:
    """The addresses of the run, in their order."""
    return [record[-_size(octets, run) :] for record in _records(octets, run)]


def ranked(octets: bytes, run: Rotation, rank: Rank) -> Ordered:
    """The reply with the run's addresses of the least rank first; those of the first rank that has several may take turns."""
    ranks: dict[int, list[bytes]] = {}
    size = _size(octets, run)
    for record in _records(octets, run):
        ranks.setdefault(rank(record[-size:]), []).append(record)
    if len(ranks) == 1:
        return Ordered(octets, run)
    groups = [ranks[each] for each in sorted(ranks)]
    before = next((number for number, group in enumerate(groups) if len(group) > 1), None)
    rotation = None
    if before is not None:  # each of the groups before it has one record
        rotation = Rotation(run.start + before * run.size, run.size, len(groups[before]))
    return Ordered(_with(octets, run, (record for group in groups for record in group)), rotation)


def led_by(octets: bytes, run: Rotation, number: int) -> Ordered:
    """The reply with that address of the run in front of the others, which may take turns."""
    records = _records(octets, run)
    made = _with(octets, run, (records[number], *records[:number], *records[number + 1 :]))
    return Ordered(made, Rotation(run.start + run.size, run.size, run.count - 1) if run.count > 2 else None)


def _records(octets: bytes, run: Rotation) -> Sequence[bytes]:
    return [octets[at : at + run.size] for at in range(run.start, run.start + run.count * run.size, run.size)]


def _size(octets: bytes, run: Rotation) -> int:
    """Octets of an address of the run. Raises WireError."""
    first = record_at(octets, run.start)
    return first.end - first.data


def _with(octets: bytes, run: Rotation, records: Iterable[bytes]) -> bytes:
    return octets[: run.start] + b"".join(records) + octets[run.start + run.count * run.size :]
