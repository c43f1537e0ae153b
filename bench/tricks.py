"""Tricks: what each of those on the way of a remembered reply is worth, and what stays remembered beside a scan.

A worker's door in a process of its own, on one core: CPU time per query with everything, with one datagram per system call, and with
nothing remembered, in turns. Then, without sockets, how many of the questions that are asked again and again are found in the
memo while others are asked in between. Run it as `python -m bench.tricks`; it needs no lab.
"""

import asyncio
import os
import random
import signal
import socket
import statistics
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from bench.processes import cpu_s
from kdns.serve.udp import BatchDoor, PlainDoor
from kdns.zone.entry import Kind, Service, pack_service, service_owner
from kdns.zone.index import Index
from kdns.zone.patch import Image
from tests.serve.served import CLIENT, Served, question

_SERVICES: Final = 10_000
_NAMESPACES: Final = 100
_MEMO_BYTES: Final = 12 << 20  # as a worker's
_TEXT: Final = ".:53 {\n    kubernetes cluster.local\n}\n"
_BURST: Final = 64  # questions sent before their replies are read
_QUESTIONS: Final = 150_000
_ROUNDS: Final = 5
_SCANNED: Final = 200_000
_LETTERS: Final = frozenset(range(ord("a"), ord("z") + 1))
_BITS: Final = 128  # more than a question has octets


class Way(NamedTuple):
    """A door."""

    name: str
    many: bool = True  # datagrams for each system call
    memo_bytes: int = _MEMO_BYTES


WAYS: Final = (
    Way("all"),
    Way("one datagram for each system call", many=False),
    Way("nothing is remembered", memo_bytes=0),
    Way("neither", many=False, memo_bytes=0),
)


def index() -> Index:
    """Ten thousand Services."""
    made = Index()
    entries = {
        service_owner(f"ns-{number % _NAMESPACES}", f"svc-{number}"): pack_service(
            Service(Kind.CLUSTER_IP, v4=(0x0A600000 + number).to_bytes(4))
        )
        for number in range(_SERVICES)
    }
    made.load(Image(1, 1, entries))
    return made


def questions() -> list[bytes]:
    """A of each, in random order."""
    names = [f"svc-{number}.ns-{number % _NAMESPACES}.svc.cluster.local" for number in range(_SERVICES)]
    random.Random(1).shuffle(names)
    return [question(name) for name in names]


def cpu_us(way: Way, asked: list[bytes]) -> float:
    """CPU time of the door's process for each question, in microseconds."""
    own, other = sorted(os.sched_getaffinity(0))[:2]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        sock.bind(("127.0.0.1", 0))
        client.connect(sock.getsockname())
        client.settimeout(5)
        pid = os.fork()
        if pid == 0:
            os.sched_setaffinity(0, {own})
            _serve(sock, way)
        try:
            os.sched_setaffinity(0, {other})
            _ask(client, asked, 3 * _SERVICES)  # on second sight a question is remembered
            before = cpu_s(pid)
            _ask(client, asked, _QUESTIONS)
            return (cpu_s(pid) - before) / _QUESTIONS * 1e6
        finally:
            os.sched_setaffinity(0, {own, other})
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _serve(sock: socket.socket, way: Way) -> None:
    """Until the process is ended."""
    loop = asyncio.new_event_loop()
    served = Served(_TEXT, index(), loop=loop, memo_bytes=way.memo_bytes)
    kind = BatchDoor if way.many else PlainDoor
    kind(sock, served.udp, served.udp.memos[0], loop)
    loop.run_forever()


def _ask(client: socket.socket, asked: list[bytes], count: int) -> None:
    for start in range(0, count, _BURST):
        for number in range(start, start + _BURST):
            client.send(asked[number % len(asked)])
        for _ in range(_BURST):
            client.recv(512)


def absent(chance: random.Random) -> Iterator[bytes]:
    """Names that aren't there, never the same twice."""
    while True:
        yield question(f"{chance.getrandbits(64):x}.ns-{chance.randrange(_NAMESPACES)}.svc.cluster.local")


def respelt(chance: random.Random) -> Iterator[bytes]:
    """Names that are there, each spelt as hardly ever before."""
    asked = questions()
    while True:
        octets, capitals = chance.choice(asked), chance.getrandbits(_BITS)
        yield bytes(each ^ (capitals >> at & 0x20) if each in _LETTERS else each for at, each in enumerate(octets))


def twice(chance: random.Random) -> Iterator[bytes]:
    """The same, each asked twice in a row, so that each is remembered."""
    for each in respelt(chance):
        yield from (each, each)


def remembered(scan: Callable[[random.Random], Iterator[bytes]], share: float) -> float:
    """Of the questions for a tenth of the Services, the part found in the memo while such a share of all questions is the scan's."""
    chance = random.Random(2)
    served, hot, scanned = Served(_TEXT, index(), memo_bytes=_MEMO_BYTES), questions()[: _SERVICES // 10], scan(chance)
    memo = served.udp.memos[0]
    asked = found = 0
    for number in range(_SCANNED):
        is_scan = chance.random() < share
        octets = next(scanned) if is_scan else chance.choice(hot)
        known = memo.replies.get(octets[2:]) is not None or served.udp.recall(octets) is not None
        if not known:
            served.udp.respond(octets, CLIENT, lambda _reply: None)
        if not is_scan and number > _SCANNED // 3:
            asked += 1
            found += known
    return found / asked


def main() -> None:
    asked = questions()
    found: dict[str, list[float]] = {way.name: [] for way in WAYS}
    for _ in range(_ROUNDS):
        for way in WAYS:
            found[way.name].append(cpu_us(way, asked))
    print("| | CPU per query, µs | to all |\n|---|---|---|")
    least = statistics.median(found["all"])
    for name, times in found.items():
        middle = statistics.median(times)
        print(f"| {name} | {middle:.1f} ({min(times):.1f} to {max(times):.1f}) | {middle / least:.2f} |")
    print("\n| beside | half of all questions | nine of ten |\n|---|---|---|")
    for scan in (absent, respelt, twice):
        assert scan.__doc__ is not None
        shares = " | ".join(f"{remembered(scan, share):.1%}" for share in (0.5, 0.9))
        print(f"| {scan.__doc__.rstrip('.').lower()} | {shares} |")


if __name__ == "__main__":
    main()
