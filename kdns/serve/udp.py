"""DNS over UDP: datagrams from an inherited socket to a responder, and replies back.

The hot loop is BatchDoor._reply (LoggedBatchDoor's where questions are logged). Its invariants: a slot holds one query, and a reply written
over it keeps the query's id, which is its first two octets; what is found by the octets after
them is the whole rest of the reply; replies are sent in runs of neighbouring slots, a query
without a reply (yet) ends a run. What each trick is worth is in docs/measurements.md. Where replies depend on who asks,
each query has its audience's mark behind it in its slot (MarkedBatch) before the loop looks at it.

On a wildcard socket each query comes with the address it was sent to (IP_PKTINFO, RFC 3542
section 6.1), and its reply leaves from there. The work of one wake is bounded, so that TCP,
the channel and timers get their turn. Where the system has no recvmmsg, PlainDoor does the
same one datagram at a time, and lets in whoever comes.
"""

import asyncio
import select
import socket
import struct
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kdns.serve import mmsg
from kdns.serve.admission import Admission
from kdns.serve.audiences import Audiences
from kdns.serve.memo import Memo
from kdns.serve.mmsg import SLOT_BYTES, SLOTS, Batch
from kdns.serve.responder import Responder
from kdns.serve.sieve import Sieve
from kdns.steps.chain import Peer
from kdns.steps.turns import Turns

if TYPE_CHECKING:  # most servers log no questions
    from kdns.serve.querylog import Line

# Datagrams taken per wake: at 5 µs each others wait for 1.3 ms at the most.
_WAKE: Final = 256
# Wakes at the end: what the largest queue holds, and half of that again for what comes meanwhile.
_LAST_WAKES: Final = 32

Ancillary: TypeAlias = list[tuple[int, int, bytes]]
SocketAddress: TypeAlias = tuple[Any, ...]  # as the socket module has it

# Python 3.11's socket module lacks these names; the numbers are Linux' (include/uapi/linux/in.h, in6.h).
_IP_PKTINFO: Final = getattr(socket, "IP_PKTINFO", 8)
_IPV6_PKTINFO: Final = getattr(socket, "IPV6_PKTINFO", 50)


def open_door(
    sock: socket.socket,
    responder: Responder,
    memo: Memo,
    loop: asyncio.AbstractEventLoop,
    turns: Turns | None = None,
) -> "Door":
    """Serves the socket by what the system does best; memo is the responder's."""
    if not mmsg.available:
        return PlainDoor(sock, responder, memo, loop, turns)
    kind = BatchDoor if responder.querylog is None else LoggedBatchDoor
    return kind(sock, responder, memo, loop, turns)


class Door:
    """A socket that is served from the event loop until closed."""

    def __init__(
        self,
        sock: socket.socket,
        responder: Responder,
        memo: Memo,
        loop: asyncio.AbstractEventLoop,
        turns: Turns | None = None,
    ) -> None:
        self.unsent = 0  # replies that the kernel didn't take
        self.admission = Admission(Sieve(sock), loop)
        self._socket = sock
        self._responder = responder
        self._memo = memo
        self._loop = loop
        self._turns = turns or Turns(loop)
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._turns.of(self.serve))

    def serve(self) -> None:
        """Answers what is queued, at most _WAKE datagrams of it."""
        raise NotImplementedError

    def close(self) -> None:
        """Answers what is queued, and takes no more queries; replies still to come are sent."""
        self._loop.remove_reader(self._socket.fileno())
        queued = select.poll()
        queued.register(self._socket, select.POLLIN)
        for _ in range(_LAST_WAKES):
            self.serve()
            if not queued.poll(0):
                break
        self.admission.close()


class SlotPeer:
    """The client of a query in a slot, its address still as the kernel wrote it."""

    __slots__ = ("_control", "_door", "_name")

    def __init__(self, door: "BatchDoor", batch: Batch, slot: int) -> None:
        self._door = door
        self._name = batch.name(slot)
        self._control = batch.control(slot)

    @property
    def host(self) -> str:
        """The address as text."""
        return str(_address(self._name)[0])

    @property
    def port(self) -> int:
        """The port."""
        return self._name[2] << 8 | self._name[3]

    def send(self, reply: bytes) -> None:
        """Sends a reply that had to be waited for."""
        self._door.send_later(self._name, self._control, reply)


class MarkedBatch(Batch):
    """A batch that puts the mark of the client's audience behind each query, as if it had been sent.

    There is always room for it: a query that fills its slot loses its last octet.
    """

    __slots__ = ("_audiences",)

    def __init__(self, sock: socket.socket, audiences: Audiences, *, wildcard: bool) -> None:
        super().__init__(sock, wildcard=wildcard)
        self._audiences = audiences

    def receive(self) -> int:
        """As Batch.receive."""
        count = super().receive()
        room, lengths = self.room, self.lengths
        known, meet = self._audiences.known, self._audiences.meet
        at = 0
        for slot, address in enumerate(self.addresses(count)):
            mark = known.get(address)
            length = lengths[slot]
            if length == SLOT_BYTES:
                length -= 1
            room[at + length] = meet(address) if mark is None else mark
            lengths[slot] = length + 1
            at += SLOT_BYTES
        return count


class BatchDoor(Door):
    """Many datagrams per system call."""

    def __init__(
        self,
        sock: socket.socket,
        responder: Responder,
        memo: Memo,
        loop: asyncio.AbstractEventLoop,
        turns: Turns | None = None,
    ) -> None:
        super().__init__(sock, responder, memo, loop, turns)
        wildcard, audiences = is_wildcard(sock), responder.audiences
        self._batch = (
            Batch(sock, wildcard=wildcard) if audiences is None else MarkedBatch(sock, audiences, wildcard=wildcard)
        )
        self._late: list[tuple[bytes, bytes, bytes]] = []  # replies that had to be waited for: name, control, octets
        self._place = responder.door.place

    def serve(self) -> None:
        """As Door.serve."""
        batch, admission, timing, now = self._batch, self.admission, self._responder.timing, self._loop.time
        for _ in range(_WAKE // SLOTS):
            count = batch.receive()
            if count:
                timing.began = now()
                timing.answered(self._reply(count), now())
            if admission.pressed:
                admission.note(batch.clients(count))
            if count < SLOTS:
                if admission.pressed or admission.backlog:
                    admission.woke(left=False)
                return
        admission.woke(left=True)

    def send_later(self, name: bytes, control: bytes, reply: bytes) -> None:
        """Sends a reply once all that has come in by now has been seen, together with the others.

        Sent one by one, each wakes its client's process if that runs on the same machine: 15 µs instead of 5.
        """
        late = self._late
        if not late:
            self._turns.soon(self._send_late)
        late.append((name, control, reply))

    def _send_late(self) -> None:
        """Between wakes nothing lies in the slots."""
        late, self._late = self._late, []
        batch = self._batch
        for start in range(0, len(late), SLOTS):
            run = late[start : start + SLOTS]
            for slot, (name, control, reply) in enumerate(run):
                batch.place(slot, name, control, reply)
            self.unsent += batch.send(0, len(run))

    def _reply(self, end: int) -> int:
        """Replies to what is in the slots up to before end; to how many."""
        batch = self._batch
        room, lengths, sizes = batch.room, batch.lengths, batch.sizes
        replies = self._memo.replies  # anew for each batch: the memo's generations change
        place = self._place
        run = at = unanswered = 0
        for slot in range(end):
            found = replies.get(room[at + 2 : at + lengths[slot]])
            if found is not None:
                found.cell[place] += 1
                sizes[slot] = size = found.size
                room[at + 2 : at + size] = found.turned() if found.count else found.octets
            elif size := self._answer(slot, at):
                sizes[slot] = size
            else:
                if run < slot:
                    self.unsent += batch.send(run, slot)
                run = slot + 1
                unanswered += 1
            at += SLOT_BYTES
        if run < end:
            self.unsent += batch.send(run, end)
        return end - unanswered

    def _answer(self, slot: int, at: int) -> int:
        """Writes the reply to the query in a slot over it; how long it is, 0 if there is none, or none yet."""
        batch = self._batch
        octets = batch.room[at : at + batch.lengths[slot]]
        reply = self._responder.recall(octets)
        if reply is None:
            peer = SlotPeer(self, batch, slot)
            reply = self._responder.respond(octets, peer, peer.send)
            if reply is None:
                return 0
        batch.room[at : at + len(reply)] = reply
        return len(reply)


class LoggedBatchDoor(BatchDoor):
    """As BatchDoor where questions are logged: what is remembered is given and noted, and the lines are made once it is sent.

    Its loop is BatchDoor's with what notes; one loop for both would ask of every question whether it is logged.
    """

    def _reply(self, end: int) -> int:
        since_ns = time.perf_counter_ns()
        batch, querylog = self._batch, self._responder.querylog
        assert querylog is not None
        room, lengths, sizes = batch.room, batch.lengths, batch.sizes
        replies = self._memo.replies
        place = self._place
        marks = 0 if self._responder.audiences is None else 1
        given: list[tuple[Line, bytes, int]] = []
        run = at = unanswered = 0
        for slot in range(end):
            found = replies.get(room[at + 2 : at + lengths[slot]])
            if found is not None:
                found.cell[place] += 1
                line = found.line
                if line is not None:
                    if line.datagram is None:
                        querylog.template(line, room[at : at + lengths[slot] - marks], found.octets)
                    if line.datagram:
                        given.append((line, batch.name(slot), room[at] << 8 | room[at + 1]))
                sizes[slot] = size = found.size
                room[at + 2 : at + size] = found.turned() if found.count else found.octets
            elif size := self._answer(slot, at):
                sizes[slot] = size
            else:
                if run < slot:
                    self.unsent += batch.send(run, slot)
                run = slot + 1
                unanswered += 1
            at += SLOT_BYTES
        if run < end:
            self.unsent += batch.send(run, end)
        querylog.batch(given, since_ns)
        return end - unanswered

    def _answer(self, slot: int, at: int) -> int:
        """As BatchDoor's; who asks has to be known for a remembered reply, too."""
        batch = self._batch
        octets = batch.room[at : at + batch.lengths[slot]]
        peer = SlotPeer(self, batch, slot)
        reply = self._responder.recall(octets, peer) or self._responder.respond(octets, peer, peer.send)
        if reply is None:
            return 0
        batch.room[at : at + len(reply)] = reply
        return len(reply)


class PlainDoor(Door):
    """One datagram per system call."""

    def serve(self) -> None:
        """As Door.serve."""
        receive, recall, respond = self._socket.recvmsg, self._responder.recall, self._responder.respond
        audiences, timing, now = self._responder.audiences, self._responder.timing, self._loop.time
        for _ in range(_WAKE):
            try:
                octets, ancillary, _, client = receive(SLOT_BYTES, 128)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an earlier reply was refused by its client's host; the next call reads on
                continue
            timing.began = now()
            peer = Peer(*client[:2])
            if audiences is not None:
                octets += bytes((audiences.of(peer.host),))
            reply = recall(octets, peer) or respond(octets, peer, partial(self.send, client, ancillary))
            if reply is not None:
                self.send(client, ancillary, reply)
                timing.answered(1, now())

    def send(self, client: SocketAddress, ancillary: Ancillary, reply: bytes) -> None:
        """Sends one reply from the address that was asked."""
        try:
            if ancillary:
                self._socket.sendmsg((reply,), _from_same_address(ancillary), 0, client)
            else:
                self._socket.sendto(reply, client)
        except OSError:
            self.unsent += 1


def is_wildcard(sock: socket.socket) -> bool:
    """Whether the socket takes what is sent to any address of the machine."""
    return sock.getsockname()[0] in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


def _from_same_address(received: Ancillary) -> Ancillary:
    """What to send along so that a reply leaves from the address that was asked.

    The interface is left to the routing table except for link-local addresses, which mean
    nothing without it.
    """
    for level, kind, data in received:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            # struct in_pktinfo: interface, the address to answer from, the address in the header
            return [(level, kind, bytes(4) + data[4:8] + bytes(4))]
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            link_local = data[0] == 0xFE and data[1] & 0xC0 == 0x80
            return [(level, kind, data[:20] if link_local else data[:16] + bytes(4))]
    return []


def _address(name: bytes) -> SocketAddress:
    """Of struct sockaddr_in, or of sockaddr_in6, whose scope is in the machine's order."""
    port = name[2] << 8 | name[3]
    if len(name) == 16:
        return socket.inet_ntoa(name[4:8]), port
    (flow,), (scope,) = struct.unpack_from("!I", name, 4), struct.unpack_from("=I", name, 24)
    return socket.inet_ntop(socket.AF_INET6, name[8:24]), port, flow, scope
