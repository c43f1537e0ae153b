"""Flags to settings: tables of good and bad ones, one default each, and the law of addresses."""

import dataclasses
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.cache import Cache
from kdns.config.directives.forward import Forward
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.loadbalance import Loadbalance
from kdns.config.directives.probes import Health, Prometheus, Ready
from kdns.config.endpoints import Upstream
from kdns.config.flags import Flags, Surroundings, address, check_combination, serving, serving_servers
from kdns.config.parser import parse
from kdns.config.servers import Place, read
from kdns.config.serving import Block, Listener, Probes, Route, Servers, Serving
from kdns.config.settings import Address, ClusterSource, ManifestSource, SettingsError, SnapshotSettings
from kdns.dns import names

OWN = ("127.0.0.1", "127.0.0.53", "::1", "192.0.2.1")
AROUND = Surroundings(
    "", in_pod=False, resolv_conf="nameserver 192.0.2.53\n", is_own=OWN.__contains__, workers=lambda: 2
)
MANIFESTS = Flags(manifests=("examples",))
CLUSTER = names.from_text("cluster.local")


def made(around: Surroundings = AROUND, **flags: Any) -> Serving:
    return serving(dataclasses.replace(MANIFESTS, **flags), around)[0]


def addresses(of: Serving) -> tuple[Address, ...]:
    return tuple(listener.address for listener in of.servers.listeners)


def asked(of: Serving) -> tuple[Address, ...]:
    """The upstreams of all blocks."""
    forwards = [each for block in of.servers.blocks for each in block.each(Forward)]
    return tuple(Address(upstream.host, upstream.port) for each in forwards for upstream in each.upstreams)


def refused(around: Surroundings = AROUND, **flags: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        serving(dataclasses.replace(MANIFESTS, **flags), around)
    return str(caught.value)


def test_flags_that_arent_given_mean_kubeadms_corefile() -> None:
    reverse = (names.from_text("in-addr.arpa"), names.from_text("ip6.arpa"))
    settings = (
        *(Ready(), Health(), Prometheus(), Loadbalance()),
        Kubernetes(zones=(CLUSTER, *reverse), fallthrough=reverse, ttl_s=5, pods="insecure"),
        Cache(ttl_s=30),
        Forward(
            origin=(names.ROOT,),
            upstreams=(Upstream("address", "192.0.2.53"),),
            policy="sequential",
            max_concurrent=1000,
        ),
    )
    expected = Serving(
        servers=Servers(
            (Block((names.ROOT,), settings),), (Listener(Address("", 53), "dns", (Route(names.ROOT, 0),)),)
        ),
        source=ManifestSource(("examples",)),
        probes=Probes((Address("", 8080),), (Address("", 8181),), (Address("", 9153),)),
        workers=2,
        log_level="info",
    )
    assert serving(MANIFESTS, AROUND) == (expected, ())


ADDRESSES = [
    ("10.0.0.1", Address("10.0.0.1", 53)),
    ("10.0.0.1:1053", Address("10.0.0.1", 1053)),
    (":1053", Address("", 1053)),
    ("::1", Address("::1", 53)),
    ("::", Address("::", 53)),
    ("[::1]", Address("::1", 53)),
    ("[::1]:0", Address("::1", 0)),
    ("[fe80::1%eth0]:53", Address("fe80::1%eth0", 53)),
    ("::1:1053", Address("::1:1053", 53)),
]


@pytest.mark.parametrize(("text", "expected"), ADDRESSES)
def test_an_address_is_read(text: str, expected: Address) -> None:
    assert address(text, "--listen", 53) == expected


NO_ADDRESSES = [
    ":",
    "host",
    "host:53",
    "10.0.0",
    "010.0.0.1",
    "10.0.0.1:",
    "10.0.0.1:x",
    "10.0.0.1:65536",
    "10.0.0.1:-1",
    "10.0.0.1:٥٣",
    "1.2.3.4:5:6",
    "[::1",
    "[::1]x",
    "[::1]:",
    "[]:53",
    "[]",
    "[host]:53",
]


@pytest.mark.parametrize("text", ["", "10.0.0.1: 53", *NO_ADDRESSES])
def test_what_is_no_address_is_named_with_its_flag(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^--health .*: found .*, expected "):
        address(text, "--health", 53)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_reads_as_it_writes(host: Any, port: int) -> None:
    written = Address(str(host), port)
    assert address(str(written), "--listen", 53) == written
    assert address(str(host), "--listen", port) == written


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        read = address(text, "--listen", 53)
    except SettingsError:
        return
    assert 0 <= read.port <= 65535
    if read.host:
        ip_address(read.host)


def test_p_is_the_port_of_whatever_names_none() -> None:
    listen = addresses(made(port=1053, listen=("127.0.0.1", "[::1]:53", "::1", "127.0.0.1:1053")))
    assert listen == (Address("127.0.0.1", 1053), Address("::1", 53), Address("::1", 1053))
    assert addresses(made(port=1053)) == (Address("", 1053),)


SOURCES: list[tuple[dict[str, Any], Surroundings, Any]] = [
    ({}, AROUND._replace(in_pod=True), ManifestSource(("examples",))),
    ({"manifests": (), "kubeconfig": "a"}, AROUND._replace(in_pod=True), ClusterSource("a")),
    ({"manifests": (), "kubeconfig": "a", "context": "b"}, AROUND, ClusterSource("a", "b")),
    ({"manifests": ()}, AROUND._replace(in_pod=True, kubeconfig="k"), ClusterSource()),
    ({"manifests": ()}, AROUND._replace(kubeconfig="k:l"), ClusterSource("k:l")),
    ({"manifests": (), "context": "b"}, AROUND._replace(kubeconfig="k"), ClusterSource("k", "b")),
]


@pytest.mark.parametrize(("flags", "around", "expected"), SOURCES)
def test_the_source_is_flag_then_pod_then_environment(
    flags: dict[str, Any], around: Surroundings, expected: Any
) -> None:
    assert made(around, **flags).source == expected


@pytest.mark.parametrize(("seconds", "expected"), [(None, 600.0), (0, 0.0), (10, 10.0), (86400, 86400.0)])
def test_audits_are_every_ten_minutes_unless_said_otherwise(seconds: int | None, expected: float) -> None:
    for around in (AROUND._replace(in_pod=True), AROUND._replace(kubeconfig="k")):
        source = made(around, manifests=(), audit_interval=seconds).source
        assert isinstance(source, ClusterSource)
        assert source.audit_s == expected


@pytest.mark.parametrize(
    ("flag", "seconds", "expected"),
    [
        ("audit_interval", 9, "--audit-interval 9: expected 0, or 10 to 86400 seconds"),
        ("audit_interval", -1, "--audit-interval -1: expected 0, or 10 to 86400 seconds"),
        ("ready_max_staleness", 119, "--ready-max-staleness 119: expected 0, or 120 to 86400 seconds"),
    ],
)
def test_seconds_out_of_range_are_refused(flag: str, seconds: int, expected: str) -> None:
    given: dict[str, Any] = {flag: seconds}
    assert refused(manifests=(), kubeconfig="a", **given) == expected


def test_staleness_is_no_reason_unless_it_is_asked_for() -> None:
    assert made(manifests=(), kubeconfig="a").max_staleness_s == 0
    assert made(manifests=(), kubeconfig="a", ready_max_staleness=300).max_staleness_s == 300


def test_no_source_names_the_three_ways() -> None:
    message = refused(manifests=())
    assert all(way in message for way in ("--kubeconfig", "KUBECONFIG", "--manifests", "in a pod"))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kubeconfig": "a"}, "--manifests: found it beside --kubeconfig, expected one of them"),
    ({"context": "a"}, "--context: found it beside --manifests, expected it beside --kubeconfig"),
    ({"zone": ""}, "--zone '': found the root, expected a zone such as cluster.local"),
    ({"zone": "."}, "--zone .: found the root, expected a zone such as cluster.local"),
    ({"ttl": -1}, "--ttl -1: expected 0 to 3600 seconds"),
    ({"ttl": 3601}, "--ttl 3601: expected 0 to 3600 seconds"),
    (
        {"audit_interval": 60},
        "--audit-interval: found it beside --manifests, expected it for a cluster with an API server",
    ),
    ({"workers": "0"}, "--workers 0: expected auto, or a number from 1 to 64"),
    ({"workers": "65"}, "--workers 65: expected auto, or a number from 1 to 64"),
    ({"workers": "two"}, "--workers two: expected auto, or a number from 1 to 64"),
    ({"upstream": ("192.0.2.9:0",)}, "--upstream 192.0.2.9:0: found the port 0, expected 1 to 65535"),
]


@pytest.mark.parametrize(("flags", "expected"), WRONG)
def test_a_wrong_flag_is_one_clear_line(flags: dict[str, Any], expected: str) -> None:
    assert refused(**flags) == expected


@pytest.mark.parametrize("zone", ["a..b", "x" * 64, "a\\999"])
def test_a_zone_is_a_domain_name(zone: str) -> None:
    assert refused(zone=zone).startswith(f"--zone {zone}: found no domain name (")


@pytest.mark.parametrize("zone", ["Cluster.Local", "cluster.local.", "CLUSTER.LOCAL"])
def test_a_zone_is_the_same_in_every_spelling(zone: str) -> None:
    assert made(zone=zone).servers.blocks[0].each(Kubernetes)[0].zones[0] == CLUSTER


def test_upstreams_are_asked_at_53_unless_they_say_otherwise() -> None:
    upstreams = asked(made(upstream=("192.0.2.9", "[2001:db8::9]:5300", "192.0.2.9:53"), port=1053))
    assert upstreams == (Address("192.0.2.9", 53), Address("2001:db8::9", 5300))


LOOPS = [
    ((), "127.0.0.1", True),
    ((), "192.0.2.1", True),
    ((), "::1", True),
    ((), "192.0.2.2", False),
    ((":1053",), "127.0.0.1", False),
    ((":1053",), "127.0.0.1:1053", True),
    (("0.0.0.0",), "127.0.0.53", True),
    (("0.0.0.0",), "::1", False),
    (("::",), "::1", True),
    (("::",), "127.0.0.1", False),
    (("127.0.0.1",), "127.0.0.1", True),
    (("127.0.0.1",), "127.0.0.53", False),
    (("::1",), "0:0:0:0:0:0:0:1", True),
    (("127.0.0.1:0",), "127.0.0.1", False),
]


@pytest.mark.parametrize(("listen", "upstream", "is_loop"), LOOPS)
def test_an_upstream_that_is_this_server_is_refused(listen: tuple[str, ...], upstream: str, is_loop: bool) -> None:
    if is_loop:
        assert "found an address this server listens on" in refused(listen=listen, upstream=(upstream,))
    else:
        assert asked(made(listen=listen, upstream=(upstream,)))


def test_in_resolv_conf_this_server_is_left_out_with_a_warning() -> None:
    around = AROUND._replace(resolv_conf="nameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver nobody\n")
    made_of, warnings = serving(MANIFESTS, around)
    assert asked(made_of) == (Address("192.0.2.53", 53),)
    assert warnings == (
        "resolv.conf: left out nameserver 'nobody', no IP address or one too many",
        "resolv.conf: left out nameserver 127.0.0.53, it is this server",
    )


def test_without_upstreams_there_is_a_warning() -> None:
    made_of, warnings = serving(MANIFESTS, AROUND._replace(resolv_conf=""))
    assert asked(made_of) == ()
    assert [warning.partition(":")[0] for warning in warnings] == ["no upstream"]


@pytest.mark.parametrize(
    "beside", [{"listen": (":1",)}, {"upstream": ("192.0.2.1",)}, {"zone": "a"}, {"pods": "verified"}, {"ttl": 0}]
)
def test_what_a_corefile_says_isnt_said_beside_one(beside: dict[str, Any]) -> None:
    (name,) = beside
    with pytest.raises(SettingsError, match=f"^--{name}: found it beside -conf, expected it in Corefile alone$"):
        check_combination(Flags(conf="Corefile", **beside))


def test_ports_and_processes_go_with_a_corefile() -> None:
    check_combination(Flags(conf="Corefile", port=1053, workers="2", kubeconfig="a", health=":0", log_level="debug"))


def beside_corefile(text: str, around: Surroundings = AROUND, **flags: Any) -> Serving:
    corefile = parse(text.encode(), "Corefile", NoFiles(), {})
    servers, problems = read(corefile.blocks, Place(53, lambda _: ()))
    assert (corefile.problems, problems) == ((), ())
    return serving_servers(Flags(conf="Corefile", **flags), around, servers)


class NoFiles:
    def read(self, path: str) -> bytes:
        raise FileNotFoundError(path)

    def glob(self, _pattern: str) -> list[str]:
        return []


def test_pages_are_where_the_corefile_s_blocks_say_unless_a_flag_does() -> None:
    text = ". {\nhealth :1 {\nlameduck 5s\n}\nready\nprometheus :9153\n}\na. {\nhealth :2\nprometheus :9153\n}"
    found = beside_corefile(text)
    assert found.probes == Probes((Address("", 1), Address("", 2)), (Address("", 8181),), (Address("", 9153),))
    assert (found.lameduck_s, found.source) == (5.0, None)
    assert beside_corefile(text, health="127.0.0.1:0").probes.health == (Address("127.0.0.1", 0),)
    assert beside_corefile(". {\nwhoami\n}").probes == Probes()


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        ("health", [8080]),
        ("health :1\nhealth :2", [1, 2]),
        ("health :1\nhealth {\nlameduck 5s\n}", [1]),
        ("health {\nlameduck 5s\n}\nhealth :1 {\nlameduck 3s\n}", [1]),
        ("health\nhealth {\nlameduck 5s\n}", [8080]),
    ],
)
def test_each_line_of_health_counts(lines: str, at: list[int]) -> None:
    found = beside_corefile(f". {{\n{lines}\n}}")
    assert found.probes.health == tuple(Address("", port) for port in at)
    assert found.lameduck_s == (5.0 if "5s" in lines else 0.0)


@pytest.mark.parametrize(
    ("inside", "flags", "expected"),
    [
        ("", {"manifests": ("examples",)}, ManifestSource(("examples",))),
        ("kubeconfig /a admin", {}, ClusterSource("/a", "admin")),
        ("kubeconfig /a", {}, ClusterSource("/a", None)),
        ("kubeconfig /a", {"kubeconfig": "b"}, ClusterSource("b", None)),
        ("", {"kubeconfig": "b"}, ClusterSource("b", None)),
        ("kubeconfig /a", {"audit_interval": 60}, ClusterSource("/a", None, audit_s=60.0)),
    ],
)
def test_the_cluster_is_that_of_the_flags_or_the_directive(inside: str, flags: dict[str, Any], expected: Any) -> None:
    text = f". {{\nkubernetes cluster.local {{\npods insecure\n{inside}\n}}\n}}"
    assert beside_corefile(text, **flags).source == expected


# The snapshot

POD = AROUND._replace(in_pod=True)
WITH_VOLUME = POD._replace(state_folder="/var/lib/kdns")
NO_MANIFESTS: dict[str, Any] = {"manifests": ()}


@pytest.mark.parametrize(
    ("around", "flags", "expected"),
    [
        (POD, {}, None),
        (WITH_VOLUME, {}, SnapshotSettings("/var/lib/kdns")),
        (WITH_VOLUME, {"snapshot": "/state"}, SnapshotSettings("/state")),
        (WITH_VOLUME, {"snapshot_ready": "no"}, SnapshotSettings("/var/lib/kdns", counts=False)),
        (WITH_VOLUME, {"kubeconfig": "config"}, None),  # of a person's machine, say, nothing is taken for granted
        (POD, {"kubeconfig": "config", "snapshot": "/state"}, SnapshotSettings("/state")),
        (WITH_VOLUME, {"manifests": ("examples",)}, None),
    ],
)
def test_the_snapshot_is_where_a_flag_says_or_a_pods_volume_is(
    around: Surroundings, flags: dict[str, Any], expected: SnapshotSettings | None
) -> None:
    assert made(around, **{**NO_MANIFESTS, **flags}).snapshot == expected
    assert beside_corefile(".:53 {\nkubernetes cluster.local\n}\n", around, **flags).snapshot == expected


def test_a_snapshot_of_yaml_or_nowhere_is_refused() -> None:
    assert refused(snapshot="/state").startswith(
        "--snapshot: found it beside --manifests, expected it with an API server"
    )
    assert refused(**NO_MANIFESTS, snapshot="") == "--snapshot: found an empty text, expected a folder"
