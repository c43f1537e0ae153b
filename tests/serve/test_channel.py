"""The channel: whatever is split, lost or dropped, a follower serves whole revisions only, and asks where it can't."""

import struct
from collections.abc import Callable, Iterable, Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.serve.channel import (
    BACKLOG_BYTES,
    PART_BYTES,
    PAYLOAD_LIMIT,
    VERSION,
    Ack,
    Action,
    Adopt,
    ChannelError,
    Decoder,
    Follower,
    Frame,
    Hello,
    ImageBegin,
    ImageEnd,
    ImageEntries,
    Leader,
    Part,
    PatchFrame,
    Report,
    ReportRequest,
    Serving,
    Stage,
    WantImage,
    encode,
    image_frames,
)
from kdns.zone.entry import Entry, Owner
from kdns.zone.patch import Image, Patch, encode_entries, encode_patch

Entries = dict[Owner, Entry]

owners = st.sampled_from([Owner(b"\x01%c\x01n" % letter) for letter in b"abcdef"])
# Two of the large ones don't fit into one part of an image.
values = st.builds(
    lambda octet, size: Entry(bytes((octet,)) * size), st.integers(0, 9), st.sampled_from([1, 3, 40_000])
)
changes = st.tuples(owners, values | st.none())
numbers = st.integers(0, 2**64 - 1)
frames = st.one_of(
    st.builds(ImageBegin, numbers, numbers, numbers, st.booleans()),
    st.builds(ImageEntries, numbers, st.binary(max_size=40)),
    st.builds(ImageEnd, numbers),
    st.builds(PatchFrame, st.binary(max_size=40)),
    st.builds(ReportRequest, numbers),
    st.builds(WantImage, numbers),
    st.builds(Serving, numbers),
    st.builds(Ack, numbers),
    st.builds(Report, st.binary(max_size=40)),
)


class Controller:
    """The zone as it changes, and a leader for one worker."""

    def __init__(self) -> None:
        self.entries: Entries = {}
        self.revision = 1
        self.history = {1: dict(self.entries)}
        self.leader = Leader(self.image)

    def image(self) -> Image:
        return Image(self.revision, self.revision + 100, dict(self.entries))

    def change(self, owner: Owner, entry: Entry | None) -> None:
        puts = {} if entry is None else {owner: entry}
        self.entries = {key: value for key, value in self.entries.items() if key != owner} | puts
        patch = Patch(self.revision, self.revision + 1, self.revision + 101, puts, () if puts else (owner,))
        self.revision += 1
        self.history[self.revision] = dict(self.entries)
        self.leader.publish(patch, PatchFrame(encode_patch(patch)))

    def pull(self) -> Iterator[Frame]:
        while (frame := self.leader.pull()) is not None:
            yield frame


class Worker:
    """What a worker does with actions; entries is what it serves."""

    def __init__(self) -> None:
        self.follower = Follower()
        self.entries: Entries = {}
        self.revision: int | None = None
        self.staged: Entries = {}

    def receive(self, frame: Frame) -> list[Frame]:
        """Obeys; returns what it sends."""
        sent: list[Frame] = []
        for action in self.follower.receive(frame):
            self.act(action, sent)
        return sent

    def act(self, action: Action, sent: list[Frame]) -> None:
        match action:
            case Stage():
                self.staged = {}
            case Part(entries):
                self.staged.update(entries)
            case Adopt(revision, serial):
                assert serial == revision + 100
                self.entries, self.revision, self.staged = self.staged, revision, {}
            case Patch(base, revision, _, puts, drops):
                assert base == self.revision
                kept = {owner: entry for owner, entry in self.entries.items() if owner not in drops}
                self.entries, self.revision = kept | dict(puts), revision
            case ReportRequest():
                sent.append(Report(b""))
            case WantImage() | Ack():
                sent.append(action)


def exchange(controller: Controller, worker: Worker) -> None:
    """Lets both talk, without loss, until neither has anything to say."""
    for _ in range(20):
        replies = [reply for frame in controller.pull() for reply in worker.receive(frame)]
        for reply in replies:
            controller.leader.receive(reply)
        if not replies:
            return
    pytest.fail("they never come to an end")


def greeted() -> tuple[Controller, Worker]:
    controller, worker = Controller(), Worker()
    for frame in worker.follower.start():
        controller.leader.receive(frame)
    return controller, worker


def kinds(actions: Iterable[object]) -> list[str]:
    return [type(action).__name__ for action in actions]


# The codec


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 30), min_size=1))
def test_frames_survive_any_split(sent: list[Frame], steps: list[int]) -> None:
    stream = b"".join(encode(frame) for frame in [Hello(), *sent])
    decoder, got, position = Decoder(), [], 0
    while position < len(stream):
        step = steps[position % len(steps)]
        got += decoder.feed(stream[position : position + step])
        position += step
    assert kinds(got) == ["Hello", *kinds(sent)]
    assert got == [Hello(), *sent]


@given(st.binary(max_size=200), st.booleans())
def test_any_octets_are_frames_or_a_channel_error(octets: bytes, greet: bool) -> None:
    decoder, follower, leader = Decoder(), Follower(), Leader(lambda: None)
    try:
        for frame in decoder.feed(encode(Hello()) * greet + octets):
            follower.receive(frame)
            leader.receive(frame)
    except ChannelError:
        pass


@pytest.mark.parametrize(
    "octets",
    [
        struct.pack("!IB", 8, 8),  # an Ack
        struct.pack("!IB", 9, 1),  # a Hello too long
        b"GET / HTTP/1.1\r\n",
    ],
)
def test_a_stream_that_does_not_begin_with_hello_is_refused_at_its_first_head(octets: bytes) -> None:
    with pytest.raises(ChannelError):
        Decoder().feed(octets)


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("!IB", 8, 1),  # a second Hello
        struct.pack("!IB", 0, 0),
        struct.pack("!IB", 0, 200),
        struct.pack("!IB", 7, 4),  # an ImageEnd too short
        struct.pack("!IB", 7, 3),  # a part without its number
        struct.pack("!IB", PAYLOAD_LIMIT + 1, 5),
    ],
)
def test_a_head_that_no_frame_has_is_refused_before_its_payload_comes(head: bytes) -> None:
    decoder = Decoder()
    decoder.feed(encode(Hello()))
    with pytest.raises(ChannelError):
        decoder.feed(head)


def test_a_payload_over_the_limit_is_not_encoded() -> None:
    with pytest.raises(ChannelError):
        encode(PatchFrame(bytes(PAYLOAD_LIMIT + 1)))


def test_an_image_comes_in_parts_of_whole_entries() -> None:
    sizes = [30_000, 30_000, 30_000, 200_000, 10, 10]
    entries = {Owner(b"\x01%c\x01n" % (97 + at)): Entry(bytes(size)) for at, size in enumerate(sizes)}
    sent = list(image_frames(Image(7, 70, entries)))
    parts = [frame for frame in sent if isinstance(frame, ImageEntries)]
    assert sent == [ImageBegin(7, 70, 6), *parts, ImageEnd(7)]
    assert next(image_frames(Image(7, 70, entries, stale=True))) == ImageBegin(7, 70, 6, stale=True)
    assert [part.first for part in parts] == [0, 2, 3, 4]
    assert [len(part.octets) <= PART_BYTES for part in parts] == [True, True, False, True]
    assert b"".join(part.octets for part in parts) == encode_entries(entries.items())


# The laws


@given(st.lists(changes, max_size=4), st.lists(changes, max_size=4), st.data())
def test_a_stream_without_its_first_octets_changes_nothing(
    before: list[tuple[Owner, Entry | None]], after: list[tuple[Owner, Entry | None]], data: st.DataObject
) -> None:
    controller, worker = greeted()
    for change in before:
        controller.change(*change)
    stream = b"".join(encode(frame) for frame in controller.pull())
    for change in after:
        controller.change(*change)
    stream += b"".join(encode(frame) for frame in controller.pull())
    lost = data.draw(st.integers(1, len(stream)))
    try:
        for frame in Decoder().feed(stream[lost:]):
            worker.receive(frame)
    except ChannelError:
        pass
    assert worker.revision is None


# What happens: the zone changes; so many frames come to the worker, or are lost on the way; a report is asked for.
steps = st.lists(
    st.one_of(
        changes,
        st.lists(st.sampled_from([True, True, True, False]), min_size=3, max_size=12),
        st.just("report"),
    ),
    max_size=20,
)


@settings(max_examples=300)
@given(
    st.lists(changes, max_size=6),
    steps,
    st.randoms(use_true_random=False),
    st.sampled_from([0.0, 0.2, 0.6]),
)
def test_whatever_is_dropped_the_follower_serves_whole_revisions_and_comes_to_the_last(
    first: list[tuple[Owner, Entry | None]], happenings: list[object], chance: Random, loss: float
) -> None:
    controller, worker = greeted()
    for change in first:
        controller.change(*change)
    for happening in happenings:
        if isinstance(happening, tuple):
            controller.change(*happening)
        elif happening == "report":
            controller.leader.ask_report()
        elif isinstance(happening, list):
            deliver(controller, worker, happening, lambda: chance.random() < loss)
        if worker.revision is not None:
            assert worker.entries == controller.history[worker.revision]
    controller.leader.ask_report()
    exchange(controller, worker)
    controller.leader.ask_report()
    exchange(controller, worker)
    assert (worker.revision, worker.entries) == (controller.revision, controller.entries)


def deliver(controller: Controller, worker: Worker, kept: list[bool], lost: Callable[[], bool]) -> None:
    """Pulls a frame for each flag; those not kept are dropped, and answers of the worker as chance has it."""
    for keep in kept:
        frame = controller.leader.pull()
        if frame is None:
            return
        if keep or isinstance(frame, Hello):
            for reply in worker.receive(frame):
                if not lost():
                    controller.leader.receive(reply)


def test_nothing_but_the_image_and_patches_is_sent_where_nothing_is_lost() -> None:
    controller, worker = greeted()
    controller.change(Owner(b"\x01a\x01n"), Entry(b"1"))
    exchange(controller, worker)
    controller.change(Owner(b"\x01b\x01n"), Entry(b"2"))
    assert kinds(controller.pull()) == ["PatchFrame"]
    assert kinds(controller.pull()) == []


# The follower


def test_the_follower_greets_and_asks_for_an_image_at_once() -> None:
    assert Follower().start() == [Hello(VERSION), WantImage(0)]


def test_who_serves_already_says_which_serial() -> None:
    leader = Leader(lambda: None)
    for frame in Follower().start(7):
        leader.receive(frame)
    assert leader.served == 7


def test_an_image_is_adopted_at_its_end_and_said_to_be() -> None:
    follower = Follower()
    pair = (Owner(b"\x01a\x01n"), Entry(b"1"))
    assert follower.receive(ImageBegin(5, 50, 1)) == [Stage()]
    assert follower.receive(ImageBegin(5, 50, 1, stale=True)) == [Stage(stale=True)]
    assert follower.receive(ImageEntries(0, encode_entries([pair]))) == [Part([pair])]
    assert follower.receive(ImageEnd(5)) == [Adopt(5, 50), Ack(5)]


@pytest.mark.parametrize("lost", range(5))
def test_an_image_that_lacks_a_frame_is_not_adopted_and_the_next_one_is(lost: int) -> None:
    follower = Follower()
    entries = {Owner(b"\x01%c\x01n" % letter): Entry(bytes(PART_BYTES)) for letter in b"abc"}
    sent = list(image_frames(Image(5, 50, entries)))
    assert kinds(sent) == ["ImageBegin", "ImageEntries", "ImageEntries", "ImageEntries", "ImageEnd"]
    actions = [action for frame in (*sent[:lost], *sent[lost + 1 :]) for action in follower.receive(frame)]
    assert "Adopt" not in kinds(actions)
    assert WantImage(5) in actions or lost == 4
    actions = [action for frame in sent for action in follower.receive(frame)]
    assert actions[-2:] == [Adopt(5, 50), Ack(5)]


def test_the_end_of_one_image_does_not_make_another_whole() -> None:
    follower = Follower()
    follower.receive(ImageBegin(5, 50, 0))
    assert follower.receive(ImageEnd(6)) == [WantImage(6)]


def test_parts_of_two_images_do_not_add_up_to_one() -> None:
    follower = Follower()
    part = ImageEntries(0, encode_entries([(Owner(b"\x01a\x01n"), Entry(b"1"))]))
    follower.receive(ImageBegin(5, 50, 2))
    follower.receive(part)
    assert follower.receive(part) == [WantImage(5)]
    assert follower.receive(ImageEnd(5)) == [WantImage(5)]


def test_a_patch_in_the_middle_of_an_image_says_that_its_end_was_lost() -> None:
    follower = Follower()
    for frame in image_frames(Image(5, 50, {})):
        follower.receive(frame)
    follower.receive(ImageBegin(6, 60, 0))
    assert follower.receive(PatchFrame(encode_patch(Patch(5, 6, 60, {})))) == [WantImage(5)]


def test_a_patch_is_applied_and_said_to_be() -> None:
    follower = Follower()
    for frame in image_frames(Image(5, 50, {})):
        follower.receive(frame)
    patch = Patch(5, 6, 60, {Owner(b"\x01a\x01n"): Entry(b"1")}, (Owner(b"\x01b\x01n"),))
    assert follower.receive(PatchFrame(encode_patch(patch))) == [patch, Ack(6)]


@pytest.mark.parametrize("base", [0, 4, 6])
def test_a_patch_from_another_revision_asks_for_an_image(base: int) -> None:
    follower = Follower()
    for frame in image_frames(Image(5, 50, {})):
        follower.receive(frame)
    patch = Patch(base, base + 1, 60, {})
    assert follower.receive(PatchFrame(encode_patch(patch))) == [WantImage(base)]


def test_a_report_is_asked_for_with_the_revision_that_should_be_there() -> None:
    follower = Follower()
    assert follower.receive(ReportRequest(0)) == [WantImage(0), ReportRequest(0)]
    follower.receive(ImageBegin(5, 50, 0))
    assert follower.receive(ReportRequest(0)) == [ReportRequest(0)]
    follower.receive(ImageEnd(5))
    assert follower.receive(ReportRequest(5)) == [ReportRequest(5)]
    assert follower.receive(ReportRequest(7)) == [WantImage(7), ReportRequest(7)]


@pytest.mark.parametrize("frame", [WantImage(), Ack(1), Report(b"")])
def test_a_follower_takes_no_frame_of_its_own_side(frame: Frame) -> None:
    with pytest.raises(ChannelError):
        Follower().receive(frame)


@pytest.mark.parametrize("frame", [ImageEntries(0, b"\0"), PatchFrame(b"\0")])
def test_what_is_no_entry_or_patch_is_a_channel_error(frame: Frame) -> None:
    follower = Follower()
    follower.receive(ImageBegin(5, 50, 1))
    with pytest.raises(ChannelError):
        follower.receive(frame)


@pytest.mark.parametrize("side", [Follower(), Leader(lambda: None)])
def test_another_version_is_refused(side: Follower | Leader) -> None:
    with pytest.raises(ChannelError):
        side.receive(Hello(VERSION + 1))


# The leader


def test_a_leader_sends_no_image_before_there_is_one() -> None:
    zone: list[Image] = []
    leader = Leader(lambda: zone[0] if zone else None)
    leader.receive(WantImage())
    leader.ask_report()
    assert [leader.pull() for _ in range(3)] == [Hello(), ReportRequest(0), None]
    zone.append(Image(5, 50, {}))
    assert [leader.pull() for _ in range(3)] == [ImageBegin(5, 50, 0), ImageEnd(5), None]


def test_a_report_asked_for_amid_an_image_expects_nothing_yet() -> None:
    controller, worker = greeted()
    exchange(controller, worker)
    controller.leader.receive(WantImage(1))
    assert kinds([controller.leader.pull()]) == ["ImageBegin"]
    controller.leader.ask_report()
    assert list(controller.pull()) == [ReportRequest(0), ImageEnd(1)]


def test_what_changes_while_an_image_is_on_its_way_follows_it() -> None:
    controller, _ = greeted()
    controller.change(Owner(b"\x01a\x01n"), Entry(b"1"))
    assert kinds([controller.leader.pull(), controller.leader.pull()]) == ["Hello", "ImageBegin"]
    controller.change(Owner(b"\x01a\x01n"), Entry(b"2"))
    assert kinds(controller.pull()) == ["ImageEntries", "ImageEnd", "PatchFrame"]


def test_a_request_made_before_the_image_that_answers_it_began_is_not_answered_again() -> None:
    controller, worker = greeted()
    exchange(controller, worker)
    controller.leader.receive(WantImage(0))
    assert list(controller.pull()) == []
    controller.leader.receive(WantImage(1))
    assert kinds(controller.pull()) == ["ImageBegin", "ImageEnd"]


def test_a_worker_that_does_not_read_gets_an_image_in_place_of_its_backlog() -> None:
    controller, worker = greeted()
    exchange(controller, worker)
    for _ in range(9):
        controller.change(Owner(b"\x01a\x01n"), Entry(bytes(BACKLOG_BYTES // 8)))
    assert kinds(controller.pull()) == ["ImageBegin", "ImageEntries", "ImageEnd"]


def test_a_worker_lags_until_it_says_that_it_serves_the_revision() -> None:
    controller, worker = greeted()
    assert controller.leader.lags(1)
    exchange(controller, worker)
    assert (controller.leader.acked, controller.leader.lags(1), controller.leader.lags(2)) == (1, False, True)


def test_a_report_comes_out_of_the_leader() -> None:
    assert Leader(lambda: None).receive(Report(b"fine")) == b"fine"


@pytest.mark.parametrize("frame", [ImageBegin(1, 1, 1), ImageEnd(1), PatchFrame(b""), ReportRequest()])
def test_a_leader_takes_no_frame_of_its_own_side(frame: Frame) -> None:
    with pytest.raises(ChannelError):
        Leader(lambda: None).receive(frame)
