"""Joining an upstream's reply to CNAMEs of our own."""

from itertools import pairwise

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.dns import foreign, names, records, reply, types
from kdns.dns.foreign import CHAIN_LIMIT, ForeignError
from kdns.dns.message import splice
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from tests.dns.octets import WEB, named

TARGET = named("db.Example.com")
OURS = RecordSet(WEB, types.CNAME, 5, (TARGET,))
PREFIX = Answer(answers=(OURS,))


def query(qtype: int = types.A, *, do: bool = False) -> Query:
    return Query(WEB, qtype, id=1, edns=True, do=do)


def received(text: str, *, asked: Query | None = None, rcode: str = "NOERROR", flags: int = 0) -> bytes:
    """The upstream's reply whose sections, parted by ---, are given as zone-file text."""
    sent = foreign.ask((asked or query()).replace(qname=TARGET), 7)
    message = dns.message.make_response(dns.message.from_wire(sent))
    message.set_rcode(dns.rcode.from_text(rcode))
    message.flags |= flags
    for section, lines in zip((message.answer, message.authority), text.split("---"), strict=False):
        for line in lines.strip().splitlines():
            owner, ttl, rclass, rtype, data = line.split(maxsplit=4)
            section.append(dns.rrset.from_text(owner, int(ttl), rclass, rtype, data))
    return message.to_wire(max_size=65535)


def spliced(text: str, *, asked: Query | None = None, rcode: str = "NOERROR") -> Answer:
    return splice(asked or query(), PREFIX, received(text, asked=asked, rcode=rcode))


def shown(sets: tuple[RecordSet, ...]) -> list[tuple[str, str, int, int]]:
    return [(names.to_text(one.name), types.type_text(one.rtype), one.ttl, len(one.rdatas)) for one in sets]


def test_addresses_of_the_target_follow_our_cname() -> None:
    got = spliced("db.example.com. 60 IN A 192.0.2.1\ndb.example.com. 60 IN A 192.0.2.2")
    assert got.answers == (OURS, RecordSet(TARGET, types.A, 60, (b"\xc0\0\2\1", b"\xc0\0\2\2")))
    assert (got.rcode, got.authority, got.additional, got.authoritative) == (types.NOERROR, (), (), True)


def test_a_chain_is_followed_in_its_order_and_u29_nothing_beside_it_is_kept() -> None:
    got = spliced(
        """
        c.example.net. 30 IN A 192.0.2.1
        evil.example.org. 30 IN A 192.0.2.66
        b.example.net. 40 IN CNAME C.example.net.
        db.example.com. 50 IN CNAME b.example.net.
        c.example.net. 30 IN TXT "no"
        """
    )
    assert shown(got.answers[1:]) == [
        ("db.Example.com.", "CNAME", 50, 1),
        ("b.example.net.", "CNAME", 40, 1),
        ("c.example.net.", "A", 30, 1),
    ]


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "NOERROR"])
def test_a_denial_brings_its_rcode_and_its_soa(rcode: str) -> None:
    got = spliced(
        """
        db.example.com. 50 IN CNAME b.example.net.
        ---
        example.net. 60 IN SOA ns.example.net. host.example.net. 1 2 3 4 5
        example.net. 60 IN NS ns.example.net.
        """,
        rcode=rcode,
    )
    data = records.soa(named("ns.example.net"), named("host.example.net"), 1, 2, 3, 4, 5)
    assert got.authority == (RecordSet(named("example.net"), types.SOA, 60, (data,)),)
    assert types.rcode_text(got.rcode) == rcode


def test_u27_the_soa_of_another_zone_is_not_kept() -> None:
    got = spliced("---\nexample.org. 60 IN SOA ns.example.net. host.example.net. 1 2 3 4 5", rcode="NXDOMAIN")
    assert got == Answer(types.NXDOMAIN, (OURS,))


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "BADVERS"])
def test_a_failure_keeps_our_cname(rcode: str) -> None:
    assert spliced("", rcode=rcode) == Answer(dns.rcode.from_text(rcode), (OURS,))


def test_signatures_and_proofs_go_to_who_sent_do() -> None:
    signature = "8 3 60 20300101000000 20200101000000 1 example.com. AAAA"
    text = f"""
        db.example.com. 60 IN A 192.0.2.1
        db.example.com. 60 IN RRSIG A {signature}
        db.example.com. 60 IN RRSIG TXT {signature}
        """
    assert [one.rtype for one in spliced(text).answers[1:]] == [types.A]
    signed = spliced(text, asked=query(do=True))
    assert shown(signed.answers[1:]) == [("db.Example.com.", "A", 60, 1), ("db.Example.com.", "RRSIG", 60, 1)]
    denial = """
        ---
        example.com. 60 IN SOA ns.example.com. host.example.com. 1 2 3 4 5
        db.example.com. 60 IN NSEC dc.example.com. TXT
        example.com. 60 IN NS ns.example.com.
        """
    assert [one.rtype for one in spliced(denial).authority] == [types.SOA]
    assert [one.rtype for one in spliced(denial, asked=query(do=True)).authority] == [types.SOA, 47]


@pytest.mark.parametrize(
    ("rtype", "text"),
    [
        ("MX", "5 mail.db.example.com."),
        ("SRV", "1 2 3 mail.db.example.com."),
        ("NS", "ns.db.example.com."),
        ("PTR", "x.db.example.com."),
        ("NAPTR", '1 2 "s" "x" "" db.example.com.'),
        ("RP", "a.db.example.com. b.db.example.com."),
        ("AFSDB", "1 a.db.example.com."),
        ("SOA", "ns.db.example.com. host.db.example.com. 1 2 3 4 5"),
        ("TXT", '"a" "b"'),
        ("CAA", '0 issue "ca.example.com"'),
        ("TYPE65280", r"\# 2 c00c"),
    ],
)
def test_names_in_record_data_come_out_uncompressed(rtype: str, text: str) -> None:
    expected = dns.rrset.from_text("db.example.com.", 60, "IN", rtype, text)
    got = spliced(f"db.example.com. 60 IN {rtype} {text}", asked=query(int(expected.rdtype)))
    (data,) = got.answers[1].rdatas
    assert data.lower() == (expected[0].to_wire() or b"").lower()  # dnspython compresses without regard to case


def test_labels_that_are_not_utf8_go_through() -> None:
    target = names.from_labels([b"\xff\0.", b"example", b"com"])
    prefix = Answer(answers=(OURS._replace(rdatas=(target,)),))
    asked = query(types.CNAME).replace(qname=target)
    octets = reply.render(
        asked, Answer(answers=(RecordSet(target, types.CNAME, 1, (target,)),)), limit=512, recursion=True
    ).octets
    assert splice(query(types.CNAME), prefix, octets).answers[1].rdatas == (target,)


def test_u26_the_least_ttl_of_a_set_counts_and_a_high_bit_is_none() -> None:
    asked = query().replace(qname=TARGET)
    sets = [RecordSet(TARGET, types.A, ttl, (bytes(4),)) for ttl in (60, 30, 90)]
    octets = reply.render(asked, Answer(answers=tuple(sets)), limit=512, recursion=True).octets
    assert splice(query(), PREFIX, octets).answers[1].ttl == 30
    sets.append(RecordSet(TARGET, types.A, 1 << 31, (bytes(4),)))
    octets = reply.render(asked, Answer(answers=tuple(sets)), limit=512, recursion=True).octets
    assert splice(query(), PREFIX, octets).answers[1].ttl == 0


def test_without_a_cname_of_ours_the_reply_is_read_as_it_is() -> None:
    octets = received("db.example.com. 60 IN A 192.0.2.1")
    got = splice(query().replace(qname=TARGET), Answer(authoritative=False), octets)
    assert got == Answer(answers=(RecordSet(TARGET, types.A, 60, (b"\xc0\0\2\1",)),), authoritative=False)


def chain(length: int) -> str:
    links = ["db.example.com.", *(f"c{number}.example.com." for number in range(length))]
    return (
        "\n".join(f"{owner} 60 IN CNAME {target}" for owner, target in pairwise(links))
        + f"\n{links[-1]} 60 IN A 192.0.2.1"
    )


def test_u30_sixteen_cnames_are_followed() -> None:
    assert len(spliced(chain(CHAIN_LIMIT)).answers) == 1 + CHAIN_LIMIT + 1


@pytest.mark.parametrize(
    "octets",
    [
        received(chain(CHAIN_LIMIT + 1)),
        received("db.example.com. 60 IN CNAME db.example.com."),
        received("db.example.com. 60 IN A 192.0.2.1", flags=dns.flags.TC),
        received("", asked=query(types.AAAA)),
        received("db.example.com. 60 IN A 192.0.2.1")[:-12],
        received("").replace(b"\2db", b"\2dc"),
        received(r"db.example.com. 60 IN TYPE1 \# 4 c0000201").replace(b"\0\4\xc0\0\2\1", b"\0\3\xc0\0\2"),
        b"",
    ],
    ids=["chain", "loop", "truncated", "other-type", "cut", "other-name", "short-address", "empty"],
)
def test_what_cannot_be_joined_is_a_foreign_error(octets: bytes) -> None:
    with pytest.raises(ForeignError):
        splice(query(), PREFIX, octets)


HEAD = received("", asked=query(types.ANY))[:-11]
RICH = received(
    """
    db.example.com. 60 IN MX 5 mail.db.example.com.
    db.example.com. 60 IN NAPTR 1 2 "s" "x" "" db.example.com.
    db.example.com. 60 IN RP a.db.example.com. b.db.example.com.
    db.example.com. 60 IN SOA ns.db.example.com. host.db.example.com. 1 2 3 4 5
    """,
    asked=query(types.ANY),
)
mutated = st.builds(
    lambda at, put, skip: RICH[:at] + put + RICH[at + skip :],
    st.integers(len(HEAD), len(RICH)),
    st.binary(max_size=4),
    st.integers(0, 5),
)


@settings(deadline=None)
@given(st.one_of(mutated, st.binary(), st.binary().map(lambda tail: HEAD[:6] + b"\0\2\0\0\0\0" + HEAD[12:] + tail)))
def test_any_octets_are_an_answer_that_can_be_rendered_or_a_foreign_error(octets: bytes) -> None:
    asked = query(types.ANY)
    try:
        answer = splice(asked, PREFIX, octets)
    except ForeignError:
        return
    rendered = reply.render(asked, answer, limit=1232, recursion=True).octets
    assert foreign.answers(foreign.ask(asked, asked.id), rendered)
