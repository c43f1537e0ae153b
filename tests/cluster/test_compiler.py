"""The compiler: entries follow from the objects alone, and patches lead from one state to the next."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.cluster.compiler import REQUIRED, CompileOptions, Compiler
from kdns.cluster.objects import (
    RESOURCES,
    Delta,
    Drop,
    EndpointSlice,
    Key,
    Namespace,
    Pod,
    Put,
    Reset,
    Service,
    ServiceImport,
    Stamp,
    Synced,
)
from kdns.zone import entry as zone
from kdns.zone.entry import NAMESPACE_ENTRY, POD_ENTRY, Entry, Kind, Owner, Port, namespace_owner, pod_owner
from kdns.zone.patch import Patch
from tests.cluster.histories import Objects, after, histories

WEB = Key("shop", "web")
STAMP = Stamp("u", "1")
OWNER = zone.service_owner("shop", "web")
TEN, TWENTY = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
SIX = bytes(15) + b"\1"
HTTP = Port(80, b"http", b"tcp")
ONE, TWO = (zone.pack_slice(4, (HTTP,), [(address, b"")]) for address in (TEN, TWENTY))
ALL_SYNCED = tuple(Synced(resource) for resource in REQUIRED)
VERIFIED = CompileOptions(pods_verified=True)


def compiler_of(*deltas: Delta, options: CompileOptions = CompileOptions()) -> Compiler:  # noqa: B008 - a frozen value
    compiler = Compiler(options)
    compiler.apply([*deltas, *ALL_SYNCED], now=0)
    return compiler


def put(*objects: Service | EndpointSlice | Namespace | Pod) -> list[Delta]:
    resources = {Service: "services", EndpointSlice: "endpointslices", Namespace: "namespaces", Pod: "pods"}
    return [Put(resources[type(each)], each) for each in objects]  # type: ignore[arg-type]  # a Resource, by the table


def slice_of(name: str, packed: bytes, service: str = "web") -> EndpointSlice:
    return EndpointSlice(Key("shop", name), STAMP, service, packed)


def entries_of(*objects: Service | EndpointSlice | Namespace | Pod, **options: bool) -> dict[Owner, Entry]:
    return dict(compiler_of(*put(*objects), options=CompileOptions(**options)).image().entries)


def service_of(entries: dict[Owner, Entry]) -> zone.Service:
    return zone.unpack_service(entries[OWNER])


def batches(draw: st.DrawFn, history: list[Delta]) -> Iterable[list[Delta]]:
    cuts = sorted(draw(st.lists(st.integers(0, len(history)), max_size=6)))
    return [history[start:end] for start, end in zip([0, *cuts], [*cuts, len(history)], strict=True)]


# The laws


def expected(there: Objects, options: CompileOptions) -> dict[Owner, Entry]:
    """The entries of all objects there are, written out plainly."""
    spaces = {key.name for key in there["namespaces"]}
    shown = set(spaces)
    if not options.listed_namespaces:
        spaces |= {key.namespace for resource in ("services", "serviceimports") for key in there[resource]}
        spaces |= {key.namespace for key in there["pods"]} if options.pods_verified else set()
        shown |= {key.namespace for resource in RESOURCES for key in there[resource]}
    entries = {namespace_owner(space): NAMESPACE_ENTRY for space in spaces}
    pods = [pod for pod in there["pods"].values() if isinstance(pod, Pod) and pod.key.namespace in shown]
    if options.pods_verified:
        entries |= {pod_owner(pod.key.namespace, address): POD_ENTRY for pod in pods for address in pod.addresses}
    slices = [each for _, each in sorted(there["endpointslices"].items()) if isinstance(each, EndpointSlice)]
    entries |= expected_imports(there, slices, shown, options)
    slices = [each for each in slices if each.service and options.endpoints]
    for key in {*there["services"], *(Key(each.key.namespace, each.service) for each in slices)}:
        own = tuple(each.packed for each in slices if (each.key.namespace, each.service) == key)
        made = expected_service(there["services"].get(key), own, options)
        if made is not None and key.namespace in shown:
            entries[zone.service_owner(key.namespace, key.name)] = zone.pack_service(made)
    return entries


def expected_imports(
    there: Objects, slices: list[EndpointSlice], shown: set[str], options: CompileOptions
) -> dict[Owner, Entry]:
    entries = {}
    for (space, name), found in there["serviceimports"].items():
        assert isinstance(found, ServiceImport)
        own = [each for each in slices if each.imported and (each.key.namespace, each.imported[0]) == (space, name)]
        packed = tuple(zone.with_cluster(each.packed, each.imported[1].encode()) for each in own if each.imported)
        v4, v6 = (b"".join(ip for ip in found.ips if len(ip) == size) for size in (4, 16))
        is_empty = not any(zone.unpack_slice(each)[2] for each in packed)
        if space in shown and (found.headless or options.empty_services or not is_empty):
            kind = Kind.HEADLESS if found.headless else Kind.CLUSTER_IP
            made = zone.Service(kind, v4, v6, ports=found.ports, slices=packed)
            entries[zone.import_owner(space, name)] = zone.pack_service(made)
    return entries


def expected_service(found: object, slices: tuple[bytes, ...], options: CompileOptions) -> zone.Service | None:
    if not isinstance(found, Service):
        return zone.Service(Kind.SLICES_ONLY, slices=slices)
    kind = Kind.EXTERNAL_NAME if found.external_name else Kind.HEADLESS if found.headless else Kind.CLUSTER_IP
    if kind == Kind.CLUSTER_IP and not (options.empty_services or any(zone.unpack_slice(each)[2] for each in slices)):
        return None
    v4, v6 = (b"".join(ip for ip in found.cluster_ips if len(ip) == size) for size in (4, 16))
    target = found.target if kind == Kind.EXTERNAL_NAME else b""
    return zone.Service(kind, v4, v6, target, found.ports, slices, found.outside)


every_option = st.builds(CompileOptions, *[st.booleans()] * len(CompileOptions._fields))


@settings(max_examples=300)
@given(st.data(), histories, every_option)
def test_entries_follow_from_the_objects_alone(
    data: st.DataObject, history: list[Delta], options: CompileOptions
) -> None:
    compiler = Compiler(options)
    compiler.apply(data.draw(st.sampled_from([(), ALL_SYNCED])), now=0)
    for batch in data.draw(st.composite(batches)(history)):
        compiler.apply(batch, now=0)
    compiler.apply(ALL_SYNCED, now=0)
    assert compiler.image().entries == expected(after(history), options)


@settings(max_examples=400)
@given(histories, every_option)
def test_each_change_of_its_own_leads_to_the_same_entries(history: list[Delta], options: CompileOptions) -> None:
    compiler = Compiler(options)
    for delta in (*ALL_SYNCED, *history):
        compiler.apply((delta,), now=0)
    assert compiler.image().entries == expected(after(history), options)


@given(st.data(), histories, every_option)
def test_patches_lead_from_nothing_to_the_image(
    data: st.DataObject, history: list[Delta], options: CompileOptions
) -> None:
    compiler, entries = Compiler(options), dict[Owner, Entry]()
    at = (0, 0)
    for batch in data.draw(st.composite(batches)([*ALL_SYNCED, *history] if data.draw(st.booleans()) else history)):
        patch = compiler.apply(batch, now=data.draw(st.integers(0, 50)))
        if patch:
            assert (patch.base, patch.revision) == (at[0], at[0] + 1)
            assert patch.serial > at[1]
            assert not patch.puts.keys() & patch.drops
            for owner in patch.drops:
                del entries[owner]
            assert not at[0] or patch.drops or not patch.puts.items() <= entries.items()
            entries.update(patch.puts)
            at = (patch.revision, patch.serial)
        image = compiler.image()
        assert (image.entries, image.revision, image.serial) == (entries, *at)


# What is published when


def test_before_all_required_is_seen_whole_nothing_is_published() -> None:
    compiler = Compiler()
    assert compiler.apply([*put(Service(WEB, STAMP)), Synced("services"), Synced("namespaces")], now=5) is None
    assert (compiler.synced, compiler.image()) == (False, (0, 0, {}, False))
    patch = compiler.apply([Synced("endpointslices")], now=7)
    assert patch is not None
    assert (compiler.synced, patch.base, patch.revision, patch.serial) == (True, 0, 1, 7)
    assert set(patch.puts) == {OWNER, namespace_owner("shop")}


def test_cluster_of_nothing_has_a_first_revision() -> None:
    assert Compiler().apply(ALL_SYNCED, now=7) == Patch(0, 1, 7, {}, ())


def test_pods_are_never_waited_for() -> None:
    compiler = Compiler(VERIFIED)
    assert compiler.apply(ALL_SYNCED, now=1) is not None


def test_many_deltas_are_one_patch() -> None:
    compiler = compiler_of(*put(Service(WEB, STAMP, headless=True), slice_of("a", ONE)))
    deltas = [Drop("endpointslices", Key("shop", "a")), *put(slice_of("b", TWO))]
    patch = compiler.apply(deltas, now=9)
    assert patch is not None
    assert patch.puts == {OWNER: zone.pack_service(zone.Service(Kind.HEADLESS, slices=(TWO,)))}
    assert patch.drops == ()


def test_what_changes_nothing_in_dns_is_no_revision() -> None:
    compiler = compiler_of(*put(Service(WEB, STAMP, (TEN,))))
    assert compiler.apply(put(Service(WEB, Stamp("u", "2"), (TEN,), labels=(("a", "b"),))), now=9) is None
    assert compiler.apply([Synced("services")], now=9) is None
    assert compiler.apply([], now=9) is None
    assert compiler.revision == 1


def test_serial_grows_whatever_the_clock_does() -> None:
    compiler = Compiler()
    serials = []
    for step, now in enumerate((100, 100, 50, 200)):
        patch = compiler.apply([*ALL_SYNCED, *put(Service(WEB, STAMP, (bytes((10, 0, 0, step)),)))], now)
        serials.append(patch.serial if patch else None)
    assert serials == [100, 101, 102, 200]


def test_image_stays_as_it_is() -> None:
    compiler = compiler_of(*put(Service(WEB, STAMP, (TEN,))))
    image = compiler.image()
    compiler.apply([Reset("services", ())], now=9)
    assert set(image.entries) == {OWNER, namespace_owner("shop")}
    assert compiler.image().entries == {}


# What becomes of objects


def test_cluster_ip_service_has_both_families_ports_and_endpoints() -> None:
    entries = entries_of(Service(WEB, STAMP, (SIX, TEN), ports=(HTTP,)), slice_of("s", ONE))
    assert service_of(entries) == zone.Service(Kind.CLUSTER_IP, TEN, SIX, b"", (HTTP,), (ONE,))


def test_service_without_address_is_there() -> None:
    assert service_of(entries_of(Service(WEB, STAMP))) == zone.Service(Kind.CLUSTER_IP)


def test_slices_of_a_service_stand_in_the_order_of_their_names() -> None:
    entries = entries_of(slice_of("z", ONE), Service(WEB, STAMP, headless=True), slice_of("y", TWO), slice_of("x", ONE))
    assert service_of(entries) == zone.Service(Kind.HEADLESS, slices=(ONE, TWO, ONE))


def test_external_name_leads_to_its_target_and_keeps_its_endpoints() -> None:
    entries = entries_of(Service(WEB, STAMP, external_name="WWW.example.com."), slice_of("s", ONE))
    target = b"\x03WWW\x07example\x03com\0"
    assert service_of(entries) == zone.Service(Kind.EXTERNAL_NAME, target=target, slices=(ONE,))


@pytest.mark.parametrize("name", ["192.0.2.1", "2001:db8::1", "a..b", "x" * 64, ".", ".".join(["x" * 60] * 5)])
def test_external_name_that_is_no_name_leads_nowhere(name: str) -> None:
    assert service_of(entries_of(Service(WEB, STAMP, external_name=name))) == zone.Service(Kind.EXTERNAL_NAME)


def test_slices_of_no_service_are_there_without_a_namespace() -> None:
    entries = entries_of(slice_of("s", ONE))
    assert entries == {OWNER: zone.pack_service(zone.Service(Kind.SLICES_ONLY, slices=(ONE,)))}


def test_slices_without_label_are_in_no_entry() -> None:
    assert entries_of(slice_of("s", ONE, service="")) == {}


def test_namespace_is_there_by_itself_or_by_a_service_in_it() -> None:
    assert entries_of(Namespace(Key("", "shop"), STAMP)) == {namespace_owner("shop"): NAMESPACE_ENTRY}
    assert entries_of(Service(WEB, STAMP))[namespace_owner("shop")] == NAMESPACE_ENTRY


def test_namespace_stays_until_its_last_service_is_gone() -> None:
    compiler = compiler_of(
        *put(Namespace(Key("", "shop"), STAMP), Service(WEB, STAMP), Service(Key("shop", "b"), STAMP))
    )
    steps = (Drop("namespaces", Key("", "shop")), Drop("services", WEB), Drop("services", Key("shop", "b")))
    there = []
    for delta in steps:
        compiler.apply([delta], now=0)
        there.append(namespace_owner("shop") in compiler.image().entries)
    assert there == [True, True, False]


def test_service_gone_leaves_its_slices() -> None:
    compiler = compiler_of(*put(Service(WEB, STAMP, (TEN,)), slice_of("s", ONE)))
    patch = compiler.apply([Drop("services", WEB)], now=9)
    assert patch is not None
    assert patch.puts == {OWNER: zone.pack_service(zone.Service(Kind.SLICES_ONLY, slices=(ONE,)))}
    assert patch.drops == (namespace_owner("shop"),)


def test_pods_have_names_only_where_verified() -> None:
    pod = Pod(Key("shop", "p"), STAMP, (TEN, SIX))
    assert entries_of(pod) == {}
    assert entries_of(pod, pods_verified=True) == {
        namespace_owner("shop"): NAMESPACE_ENTRY,
        pod_owner("shop", TEN): POD_ENTRY,
        pod_owner("shop", SIX): POD_ENTRY,
    }


def test_address_of_two_pods_is_there_until_both_are_gone() -> None:
    pods = [Pod(Key("shop", name), STAMP, (TEN,)) for name in ("p", "q")]
    compiler = compiler_of(*put(Namespace(Key("", "shop"), STAMP), *pods), options=VERIFIED)
    assert compiler.apply([Drop("pods", Key("shop", "p"))], now=9) is None
    patch = compiler.apply([Drop("pods", Key("shop", "q"))], now=9)
    assert patch is not None
    assert (patch.puts, patch.drops) == ({}, (pod_owner("shop", TEN),))


def test_every_resource_can_be_required() -> None:
    compiler = Compiler(VERIFIED, required=RESOURCES)
    assert compiler.apply(ALL_SYNCED, now=1) is None
    assert compiler.apply([Synced("pods")], now=1) is None
    assert compiler.apply([Synced("serviceimports")], now=1) is not None


# What options leave out


NAMESPACE = Namespace(Key("", "shop"), STAMP)
SELECTED = CompileOptions(pods_verified=True, listed_namespaces=True)


def test_a_namespace_that_comes_or_goes_takes_all_in_it_along() -> None:
    pod = Pod(Key("shop", "p"), STAMP, (TEN,))
    objects = put(Service(WEB, STAMP, (TEN,)), slice_of("s", ONE, service="other"), pod)
    compiler = compiler_of(*objects, options=SELECTED)
    assert compiler.image().entries == {}
    patch = compiler.apply(put(NAMESPACE), now=1)
    assert patch is not None
    owners = {OWNER, zone.service_owner("shop", "other"), namespace_owner("shop"), pod_owner("shop", TEN)}
    assert set(patch.puts) == owners
    patch = compiler.apply([Drop("namespaces", NAMESPACE.key)], now=2)
    assert patch is not None
    assert (patch.puts, set(patch.drops)) == ({}, owners)


def test_a_namespace_that_only_changes_touches_nothing() -> None:
    compiler = compiler_of(*put(NAMESPACE, Service(WEB, STAMP, (TEN,))), options=SELECTED)
    assert compiler.apply(put(NAMESPACE._replace(stamp=Stamp("u", "2"), labels=(("a", "b"),))), now=9) is None


def test_a_service_without_ready_endpoints_can_be_left_out() -> None:
    service, none = Service(WEB, STAMP, (TEN,)), zone.pack_slice(4, (HTTP,), ())
    assert OWNER not in entries_of(service, slice_of("s", none), empty_services=False)
    assert OWNER in entries_of(service, slice_of("s", none), slice_of("t", ONE), empty_services=False)
    assert OWNER in entries_of(Service(WEB, STAMP, headless=True), slice_of("s", none), empty_services=False)
    assert OWNER in entries_of(Service(WEB, STAMP, external_name="example.com"), empty_services=False)


def test_a_service_left_out_comes_with_its_first_ready_endpoint() -> None:
    compiler = compiler_of(*put(Service(WEB, STAMP, (TEN,))), options=CompileOptions(empty_services=False))
    patch = compiler.apply(put(slice_of("s", ONE)), now=1)
    assert patch is not None
    assert set(patch.puts) == {OWNER}
    patch = compiler.apply([Drop("endpointslices", Key("shop", "s"))], now=2)
    assert patch is not None
    assert patch.drops == (OWNER,)


def test_slices_can_be_left_out() -> None:
    entries = entries_of(Service(WEB, STAMP, headless=True), slice_of("s", ONE), endpoints=False)
    assert service_of(entries) == zone.Service(Kind.HEADLESS)
    assert entries_of(slice_of("s", ONE), endpoints=False) == {}


# Snapshots


@settings(max_examples=200)
@given(histories, histories, every_option)
def test_from_a_snapshot_lists_lead_to_what_they_alone_would(
    before: list[Delta], there: list[Delta], options: CompileOptions
) -> None:
    last, goal = compiler_of(*before), after(there)
    compiler = Compiler(options)
    patch = compiler.restore(last.store.rows(RESOURCES), 100, 50)
    assert patch is not None
    assert (patch.base, patch.serial, patch.stale) == (0, 101, True)
    entries = dict(patch.puts)
    for resource in RESOURCES:
        assert compiler.stale
        patch = compiler.apply([Reset(resource, tuple(goal[resource].values())), Synced(resource)], 60)
        assert patch is None or patch.stale == compiler.stale
        if patch is not None:
            entries = {owner: entries[owner] for owner in entries.keys() - set(patch.drops)} | dict(patch.puts)
    assert patch is not None
    assert (patch.stale, compiler.stale, compiler.image().stale) == (False, False, False)
    assert entries == compiler.image().entries == expected(goal, options)


def test_that_nothing_changed_since_the_snapshot_is_published_too() -> None:
    web = Service(WEB, STAMP, (TEN,))
    compiler = Compiler()
    compiler.restore(compiler_of(*put(web)).store.rows(REQUIRED), 0, 50)
    deltas: list[Delta] = [Reset("services", (web,)), Reset("namespaces", ()), Reset("endpointslices", ())]
    assert compiler.apply(deltas, 60) == Patch(1, 2, 60, {}, (), stale=False)


def test_a_snapshot_without_something_required_publishes_nothing() -> None:
    compiler = Compiler()
    assert compiler.restore({"services": {}, "namespaces": {}}, 0, 50) is None
    assert compiler.revision == 0
