"""Records as lines: each is read back as the record it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import presentation, types
from kdns.dns.lines import data_text, line
from kdns.dns.names import from_text

LINES = (
    "www.example.org. 60 IN A 192.0.2.1",
    "www.example.org. 60 IN AAAA 2001:db8::1",
    "www.example.org. 60 IN CNAME other.example.org.",
    "example.org. 60 IN SOA ns.example.org. host.example.org. 1 2 3 4 5",
    "example.org. 60 IN MX 10 mail.example.org.",
    "_http._tcp.example.org. 60 IN SRV 0 33 80 www.example.org.",
    r'example.org. 60 CH TXT "a \"word\"" "\000\255\\"',
    "example.org. 60 IN TYPE65280 \\# 3 010203",
    "example.org. 60 IN HTTPS \\# 3 000100",
)


@pytest.mark.parametrize("text", LINES)
def test_a_line_is_written_as_it_was_read(text: str) -> None:
    (read,) = (presentation.record(text),)
    assert line(read.name, read.rtype, read.rclass, read.ttl, read.rdatas[0]) == text


@given(st.sampled_from([types.A, types.AAAA, types.SOA, types.SRV, types.TXT, types.NS, 65280]), st.binary(max_size=40))
def test_any_data_has_a_text_that_is_read_as_the_same(rtype: int, data: bytes) -> None:
    text = data_text(rtype, data)
    if rtype != types.SOA and not (rtype < 256 and text.startswith("\\#")):  # data that isn't its type's is refused
        written = presentation.record(f"example.org. 60 IN {types.type_text(rtype)} {text}")
        assert written.rdatas[0] == data


def test_data_that_is_not_laid_out_as_its_type_says_is_octets() -> None:
    assert data_text(types.A, b"\1\2\3") == "\\# 3 010203"
    assert data_text(types.TXT, b"") == "\\# 0"
    assert data_text(types.NS, from_text("example.org")[:-1]) == "\\# 12 076578616d706c65036f7267"
