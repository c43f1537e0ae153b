"""Cookies: found among options, and made of all that they vouch for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns.cookies import client_cookie, cookie_option

SECRET = bytes(range(16))
others = st.lists(st.tuples(st.sampled_from([3, 8, 12, 65001]), st.binary(max_size=20)), max_size=3)


def options(pairs: list[tuple[int, bytes]]) -> bytes:
    return b"".join(code.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data for code, data in pairs)


@given(others, others, st.binary(min_size=8, max_size=8), st.sampled_from([b"", bytes(8), bytes(32)]))
def test_the_client_s_part_is_found_wherever_it_stands(
    before: list[tuple[int, bytes]], after: list[tuple[int, bytes]], client: bytes, server: bytes
) -> None:
    assert client_cookie(options([*before, (10, client + server), *after])) == client
    assert client_cookie(options([*before, *after])) is None


def test_a_cookie_has_the_form_of_rfc_9018() -> None:
    option = cookie_option(b"12345678", "192.0.2.1", SECRET, 0x65000000)
    assert option[:4] == b"\0\x0a\0\x18"
    assert option[4:20] == b"12345678" + b"\1\0\0\0" + b"\x65\0\0\0"
    assert len(option) == 28


@pytest.mark.parametrize(
    ("client", "address", "secret", "now_s"),
    [
        (b"87654321", "192.0.2.1", SECRET, 1_000),
        (b"12345678", "192.0.2.2", SECRET, 1_000),
        (b"12345678", "192.0.2.1", bytes(16), 1_000),
        (b"12345678", "192.0.2.1", SECRET, 1_001),
    ],
    ids=["client", "address", "secret", "time"],
)
def test_all_of_it_is_vouched_for(client: bytes, address: str, secret: bytes, now_s: int) -> None:
    one = cookie_option(b"12345678", "192.0.2.1", SECRET, 1_000)
    assert cookie_option(client, address, secret, now_s)[-8:] != one[-8:]
