"""Opening the sockets that are listened on: once, by the supervisor, before any other process exists.

Each worker slot gets sockets of its own for every address (SO_REUSEPORT: the kernel spreads
clients over them), which outlive the workers: what is queued in them when a worker dies is
its successor's. What can go wrong here is the operator's to mend and said in one line.
"""

import errno
import socket
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final, NamedTuple

from kdns.config.settings import Address, SettingsError

# A socket's queue holds what comes while its worker loads an image or is being replaced. A small datagram
# costs the kernel 768 octets of twice this, so it is some 5,000 queries: a sixth of a second at 30,000 a second.
# Under overload the last of them waits for all others, 27 ms at 200,000 a second; with 4 MiB it was more than the
# 50 ms that anybody is to wait. The kernel cuts it to net.core.rmem_max (often 208 KiB), silently.
_RECEIVE_BYTES: Final = 2 << 20
# TCP connections that the kernel finishes before a worker accepts them; it cuts this to net.core.somaxconn.
BACKLOG: Final = 1024
# Tries at finding a port that is free for UDP and for TCP.
_TRIES: Final = 64
_KINDS: Final = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
# Python 3.11's socket module lacks this name; the numbers are those of Darwin's netinet/in.h and Linux' uapi/linux/in.h.
_IP_PKTINFO: Final = 26 if sys.platform == "darwin" else 8

_HINTS: Final = {
    errno.EADDRINUSE: "another process has the port; stop that process, or choose another port",
    errno.EACCES: "no permission: ports below 1024 are for root and for processes with the capability "
    "NET_BIND_SERVICE; grant it, or choose another port",
    errno.EADDRNOTAVAIL: "no interface of this machine has the address",
    errno.EAFNOSUPPORT: "this machine doesn't speak the address's family",
}
_HINTS[errno.EPERM] = _HINTS[errno.EACCES]


class PortTakenError(SettingsError):
    """Somebody else has the port."""


class SlotSockets(NamedTuple):
    """What one worker slot listens on, in the order of the addresses; TCP sockets are listening already."""

    udp: tuple[socket.socket, ...]
    tcp: tuple[socket.socket, ...]


class Opened(NamedTuple):
    """What is listened on: the addresses as asked for, with the ports that 0 became, and each slot's sockets."""

    listen: tuple[Address, ...]
    slots: tuple[SlotSockets, ...]


def open_sockets(
    listen: Sequence[Address], workers: int, streams: Container[Address] = (), *, shared: bool = False
) -> Opened:
    """The sockets of each slot; all slots have the same addresses and, where port 0 was asked, the same free port.

    At addresses among streams there is TCP alone. Host "" is every address of the machine: a
    socket for each family, so that what comes in says by its socket which one it is of. Raises SettingsError, with everything closed again,
    if one can't be had. With shared, sockets that allow it may have the port already.
    """
    with ExitStack() as opened:
        firsts = [_open_firsts(address, opened, _KINDS[address in streams :], shared=shared) for address in listen]
        places = [_share(first, workers, opened) for group in firsts for first in group]
        opened.pop_all()
    bound = (Address(asked.host, address_of(group[0]).port) for asked, group in zip(listen, firsts, strict=True))
    return Opened(tuple(bound), tuple(_slot([place[slot] for place in places]) for slot in range(workers)))


def _slot(sockets: Sequence[socket.socket]) -> SlotSockets:
    return SlotSockets(
        udp=tuple(sock for sock in sockets if sock.type == socket.SOCK_DGRAM),
        tcp=tuple(sock for sock in sockets if sock.type == socket.SOCK_STREAM),
    )


def open_ops(addresses: Mapping[str, Address], *, shared: bool = False) -> dict[str, socket.socket]:
    """A listening TCP socket for each address, under the same key; one of both families for host "".

    Shared is as for open_sockets. Raises SettingsError.
    """
    with ExitStack() as opened:
        sockets = {}
        for name, address in addresses.items():
            place = address._replace(host=_every_address()[-1]) if address.host == "" else address
            sockets[name] = _open(place, socket.SOCK_STREAM, opened, shared=shared, both=address.host == "")
            _listen(sockets[name], address)
        opened.pop_all()
    return sockets


def address_of(sock: socket.socket) -> Address:
    """Where a socket is bound, with the port that port 0 became."""
    return Address(*sock.getsockname()[:2])


def _open_firsts(
    address: Address, opened: ExitStack, kinds: Sequence[socket.SocketKind], *, shared: bool
) -> list[socket.socket]:
    """A socket of each kind on one port, for each family that the address is of."""
    for _ in range(_TRIES if address.port == 0 else 1):
        with ExitStack() as tried:
            try:
                firsts = _open_all(address, tried, kinds, shared=shared)
            except PortTakenError:
                if address.port:
                    raise
                continue
            opened.enter_context(tried.pop_all())
            return firsts
    raise SettingsError(f"listen on {address}: no port is free for both UDP and TCP ({_TRIES} tried)")


def _open_all(
    address: Address, opened: ExitStack, kinds: Sequence[socket.SocketKind], *, shared: bool
) -> list[socket.socket]:
    firsts: list[socket.socket] = []
    port = address.port
    for host in _every_address() if address.host == "" else (address.host,):
        for kind in kinds:
            sock = _open(Address(host, port), kind, opened, shared=shared)
            port = address_of(sock).port
            firsts.append(sock)
    return firsts


def _every_address() -> tuple[str, ...]:
    """The wildcard addresses of the families that the machine speaks."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return ("0.0.0.0",)  # noqa: S104 - every address is what was asked for
    return ("0.0.0.0", "::")  # noqa: S104


def _share(first: socket.socket, workers: int, opened: ExitStack) -> list[socket.socket]:
    """The first socket and as many more on its address as there are other slots; TCP sockets listen.

    The first is bound without SO_REUSEPORT, so that it fails where another kdns (which
    would share the port with anybody of its uid) is at work, and offers to share only afterwards.
    """
    address = address_of(first)
    shared = [first]
    if workers > 1:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared += (_open(address, first.type, opened, shared=True) for _ in range(workers - 1))
    if first.type == socket.SOCK_STREAM:
        for sock in shared:
            _listen(sock, address)
    return shared


def _open(address: Address, kind: int, opened: ExitStack, *, shared: bool = False, both: bool = False) -> socket.socket:
    """A bound socket. Raises SettingsError."""
    try:
        ((family, _, _, _, target), *_) = socket.getaddrinfo(
            address.host,
            address.port,
            type=kind,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
    except socket.gaierror as error:
        raise SettingsError(f"listen on {address}: {address.host!r} is no IP address") from error
    try:
        return _bind(family, kind, target, opened, shared=shared, both=both)
    except OSError as error:
        raise _explain("UDP" if kind == socket.SOCK_DGRAM else "TCP", address, error) from error


def _bind(
    family: int, kind: int, target: tuple[Any, ...], opened: ExitStack, *, shared: bool, both: bool
) -> socket.socket:
    sock = opened.enter_context(socket.socket(family, kind))
    sock.setblocking(False)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
    if kind == socket.SOCK_DGRAM:
        with suppress(OSError):  # where the system has a limit that it doesn't cut to, its own size will do
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    else:
        # Connections of a former run that still wait for their end don't hold the port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(target)
    if kind == socket.SOCK_DGRAM and target[0] in _WILDCARDS:
        _WILDCARDS[target[0]](sock)
    return sock


def _ask_address4(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def _ask_address6(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)


# On a socket of every address each query has to say which one it asked: the reply leaves from there.
_WILDCARDS: Final[dict[str, Callable[[socket.socket], None]]] = {
    "0.0.0.0": _ask_address4,  # noqa: S104 - compared, not bound
    "::": _ask_address6,
}


def _listen(sock: socket.socket, address: Address) -> None:
    try:
        sock.listen(BACKLOG)
    except OSError as error:  # another listener that also set SO_REUSEADDR shows only now
        raise _explain("TCP", address, error) from error


def _explain(protocol: str, address: Address, error: OSError) -> SettingsError:
    reason = _HINTS.get(error.errno or 0, f"the system refuses: {error.strerror}")
    kind = PortTakenError if error.errno == errno.EADDRINUSE else SettingsError
    return kind(f"listen on {address} ({protocol}): {reason}")
