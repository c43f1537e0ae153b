"""The addresses of this machine, for the zone's NS records (decision D15).

Where the operator listens on certain addresses, those; where on all, or on all of a family,
those of the interfaces, without the loopback's. Linux tells them through /proc and an ioctl;
elsewhere the host's own name is looked up.
"""

import contextlib
import fcntl
import socket
import struct
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kdns.config.settings import Address

_SIOCGIFCONF: Final = 0x8912  # linux/sockios.h: the IPv4 addresses of all interfaces
# struct ifreq: a name, and a union whose largest part is struct ifmap; here it holds a struct sockaddr_in.
_IFREQ_BYTES: Final = 16 + struct.calcsize("@2LH6B")
_IFREQS_MAX: Final = 256
_IF_INET6: Final = Path("/proc/net/if_inet6")


def own_addresses(listen: Iterable[Address]) -> tuple[bytes, ...]:
    """The addresses that clients can ask, 4 or 16 octets each, in a stable order, none twice."""
    return tuple(dict.fromkeys(own for address in listen for own in _asked_at(address.host)))


def _asked_at(host: str) -> list[bytes]:
    """The addresses that lead to what listens on the host."""
    if not host:
        return _of_interfaces()
    packed = _packed(host)
    return [packed] if any(packed) else [own for own in _of_interfaces() if len(own) == len(packed)]


def _of_interfaces() -> list[bytes]:
    addresses = [*_ipv4(), *_ipv6()] if _IF_INET6.parent.exists() else _by_name()
    return [address for address in addresses if not _is_loopback(address)]


def _ipv4() -> Iterable[bytes]:
    """All of them: an interface may have several."""
    found = array("B", bytes(_IFREQ_BYTES * _IFREQS_MAX))
    where, _ = found.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        said = fcntl.ioctl(asking, _SIOCGIFCONF, struct.pack("@iP", len(found), where))
    (size,) = struct.unpack_from("@i", said)
    for at in range(0, size, _IFREQ_BYTES):
        yield found[at + 20 : at + 24].tobytes()


def _ipv6() -> Iterable[bytes]:
    with contextlib.suppress(OSError):  # IPv6 is switched off
        for line in _IF_INET6.read_text(encoding="ascii").splitlines():
            yield bytes.fromhex(line.split()[0])


def _by_name() -> list[bytes]:
    with contextlib.suppress(OSError):
        return [_packed(str(info[4][0])) for info in socket.getaddrinfo(socket.gethostname(), None)]
    return []


def _packed(host: str) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_pton(family, host.partition("%")[0])


def _is_loopback(address: bytes) -> bool:
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\1"
