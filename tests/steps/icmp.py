"""What the network may say instead of an upstream, in a namespace of its own: `python -m tests.steps.icmp`.

Prints a line for each: how it was said, whose answer came, after how many seconds, and what the first upstream is said
to have done. ICMP messages are made here, as a router would send them; routes are this namespace's.
"""

import asyncio
import random
import socket
import struct
import subprocess
from typing import Final

from kdns.config.settings import Address
from kdns.steps.chain import Failed
from kdns.steps.forward import Forward
from tests import virtual_time
from tests.steps.forwarding import Asked, Noted, said, to
from tests.steps.upstream_of_sins import UpstreamOfSins
from tests.steps.ways import datagrams

# Of type 3, destination unreachable (RFC 792, RFC 1122 section 3.2.2.1).
CODES: Final = {
    "network unreachable": 0,
    "host unreachable": 1,
    "protocol unreachable": 2,
    "port unreachable": 3,
    "network unknown": 6,
    "host unknown": 7,
    "network prohibited": 9,
    "host prohibited": 10,
    "communication prohibited": 13,
}
ROUTES: Final = ("unreachable", "prohibit", "blackhole")


def main() -> None:
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
    for number, route in enumerate(ROUTES):
        subprocess.run(("ip", "route", "add", route, f"198.51.100.{number}/32"), check=True)
        virtual_time.run(_by_route(route, Address(f"198.51.100.{number}", 53)))
    virtual_time.run(_by_route("no route", Address("203.0.113.1", 53)))
    virtual_time.run(_by_route("no route by IPv6", Address("2001:db8::1", 53)))
    for name, code in CODES.items():
        virtual_time.run(_by_message(name, code))


async def _by_route(name: str, away: Address) -> None:
    async with UpstreamOfSins("honest", number=2) as good:
        await _print(name, away, good)


async def _by_message(name: str, code: int) -> None:
    async with _Unreachable(code) as bad, UpstreamOfSins("honest", number=2) as good:
        await _print(name, bad.address, good)


class _Unreachable(UpstreamOfSins):
    """For whom a router answers each datagram."""

    def __init__(self, code: int) -> None:
        super().__init__("silent")
        self._code = code

    def _hear(self) -> None:
        super()._hear()
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as router:
            router.sendto(_unreachable(self._code, self.ports[-1], self.address.port), ("127.0.0.1", 0))


async def _print(name: str, bad: Address, good: UpstreamOfSins) -> None:
    forward = _forward(bad, good.address)
    asked = Asked(forward)
    print(f"{name}: {said(await asked.outcome())}, {asked.at:g} s", end=", ")  # noqa: T201 - what this is for
    forward.close()
    forward = _forward(bad)
    outcome = await Asked(forward).outcome()
    assert isinstance(outcome, Failed)
    assert outcome.error is not None
    print(outcome.error.text.removeprefix(f"{bad} "))  # noqa: T201
    forward.close()


def _forward(*upstreams: Address) -> Forward:
    loop = asyncio.get_running_loop()
    return Forward(
        to(*upstreams, max_fails=0), loop=loop, random=random.SystemRandom(), log=Noted(), datagrams=datagrams()
    )


def _unreachable(code: int, ours: int, theirs: int) -> bytes:
    """An ICMP message about a datagram from one port of 127.0.0.1 to another."""
    host = socket.inet_aton("127.0.0.1")
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0, host, host)
    body = ip + struct.pack("!HHHH", ours, theirs, 8, 0)
    head = struct.pack("!BBHI", 3, code, 0, 0)
    total = sum(struct.unpack(f"!{len(head + body) // 2}H", head + body))
    total = (total >> 16) + (total & 0xFFFF)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return struct.pack("!BBHI", 3, code, checksum, 0) + body


if __name__ == "__main__":
    main()
