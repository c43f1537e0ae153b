"""TCP: honest connections beside many, slow ones and ones that only take places; and what those may hold of a server."""

import contextlib
import resource
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.load import percentiles
from bench.processes import pss_bytes

_HONEST: Final = 100
_SLOW: Final = 500
_MANY: Final = 10_000
_ASKED: Final = 10  # questions of each honest connection
_PAUSE_S: Final = 0.3  # between them
_WITHIN_S: Final = 5.0  # a resolver's patience
# `dig kubernetes.default.svc.cluster.local A`, with its length before it.
_MESSAGE: Final = (
    b"\x00\x36\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01"
)


@dataclass(frozen=True, slots=True)
class Streams:
    """What honest connections saw beside others, and what all of them held."""

    held: int  # connections of others that were opened
    asked: int
    served: int
    p99_ms: float
    open_fds: int  # of the server's processes, the most seen
    grown_bytes: int


def slow_beside_honest(port: int, pid: int) -> Streams:
    """500 connections that send an octet a second, of five addresses, and 100 honest ones of another."""
    before = sum(pss_bytes(pid).values())
    with contextlib.ExitStack() as stack:
        slow = [_connect(port, f"127.0.2.{1 + number % 5}", stack) for number in range(_SLOW)]
        return _honest(port, pid, [each for each in slow if each], before)


def many(port: int, pid: int, addresses: int) -> Streams:
    """10,000 connections of so many addresses, opened as fast as it goes and left open, and 100 honest ones after them.

    Fewer where this process may not have so many.
    """
    before = sum(pss_bytes(pid).values())
    with contextlib.ExitStack() as stack:
        numbers = range(min(_MANY, _descriptors() - 2 * _HONEST))
        held = [_connect(port, f"127.0.2.{1 + number % addresses}", stack) for number in numbers]
        return _honest(port, pid, [each for each in held if each], before)


def _honest(port: int, pid: int, others: Sequence[socket.socket], memory_before: int) -> Streams:
    """Honest connections ask, again and again, while the others send an octet a second."""
    took: list[float] = []
    fds = 0
    with contextlib.ExitStack() as stack:
        honest = [_connect(port, "127.0.3.1", stack) for _ in range(_HONEST)]
        dripped = 0.0
        for turn in range(_ASKED):
            if time.monotonic() - dripped >= 1:
                dripped = time.monotonic()
                for sock in others:
                    with contextlib.suppress(OSError):
                        sock.send(_MESSAGE[turn : turn + 1])
            took += _ask_all([sock for sock in honest if sock])
            fds = max(fds, _open_fds(pid))
            time.sleep(_PAUSE_S)
    grown = sum(pss_bytes(pid).values()) - memory_before
    p99 = percentiles(each * 1e3 for each in took).get("p99", 0.0)
    return Streams(len(others), _HONEST * _ASKED, len(took), p99, fds, grown)


def _ask_all(honest: Sequence[socket.socket]) -> list[float]:
    """How long each took that was answered in time."""
    asked, took = {}, []
    poll = select.poll()
    for sock in honest:
        with contextlib.suppress(OSError):
            sock.send(_MESSAGE)
            asked[sock.fileno()] = (sock, time.monotonic())
            poll.register(sock, select.POLLIN)
    ends = time.monotonic() + _WITHIN_S
    while asked and time.monotonic() < ends:
        for number, _ in poll.poll(100):
            sock, since = asked.pop(number)
            poll.unregister(number)
            with contextlib.suppress(OSError):
                if len(sock.recv(4096)) > len(_MESSAGE):
                    took.append(time.monotonic() - since)
    return took


def _connect(port: int, source: str, stack: contextlib.ExitStack) -> socket.socket | None:
    """A connection that is made, or None where the server doesn't take it."""
    sock = stack.enter_context(socket.socket())
    sock.settimeout(_WITHIN_S)
    try:
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", port))
    except OSError:
        return None
    sock.setblocking(False)
    return sock


def _descriptors() -> int:
    """As many as this process may have, from now on."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else _MANY * 2


def _open_fds(root: int) -> int:
    return sum(_fds(process) for process in pss_bytes(root))


def _fds(process: int) -> int:
    try:
        return len(list(Path(f"/proc/{process}/fd").iterdir()))
    except OSError:
        return 0
