"""The snapshot: a store's rows as octets that outlive the process, and back. Knows no files and no clocks.

Octets:  MAGIC | u16 format | frames, each u32 length | payload | digest
The payload of the first frame is a Header, those of the next are parts, the last one's is empty, and nothing
follows it. A digest (BLAKE2b, 16 octets) is that of all octets before it, so what is cut, turned over, or put
elsewhere is found before a part is believed. Nothing here is ever run or unpickled: payloads are MessagePack, read
by their types. It keeps out damage; who may write into the folder is the operator's to say, as of a kubeconfig.

What is stored are objects with their versions, not entries: deltas are applied to objects, and what is made of
them may differ from start to start. A row is laid out as cluster.objects has it (FORMAT counts its changes).
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from kdns.cluster.objects import Resource

MAGIC: Final = b"kdnssnap"
# To be raised with every change of what is written here, of cluster.objects, or of slices as zone.entry packs them.
FORMAT: Final = 3
AGE_LIMIT_S: Final = 24 * 3600
SIZE_LIMIT_BYTES: Final = 256 << 20  # 10,000 Services of 15 endpoints are 2.7 MB
# Clocks of machines that share a volume may differ by so much.
_AHEAD_S: Final = 300
_PAYLOAD_LIMIT: Final = 8 << 20
_PART_BYTES: Final = 64 << 10
_DIGEST_BYTES: Final = 16

_START: Final = struct.Struct("!8sH")
_LENGTH: Final = struct.Struct("!I")

Reason: TypeAlias = Literal["damaged", "format", "cluster", "settings", "old", "future", "large", "file"]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
Rows: TypeAlias = Mapping[Resource, Mapping[str, Mapping[str, bytes]]]  # by resource, namespace and name


class SnapshotError(Exception):
    """A snapshot that isn't to be used: why, in one word and in a line."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Final[Reason] = reason


class Origin(NamedTuple):
    """What a snapshot is of: only that with the same is of use."""

    cluster: str  # which API server, known without asking it
    reading: str  # what of the cluster is read, and how


class Header(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a snapshot says of itself."""

    cluster: str
    reading: str
    current_s: float  # when it was last known to be current, in Unix seconds
    serial: int  # of the zone made of it
    counts: dict[Resource, int]  # rows of each resource that was listed whole
    system_uid: str = ""  # of the namespace kube-system, empty where it wasn't seen

    @property
    def origin(self) -> Origin:
        return Origin(self.cluster, self.reading)


class Part(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Rows of one resource in one namespace, by name."""

    resource: Resource
    namespace: str
    rows: dict[str, bytes]


def write(header: Header, rows: Rows) -> Iterator[bytes]:
    """The octets, in pieces of some 64 KiB, made one at a time."""
    digest = _new_digest()

    def signed(octets: bytes) -> bytes:
        digest.update(octets)
        return octets + digest.digest()

    start = _START.pack(MAGIC, FORMAT)
    yield signed(start + _framed(_WRITER.encode(header)))
    for part in _parts(rows):
        yield signed(_framed(_WRITER.encode(part)))
    yield signed(_framed(b""))


def _framed(payload: bytes) -> bytes:
    return _LENGTH.pack(len(payload)) + payload


def _parts(rows: Rows) -> Iterator[Part]:
    for resource, namespaces in rows.items():
        for namespace, named in namespaces.items():
            part: dict[str, bytes] = {}
            size = 0
            for name, row in named.items():
                part[name] = row
                size += len(name) + len(row)
                if size >= _PART_BYTES:
                    yield Part(resource, namespace, part)
                    part, size = {}, 0
            if part:
                yield Part(resource, namespace, part)


def check(header: Header, origin: Origin, now_s: float) -> None:
    """Raises SnapshotError for what is of another cluster, was read otherwise, or is of another time."""
    if header.cluster != origin.cluster:
        raise SnapshotError("cluster", f"found a snapshot of {header.cluster}, expected one of {origin.cluster}")
    if header.reading != origin.reading:
        raise SnapshotError("settings", "found a snapshot of what other settings read of the cluster")
    age_s = now_s - header.current_s
    if age_s > AGE_LIMIT_S:
        raise SnapshotError("old", f"found a snapshot {age_s:.0f} s old, expected at most {AGE_LIMIT_S} s")
    if not age_s >= -_AHEAD_S:
        raise SnapshotError("future", f"found a snapshot {-age_s:.0f} s ahead of the clock, expected a past one")


class Reader:
    """Octets in, in whatever pieces they come; the header and, part by part, the rows out.

    It is whole once finish has returned; before, what was read may be the beginning of something damaged.
    """

    __slots__ = ("_buffer", "_digest", "_ended", "_left", "_started", "header")

    def __init__(self) -> None:
        self.header: Header | None = None
        self._buffer = bytearray()
        self._digest = _new_digest()
        self._left: dict[Resource, int] = {}  # rows that are still to come
        self._started = False
        self._ended = False

    def feed(self, octets: bytes) -> list[Part]:
        """The parts that are whole with these octets. Raises SnapshotError, and nothing else, as soon as it can be told."""
        self._buffer += octets
        if not self._started and not self._start():
            return []
        parts = []
        while (payload := self._frame()) is not None:
            part = self._take(payload)
            if part is not None:
                parts.append(part)
        return parts

    def finish(self) -> Header:
        """What the snapshot says of itself. Raises SnapshotError unless all of it was there."""
        if self.header is None or not self._ended:
            raise SnapshotError("damaged", "found a snapshot that breaks off")
        return self.header

    def _start(self) -> bool:
        """Whether enough has come, and is the beginning of a snapshot in our format."""
        if len(self._buffer) < _START.size:
            return False
        magic, number = _START.unpack_from(self._buffer)
        if magic != MAGIC:
            raise SnapshotError("damaged", f"found a file that begins with {magic!r}, expected a snapshot ({MAGIC!r})")
        if number != FORMAT:
            raise SnapshotError("format", f"found format {number} of snapshots, expected {FORMAT}")
        self._pass(_START.size)
        self._started = True
        return True

    def _frame(self) -> bytes | None:
        """The next payload, if it has come and is as it was written."""
        if self._ended and self._buffer:
            raise SnapshotError("damaged", "found octets behind the end of a snapshot")
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > _PAYLOAD_LIMIT:
            raise SnapshotError("damaged", f"found a part of {length} octets, expected at most {_PAYLOAD_LIMIT}")
        end = _LENGTH.size + length
        if len(self._buffer) < end + _DIGEST_BYTES:
            return None
        payload = bytes(self._buffer[_LENGTH.size : end])
        self._pass(end)
        if self._digest.digest() != self._buffer[:_DIGEST_BYTES]:
            raise SnapshotError("damaged", "found octets that aren't those that were written: their digest is another")
        del self._buffer[:_DIGEST_BYTES]
        return payload

    def _pass(self, size: int) -> None:
        self._digest.update(self._buffer[:size])
        del self._buffer[:size]

    def _take(self, payload: bytes) -> Part | None:
        try:
            if self.header is None:
                self.header = _HEADERS.decode(payload)
                self._left = dict(self.header.counts)
                return None
            if not payload:
                self._end()
                return None
            part = _PARTS.decode(payload)
        except msgspec.MsgspecError as error:  # written so: a fault of the writer's
            raise SnapshotError("damaged", f"found a part that can't be read: {error}") from error
        self._left[part.resource] = self._left.get(part.resource, 0) - len(part.rows)
        return part

    def _end(self) -> None:
        if wrong := sorted(resource for resource, left in self._left.items() if left):
            raise SnapshotError("damaged", f"found another number of {', '.join(wrong)} than there should be")
        self._ended = True


def _new_digest() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)


_WRITER: Final = msgspec.msgpack.Encoder()
_HEADERS: Final = msgspec.msgpack.Decoder(Header)
_PARTS: Final = msgspec.msgpack.Decoder(Part)

__all__ = [
    "AGE_LIMIT_S",
    "FORMAT",
    "REASONS",
    "SIZE_LIMIT_BYTES",
    "Header",
    "Origin",
    "Part",
    "Reader",
    "Reason",
    "Rows",
    "SnapshotError",
    "check",
    "write",
]
