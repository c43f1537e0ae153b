"""Upstream trouble doesn't touch own names: beside as many questions that nobody answers, none of theirs is lost. U21.

Each turn brings as many of one as of the other; the next begins when its own names are answered. So it is the server
that is asked, not how fast this machine is at present. How long they take is for the bench (trouble).
"""

import socket
import time
from pathlib import Path
from typing import Final

import dns.message
import dns.rcode
import pytest

from bench.trouble import silent_upstream
from tests.server import REPOSITORY, Server

TURNS: Final = 200
EACH: Final = 20  # of each kind, a turn
OWN: Final = ("web.shop.svc.cluster.local", "kubernetes.default.svc.cluster.local", "db-read.shop.svc.cluster.local")
ADDRESSES: Final = ("10.100.103.179", "10.96.0.1", "10.110.235.83")


class Asking:
    """A client with one socket, and questions under ids of their own."""

    def __init__(self, port: int) -> None:
        self._sock = socket.socket(type=socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._sock.connect(("127.0.0.1", port))
        self.sent = 0

    def ask(self, name: str) -> None:
        self._sock.send(dns.message.make_query(name, "A", id=self.sent % 65536).to_wire())
        self.sent += 1

    def hear(self, count: int, within_s: float) -> list[dns.message.Message]:
        """So many replies, or fewer if no more come in time."""
        found, ends = list[dns.message.Message](), time.monotonic() + within_s
        while len(found) < count and (left := ends - time.monotonic()) > 0:
            self._sock.settimeout(left)
            try:
                found.append(dns.message.from_wire(self._sock.recv(65535)))
            except TimeoutError:
                break
        return found

    def close(self) -> None:
        self._sock.close()


@pytest.mark.parametrize("limit", ["", "max_concurrent 1000"])
def test_own_names_lose_nothing_beside_a_silent_upstream(tmp_path: Path, limit: str) -> None:
    with silent_upstream() as upstream:
        forward = f"forward . 127.0.0.1:{upstream} {{\n{limit}\n}}"
        block = f"bind 127.0.0.1\nkubernetes cluster.local\nready 127.0.0.1:0\n{forward}\ncache 30"
        (tmp_path / "Corefile").write_text(f".:0 {{\n{block}\n}}")
        flags = ("-conf", str(tmp_path / "Corefile"), "--manifests", str(REPOSITORY / "examples"), "--workers", "1")
        with Server(*flags, folder=tmp_path, plain=True) as server:
            own, others = Asking(server.port), Asking(server.port)
            try:
                for turn in range(TURNS):
                    for number in range(EACH):
                        others.ask(f"x{turn}-{number}.example.com")
                        own.ask(OWN[number % 3])
                    heard = own.hear(EACH, within_s=20)
                    assert sorted(reply.id for reply in heard) == list(range(turn * EACH, (turn + 1) * EACH))
                    assert {str(reply.answer[0][0]) for reply in heard} == set(ADDRESSES)
                told = others.hear(others.sent, within_s=20)
                assert sorted(reply.id for reply in told) == list(range(others.sent))
                assert {reply.rcode() for reply in told} == {dns.rcode.SERVFAIL}
            finally:
                own.close()
                others.close()
