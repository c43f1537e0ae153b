"""Audiences: equal kinds share a number, and neither rules nor clients can make there be many."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.acl import Acl, Policy
from kdns.config.directives.view import View
from kdns.config.domains import EVERY_TYPE
from kdns.config.endpoints import EVERY_NETWORK
from kdns.config.expressions import Expression
from kdns.dns.names import ROOT, Name
from kdns.dns.query import Query
from kdns.serve.audiences import AUDIENCES_MAX, CLIENTS_MAX, OTHERS, Audiences
from kdns.steps.acl import AccessControl
from kdns.steps.chain import Peer
from kdns.steps.view import Conditions, Place


def address_of(number: int) -> bytes:
    return number.to_bytes(4, "big")


def test_clients_of_one_kind_are_one_audience() -> None:
    audiences = Audiences([lambda host: host.startswith("10."), lambda host: ":" in host])
    assert [audiences.of(host) for host in ("10.0.0.1", "192.0.2.1", "10.9.9.9", "::1")] == [0, 1, 0, 2]
    assert len(audiences) == 3


def test_a_client_is_found_by_its_address_as_the_kernel_wrote_it() -> None:
    audiences = Audiences([lambda host: host])
    v4, v6 = address_of(0x7F000001), bytes(15) + b"\1"
    assert audiences.meet(v4) == audiences.of("127.0.0.1") == 0
    assert audiences.meet(v6) == audiences.of("::1") == 1
    assert audiences.known == {v4: 0, v6: 1}


def test_past_so_many_kinds_clients_are_the_others() -> None:
    audiences = Audiences([lambda host: host])
    found = [audiences.meet(address_of(number)) for number in range(CLIENTS_MAX + AUDIENCES_MAX)]
    assert found[:AUDIENCES_MAX] == list(range(AUDIENCES_MAX))
    assert set(found[AUDIENCES_MAX:]) == {OTHERS}
    assert audiences.meet(address_of(3)) == 3  # also once the table of clients was full
    assert (len(audiences), len(audiences.known)) == (AUDIENCES_MAX, AUDIENCES_MAX + 1)


NETWORKS = st.sampled_from([("10.0.0.0/8",), ("10.1.0.0/16", "fd00::/8"), ("192.0.2.1/32",), ("::/0",), EVERY_NETWORK])
POLICIES = st.builds(
    Policy,
    action=st.sampled_from(("allow", "block", "filter", "drop")),
    types=st.sampled_from([(EVERY_TYPE,), (1,), (1, 28)]),
    networks=NETWORKS.map(lambda texts: tuple(map(ip_network, texts))),
)
HOSTS = st.sampled_from(("10.1.0.1", "10.1.0.2", "10.2.0.1", "192.0.2.1", "192.0.2.2", "fd00::1", "2001:db8::1"))
VIEWS = st.sampled_from(("incidr(client_ip(), '10.0.0.0/8')", "type() == 'A' && client_ip() endsWith '.1'", "true"))


@given(st.lists(POLICIES, max_size=4), VIEWS, HOSTS, HOSTS, st.sampled_from((1, 28)))
def test_one_audience_is_treated_alike(policies: list[Policy], view: str, one: str, other: str, qtype: int) -> None:
    acl = AccessControl([Acl(zones=(ROOT,), policies=tuple(policies))])
    conditions = Conditions(View(name="a", conditions=(Expression(view),)), Place("udp", "::", 53))
    audiences = Audiences([acl.kind, conditions.kind])
    query = Query(Name(b"\1a\0"), qtype)
    if audiences.of(one) == audiences.of(other):
        assert acl.verdict(one, qtype, query.name) == acl.verdict(other, qtype, query.name)
        assert conditions.take(query, Peer(one, 1)) == conditions.take(query, Peer(other, 2))
