"""Every Corefile of a real cluster is served, and what its documents promise is answered over the wire."""

from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdataclass
import pytest

from tests.integration import stock
from tests.integration.abroad import Abroad
from tests.integration.coredns import KDNS, Running, page
from tests.lab import Lab
from tests.server import DEADLINE_S, short

pytestmark = pytest.mark.lab


@pytest.fixture(params=stock.COREFILES)
def served(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Iterator[tuple[str, Running]]:
    """The name of a Corefile, and kdns on it."""
    stock.lay_out(tmp_path)
    with Abroad() as upstream:
        places = {"upstream": upstream.address, "folder": tmp_path, "kubeconfig": lab.kubeconfig()}
        running = Running("kdns", KDNS, stock.served(request.param), places, tmp_path)
        try:
            running.wait()
            yield request.param, running
        finally:
            running.close()


def ask(running: Running, name: str, rtype: str, rclass: str = "IN") -> dns.message.Message:
    query = dns.message.make_query(name, rtype, rclass)
    return dns.query.udp(query, running.address[0], DEADLINE_S, running.address[1])


def test_a_stock_corefile_keeps_its_promises(served: tuple[str, Running]) -> None:
    name, running = served
    promises = stock.PROMISES[name]
    found = [
        stock.Said(each.name, each.rtype, frozenset(short(ask(running, each.name, each.rtype)))) for each in promises
    ]
    assert found == [*promises]
    for _ in range(2):  # kept, the second time
        assert 0 < ask(running, "long.example.com", "A").answer[0].ttl <= stock.KEPT[name]
    if name == "openshift":
        assert ask(running, "hostname.bind", "TXT", "CH").answer
    assert page(running.ports["health"], "/health") == (200, "OK")
    assert page(running.ports["ready"], "/ready") == (200, "OK")
    assert "coredns_dns_requests_total{" in running.metrics()


def test_every_stock_corefile_has_promises() -> None:
    assert stock.PROMISES.keys() == stock.COREFILES.keys() == stock.KEPT.keys()
