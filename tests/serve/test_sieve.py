"""Sieves on real sockets: who passes and who doesn't, and what the kernel says of it."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kdns.serve.mmsg import SLOTS, Batch
from kdns.serve.sieve import MOST, OPEN, Chances, Client, Sieve, program

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no sieve on this system")

SENT = 32


@contextmanager
def bound(host: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((host, 0))
        made.setblocking(False)
        yield made


def send(host: str, server: socket.socket, count: int = SENT) -> None:
    with bound(host) as client:
        for _ in range(count):
            client.sendto(b"x", server.getsockname())


def passed(server: socket.socket) -> int:
    count = 0
    while True:
        try:
            server.recv(10)
        except BlockingIOError:
            return count
        count += 1


def client(host: str) -> Client:
    """As the server's batch has it."""
    with bound("::1" if ":" in host else "127.0.0.1") as server:
        batch = Batch(server, wildcard=False)
        send(host, server, 1)
        assert batch.receive() == 1
        (found,) = batch.clients(1)
        return found


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_without_a_chance_is_kept_out_and_counted(host: str) -> None:
    with bound(host) as server:
        sieve = Sieve(server)
        sieve.put(Chances({client(host): 0.0}))
        send(host, server)
        assert passed(server) == 0
        assert sieve.queue().dropped == SENT


def test_the_others_pass_whatever_their_number() -> None:
    kept_out: list[Client] = [client(f"127.0.1.{number}") for number in range(1, MOST + 1)]
    with bound("127.0.0.1") as server:
        Sieve(server).put(Chances(dict.fromkeys(kept_out, 0.0)))
        for number in range(1, MOST + 1):
            send(f"127.0.1.{number}", server, 2)
        send("127.0.2.1", server)
        assert passed(server) == SENT


def test_the_other_half_of_an_address_makes_no_other_client() -> None:
    assert client("::1") == (0, 0)
    with bound("::1") as server:
        Sieve(server).put(Chances({(0, 1): 0.0, (1, 0): 0.0}))
        send("::1", server)
        assert passed(server) == SENT


def test_a_chance_of_the_others_is_for_those_without_one_of_their_own() -> None:
    with bound("127.0.0.1") as server:
        Sieve(server).put(Chances({client("127.0.0.2"): 1.0}, others=0.0))
        send("127.0.0.2", server)
        send("127.0.0.3", server)
        assert passed(server) == SENT


def test_about_so_many_pass_as_their_chance_says() -> None:
    with bound("127.0.0.1") as server:
        Sieve(server).put(Chances({client("127.0.0.2"): 0.25}))
        count = 0
        for _ in range(40):
            send("127.0.0.2", server, 100)
            count += passed(server)
        assert 800 < count < 1200  # of 4,000: seven standard deviations to each side


def test_an_open_one_takes_the_old_one_off_and_so_does_a_new_process_s() -> None:
    with bound("127.0.0.1") as server:
        shut = Chances({}, others=0.0)
        sieve = Sieve(server)
        for reopen in (lambda: sieve.put(OPEN), lambda: Sieve(server)):
            sieve.put(shut)
            send("127.0.0.1", server)
            assert passed(server) == 0
            reopen()
            send("127.0.0.1", server)
            assert passed(server) == SENT
        assert sieve.queue().dropped == 2 * SENT
        assert Sieve(server).queue().dropped == 0


def test_what_a_full_queue_drops_is_counted() -> None:
    with bound("127.0.0.1") as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # the kernel's least
        sieve = Sieve(server)
        send("127.0.0.1", server, SLOTS)
        assert sieve.queue().octets > 0
        assert passed(server) + sieve.queue().dropped == SLOTS
        assert sieve.queue().dropped > 0
        assert sieve.queue().octets == 0


def test_a_full_sieve_is_within_what_the_kernel_takes() -> None:
    chances = Chances({(number, 1): 0.5 for number in range(MOST)}, others=0.5)
    assert len(program(chances, socket.AF_INET6)) // 8 <= 4096
    with bound("::1") as server:
        Sieve(server).put(chances)
