"""Listening sockets: one of each per slot and address, or one line that says what to do about it."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kdns.config.settings import Address, SettingsError
from kdns.serve.sockets import SlotSockets, address_of, open_ops, open_sockets

PKTINFO = 8  # IP_PKTINFO of Linux


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listen(opened: ExitStack, *addresses: Address, workers: int = 1) -> list[SlotSockets]:
    slots = list(open_sockets(addresses, workers).slots)
    for slot in slots:
        for sock in (*slot.udp, *slot.tcp):
            opened.enter_context(sock)
    return slots


def reaches(sock: socket.socket, host: str) -> bool:
    """Whether a datagram or a connection to that host arrives at the socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, sock.type) as client:
        client.settimeout(5)
        client.connect((host, address_of(sock).port))
        sock.settimeout(5)
        if sock.type == socket.SOCK_DGRAM:
            client.send(b"x")
            return sock.recv(10) == b"x"
        accepted, _ = sock.accept()
        accepted.close()
        return True


def test_every_slot_has_a_udp_and_a_tcp_socket_for_every_address(opened: ExitStack) -> None:
    slots = listen(opened, Address("127.0.0.1", 0), Address("::1", 0), workers=3)
    assert [([s.type for s in slot.udp], [s.type for s in slot.tcp]) for slot in slots] == [
        ([socket.SOCK_DGRAM] * 2, [socket.SOCK_STREAM] * 2)
    ] * 3
    for at, host in enumerate(["127.0.0.1", "::1"]):
        bound = {address_of(sock) for slot in slots for sock in (slot.udp[at], slot.tcp[at])}
        assert [address.host for address in bound] == [host]


def test_the_slots_share_what_comes(opened: ExitStack) -> None:
    slots = listen(opened, Address("127.0.0.1", 0), workers=2)
    port = address_of(slots[0].udp[0]).port
    for _ in range(64):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", ("127.0.0.1", port))
        opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
    assert all(waiting(slot.udp[0]) > 0 for slot in slots)
    assert all(waiting(slot.tcp[0]) > 0 for slot in slots)
    # Of 64 clients none reaches one of two sockets with a chance of 2**-63.


def waiting(sock: socket.socket) -> int:
    count = 0
    try:
        while True:
            if sock.type == socket.SOCK_DGRAM:
                sock.recv(10)
            else:
                sock.accept()[0].close()
            count += 1
    except BlockingIOError:
        return count


def test_every_address_is_of_both_families_by_a_socket_each(opened: ExitStack) -> None:
    ((udp, tcp),) = listen(opened, Address("", 0))
    assert len({address_of(sock).port for sock in (*udp, *tcp)}) == 1
    for four, six in (udp, tcp):
        assert reaches(four, "127.0.0.1")
        assert reaches(six, "::1")


def test_what_is_listened_on_is_said_as_it_was_asked_for(opened: ExitStack) -> None:
    said, slots = open_sockets([Address("", 0), Address("127.0.0.1", 0)], 1)
    for sock in (*slots[0].udp, *slots[0].tcp):
        opened.enter_context(sock)
    ports = [address_of(sock).port for sock in slots[0].udp]
    assert said == (Address("", ports[0]), Address("127.0.0.1", ports[-1]))


def test_both_wildcards_stand_beside_each_other(opened: ExitStack) -> None:
    ((udp, _),) = listen(opened, Address("0.0.0.0", 0))
    port = address_of(udp[0]).port
    ((udp6, tcp6),) = listen(opened, Address("::", port))
    assert (address_of(udp[0]), address_of(udp6[0])) == (Address("0.0.0.0", port), Address("::", port))
    assert reaches(tcp6[0], "::1")


@pytest.mark.parametrize(
    ("host", "asks"), [("::", (0, 1)), ("0.0.0.0", (1, 0)), ("127.0.0.1", (0, 0)), ("::1", (0, 0))]
)
def test_a_wildcard_socket_says_which_address_was_asked(host: str, asks: tuple[int, int], opened: ExitStack) -> None:
    ((udp, _),) = listen(opened, Address(host, 0))
    four = udp[0].getsockopt(socket.IPPROTO_IP, PKTINFO)
    six = udp[0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO) if udp[0].family == socket.AF_INET6 else 0
    assert (four, six) == asks


def test_sockets_do_not_block_and_are_not_inherited_by_programs(opened: ExitStack) -> None:
    ((udp, tcp),) = listen(opened, Address("127.0.0.1", 0))
    assert [(s.getblocking(), s.get_inheritable()) for s in (*udp, *tcp)] == [(False, False)] * 2


def test_the_receive_queue_is_as_large_as_the_kernel_gives(opened: ExitStack) -> None:
    ((udp, _),) = listen(opened, Address("127.0.0.1", 0))
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    expected = min(2 << 20, limit) * 2  # the kernel doubles it for its own needs
    assert udp[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == expected


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("kind", "name"), [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
def test_a_taken_port_is_named(kind: socket.SocketKind, name: str, workers: int, opened: ExitStack) -> None:
    taken = opened.enter_context(socket.socket(socket.AF_INET, kind))
    taken.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(SettingsError) as error:
        listen(opened, Address("127.0.0.1", port), workers=workers)
    assert str(error.value) == (
        f"listen on 127.0.0.1:{port} ({name}): another process has the port; stop that process, or choose another port"
    )


def test_another_server_of_the_same_user_is_not_shared_with(opened: ExitStack) -> None:
    slots = listen(opened, Address("127.0.0.1", 0), workers=2)
    with pytest.raises(SettingsError, match="another process has the port"):
        listen(opened, address_of(slots[0].udp[0]), workers=2)


def test_an_address_of_another_machine_is_named(opened: ExitStack) -> None:
    with pytest.raises(SettingsError) as error:
        listen(opened, Address("192.0.2.1", 0))
    assert str(error.value) == "listen on 192.0.2.1:0 (UDP): no interface of this machine has the address"


@pytest.mark.parametrize("host", ["localhost", "1.2.3.4.5", "::g", "example.com"])
def test_what_is_no_address_is_said_to_be_none(host: str, opened: ExitStack) -> None:
    with pytest.raises(SettingsError, match="is no IP address"):
        listen(opened, Address(host, 0))


def test_a_missing_permission_says_which() -> None:
    port = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) - 1
    if port < 1:
        pytest.skip("every port is open to everybody here: net.ipv4.ip_unprivileged_port_start is 0")
    assert as_nobody(lambda: open_sockets([Address("127.0.0.1", port)], 1)) == (
        f"listen on 127.0.0.1:{port} (UDP): no permission: ports below 1024 are for root and for processes with the "
        "capability NET_BIND_SERVICE; grant it, or choose another port"
    )


def as_nobody(attempt: Callable[[], object]) -> str:
    """The SettingsError's text that a process without any permission gets."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            attempt()
        except SettingsError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


def test_where_one_address_fails_no_socket_stays_open(opened: ExitStack) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(SettingsError):
        listen(opened, Address("127.0.0.1", 0), Address("192.0.2.1", 0), workers=2)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_ops_sockets_listen_under_their_names(opened: ExitStack) -> None:
    sockets = open_ops({"health": Address("127.0.0.1", 0), "ready": Address("", 0)})
    for sock in sockets.values():
        opened.enter_context(sock)
    assert list(sockets) == ["health", "ready"]
    assert reaches(sockets["health"], "127.0.0.1")
    assert reaches(sockets["ready"], "127.0.0.1")


def test_a_taken_ops_port_is_named(opened: ExitStack) -> None:
    taken = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
    address = address_of(taken)
    with pytest.raises(SettingsError) as error:
        open_ops({"metrics": address})
    assert str(error.value).startswith(f"listen on {address} (TCP): another process has the port")
