"""The channel between controller and worker: its frames, their octets, and what either side makes of them.

Without IO: octets and frames go in, frames and actions come out. Follower is the worker's
side and Leader the controller's; one of each lives as long as one channel, and a new
channel always begins with an image, since revisions of another controller mean nothing.

A frame is u32 length | u8 kind | payload, length counting the payload alone, integers in
network order. Both sides greet with Hello first. What a patch or an entry looks like is
zone.patch's to know.

What keeps the index right whatever gets lost: a patch names the revision it starts from,
the parts of an image are numbered, and a request for a report names the revision that
should be there by now. Whatever doesn't fit is answered with WantImage.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from kdns.zone.entry import Entry, Owner
from kdns.zone.patch import Image, Patch, PatchError, decode_entries, decode_patch, encode_entries

VERSION: Final = 0x6B646E73_00000002  # "kdns", then the number of the protocol
# The octets of the largest payload; a whole zone of 150,000 endpoints is below 10 MiB.
PAYLOAD_LIMIT: Final = 64 << 20
# A part of an image is staged between two turns of the worker's loop: 64 KiB take it a few milliseconds.
PART_BYTES: Final = 64 << 10
# Patches that wait for a worker that doesn't read; past this, the image costs less than they do.
BACKLOG_BYTES: Final = 8 << 20


class ChannelError(Exception):
    """The other side sent what no frame, or no frame of its side, looks like; the channel is of no more use."""


class Hello(NamedTuple):
    """Both: the first frame, saying which protocol is spoken."""

    version: int = VERSION


class ImageBegin(NamedTuple):
    """Controller: the whole zone follows, so many entries in total."""

    revision: int
    serial: int
    total: int
    stale: bool = False


class ImageEntries(NamedTuple):
    """Controller: a part of an image; first is how many entries came in the parts before it."""

    first: int
    octets: bytes  # zone.patch.encode_entries


class ImageEnd(NamedTuple):
    """Controller: the image of that revision is whole."""

    revision: int


class PatchFrame(NamedTuple):
    """Controller: what changed."""

    octets: bytes  # zone.patch.encode_patch


class ReportRequest(NamedTuple):
    """Controller: say how you are; revision is what you have if nothing was lost.

    0: nothing whole was sent yet, or an image is on its way. Revisions begin at 1.
    """

    revision: int = 0


class WantImage(NamedTuple):
    """Worker: what led to revision lost isn't here; only an image begun at a later one, or from now on, will do."""

    lost: int = 0


class Serving(NamedTuple):
    """Worker: the serial that it serves from before this channel; a new controller's serials go on from there."""

    serial: int


class Ack(NamedTuple):
    """Worker: that revision is being served."""

    revision: int


class Report(NamedTuple):
    """Worker: how it is; the octets are the business of those who write and read them."""

    octets: bytes


Frame: TypeAlias = (
    Hello | ImageBegin | ImageEntries | ImageEnd | PatchFrame | ReportRequest | WantImage | Ack | Report | Serving
)


class _Form(NamedTuple):
    """How a kind of frame is laid out: numbers first, then, if tail, octets up to the payload's end."""

    kind: int
    frame: type[Any]  # the one that Frame lists for this kind
    numbers: struct.Struct
    tail: bool = False


_FORMS: Final = (
    _Form(1, Hello, struct.Struct("!Q")),
    _Form(2, ImageBegin, struct.Struct("!QQQ?")),
    _Form(3, ImageEntries, struct.Struct("!Q"), tail=True),
    _Form(4, ImageEnd, struct.Struct("!Q")),
    _Form(5, PatchFrame, struct.Struct("!"), tail=True),
    _Form(6, ReportRequest, struct.Struct("!Q")),
    _Form(7, WantImage, struct.Struct("!Q")),
    _Form(8, Ack, struct.Struct("!Q")),
    _Form(9, Report, struct.Struct("!"), tail=True),
    _Form(10, Serving, struct.Struct("!Q")),
)
_BY_KIND: Final = {form.kind: form for form in _FORMS}
_BY_FRAME: Final = {form.frame: form for form in _FORMS}
_HEAD: Final = struct.Struct("!IB")


def encode(frame: Frame) -> bytes:
    """The octets of a frame. Raises ChannelError where its payload is over the limit."""
    form = _BY_FRAME[type(frame)]
    fields: tuple[Any, ...] = frame
    payload = form.numbers.pack(*fields[:-1]) + fields[-1] if form.tail else form.numbers.pack(*fields)
    if len(payload) > PAYLOAD_LIMIT:
        raise ChannelError(f"a {form.frame.__name__} of {len(payload)} octets, at most {PAYLOAD_LIMIT} are allowed")
    return _HEAD.pack(len(payload), form.kind) + payload


class Decoder:
    """Octets in, frames out, in whatever pieces they come."""

    __slots__ = ("_buffer", "_greeted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._greeted = False

    def feed(self, octets: bytes) -> list[Frame]:
        """The frames that are whole with these octets.

        Raises ChannelError, as soon as a frame's head shows it, where the stream doesn't
        begin with Hello, or what follows is no frame; nothing else.
        """
        self._buffer += octets
        frames: list[Frame] = []
        position = 0
        with memoryview(self._buffer) as view:
            while len(view) - position >= _HEAD.size:
                length, kind = _HEAD.unpack_from(view, position)
                form = self._form(length, kind)
                start, end = position + _HEAD.size, position + _HEAD.size + length
                if end > len(view):
                    break
                frames.append(_take(form, view[start:end]))
                self._greeted = True
                position = end
        del self._buffer[:position]
        return frames

    def _form(self, length: int, kind: int) -> _Form:
        form = _BY_KIND.get(kind)
        if form is None or (form.frame is Hello) is self._greeted:
            expected = "a frame" if self._greeted else "Hello first"
            raise ChannelError(f"kind {kind} of frame, expected {expected}")
        least = form.numbers.size
        if not least <= length <= (PAYLOAD_LIMIT if form.tail else least):
            raise ChannelError(f"a {form.frame.__name__} of {length} octets, expected {least}")
        return form


def _take(form: _Form, payload: memoryview) -> Frame:
    numbers = form.numbers.unpack_from(payload)
    tail = (bytes(payload[form.numbers.size :]),) if form.tail else ()
    payload.release()  # the buffer behind it is about to shrink
    frame: Frame = form.frame(*numbers, *tail)
    return frame


class Stage(NamedTuple):
    """An image begins: put its parts beside what is served, in place of any begun before."""

    stale: bool = False


class Part(NamedTuple):
    """Entries of the image that is being staged."""

    entries: list[tuple[Owner, Entry]]


class Adopt(NamedTuple):
    """The staged image is whole: serve it from now on."""

    revision: int
    serial: int


Action: TypeAlias = Stage | Part | Adopt | Patch | ReportRequest | WantImage | Ack


class Follower:
    """The worker's side of one channel: what to do about each frame, so that only whole revisions are served."""

    __slots__ = ("_count", "_image", "_revision")

    def __init__(self) -> None:
        self._revision: int | None = None  # what this channel has led to
        self._image: ImageBegin | None = None  # what is being staged
        self._count = 0  # entries staged

    def start(self, serial: int = 0) -> list[Frame]:
        """What to send first; serial is the one served since before this channel, 0 if nothing is."""
        return [Hello(), *([Serving(serial)] if serial else []), WantImage()]

    def receive(self, frame: Frame) -> list[Action]:
        """What to do, in this order: stage, adopt or apply; send WantImage and Ack as they are; answer ReportRequest.

        Raises ChannelError for what no controller sends; nothing else.
        """
        match frame:
            case Hello(version):
                _check_version(version)
                return []
            case ImageBegin():
                self._image, self._count = frame, 0
                return [Stage(frame.stale)]
            case ImageEntries():
                return self._part(frame)
            case ImageEnd(revision):
                return self._end(revision)
            case PatchFrame(octets):
                return self._patch(octets)
            case ReportRequest(revision):
                return [*self._gap(revision), frame]
        raise ChannelError(f"a worker got {type(frame).__name__}")

    def _part(self, frame: ImageEntries) -> list[Action]:
        if self._image is None:
            return []  # of an image whose begin was lost: its end asks for another
        if frame.first != self._count:
            revision, self._image = self._image.revision, None
            return [WantImage(revision)]
        try:
            entries = list(decode_entries(frame.octets))
        except PatchError as error:
            raise ChannelError(f"a part of an image: {error}") from error
        self._count += len(entries)
        return [Part(entries)]

    def _end(self, revision: int) -> list[Action]:
        image, self._image = self._image, None
        if image is None or image.revision != revision or image.total != self._count:
            return [WantImage(revision)]
        self._revision = revision
        return [Adopt(revision, image.serial), Ack(revision)]

    def _patch(self, octets: bytes) -> list[Action]:
        try:
            patch = decode_patch(octets)
        except PatchError as error:
            raise ChannelError(str(error)) from error
        if self._image is not None or patch.base != self._revision:
            self._image = None  # no patch comes before the image's end, unless that was lost
            return [WantImage(patch.base)]
        self._revision = patch.revision
        return [patch, Ack(patch.revision)]

    def _gap(self, revision: int) -> list[Action]:
        """The request for an image if what was sent up to the revision isn't here, nor coming."""
        if revision == self._revision or (revision == 0 and (self._revision is not None or self._image is not None)):
            return []
        self._image = None
        return [WantImage(revision)]


class Leader:
    """The controller's side of one channel: what to send a worker next.

    Frames are pulled when there is room for them, so that an image is never held as octets
    as a whole; patches published meanwhile wait, and make place for an image when they
    become more than it would be.
    """

    __slots__ = (
        "_asked",
        "_backlog",
        "_begun",
        "_done",
        "_greeted",
        "_image",
        "_last",
        "_parts",
        "_waiting",
        "_waits",
        "acked",
        "served",
    )

    def __init__(self, image: Callable[[], Image | None]) -> None:
        """Image gives the zone as of the last published patch, never to change, or None before there is one."""
        self.acked: int | None = None  # the revision that the worker says it serves
        self.served = 0  # the serial that it served before this channel
        self._image = image
        self._greeted = False
        self._asked = False  # for a report
        self._waits = False  # the worker, for an image
        self._begun: int | None = None  # revision of the image last begun
        self._parts: Iterator[Frame] | None = None  # what is left of it
        self._done = 0  # the revision that was pulled whole; 0 while an image is on its way
        self._last: int | None = None  # the revision after all that waits
        self._waiting: deque[tuple[int, PatchFrame]] = deque()  # (revision, frame)
        self._backlog = 0  # octets that wait

    def receive(self, frame: Frame) -> bytes | None:
        """The octets of a report if the frame is one. Raises ChannelError for what no worker sends."""
        match frame:
            case Hello(version):
                _check_version(version)
            case WantImage(lost):
                # Asked for because of what was in flight before the image that is already on its way?
                if self._begun is None or self._begun <= lost:
                    self._want()
            case Ack(revision):
                self.acked = revision
            case Serving(serial):
                self.served = serial
            case Report(octets):
                return octets
            case _:
                raise ChannelError(f"the controller got {type(frame).__name__}")
        return None

    def publish(self, patch: Patch, frame: PatchFrame) -> None:
        """Queues the patch; frame is its octets, made once for all workers."""
        if self._waits or self._last is None:
            return  # the image will have it
        self._backlog += len(frame.octets)
        if patch.base != self._last or self._backlog > BACKLOG_BYTES:
            self._want()
            return
        self._waiting.append((patch.revision, frame))
        self._last = patch.revision

    def ask_report(self) -> None:
        """Queues a request for a report, ahead of all else."""
        self._asked = True

    def lags(self, revision: int) -> bool:
        """Whether the worker hasn't said yet that it serves the revision."""
        return self.acked is None or self.acked < revision

    def pull(self) -> Frame | None:
        """The next frame to send; None if there is none before the next receive, publish, ask_report or image."""
        if not self._greeted:
            self._greeted = True
            return Hello()
        if self._asked:
            self._asked = False
            return ReportRequest(self._done)
        if self._waits:
            self._begin()
        return self._pull_image() or self._pull_patch()

    def _want(self) -> None:
        self._waits = True
        self._parts, self._last, self._done = None, None, 0
        self._waiting.clear()
        self._backlog = 0

    def _begin(self) -> None:
        image = self._image()
        if image is not None:
            self._waits = False
            self._begun = self._last = image.revision
            self._parts = image_frames(image)

    def _pull_image(self) -> Frame | None:
        frame = next(self._parts, None) if self._parts is not None else None
        if isinstance(frame, ImageEnd):
            self._parts, self._done = None, frame.revision
        return frame

    def _pull_patch(self) -> Frame | None:
        if not self._waiting:
            return None
        self._done, frame = self._waiting.popleft()
        self._backlog -= len(frame.octets)
        return frame


def image_frames(image: Image) -> Iterator[Frame]:
    """The image as frames, made one at a time; a part has PART_BYTES at most, or one entry that alone is larger."""
    yield ImageBegin(image.revision, image.serial, len(image.entries), image.stale)
    first, size = 0, 0
    part: list[tuple[Owner, Entry]] = []
    for owner, entry in image.entries.items():
        cost = len(owner) + len(entry) + 6
        if part and size + cost > PART_BYTES:
            yield ImageEntries(first, encode_entries(part))
            first, size = first + len(part), 0
            part = []
        part.append((owner, entry))
        size += cost
    if part:
        yield ImageEntries(first, encode_entries(part))
    yield ImageEnd(image.revision)


def _check_version(version: int) -> None:
    if version != VERSION:
        raise ChannelError(f"the other side speaks version {version:#x} of the channel, expected {VERSION:#x}")
