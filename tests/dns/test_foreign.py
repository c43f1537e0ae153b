"""Replies of upstreams: which of them answer, and what of them the client gets."""

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.dns import foreign, names, types
from kdns.dns.foreign import ForeignError
from kdns.dns.query import Query, parse
from kdns.dns.records import ExtendedError
from kdns.dns.reply import opt_record
from tests.dns.octets import edns_query, header, named, opt, option, question, record

NAME = named("www.Example.com")
ASKED = Query(NAME, types.A, id=0x1234, edns=True)
SENT = foreign.ask(ASKED, 0x7777)
TOLD = types.RD | types.AD  # flags that every question has


def rrset(owner: str, rtype: str, *rdatas: str, ttl: int = 60) -> dns.rrset.RRset:
    return dns.rrset.from_text(owner, ttl, "IN", rtype, *rdatas)


def upstream(*answers: dns.rrset.RRset, sent: bytes = SENT) -> dns.message.Message:
    """The reply of an upstream, with AA, RA and a plain OPT record."""
    reply = dns.message.make_response(dns.message.from_wire(sent), recursion_available=True)
    reply.flags |= dns.flags.AA
    reply.use_edns(0, 0, 4096)
    reply.answer.extend(answers)
    return reply


def many(count: int) -> dns.rrset.RRset:
    return rrset("www.example.com.", "A", *(f"192.0.{number // 256}.{number % 256}" for number in range(count)))


WWW = rrset("www.example.com.", "A", "192.0.2.1")
WHOLE = upstream(WWW).to_wire(max_size=65535)


def fitted(reply: dns.message.Message | bytes, asked: Query = ASKED, limit: int = 1232) -> dns.message.Message:
    octets = reply if isinstance(reply, bytes) else reply.to_wire(max_size=65535)
    return dns.message.from_wire(foreign.fit(asked, octets, limit=limit))


# The question


def test_the_question_goes_in_its_case_with_our_id_and_our_opt() -> None:
    assert foreign.ask(ASKED, 0x7777) == header(ident=0x7777, flags=TOLD, ar=1) + question(NAME) + opt(payload=1232)


def test_options_and_trailing_octets_of_the_client_do_not_travel() -> None:
    client = parse(edns_query(opt(option(10, bytes(8)) + option(8, b"\0\1\0\0"), payload=4096)) + b"smuggled")
    assert foreign.ask(client, 1) == header(ident=1, flags=TOLD, ar=1) + question() + opt(payload=1232)


@pytest.mark.parametrize("flags", [0, types.RD, types.CD, types.AD, types.RD | types.CD])
def test_h18_rd_and_ad_are_told_always_and_cd_as_asked(flags: int) -> None:
    told = TOLD | flags & types.CD
    assert foreign.ask(ASKED.replace(flags=flags | types.TC | types.AA | types.RA), 1)[2:4] == told.to_bytes(2, "big")


def test_do_is_told() -> None:
    assert foreign.ask(ASKED.replace(do=True), 1).endswith(opt(payload=1232, flags=0x8000))


def test_an_upstream_may_be_asked_without_edns() -> None:
    assert foreign.ask(ASKED, 0x7777, edns=False) == header(ident=0x7777, flags=TOLD) + question(NAME)


# Whether it answers


@pytest.mark.parametrize("edns", [True, False])
def test_a_whole_reply_to_the_question_answers(*, edns: bool) -> None:
    assert foreign.answers(foreign.ask(ASKED, 0x7777, edns=edns), WHOLE)


NO_ANSWERS = {
    "U07": b"\x77\x78" + WHOLE[2:],
    "U08-name": WHOLE.replace(b"\3www\7", b"\3wwx\7"),
    "U08-type": WHOLE.replace(b"\3com\0\0\1", b"\3com\0\0\2", 1),
    "U08-class": WHOLE.replace(b"\3com\0\0\1\0\1", b"\3com\0\0\1\0\3", 1),
    "U10-QR": WHOLE[:2] + b"\x01" + WHOLE[3:],
    "U10-opcode": WHOLE[:2] + b"\xa1" + WHOLE[3:],
    "U10-no-question": WHOLE[:4] + b"\0\0" + WHOLE[6:],
    "U10-two-questions": WHOLE[:4] + b"\0\2" + WHOLE[6:],
    "U11-header": WHOLE[:12],
    "U11-empty": b"",
    "U11-counts": WHOLE[:6] + b"\xff\xff" + WHOLE[8:],
    "U11-pointer-to-itself": WHOLE.replace(b"\xc0\x0c", b"\xc0\x21"),
    "U11-pointer-ahead": WHOLE.replace(b"\xc0\x0c", b"\xc0\x2f"),
    "U12": WHOLE.replace(b"Example", b"example"),
    "U30": upstream(many(501)).to_wire(max_size=65535),
    "two-opts": WHOLE[:11] + b"\2" + WHOLE[12:] + opt(),
    "opt-among-answers": WHOLE[:7] + b"\2" + WHOLE[8:11] + b"\0" + WHOLE[12:],
    "opt-of-another-name": WHOLE[:11] + b"\1" + WHOLE[12:-11] + opt(owner=b"\1a\0"),
}


@pytest.mark.parametrize("octets", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_not_our_whole_answer_does_not_answer(octets: bytes) -> None:
    assert octets != WHOLE
    assert not foreign.answers(SENT, octets)


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_u11_what_was_cut_off_does_not_answer(size: int) -> None:
    assert not foreign.answers(SENT, WHOLE[:size])


def test_u17_five_hundred_records_answer() -> None:
    assert foreign.answers(SENT, upstream(many(499)).to_wire(max_size=65535))


# What can be seen from outside


def test_truncation_and_rcode_are_read_from_the_header() -> None:
    reply = upstream()
    reply.flags |= dns.flags.TC
    reply.set_rcode(dns.rcode.NXDOMAIN)
    octets = reply.to_wire(max_size=65535)
    assert (foreign.truncated(octets), foreign.rcode(octets), foreign.truncated(WHOLE)) == (True, types.NXDOMAIN, False)


def test_upper_bits_of_an_rcode_are_read_from_the_opt_record() -> None:
    reply = upstream()
    reply.set_rcode(dns.rcode.BADVERS)
    assert foreign.rcode(reply.to_wire(max_size=65535)) == types.BADVERS


def test_edns_of_an_upstream_is_seen() -> None:
    assert foreign.has_edns(WHOLE)
    assert not foreign.has_edns(WHOLE[:11] + b"\0" + WHOLE[12:-11])


# What the client gets


@pytest.mark.parametrize(("reply", "empty"), [(WHOLE, False), (upstream().to_wire(), True)])
def test_a_reply_without_answers_is_empty(reply: bytes, *, empty: bool) -> None:
    assert foreign.empty(reply) == empty


def test_id_and_case_of_the_question_are_the_clients() -> None:
    asked = ASKED.replace(qname=named("WWW.example.COM"))
    octets = foreign.fit(asked, WHOLE, limit=512)
    assert octets[:2] == b"\x12\x34"
    assert octets[12 : 12 + len(NAME)] == named("WWW.example.COM")


@pytest.mark.parametrize("flags", [0, types.RD, types.CD, types.RD | types.CD])
def test_d10_flags_are_ra_and_those_of_the_client_without_aa(flags: int) -> None:
    assert fitted(upstream(WWW), ASKED.replace(flags=flags)).flags == types.QR | types.RA | flags


@pytest.mark.parametrize(
    ("flags", "do", "told"),
    [(types.AD, False, True), (0, True, True), (types.RD, False, False), (types.CD, True, True)],
)
def test_ad_is_told_to_who_asked_for_it(flags: int, *, do: bool, told: bool) -> None:
    reply = upstream(WWW)
    reply.flags |= dns.flags.AD
    assert bool(fitted(reply, ASKED.replace(flags=flags, do=do)).flags & dns.flags.AD) == told


@pytest.mark.parametrize("edns", [True, False])
@pytest.mark.parametrize("theirs", [True, False])
def test_opt_is_ours_and_only_where_the_client_has_one(*, edns: bool, theirs: bool) -> None:
    reply = upstream(WWW)
    reply.use_edns(0 if theirs else False, 0, 4096)
    message = fitted(reply, ASKED.replace(edns=edns, do=edns))
    assert (message.edns, message.payload, message.ednsflags) == ((0, 1232, 0x8000) if edns else (-1, 0, 0))


def test_u40_of_the_options_only_extended_errors_go_along() -> None:
    reply = upstream(WWW)
    options = [dns.edns.GenericOption(dns.edns.OptionType.make(code), b"12345678") for code in (10, 11, 12, 3, 65001)]
    reply.use_edns(
        0, 0, 4096, options=[*options[:3], dns.edns.EDEOption(dns.edns.EDECode(22), "nobody home"), *options[3:]]
    )
    (told,) = fitted(reply).options
    assert told == dns.edns.EDEOption(dns.edns.EDECode(22), "nobody home")
    assert fitted(reply, ASKED.replace(edns=False)).edns == -1


def test_extended_errors_give_way_to_records() -> None:
    reply = upstream(many(20))
    reply.use_edns(0, 0, 4096, options=[dns.edns.EDEOption(dns.edns.EDECode(22), "x" * 300)])
    message = fitted(reply, limit=512)
    assert (len(message.answer[0]), message.options, message.flags & dns.flags.TC) == (20, (), 0)


def test_an_error_of_our_own_goes_behind_theirs_and_gives_way_to_records() -> None:
    ours = ExtendedError(types.EDE_STALE_ANSWER, "timed out")
    edes: list[dns.edns.Option] = [dns.edns.EDEOption(dns.edns.EDECode(22), "x")]
    reply = upstream(WWW)
    for theirs in ([], edes):
        reply.use_edns(0, 0, 4096, options=theirs)
        octets = foreign.fit(ASKED, reply.to_wire(), limit=512, error=ours)
        told = dns.message.from_wire(octets).options
        assert told == (*theirs, dns.edns.EDEOption(dns.edns.EDECode(3), "timed out"))
    assert foreign.fit(ASKED.replace(edns=False), WHOLE, limit=512, error=ours)[10:12] == b"\0\0"
    octets = foreign.fit(ASKED, upstream(many(28)).to_wire(), limit=512, error=ExtendedError(3, "x" * 200))
    assert (len(dns.message.from_wire(octets).answer[0]), dns.message.from_wire(octets).options) == (28, ())


def test_options_that_make_no_sense_are_left_behind() -> None:
    options = opt_record(0, do=False, error=ExtendedError(22))[11:] + b"\0\x0f\xff\xff"
    message = fitted(WHOLE[:-11] + opt(options))
    assert [told.to_wire() for told in message.options] == [b"\0\x16"]


def test_upper_bits_of_an_rcode_go_along_or_are_servfail() -> None:
    reply = upstream()
    reply.set_rcode(dns.rcode.BADCOOKIE)
    assert fitted(reply).rcode() == dns.rcode.BADCOOKIE
    assert fitted(reply, ASKED.replace(edns=False)).rcode() == dns.rcode.SERVFAIL


def test_h19_trailing_octets_stay_behind() -> None:
    assert foreign.fit(ASKED, WHOLE + b"garbage", limit=1232) == foreign.fit(ASKED, WHOLE, limit=1232)


def test_truncation_goes_along() -> None:
    reply = upstream()
    reply.flags |= dns.flags.TC
    assert fitted(reply).flags & dns.flags.TC


def test_answers_past_the_limit_are_cut_at_a_record_with_tc() -> None:
    message = fitted(upstream(many(100)), limit=512)
    assert (message.flags & dns.flags.TC != 0, len(message.answer[0]), message.edns) == (True, 29, 0)


def test_an_authority_section_past_the_limit_is_cut_with_tc() -> None:
    reply = upstream(many(28))
    reply.authority.append(rrset("example.com.", "NS", *(f"ns{number}.example.org." for number in range(5))))
    message = fitted(reply, limit=512)
    assert (message.flags & dns.flags.TC != 0, len(message.answer[0]), len(message.authority)) == (True, 28, 0)


def test_an_additional_section_past_the_limit_is_left_out_without_tc() -> None:
    reply = upstream(many(28))
    reply.additional.append(rrset("a.example.com.", "A", "192.0.2.1", "192.0.2.2"))
    message = fitted(reply, limit=512)
    assert (message.flags & dns.flags.TC, len(message.answer[0]), message.additional) == (0, 28, [])


def test_pointers_inside_record_data_stay_true() -> None:
    reply = upstream(
        rrset("www.example.com.", "CNAME", "cdn.example.net."),
        rrset("cdn.example.net.", "MX", "5 mail.cdn.example.net.", "6 mail.example.com."),
    )
    reply.authority.append(rrset("example.net.", "NS", "ns.cdn.example.net."))
    reply.additional.append(rrset("ns.cdn.example.net.", "A", "192.0.2.3"))
    got = fitted(reply, ASKED.replace(qname=named("WWW.EXAMPLE.com")))
    assert (got.answer, got.authority, got.additional) == (reply.answer, reply.authority, reply.additional)


def test_records_behind_the_opt_record_are_dropped() -> None:
    tail = record(b"\xc0\x0c", types.A, bytes(4)) + record(b"\xc0\x0c", types.TXT, b"\1a")
    message = fitted(WHOLE[:11] + b"\3" + WHOLE[12:-11] + opt(option(10, bytes(8))) + tail)
    assert (len(message.answer), message.additional, message.edns) == (1, [], 0)


@pytest.mark.parametrize("flags", [0, types.RD, types.CD, types.AD])
@pytest.mark.parametrize(("edns", "do"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("count", [0, 1, 28, 29, 30, 40])
@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_a_tidy_reply_is_fitted_as_any_other(flags: int, *, edns: bool, do: bool, count: int, rcode: int) -> None:
    reply = upstream(*([many(count)] if count else []))
    reply.use_edns(False)
    reply.set_rcode(dns.rcode.Rcode(rcode))
    reply.flags |= dns.flags.AD
    octets, asked = reply.to_wire(max_size=65535), ASKED.replace(flags=flags, edns=edns, do=do)
    for options in (b"", option(10, bytes(24))):
        assert foreign.fit(asked, octets, limit=512, options=options, tidy=True) == foreign.fit(
            asked, octets, limit=512, options=options
        )


@pytest.mark.parametrize(
    "asked", [ASKED.replace(qname=named("wwx.example.com")), ASKED.replace(qtype=28), ASKED.replace(qclass=3)]
)
def test_a_reply_to_another_question_is_none(asked: Query) -> None:
    with pytest.raises(ForeignError):
        foreign.fit(asked, WHOLE, limit=1232)
    with pytest.raises(ForeignError):
        foreign.check(asked, WHOLE)


# Laws

owners = st.sampled_from(["www.example.com.", "cdn.example.net.", "a.b.example.com.", "."])
rrsets = st.builds(
    lambda owner, kind, count: rrset(owner, kind[0], *(kind[1] % number for number in range(count))),
    owners,
    st.sampled_from(
        [("A", "192.0.2.%d"), ("MX", "5 m%d.example.com."), ("TXT", '"%d"'), ("NS", "n%d.www.example.com.")]
    ),
    st.integers(1, 40),
)
sections = st.lists(rrsets, max_size=3, unique_by=lambda one: (one.name, one.rdtype))


@settings(deadline=None)
@given(sections, sections, sections, st.booleans(), st.one_of(st.integers(512, 1232), st.just(65535)))
def test_a_fitted_reply_is_the_upstreams_as_far_as_it_fits(
    answers: list[dns.rrset.RRset],
    authority: list[dns.rrset.RRset],
    additional: list[dns.rrset.RRset],
    edns: bool,
    limit: int,
) -> None:
    reply = upstream(*answers)
    reply.authority, reply.additional = authority, additional
    received = reply.to_wire(max_size=65535)
    octets = foreign.fit(ASKED.replace(edns=edns), received, limit=limit)
    got = dns.message.from_wire(octets, one_rr_per_rrset=True)
    whole = dns.message.from_wire(received, one_rr_per_rrset=True)
    assert len(octets) <= limit
    assert got.answer == whole.answer[: len(got.answer)]
    assert got.authority == whole.authority[: len(got.authority)]
    assert got.additional in ([], whole.additional)
    required = len(whole.answer) + len(whole.authority)
    assert bool(got.flags & dns.flags.TC) == (len(got.answer) + len(got.authority) < required)
    assert limit < 65535 or got.additional == whole.additional


mutated = st.builds(
    lambda at, put, skip: WHOLE[:at] + put + WHOLE[at + skip :],
    st.integers(0, len(WHOLE)),
    st.binary(max_size=4),
    st.integers(0, 5),
)


@settings(deadline=None)
@given(st.one_of(mutated, st.binary(max_size=60).map(lambda tail: WHOLE[: 12 + len(NAME) + 4] + tail), st.binary()))
def test_any_octets_are_fitted_or_no_answer(octets: bytes) -> None:
    told = foreign.answers(SENT, octets)
    if len(octets) >= 12:
        assert isinstance(foreign.rcode(octets), int)
        assert isinstance(foreign.has_edns(octets), bool)
    try:
        sent = foreign.fit(ASKED, octets, limit=512)
    except ForeignError:
        assert not told
        return
    assert len(sent) <= 512
    assert sent[:2] == b"\x12\x34"
    assert sent[12 : 12 + len(NAME)] == NAME
    assert foreign.answers(foreign.ask(ASKED, 0x1234), sent)
    assert names.fold(octets[12 : 12 + len(NAME)]) == ASKED.name
