"""The search path: what a pod's resolv.conf says, and which names are asked for in which order."""

import pytest

from kdns.dns import types
from kdns.explain.explanation import Path
from kdns.explain.path import (
    Config,
    Node,
    Option,
    PodSpec,
    QuestionError,
    candidates,
    of_namespace,
    of_pod,
    question,
    resolving,
)

SHOP = of_namespace("shop", "cluster.local")
ENDS = ["shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local."]


@pytest.mark.parametrize(
    ("name", "ndots", "expected"),
    [
        ("web", 5, [*(f"web.{end}" for end in ENDS), "web."]),
        ("web.", 5, ["web."]),
        ("a.b.c.d.e.f", 5, ["a.b.c.d.e.f.", *(f"a.b.c.d.e.f.{end}" for end in ENDS)]),
        ("a.b", 1, ["a.b.", *(f"a.b.{end}" for end in ENDS)]),
        ("web", 0, ["web.", *(f"web.{end}" for end in ENDS)]),
    ],
)
def test_a_name_with_ndots_dots_is_asked_for_as_it_is_first(name: str, ndots: int, expected: list[str]) -> None:
    assert candidates(name, Path(whose="", search=SHOP.search, ndots=ndots)) == expected


def test_names_too_long_for_the_dns_arent_asked_for() -> None:
    name = ".".join(["a" * 60] * 4)
    assert candidates(name, SHOP) == [f"{name}."]


def test_a_pod_searches_its_namespace_first_and_what_its_dns_config_adds_last() -> None:
    config = Config(searches=["corp.example.", "svc.cluster.local"], options=[Option("ndots", "2"), Option("edns0")])
    path = of_pod(PodSpec(dns_config=config), "shop", "web-0", "cluster.local")
    assert (path.search, path.ndots, path.note) == ((*SHOP.search, "corp.example"), 2, "")


@pytest.mark.parametrize(
    ("spec", "search", "ndots", "note"),
    [
        (PodSpec(dns_policy="ClusterFirstWithHostNet", host_network=True), SHOP.search, 5, ""),
        (PodSpec(dns_policy="Default"), (), 1, "dnsPolicy Default"),
        (PodSpec(host_network=True), (), 1, "hostNetwork with dnsPolicy ClusterFirst"),
        (
            PodSpec(dns_policy="None", dns_config=Config(nameservers=["192.0.2.1"], searches=["x"])),
            ("x",),
            1,
            "192.0.2.1",
        ),
        (
            PodSpec(dns_config=Config(nameservers=["192.0.2.1"])),
            SHOP.search,
            5,
            "besides the cluster's it asks 192.0.2.1",
        ),
    ],
)
def test_the_policy_decides_who_is_asked(spec: PodSpec, search: tuple[str, ...], ndots: int, note: str) -> None:
    path = of_pod(spec, "shop", "web-0", "cluster.local")
    assert (path.search, path.ndots) == (search, ndots)
    assert note in path.note
    assert bool(note) == bool(path.note)


NODE = Node(("office.example", "svc.cluster.local"), ("edns0", "ndots:2"))
CONFIG = Config(["192.0.2.1"], ["x.example."], [Option("ndots", "3"), Option("timeout", "1"), Option("rotate")])
OF_SHOP = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "office.example", "x.example")


@pytest.mark.parametrize(
    ("policy", "host_network", "search", "options"),
    [
        ("ClusterFirst", False, OF_SHOP, ("ndots:3", "timeout:1", "rotate")),
        ("", False, OF_SHOP, ("ndots:3", "timeout:1", "rotate")),
        ("ClusterFirstWithHostNet", True, OF_SHOP, ("ndots:3", "timeout:1", "rotate")),
        ("ClusterFirst", True, (*NODE.search, "x.example"), ("edns0", "ndots:3", "timeout:1", "rotate")),
        ("Default", False, (*NODE.search, "x.example"), ("edns0", "ndots:3", "timeout:1", "rotate")),
        ("None", False, ("x.example",), ("ndots:3", "timeout:1", "rotate")),
    ],
)
def test_a_resolv_conf_is_as_the_kubelet_writes_it(
    policy: str, host_network: bool, search: tuple[str, ...], options: tuple[str, ...]
) -> None:
    told = resolving(PodSpec(policy, host_network, CONFIG), "shop", "cluster.local", NODE)
    assert (told.search, told.options, told.nameservers, told.ndots) == (search, options, ("192.0.2.1",), 3)


def test_a_resolv_conf_has_no_more_than_the_kubelet_lets_it_have() -> None:
    many = Config(
        nameservers=[f"192.0.2.{number}" for number in (1, 2, 2, 3, 4)],
        searches=[f"{number}.example" for number in range(40)],
        options=[Option("ndots", "99")],
    )
    told = resolving(PodSpec("None", dns_config=many), "shop", "cluster.local")
    assert (len(told.search), told.nameservers, told.ndots) == (32, ("192.0.2.1", "192.0.2.2", "192.0.2.3"), 15)
    long = Config(searches=[f"{'x' * 60}.{'y' * 60}.{number}.example" for number in range(10, 32)])
    search = resolving(PodSpec("None", dns_config=long), "shop", "cluster.local").search
    assert len(" ".join(search)) <= 2048 < len(" ".join((*search, search[-1])))


@pytest.mark.parametrize(
    ("name", "rtype", "asked", "kinds"),
    [
        ("web", None, "web", (types.A, types.AAAA)),
        ("web", types.MX, "web", (types.MX,)),
        ("_http._tcp.web", None, "_http._tcp.web", (types.SRV,)),
        ("10.0.0.1", None, "1.0.0.10.in-addr.arpa.", (types.PTR,)),
        ("fd00::1", None, f"1.{'0.' * 29}d.f.ip6.arpa.", (types.PTR,)),
        ("1.0.0.10.in-addr.arpa", None, "1.0.0.10.in-addr.arpa", (types.PTR,)),
    ],
)
def test_what_is_asked_for(name: str, rtype: int | None, asked: str, kinds: tuple[int, ...]) -> None:
    assert question(name, rtype, SHOP)[:2] == (asked, kinds)


@pytest.mark.parametrize("name", ["", ".", "a..b", "a b", "x" * 64, "a\x1b[2J", "\ud800"])
def test_what_cant_be_asked_for_is_said(name: str) -> None:
    with pytest.raises(QuestionError, match="expected a name"):
        question(name, None, SHOP)
