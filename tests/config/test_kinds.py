"""Kinds: what a token may be, as Go reads it; any text is a value or is refused with what is expected."""

import contextlib
from ipaddress import IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config import domains, endpoints, kinds
from kdns.config.endpoints import EVERY_NETWORK, Upstream
from kdns.config.forms import UnfitError
from kdns.config.settings import Address
from kdns.config.shapes import Kind
from kdns.config.syntax import Place, Token
from kdns.dns import names, types


def token(text: str) -> Token:
    return Token(text, Place("f", 1, 1))


DURATIONS = [  # time.ParseDuration
    ("0", 0.0),
    ("5s", 5.0),
    ("1m30s", 90.0),
    ("300ms", 0.3),
    ("1.5h", 5400.0),
    (".5s", 0.5),
    ("1.s", 1.0),
    ("-2s", -2.0),
    ("+2s", 2.0),
    ("3us", 3e-6),
    ("3µs", 3e-6),
    ("3μs", 3e-6),
    ("7ns", 7e-9),
    ("1h1h", 7200.0),
]


@pytest.mark.parametrize(("text", "expected"), DURATIONS)
def test_durations_are_gos(text: str, expected: float) -> None:
    assert kinds.duration_s(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "5S", "1d", ".s", "1.2.3s", "5s1", "٣s", "9" * 60 + "h", "9999999h"]
)
def test_what_is_no_duration_to_go_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        kinds.duration_s(text)


READ: list[tuple[Kind[object], str, object]] = [
    (kinds.whole(0), "0", 0),
    (kinds.whole(0), "+7", 7),
    (kinds.whole(-1), "-1", -1),
    (kinds.whole(512, 4096), "4096", 4096),
    (kinds.decimal(0), "2.5", 2.5),
    (kinds.percentage(10, 90), "10%", 10),
    (kinds.duration(1, 86400, bare=True), "10", 10.0),
    (kinds.duration(1, or_zero=True), "0s", 0.0),
    (kinds.switch(), "off", False),
    (kinds.words(("set", "clear"), any_case=True), "SET", "set"),
    (domains.NAME, "A.example", names.from_text("a.example")),
    (domains.ZONE, "10.0.0.0/15", tuple(names.from_text(f"{part}.10.in-addr.arpa") for part in (0, 1))),
    (domains.record_type(), "CAA", 257),
    (domains.record_type(), "TYPE65280", 65280),
    (domains.record_type(any_case=True), "aaaa", types.AAAA),
    (domains.record_class(), "CH", types.CH),
    (domains.rcode(), "nxdomain", types.NXDOMAIN),
    (domains.rcode(), "23", 23),
    (domains.TYPE_OR_ALL, "*", domains.EVERY_TYPE),
    (endpoints.IP, "2001:DB8::1", "2001:db8::1"),
    (endpoints.LISTEN, ":9153", Address("", 9153)),
    (endpoints.LISTEN, "localhost:9153", Address("127.0.0.1", 9153)),
    (endpoints.LISTEN, "[::1]:9153", Address("::1", 9153)),
    (endpoints.IP_PORT, "192.0.2.1", Address("192.0.2.1", 53)),
    (endpoints.IP_PORT, "[2001:db8::1]:54", Address("2001:db8::1", 54)),
    (endpoints.NETWORKS_OR_ALL, "*", EVERY_NETWORK),
    (endpoints.DNS64_PREFIX, "2001:db8::/32", IPv6Network("2001:db8::/32")),
    (endpoints.TRANSFER_TARGET, "*", None),
    (endpoints.UPSTREAM, "192.0.2.1", Upstream("address", "192.0.2.1")),
    (endpoints.UPSTREAM, "dns://192.0.2.1:54", Upstream("address", "192.0.2.1", port=54)),
    (endpoints.UPSTREAM, "2001:db8::1", Upstream("address", "2001:db8::1")),
    (endpoints.UPSTREAM, "fe80::1%eth0", Upstream("address", "fe80::1%eth0")),
    (endpoints.UPSTREAM, "/etc/resolv.conf", Upstream("file", "/etc/resolv.conf")),
    (endpoints.UPSTREAM, "dns.example:54", Upstream("host", "dns.example", port=54)),
    (endpoints.UPSTREAM, "tls://192.0.2.1", Upstream("address", "192.0.2.1", "tls", 853)),
    (endpoints.UPSTREAM, "tls://192.0.2.1%a.example", Upstream("address", "192.0.2.1", "tls", 853, "a.example")),
    (endpoints.UPSTREAM, "tls://192.0.2.1%a.example:54", Upstream("address", "192.0.2.1", "tls", 54, "a.example")),
    (
        endpoints.UPSTREAM,
        "tls://[2001:db8::1%a.example]:54",
        Upstream("address", "2001:db8::1", "tls", 54, "a.example"),
    ),
    (endpoints.UPSTREAM, "https://dns.example", Upstream("host", "dns.example", "https", 443, "", "/dns-query")),
    (endpoints.UPSTREAM, "https://dns.example:8443/", Upstream("host", "dns.example", "https", 8443, "", "/")),
    (endpoints.UPSTREAM, "https://192.0.2.1/a%20b", Upstream("address", "192.0.2.1", "https", 443, "", "/a%20b")),
    (
        endpoints.UPSTREAM,
        "https://[2001:db8::1%a.example]:54/q/x",
        Upstream("address", "2001:db8::1", "https", 54, "a.example", "/q/x"),
    ),
]


@pytest.mark.parametrize(("kind", "text", "expected"), READ)
def test_a_text_of_the_kind_is_read(kind: Kind[object], text: str, expected: object) -> None:
    assert kind.read(token(text)) == expected


REFUSED: list[tuple[Kind[object], str]] = [
    (kinds.whole(0), "-1"),
    (kinds.whole(0), "1_000"),
    (kinds.whole(0), "٣"),
    (kinds.whole(0), "9" * 30),
    (kinds.whole(512, 4096), "4097"),
    (kinds.seconds(1), "30s"),
    (kinds.decimal(0), "inf"),
    (kinds.percentage(10, 90), "10"),
    (kinds.percentage(10, 90), "91%"),
    (kinds.duration(2), "1s"),
    (kinds.duration(positive=True), "0s"),
    (kinds.duration(1, or_zero=True), "500ms"),
    (kinds.duration(), "5"),
    (kinds.words(("a", "b")), "A"),
    (kinds.file("f"), ""),
    (kinds.PATTERN, "a("),
    (domains.NAME, "a..b"),
    (domains.ZONE, "dns://a"),
    (domains.record_type(), "a"),
    (domains.record_type(), "TYPE65536"),
    (domains.record_type(), "257"),
    (domains.rcode(), "24"),
    (endpoints.IP, "192.0.2.256"),
    (endpoints.LISTEN, "9153"),
    (endpoints.LISTEN, "a.example:9153"),
    (endpoints.LISTEN, ":65536"),
    (endpoints.IP_PORT, "192.0.2.1:0"),
    (endpoints.NETWORK, "192.0.2.1"),
    (endpoints.DNS64_PREFIX, "64:ff9b::/97"),
    (endpoints.DNS64_PREFIX, "10.0.0.0/8"),
    (endpoints.UPSTREAM, "192.0.2"),
    (endpoints.UPSTREAM, "quic://192.0.2.1"),
    (endpoints.UPSTREAM, "https://192.0.2.1/dns-query{?dns}"),
    (endpoints.UPSTREAM, ""),
]


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_another_text_is_refused(kind: Kind[object], text: str) -> None:
    with pytest.raises(UnfitError):
        kind.read(token(text))


EVERY: list[Kind[object]] = [kind for kind, *_ in READ] + [kind for kind, _ in REFUSED]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.expects)
def test_the_example_of_a_kind_is_of_it(kind: Kind[object]) -> None:
    kind.read(token(kind.example))


@given(st.sampled_from(EVERY), st.text() | st.text("0123456789.:/%[]-s*{}\\(", max_size=12))
def test_any_text_is_a_value_or_refused(kind: Kind[object], text: str) -> None:
    with contextlib.suppress(UnfitError):
        kind.read(token(text))


def test_a_list_in_words() -> None:
    assert kinds.listed(["a"]) == '"a"'
    assert kinds.listed(["a", "b", "c"]) == '"a", "b" or "c"'
