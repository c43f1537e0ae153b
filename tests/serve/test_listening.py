"""The sockets of a configuration and of the next: what both ask for is the same socket, the rest comes and goes."""

import socket
from collections.abc import Iterator

import pytest

from kdns.config.settings import Address, SettingsError
from kdns.serve.configuration import Configuration
from kdns.serve.listening import Listening, Opened
from kdns.serve.sockets import address_of

FREE = Address("127.0.0.1", 0)


@pytest.fixture
def listening() -> Iterator[Listening]:
    made = Listening(2)
    yield made
    made.keep([])


def wanted(*listen: Address, streams: tuple[Address, ...] = (), **pages: Address) -> Configuration:
    return Configuration(listen, streams, tuple((f"{page} {at}", at) for page, at in pages.items()))


def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def is_open(sock: socket.socket) -> bool:
    return sock.fileno() >= 0


def places(opened: Opened) -> list[tuple[str, int]]:
    return [(address_of(sock).host, address_of(sock).port) for sock in (*opened.slots[0].udp, *opened.slots[0].tcp)]


def test_what_both_ask_for_is_the_same_socket(listening: Listening) -> None:
    first = listening.open(wanted(FREE, health=FREE))
    again = listening.open(wanted(FREE, health=FREE))
    assert list(again.sockets) == list(first.sockets)
    assert again.listen == first.listen
    assert again.listen[0].port > 0


def test_what_is_new_is_opened_and_what_is_over_closed(listening: Listening) -> None:
    other = Address("127.0.0.1", port())
    first = listening.open(wanted(FREE, health=FREE))
    second = listening.open(wanted(other, FREE, ready=FREE))
    assert second.slots[0].udp[1] is first.slots[0].udp[0]
    assert places(second)[0] == tuple(other)
    listening.keep([first, second])
    assert all(map(is_open, (*first.sockets, *second.sockets)))
    listening.keep([second])
    assert all(map(is_open, second.sockets))
    assert [is_open(sock) for sock in first.ops.values()] == [False]
    assert set(listening.sockets) == set(second.sockets)


def test_where_one_cannot_be_had_none_is_opened(listening: Listening) -> None:
    first = listening.open(wanted(FREE))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        there = Address("127.0.0.1", taken.getsockname()[1])
        for configuration in (wanted(FREE, Address("127.0.0.1", port()), there), wanted(FREE, health=there)):
            with pytest.raises(SettingsError, match=r"another process has the port"):
                listening.open(configuration)
    assert set(listening.sockets) == set(first.sockets)


@pytest.mark.parametrize("hosts", [("127.0.0.1", ""), ("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
@pytest.mark.parametrize("workers", [1, 2])
def test_all_addresses_and_one_of_them_can_follow_each_other(hosts: tuple[str, str], workers: int) -> None:
    listening = Listening(workers)
    number = port()
    before, after = (wanted(Address(host, number)) for host in hosts)
    listening.open(before)
    second = listening.open(after)
    listening.keep([second])
    assert {at for _, at in places(second)} == {number}
    with pytest.raises(SettingsError, match="another process has the port"):
        Listening(workers).open(before)  # others don't share it
    listening.keep([])


def test_a_port_becomes_one_of_streams_alone(listening: Listening) -> None:
    there = Address("127.0.0.1", port())
    listening.open(wanted(there))
    second = listening.open(wanted(there, streams=(there,)))
    listening.keep([second])
    assert [len(slot.udp) for slot in second.slots] == [0, 0]
    assert places(second) == [tuple(there)]
