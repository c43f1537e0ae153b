"""DNS over HTTPS in HTTP's words: requests, and which responses are answers, how old."""

import pytest

from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.steps.https import MESSAGE_LIMIT, HttpError, Resource, Response
from tests.steps.upstream_texts import lines, reply

TYPE = (b"content-type", b"application/dns-message")
OK = (b":status", b"200")
QUERY = Query(from_text("www.example.com."), types.A)
ANSWER = reply(QUERY, "www.example.com. 30 IN A 192.0.2.1", "example.com. 300 IN NS ns.example.com.")


def test_a_request_by_post_has_the_message_as_its_content() -> None:
    fields, content = Resource("dns.example", "/dns-query", "POST").request(b"\0\0abc")
    assert content == b"\0\0abc"
    assert fields == [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"dns.example"),
        (b":path", b"/dns-query"),
        (b"accept", b"application/dns-message"),
        (b"content-type", b"application/dns-message"),
        (b"content-length", b"5"),
    ]


def test_a_request_by_get_has_the_message_in_its_path() -> None:  # the example of RFC 8484 section 4.1.1
    message = bytes.fromhex("00000100000100000000000003777777076578616d706c6503636f6d0000010001")
    fields, content = Resource("dnsserver.example.net", "/dns-query", "GET").request(message)
    assert content == b""
    assert fields == [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"dnsserver.example.net"),
        (b":path", b"/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"),
        (b"accept", b"application/dns-message"),
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([(b":status", b"404"), TYPE], "HTTP status 404"),
        ([(b":status", b"199"), TYPE], "HTTP status 199"),
        ([(b":status", b"300"), TYPE], "HTTP status 300"),
        ([(b":status", b"many"), TYPE], "HTTP status many"),
        ([OK], "HTTP content of type nothing, expected application/dns-message"),
        ([OK, (b"content-type", b"text/html; x")], "HTTP content of type text/html, expected application/dns-message"),
        ([OK, TYPE, (b"content-encoding", b"br")], "HTTP content encoded as br, which wasn't asked for"),
        ([OK, TYPE, (b"content-length", b"65536")], "HTTP content of 65536 octets or more, expected at most 65535"),
    ],
)
def test_what_is_no_answer_says_why(fields: list[tuple[bytes, bytes]], words: str) -> None:
    with pytest.raises(HttpError, match=f"^{words}$"):
        Response(fields)


@pytest.mark.parametrize(
    "fields", [[OK, TYPE], [(b":status", b"299"), (b"content-type", b"APPLICATION/dns-message ;x")]]
)
def test_success_and_the_right_type_are_an_answer(fields: list[tuple[bytes, bytes]]) -> None:
    response = Response(fields)
    response.add(b"ab")
    response.add(b"c")
    assert response.message() == b"abc"


def test_content_is_never_more_than_a_message_may_be() -> None:
    response = Response([OK, TYPE])
    response.add(bytes(MESSAGE_LIMIT))
    with pytest.raises(HttpError, match="65536 octets or more"):
        response.add(b"x")


@pytest.mark.parametrize(
    ("fields", "ttls"),
    [
        ([(b"age", b"0")], (30, 300)),
        ([(b"age", b"10")], (20, 290)),
        ([(b"age", b"31")], (0, 269)),
        ([(b"age", b"99999999999999999999")], (0, 0)),
        ([(b"age", b"-1")], (30, 300)),
        ([(b"age", b"soon")], (30, 300)),
        ([(b"cache-control", b"max-age=60")], (30, 60)),
        ([(b"cache-control", b"no-store")], (30, 300)),
        ([(b"cache-control", b'private , MAX-AGE="7"')], (7, 7)),
        ([(b"cache-control", b"max-age=60, max-age=50")], (30, 50)),
        ([(b"cache-control", b"max-age=x")], (30, 300)),
        ([(b"cache-control", b"max-age=60"), (b"age", b"50")], (0, 10)),
        ([(b"age", b"50"), (b"cache-control", b"max-age=20")], (0, 0)),
    ],
)
def test_age_and_freshness_lower_ttls(fields: list[tuple[bytes, bytes]], ttls: tuple[int, int]) -> None:
    response = Response([OK, TYPE, *fields])
    response.add(ANSWER)
    answers, authority, _ = lines(response.message())
    assert (int(answers[0].split()[1]), int(authority[0].split()[1])) == ttls


def test_an_aged_answer_that_is_no_message_is_none() -> None:
    response = Response([OK, TYPE, (b"age", b"1")])
    response.add(b"abc")
    with pytest.raises(HttpError, match="no DNS message: a message of 3 octets"):
        response.message()
