"""Cold starts: kdns while the API server is away, from a snapshot; how long until it answers, and what that costs.

Run it as `python -m bench.cold`, with a lab as for make bench; arguments are the number of Services and of endpoints of each, and of
starts, and then what is to start kdns, such as chrt -f 1 on a machine that has other work. A server reads the cluster, writes its snapshot and ends; then the API server is killed, and kdns started again and again:
first nobody takes its connections, then (the API server is back, and stopped) nobody answers on them. Every start has to end in an
answer with a TTL of at most 5 s and the extended error 3, and in a /ready that says 200.
"""

import os
import socket
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import dns.edns
import dns.message

from bench.cluster import apart
from bench.peers import free_port, own_command
from bench.processes import cpu_s, pss_bytes, running
from tests.lab import Lab

_WANTED_S: Final = 1.5
_DEADLINE_S: Final = 60.0
_ASK_S: Final = 0.005
_STALE, _NOT_READY = 3, 14
_TTL_S: Final = 5


class Start(NamedTuple):
    """One start."""

    answered_s: float  # from exec to the first answer
    ready_s: float  # to the first /ready that is 200
    cpu_s: float  # of all processes until both
    foreign_s: float  # of all cores, that others had meanwhile
    tree_bytes: int  # PSS


def starts(folder: Path, lab: Lab, name: str, count: int, within: Sequence[str]) -> list[Start]:
    """So many starts in a row, by the command within; the name is one that the cluster has."""
    return [_start(folder, lab, name, within) for _ in range(count)]


def _start(folder: Path, lab: Lab, name: str, within: Sequence[str]) -> Start:
    port, ready = free_port(), free_port()
    busy = _busy_s()
    began = time.monotonic()
    with running((*within, *_command(folder, lab, port, ready)), folder / "kdns.log") as process:
        answered_s = ready_s = 0.0
        while not (answered_s and ready_s):
            passed_s = time.monotonic() - began
            if passed_s > _DEADLINE_S:
                raise RuntimeError(f"kdns didn't answer from its snapshot: {(folder / 'kdns.log').read_text()}")
            answered_s = answered_s or (passed_s if _is_answered(port, name) else 0.0)
            ready_s = ready_s or (passed_s if _is_ready(ready) else 0.0)
            time.sleep(_ASK_S)
        used_s = cpu_s(process.pid)
        foreign_s = _busy_s() - busy - used_s
        return Start(answered_s, ready_s, used_s, foreign_s, sum(pss_bytes(process.pid).values()))


def _command(folder: Path, lab: Lab, port: int, ready: int) -> Sequence[str]:
    serve = (
        *own_command(),
        "serve",
        "--kubeconfig",
        str(lab.kubeconfig()),
        "--snapshot",
        str(folder / "state"),
    )
    pages = ("--ready", f"127.0.0.1:{ready}", "--health", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    return (*serve, "--workers", "1", "--listen", f"127.0.0.1:{port}", "--upstream", "127.0.0.1:1", *pages)


def _is_answered(port: int, name: str) -> bool:
    """Whether there is an answer; it has to be marked. Questions that nobody takes yet are asked again."""
    query = dns.message.make_query(name, "A", use_edns=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.02)
        try:
            sock.connect(("127.0.0.1", port))
            sock.send(query.to_wire())
            reply = dns.message.from_wire(sock.recv(4096))
        except OSError:
            return False
    codes = [option.code for option in reply.options if isinstance(option, dns.edns.EDEOption)]
    if codes == [_NOT_READY]:  # who waited longer than a client would is told so
        return False
    if not reply.answer or codes != [_STALE] or any(each.ttl > _TTL_S for each in reply.answer):
        raise RuntimeError(f"this isn't an answer from a snapshot: {reply}")
    return True


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
            sock.sendall(b"GET /ready HTTP/1.1\r\nHost: kdns\r\nConnection: close\r\n\r\n")
            return sock.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _busy_s() -> float:
    """Seconds that all cores together have worked since the machine's start."""
    first, *_ = Path("/proc/stat").read_text().splitlines()
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, first.split()[1:])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _leave_a_snapshot(folder: Path, lab: Lab) -> int:
    """Has a server read the cluster and end; the snapshot's octets."""
    ready = free_port()
    with running(_command(folder, lab, free_port(), ready), folder / "kdns.log"):
        until = time.monotonic() + _DEADLINE_S
        while not _is_ready(ready):
            if time.monotonic() > until:
                raise RuntimeError(f"kdns didn't get ready: {(folder / 'kdns.log').read_text()}")
            time.sleep(_ASK_S)
    return (folder / "state" / "cluster.snapshot").stat().st_size


def _row(what: str, found: Sequence[Start]) -> str:
    cells = [
        f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
        for values, digits in (
            ([each.answered_s for each in found], 2),
            ([each.ready_s for each in found], 2),
            ([each.cpu_s for each in found], 2),
            ([each.foreign_s for each in found], 2),
            ([each.tree_bytes / 2**20 for each in found], 1),
        )
    ]
    within = sum(each.answered_s <= _WANTED_S for each in found)
    return f"| {what} | {' | '.join(cells)} | {within} of {len(found)} |"


def main(arguments: list[str]) -> None:
    services, endpoints, count = map(int, arguments[:3]) if arguments else (10_000, 15, 9)
    within = arguments[3:]
    with apart("cold", services, endpoints) as (folder, lab, contents):
        one = next(each for each in contents.services if each.cluster_ip)
        name = f"{one.name}.{one.namespace}.svc.cluster.local"
        size = _leave_a_snapshot(folder, lab)
        lab.kill()
        away = starts(folder, lab, name, count, within)
        lab.start()
        with lab.freeze():
            silent = starts(folder, lab, name, count, within)
    print(
        f"{services:,} Services of {endpoints} endpoints, a snapshot of {size / 1e6:.1f} MB; seconds and MiB, median (least to most)\n"
    )
    print(
        f"| the API server | answered | ready | CPU of all processes | of others meanwhile | PSS | within {_WANTED_S} s |"
    )
    print("|---|---|---|---|---|---|---|")
    print(_row("refuses connections", away))
    print(_row("takes them, and says nothing", silent))


if __name__ == "__main__":
    main(sys.argv[1:])
