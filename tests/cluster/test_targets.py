from kdns.cluster import targets
from kdns.cluster.objects import Key
from kdns.cluster.targets import Request


def test_a_namespace_is_read_again_by_its_name_alone() -> None:
    assert targets.one("namespaces", Key("", "shop")) == Request(
        "/api/v1/namespaces?fieldSelector=metadata.name%3Dshop", watch=False
    )


def test_a_slice_is_read_again_in_its_group_and_namespace() -> None:
    assert targets.one("endpointslices", Key("shop", "web-1")) == Request(
        "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?fieldSelector=metadata.name%3Dweb-1", watch=False
    )


def test_names_from_the_cluster_cant_change_a_target() -> None:
    assert targets.one("services", Key("a/../b", "x&limit=9")).target == (
        "/api/v1/namespaces/a%2F..%2Fb/services?fieldSelector=metadata.name%3Dx%26limit%3D9"
    )


def test_every_target_asks_for_the_selected_alone() -> None:
    asked = (
        targets.page("services", 1, "t", "a in (b),!c"),
        targets.initial_stream("services", 300, "a in (b),!c"),
        targets.watch("services", "5", 300, "a in (b),!c"),
        targets.one("services", Key("n", "s"), "a in (b),!c"),
    )
    assert all(each.target.endswith("&labelSelector=a+in+%28b%29%2C%21c") for each in asked)


def test_a_rule_names_group_and_resource() -> None:
    assert targets.role_rule("endpointslices") == (
        '{apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"]}'
    )
    assert targets.full_name("endpointslices") == "endpointslices.discovery.k8s.io"
