"""What octets say: sizes are those of an independent library, kinds those of CoreDNS."""

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import summary
from kdns.dns.wire import WireError

SOA = "example.org. 60 IN SOA ns.example.org. mail.example.org. 1 60 60 60 60"
A = "www.example.org. 60 IN A 192.0.2.1"
# Section, rcode, records of answer, authority and additional; and what sort of reply that is.
KINDS = [
    (0, [A], [], [], "NOERROR", "success"),
    (0, [], [SOA], [], "NODATA", "denial"),
    (3, [], [SOA], [], "NXDOMAIN", "denial"),
    (3, [], [], [], "NXDOMAIN", "denial"),
    (3, ["www.example.org. 60 IN CNAME x.example.org."], [SOA], [], "OTHERERROR", "error"),
    (0, [], ["example.org. 60 IN NS ns.example.org."], [], "DELEGATION", "success"),
    (0, [], [], [], "NOERROR", "success"),
    (2, [], [], [], "SERVERERROR", "error"),
    (4, [], [], [], "SERVERERROR", "error"),
    (5, [], [], [], "OTHERERROR", "error"),
    (0, ["www.example.org. 60 IN MX 10 mail.example.org."], [], ["mail.example.org. 60 IN A 192.0.2.9"], "NOERROR", "success"),
    (0, ["www.example.org. 60 IN SRV 0 1 80 mail.example.org."], [], [], "NOERROR", "success"),
    (0, ['www.example.org. 60 IN TXT "hello" "world"'], [SOA], [], "NOERROR", "success"),
]  # fmt: skip


def reply(rcode: int, *sections: list[str]) -> dnslib.DNSRecord:
    record = dnslib.DNSRecord.question("www.example.org", "A").reply()
    record.header.rcode = rcode
    for add, texts in zip((record.add_answer, record.add_auth, record.add_ar), sections, strict=True):
        for text in texts:
            add(*dnslib.RR.fromZone(text))
    return record


def uncompressed(record: dnslib.DNSRecord) -> int:
    """Header, question, and each record packed alone, where nothing can be pointed at."""
    sizes = []
    for each in (*record.questions, *record.rr, *record.auth, *record.ar):
        buffer = dnslib.dns.DNSBuffer()
        buffer.encode_name = lambda name, buffer=buffer: buffer.encode_name_nocompress(name)
        each.pack(buffer)
        sizes.append(len(buffer))
    return 12 + sum(sizes)


@pytest.mark.parametrize(("rcode", "answers", "authority", "additional", "kind", "sort"), KINDS)
def test_a_reply_says_its_kind_and_its_size_without_compression(
    rcode: int, answers: list[str], authority: list[str], additional: list[str], kind: str, sort: str
) -> None:
    record = reply(rcode, answers, authority, additional)
    told = summary.told(record.pack())
    assert (told.rcode, told.kind, told.sort, told.size) == (rcode, kind, sort, uncompressed(record))


@pytest.mark.parametrize("count", [1, 2, 100])
@pytest.mark.parametrize("text", ["A 192.0.2.{}", "AAAA 2001:db8::{}"])
def test_many_addresses_are_counted_at_once(count: int, text: str) -> None:
    record = reply(0, [f"www.example.org. 60 IN {text.format(each + 1)}" for each in range(count)], [], [])
    assert summary.told(record.pack()).size == uncompressed(record)
    mixed = reply(0, [*(f"www.example.org. 60 IN {text.format(each + 1)}" for each in range(count)), SOA], [], [])
    assert summary.told(mixed.pack()).size == uncompressed(mixed)


def test_an_opt_record_is_not_counted_but_its_rcode_is() -> None:
    record = reply(0, [A], [], [])
    plain = summary.told(record.pack())
    record.add_ar(dnslib.EDNS0(udp_len=1232, ext_rcode=1))
    assert summary.told(record.pack()) == plain._replace(rcode=16, kind="OTHERERROR", sort="error")


def test_a_query_says_what_it_asks() -> None:
    query = dnslib.DNSRecord.question("WWW.example.org", "AAAA")
    query.header.id = 7
    asked = summary.asked(query.pack())
    assert (asked.id, asked.qtype, asked.edns, asked.payload, asked.do) == (7, 28, False, 0, False)
    assert (summary.name_text(asked.name), asked.size) == ("www.example.org.", len(query.pack()))
    query.add_ar(dnslib.EDNS0(flags="do", udp_len=1400))
    asked = summary.asked(query.pack())
    assert (asked.edns, asked.payload, asked.do, asked.size) == (True, 1400, True, len(query.pack()))


def test_flags_are_named_in_the_order_of_coredns() -> None:
    assert summary.flags_text(0xFFFF) == "qr,aa,tc,rd,ra,z,ad,cd"
    assert summary.flags_text(0x8180) == "qr,rd,ra"
    assert summary.flags_text(0) == ""


BASE = reply(0, [A, SOA], [SOA], ["mail.example.org. 60 IN A 192.0.2.9"]).pack()


@pytest.mark.parametrize("end", range(12, len(BASE) + 1))
def test_octets_cut_anywhere_are_an_error(end: int) -> None:
    if end < len(BASE):
        with pytest.raises(WireError):
            summary.told(BASE[:end])
    else:
        assert summary.told(BASE).rcode == 0


@given(st.integers(0, len(BASE) - 1), st.integers(0, 255), st.integers(12, len(BASE)))
def test_of_broken_octets_nothing_but_an_error_comes_out(place: int, octet: int, end: int) -> None:
    broken = (BASE[:place] + bytes((octet,)) + BASE[place + 1 :])[:end]
    try:
        size = summary.told(broken).size
    except WireError:
        size = 0
    assert size >= 0
