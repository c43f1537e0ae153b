"""DNS over UDP: batches of datagrams from an inherited socket to the responder and back.

Works on whatever address the socket is bound to; on a wildcard socket the address a query
was sent to comes with it (IP_PKTINFO, RFC 3542 section 6.1) and the reply leaves from it.
At most BATCH datagrams are taken per wake, so that TCP, the channel and timers get their turn.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from kdns.serve.responder import Responder

BATCH: Final = 64
# A query may have up to 4,096 octets (EDNS options); more is cut by the kernel and then doesn't parse.
_QUERY_LIMIT: Final = 4096

MAPPED: Final = "::ffff:"  # how an IPv4 client looks on a socket for both families (RFC 4291 section 2.5.5.2)

Ancillary: TypeAlias = list[tuple[int, int, bytes]]

# Python 3.11's socket module lacks these names; the numbers are Linux' (include/uapi/linux/in.h, in6.h).
_IP_PKTINFO: Final = getattr(socket, "IP_PKTINFO", 8)
_IPV6_PKTINFO: Final = getattr(socket, "IPV6_PKTINFO", 50)


class UdpDoor:
    """Serves one socket from the event loop until closed."""

    def __init__(
        self, sock: socket.socket, responder: Responder, mapped: Responder, loop: asyncio.AbstractEventLoop
    ) -> None:
        """On a socket for both families, mapped is who answers IPv4 clients."""
        self._socket = sock
        self._responder = responder
        self._mapped = mapped
        self._loop = loop
        self.unsent = 0  # replies that the kernel didn't take
        sock.setblocking(False)
        self._serve: Callable[[], None] = self._serve_wildcard if _is_wildcard(sock) else self._serve_bound
        loop.add_reader(sock.fileno(), self._serve)

    def close(self) -> None:
        """Takes no more queries; replies still to come are sent."""
        self._loop.remove_reader(self._socket.fileno())

    def drain(self) -> None:
        """Answers what is queued in the kernel now, a bounded number of batches, before a close."""
        for _ in range(16):
            self._serve()

    def _serve_bound(self) -> None:
        receive, recall, respond = self._socket.recvfrom, self._responder.recall, self._responder.respond
        for _ in range(BATCH):
            try:
                octets, client = receive(_QUERY_LIMIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an earlier reply was refused by its client's host; the next call reads on
                continue
            reply = recall(octets)
            if reply is None:
                reply = respond(octets, client[:2], partial(self._send, client))
            if reply is not None:
                self._send(client, reply)

    def _send(self, client: Any, reply: bytes) -> None:
        try:
            self._socket.sendto(reply, client)
        except OSError:
            self.unsent += 1

    def _serve_wildcard(self) -> None:
        receive = self._socket.recvmsg
        for _ in range(BATCH):
            try:
                octets, ancillary, _, client = receive(_QUERY_LIMIT, 128)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue
            is_mapped = client[0].startswith(MAPPED)
            responder = self._mapped if is_mapped else self._responder
            reply = responder.recall(octets)
            if reply is None:
                peer = (client[0].removeprefix(MAPPED), client[1])
                reply = responder.respond(octets, peer, partial(self._send_from, client, ancillary))
            if reply is not None:
                self._send_from(client, ancillary, reply)

    def _send_from(self, client: Any, ancillary: Ancillary, reply: bytes) -> None:
        try:
            self._socket.sendmsg((reply,), source_of(ancillary), 0, client)
        except OSError:
            self.unsent += 1


def source_of(received: Ancillary) -> Ancillary:
    """What to send along so that a reply leaves from the address that was asked.

    The interface is left to the routing table except for link-local addresses, which mean
    nothing without it.
    """
    for level, kind, data in received:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            # struct in_pktinfo: interface, the address to answer from, the address in the header
            return [(level, kind, struct.pack("=i4s4s", 0, data[4:8], b"\0\0\0\0"))]
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            address, interface = struct.unpack("=16si", data[:20])
            link_local = address[0] == 0xFE and address[1] & 0xC0 == 0x80
            return [(level, kind, struct.pack("=16si", address, interface if link_local else 0))]
    return []


def _is_wildcard(sock: socket.socket) -> bool:
    return sock.getsockname()[0] in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
