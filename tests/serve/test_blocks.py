"""Server blocks at work: whatever they say is remembered for those alone to whom they would say it again."""

from typing import Final

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.serve.audiences import AUDIENCES_MAX
from kdns.serve.counts import counts
from kdns.steps.chain import Peer
from kdns.zone.entry import Entry, Kind, Owner, Service, pack_service, service_owner
from kdns.zone.index import Index
from kdns.zone.patch import Image, Patch
from tests.serve.served import Served, question

CLUSTER = "kubernetes cluster.local\n"
ANSWER = 'template ANY ANY {\nanswer "{{ .Name }} 60 IN A 192.0.2.1"\n}\n'
INNER = "special.default.svc.cluster.local"


def index() -> Index:
    made = Index()
    web = pack_service(Service(Kind.CLUSTER_IP, v4=bytes((10, 0, 0, 2))))
    made.load(Image(1, 1, {service_owner("default", "web"): web}))
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"cluster.local {{\n{CLUSTER}}}\n{INNER} {{\n{ANSWER}}}\n",
        f". {{\n{CLUSTER}}}\n{INNER} {{\n{ANSWER}}}\n",
        f". {{\nacl {INNER} {{\nblock\n}}\n{CLUSTER}}}\n",
    ],
    ids=["an inner block's", "an inner block's, from the root's", "an acl's"],
)
def test_a_denial_does_not_hold_beyond_the_border_of_a_zone(text: str) -> None:
    served = Served(text, index())
    for name in ("another", "anothes", "anothet"):
        assert served.ask(f"{name}.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert served.ask(INNER).rcode() != dns.rcode.NXDOMAIN


def test_a_denial_does_not_hold_for_names_of_the_machine_itself() -> None:
    served = Served(f". {{\nlocal\n{CLUSTER}}}\n", index())
    for name in ("localhosx", "localhosy", "localhosz"):
        assert served.ask(f"{name}.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert served.ask("localhost.default.svc.cluster.local").rcode() == dns.rcode.NOERROR


def test_a_denial_holds_for_names_alike_where_no_border_is_among_them() -> None:
    served = Served(f". {{\nacl {{\nallow\n}}\n{CLUSTER}}}\nexample.org {{\n{ANSWER}}}\n", index())
    for name in ("another", "anothes", "anothet"):
        assert served.ask(f"{name}.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert served.udp.tally.made == 1


ONLY_TEN: Final = "acl {\nallow net 10.0.0.0/8\nblock\n}\n"
INSIDE, OUTSIDE = Peer("10.0.0.1", 1), Peer("192.0.2.1", 1)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_acl_allows_is_remembered_for_clients_alike(transport: str) -> None:
    served = Served(f". {{\n{ONLY_TEN}{CLUSTER}}}\n", index())
    for number in range(1, 9):
        inside = served.ask("web.default.svc.cluster.local", "A", Peer(f"10.0.0.{number}", number), transport)
        outside = served.ask("web.default.svc.cluster.local", "A", OUTSIDE, transport)
        assert (inside.rcode(), outside.rcode()) == (dns.rcode.NOERROR, dns.rcode.REFUSED)
    door = served.udp if transport == "udp" else served.tcp
    assert (door.tally.recalled, len(door.memos[0])) == (6, 1)


def test_what_acl_allows_is_counted_whether_remembered_or_not() -> None:
    served = Served(f". {{\nlocal\n{ONLY_TEN}{CLUSTER}}}\n", index())
    for name in ("web.default.svc.cluster.local", "absent.default.svc.cluster.local", "localhost"):
        for _ in range(5):
            served.ask(name, "A", INSIDE)
            served.ask(name, "A", OUTSIDE)
    found = counts([served.udp], [], [], [("dns://:53", each) for each in served.blocks])
    assert found["coredns_acl_allowed_requests_total", ("dns://:53", "")] == 10
    assert found["coredns_acl_blocked_requests_total", ("dns://:53", ".", "")] == 10


def test_past_so_many_kinds_of_clients_nothing_is_remembered() -> None:
    lines = "".join(f"block type TXT net 192.0.2.{number}\n" for number in range(AUDIENCES_MAX + 4))
    served = Served(f". {{\nacl {{\n{lines}}}\n{CLUSTER}}}\n", index())
    for _ in range(3):
        for number in range(AUDIENCES_MAX + 4):
            served.ask("web.default.svc.cluster.local", "A", Peer(f"192.0.2.{number}", 1))
    assert (len(served.udp.memos[0]), served.udp.tally.recalled) == (AUDIENCES_MAX, AUDIENCES_MAX)


VIEWS = st.sampled_from(
    [
        *("client_ip() == '10.0.0.1'", "incidr(client_ip(), '10.0.0.0/8') && type() == 'A'"),
        *("name() startsWith 'a.'", "name() contains 'b' or client_ip() endsWith '.1'", "type() == 'AAAA'"),
        *("proto() == 'tcp'", "port() == '1'", "id() % 2 == 0", "size() > 38", "metadata('kubernetes/service') == 'b'"),
    ]
)
LINES = st.sampled_from(
    [
        *("block net 10.0.0.1", "allow net 10.0.0.0/8", "filter type AAAA", "drop net 192.0.2.0/24", "allow type A"),
        *("block", "filter type A net 192.0.2.1 2001:db8::/32"),
    ]
)
ZONES: Final = (".", "cluster.local", "n.svc.cluster.local", "b.n.svc.cluster.local")
ACLS = st.tuples(st.sampled_from(["", *ZONES[1:]]), st.lists(LINES, min_size=1, max_size=3))
CLIENTS = st.builds(
    Peer, st.sampled_from(["10.0.0.1", "10.0.0.2", "192.0.2.1", "2001:db8::1", "::1"]), st.sampled_from([1, 2])
)
STATES = st.dictionaries(
    st.sampled_from([service_owner("n", name) for name in "ab"]),
    st.sampled_from([b"\x0a\0\0\1", b"\x0a\0\0\2"]).map(
        lambda address: pack_service(Service(Kind.CLUSTER_IP, v4=address))
    ),
)
WHO = st.tuples(CLIENTS, st.sampled_from(["udp", "tcp"]), st.sampled_from([6, 7]))
ASKED = st.tuples(
    st.sampled_from(["a.n.svc", "b.n.svc", "c.n.svc", "x.b.n.svc", "A.n.svc", ""]).map(
        lambda name: f"{name}.cluster.local" if name else "example.org"
    ),
    st.sampled_from(["A", "AAAA", "TXT"]),
    st.lists(WHO, min_size=2, max_size=4),
)
ANSWER_OF: Final = 'template ANY ANY {{\nanswer "{{{{ .Name }}}} 60 IN TXT {}"\n}}\n'


@st.composite
def corefiles(draw: st.DrawFn) -> str:
    """Server blocks, of which each but the last for a zone has a view."""
    blocks: list[str] = []
    for zone in draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True)):
        views = draw(st.lists(VIEWS, max_size=2))
        for number, view in enumerate((*views, "") if draw(st.booleans()) or not views else views):
            what = f"metadata\nview v{number} {{\nexpr {view}\n}}\n" if view else ""
            for inner, lines in draw(st.lists(ACLS, max_size=2)):
                what += f"acl {inner} {{\n{chr(10).join(lines)}\n}}\n"
            what += draw(st.sampled_from([CLUSTER, ANSWER_OF.format(len(blocks))]))
            blocks.append(f"{zone} {{\n{what}}}\n")
    return "".join(blocks)


@given(
    corefiles(),
    st.lists(st.tuples(STATES, st.lists(ASKED, min_size=1, max_size=4)), min_size=1, max_size=2),
    st.sampled_from([4_000, 1 << 20]),
)
def test_any_blocks_answer_any_clients_as_without_a_memory(
    text: str,
    history: list[tuple[dict[Owner, Entry], list[tuple[str, str, list[tuple[Peer, str, int]]]]]],
    memo_bytes: int,
) -> None:
    index = Index()
    index.load(Image(1, 1, {}))
    remembering, forgetful = Served(text, index, memo_bytes=memo_bytes), Served(text, index)
    before: dict[Owner, Entry] = {}
    for revision, (state, asked) in enumerate(history, 1):
        drops = tuple(owner for owner in before if owner not in state)
        remembering.forget(index.apply(Patch(revision, revision + 1, revision + 1, state, drops)))
        before = state
        for name, rtype, whos in asked:
            for client, transport, ident in whos * 3:
                octets = question(name, rtype, ident)
                forgetful.forget_all()
                expected = forgetful.reply(octets, client, transport)
                assert meaning(remembering.reply(octets, client, transport)) == meaning(expected)


def meaning(octets: bytes | None) -> object:
    """A reply, whatever the serial of a remembered denial."""
    if octets is None:
        return None
    message = dns.message.from_wire(octets)
    sections = [[str(each) for each in section if each.rdtype != dns.rdatatype.SOA] for section in message.sections]
    return message.id, message.rcode(), message.flags, sections
