"""Made-up addresses: the same each time, one for each, none that is given."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from kdns.cluster.objects import Key
from kdns.sources.made_up import PODS, SERVICES, Pair, Ranges, make_up

SMALL = Ranges(IPv4Network("10.0.0.0/29"), IPv6Network("fd00::/125"))  # six addresses that can be had
KEYS = st.sets(st.builds(Key, st.sampled_from("ab"), st.text("xyz", min_size=1, max_size=4)), max_size=8)


def test_an_address_stays_the_same_for_ever() -> None:
    assert make_up([Key("shop", "web")], SERVICES, ()) == {
        Key("shop", "web"): Pair("10.100.103.179", "fd00:96::4:67b3")
    }
    assert make_up([Key("shop", "db-0")], PODS, ()) == {Key("shop", "db-0"): Pair("10.244.147.64", "fd00:244::9340")}


@given(KEYS)
def test_each_key_has_an_address_of_its_own_while_there_are_any(keys: set[Key]) -> None:
    made = make_up(keys, SMALL, ())
    assert len(made) == min(len(keys), 6)
    assert len(set(made.values())) == len(made)
    for pair in made.values():
        assert IPv4Address(pair.v4) in SMALL.v4
        assert IPv6Address(pair.v6) in SMALL.v6


@given(st.lists(st.builds(Key, st.just("a"), st.text("xyz", min_size=1)), max_size=8))
def test_the_order_of_keys_doesnt_matter(keys: list[Key]) -> None:
    assert make_up(keys, SMALL, ()) == make_up(reversed(keys), SMALL, ())


@given(KEYS, st.sets(st.integers(1, 6)), st.sets(st.integers(1, 6)))
def test_given_addresses_arent_made_up(keys: set[Key], v4: set[int], v6: set[int]) -> None:
    given_ones = {SMALL.v4[at].packed for at in v4} | {SMALL.v6[at].packed for at in v6}
    made = make_up(keys, SMALL, given_ones)
    assert len(made) == min(len(keys), 6 - len(v4 | v6))
    for pair in made.values():
        assert IPv4Address(pair.v4).packed not in given_ones
        assert IPv6Address(pair.v6).packed not in given_ones
