"""The renderer, against dnspython: limits, truncation, compression, EDNS, rotation, errors."""

from collections.abc import Sequence
from typing import overload

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.dns import names, records, reply, types
from kdns.dns.names import Name
from kdns.dns.query import Query, QueryError, parse
from kdns.dns.records import Answer, ExtendedError, Packed, RecordSet
from kdns.dns.reply import TCP_LIMIT, Rotation, render, rotate
from tests.dns.octets import WEB, edns_query, header, named, opt, option, query

APEX = named("cluster.local")
SOA = RecordSet(
    APEX, types.SOA, 5, (records.soa(named("ns.dns.cluster.local"), named("hostmaster.cluster.local"), 7, 1, 2, 3, 4),)
)


def ask(qtype: int = types.A, *, qname: Name = WEB, **fields: object) -> Query:
    return Query(qname, qtype, id=0x1234).replace(**fields)


def sent(asked: Query, answer: Answer, limit: int = 1232, first: int = 0) -> dns.message.Message:
    return dns.message.from_wire(render(asked, answer, limit=limit, recursion=True, first=first).octets)


def addresses(count: int) -> Packed:
    return Packed(b"".join((0x0A000000 + number).to_bytes(4, "big") for number in range(count)), 4)


def web(count: int, name: Name = WEB) -> Answer:
    return Answer(answers=(RecordSet(name, types.A, 5, addresses(count)),))


def test_one_address_is_these_octets() -> None:
    made = render(ask(edns=True, do=True), web(1), limit=1232, recursion=True)
    assert made.octets == (
        b"\x12\x34\x85\x80\0\1\0\1\0\0\0\1"
        b"\3web\4shop\3svc\7cluster\5local\0\0\1\0\1"
        b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x0a\0\0\0"
        b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"
    )
    assert (made.truncated, made.rotation) == (False, None)


def test_a_denial_points_its_names_into_the_question() -> None:
    made = render(ask(), Answer(types.NXDOMAIN, authority=(SOA,)), limit=512, recursion=False)
    zone = 12 + len(WEB) - len(APEX)
    pointer = bytes((0xC0, zone))
    assert made.octets == (
        b"\x12\x34\x85\x03\0\1\0\0\0\1\0\0"
        b"\3web\4shop\3svc\7cluster\5local\0\0\1\0\1"
        + pointer
        + b"\0\6\0\1\0\0\0\5\0\x2a"
        + b"\2ns\3dns"
        + pointer
        + b"\x0ahostmaster"
        + pointer
        + b"\0\0\0\7\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"
    )


@pytest.mark.parametrize("recursion", [True, False])
@pytest.mark.parametrize("authoritative", [True, False])
def test_h13_h14_only_rd_and_cd_are_copied(*, recursion: bool, authoritative: bool) -> None:
    made = render(ask(flags=0x07FF), Answer(authoritative=authoritative), limit=512, recursion=recursion)
    expected = types.QR | types.RD | types.CD | (types.RA if recursion else 0) | (types.AA if authoritative else 0)
    assert int.from_bytes(made.octets[2:4], "big") == expected


def test_h17_rd_is_not_set_where_it_was_not_asked_for() -> None:
    assert not sent(ask(flags=0), web(1)).flags & dns.flags.RD


@pytest.mark.parametrize("text", ["web.shop.svc.cluster.local", "wEb.ShOp.svc.CLUSTER.local", "."])
def test_n16_the_question_is_copied_octet_for_octet(text: str) -> None:
    made = render(ask(qname=named(text)), Answer(), limit=512, recursion=True)
    assert made.octets[12:] == named(text) + b"\0\1\0\1"


def test_names_keep_their_own_case_though_the_question_has_another() -> None:
    upper = named("WEB.shop.svc.cluster.local")
    message = sent(ask(qname=upper), Answer(answers=(RecordSet(WEB, types.CNAME, 5, (APEX,)),)))
    assert message.answer[0].name.to_wire() == WEB


def test_names_in_srv_data_are_never_compressed() -> None:
    made = render(
        ask(types.SRV),
        Answer(answers=(RecordSet(WEB, types.SRV, 5, (records.srv(0, 100, 80, WEB),)),)),
        limit=512,
        recursion=True,
    )
    assert made.octets.count(WEB) == 2


@pytest.mark.parametrize(
    ("rtype", "rdata"),
    [
        (types.NS, WEB),
        (types.CNAME, WEB),
        (types.PTR, WEB),
        (types.MX, b"\0\1" + WEB),
        (types.SOA, WEB + WEB + bytes(20)),
    ],
)
def test_names_in_the_data_of_the_old_types_are_compressed(rtype: int, rdata: bytes) -> None:
    made = render(ask(rtype), Answer(answers=(RecordSet(WEB, rtype, 5, (rdata,)),)), limit=512, recursion=True)
    assert made.octets.count(WEB) == 1
    assert dns.message.from_wire(made.octets).answer[0][0].to_wire() == rdata


def test_a_target_in_data_is_pointed_at_by_its_own_records() -> None:
    answer = Answer(
        answers=(
            RecordSet(WEB, types.CNAME, 5, (named("db.example.com"),)),
            RecordSet(named("db.example.com"), types.A, 5, (bytes(4), b"\1\2\3\4")),
        )
    )
    made = render(ask(), answer, limit=512, recursion=True)
    assert made.octets.count(b"\7example") == 1
    assert made.rotation == Rotation(made.octets.index(bytes(4), 60) - 12, 16, 2)


# Truncation


def test_e12_without_edns_a_reply_has_at_most_512_octets() -> None:
    asked = parse(query())
    made = render(asked, web(100), limit=reply.udp_limit(asked), recursion=True)
    assert made.truncated
    assert len(made.octets) <= 512


@pytest.mark.parametrize("payload", [1232, 4096, 65535])
def test_e11_over_udp_a_reply_has_at_most_our_1232_octets(payload: int) -> None:
    asked = parse(edns_query(opt(payload=payload)))
    assert reply.udp_limit(asked) == 1232


def test_an_operator_may_lift_the_limit_of_udp() -> None:
    assert reply.udp_limit(parse(edns_query(opt(payload=65535))), 4096) == 4096


def test_k42_as_many_addresses_are_sent_as_fit() -> None:
    made = render(ask(edns=True), web(5000), limit=1232, recursion=True)
    message = dns.message.from_wire(made.octets)
    assert (made.truncated, len(message.answer[0])) == (True, (1232 - 11 - 44) // 16)
    assert message.flags & dns.flags.TC
    assert message.edns == 0


def test_k42_over_tcp_more_than_four_thousand_fit() -> None:
    assert len(sent(ask(), web(5000), TCP_LIMIT).answer[0]) == (65535 - 44) // 16


def test_a_truncated_reply_has_neither_authority_nor_additional() -> None:
    answer = web(100)._replace(authority=(SOA,), additional=(RecordSet(APEX, types.A, 5, (bytes(4),)),))
    message = sent(ask(), answer, 512)
    assert (message.flags & dns.flags.TC != 0, message.authority, message.additional) == (True, [], [])


def test_an_authority_that_does_not_fit_truncates() -> None:
    message = sent(ask(), web(28)._replace(authority=(SOA,)), 512)
    assert (message.flags & dns.flags.TC != 0, message.authority) == (True, [])


def test_additional_sets_that_do_not_fit_are_left_out_whole_and_without_tc() -> None:
    extra = RecordSet(APEX, types.A, 5, addresses(2))
    message = sent(ask(), web(27)._replace(additional=(extra, extra)), 12 + 32 + 28 * 16 + 16)
    assert (message.flags & dns.flags.TC, len(message.answer[0])) == (0, 27)
    assert [len(rrset) for rrset in message.additional] == [2]


@pytest.mark.parametrize("filled", range(458, 513))
def test_addresses_of_a_long_name_that_do_not_fit_are_not_counted(filled: int) -> None:
    text = RecordSet(WEB, types.TXT, 5, (records.txt(bytes(200), bytes(filled - 44 - 12 - 202)),))
    long = RecordSet(named("a-long-name.example.com"), types.A, 5, addresses(2))
    made = render(ask(), Answer(answers=(text, long)), limit=512, recursion=True)
    assert made.truncated
    assert sum(len(rrset) for rrset in dns.message.from_wire(made.octets).answer) == made.octets[7]


# Rotation


def texts_in_order(answer: Answer, first: int) -> list[str]:
    octets = render(ask(), answer, limit=512, recursion=True, first=first).octets
    return [".".join(map(str, octets[at + 12 : at + 16])) for at in range(44, len(octets), 16)]


@pytest.mark.parametrize("first", [0, 1, 4, 5, 12])
def test_addresses_are_sent_in_cyclic_order_from_first_on(first: int) -> None:
    order = [f"10.0.0.{(number + first) % 5}" for number in range(5)]
    rotated = Answer(answers=(RecordSet(WEB, types.A, 5, addresses(5)),))
    listed = Answer(answers=(RecordSet(WEB, types.A, 5, tuple(addresses(5))),))
    assert texts_in_order(rotated, first) == texts_in_order(listed, first) == order


def test_a_truncated_reply_begins_with_first_too() -> None:
    octets = render(ask(), web(5000), limit=512, recursion=True, first=4999).octets
    assert [octets[at + 12 : at + 16] for at in (44, 60)] == [b"\x0a\0\x13\x87", b"\x0a\0\0\0"]


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(0, 200), st.booleans(), st.booleans())
def test_turning_a_reply_is_rendering_it_from_there(count: int, by: int, v6: bool, edns: bool) -> None:
    size = 16 if v6 else 4
    rdatas = Packed(bytes(number % 251 for number in range(count * size)), size)
    answer = Answer(
        answers=(RecordSet(WEB, types.AAAA if v6 else types.A, 5, rdatas),),
        additional=(RecordSet(APEX, types.A, 5, (bytes(4),)),),
    )
    made = render(ask(edns=edns), answer, limit=TCP_LIMIT, recursion=True)
    turned = rotate(made, by)
    assert turned == render(ask(edns=edns), answer, limit=TCP_LIMIT, recursion=True, first=by).octets
    assert rotate(made._replace(octets=turned), -by) == made.octets


def test_a_memo_may_cut_the_front_off() -> None:
    made = render(ask(), web(3), limit=512, recursion=True)
    assert made.rotation is not None
    assert made.rotation.behind(2).turn(made.octets[2:], 1) == rotate(made, 1)[2:]


def test_where_nothing_may_move_turning_changes_nothing() -> None:
    made = render(ask(), web(1), limit=512, recursion=True)
    assert rotate(made, 1) == made.octets


def test_addresses_of_a_name_written_out_do_not_turn_but_begin_with_first() -> None:
    made = render(ask(), web(3, named("db.example.com")), limit=512, recursion=True, first=1)
    assert made.rotation is None
    assert made.octets[-36:-32] + made.octets[-20:-16] + made.octets[-4:] == b"\x0a\0\0\1\x0a\0\0\2\x0a\0\0\0"


class Endless(Sequence[bytes]):
    """Very many addresses, each counted when it is read."""

    read = 0

    def __len__(self) -> int:
        return 1 << 40

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, int):
            self.read += 1
            return bytes(4)
        return [self[number] for number in range(*index.indices(len(self)))]


def test_k42_only_the_addresses_sent_are_read() -> None:
    rdatas = Endless()
    render(ask(), Answer(answers=(RecordSet(WEB, types.A, 5, rdatas),)), limit=512, recursion=True, first=3)
    assert rdatas.read == (512 - 44) // 16


# EDNS


def test_e13_without_opt_in_the_query_none_is_sent() -> None:
    assert sent(ask(), web(1)).edns == -1


@pytest.mark.parametrize("do", [True, False])
def test_e03_e04_e14_only_do_is_copied(*, do: bool) -> None:
    asked = parse(edns_query(opt(option(65001, b"x"), flags=0x7FFF | (0x8000 if do else 0))))
    message = sent(asked, web(1))
    assert (message.edns, message.payload, message.ednsflags, message.options) == (0, 1232, 0x8000 if do else 0, ())


def test_an_extended_error_is_told_to_who_speaks_edns() -> None:
    answer = Answer(types.SERVFAIL, error=ExtendedError(types.EDE_NOT_READY, "the first list isn't whole"))
    (told,) = sent(ask(edns=True), answer).options
    assert isinstance(told, dns.edns.EDEOption)
    assert (told.code, told.text) == (14, "the first list isn't whole")
    assert sent(ask(), answer).edns == -1


def test_an_extended_error_gives_way_to_records() -> None:
    answer = web(28)._replace(error=ExtendedError(0, "x" * 100))
    message = sent(ask(edns=True), answer, 512)
    assert (message.flags & dns.flags.TC, len(message.answer[0]), message.options) == (0, 28, ())


def test_upper_bits_of_an_rcode_need_edns() -> None:
    assert sent(ask(edns=True), Answer(23)).rcode() == 23
    assert sent(ask(), Answer(23)).rcode() == dns.rcode.SERVFAIL


# Errors


def problem_of(octets: bytes) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(octets)
    return caught.value


def test_o01_an_unknown_opcode_is_copied_and_no_question() -> None:
    octets = header(flags=15 << 11)
    assert reply.error(octets, problem_of(octets), recursion=True) == b"\x12\x34\xf8\x04" + bytes(8)


def test_o02_an_unknown_opcode_echoes_no_flag() -> None:
    octets = header(flags=15 << 11 | 0x07FF)
    assert reply.error(octets, problem_of(octets), recursion=True) == b"\x12\x34\xf8\x04" + bytes(8)


def test_a_format_error_is_made_of_the_header_alone() -> None:
    octets = header(flags=0x07FF, qd=7)
    assert reply.error(octets, problem_of(octets), recursion=True) == b"\x12\x34\x81\x91" + bytes(8)


def test_e01_another_version_gets_badvers_and_ours() -> None:
    octets = edns_query(opt(option(100), version=1, flags=0xFFFF))
    message = dns.message.from_wire(reply.error(octets, problem_of(octets), recursion=False))
    assert (message.rcode(), message.edns, message.payload, message.options) == (dns.rcode.BADVERS, 0, 1232, ())


def test_y05_nxname_gets_an_extended_error() -> None:
    octets = edns_query(opt(), qtype=types.NXNAME)
    message = dns.message.from_wire(reply.error(octets, problem_of(octets), recursion=False))
    assert (message.rcode(), [option.to_wire() for option in message.options]) == (dns.rcode.FORMERR, [b"\0\x1e"])


# The law


owner_names = st.sampled_from(
    [
        WEB,
        APEX,
        names.ROOT,
        named("WEB.shop.svc.cluster.local"),
        named("a.web.shop.svc.cluster.local"),
        named("svc.Cluster.local"),
        named("db.example.com"),
        named("x.db.example.com"),
        names.from_labels([b"x\5local"]),
        *(named(f"n{number}.example.org") for number in range(20)),
    ]
)
hostile_qnames = st.sampled_from([names.from_labels([b"a\5local"]), names.from_labels([b"\1\0", b"\xc0\x0c"])])
rdata_of = {
    types.A: st.binary(min_size=4, max_size=4),
    types.AAAA: st.binary(min_size=16, max_size=16),
    types.CNAME: owner_names,
    types.PTR: owner_names,
    types.NS: owner_names,
    types.MX: owner_names.map(lambda name: b"\0\5" + name),
    types.SRV: owner_names.map(lambda name: records.srv(1, 2, 3, name)),
    types.TXT: st.binary(max_size=200).map(records.txt),
    types.SOA: st.tuples(owner_names, owner_names).map(lambda pair: records.soa(*pair, 1, 2, 3, 4, 5)),
    65280: st.binary(max_size=40),
}


@st.composite
def record_sets(draw: st.DrawFn) -> RecordSet:
    rtype = draw(st.sampled_from(list(rdata_of)))
    rdatas = draw(st.lists(rdata_of[rtype], min_size=1, max_size=draw(st.sampled_from([1, 3, 30])), unique=True))
    return RecordSet(draw(owner_names), rtype, draw(st.integers(0, 2**31 - 1)), tuple(rdatas))


def distinct(sets: list[RecordSet]) -> bool:
    return len({(records.name.lower(), records.rtype) for records in sets}) == len(sets)


sections = st.lists(record_sets(), max_size=4)
Flat = list[tuple[bytes, int, int, bytes]]


def flat(sets: list[RecordSet]) -> Flat:
    return [(records.name, records.rtype, records.ttl, rdata) for records in sets for rdata in records.rdatas]


def flat_section(rrsets: list[dns.rrset.RRset]) -> Flat:
    return [
        (names.from_labels(rrset.name.labels[:-1]), int(rrset.rdtype), rrset.ttl, rdata.to_wire())
        for rrset in rrsets
        for rdata in rrset
    ]


@settings(deadline=None)
@given(
    st.one_of(owner_names, hostile_qnames),
    st.tuples(sections, sections, sections).filter(lambda three: distinct([*three[0], *three[1], *three[2]])),
    st.one_of(st.integers(512, 1232), st.just(65535)),
    st.booleans(),
    st.integers(0, 50),
)
def test_a_reply_is_what_was_meant_as_far_as_it_fits(
    qname: Name, three: tuple[list[RecordSet], ...], limit: int, edns: bool, first: int
) -> None:
    answers, authority, additional = three
    answer = Answer(types.NOERROR, tuple(answers), tuple(authority), tuple(additional))
    made = render(ask(qname=qname, edns=edns), answer, limit=limit, recursion=True, first=first)
    message = dns.message.from_wire(made.octets, one_rr_per_rrset=True)
    got = [flat_section(section) for section in (message.answer, message.authority, message.additional)]
    assert len(made.octets) <= limit
    assert made.octets[12 : 12 + len(qname)] == qname
    assert (message.edns == 0) == edns
    assert bool(message.flags & dns.flags.TC) == made.truncated
    assert made.truncated == (len(got[0]) < len(flat(answers)) or len(got[1]) < len(flat(authority)))
    if not made.truncated:
        assert sorted(got[0]) == sorted(flat(answers))
        assert got[1] == flat(authority)
    assert set(got[0]) <= set(flat(answers))
    assert got[2] == flat(additional)[: len(got[2])]
    if limit == TCP_LIMIT:
        assert got[2] == flat(additional)


@given(
    st.lists(st.binary(min_size=1, max_size=12), max_size=5),
    st.sampled_from(["cluster.local.", "ns.dns.cluster.local.", ".", "10.in-addr.arpa."]),
    st.booleans(),
)
def test_a_denial_reads_the_same_whatever_stands_before_its_zone(labels: list[bytes], zone: str, spoken: bool) -> None:
    origin = names.from_text(zone)
    qname = Name(b"".join(bytes((len(label),)) + label for label in labels) + origin)
    rdata = records.soa(Name(b"\2ns\3dns" + origin), Name(b"\x0ahostmaster" + origin), 7, 1, 2, 3, 4)
    answer = Answer(types.NXDOMAIN, authority=(RecordSet(origin, types.SOA, 5, (rdata,)),))
    made = reply.render(Query(qname, types.A, id=9, edns=spoken), answer, limit=512, recursion=True)
    message = dns.message.from_wire(made.octets)
    (record,) = message.authority
    assert (message.id, message.rcode(), message.question[0].name.to_wire()) == (9, types.NXDOMAIN, qname)
    assert (record.name.to_wire(), record.ttl, record[0].to_wire()) == (origin, 5, rdata)
    assert message.edns == (0 if spoken else -1)
    assert not made.truncated
