"""recvmmsg and sendmmsg: many datagrams for one system call.

A Batch is a socket's room for SLOTS datagrams. A query lies in its slot, and the reply is
written over it: its id stays where it is, and so do the client's address and, on a wildcard
socket, the address that was asked, so that nothing is copied but the reply's octets. All
buffers live as long as the batch; nothing is allocated per datagram. Connected is room that
many connected sockets use in turn.

Linux alone has both calls with this layout (recvmmsg(2), sendmmsg(2), struct msghdr of
socket.h); available says so, and udp has a path without them.
"""

import ctypes
import mmap
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

SLOTS: Final = 64
SLOT_BYTES: Final = 4096  # the longest query taken, and the longest reply over UDP that can be asked for

_NAME_BYTES: Final = {socket.AF_INET: 16, socket.AF_INET6: 28}  # struct sockaddr_in, sockaddr_in6
# One control message: its header of 16 octets, then struct in_pktinfo or in6_pktinfo, padded to 8.
_CONTROL_BYTES: Final = {socket.AF_INET: 16 + 16, socket.AF_INET6: 16 + 24}
# Where in a control message the interface's number is.
_LOCAL6: Final = 32
_INTERFACE: Final = {socket.AF_INET: 16, socket.AF_INET6: _LOCAL6}
# Where in a name the address is: in_addr, in6_addr.
_ADDRESS: Final = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}
# Which words of four octets of a name tell clients apart: the IPv4 address; the first half of the IPv6 address.
_CLIENT_WORDS: Final = {socket.AF_INET: (1,), socket.AF_INET6: (2, 3)}
# Octets of a slot for connected sockets: any datagram fits one that comes, any question one that goes.
_INBOX: Final = 65536
_OUTBOX: Final = 512 + 64
_STARTS: Final = range(0, SLOTS * _INBOX, _INBOX)
_ANY_INTERFACE: Final = bytes(4)


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_len", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iov_len", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_len", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("octets", ctypes.c_uint32))


_MESSAGE_BYTES: Final = ctypes.sizeof(_Message)
_WORDS: Final = _MESSAGE_BYTES // 4
_OCTETS: Final = _Message.octets.offset // 4


def _calls() -> tuple[Any, Any] | None:
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    try:
        return library.recvmmsg, library.sendmmsg
    except AttributeError:  # a C library without them
        return None


_CALLS: Final = _calls()
available: Final = _CALLS is not None


class Batch:
    """A socket's slots. Slot n has its octets at n * SLOT_BYTES of room, lengths[n] of them received, sizes[n] to send."""

    __slots__ = (
        "_addresses",
        "_clients",
        "_control_bytes",
        "_controls",
        "_fd",
        "_interface",
        "_keep",
        "_name_bytes",
        "_names",
        "_received",
        "_recvmmsg",
        "_sendmmsg",
        "_sent",
        "lengths",
        "room",
        "sizes",
    )

    def __init__(self, sock: socket.socket, *, wildcard: bool) -> None:
        """Wildcard: the socket tells with each datagram which address it was sent to. Sockets don't block."""
        assert _CALLS is not None, "ask available first"
        self._recvmmsg, self._sendmmsg = _CALLS
        self._fd = sock.fileno()
        self._name_bytes = _NAME_BYTES[sock.family]
        self._control_bytes = _CONTROL_BYTES[sock.family] if wildcard else 0
        self._interface = _INTERFACE[sock.family]
        self.room = _buffer(SLOTS * SLOT_BYTES)
        self._names = _buffer(SLOTS * self._name_bytes)
        words, each = memoryview(self._names).cast("I"), self._name_bytes // 4
        self._clients = tuple(words[word::each] for word in _CLIENT_WORDS[sock.family])
        first, size = _ADDRESS[sock.family]
        ends = range(first + size, SLOTS * self._name_bytes + 1, self._name_bytes)
        self._addresses = tuple(slice(end - size, end) for end in ends)
        self._controls = _buffer(SLOTS * max(self._control_bytes, 1))
        into, out_of = (_Iovec * SLOTS)(), (_Iovec * SLOTS)()
        self._received, self._sent = (_Message * SLOTS)(), (_Message * SLOTS)()
        for slot in range(SLOTS):
            self._point(self._received[slot].header, into[slot], slot)
            self._point(self._sent[slot].header, out_of[slot], slot)
        self.lengths = memoryview(self._received).cast("B").cast("I")[_OCTETS::_WORDS]
        self.sizes = memoryview(out_of).cast("B").cast("Q")[1::2]
        self._keep = into, out_of  # what only pointers lead to

    def receive(self) -> int:
        """Fills slots from the first on; how many. 0: nothing has come."""
        count: int = self._recvmmsg(self._fd, self._received, SLOTS, 0, None)
        return max(count, 0)  # an error is that of a single client, or EAGAIN; the event loop asks again

    def send(self, first: int, end: int) -> int:
        """Sends the replies in slots first to end - 1; how many the kernel didn't take."""
        unsent = 0
        if self._control_bytes:
            self._forget_interfaces(first, end)
        while first < end:
            sent: int = self._sendmmsg(self._fd, ctypes.byref(self._sent, first * _MESSAGE_BYTES), end - first, 0)
            if sent <= 0:  # the first of them: its client can't be reached, or the socket is full
                unsent += 1
                sent = 1
            first += sent
        return unsent

    def name(self, slot: int) -> bytes:
        """The client's address in a slot, as struct sockaddr_in or sockaddr_in6."""
        start = slot * self._name_bytes
        return self._names[start : start + self._name_bytes]

    def clients(self, count: int) -> list[int] | list[tuple[int, ...]]:
        """Who sent what is in the first slots: an IPv4 address each, or an IPv6 /64, in the kernel's order of octets."""
        if len(self._clients) == 1:
            return self._clients[0][:count].tolist()
        return list(zip(*(words[:count].tolist() for words in self._clients), strict=True))

    def addresses(self, count: int) -> list[bytes]:
        """The addresses of those who sent what is in the first slots, 4 or 16 octets each."""
        return [self._names[each] for each in self._addresses[:count]]

    def control(self, slot: int) -> bytes:
        """What came along with a slot's query, and tells the address that it was sent to; b"" on other sockets."""
        start = slot * self._control_bytes
        return self._controls[start : start + self._control_bytes]

    def place(self, slot: int, name: bytes, control: bytes, reply: bytes) -> None:
        """Puts into a slot a reply that was waited for; name and control are those of its query."""
        self.room[slot * SLOT_BYTES : slot * SLOT_BYTES + len(reply)] = reply
        self.sizes[slot] = len(reply)
        self._names[slot * self._name_bytes : (slot + 1) * self._name_bytes] = name
        if control:
            self._controls[slot * self._control_bytes : (slot + 1) * self._control_bytes] = control

    def _point(self, header: _Header, vector: _Iovec, slot: int) -> None:
        vector.base, vector.len = _address(self.room) + slot * SLOT_BYTES, SLOT_BYTES
        header.name, header.name_len = _address(self._names) + slot * self._name_bytes, self._name_bytes
        header.iov, header.iov_len = ctypes.addressof(vector), 1
        if self._control_bytes:
            header.control = _address(self._controls) + slot * self._control_bytes
            header.control_len = self._control_bytes

    def _forget_interfaces(self, first: int, end: int) -> None:
        """Leaves the way of replies to the routing table, but for link-local clients."""
        for slot in range(first, end):
            start = slot * self._control_bytes
            at = start + self._interface
            if self._interface == _LOCAL6 and self._controls[start + 16 : start + 17] == b"\xfe":
                continue
            self._controls[at : at + 4] = _ANY_INTERFACE


class Connected:
    """Room for datagrams of connected sockets, whose addresses the kernel knows."""

    __slots__ = ("_inbox", "_keep", "_lengths", "_outbox", "_received", "_recvmmsg", "_sendmmsg", "_sent", "_sizes")

    def __init__(self) -> None:
        assert _CALLS is not None, "ask available first"
        self._recvmmsg, self._sendmmsg = _CALLS
        self._inbox = _buffer(SLOTS * _INBOX)  # the system gives memory for what is touched alone
        self._outbox = _buffer(SLOTS * _OUTBOX)
        into, out_of = (_Iovec * SLOTS)(), (_Iovec * SLOTS)()
        self._received, self._sent = (_Message * SLOTS)(), (_Message * SLOTS)()
        for slot in range(SLOTS):
            for buffer, step, vector, message in (
                (self._inbox, _INBOX, into[slot], self._received[slot]),
                (self._outbox, _OUTBOX, out_of[slot], self._sent[slot]),
            ):
                vector.base, vector.len = _address(buffer) + slot * step, step
                message.header.iov, message.header.iov_len = ctypes.addressof(vector), 1
        self._lengths = memoryview(self._received).cast("B").cast("I")[_OCTETS::_WORDS]
        self._sizes = memoryview(out_of).cast("B").cast("Q")[1::2]
        self._keep = into, out_of  # what only pointers lead to

    def send(self, sock: socket.socket, octets: Sequence[bytes]) -> int:
        """Sends them, each of at most 512 octets, in order; how many, up to the first that can't be sent now."""
        outbox, sizes = self._outbox, self._sizes
        total = 0
        while total < len(octets):
            run = octets[total : total + SLOTS]
            at = 0
            for slot, each in enumerate(run):
                sizes[slot] = size = len(each)
                outbox[at : at + size] = each
                at += _OUTBOX
            sent: int = self._sendmmsg(sock.fileno(), self._sent, len(run), 0)
            total += max(sent, 0)
            if sent < len(run):
                break
        return total

    def receive(self, sock: socket.socket) -> list[bytes]:
        """What has come, at most SLOTS datagrams; nothing, too, if there is an error to be told."""
        inbox, lengths = self._inbox, self._lengths
        count: int = self._recvmmsg(sock.fileno(), self._received, SLOTS, 0, None)
        return [inbox[at : at + length] for at, length in zip(_STARTS, lengths[: max(count, 0)], strict=False)]


def _buffer(size: int) -> mmap.mmap:
    """Octets at a fixed place; a slice of an mmap is bytes at once, and a dictionary takes those."""
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _address(buffer: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
