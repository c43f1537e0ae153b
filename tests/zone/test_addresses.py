"""The address table answers as a dictionary of multisets would, but for chance hits of a fingerprint."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kdns.zone.addresses import AddressTable

pairs = st.tuples(st.integers(0, 40).map(lambda i: bytes((10, 0, 0, i))), st.integers(0, 3))


@given(st.lists(st.tuples(st.booleans(), pairs), max_size=300))
def test_any_order_of_adding_and_removing_leaves_what_a_multiset_would_hold(
    operations: list[tuple[bool, tuple[bytes, int]]],
) -> None:
    table = AddressTable()
    model: Counter[tuple[bytes, int]] = Counter()
    for adding, pair in operations:
        if adding:
            table.add(pair[:1], pair[1])
            model[pair] += 1
        else:
            table.remove(pair[:1], pair[1])
            model[pair] = max(0, model[pair] - 1)
    assert len(table) == model.total()
    for i in range(41):
        address = bytes((10, 0, 0, i))
        expected = sorted(pair[1] for pair in model.elements() if pair[0] == address)
        assert sorted(table.find(address)) == expected


def test_growing_and_emptying_keeps_every_address() -> None:
    table = AddressTable()
    addresses = [i.to_bytes(4, "big") for i in range(20_000)]
    for number, address in enumerate(addresses):
        table.add([address], number)
    assert all(number in table.find(address) for number, address in enumerate(addresses))
    for number, address in enumerate(addresses):
        table.remove([address], number)
    assert len(table) == 0
    assert not any(list(table.find(address)) for address in addresses)
