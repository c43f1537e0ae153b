"""A zone's names: a table of questions over one zone file, and the law that every record is found where it is."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.authority import Authority, AuthorityError
from kdns.dns.names import from_labels, from_text, to_text
from kdns.dns.records import RecordSet, soa, txt
from tests.steps.zone_texts import EXAMPLE, authority
from tests.zone.zonefile import dedent, text

ORIGIN = from_text("example.org.")
DENIAL = "; authority\nexample.org. 60 SOA ns.example.org. hostmaster.example.org. 7 7200 1800 86400 60"
SERVERS = "; authority\nexample.org. 300 NS ns.example.org.\nexample.org. 300 NS ns.elsewhere.test."
MAIL = "; additional\nmail.example.org. 300 A 192.0.2.2"
NS = "; additional\nns.example.org. 300 A 192.0.2.1\nns.example.org. 300 AAAA 2001:db8::1"
REFERRAL = """; authority
sub.example.org. 300 NS ns.sub.example.org.
sub.example.org. 300 NS ns.elsewhere.test.
; additional
ns.sub.example.org. 300 A 192.0.2.6"""
LONG = ".".join(["a" * 60] * 3)

TABLE = (
    # The zone itself
    ("example.org. SOA", "example.org. 3600 SOA ns.example.org. hostmaster.example.org. 7 7200 1800 86400 60", SERVERS),
    ("example.org. NS", "example.org. 300 NS ns.example.org.\nexample.org. 300 NS ns.elsewhere.test.", NS),
    (
        "example.org. MX",
        "example.org. 300 MX 10 mail.example.org.\nexample.org. 300 MX 20 mail.elsewhere.test.",
        SERVERS,
        MAIL,
    ),
    ("example.org. A", "", DENIAL),
    # Plain names
    ("www.example.org. A", "www.example.org. 300 A 192.0.2.3\nwww.example.org. 300 A 192.0.2.4", SERVERS),
    ("WwW.example.ORG. A", "WwW.example.ORG. 300 A 192.0.2.3\nWwW.example.ORG. 300 A 192.0.2.4", SERVERS),
    ("www.example.org. AAAA", "", DENIAL),
    ("none.example.org. A", "NXDOMAIN", DENIAL),
    ("none.www.example.org. A", "NXDOMAIN", DENIAL),
    ("_sip._tcp.example.org. SRV", "_sip._tcp.example.org. 300 SRV 0 5 5060 mail.example.org.", SERVERS, MAIL),
    ("svc.example.org. HTTPS", 'svc.example.org. 300 HTTPS 1 mail.example.org. alpn="h2"', SERVERS, MAIL),
    # Names that only stand above others
    ("er.ent.example.org. TXT", "", DENIAL),
    ("ent.example.org. A", "", DENIAL),
    ("_tcp.example.org. SRV", "", DENIAL),
    ("x.ent.example.org. TXT", "NXDOMAIN", DENIAL),
    # Aliases
    ("www2.example.org. A", "www2.example.org. 300 CNAME www.example.org.", "WWW", SERVERS),
    ("www2.example.org. CNAME", "www2.example.org. 300 CNAME www.example.org.", SERVERS),
    (
        "alias.example.org. A",
        "alias.example.org. 300 CNAME alias2.example.org.\nalias2.example.org. 300 CNAME www.example.org.",
        "WWW",
        SERVERS,
    ),
    ("nodata.example.org. AAAA", "nodata.example.org. 300 CNAME mail.example.org.", DENIAL),
    ("nowhere.example.org. A", "NXDOMAIN", "nowhere.example.org. 300 CNAME none.deep.example.org.", DENIAL),
    ("away.example.org. A", "away.example.org. 300 CNAME www.elsewhere.test.", "; chase www.elsewhere.test."),
    ("away.example.org. CNAME", "away.example.org. 300 CNAME www.elsewhere.test.", SERVERS),
    (
        "round1.example.org. A",
        "SERVFAIL",
        "round1.example.org. 300 CNAME round2.example.org.\nround2.example.org. 300 CNAME round1.example.org.",
    ),
    ("www2.example.org. ANY", "www2.example.org. 300 CNAME www.example.org.", SERVERS),
    # Wildcards
    ("a.wild.example.org. TXT", 'a.wild.example.org. 300 TXT "any"', SERVERS),
    ("a.b.wild.example.org. TXT", 'a.b.wild.example.org. 300 TXT "any"', SERVERS),
    ("a.wild.example.org. MX", "a.wild.example.org. 300 MX 10 mail.example.org.", SERVERS, MAIL),
    ("a.wild.example.org. A", "", DENIAL),
    ("*.wild.example.org. TXT", '*.wild.example.org. 300 TXT "any"', SERVERS),
    ("wild.example.org. TXT", "", DENIAL),
    ("host.wild.example.org. TXT", "", DENIAL),  # exists
    ("x.host.wild.example.org. TXT", "NXDOMAIN", DENIAL),  # its closest encloser exists, without an asterisk below
    ("_tcp.h.wild.example.org. TXT", "", DENIAL),  # an empty one
    ("_telnet._tcp.h.wild.example.org. SRV", "NXDOMAIN", DENIAL),
    ("sub.*.wild.example.org. TXT", 'sub.*.wild.example.org. 300 TXT "below a star"', SERVERS),
    ("x.*.wild.example.org. TXT", "NXDOMAIN", DENIAL),
    ("x.alias-wild.example.org. A", "x.alias-wild.example.org. 300 CNAME www.example.org.", "WWW", SERVERS),
    ("z.ent.star.x.example.org. TXT", 'z.ent.star.x.example.org. 300 TXT "an asterisk below"', SERVERS),
    ("z.star.x.example.org. TXT", "NXDOMAIN", DENIAL),
    # Delegations
    ("sub.example.org. A", REFERRAL, "not authoritative"),
    ("sub.example.org. NS", REFERRAL, "not authoritative"),
    ("www.sub.example.org. A", REFERRAL, "not authoritative"),
    ("below.sub.example.org. A", REFERRAL, "not authoritative"),
    ("ns.sub.example.org. A", REFERRAL, "not authoritative"),
    ("x.sub.example.org. DS", REFERRAL, "not authoritative"),
    (
        "sub.example.org. DS",
        "sub.example.org. 300 DS 1 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        SERVERS,
    ),
    ("into.example.org. A", "into.example.org. 300 CNAME www.sub.example.org.", REFERRAL),
    # DNAME
    (
        "www.old.example.org. A",
        "old.example.org. 300 DNAME new.example.org.\nwww.old.example.org. 300 CNAME www.new.example.org.",
        "www.new.example.org. 300 A 192.0.2.8",
        SERVERS,
    ),
    (
        "www.old.example.org. CNAME",
        "old.example.org. 300 DNAME new.example.org.\nwww.old.example.org. 300 CNAME www.new.example.org.",
        SERVERS,
    ),
    (
        "x.old.example.org. A",
        "NXDOMAIN",
        "old.example.org. 300 DNAME new.example.org.\nx.old.example.org. 300 CNAME x.new.example.org.",
        DENIAL,
    ),
    ("old.example.org. DNAME", "old.example.org. 300 DNAME new.example.org.", SERVERS),
    ("old.example.org. TXT", 'old.example.org. 300 TXT "at a DNAME"', SERVERS),
    ("old.example.org. A", "", DENIAL),
    (
        "a.b.far.example.org. A",
        "far.example.org. 300 DNAME elsewhere.test.\na.b.far.example.org. 300 CNAME a.b.elsewhere.test.",
        "; chase a.b.elsewhere.test.",
    ),
    ("{0}.{0}.long.example.org. A".format("b" * 40), "YXDOMAIN", f"long.example.org. 300 DNAME {LONG}.example.org."),
)


@cache
def example() -> Authority:
    return authority(EXAMPLE)


@pytest.mark.parametrize(("question", "expected"), [(row[0], row[1:]) for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_answer(question: str, expected: tuple[str, ...]) -> None:
    name, qtype = question.split()
    found = example().look(from_text(name), getattr(types, qtype))
    lines = [line for part in expected for line in part.splitlines()]
    unsure = "not authoritative" in lines
    if "WWW" in lines:
        at = lines.index("WWW")
        lines[at : at + 1] = ["www.example.org. 300 A 192.0.2.3", "www.example.org. 300 A 192.0.2.4"]
    lines = [line for line in lines if line != "not authoritative"]
    if lines and lines[0] not in {"NXDOMAIN", "SERVFAIL", "YXDOMAIN"}:
        lines.insert(0, "NOERROR")
    told = text(found.answer) + (f"\n; chase {to_text(found.chase)}" if found.chase else "")
    assert dedent(told) == dedent("\n".join(lines))
    assert found.answer.authoritative is not unsure


@pytest.mark.parametrize(
    ("question", "absent"),
    [
        *(("none.example.org.", True), ("x.host.wild.example.org.", True), ("www.example.org.", False)),
        *(("ent.example.org.", False), ("nowhere.example.org.", False), ("x.sub.example.org.", False)),
    ],
)
def test_only_a_name_that_was_asked_for_itself_is_absent(question: str, absent: bool) -> None:
    assert example().look(from_text(question), types.TXT).absent is absent


def test_any_is_one_set() -> None:
    assert [each.rtype for each in example().look(ORIGIN, types.ANY).answer.answers] == [types.SOA]


def test_aliases_have_an_end() -> None:
    chain = "".join(f"c{number} CNAME c{number + 1}\n" for number in range(20))
    zone = authority(f"@ 5 SOA . . 1 1 1 1 1\n{chain}")
    found = zone.look(from_text("c0.example.org."), types.A)
    assert found.answer.rcode == types.SERVFAIL
    assert len(found.answer.answers) == 9


def test_the_root_is_a_zone() -> None:
    zone = authority(". 5 SOA . . 1 1 1 1 1\norg. 5 NS ns.org.\nns.org. 5 A 192.0.2.1\n", ".")
    assert not zone.look(from_text("www.org."), types.A).answer.authoritative
    assert zone.look(from_text("test."), types.A).answer.rcode == types.NXDOMAIN


@pytest.mark.parametrize(
    ("sets", "found"),
    [
        ((), "no SOA at example.org., expected one"),
        ((RecordSet(from_text("www.example.org."), types.SOA, 5, (soa(ORIGIN, ORIGIN, 1, 1, 1, 1, 1),)),), "no SOA"),
        ((RecordSet(ORIGIN, types.SOA, 5, (soa(ORIGIN, ORIGIN, 1, 1, 1, 1, 1),) * 2),), "2 SOA"),
    ],
)
def test_what_is_no_zone(sets: tuple[RecordSet, ...], found: str) -> None:
    with pytest.raises(AuthorityError, match=found):
        Authority(ORIGIN, sets)


LABELS = st.sampled_from((b"a", b"b", b"*", b"c"))


@given(st.dictionaries(st.lists(LABELS, min_size=1, max_size=4).map(tuple), st.integers(0, 9), max_size=12))
def test_without_cuts_names_are_found_as_rfc_4592_says(owners: dict[tuple[bytes, ...], int]) -> None:
    below = (b"example", b"org")
    top = RecordSet(ORIGIN, types.SOA, 5, (soa(ORIGIN, ORIGIN, 1, 1, 1, 1, 1),))
    zone = Authority(
        ORIGIN,
        (top, *(RecordSet(from_labels(owner + below), types.TXT, n, (txt(b"x"),)) for owner, n in owners.items())),
    )
    there = {owner[at:] for owner in owners for at in range(len(owner) + 1)} | {()}
    for name in [(one, *owner) for owner in there for one in (b"a", b"*", b"z")] + sorted(there):
        source = name
        if name not in there:
            encloser = next(name[at:] for at in range(len(name) + 1) if name[at:] in there)
            source = (b"*", *encloser)
        answer = zone.look(from_labels(name + below), types.TXT).answer
        assert answer.rcode == (types.NOERROR if source in there else types.NXDOMAIN)
        assert [each.ttl for each in answer.answers] == ([owners[source]] if source in owners else [])
        assert all(each.name == from_labels(name + below) for each in answer.answers)
