"""The index: patches lead where an image would, and touch every owner whose entry or reverse name changed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns.names import from_text
from kdns.zone.entry import (
    APEX,
    NAMESPACE_ENTRY,
    Entry,
    Kind,
    Outside,
    Owner,
    Port,
    Service,
    address_owner,
    has_address,
    is_service,
    namespace_owner,
    outside_addresses,
    pack_outside,
    pack_service,
    pack_slice,
    service_owner,
    slice_addresses,
    unpack_outside,
    unpack_service,
)
from kdns.zone.index import Index, RevisionGap
from kdns.zone.patch import Image, Patch, decode_patch, encode_patch

addresses4 = st.integers(0, 12).map(lambda i: bytes((10, 0, 0, i)))
addresses6 = st.integers(0, 3).map(lambda i: bytes((0xFD, *[0] * 14, i)))
ports = st.lists(st.sampled_from([Port(80, b"http", b"tcp"), Port(53, b"", b"udp")]), max_size=2, unique=True).map(
    tuple
)
names = st.sampled_from([b"", b"", b"a", b"b"])


def slices(size: int, addresses: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(pack_slice, st.just(size), ports, st.lists(st.tuples(addresses, names), max_size=4))


places = st.builds(
    Outside,
    v4=st.lists(addresses4, max_size=2, unique=True).map(b"".join),
    v6=st.lists(addresses6, max_size=1).map(b"".join),
    hosts=st.lists(st.sampled_from([from_text("lb.example.com."), from_text("a.b.")]), max_size=2).map(tuple),
)
services = st.builds(
    Service,
    kind=st.sampled_from([Kind.CLUSTER_IP, Kind.HEADLESS, Kind.SLICES_ONLY]),
    v4=st.lists(addresses4, max_size=2, unique=True).map(b"".join),
    v6=st.lists(addresses6, max_size=1).map(b"".join),
    ports=ports,
    slices=st.lists(slices(4, addresses4) | slices(16, addresses6), max_size=3).map(tuple),
    outside=st.just(b"") | places.map(pack_outside),
)
owned = st.dictionaries(
    st.sampled_from([service_owner("n", name) for name in "abcd"]), services.map(pack_service), max_size=4
)
revisions = st.lists(owned, min_size=1, max_size=5)
EVERY_ADDRESS = [bytes((10, 0, 0, i)) for i in range(13)] + [bytes((0xFD, *[0] * 14, i)) for i in range(4)]


def loaded(entries: dict[Owner, Entry], revision: int = 1) -> Index:
    index = Index()
    index.load(Image(revision, revision, entries))
    return index


def patch_between(old: dict[Owner, Entry], new: dict[Owner, Entry], base: int) -> Patch:
    puts = {owner: entry for owner, entry in new.items() if old.get(owner) != entry}
    patch = Patch(base, base + 1, base + 1, puts, tuple(owner for owner in old if owner not in new))
    return decode_patch(encode_patch(patch))


def holders(entries: dict[Owner, Entry], address: bytes) -> list[Owner]:
    def everything(entry: Entry) -> list[bytes]:
        service = unpack_service(entry)
        ips = [service.v4[i : i + 4] for i in range(0, len(service.v4), 4)]
        ips += [service.v6[i : i + 16] for i in range(0, len(service.v6), 16)]
        within = [a for packed in service.slices for a in slice_addresses(packed)]
        return ips + within + outside_addresses(service.outside)

    return sorted(owner for owner, entry in entries.items() if is_service(owner) and address in everything(entry))


@given(revisions)
def test_patches_lead_to_the_same_index_as_the_image(states: list[dict[Owner, Entry]]) -> None:
    index = loaded(states[0])
    for number, (old, new) in enumerate(itertools.pairwise(states), 1):
        index.apply(patch_between(old, new, number))
    assert index.entries == states[-1]
    for address in EVERY_ADDRESS:
        assert index.owners_at(address) == holders(states[-1], address)


def reverse_view(entries: dict[Owner, Entry], address: bytes) -> list[tuple[Owner, bool, list[bytes], bool]]:
    """All that a PTR answer is made of."""
    view = []
    for owner in holders(entries, address):
        service = unpack_service(entries[owner])
        ips = service.v4 if len(address) == 4 else service.v6
        within = sorted(packed for packed in service.slices if address in slice_addresses(packed))
        view.append(
            (
                owner,
                any(ips[i : i + len(address)] == address for i in range(0, len(ips), len(address))),
                within,
                address in outside_addresses(service.outside),
            )
        )
    return view


@given(owned, owned)
def test_a_patch_touches_the_owner_of_every_entry_and_reverse_name_it_changes(
    old: dict[Owner, Entry], new: dict[Owner, Entry]
) -> None:
    touched = loaded(old).apply(patch_between(old, new, 1))
    changed = {owner for owner in old.keys() | new.keys() if old.get(owner) != new.get(owner)}
    reverse = {address_owner(a) for a in EVERY_ADDRESS if reverse_view(old, a) != reverse_view(new, a)}
    assert changed | reverse | {APEX} <= touched
    assert {owner for owner in touched if is_service(owner)} == changed


def test_a_slice_that_stays_is_not_touched() -> None:
    kept = pack_slice(4, (), [(bytes((10, 0, 0, i)), b"") for i in range(100)])
    one, two = (pack_slice(4, (), [(bytes((10, 0, 1, i)), b"")]) for i in (1, 2))
    owner = service_owner("n", "big")
    index = loaded({owner: pack_service(Service(Kind.HEADLESS, slices=(kept, one)))})
    touched = index.apply(Patch(1, 2, 2, {owner: pack_service(Service(Kind.HEADLESS, slices=(kept, two)))}))
    assert touched == {APEX, owner, address_owner(bytes((10, 0, 1, 1))), address_owner(bytes((10, 0, 1, 2)))}


@pytest.mark.parametrize("base", [0, 2, 7])
def test_a_gap_in_revisions_changes_nothing(base: int) -> None:
    index = loaded({namespace_owner("n"): NAMESPACE_ENTRY})
    with pytest.raises(RevisionGap):
        index.apply(Patch(base, base + 1, 9, {}, (namespace_owner("n"),)))
    assert (index.revision, index.entries) == (1, {namespace_owner("n"): NAMESPACE_ENTRY})


def test_an_index_never_loaded_takes_no_patch() -> None:
    with pytest.raises(RevisionGap):
        Index().apply(Patch(0, 1, 1, {}))


@given(services)
def test_an_entry_unpacks_to_the_service_it_was_packed_from(service: Service) -> None:
    assert unpack_service(pack_service(service)) == service


@given(places)
def test_what_is_outside_unpacks_to_what_was_packed(outside: Outside) -> None:
    assert unpack_outside(pack_outside(outside)) == outside


def test_a_service_with_nothing_outside_pays_nothing() -> None:
    plain = Service(Kind.CLUSTER_IP, v4=bytes(4))
    assert pack_service(plain._replace(outside=pack_outside(Outside()))) == pack_service(plain)


@given(services, st.sampled_from(EVERY_ADDRESS))
def test_an_address_is_found_only_on_its_boundary(service: Service, address: bytes) -> None:
    owner = service_owner("n", "a")
    entry = pack_service(service)
    assert has_address(entry, address) is bool(holders({owner: entry}, address))


@pytest.mark.parametrize("stale", [True, False])
def test_an_index_is_stale_as_what_led_to_it(stale: bool) -> None:
    index = Index()
    index.load(Image(1, 1, {}, stale=stale))
    assert index.stale == stale
    index.apply(decode_patch(encode_patch(Patch(1, 2, 2, {}, (), stale=not stale))))
    assert index.stale != stale
