"""Look-ups as pods do them: how many questions each takes, what counts as found, and the rows of the table."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.message
import dns.rcode
import dns.rrset
import pytest

from bench import walks
from bench.pods import Pod
from bench.questions import sites
from bench.report import Report
from bench.table import lines

PODS = [Pod("ns-0", "pod-0", "127.10.0.1"), Pod("ns-1", "pod-1", "127.10.0.2")]
ADDRESSES = {"A": "198.51.100.7", "AAAA": "2001:db8::7"}
MIB = 1 << 20


@contextmanager
def server(exists: Callable[[str], bool], addresses: dict[str, str]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Answers names that exist by these addresses, denies the others; its port, and whose addresses asked for what."""
    asked: list[tuple[str, str]] = []
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                octets, client = sock.recvfrom(4096)
                if not octets:
                    return
                query = dns.message.from_wire(octets)
                (question,) = query.question
                name, rtype = question.to_text().split()[::2]
                asked.append((client[0], name))
                reply = dns.message.make_response(query)
                if exists(name):
                    reply.answer.append(dns.rrset.from_text(name, 5, "IN", rtype, addresses[rtype]))
                else:
                    reply.set_rcode(dns.rcode.NXDOMAIN)
                sock.sendto(reply.to_wire(), client)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield sock.getsockname()[1], asked
        finally:
            sock.sendto(b"", sock.getsockname())
            thread.join()


def walked(port: int, monkeypatch: pytest.MonkeyPatch) -> walks.Walks:
    monkeypatch.setattr(walks, "LOOKUPS", 5)
    return walks.walks(os.getpid(), port, PODS, sites, 0, min(os.sched_getaffinity(0)))


def test_a_list_is_gone_through_until_a_name_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda name: not name.endswith("cluster.local."), ADDRESSES) as (port, asked):
        found = walked(port, monkeypatch)
    assert (found.lookups, found.queries, found.astray) == (5, 40, 0)
    assert {client for client, _ in asked} <= {pod.address for pod in PODS}
    first = asked[0][1].partition(".example.com.")[2]
    assert [name.partition(".example.com.")[2] for _, name in asked[:8:2]] == [
        first,
        "svc.cluster.local.",
        "cluster.local.",
        "",
    ]
    assert first in {f"{pod.namespace}.svc.cluster.local." for pod in PODS}


def test_where_the_first_name_is_there_nothing_else_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda name: True, ADDRESSES) as (port, _):
        found = walked(port, monkeypatch)
    assert (found.queries, found.astray) == (10, 0)


@pytest.mark.parametrize("exists", [True, False])
def test_other_addresses_and_none_are_astray(monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    with server(lambda name: exists, {"A": "192.0.2.1", "AAAA": "2001:db8::7"}) as (port, _):
        assert walked(port, monkeypatch).astray == 5


def test_rows_tell_of_a_thousand_look_ups() -> None:
    made = Report("python -m bench", {"processor": "one"}, {"kdns": "1"})
    made.walks["some names"] = {"kdns with searchpath": [walks.Walks(2000, 4000, 1, 0.5, 1.0)]}
    made.walks_bytes["kdns with searchpath"] = ((10 * MIB, 20 * MIB), (10 * MIB, 25 * MIB))
    found = list(lines(made))
    assert "| some names | kdns with searchpath | 2,000 | 250 | 1 |" in found
    assert "| kdns with searchpath | 30.0 | 10.0 + 20.0 | 35.0 | 10.0 + 25.0 |" in found
