"""forwarding: which names lead to loopback addresses, when, and what is said where nobody can listen."""

import asyncio
import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from kdns.config.forwarding import Forwarding as Settings
from kdns.dns import types
from kdns.steps.chain import Answered, Outcome, compose
from kdns.steps.forwarding import NAME, Forwarding, Place
from kdns.steps.kubernetes import Kubernetes
from kdns.zone.entry import Entry, Kind
from tests.steps.searching import Outside, asked, told
from tests.zone.clusters import Cluster, Service, Slice, index_of, names, zone

HTTP = ("http", "tcp", 80)
CLUSTER = Cluster(
    {
        ("shop", "web"): Service(ips=("10.96.0.1", "fd00::1"), ports=(HTTP,)),
        ("shop", "six"): Service(ips=("fd00::2",)),
        ("shop", "db"): Service(Kind.HEADLESS, slices=(Slice((("10.0.0.1", "db-0"), ("10.0.0.2", "db-1")), (HTTP,)),)),
        ("shop", "to"): Service(Kind.EXTERNAL_NAME, target="web.shop.svc.cluster.local."),
    }
)


class Table:
    """The step before a cluster, and who is told of addresses, played by the test."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.theirs.setblocking(False)
        self.loop = asyncio.new_event_loop()
        self.warned: list[Any] = []
        log = SimpleNamespace(warning=lambda event, **keys: self.warned.append((event, keys)))
        self.index = index_of(CLUSTER)
        around: Any = SimpleNamespace(
            index=self.index, loop=self.loop, log=log, cluster=SimpleNamespace(origins=names("cluster.local."))
        )
        self._descriptor = ours.detach()
        self.step = Forwarding(Settings(descriptor=self._descriptor), around)
        self.chain = compose([self.step, Kubernetes(self.index, zone()), Outside({"www.example.com.": "192.0.2.1"})])

    def close(self) -> None:
        self.step.close()
        socket.socket(fileno=self._descriptor).close()
        self.theirs.close()
        self.loop.close()

    def ask(self, name: str, qtype: int = types.A) -> tuple[Outcome | None, "asyncio.Future[Outcome]"]:
        """What is answered at once, and what later."""
        later: asyncio.Future[Outcome] = self.loop.create_future()
        return self.chain(asked(name, qtype), later.set_result), later

    def message(self) -> list[str]:
        """What who listens was told."""
        found: list[str] = json.loads(self.theirs.recv(4096))
        return found

    def answer(self, name: str, qtype: int = types.A, error: str = "") -> Outcome:
        """The answer that has to be waited for."""
        outcome, later = self.ask(name, qtype)
        assert outcome is None
        self.theirs.send(json.dumps([*self.message(), error]).encode())
        return self.loop.run_until_complete(later)


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table()
    yield made
    made.close()


def addresses(outcome: Outcome | None) -> set[str]:
    return {socket.inet_ntoa(data) for _, rtype, data in told(outcome).records if rtype == types.A}


def of(*place: str) -> str:
    return socket.inet_ntoa(Place(*place).address)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("web.shop.svc.cluster.local.", ("shop", "web", "")),
        ("WEB.shop.svc.cluster.local.", ("shop", "web", "")),
        ("six.shop.svc.cluster.local.", ("shop", "six", "")),
        ("db.shop.svc.cluster.local.", ("shop", "db", "")),
        ("db-1.db.shop.svc.cluster.local.", ("shop", "db", "db-1")),
        ("to.shop.svc.cluster.local.", ("shop", "web", "")),
    ],
)
def test_names_of_services_lead_to_their_loopback_address(name: str, place: tuple[str, ...], table: Table) -> None:
    outcome = table.answer(name)
    assert addresses(outcome) == {of(*place)}
    assert isinstance(outcome, Answered)
    assert (outcome.by, bool(outcome.owners)) == (NAME, True)


def test_who_listens_is_told_once_and_again_after_a_change(table: Table) -> None:
    name = "web.shop.svc.cluster.local."
    outcome, later = table.ask(name)
    other, also = table.ask(name)
    assert (outcome, other) == (None, None)
    message = table.message()
    assert message == ["shop", "web", "", of("shop", "web", "")]
    with pytest.raises(BlockingIOError):
        table.message()
    table.theirs.send(json.dumps([*message, ""]).encode())
    assert table.loop.run_until_complete(later) == table.loop.run_until_complete(also)
    assert addresses(table.ask(name)[0]) == {of("shop", "web", "")}  # at once
    owner = next(owner for owner in table.index.entries if owner.startswith(b"\3web"))
    table.index.entries[owner] = Entry(bytes(table.index.entries[owner]) + b"\0")
    assert table.ask(name)[0] is None
    assert table.message() == message


def test_where_nobody_can_listen_the_clusters_answer_is_given_and_nothing_remembered(table: Table) -> None:
    name = "web.shop.svc.cluster.local."
    assert addresses(table.answer(name, error="no way")) == {"10.96.0.1"}
    assert table.warned == [("not_forwarded", {"service": "shop/web", "reason": "no way"})]
    assert table.ask(name)[0] is None
    table.theirs.close()
    outcome, later = table.ask("db.shop.svc.cluster.local.")
    assert outcome is None
    assert addresses(table.loop.run_until_complete(later)) == {"10.0.0.1", "10.0.0.2"}


def test_other_types_have_no_address_and_are_not_waited_for_but_aaaa(table: Table) -> None:
    assert told(table.answer("web.shop.svc.cluster.local.", types.AAAA)).records == frozenset()
    outcome, _ = table.ask("_http._tcp.db.shop.svc.cluster.local.", types.SRV)
    assert isinstance(outcome, Answered)
    assert len(outcome.answer.answers) == 1
    assert outcome.answer.additional == ()


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        ("nope.shop.svc.cluster.local.", types.A),
        ("www.example.com.", types.A),
        ("shop.svc.cluster.local.", types.A),
        ("10-0-0-1.shop.pod.cluster.local.", types.A),
        ("1.0.96.10.in-addr.arpa.", types.PTR),
    ],
)
def test_all_else_is_as_without(name: str, qtype: int, table: Table) -> None:
    without = compose([Kubernetes(table.index, zone()), Outside({"www.example.com.": "192.0.2.1"})])
    expected = without(asked(name, qtype), lambda _: None)
    assert table.ask(name, qtype)[0] == expected


def test_addresses_are_loopback_ones_that_nothing_else_uses() -> None:
    found = [Place("n", str(number), "").address for number in range(2000)]
    assert all(each[0] == 127 and 64 <= each[1] < 128 and 0 < each[3] < 255 for each in found)
    assert len(set(found)) > 1990
