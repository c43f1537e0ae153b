"""Snapshots: what is written is read again, however it comes in; what was damaged in any way is found (K40)."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.cluster import snapshot
from kdns.cluster.objects import (
    RESOURCES,
    EndpointSlice,
    Import,
    Key,
    Namespace,
    Object,
    Pod,
    Put,
    Resource,
    Service,
    ServiceImport,
    Stamp,
)
from kdns.cluster.snapshot import Header, Origin, Reader, Rows, SnapshotError, check, write
from kdns.cluster.store import Store
from kdns.zone.entry import Port, pack_zoned

ORIGIN = Origin("https://10.96.0.1:443", "all")
resources = st.sampled_from(["namespaces", "services", "endpointslices", "pods", "serviceimports"])
texts = st.text(max_size=5)
# Of the largest not even two go into a part.
contents = st.binary(max_size=9) | st.integers(30_000, 70_000).map(bytes)
rows_of_some = st.dictionaries(
    resources,
    st.dictionaries(texts, st.dictionaries(texts, contents, min_size=1, max_size=5), max_size=3),
    max_size=4,
)
SOME: Rows = {"services": {"a": {"x": b"1", "y": bytes(70_000), "z": b"2"}, "b": {"x": b"3"}}, "namespaces": {"": {}}}


def header(rows: Rows, current_s: float = 1e9) -> Header:
    counts: dict[Resource, int] = {each: sum(map(len, rows[each].values())) for each in rows}
    return Header(*ORIGIN, current_s, 7, counts, "uid")


def octets_of(rows: Rows) -> bytes:
    return b"".join(write(header(rows), rows))


def read(*pieces: bytes) -> tuple[Header, Rows]:
    """All that the octets say. Raises SnapshotError, and nothing else whatever they are."""
    reader = Reader()
    parts = [part for piece in pieces for part in reader.feed(piece)]
    found: dict[Resource, dict[str, dict[str, bytes]]] = {each: {} for each in reader.finish().counts}
    for part in parts:
        found[part.resource].setdefault(part.namespace, {}).update(part.rows)
    return reader.finish(), found


@given(rows_of_some, st.data())
def test_what_is_written_is_read_in_whatever_pieces_it_comes(rows: Rows, data: st.DataObject) -> None:
    octets = octets_of(rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=6)))
    pieces = [octets[start:end] for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    assert read(*pieces) == (header(rows), rows)


def test_a_large_resource_comes_in_pieces() -> None:
    rows: Rows = {"endpointslices": {"n": {str(number): bytes(1000) for number in range(1000)}}}
    pieces = list(write(header(rows), rows))
    assert len(pieces) == 18
    assert max(map(len, pieces)) < 70_000


# Damage


@given(rows_of_some, st.data())
def test_no_octet_can_be_another(rows: Rows, data: st.DataObject) -> None:
    octets = bytearray(octets_of(rows))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SnapshotError) as error:
        read(bytes(octets))
    assert error.value.reason in {"damaged", "format"}


@given(rows_of_some, st.data())
def test_nothing_can_be_missing_at_the_end_or_stand_behind_it(rows: Rows, data: st.DataObject) -> None:
    octets = octets_of(rows)
    for wrong in (octets[: data.draw(st.integers(0, len(octets) - 1))], octets + data.draw(st.binary(min_size=1))):
        with pytest.raises(SnapshotError, match=r"breaks off|behind the end"):
            read(wrong)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda octets: b"kdnssnap\0\3" + octets))
def test_any_other_octets_are_no_snapshot(octets: bytes) -> None:
    with pytest.raises(SnapshotError):
        read(octets)


def test_parts_can_neither_change_places_nor_be_left_out_nor_come_twice() -> None:
    first, *parts, last = write(header(SOME), SOME)
    assert len(parts) == 3
    for wrong in (parts[::-1], parts[1:], parts[:-1], [parts[0], *parts]):
        with pytest.raises(SnapshotError, match="digest"):
            read(first, *wrong, last)


def test_parts_of_another_snapshot_are_none_of_this() -> None:
    first, *_ = write(header(SOME, 1e9), SOME)
    _, *others = write(header(SOME, 2e9), SOME)
    with pytest.raises(SnapshotError, match="digest"):
        read(first, *others)


def test_a_header_that_counts_wrongly_is_found() -> None:
    with pytest.raises(SnapshotError, match="found another number of pods, services than there should be"):
        read(*write(header({**SOME, "services": {}, "pods": {"n": {"x": b""}}}), SOME))


def test_a_later_format_is_told_from_damage() -> None:
    octets = octets_of(SOME)
    with pytest.raises(SnapshotError) as error:
        read(octets[:8] + b"\0\4" + octets[10:])
    assert (error.value.reason, str(error.value)) == ("format", "found format 4 of snapshots, expected 3")


def test_a_part_larger_than_any_is_not_waited_for() -> None:
    with pytest.raises(SnapshotError, match="found a part of 4294967295 octets"):
        read(b"kdnssnap\0\3\xff\xff\xff\xff")


def test_what_is_no_text_is_damage_even_where_the_digest_is_right() -> None:
    start = b"kdnssnap\0\3\0\0\0\2\x92\xa3"
    with pytest.raises(SnapshotError, match="can't be read"):
        read(start + hashlib.blake2b(start, digest_size=16).digest())


# Whose it is, and when


@pytest.mark.parametrize(
    ("origin", "now_s", "reason"),
    [
        (ORIGIN._replace(cluster="https://192.0.2.1"), 1e9, "cluster"),
        (ORIGIN._replace(reading="some"), 1e9, "settings"),
        (ORIGIN, 1e9 + 24 * 3600 + 1, "old"),
        (ORIGIN, 1e9 - 301, "future"),
        (ORIGIN, float("nan"), "future"),
    ],
)
def test_what_is_of_something_or_some_time_else_is_of_no_use(origin: Origin, now_s: float, reason: str) -> None:
    with pytest.raises(SnapshotError) as error:
        check(header(SOME), origin, now_s)
    assert error.value.reason == reason


@pytest.mark.parametrize("age_s", [0, 24 * 3600, -300])
def test_what_is_a_day_old_is_of_use(age_s: float) -> None:
    check(header(SOME), ORIGIN, 1e9 + age_s)


# The format

PORTS = (Port(80, b"http", b"tcp"),)
EVERY: tuple[Object, ...] = (
    Namespace(Key("", "shop"), Stamp("u1", "1"), (("team", "a"),)),
    Service(Key("shop", "web"), Stamp("u2", "2"), (bytes(4),), False, "", PORTS, (("app", "web"),)),
    EndpointSlice(
        Key("shop", "web-1"),
        Stamp("u3", "3"),
        "web",
        pack_zoned(4, PORTS, [(bytes(4), b"a", b"z")]),
        1,
        Import("web", "east"),
    ),
    Pod(Key("shop", "pod"), Stamp("u4", "4"), (bytes(4), bytes(16))),
    ServiceImport(Key("shop", "web"), Stamp("u5", "5"), (bytes(4),), False, PORTS),
)


def test_octets_are_laid_out_as_the_format_says() -> None:
    """Another digest here means that FORMAT has to be raised: else the next version reads what this one wrote as its own."""
    store = Store()
    for resource, each in zip(RESOURCES, EVERY, strict=True):
        store.apply(Put(resource, each))
    rows = store.rows(RESOURCES)
    digest = hashlib.blake2b(b"".join(write(header(rows), rows)), digest_size=8).hexdigest()
    assert (snapshot.FORMAT, digest) == (3, "742d5ac2825318bb")
