"""What of an upstream's reply lasts: a table of replies, and laws over any."""

import contextlib
from itertools import pairwise

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kdns.dns import foreign, types
from kdns.dns.foreign import ForeignError
from kdns.dns.lasting import lasting, plain, with_ttl
from kdns.dns.names import from_text
from kdns.dns.query import Query
from tests.steps.upstream_texts import lines, reply, soa

WWW = Query(from_text("www.Example.com."), types.A)
SIGNED = Query(from_text("www.Example.com."), types.A, edns=True, do=True)
A = "www.example.com. 60 IN A 192.0.2.1"
CNAME = "www.example.com. 60 IN CNAME cdn.example.net."
TARGET = "cdn.example.net. 90 IN A 192.0.2.2"
NET = soa(90, 80, "example.net.")
RRSIG = "{} 60 IN RRSIG A 8 3 60 20300101000000 20200101000000 1 example.com. AAAA"


def chain(length: int) -> str:
    """So many CNAMEs from the name asked for on, and an address at their end."""
    names = ["www.example.com.", *(f"n{number}.example.org." for number in range(1, length + 1))]
    links = [f"{name} 60 IN CNAME {target}" for name, target in pairwise(names)]
    return "\n".join([*links, f"{names[-1]} 60 IN A 192.0.2.1"])


# What came (answers, authority, additional); what lasts of answers and authority.
@pytest.mark.parametrize(
    ("query", "came", "rcode", "lasts"),
    [
        pytest.param(WWW, (A,), "NOERROR", ([A], []), id="an answer"),
        pytest.param(WWW, (f"{CNAME}\n{TARGET}",), "NOERROR", ([CNAME, TARGET], []), id="a chain"),
        pytest.param(WWW, (f"{TARGET}\n{CNAME}",), "NOERROR", ([TARGET, CNAME], []), id="a chain in another order"),
        pytest.param(
            WWW,
            (A, "example.com. 60 IN NS ns.example.com.", "ns.example.com. 60 IN A 192.0.2.3"),
            "NOERROR",
            ([A], []),
            id="U29 authority and additional records of others",
        ),
        pytest.param(
            WWW, (f"{A}\nbank.example.org. 60 IN A 192.0.2.66",), "NOERROR", ([A], []), id="U29 another name's answer"
        ),
        pytest.param(
            WWW,
            (f"bank.example.org. 60 IN A 192.0.2.66\n{CNAME}\n{TARGET}",),
            "NOERROR",
            ([CNAME, TARGET], []),
            id="U29 another name's answer in front",
        ),
        pytest.param(
            WWW, (f"{A}\nwww.example.com. 60 IN TXT x",), "NOERROR", ([A], []), id="U29 another type of the name"
        ),
        pytest.param(WWW, (f"{A}\nwww.example.com. 60 CH A ch-addr. 1",), "NOERROR", ([A], []), id="another class"),
        pytest.param(WWW, (f"{A}\n{CNAME}",), "NOERROR", ([A], []), id="U30 CNAME beside an address"),
        pytest.param(
            WWW,
            (f"{CNAME}\nwww.example.com. 60 IN CNAME other.example.net.\n{TARGET}",),
            "NOERROR",
            ([CNAME, TARGET], []),
            id="two CNAMEs at one name",
        ),
        pytest.param(WWW, ("", soa(60, 50)), "NXDOMAIN", ([], [soa(60, 50)]), id="NXDOMAIN"),
        pytest.param(WWW, ("", soa(60, 50)), "NOERROR", ([], [soa(60, 50)]), id="NODATA"),
        pytest.param(WWW, ("", soa(60, 50, ".")), "NXDOMAIN", ([], [soa(60, 50, ".")]), id="denied by the root"),
        pytest.param(WWW, (CNAME, NET), "NXDOMAIN", ([CNAME], [NET]), id="U28 the last name is denied"),
        pytest.param(WWW, (CNAME, NET), "NOERROR", ([CNAME], [NET]), id="the last name has nothing"),
        pytest.param(
            WWW,
            ("", f"{soa(60, 50)}\nexample.com. 60 IN NS ns.example.org."),
            "NXDOMAIN",
            ([], [soa(60, 50)]),
            id="U29 a name server beside a denial",
        ),
        pytest.param(WWW, (CNAME, soa(60, 50)), "NXDOMAIN", None, id="U27 the SOA of the first name's zone"),
        pytest.param(WWW, ("", soa(60, 50, "example.org.")), "NXDOMAIN", None, id="U27 the SOA of another zone"),
        pytest.param(WWW, ("", ""), "NXDOMAIN", None, id="U27 no SOA"),
        pytest.param(WWW, ("", ""), "NOERROR", None, id="U06 nothing at all"),
        pytest.param(WWW, (CNAME,), "NOERROR", None, id="U06 a CNAME to nothing"),
        pytest.param(WWW, (A, soa(60, 50)), "NXDOMAIN", None, id="an answer that is denied"),
        pytest.param(WWW, ("", soa(60, 50)), "SERVFAIL", None, id="SERVFAIL"),
        pytest.param(WWW, (A,), "REFUSED", None, id="REFUSED"),
        pytest.param(
            SIGNED,
            (f"{A}\n{RRSIG.format('www.example.com.')}",),
            "NOERROR",
            ([A, RRSIG.format("www.example.com.")], []),
            id="signatures go to who asks for them",
        ),
        pytest.param(WWW, (f"{A}\n{RRSIG.format('www.example.com.')}",), "NOERROR", ([A], []), id="and to nobody else"),
        pytest.param(
            SIGNED,
            (A, "a.example.com. 60 IN NSEC x.example.com. A RRSIG"),
            "NOERROR",
            ([A], ["a.example.com. 60 IN NSEC x.example.com. A RRSIG"]),
            id="so does the proof of a wildcard",
        ),
        pytest.param(
            SIGNED, (A, "example.org. 60 IN NS ns.example.org."), "NOERROR", ([A], []), id="U29 another zone's servers"
        ),
        pytest.param(
            SIGNED,
            ("", f"{soa(60, 50)}\na.example.com. 60 IN NSEC x.example.com. A"),
            "NXDOMAIN",
            ([], [soa(60, 50), "a.example.com. 60 IN NSEC x.example.com. A"]),
            id="the proof of a denial",
        ),
        pytest.param(
            SIGNED,
            ("", f"{soa(60, 50)}\na.example.org. 60 IN NSEC x.example.org. A"),
            "NXDOMAIN",
            ([], [soa(60, 50)]),
            id="U29 another zone's proof",
        ),
    ],
)
def test_what_lasts_is_what_speaks_of_the_question(
    query: Query, came: tuple[str, ...], rcode: str, lasts: tuple[list[str], list[str]] | None
) -> None:
    found = lasting(query, reply(query, *came, rcode=rcode))
    assert (found is None) == (lasts is None)
    if found is not None and lasts is not None:
        assert lines(found.octets) == [*([line.lower() for line in section] for section in lasts), []]
        assert found.denial == (rcode == "NXDOMAIN" or not lasts[0])


@pytest.mark.parametrize("length", [1, 16])
def test_as_many_cnames_are_followed_as_the_limit_says(length: int) -> None:
    found = lasting(WWW, reply(WWW, chain(length)))
    assert found is not None
    assert len(lines(found.octets)[0]) == length + 1


@pytest.mark.parametrize(
    "answers",
    [
        chain(17),
        "www.example.com. 60 IN CNAME www.example.com.",
        f"{CNAME}\ncdn.example.net. 1 IN CNAME www.example.com.",
    ],
)
def test_u30_cnames_that_do_not_end_are_an_error(answers: str) -> None:
    with pytest.raises(ForeignError):
        lasting(WWW, reply(WWW, answers))


def test_u16_what_is_truncated_does_not_last() -> None:
    assert lasting(WWW, reply(WWW, A, flags=dns.flags.TC)) is None


def test_an_rcode_of_edns_is_no_denial() -> None:
    octets = reply(WWW, authority=soa(60, 50), options=())
    assert lasting(WWW, octets) is not None
    assert lasting(WWW, octets[:-6] + b"\1" + octets[-5:]) is None  # BADVERS, whose lower bits are NOERROR's


@pytest.mark.parametrize(
    ("answers", "authority", "ttl"),
    [
        pytest.param(A, "", 60, id="one record's"),
        pytest.param(f"{A}\nwww.example.com. 20 IN A 192.0.2.2", "", 20, id="U26 the least of a set"),
        pytest.param(f"{CNAME}\n{TARGET}", "", 60, id="the least of a chain"),
        pytest.param("www.example.com. 2147483647 IN A 192.0.2.1", "", 2147483647, id="U26 the largest"),
        pytest.param("www.example.com. 0 IN A 192.0.2.1", "", 0, id="U26 0"),
        pytest.param("", soa(60, 50), 50, id="U27 the SOA's minimum"),
        pytest.param("", soa(40, 50), 40, id="U27 the SOA's TTL"),
        pytest.param("", soa(0, 50), 0, id="U27 0"),
        pytest.param("", soa(50, 0), 0, id="U27 a minimum of 0"),
        pytest.param("", soa(50, 1 << 31), 0, id="U27 a minimum with the high bit"),
        pytest.param(CNAME.replace("60", "10"), NET, 10, id="U28 a denial's chain"),
    ],
)
def test_ttl_is_the_least_of_what_lasts(answers: str, authority: str, ttl: int) -> None:
    found = lasting(WWW, reply(WWW, answers, authority))
    assert found is not None
    assert found.ttl == ttl


@pytest.mark.parametrize("more", ["", "www.example.com. 60 IN A 192.0.2.2", CNAME])
def test_u26_a_ttl_with_the_high_bit_is_0(more: str) -> None:
    octets = reply(WWW, f"{A}\n{TARGET if more == CNAME else ''}\n{more if more != CNAME else ''}")
    found = lasting(WWW, octets.replace((60).to_bytes(4, "big"), b"\x80\0\0\x3c", 1))
    assert found is not None
    assert found.ttl == 0


def test_u40_of_the_options_extended_errors_stay() -> None:
    options = (
        dns.edns.GenericOption(dns.edns.OptionType.make(10), b"12345678"),
        dns.edns.EDEOption(dns.edns.EDECode(3)),
    )
    found = lasting(WWW, reply(WWW, A, options=options))
    assert found is not None
    assert dns.message.from_wire(found.octets).options == options[1:]


def test_addresses_that_are_alike_may_change_places() -> None:
    answers = f"{CNAME}\n{TARGET}\n" + "\n".join(f"cdn.example.net. 90 IN A 192.0.2.{number}" for number in (3, 4))
    found = lasting(WWW, reply(WWW, answers))
    assert found is not None
    assert found.rotation is not None
    told = {line.split()[-1] for line in lines(found.octets)[0]}
    for turn in range(3):
        octets = found.rotation.turn(found.octets, turn)
        assert {line.split()[-1] for line in lines(octets)[0]} == told
        assert octets[found.rotation.start + 15] == (2, 3, 4)[turn]


@pytest.mark.parametrize("answers", [A, f"{CNAME}\n{TARGET}", "www.example.com. 1 IN TXT a"])
def test_one_address_has_no_places_to_change(answers: str) -> None:
    found = lasting(WWW.replace(qtype=types.TXT if "TXT" in answers else types.A), reply(WWW, answers))
    assert found is None or found.rotation is None


# Laws

OWNERS = st.sampled_from(
    ["www.example.com.", "cdn.example.net.", "a.example.com.", "example.com.", "example.net.", "."]
)
RECORDS = st.builds(
    "{} {} IN {}".format,
    OWNERS,
    st.sampled_from([0, 1, 60, 1 << 20]),
    st.sampled_from(
        [
            *("A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1", "CNAME cdn.example.net.", "CNAME www.example.com."),
            *("NS ns.example.com.", "SOA a.example.com. b.example.com. 1 2 3 4 50", "TXT x", "DNAME example.net."),
            *("NSEC x.example.com. A", RRSIG.split(None, 3)[3]),
        ]
    ),
)
SECTIONS = st.lists(RECORDS, max_size=6, unique_by=lambda line: (line.split()[0], line.split(None, 3)[3])).map(
    "\n".join
)


@given(
    st.sampled_from([WWW, SIGNED]), st.sampled_from(["NOERROR", "NXDOMAIN"]), st.tuples(SECTIONS, SECTIONS, SECTIONS)
)
def test_what_lasts_came_and_is_the_clients_to_have(query: Query, rcode: str, sections: tuple[str, str, str]) -> None:
    octets = reply(query, *sections, rcode=rcode)
    try:
        found = lasting(query, octets)
    except ForeignError:
        return
    if found is None:
        return
    came, kept = lines(octets), lines(with_ttl(found.octets, found.ttls, 7))
    names = {line.split()[0] for line in (*came[0], *came[1])}
    for before, after in zip(came[:2], kept[:2], strict=True):
        assert {(line.split()[0], *line.split()[2:]) for line in after} <= {
            (line.split()[0], *line.split()[2:]) for line in before
        }
        assert {line.split()[1] for line in after} <= {"7"}
        assert {line.split()[0] for line in after} <= names
    assert kept[2] == []
    assert found.denial == (rcode == "NXDOMAIN" or not kept[0])
    for limit in (65535, 512):
        if foreign.tidy(found.octets):
            assert foreign.fit(query, found.octets, limit=limit, tidy=True) == foreign.fit(
                query, found.octets, limit=limit
            )


@given(st.integers(0, 200), st.binary(max_size=4), st.integers(0, 5))
def test_any_octets_that_answer_are_read_or_an_error(at: int, put: bytes, skip: int) -> None:
    whole = reply(WWW, f"{CNAME}\n{TARGET}", soa(60, 50), A, options=())
    sent, octets = foreign.ask(WWW, 7), whole[:at] + put + whole[at + skip :]
    if foreign.answers(sent, octets):
        with contextlib.suppress(ForeignError):
            lasting(WWW, octets)


UNKNOWN = dns.edns.OptionType.make(65001)
ADDRESSES = st.lists(
    st.builds("www.example.com. {} IN A 192.0.2.{}".format, st.sampled_from([0, 60, 1 << 31]), st.integers(1, 9)),
    min_size=1,
    max_size=4,
    unique_by=lambda line: line.split()[4],
).map("\n".join)


@given(
    st.sampled_from([WWW, SIGNED]),
    ADDRESSES,
    st.tuples(SECTIONS, SECTIONS) | st.just(("", "")),
    st.sampled_from([None, (), (dns.edns.GenericOption(UNKNOWN, b"x"),)]),
    st.tuples(st.integers(2, 80), st.binary(max_size=2), st.integers(0, 2)) | st.none(),
)
@example(WWW, "www.example.com. 0 IN A 192.0.2.1", ("", ""), None, (39, b"", 1))  # cut in the last record
@settings(max_examples=500)
def test_plain_reply_is_read_as_any_other(
    query: Query,
    answers: str,
    others: tuple[str, str],
    options: tuple[dns.edns.Option, ...] | None,
    change: tuple[int, bytes, int] | None,
) -> None:
    sent = foreign.ask(query, 7)
    octets = sent[:2] + reply(query, answers, *others, options=options)[2:]
    if change is not None:
        at, put, skip = change
        octets = octets[:at] + put + octets[at + skip :]
    found = plain(query, sent, octets)
    if change is None and options != (dns.edns.GenericOption(UNKNOWN, b"x"),) and others == ("", ""):
        assert found is not None
    if found is not None:
        assert foreign.answers(sent, octets)
        assert found == lasting(query, octets)
        assert not foreign.truncated(octets)
        assert foreign.rcode(octets) == types.NOERROR
