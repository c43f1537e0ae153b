"""The wire against a server that keeps no rule. Time is virtual, sockets are real."""

import asyncio
import gzip
import ssl
import zlib
from collections.abc import Awaitable, Callable
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.sources.wire import Inflater, Lines, Link, OversizeError, Peer, Response, SilenceError, WireError, connect
from tests.sources.sinful_server import Behaviour, answer, chunk, sends, serving, stalls, streams
from tests.virtual_time import run

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def fetched(*behaviours: Behaviour, limit_bytes: int | None = None) -> bytes:
    """The body of one GET."""

    async def fetch() -> bytes:
        async with serving(*behaviours) as server:
            connection = await connect(server.peer)
            response = await connection.get("/x", {}, idle_s=30, limit_bytes=limit_bytes)
            try:
                return await response.read(30)
            finally:
                connection.close()

    return run(fetch())


def test_a_body_comes_as_it_was_sent() -> None:
    assert fetched(answer(b"octets")) == b"octets"


def test_a_chunked_body_comes_without_its_chunks() -> None:
    assert fetched(streams(b"one", b"two", close=True)) == b"onetwo"


def test_a_gzipped_body_is_gunzipped() -> None:
    body = b"many octets " * 300_000
    assert fetched(answer(gzip.compress(body), Content_Encoding="gzip"), limit_bytes=1 << 30) == body


def test_status_headers_and_retry_after_are_given() -> None:
    async def get() -> tuple[int, float | None]:
        async with serving(answer(b"", 429, Retry_After="7")) as server:
            with closing(Link()) as link:
                response = await link.get(server.peer, "/", {}, idle_s=30)
                return response.status, response.retry_after_s

    assert run(get()) == (429, 7.0)


def test_a_request_says_where_what_and_who() -> None:
    async def get() -> list[bytes]:
        async with serving(answer(b"")) as server:
            with closing(Link()) as link:
                await link.get(server.peer, "/a?b=c", {"Authorization": "Bearer t"}, idle_s=30)
            return [server.requests[0].replace(str(server.port).encode(), b"PORT")]

    assert run(get()) == [b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: Bearer t\r\n\r\n"]


CUT = [
    pytest.param(sends(b"", close=True), id="no head"),
    pytest.param(sends(b"HTTP/1.1 200 OK\r\nConte", close=True), id="half a head"),
    pytest.param(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour", close=True), id="half a body"),
    pytest.param(sends(HEAD + b"9\r\nfour", close=True), id="half a chunk"),
    pytest.param(sends(HEAD + chunk(b"whole"), close=True), id="no last chunk"),
]
WRONG = [
    pytest.param(sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), id="not HTTP"),
    pytest.param(sends(b"\x15\x03\x01\x00\x02\x02\x16" * 9, close=True), id="TLS"),
    pytest.param(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n"), id="two lengths"),
    pytest.param(sends(HEAD + b"zz\r\n"), id="no chunk"),
    pytest.param(sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), id="endless head"),
    pytest.param(answer(b"no gzip", Content_Encoding="gzip"), id="no gzip"),
    pytest.param(answer(gzip.compress(b"x" * 999)[:-9], Content_Encoding="gzip"), id="half a gzip"),
    pytest.param(answer(b"x", Content_Encoding="br"), id="another coding"),
]


@pytest.mark.parametrize("behaviour", [*CUT, *WRONG])
def test_whatever_is_wrong_is_a_wire_error_that_names_the_server(behaviour: Behaviour) -> None:
    with pytest.raises(WireError, match=r"^http://127\.0\.0\.1:\d+: ."):
        fetched(behaviour)


def seconds_until_silence(behaviour: Behaviour, get: Callable[[Peer, Link], Awaitable[object]]) -> float:
    async def measure() -> float:
        async with serving(behaviour) as server:
            with pytest.raises(SilenceError, match="not an octet for 30 s"), closing(Link()) as link:
                await get(server.peer, link)
            return asyncio.get_running_loop().time()

    return run(measure())


async def _get(peer: Peer, link: Link) -> Response:
    return await link.get(peer, "/", {}, idle_s=30)


async def _read(peer: Peer, link: Link) -> bytes:
    return await (await _get(peer, link)).read(30)


@pytest.mark.parametrize("behaviour", [stalls, sends(b"HTTP/1.1 200 OK\r\n")])
def test_a_head_that_doesnt_come_is_waited_for_30_seconds(behaviour: Behaviour) -> None:
    assert seconds_until_silence(behaviour, _get) == 30


@pytest.mark.parametrize("behaviour", [sends(HEAD), sends(HEAD, chunk(b"x"), b"5\r\n")])
def test_a_body_that_stalls_is_waited_for_30_seconds(behaviour: Behaviour) -> None:
    assert seconds_until_silence(behaviour, _read) == 30


def test_a_body_may_take_as_long_as_it_likes_an_octet_at_a_time() -> None:
    async def trickle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for octet in b"slowly":
            await asyncio.sleep(29)
            writer.write(chunk(bytes((octet,))))
        writer.write(b"0\r\n\r\n")

    assert fetched(trickle) == b"slowly"


def test_a_port_where_nobody_listens_is_a_wire_error() -> None:
    async def get() -> None:
        async with serving(stalls) as server:
            peer = server.peer
        await connect(peer)

    with pytest.raises(WireError, match=r"refused|failed"):
        run(get())


def test_a_tls_handshake_that_hangs_is_given_up_after_10_seconds() -> None:
    async def get() -> float:
        async with serving(stalls) as server:
            peer = Peer("127.0.0.1", server.port, ssl.create_default_context)
            with pytest.raises(WireError, match="no connection within 10 s"):
                await connect(peer)
            return asyncio.get_running_loop().time()

    assert run(get()) == 10


def test_a_body_past_its_limit_is_refused() -> None:
    with pytest.raises(OversizeError):
        fetched(answer(b"x" * 101), limit_bytes=100)


def test_a_gzip_bomb_is_refused_before_it_is_inflated() -> None:
    bomb = gzip.compress(bytes(1 << 26), 9)
    with pytest.raises(OversizeError):
        fetched(answer(bomb, Content_Encoding="gzip"), limit_bytes=1 << 20)
    with pytest.raises(OversizeError):
        fetched(answer(bomb, Content_Encoding="gzip"))


def bodies(count: int, *behaviours: Behaviour) -> tuple[list[bytes], int]:
    """The bodies of so many requests over one link, and how many connections they took."""

    async def get() -> tuple[list[bytes], int]:
        async with serving(*behaviours) as server:
            with closing(Link()) as link:
                return [await _read(server.peer, link) for _ in range(count)], server.connections

    return run(get())


def test_lists_follow_each_other_on_one_connection() -> None:
    assert bodies(3, answer(b"1"), streams(b"2", close=True), answer(b"3")) == ([b"1", b"2", b"3"], 1)


def test_a_kept_connection_that_the_server_gave_up_is_replaced_without_a_word() -> None:
    assert bodies(2, answer(b"1"), sends(b"", close=True), answer(b"2")) == ([b"1", b"2"], 2)


def test_a_server_that_closes_after_its_answer_is_connected_to_again() -> None:
    closing_answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
    assert bodies(2, sends(closing_answer, close=True)) == ([b"x", b"x"], 2)


def test_a_body_left_unread_costs_the_connection() -> None:
    async def get() -> int:
        async with serving(streams(b"endless")) as server:
            with closing(Link()) as link:
                await _get(server.peer, link)
                await _get(server.peer, link)
            return server.connections

    assert run(get()) == 2


def test_what_one_read_brought_comes_as_one_chunk() -> None:
    async def get() -> bytes:
        async with serving(sends(HEAD + chunk(b"a\n") + chunk(b"b\n") + chunk(b"c"))) as server:
            with closing(Link()) as link:
                return await (await _get(server.peer, link)).chunk(30)

    assert run(get()) == b"a\nb\nc"


# Lines and gzip, without a server

LINE_BYTES = st.binary(max_size=8).map(lambda octets: octets.replace(b"\n", b"."))


def cut(octets: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(octets), *(position % (len(octets) + 1) for position in at)})
    return [octets[start:end] for start, end in pairwise(edges)]


@given(st.lists(LINE_BYTES), LINE_BYTES, st.lists(st.integers(min_value=0)))
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[bytes], rest: bytes, at: list[int]) -> None:
    splitter = Lines()
    pieces = cut(b"".join(line + b"\n" for line in lines) + rest, at)
    assert [line for piece in pieces for line in splitter.feed(piece)] == [line for line in lines if line]


def test_a_line_of_a_megabyte_can_come_an_octet_at_a_time() -> None:
    splitter = Lines()
    for _ in range(1 << 20):
        assert splitter.feed(b"x") == []
    assert splitter.feed(b"\n") == [b"x" * (1 << 20)]


def test_a_line_without_end_is_refused() -> None:
    splitter = Lines(limit_bytes=1000)
    splitter.feed(b"x" * 1000)
    with pytest.raises(OversizeError):
        splitter.feed(b"x")


@given(st.binary(max_size=2000), st.lists(st.integers(min_value=0)))
def test_gzip_inflates_the_same_however_it_is_cut(body: bytes, at: list[int]) -> None:
    inflater = Inflater(None)
    assert b"".join(inflater.feed(piece) for piece in cut(gzip.compress(body), at)) == body
    inflater.end()


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_gzip_that_fills_a_step_to_the_brim_inflates_whole(size: int) -> None:
    inflater = Inflater(None)
    assert len(inflater.feed(gzip.compress(bytes(size)))) == size
    inflater.end()


def test_what_can_be_inflated_is_not_held_back_until_more_comes() -> None:
    # A little more than fills some steps: zlib then has taken all input while it still has output.
    body = bytes((3 << 20) + 77)
    packed = gzip.compress(body)
    for missing in range(8, 40):
        given, rest = packed[:-missing], zlib.decompressobj(wbits=31)
        assert len(Inflater(None).feed(given)) == len(rest.decompress(given))


def test_a_zlib_stream_is_no_gzip() -> None:
    with pytest.raises(WireError):
        Inflater(None).feed(zlib.compress(b"x"))
