"""edns-tcp-keepalive: told to who asks, in tenths of a second, and to nobody else."""

import dns.edns
import pytest

from kdns.dns import types
from kdns.dns.keepalive import keepalive_option
from kdns.dns.query import QueryError
from tests.dns.octets import option

ASKED = option(11)


@pytest.mark.parametrize("options", [ASKED, option(3) + ASKED + option(10, bytes(8))], ids=["alone", "among others"])
def test_who_asks_is_told_how_long_its_connection_may_be_silent(options: bytes) -> None:
    assert keepalive_option(options, 10.0) == b"\0\x0b\0\x02\0\x64"


@pytest.mark.parametrize(
    ("idle_s", "units"), [(0.0, 0), (0.09, 0), (0.1, 1), (10.0, 100), (6553.5, 65535), (10_000.0, 65535)]
)
def test_the_time_is_in_tenths_of_a_second(idle_s: float, units: int) -> None:
    assert int.from_bytes(keepalive_option(ASKED, idle_s)[4:]) == units


@pytest.mark.parametrize("options", [b"", option(3), option(65001, ASKED)])
def test_who_does_not_ask_is_told_nothing(options: bytes) -> None:
    assert keepalive_option(options, 10.0) == b""


@pytest.mark.parametrize("size", [1, 2, 3])
def test_e21_a_query_says_no_time_of_its_own(size: int) -> None:
    with pytest.raises(QueryError) as caught:
        keepalive_option(option(11, bytes(size)), 10.0)
    assert (caught.value.rcode, caught.value.edns) == (types.FORMERR, True)


def test_others_read_the_same() -> None:
    wire = keepalive_option(ASKED, 12.3)
    assert dns.edns.option_from_wire(dns.edns.OptionType(11), wire, 4, 2).to_wire() == (123).to_bytes(2)
