"""What a spoofer would have to guess: ports and ids; and how long a socket is used."""

import asyncio
import random
from itertools import count, pairwise

import pytest

from kdns.config.settings import Address
from kdns.dns import types
from kdns.dns.lasting import Lasting
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.steps.carriers import Chance, Flight
from kdns.steps.ports import QUESTIONS
from kdns.steps.upstream import SOCKETS, Upstream
from tests import virtual_time
from tests.steps.upstream_of_sins import UpstreamOfSins
from tests.steps.ways import datagrams

pytestmark = pytest.mark.usefixtures("each_way")


def made(address: Address, chance: Chance) -> Upstream:
    return Upstream(address, loop=asyncio.get_running_loop(), chance=chance, datagrams=datagrams())


class Noted(Flight):
    """Notes what comes of it."""

    def __init__(self) -> None:
        super().__init__(Query(from_text("www.example.com."), types.A))
        self.answers: list[bytes] = []

    def answered(self, octets: bytes, found: Lasting) -> None:
        self.answers.append(octets)

    def received(self, octets: bytes, *, whole: bool) -> None:
        self.answers.append(octets)


class Counting:
    """A generator that is none: each number of a count by step, so many times."""

    def __init__(self, step: int, repeats: int = 1) -> None:
        self._numbers = (number // repeats * step % 65536 for number in count())

    def randbytes(self, n: int, /) -> bytes:
        return b"".join(next(self._numbers).to_bytes(2, "little") for _ in range(n // 2))


def test_ids_are_spread_evenly_and_follow_no_step() -> None:  # T-ADV-04
    chance = Chance(random.SystemRandom())
    ids = [chance.draw() for _ in range(20_000)]
    # The expected number of different ones among 65,536 is 17,231, its deviation about 45; of steps the same.
    assert 16_900 < len(set(ids)) < 17_600
    steps = [(later - earlier) % 65536 for earlier, later in pairwise(ids)]
    assert 16_900 < len(set(steps)) < 17_600
    for shift in (0, 8):  # 78 expected of each octet, deviation 8.8
        octets = [ident >> shift & 255 for ident in ids]
        assert all(20 < octets.count(value) < 150 for value in range(256))


def test_questions_are_spread_over_ports_without_order() -> None:  # T-ADV-04, U35
    async def scene() -> None:
        async with UpstreamOfSins() as sinner:
            upstream = made(sinner.address, Chance(random.SystemRandom()))
            for asked in range(1, 2_001):
                upstream.ask(Noted())
                # No more than its queue holds.
                while len(sinner.ports) < asked - (50 if asked < 2_000 else 0):  # noqa: ASYNC110
                    await asyncio.sleep(0)
            upstream.close()
            ports = list(dict.fromkeys(sinner.ports))
            assert len(sinner.ports) == 2_000
            assert len(ports) >= 2_000 / QUESTIONS
            # By chance the system gives a port again that was used before: once in fifty runs.
            assert max(map(sinner.ports.count, ports)) <= 2 * QUESTIONS
            # Neighbours opened one after the other would be one predictable port.
            assert sum(abs(a - b) < 10 for a, b in pairwise(ports)) < len(ports) / 10
            assert len({sinner.heard[n][:2] for n in range(2_000)}) > 1_900

    virtual_time.run(scene())


def test_no_id_is_used_twice_on_a_socket_even_if_the_generator_repeats_itself() -> None:  # U13, U14
    async def scene() -> None:
        async with UpstreamOfSins() as sinner:
            upstream = made(sinner.address, Chance(Counting(1, repeats=48)))
            for _ in range(300):
                upstream.ask(Noted())
                await asyncio.sleep(0)
            await asyncio.sleep(1)
            upstream.close()
            used = [(port, query[:2]) for port, query in zip(sinner.ports, sinner.heard, strict=True)]
            assert len(set(used)) == len(used) == 300

    virtual_time.run(scene())


def test_each_question_gets_its_answer_once() -> None:
    async def scene() -> None:
        async with UpstreamOfSins("twice") as sinner:
            upstream = made(sinner.address, Chance(random.SystemRandom()))
            flights = [Noted() for _ in range(200)]
            for flight in flights:
                upstream.ask(flight)
                await asyncio.sleep(0)
            await asyncio.sleep(1)
            assert [len(flight.answers) for flight in flights] == [1] * 200
            assert all(flight.answers[0][:2] == flight.sent[:2] for flight in flights)
            upstream.close()

    virtual_time.run(scene())


def test_socket_is_not_used_longer_than_ten_seconds() -> None:
    async def scene() -> None:
        async with UpstreamOfSins() as sinner:
            one_slot = Chance(Counting(16))
            upstream = made(sinner.address, one_slot)
            for _ in range(8):
                upstream.ask(Noted())
                await asyncio.sleep(3)
            upstream.close()
            assert [sinner.ports.count(port) for port in dict.fromkeys(sinner.ports)] == [4, 4]

    virtual_time.run(scene())


def test_worn_socket_stays_open_until_its_last_answer_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    life = 32  # questions
    monkeypatch.setattr("kdns.steps.ports.QUESTIONS", life)

    async def scene() -> None:
        async with UpstreamOfSins("slow") as sinner:
            upstream = made(sinner.address, Chance(random.SystemRandom()))
            flights = [Noted() for _ in range(SOCKETS * life * 2)]
            for flight in flights:
                upstream.ask(flight)
                await asyncio.sleep(0)
            await asyncio.sleep(5)
            assert [len(flight.answers) for flight in flights] == [1] * len(flights)
            assert len(upstream._open) <= SOCKETS
            upstream.close()
            assert not upstream._open

    virtual_time.run(scene())


def test_address_of_ipv6_is_reached() -> None:
    async def scene() -> None:
        upstream = made(Address("::1", 9), Chance(random.SystemRandom()))
        failures: list[OSError] = []

        class Failing(Noted):
            def failed(self, error: OSError) -> None:
                failures.append(error)

        upstream.ask(Failing())
        await asyncio.sleep(1)
        assert [type(failure) for failure in failures] == [ConnectionRefusedError]
        upstream.close()

    virtual_time.run(scene())
