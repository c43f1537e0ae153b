"""The parser: what is a query, what is answered with which error, and what isn't answered at all."""

import tracemalloc

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.dns import names, reply, types
from kdns.dns.query import Ignored, Query, QueryError, parse
from kdns.dns.records import Answer
from tests.dns.octets import WEB, edns_query, header, opt, option, query, question, record

A64 = b"\x40" + b"a" * 64
EVERY_FLAG = 0x07F0  # AA, TC, RD, RA, Z, AD, CD
AT_NAME = 12 + len(question())  # where the first record of a query starts


def pointer(offset: int) -> bytes:
    return (0xC000 | offset).to_bytes(2, "big")


def additional(*records: bytes) -> bytes:
    return header(ar=len(records)) + question() + b"".join(records)


def chain_of_pointers(count: int) -> bytes:
    """Records whose owners are pointers, each to the one before."""
    records = [record(pointer(12), 999)]
    at = AT_NAME
    for _ in range(count):
        records.append(record(pointer(at), 999))
        at += len(records[-1])
    return additional(*records)


SILENT = {
    "H01": b"",
    **{f"H02-{size}": b"\xff" * size for size in range(1, 12)},
    "H02-zeros": bytes(11),
    "H04": query(flags=types.QR | types.RD),
    "H20": b"\xff" * 65535,  # QR is set
    "H04-header": header(flags=types.QR),
}


@pytest.mark.parametrize("octets", SILENT.values(), ids=SILENT)
def test_what_is_no_query_gets_no_reply(octets: bytes) -> None:
    with pytest.raises(Ignored):
        parse(octets)


REFUSED = {
    "H03": (bytes(12), types.FORMERR),
    "H06": (header(qd=2) + question() + question(), types.FORMERR),
    "H07": (header(qd=65535), types.FORMERR),
    "H08": (header(), types.FORMERR),
    "H09": (header(an=1) + question() + record(WEB, types.A, b"\1\2\3\4"), types.FORMERR),
    "H10": (header(ns=1) + question() + record(WEB, types.A, b"\1\2\3\4"), types.FORMERR),
    "H11": (header(ar=1) + question(), types.FORMERR),
    "H12": (header(ar=65535) + question() + opt() * 3, types.FORMERR),
    "H12-fits-none": (header(ar=65535) + question()[:28], types.FORMERR),
    "H20-query": (bytes(4) + b"\xff" * 65531, types.FORMERR),
    "question-cut": (query()[:-1], types.FORMERR),
    **{f"O0x-{code}": (query(flags=code << 11), types.NOTIMP) for code in range(1, 16)},
    "O01": (header(flags=15 << 11, qd=0), types.NOTIMP),
    "C02-0": (query(qclass=0), types.FORMERR),
    "Y02": (query(qtype=0), types.FORMERR),
    "Y03": (query(qtype=types.OPT), types.FORMERR),
    "Y04-TSIG": (query(qtype=types.TSIG), types.FORMERR),
    "Y04-TKEY": (query(qtype=types.TKEY), types.NOTIMP),
    "Y05": (query(qtype=types.NXNAME), types.FORMERR),
    "Y06-MAILB": (query(qtype=types.MAILB), types.NOTIMP),
    "Y06-MAILA": (query(qtype=types.MAILA), types.NOTIMP),
    "N01": (additional(record(pointer(AT_NAME), 999)), types.FORMERR),
    "N02": (additional(record(pointer(AT_NAME + 12), 999), record(pointer(AT_NAME), 999)), types.FORMERR),
    "N03": (additional(record(pointer(AT_NAME + 13), 999, b"\0")), types.FORMERR),
    "N04": (additional(record(pointer(4), 999)), types.FORMERR),
    "N05-past-the-end": (additional(record(pointer(0x3FFF), 999)), types.FORMERR),
    "N05-one-octet": (header(ar=1) + question() + b"\xc0", types.FORMERR),
    "N06": (chain_of_pointers(2000), types.FORMERR),
    "N07": (header(ar=1) + question(pointer(12 + 6)) + opt(), types.FORMERR),
    "N07-behind-a-label": (header() + question(b"\x03web" + pointer(12)), types.FORMERR),
    "N08-0x40": (query(A64 + b"\0"), types.FORMERR),
    "N08-0x80": (query(b"\x80" + b"a" * 128 + b"\0"), types.FORMERR),
    "N08-in-a-record": (additional(record(A64 + b"\0", 999)), types.FORMERR),
    "N10": (query(b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 2 + b"\x3e" + b"a" * 62 + b"\0"), types.FORMERR),
    "N10-in-a-record": (additional(record((b"\x3f" + b"a" * 63) * 4 + b"\0", 999)), types.FORMERR),
    "N12": (header() + WEB[:-1], types.FORMERR),
    "N12-in-a-label": (header() + WEB[:7], types.FORMERR),
    **{f"E01-{version}": (edns_query(opt(version=version)), types.BADVERS) for version in (1, 100, 255)},
    "E02": (edns_query(opt(option(100), version=1, flags=0x8000)), types.BADVERS),
    "E05": (edns_query(opt(), opt()), types.FORMERR),
    "E06": (edns_query(opt(owner=b"\1a\0")), types.FORMERR),
    "E06-pointer": (edns_query(opt(owner=pointer(12 + len(WEB) - 1))), types.FORMERR),
    "E07-answer": (header(an=1) + question() + opt(), types.FORMERR),
    "E07-authority": (header(ns=1) + question(qtype=types.IXFR) + opt(), types.FORMERR),
    "E08-option": (edns_query(opt(b"\0\x64\0\x05abcd")), types.FORMERR),
    "E08-rdlength": (edns_query(opt(option(100, b"abc")))[:-1], types.FORMERR),
    "E09": (edns_query(opt(b"\0\x64\0")), types.FORMERR),
    **{
        f"E16-{size}": (edns_query(opt(option(10, bytes(size)))), types.FORMERR)
        for size in (*range(8), *range(9, 16), 41, 100)
    },
    "E19": (header(qd=0, ar=1) + opt(option(10, bytes(8))), types.NOERROR),
    "E19-with-ours": (header(qd=0, ar=1) + opt(option(3) + option(10, bytes(24))), types.NOERROR),
    "E19-no-cookie": (header(qd=0, ar=1) + opt(option(3)), types.FORMERR),
    "E19-no-option": (header(qd=0, ar=1) + opt(), types.FORMERR),
    "E19-cookie-of-9": (header(qd=0, ar=1) + opt(option(10, bytes(9))), types.FORMERR),
    "E19-cut": (header(qd=0, ar=1) + opt(option(10, bytes(8)))[:-1], types.FORMERR),
    "E19-version": (header(qd=0, ar=1) + opt(option(10, bytes(8)), version=1), types.BADVERS),
    "E19-no-opt": (header(qd=0, ar=1) + record(WEB, types.A, bytes(4)), types.FORMERR),
    "E19-two-records": (header(qd=0, ar=2) + opt(option(10, bytes(8))) * 2, types.FORMERR),
    "E19-authority": (header(qd=0, ns=1) + opt(option(10, bytes(8))), types.FORMERR),
    "E25": (additional(b"\x01", opt()), types.FORMERR),
    "E25-length": (header(ar=2) + question() + b"\0\x03\xe7\0\1\0\0\0\0\xff\xff" + opt(), types.FORMERR),
    "T01": (edns_query(record(b"\3key\0", types.TSIG, bytes(40), rclass=types.CLASS_ANY)), types.FORMERR),
    "T03": (edns_query(record(b"\0", types.TSIG, bytes(40), rclass=types.CLASS_ANY), opt()), types.FORMERR),
}


@pytest.mark.parametrize(("octets", "rcode"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_good_query_gets_this_rcode(octets: bytes, rcode: int) -> None:
    with pytest.raises(QueryError) as caught:
        parse(octets)
    assert caught.value.rcode == rcode


PARSED = {
    **{f"H13-{flag:04x}": query(flags=flag) for flag in (0x400, 0x200, 0x100, 0x80, 0x40, EVERY_FLAG)},
    "H14": query(flags=types.AD),
    "H15": query(flags=0x000F),
    "H16": query(flags=types.TC),
    "H17": query(flags=0),
    "H19": query() + b"x",
    "H19-opt-uncounted": query() + opt(version=1),
    **{f"C02-{number}": query(qclass=number) for number in (types.CH, types.HS, 254, 255, 65535)},
    **{f"Y01-{number}": query(qtype=number) for number in (666, 1000, 65280)},
    "Y07": query(qtype=types.ANY),
    **{f"Y13-{number}": query(qtype=number) for number in (types.DS, types.RRSIG, types.DNSKEY)},
    "Y09": query(qtype=types.AXFR),
    "Y12": header(ns=1) + question(qtype=types.IXFR) + record(b"\xc0\x0c", types.SOA, bytes(22)),
    "N09": query((b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0"),
    "N11": query(b"\1a" * 127 + b"\0"),
    "N13": query(b"\0"),
    "N14": query(names.from_labels([b'\0\xff "\\\n\x1b[31m'])),
    "E03": edns_query(opt(option(100) + option(65001, b"x"))),
    "E03-long": edns_query(opt(option(65001, bytes(65000)))),
    "E04": edns_query(opt(flags=0x7FFF)),
    "E15": edns_query(opt(option(10, bytes(8)))),
    "E17": edns_query(opt(option(10, bytes(40)))),
    "E18": edns_query(opt(option(10, bytes(8)) + option(10, bytes(8)))),
    "E21": edns_query(opt(option(11, b"\0\1"))),
    "E20": edns_query(opt(option(8, b"\0\3\xff\xff"))),
    "E22": edns_query(opt(option(12, b"\1" * 60000))),
    "E23": edns_query(opt(option(3) + option(8, b"\0\1\x18\0\x0a\0\0") + option(9) + option(10, bytes(8)))),
    "E24": edns_query(opt(option(12, bytes(4000)))),
    "T05": edns_query(record(b"\0", 24, bytes(30), rclass=types.CLASS_ANY), opt()),
    "a-record-before-opt": edns_query(record(b"\1a" + pointer(12), 999, b"abc"), opt()),
}


@pytest.mark.parametrize("octets", PARSED.values(), ids=PARSED)
def test_what_is_odd_but_a_query_is_one(octets: bytes) -> None:
    assert parse(octets).id == 0x1234


def test_e19_the_options_beside_a_cookie_without_a_question_are_the_query_s() -> None:
    asked = option(3) + option(10, b"12345678")
    with pytest.raises(QueryError) as caught:
        parse(header(qd=0, ar=1) + opt(asked))
    assert (caught.value.edns, caught.value.options) == (True, asked)


def test_invalid_query_type_is_told_to_who_speaks_edns() -> None:
    with pytest.raises(QueryError) as caught:
        parse(edns_query(opt(), qtype=types.NXNAME))
    assert (caught.value.edns, caught.value.error) == (True, (types.EDE_INVALID_QUERY_TYPE, ""))


@pytest.mark.parametrize("payload", [0, 1, 511, 512])
def test_e10_a_payload_below_512_is_512(payload: int) -> None:
    assert parse(edns_query(opt(payload=payload))).payload == 512


def test_a_query_without_edns_takes_512_octets() -> None:
    asked = parse(query())
    assert (asked.edns, asked.payload, asked.do, asked.options) == (False, 512, False, b"")


@pytest.mark.parametrize("options", [b"", option(65001, b"x")])
def test_fields_of_the_opt_record_are_the_querys(options: bytes) -> None:
    asked = parse(edns_query(opt(options, payload=4096, flags=0x8000)))
    assert (asked.edns, asked.edns_version, asked.payload, asked.do, asked.options) == (True, 0, 4096, True, options)


def test_n16_case_is_kept_beside_the_folded_name() -> None:
    asked = parse(query(names.from_text("wEb.SHOP.svc.Cluster.LOCAL")))
    assert (asked.qname, asked.name) == (names.from_text("wEb.SHOP.svc.Cluster.LOCAL"), WEB)


def test_n15_a_dot_in_a_label_is_no_border() -> None:
    assert parse(query(names.from_labels([b"a.b"]))).name != names.from_text("a.b")


def test_n17_only_ascii_is_folded() -> None:
    kelvin = names.from_labels(["\u212a\u0130".encode()])
    assert parse(query(kelvin)).name == kelvin


@pytest.mark.parametrize("octets", [header(qd=65535), header(ar=65535) + question()[:28], header(ar=65535) + bytes(40)])
def test_h07_h12_counts_are_not_believed(octets: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(QueryError):
            parse(octets)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8192


def test_the_work_for_many_records_is_bounded_by_their_octets() -> None:
    octets = additional(*[record(pointer(12), 999)] * 5400)
    tracemalloc.start()
    try:
        parse(octets)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(octets)


labels = st.lists(st.binary(min_size=1, max_size=63), max_size=8).filter(lambda parts: sum(map(len, parts)) < 240)


@settings(deadline=None)
@given(
    labels,
    st.sampled_from([types.A, types.AAAA, types.SRV, types.ANY, 666, types.AXFR]),
    st.sampled_from([types.IN, types.CH, types.CLASS_ANY]),
    st.integers(0, 65535),
    st.one_of(st.none(), st.tuples(st.integers(0, 65535), st.booleans(), st.lists(st.binary(max_size=9), max_size=3))),
)
def test_queries_of_dnspython_are_read_as_they_were_meant(
    parts: list[bytes],
    qtype: int,
    qclass: int,
    ident: int,
    edns: tuple[int, bool, list[bytes]] | None,
) -> None:
    rtype, rclass = dns.rdatatype.RdataType.make(qtype), dns.rdataclass.RdataClass.make(qclass)
    asked = dns.message.make_query(dns.name.Name([*parts, b""]), rtype, rclass, id=ident)
    if edns is not None:
        payload, do, options = edns
        asked.use_edns(
            0,
            dns.flags.DO if do else 0,
            payload,
            options=[
                dns.edns.GenericOption(dns.edns.OptionType.make(65001 + number), data)
                for number, data in enumerate(options)
            ],
        )
    parsed = parse(asked.to_wire(max_size=65535))
    assert parsed.qname == names.from_labels(parts)
    assert (parsed.qtype, parsed.qclass, parsed.id, parsed.flags) == (qtype, qclass, ident, types.RD)
    assert parsed.edns == (edns is not None)
    if edns is not None:
        assert (parsed.payload, parsed.do) == (max(512, edns[0]), edns[1])


good = [*PARSED.values(), query(), edns_query(opt())]
good = [octets for octets in good if len(octets) < 600]
mutated = st.builds(
    lambda octets, at, put, tail: octets[: at % (len(octets) + 1)] + put + octets[at % (len(octets) + 1) + tail :],
    st.sampled_from(good),
    st.integers(0, 600),
    st.binary(max_size=4),
    st.integers(0, 6),
)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=80), mutated, st.binary(max_size=60).map(lambda tail: header(ar=2) + tail)))
def test_any_octets_are_a_query_an_error_or_silence(octets: bytes) -> None:
    try:
        asked = parse(octets)
    except Ignored:
        assert len(octets) < 12 or octets[2] & 0x80
        return
    except QueryError as problem:
        sent = reply.error(octets, problem, recursion=True)
    else:
        sent = reply.render(asked, Answer(types.SERVFAIL), limit=512, recursion=True).octets
        assert sent[12 : 12 + len(asked.qname)] == asked.qname
    told = dns.message.from_wire(sent)
    assert sent[:2] == octets[:2]
    assert told.flags & dns.flags.QR
    assert len(sent) <= 512


def test_a_query_with_changes_is_otherwise_the_same() -> None:
    asked = parse(edns_query(opt(option(65001))))
    changed = asked.replace(qname=names.from_text("Example.COM"))
    assert changed.name == names.from_text("example.com")
    assert changed.replace(qname=WEB) == asked
    assert changed != asked


def test_a_query_can_be_made_of_a_name_and_a_type() -> None:
    made = Query(names.from_text("Web"), types.A)
    assert (made.name, made.qclass, made.edns, made.payload) == (b"\3web\0", types.IN, False, 512)
