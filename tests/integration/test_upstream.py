"""Names that aren't the cluster's: forwarded, fallen through to, or where an ExternalName leads; by a real upstream."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import pytest

from tests.integration.upstream import Upstream
from tests.server import NOBODY, ZONE, Server, extended_errors, short, until

MANY: Final = tuple(f"203.0.113.{number}" for number in range(100, 220))
RECORDS: Final = {
    ("www.example.com.", "A"): ("203.0.113.7",),
    ("www.example.com.", "TXT"): ('"hello"',),
    ("alias.example.com.", "CNAME"): ("www.example.com.",),
    ("many.example.com.", "A"): MANY,
    ("7.113.0.203.in-addr.arpa.", "PTR"): ("www.example.com.",),
    ("9.0.0.10.in-addr.arpa.", "PTR"): ("printer.example.com.",),
}
RCODES: Final = {"broken.example.com.": "SERVFAIL", "closed.example.com.": "REFUSED"}
OUTSIDE: Final = {  # Services that lead out of the zone
    "www": "www.example.com",
    "alias": "alias.example.com",
    "nothing": "nothing.example.com",
    "many": "many.example.com",
    "broken": "broken.example.com",
    "inside": f"www.shop.{ZONE}",
}
MANIFEST: Final = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
""" + "".join(
    f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n"
    f"spec: {{type: ExternalName, externalName: {target}}}\n"
    for name, target in OUTSIDE.items()
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("upstream") / "cluster.yaml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(RECORDS, RCODES) as started:
        yield started


@pytest.fixture
def server(manifest: Path, upstream: Upstream, tmp_path: Path) -> Iterator[Server]:
    with Server("--manifests", str(manifest), folder=tmp_path, upstream=upstream.address) as started:
        yield started


@pytest.fixture
def alone(manifest: Path, tmp_path: Path) -> Iterator[Server]:
    """A server whose upstream isn't there."""
    with Server("--manifests", str(manifest), folder=tmp_path, upstream=NOBODY) as started:
        yield started


TRANSPORTS: Final = pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])


# Forwarded


@TRANSPORTS
def test_other_names_are_the_upstreams(server: Server, upstream: Upstream, tcp: bool) -> None:
    reply = server.ask("WWW.example.com", "A", tcp=tcp)
    assert short(reply) == {"203.0.113.7"}
    assert reply.flags & (dns.flags.AA | dns.flags.RA) == dns.flags.RA
    assert reply.question[0].name.to_text() == "WWW.example.com."
    assert server.said("www.example.com", "TXT", tcp=tcp) == {'"hello"'}
    assert server.said("www.example.com", "AAAA", tcp=tcp) == {"NODATA"}
    assert server.said("nothing.example.com", tcp=tcp) == {"NXDOMAIN"}
    assert server.said("alias.example.com", tcp=tcp) == {"www.example.com.", "203.0.113.7"}
    assert {transport for transport, _, _ in upstream.asked} == {"tcp" if tcp else "udp"}


def test_what_the_upstream_said_is_kept_and_asked_for_once(server: Server, upstream: Upstream) -> None:
    for tcp in (False, True, False, False, True):
        assert server.said("www.example.com", tcp=tcp) == {"203.0.113.7"}
        assert server.said("nothing.example.com", tcp=tcp) == {"NXDOMAIN"}
    assert [name for _, name, _ in upstream.asked] == ["www.example.com.", "nothing.example.com."]
    host, port = server.addresses[0]
    where = f'server="dns://{host}:{port}"'
    until(lambda: server.metric(f'coredns_cache_misses_total{{{where},zones=".",view=""}}') == 2)
    assert server.metric(f'coredns_cache_hits_total{{{where},type="success",zones=".",view=""}}') == 4
    assert server.metric(f'coredns_cache_hits_total{{{where},type="denial",zones=".",view=""}}') == 4


@TRANSPORTS
def test_own_names_never_leave(server: Server, upstream: Upstream, tcp: bool) -> None:  # U32
    for name, rtype in (
        (f"web.shop.{ZONE}", "A"),
        (f"web.shop.{ZONE}", "MX"),
        (f"absent.shop.{ZONE}", "A"),
        ("cluster.local", "SOA"),
        ("x.cluster.local", "HTTPS"),
        ("1.0.0.10.in-addr.arpa", "PTR"),
        ("1.0.0.127.in-addr.arpa", "PTR"),
        ("localhost", "A"),
        ("x.onion", "A"),
    ):
        server.ask(name, rtype, tcp=tcp)
    assert upstream.asked == []


def test_what_a_datagram_cannot_hold_is_fetched_by_tcp(server: Server, upstream: Upstream) -> None:
    reply = server.ask("many.example.com", edns=1232)
    assert [transport for transport, _, _ in upstream.asked] == ["udp", "tcp"]
    assert server.said("many.example.com", tcp=True) == set(MANY)
    assert len(upstream.asked) == 2
    assert reply.flags & dns.flags.TC
    assert short(reply) <= {*MANY, "NODATA"}


def test_the_next_upstream_helps_where_one_is_dead(manifest: Path, upstream: Upstream, tmp_path: Path) -> None:
    flags = ("--manifests", str(manifest), "--upstream", NOBODY)
    with Server(*flags, folder=tmp_path, upstream=upstream.address) as server:
        assert server.said("www.example.com") == {"203.0.113.7"}
        assert server.metric(f'kdns_forward_failures_total{{to="{NOBODY}",reason="network"}}') == 1


def test_without_an_upstream_other_names_fail_and_say_why(alone: Server) -> None:
    for tcp in (False, True):
        reply = alone.ask("www.example.com", tcp=tcp)
        assert short(reply) == {"SERVFAIL"}
        assert extended_errors(reply) == [f"23 (Network Error): {NOBODY} Connection refused"]
    assert alone.said(f"web.shop.{ZONE}") == {"10.0.0.1"}


@pytest.mark.parametrize(("name", "rcode"), [("broken.example.com", "SERVFAIL"), ("closed.example.com", "REFUSED")])
def test_the_upstreams_rcode_is_passed_on_or_told(server: Server, name: str, rcode: str) -> None:
    reply = server.ask(name)
    assert short(reply) == {"SERVFAIL"}
    assert rcode == "SERVFAIL" or extended_errors(reply)[0].endswith(f"answered {rcode}")


def test_a_slow_upstream_delays_nobody_else(server: Server, upstream: Upstream) -> None:
    upstream.go_on.clear()
    with socket.create_connection(server.addresses[0], timeout=10) as sock, sock.makefile("rb") as read:

        def send(number: int, name: str) -> None:
            octets = dns.message.make_query(name, "A", id=number).to_wire()
            sock.sendall(len(octets).to_bytes(2, "big") + octets)

        def receive() -> dns.message.Message:
            return dns.message.from_wire(read.read(int.from_bytes(read.read(2), "big")))

        send(0, "www.example.com")
        until(lambda: upstream.asked)
        for number in range(1, 51):
            send(number, f"web.shop.{ZONE}")
        assert {receive().id for _ in range(50)} == set(range(1, 51))
        assert server.said(f"web.shop.{ZONE}") == {"10.0.0.1"}
        upstream.go_on.set()
        last = receive()
    assert (last.id, short(last)) == (0, {"203.0.113.7"})


# Fallen through


def test_addresses_that_are_not_the_clusters_are_the_upstreams(server: Server, upstream: Upstream) -> None:
    assert server.said("1.0.0.10.in-addr.arpa", "PTR") == {f"web.shop.{ZONE}."}
    assert server.said("7.113.0.203.in-addr.arpa", "PTR") == {"NXDOMAIN"}  # of addresses for documents: special use
    assert server.said("9.0.0.10.in-addr.arpa", "PTR") == {"printer.example.com."}
    assert server.said("8.0.0.10.in-addr.arpa", "PTR") == {"NXDOMAIN"}
    assert server.said("1.0.0.10.in-addr.arpa", "A") == {"NODATA"}
    assert [name for _, name, _ in upstream.asked] == ["9.0.0.10.in-addr.arpa.", "8.0.0.10.in-addr.arpa."]


# Where an ExternalName leads


@TRANSPORTS
def test_an_external_name_has_its_targets_addresses(server: Server, tcp: bool) -> None:
    reply = server.ask(f"www.shop.{ZONE}", tcp=tcp)
    assert [rrset.to_text() for rrset in reply.answer] == [
        f"www.shop.{ZONE}. 5 IN CNAME www.example.com.",
        "www.example.com. 30 IN A 203.0.113.7",
    ]
    assert server.said(f"alias.shop.{ZONE}", tcp=tcp) == {"alias.example.com.", "www.example.com.", "203.0.113.7"}
    assert server.said(f"inside.shop.{ZONE}", tcp=tcp) == {f"www.shop.{ZONE}.", "www.example.com.", "203.0.113.7"}
    assert server.said(f"www.shop.{ZONE}", "CNAME", tcp=tcp) == {"www.example.com."}


@TRANSPORTS
def test_an_external_names_target_decides_the_rcode(server: Server, tcp: bool) -> None:
    assert server.said(f"nothing.shop.{ZONE}", tcp=tcp) == {"nothing.example.com.", "NXDOMAIN"}
    reply = server.ask(f"www.shop.{ZONE}", "AAAA", tcp=tcp)
    assert (short(reply), reply.rcode()) == ({"www.example.com."}, dns.rcode.NOERROR)
    assert [rrset.to_text().split()[3] for rrset in reply.authority] == ["SOA"]
    assert server.said(f"broken.shop.{ZONE}", tcp=tcp) == {"broken.example.com.", "SERVFAIL"}


def test_a_target_too_large_for_a_datagram_is_whole_by_tcp(server: Server) -> None:
    assert server.said(f"many.shop.{ZONE}", tcp=True) == {"many.example.com.", *MANY}
    reply = server.ask(f"many.shop.{ZONE}", edns=1232)
    assert reply.flags & dns.flags.TC
    assert "many.example.com." in short(reply)


def test_an_external_name_whose_target_cannot_be_asked_fails_and_keeps_its_cname(alone: Server) -> None:
    reply = alone.ask(f"www.shop.{ZONE}")
    assert short(reply) == {"www.example.com.", "SERVFAIL"}
    assert extended_errors(reply) == [f"23 (Network Error): {NOBODY} Connection refused"]
