"""A headless Service of 5,000 endpoints in 50 slices: more than fits any message (robustness rule K42)."""

from collections.abc import Iterator
from typing import Final

import dns.flags
import dns.message
import pytest

from tests.integration.listed import SERVICE_NAME
from tests.lab import Lab
from tests.server import NOBODY, ZONE, Server, until

pytestmark = pytest.mark.lab

NAME: Final = f"huge.big.{ZONE}"
SLICES: Final = 50
PER_SLICE: Final = 100
HTTP: Final = {"name": "http", "port": 80, "protocol": "TCP"}
# Octets: a header, the question, an OPT record, an A record whose owner is a pointer to the question.
HEADER, QUESTION, OPT, RECORD = 12, len(NAME) + 2 + 4, 11, 16


def address(part: int, number: int) -> str:
    return f"10.201.{part}.{number}"


def addresses(part: int, shift: int = 0) -> list[str]:
    return [address(part, number + shift) for number in range(PER_SLICE)]


def slice_of(shown: list[str]) -> dict[str, object]:
    endpoints = [{"addresses": [each], "conditions": {"ready": True}} for each in shown]
    return {"addressType": "IPv4", "ports": [HTTP], "labels": {SERVICE_NAME: "huge"}, "endpoints": endpoints}


@pytest.fixture(scope="module")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    lab.create("namespaces", "", "big")
    lab.create("services", "big", "huge", spec={"clusterIP": "None", "ports": [HTTP]})
    for part in range(SLICES):
        lab.create("endpointslices", "big", f"huge-{part}", **slice_of(addresses(part)))
    flags = ("--kubeconfig", str(lab.kubeconfig()))
    with Server(*flags, folder=tmp_path_factory.mktemp("big"), upstream=NOBODY) as started:
        yield started


def shown(reply: dns.message.Message) -> list[str]:
    return [rdata.to_text() for rrset in reply.answer for rdata in rrset]


def is_cut(reply: dns.message.Message) -> bool:
    return bool(reply.flags & dns.flags.TC)


KNOWN: Final = {each for part in range(SLICES) for each in addresses(part)}


@pytest.mark.parametrize(
    ("edns", "tcp", "limit"),
    [
        pytest.param(-1, False, 512, id="udp without EDNS"),
        pytest.param(600, False, 600, id="udp, 600 octets"),
        pytest.param(1232, False, 1232, id="udp, 1232 octets"),
        pytest.param(65535, False, 1232, id="udp, more than is safe"),
        pytest.param(-1, True, 65535, id="tcp without EDNS"),
        pytest.param(1232, True, 65535, id="tcp"),
    ],
)
def test_as_many_as_fit_are_shown_and_the_rest_is_said_to_be_missing(
    server: Server, edns: int, tcp: bool, limit: int
) -> None:
    reply = server.ask(NAME, edns=edns, tcp=tcp)
    found = shown(reply)
    assert is_cut(reply)
    assert len(found) == (limit - HEADER - QUESTION - (OPT if edns >= 0 else 0)) // RECORD
    assert len(set(found)) == len(found)
    assert set(found) <= KNOWN


def test_each_answer_begins_elsewhere(server: Server) -> None:
    for tcp in (False, True):
        first = [shown(server.ask(NAME, edns=1232, tcp=tcp))[0] for _ in range(10)]
        assert len(set(first)) >= 9  # the first two are made anew


def test_targets_are_cut_as_addresses_are(server: Server) -> None:
    for tcp in (False, True):
        reply = server.ask(f"_http._tcp.{NAME}", "SRV", edns=1232, tcp=tcp)
        assert is_cut(reply)
        assert not reply.additional
        assert {text.rpartition(" ")[0] for text in shown(reply)} == {"0 1 80"}
        assert len(reply.to_wire()) > (60000 if tcp else 1100)


def test_a_change_of_one_slice_is_seen(lab: Lab, server: Server) -> None:
    endpoint = f"{address(7, 150).replace('.', '-')}.{NAME}"
    server.comes_to(endpoint, "A", {"NXDOMAIN"})
    lab.replace("endpointslices", "big", "huge-7", **slice_of(addresses(7, shift=100)))
    server.comes_to(endpoint, "A", {address(7, 150)})
    server.comes_to(f"{address(7, 50).replace('.', '-')}.{NAME}", "A", {"NXDOMAIN"})
    for part in range(40, SLICES):  # until all fit a message of TCP
        lab.delete("endpointslices", "big", f"huge-{part}")
    rest = {each for part in range(40) for each in addresses(part, shift=100 if part == 7 else 0)}
    until(lambda: set(shown(server.ask(NAME, tcp=True))) == rest)
    assert not is_cut(server.ask(NAME, tcp=True))
