"""Records as text: each type as dnspython reads it, and what is wrong with others."""

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdns.dns import names, types
from kdns.dns.presentation import RecordTextError, record
from kdns.dns.records import RecordSet
from tests.dns.octets import named

DATA = [
    ("A", "192.0.2.1"),
    ("AAAA", "2001:db8::1"),
    ("NS", "ns.example."),
    ("CNAME", r"a\.b.example."),
    ("PTR", r"\065.example."),
    ("DNAME", "example."),
    ("SOA", "ns.example. host.example. 4294967295 2 3 4 5"),
    ("MX", "10 mail.example."),
    ("TXT", r'"two words" one "" "a\"b\\c\200"'),
    ("SPF", "v=spf1"),
    ("HINFO", '"a b" c'),
    ("RP", "a.example. b.example."),
    ("AFSDB", "1 a.example."),
    ("KX", "1 a.example."),
    ("SRV", "0 65535 53 a.example."),
    ("NAPTR", r'100 10 "u" "E2U+sip" "!^.*$!sip:a@b.example!" .'),
    ("DS", "60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118"),
    ("SSHFP", "2 1 123456789abcdef67890123456789abcdef67890"),
    ("DNSKEY", "256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3 Cbl+BBZH4b/0PY1kxkmvHjcZc8no"),
    ("TLSA", "3 1 1 d2abde240d7cd3ee6b4b28c54df034b9 7983a1d16e8a410e4561cb106618e971"),
    ("OPENPGPKEY", "aGVsbG8="),
    ("URI", '10 1 "ftp://a.example/b"'),
    ("CAA", '0 issue "ca.example"'),
]


@pytest.mark.parametrize(("rtype", "text"), DATA)
def test_data_is_what_dnspython_makes_of_it(rtype: str, text: str) -> None:
    judge = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(rtype), text)
    number, octets = int(judge.rdtype), judge.to_wire()
    assert octets is not None
    assert record(f"a.example. 60 IN {rtype} {text}") == RecordSet(named("a.example"), number, 60, (octets,))
    assert record(f"a.example. 60 IN TYPE{number} {judge.to_generic().to_text()}").rdatas == (octets,)


A = RecordSet(named("a.Example"), types.A, 60, (b"\xc0\0\2\1",))


@pytest.mark.parametrize(
    "line",
    [
        "a.Example. 60 IN A 192.0.2.1",
        "a.Example 60 A 192.0.2.1",
        "a.Example 1m in a 192.0.2.1 ; with a comment",
        "\ta.Example\t0m60 CLASS1 TYPE1 192.0.2.1\n; behind it\n\n",
        "a.Example IN 60 A (\n192.0.2.1 ; here\n)",
        r"\097.Example 60 A \# 4 c0 00 0201",
    ],
)
def test_a_line_may_be_written_in_many_ways(line: str) -> None:
    assert record(line) == A


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a A 192.0.2.1", A._replace(name=named("a"), ttl=3600)),
        ("a 1w2d3h4m5 CH A 192.0.2.1", A._replace(name=named("a"), ttl=788645, rclass=types.CH)),
        ("@ 60 A 192.0.2.1", A._replace(name=names.ROOT)),
        ("a 60 SOA ns host (1 60 60 60 60)", record("a. 60 SOA ns. host. 1 1m 1m 1m 1m")),
        ("a 60 TXT " + "b" * 300, RecordSet(named("a"), types.TXT, 60, (b"\xff" + b"b" * 255 + b"\x2d" + b"b" * 45,))),
        ("a 60 TXT é", RecordSet(named("a"), types.TXT, 60, (b"\2\xc3\xa9",))),
        # A name may look like anything else.
        ("60 60 A 192.0.2.1", A._replace(name=named("60"))),
        ("IN IN A 192.0.2.1", A._replace(name=named("IN"), ttl=3600)),
    ],
)
def test_what_a_line_leaves_out_is_made_up(line: str, expected: RecordSet) -> None:
    assert record(line) == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "found '', expected a name, a type and data"),
        ("; nothing", "found '; nothing', expected a name, a type and data"),
        ("a", "found 'a', expected a name, a type and data"),
        ("a 60 IN", "found IN, expected a type that records have, such as A"),
        ("a ANY b", "found ANY, expected a type that records have, such as A"),
        ("a TYPE255 \\# 0", "found TYPE255, expected a type that records have, such as A"),
        ("a A", "found 0 words, expected 1 in the data of A"),
        ("a A 1.2.3.4 5", "found 2 words, expected 1 in the data of A"),
        ("a A 1.2.3", "found 1.2.3, expected an IPv4 address"),
        ("a AAAA fe80::1%eth0", "found fe80::1%eth0, expected an IPv6 address without a zone"),
        ("a TXT", "found 0 words, expected 1 or more in the data of TXT"),
        ("a 2147483648 A 1.2.3.4", "found 2147483648, expected seconds up to 2147483647"),
        ("a " + "9" * 5000 + " A 1.2.3.4", f"found {'9' * 5000}, expected seconds up to 2147483647"),
        ("a MX 65536 b", "found 65536, expected a number from 0 to 65535"),
        ("a MX -1 b", "found -1, expected a number from 0 to 65535"),
        ("a..b A 1.2.3.4", "found a..b, expected a domain name (a label has 0 octets, expected 1 to 63)"),
        ('a TXT "b', 'found "b, expected a word, with the end of its quotes or of its escape'),
        ("a TXT \\256", "found \\256, expected \\000 to \\255"),
        ("a SOA b c (1 2 3 4 5", "found the end, expected a closing parenthesis"),
        ("a A 1.2.3.4 )", "found ), expected a parenthesis that was opened"),
        ("a A 1.2.3.4\nb A 1.2.3.4", "found b, expected the end of the only record"),
        ("a HTTPS 1 .", "found 1 ., expected data of type HTTPS as \\# LENGTH OCTETS"),
        ("a A \\# 3 c00002", "found an address of 3 octets, expected 4"),
        ("a TXT \\# 3 0161", "found 2 octets, expected the 3 that were said"),
        ("a TXT \\# x 0161", "found x, expected the number of octets behind \\#"),
        ("a CNAME \\# 3 016100ff", "found 4 octets, expected the 3 that were said"),
        ("a CNAME \\# 4 016100ff", "found octets, expected data of type CNAME"),
        ("a SOA \\# 3 000000", "found octets, expected data of type SOA"),
        ("a DS 1 1 1 xyz", "found xyz, expected octets as hexadecimal digits"),
        ("a OPENPGPKEY !", "found !, expected octets in base64"),
        ("a CAA 0 issue b c", "found 2 words, expected one text"),
        ("x" * 65536, "found 65536 characters, expected 65535 at the most"),
    ],
)
def test_what_is_no_record_is_said(line: str, said: str) -> None:
    with pytest.raises(RecordTextError) as error:
        record(line)
    assert str(error.value) == said


words = st.sampled_from(
    [
        "a",
        ".",
        "@",
        "60",
        "IN",
        "A",
        "TXT",
        "SOA",
        "TYPE1",
        "\\#",
        "\\",
        '"',
        "(",
        ")",
        ";",
        "\n",
        "\\300",
        "é",
        "\ud800",
        "0",
    ]
)


@given(st.lists(words, max_size=12).map(" ".join) | st.text(max_size=60))
@example("a TXT " + "1" * 60 + "!")
@example("a " + "1" * 60 + "! A 1.2.3.4")
def test_any_text_is_a_record_or_said_not_to_be_one(text: str) -> None:
    try:
        found = record(text)
    except RecordTextError:
        return
    assert len(found.rdatas) == 1


@given(
    st.lists(st.binary(min_size=1, max_size=20), max_size=6), st.lists(st.binary(max_size=255), min_size=1, max_size=3)
)
def test_octets_of_any_kind_can_be_written(labels: list[bytes], strings: list[bytes]) -> None:
    owner = names.from_labels(labels)
    written = " ".join('"' + "".join(f"\\{octet:03d}" for octet in each) + '"' for each in strings)
    found = record(f"{names.to_text(owner)} 60 IN TXT {written}")
    assert found.name == owner
    assert found.rdatas == (b"".join(bytes((len(each),)) + each for each in strings),)
