"""resolv.conf: a table of texts, and that any text at all gives a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.resolvconf import NAMESERVERS_MAX, ResolvConf, parse

TABLE = [
    ("", ResolvConf()),
    ("nameserver 10.0.0.1\n", ResolvConf(("10.0.0.1",))),
    ("nameserver 10.0.0.1 # home\nnameserver fe80::1%eth0\n", ResolvConf(("10.0.0.1", "fe80::1%eth0"))),
    ("# nameserver 10.0.0.1\n;nameserver 10.0.0.2\n", ResolvConf()),
    ("\tnameserver\t10.0.0.1\r\n", ResolvConf(("10.0.0.1",))),
    ("nameserver 10.0.0.1\nnameserver 10.0.0.1\n", ResolvConf(("10.0.0.1",))),
    ("nameserver\nnameserver dns.example\n", ResolvConf(left_out=("dns.example",))),
    ("search a.example. b.example\nsearch c.example\n", ResolvConf(search=("c.example",))),
    ("search a.example\ndomain b.example c.example\n", ResolvConf(search=("b.example",))),
    ("search .\n", ResolvConf()),
    ("options ndots:5 timeout:1\noptions edns0\n", ResolvConf(ndots=5)),
    ("options ndots:99999999 ndots:x ndots:-1\n", ResolvConf(ndots=15)),
    ("sortlist 10.0.0.0\nnameservers 10.0.0.1\n", ResolvConf()),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_a_text_says(text: str, expected: ResolvConf) -> None:
    assert parse(text) == expected


def test_nameservers_past_the_limit_are_left_out_and_named() -> None:
    conf = parse("".join(f"nameserver 10.0.0.{number}\n" for number in range(1, 18)))
    assert len(conf.nameservers) == NAMESERVERS_MAX
    assert conf.left_out == ("10.0.0.16", "10.0.0.17")


@given(st.text() | st.lists(st.sampled_from(["nameserver", "options ndots:", " ", "\n", "::1", "٣", "9"])).map("".join))
def test_any_text_gives_a_value_within_limits(text: str) -> None:
    conf = parse(text)
    assert len(conf.nameservers) <= NAMESERVERS_MAX
    assert 0 <= conf.ndots <= 15
