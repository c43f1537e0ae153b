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


def interface_addresses(name: str) -> list[str]:
    """The addresses of an interface, as texts; none where there is no such interface."""
    found = [socket.inet_ntop(socket.AF_INET, address) for interface, address in _ipv4() if interface == name]
    for interface, address in _ipv6():
        if interface == name:
            text = socket.inet_ntop(socket.AF_INET6, address)
            found.append(f"{text}%{name}" if address[0] == 0xFE and address[1] & 0xC0 == 0x80 else text)
    return found


def _asked_at(host: str) -> list[bytes]:
    """The addresses that lead to what listens on the host."""
    if not host:
        return _of_interfaces()
    packed = _packed(host)
    return [packed] if any(packed) else [own for own in _of_interfaces() if len(own) == len(packed)]


def _of_interfaces() -> list[bytes]:
    listed = [address for _, address in (*_ipv4(), *_ipv6())] if _IF_INET6.parent.exists() else []
    addresses = listed or _by_name()
    return [address for address in addresses if not _is_loopback(address)]


def _ipv4() -> Iterable[tuple[str, bytes]]:
    """All of them with their interface, which may have several."""
    found = array("B", bytes(_IFREQ_BYTES * _IFREQS_MAX))
    where, _ = found.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        said = fcntl.ioctl(asking, _SIOCGIFCONF, struct.pack("@iP", len(found), where))
    (size,) = struct.unpack_from("@i", said)
    for at in range(0, size, _IFREQ_BYTES):
        name = found[at : at + 16].tobytes().partition(b"\0")[0].decode(errors="replace")
        yield name.partition(":")[0], found[at + 20 : at + 24].tobytes()


def _ipv6() -> Iterable[tuple[str, bytes]]:
    with contextlib.suppress(OSError):  # IPv6 is switched off
        for line in _IF_INET6.read_text(encoding="ascii").splitlines():
            address, *_, name = line.split()
            yield name, bytes.fromhex(address)


def _by_name() -> list[bytes]:
    with contextlib.suppress(OSError):
        return [_packed(str(info[4][0])) for info in socket.getaddrinfo(socket.gethostname(), None)]
    return []


def _packed(host: str) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_pton(family, host.partition("%")[0])


def _is_loopback(address: bytes) -> bool:
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\1"
