"""Zones of names and of ranges of addresses."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.zones import expand, reverse
from kdns.dns import names
from kdns.dns.names import NameTextError


def shown(text: str) -> list[str]:
    return [names.to_text(zone) for zone in expand(text)]


@pytest.mark.parametrize(
    ("text", "zones"),
    [
        (".", ["."]),
        ("Cluster.LOCAL", ["cluster.local."]),
        ("cluster.local.", ["cluster.local."]),
        ("in-addr.arpa", ["in-addr.arpa."]),
        ("10.1.2.3", ["10.1.2.3."]),
        ("10.0.0.0/8", ["10.in-addr.arpa."]),
        ("10.1.2.3/16", ["1.10.in-addr.arpa."]),
        ("10.1.2.0/24", ["2.1.10.in-addr.arpa."]),
        ("10.1.2.3/32", ["3.2.1.10.in-addr.arpa."]),
        ("10.1.2.0/23", ["2.1.10.in-addr.arpa.", "3.1.10.in-addr.arpa."]),
        ("10.1.2.252/31", ["252.2.1.10.in-addr.arpa.", "253.2.1.10.in-addr.arpa."]),
        ("172.16.0.0/12", [f"{second}.172.in-addr.arpa." for second in range(16, 32)]),
        ("0.0.0.0/0", ["in-addr.arpa."]),
        ("fd00::/8", ["d.f.ip6.arpa."]),
        ("FD00:96::/32", ["6.9.0.0.0.0.d.f.ip6.arpa."]),
        ("fd00::/7", ["c.f.ip6.arpa.", "d.f.ip6.arpa."]),
        ("2001:db8::/30", [f"{digit}.b.d.0.1.0.0.2.ip6.arpa." for digit in "89ab"]),
        ("::/0", ["ip6.arpa."]),
        ("0/25.2.0.192.in-addr.arpa", ["0/25.2.0.192.in-addr.arpa."]),
        ("a/8", ["a/8."]),
    ],
)
def test_a_text_is_its_zones(text: str, zones: list[str]) -> None:
    assert shown(text) == zones


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("a..b", "a label has 0 octets"),
        ("a" * 64, "a label has 64 octets"),
        (".".join(["a" * 63] * 4), "the name has 257 octets"),
        ("fd00::1", "a colon"),
        ("example.org:dns", "a colon"),
        ("a b", "white space"),
        ("10.0.0.0/33", "the mask is /33, expected /0 to /32"),
        ("fd00::/129", "the mask is /129, expected /0 to /128"),
        ("10.0.0.0/0000000000000000000008", "the mask is"),
        ("\udcff.example", "aren't UTF-8"),
    ],
)
def test_what_is_no_zone_says_why(text: str, why: str) -> None:
    with pytest.raises(NameTextError, match=why):
        expand(text)


@given(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)) | st.tuples(st.ip_addresses(v=6), st.integers(0, 128)),
    st.data(),
)
def test_reverse_zones_hold_the_names_of_the_range_and_no_others(
    range_of: tuple[object, int], data: st.DataObject
) -> None:
    network = ip_network(f"{range_of[0]}/{range_of[1]}", strict=False)
    zones = reverse(network)
    assert len(set(zones)) == len(zones)

    def holding(number: int) -> int:
        name = names.from_text(network[0].__class__(number).reverse_pointer)
        return sum(names.is_below(name, zone) for zone in zones)

    inside = data.draw(st.integers(int(network[0]), int(network[-1])))
    assert holding(inside) == 1
    outside = int(network[-1]) + 1
    if outside < 1 << network.max_prefixlen:
        assert holding(outside) == 0


def test_no_range_is_more_zones_than_half_a_label_has_values() -> None:
    assert max(len(reverse(IPv4Network((0, length)))) for length in range(33)) == 128
    assert max(len(reverse(IPv6Network((0, length)))) for length in range(129)) == 8
