"""Keys of server blocks: scheme, zones and port."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.keys import Key, parse
from kdns.config.syntax import Place, Problem, Token
from kdns.dns import names


def token(text: str) -> Token:
    return Token(text, Place("Corefile", 3, 5), width=len(text))


def shown(text: str) -> tuple[str, list[str], int | None]:
    key = parse(token(text))
    assert isinstance(key, Key), key
    assert key.token == token(text)
    return key.scheme, [names.to_text(zone) for zone in key.zones], key.port


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (".", ("dns", ["."], None)),
        (".:53", ("dns", ["."], 53)),
        (".:0", ("dns", ["."], 0)),
        (".:00053", ("dns", ["."], 53)),
        ("Example.ORG", ("dns", ["example.org."], None)),
        ("example.org.:1053", ("dns", ["example.org."], 1053)),
        ("dns://example.org", ("dns", ["example.org."], None)),
        ("tls://example.org", ("tls", ["example.org."], 853)),
        ("tls://.:8853", ("tls", ["."], 8853)),
        ("quic://.", ("quic", ["."], 853)),
        ("grpc://.", ("grpc", ["."], 443)),
        ("https://.", ("https", ["."], 443)),
        ("https3://.", ("https3", ["."], 443)),
        ("10.0.0.0/8", ("dns", ["10.in-addr.arpa."], None)),
        ("10.0.2.0/23:54", ("dns", ["2.0.10.in-addr.arpa.", "3.0.10.in-addr.arpa."], 54)),
        ("fd00::/8", ("dns", ["d.f.ip6.arpa."], None)),
        ("tls://fd00::/8:54", ("tls", ["d.f.ip6.arpa."], 54)),
        ("_udp.a-b.example", ("dns", ["_udp.a-b.example."], None)),
    ],
)
def test_a_key_is_scheme_zones_and_port(text: str, key: tuple[str, list[str], int | None]) -> None:
    assert shown(text) == key


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", 'found no zone in ""', "write . for all names"),
        (":5353", 'found no zone in ":5353"', "write . for all names"),
        (":", 'found no zone in ":"', "write . for all names"),
        ("tls://", 'found no zone in "tls://"', "write . for all names"),
        (".:", 'found nothing behind the colon of ".:", expected a port', ""),
        ("example.org:dns", 'found no zone in "example.org:dns": a colon stands in it', ""),
        ("fd00::1:", 'found nothing behind the colon of "fd00::1:", expected a port', ""),
        ("fd00::1", 'found no zone in "fd00:": a colon stands in it', ""),
        (".:65536", 'found the port "65536", expected 0 to 65535', ""),
        (".:+53", 'found no zone in ".:+53": a colon stands in it', ""),
        (".:٥٣", 'found no zone in ".:٥٣": a colon stands in it', ""),
        ("tsl://.", 'unknown scheme "tsl"', 'did you mean "tls"?'),
        ("TLS://.", 'unknown scheme "TLS"', 'did you mean "tls"?'),
        (
            "ftp://.",
            'unknown scheme "ftp"',
            "leave it out, or write one of dns, tls, quic, grpc, https, https3",
        ),
        ("a..b", 'found no zone in "a..b": a label has 0 octets, expected 1 to 63', ""),
        ("10.0.0.0/33", 'found no zone in "10.0.0.0/33": the mask is /33, expected /0 to /32', ""),
    ],
)
def test_what_is_no_key_is_a_problem(text: str, message: str, hint: str) -> None:
    assert parse(token(text)) == Problem(Place("Corefile", 3, 5), message, hint, width=len(text))


PIECES = st.sampled_from(["dns", "tls", "://", ":", "/", ".", "53", "10", "fd00", "a", "\\", "\udcff", " ", "%", "é"])


@given(st.lists(PIECES | st.characters(), max_size=10).map("".join))
def test_any_text_is_a_key_or_a_problem(text: str) -> None:
    key = parse(token(text))
    if isinstance(key, Key):
        assert key.zones
        assert key.port is None or 0 <= key.port <= 65535
    else:
        assert (key.place, key.width) == (Place("Corefile", 3, 5), len(text))
