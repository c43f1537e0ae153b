"""A reply that a CNAME leads to: read by another library, it is the CNAME and what the reply had."""

import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.lead import lead
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.dns.reply import Rotation
from kdns.dns.wire import WireError

QUERY = Query(from_text("www.Example.com.shop.svc.cluster.local."), types.A)
NAME = dns.name.from_text("www.Example.com.shop.svc.cluster.local.")
TARGET = from_text("www.Example.com.")

names = st.sampled_from(["www.example.com.", "example.com.", "a.www.example.com.", "b.a.example.net.", "com."])
records = st.one_of(
    st.builds("{} {} IN A 192.0.2.{}".format, names, st.integers(0, 99), st.integers(1, 9)),
    st.builds("{} {} IN CNAME {}".format, names, st.integers(0, 99), names),
    st.builds("{} 7 IN MX 10 {}".format, names, names),
    st.builds("{} 7 IN SRV 1 2 3 {}".format, names, names),
    st.builds("{} 7 IN SOA {} {} 1 2 3 4 5".format, names, names, names),
    st.builds("{} 7 IN RP {} {}".format, names, names, names),
    st.builds("{} 7 IN TXT {}".format, names, st.sampled_from(["a", '"b c"'])),
    st.builds("{} 7 IN HTTPS 1 . alpn=h2".format, names),
)


def reply(answers: list[str], authority: list[str], additional: list[str] = []) -> dns.message.Message:  # noqa: B006
    made = dns.message.make_response(dns.message.make_query("www.Example.com.", "A"))
    made.flags |= dns.flags.RA | dns.flags.AD
    for section, texts in ((made.answer, answers), (made.authority, authority), (made.additional, additional)):
        for text in texts:
            owner, ttl, rclass, rtype, data = text.split(" ", 4)
            section.append(dns.rrset.from_text(owner, int(ttl), rclass, rtype, data))
    return made


def lines(section: list[dns.rrset.RRset]) -> list[str]:
    return [f"{one.name} {one.ttl} {one.rdtype} {data}".lower() for one in section for data in one]


@given(st.lists(records, max_size=5), st.lists(records, max_size=3), st.lists(records, max_size=2))
def test_what_is_led_to_reads_as_the_cname_and_all_that_there_was(
    answers: list[str], authority: list[str], additional: list[str]
) -> None:
    given = reply(answers, authority, additional)
    found = dns.message.from_wire(lead(QUERY, TARGET, given.to_wire(), None, 30).octets, one_rr_per_rrset=True)
    before = dns.message.from_wire(given.to_wire(), one_rr_per_rrset=True)
    ttl = min([30, *(each.ttl for each in (*before.answer, *before.authority)[:1])])
    assert found.question[0].name == NAME
    assert lines(found.answer) == [f"{NAME} {ttl} 5 www.example.com.".lower(), *lines(before.answer)]
    assert lines(found.authority) == lines(before.authority)
    assert not found.additional
    assert found.flags == before.flags & ~dns.flags.AD


def test_addresses_may_still_change_places() -> None:
    given = reply(["www.example.com. 9 IN A 192.0.2.1", "www.example.com. 9 IN A 192.0.2.2"], []).to_wire()
    start = len(given) - 32
    found = lead(QUERY, TARGET, given, Rotation(start, 16, 2), 30)
    assert found.rotation is not None
    turned = dns.message.from_wire(found.rotation.turn(found.octets, 1), one_rr_per_rrset=True)
    assert [str(each[0]) for each in turned.answer] == ["www.Example.com.", "192.0.2.2", "192.0.2.1"]


def test_of_a_truncated_reply_the_question_is_left() -> None:
    given = reply(["www.example.com. 9 IN A 192.0.2.1"], [])
    given.flags |= dns.flags.TC
    found = dns.message.from_wire(lead(QUERY, TARGET, given.to_wire(), None, 30).octets)
    assert found.flags & dns.flags.TC
    assert (found.question[0].name, found.answer) == (NAME, [])


def test_what_may_hold_names_in_a_place_of_its_own_is_not_moved() -> None:
    given = reply(['www.example.com. 9 IN NAPTR 1 2 "s" "a" "" www.example.com.'], [])
    with pytest.raises(WireError, match="NAPTR"):
        lead(QUERY, TARGET, given.to_wire(), None, 30)


def test_a_name_that_leaves_its_record_is_not_moved() -> None:
    given = bytearray(reply(["www.example.com. 9 IN CNAME a.b.c."], []).to_wire())
    at = given.index(b"\1a\1b\1c\0")
    given[at - 1] = 3
    with pytest.raises(WireError):
        lead(QUERY, TARGET, bytes(given), None, 30)
