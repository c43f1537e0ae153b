"""Links: a controller's and a worker's end over a real socket pair, each in its part, cut, lost, slow and talking nonsense.

Time is virtual; what a test waits for comes by itself, within a few turns of the loop.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kdns.serve.channel import (
    BACKLOG_BYTES,
    PART_BYTES,
    Ack,
    Decoder,
    Frame,
    Hello,
    ImageBegin,
    ImageEnd,
    PatchFrame,
    Report,
    ReportRequest,
    WantImage,
    encode,
    image_frames,
)
from kdns.serve.link import _AHEAD_BYTES, ControllerLink, Link, WorkerLink
from kdns.zone.entry import POD_ENTRY, Entry, Owner, pod_owner
from kdns.zone.index import Index
from kdns.zone.patch import Image, Patch, encode_patch
from tests.serve.conversation import until, virtually

Entries = dict[Owner, Entry]
LARGE = 100_000  # octets; more than a part of an image and half of what may wait here


def pod(number: int) -> Owner:
    return pod_owner("shop", number.to_bytes(4))


class Zone:
    """The zone as it changes, published to a link; the controller's part of the tests."""

    def __init__(self, entries: Entries | None = None) -> None:
        self.entries: Entries = dict(entries or {})
        self.revision = 1
        self.reports: list[bytes] = []
        self.lost: list[str] = []

    def image(self) -> Image | None:
        return Image(self.revision, 1000 + self.revision, dict(self.entries))

    def connect(self, sock: socket.socket) -> ControllerLink:
        return ControllerLink(
            sock, asyncio.get_running_loop(), self.image, reported=self.reports.append, lost=self.lost.append
        )

    def change(self, link: ControllerLink, owner: Owner, entry: Entry = POD_ENTRY) -> None:
        self.entries[owner] = entry
        self.revision += 1
        patch = Patch(self.revision - 1, self.revision, 1000 + self.revision, {owner: entry})
        link.publish(patch, PatchFrame(encode_patch(patch)))


class Keeper:
    """A worker's index, and how it got there."""

    def __init__(self) -> None:
        self.index = Index()
        self.happened: list[str] = []
        self.lost: list[str] = []

    def changed(self, patch: Patch) -> None:
        self.index.apply(patch)
        self.happened.append(f"patch {patch.base}-{patch.revision}")

    def replaced(self, staged: Index, revision: int, serial: int) -> None:
        self.index.adopt(staged, revision, serial)
        self.happened.append(f"image {revision}")

    def report(self) -> bytes:
        return b"at %d" % self.index.revision

    def connect(self, sock: socket.socket) -> WorkerLink:
        return WorkerLink(sock, asyncio.get_running_loop(), self, self.lost.append)


class Peer:
    """The other end in the hands of the test: frames by hand, read when the test says so."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.decoder = Decoder()
        self.heard: list[Frame] = []
        sock.setblocking(False)

    async def send(self, *frames: Frame) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, b"".join(map(encode, frames)))

    async def hear(self, frame: Frame) -> None:
        """Reads until that frame comes."""
        while frame not in self.heard:
            octets = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
            assert octets, f"no {frame} among {self.heard}"
            self.heard += self.decoder.feed(octets)


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A channel: the controller's end and the worker's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@contextmanager
def joined(zone: Zone) -> Iterator[tuple[ControllerLink, Keeper, WorkerLink]]:
    keeper = Keeper()
    with pair() as (ours, theirs):
        controller, worker = zone.connect(ours), keeper.connect(theirs)
        try:
            yield controller, keeper, worker
        finally:
            controller.close()
            worker.close()


@contextmanager
def closing(link: Link) -> Iterator[None]:
    try:
        yield
    finally:
        link.close()


async def settled() -> None:
    """Waits until nothing is under way any more: virtual time passes only then."""
    await asyncio.sleep(1)


# Both ends


@virtually
async def test_the_image_comes_to_the_worker_and_the_controller_hears_of_it() -> None:
    zone = Zone({pod(number): POD_ENTRY for number in range(3)})
    with joined(zone) as (controller, keeper, _):
        assert controller.acked is None
        await until(lambda: controller.acked == 1)
        assert keeper.happened == ["image 1"]
        assert (keeper.index.entries, keeper.index.revision, keeper.index.serial) == (zone.entries, 1, 1001)


@virtually
async def test_an_image_of_many_parts_comes_whole() -> None:
    zone = Zone({pod(number): Entry(POD_ENTRY + bytes(PART_BYTES // 3)) for number in range(100)})
    with joined(zone) as (controller, keeper, _):
        await until(lambda: controller.acked == 1)
        assert keeper.index.entries == zone.entries
        assert (keeper.happened, keeper.lost, zone.lost) == (["image 1"], [], [])


@virtually
async def test_patches_follow_the_image_one_by_one() -> None:
    zone = Zone()
    with joined(zone) as (controller, keeper, _):
        await until(lambda: controller.acked == 1)
        for number in range(3):
            zone.change(controller, pod(number))
        await until(lambda: controller.acked == 4)
        assert keeper.happened == ["image 1", "patch 1-2", "patch 2-3", "patch 3-4"]
        assert keeper.index.entries == zone.entries


@virtually
async def test_no_image_is_sent_before_there_is_one_and_the_first_patch_brings_it() -> None:
    zone = Zone()
    zone.revision = 0
    keeper = Keeper()
    with pair() as (ours, theirs):
        controller = ControllerLink(
            ours,
            asyncio.get_running_loop(),
            lambda: zone.image() if zone.revision else None,
            zone.reports.append,
            zone.lost.append,
        )
        with closing(controller), closing(keeper.connect(theirs)):
            await settled()
            assert (keeper.happened, controller.acked) == ([], None)
            zone.change(controller, pod(1))
            await until(lambda: controller.acked == 1)
            assert (keeper.happened, keeper.index.entries) == (["image 1"], zone.entries)


@virtually
async def test_a_report_is_asked_for_and_given_each_time() -> None:
    zone = Zone()
    with joined(zone) as (controller, _, _):
        await until(lambda: controller.acked == 1)
        controller.ask_report()
        await until(lambda: zone.reports == [b"at 1"])
        zone.change(controller, pod(1))
        controller.ask_report()  # goes ahead of the patch only where that couldn't be sent at once
        await until(lambda: len(zone.reports) == 2)
        assert zone.reports == [b"at 1", b"at 2"]


@virtually
async def test_a_gap_is_mended_by_the_image() -> None:
    zone = Zone()
    with joined(zone) as (controller, keeper, _):
        await until(lambda: controller.acked == 1)
        zone.entries[pod(1)] = POD_ENTRY
        zone.revision += 1  # a change that this link is never told of
        zone.change(controller, pod(2))
        await until(lambda: controller.acked == 3)
        assert (keeper.happened, keeper.index.entries) == (["image 1", "image 3"], zone.entries)


# The end of a link


@virtually
async def test_each_end_is_told_once_that_the_other_has_closed() -> None:
    for closes_first in (0, 1):
        zone = Zone()
        with joined(zone) as (controller, keeper, worker):
            await until(lambda controller=controller: controller.acked == 1)  # type: ignore[misc]
            (controller, worker)[closes_first].close()
            await settled()
            told = [zone.lost, keeper.lost]
            assert told[closes_first] == []
            assert told[1 - closes_first] == ["closed by the other side"]


@virtually
async def test_closing_twice_and_sending_on_a_closed_link_do_nothing() -> None:
    zone = Zone()
    with joined(zone) as (controller, keeper, _):
        await until(lambda: controller.acked == 1)
        controller.close()
        controller.close()
        zone.change(controller, pod(1))
        controller.ask_report()
        await settled()
        assert (zone.lost, zone.reports, keeper.happened) == ([], [], ["image 1"])


@virtually
async def test_a_controller_that_writes_to_a_worker_that_is_gone_is_told_once() -> None:
    zone = Zone()
    with pair() as (ours, theirs), closing(controller := zone.connect(ours)):
        await settled()
        theirs.close()
        for number in range(3):
            zone.change(controller, pod(number))
            controller.ask_report()
        await settled()
        assert len(zone.lost) == 1


@pytest.mark.parametrize("end", ["controller", "worker"])
@virtually
async def test_of_an_end_that_was_gone_before_the_link_began_its_maker_is_told_when_it_has_the_link(end: str) -> None:
    zone, keeper, told = Zone(), Keeper(), []
    with pair() as (ours, theirs):
        theirs.close()
        link = zone.connect(ours) if end == "controller" else keeper.connect(ours)
        with closing(link):
            told += [*zone.lost, *keeper.lost]
            await settled()
            assert told == []
            assert len(zone.lost + keeper.lost) == 1


NONSENSE = (
    b"GET / HTTP/1.1\r\n\r\n",
    encode(Ack(1)),  # without Hello
    encode(Hello()) * 2,
    encode(Hello(Hello().version + 1)),
    encode(Hello()) + b"\0\0\0\0\xff",
)


@pytest.mark.parametrize("octets", [*NONSENSE, encode(Hello()) + encode(ImageEnd(1)) * 3])
@virtually
async def test_a_worker_that_talks_nonsense_is_lost_exactly_once(octets: bytes) -> None:
    zone = Zone()
    with pair() as (ours, theirs), closing(controller := zone.connect(ours)):
        theirs.send(octets)
        await until(lambda: zone.lost != [])
        zone.change(controller, pod(1))
        await settled()
        assert len(zone.lost) == 1
        assert ours.fileno() == -1


@pytest.mark.parametrize(
    "octets", [*NONSENSE, *(encode(Hello()) + encode(frame) * 3 for frame in (Ack(1), Report(b"")))]
)
@virtually
async def test_a_controller_that_talks_nonsense_is_lost_exactly_once(octets: bytes) -> None:
    keeper = Keeper()
    with pair() as (ours, theirs), closing(keeper.connect(theirs)):
        ours.send(octets)
        await until(lambda: keeper.lost != [])
        await settled()
        assert len(keeper.lost) == 1
        assert theirs.fileno() == -1


# The worker's end


@virtually
async def test_a_worker_greets_and_asks_for_an_image() -> None:
    keeper = Keeper()
    with pair() as (ours, theirs), closing(keeper.connect(theirs)):
        peer = Peer(ours)
        await peer.hear(WantImage())
        assert peer.heard == [Hello(), WantImage()]


@virtually
async def test_frames_may_come_in_any_pieces() -> None:
    keeper, loop = Keeper(), asyncio.get_running_loop()
    with pair() as (ours, theirs), closing(keeper.connect(theirs)):
        peer = Peer(ours)
        patch = Patch(5, 6, 60, {pod(2): POD_ENTRY}, (pod(1),))
        frames = (Hello(), *image_frames(Image(5, 50, {pod(1): POD_ENTRY})), PatchFrame(encode_patch(patch)))
        for octet in b"".join(map(encode, frames)):
            await loop.sock_sendall(ours, bytes((octet,)))
            await asyncio.sleep(0)
        await peer.hear(Ack(6))
        assert keeper.happened == ["image 5", "patch 5-6"]
        assert keeper.index.entries == {pod(2): POD_ENTRY}


@virtually
async def test_half_an_image_changes_nothing_that_is_served() -> None:
    keeper = Keeper()
    with pair() as (ours, theirs), closing(keeper.connect(theirs)):
        peer = Peer(ours)
        await peer.send(Hello(), *image_frames(Image(5, 50, {pod(1): POD_ENTRY})))
        await peer.hear(Ack(5))
        await peer.send(*list(image_frames(Image(7, 70, {pod(2): POD_ENTRY})))[:-1])
        await settled()
        assert (keeper.index.revision, keeper.index.entries) == (5, {pod(1): POD_ENTRY})
        await peer.send(ImageEnd(7))
        await peer.hear(Ack(7))
        assert keeper.index.entries == {pod(2): POD_ENTRY}


@virtually
async def test_an_image_begun_anew_leaves_nothing_of_the_one_before() -> None:
    keeper = Keeper()
    with pair() as (ours, theirs), closing(keeper.connect(theirs)):
        peer = Peer(ours)
        await peer.send(Hello(), *list(image_frames(Image(5, 50, {pod(1): POD_ENTRY})))[:-1])
        await peer.send(*image_frames(Image(6, 60, {pod(2): POD_ENTRY})))
        await peer.hear(Ack(6))
        assert (keeper.happened, keeper.index.entries) == (["image 6"], {pod(2): POD_ENTRY})


@virtually
async def test_a_worker_with_a_gap_asks_for_an_image_and_goes_on_serving() -> None:
    keeper = Keeper()
    with pair() as (ours, theirs), closing(keeper.connect(theirs)):
        peer = Peer(ours)
        await peer.send(Hello(), *image_frames(Image(5, 50, {})))
        await peer.send(PatchFrame(encode_patch(Patch(7, 8, 80, {pod(1): POD_ENTRY}))))
        await peer.hear(WantImage(7))
        assert (keeper.happened, keeper.index.revision) == (["image 5"], 5)
        await peer.send(ReportRequest(5))
        await peer.hear(Report(b"at 5"))


# The controller's end


@virtually
async def test_a_slow_worker_costs_a_bounded_amount_and_catches_up_when_it_reads() -> None:
    zone = Zone({pod(number): Entry(POD_ENTRY + bytes(LARGE)) for number in range(20)})
    with joined(zone) as (controller, keeper, worker):
        await until(lambda: controller.acked == 1)
        asyncio.get_running_loop().remove_reader(worker._socket)
        for number in range(300):  # 30 MB
            zone.change(controller, pod(number % 20), Entry(POD_ENTRY + bytes(LARGE + number)))
            assert len(controller._unsent) <= _AHEAD_BYTES + LARGE + 1000
            waiting = [len(frame.octets) for _, frame in controller._leader._waiting]
            assert sum(waiting) == controller._leader._backlog <= BACKLOG_BYTES
        await settled()
        assert keeper.happened == ["image 1"]
        asyncio.get_running_loop().add_reader(worker._socket, worker._readable)
        await until(lambda: controller.acked == 301)
        assert keeper.index.entries == zone.entries
        assert len(keeper.happened) < 100  # an image took the place of most patches
        assert (zone.lost, keeper.lost) == ([], [])


@virtually
async def test_a_worker_that_reads_a_little_now_and_then_gets_all_of_an_image() -> None:
    zone = Zone({pod(number): Entry(POD_ENTRY + bytes(LARGE)) for number in range(40)})
    with pair() as (ours, theirs), closing(controller := zone.connect(ours)):
        peer = Peer(theirs)
        await peer.send(Hello(), WantImage())
        octets = bytearray()
        while not octets.endswith(encode(ImageEnd(1))):
            await asyncio.sleep(1)
            octets += await asyncio.get_running_loop().sock_recv(theirs, 50_000)
        frames = Decoder().feed(bytes(octets))
        assert frames[:2] == [Hello(), ImageBegin(1, 1001, 40)]
        assert len(frames) == 43
        await peer.send(Ack(1))
        await until(lambda: controller.acked == 1)
