"""Another history, or another cluster, is told from the one that is known."""

import pytest

from kdns.cluster.decode import Head
from kdns.cluster.history import KUBE_SYSTEM, is_before, is_of_another_cluster
from kdns.cluster.objects import Key, Resource, Stamp
from tests.cluster.api_server import Cluster, event, page, reflector_of
from tests.cluster.watched import asked, listed


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("9", "10", True), ("10", "9", False), ("9", "9", False), ("a", "b", False), ("", "9", False)],
)
def test_versions_are_ordered_only_as_numbers(one: str, other: str, expected: bool) -> None:
    assert is_before(one, other) is expected


@pytest.mark.parametrize(
    ("resource", "key", "known", "expected"),
    [
        ("namespaces", KUBE_SYSTEM, Stamp("old", "1"), True),
        ("namespaces", KUBE_SYSTEM, Stamp("new", "1"), False),
        ("namespaces", KUBE_SYSTEM, Stamp("", "1"), False),
        ("namespaces", KUBE_SYSTEM, None, False),
        ("namespaces", Key("", "default"), Stamp("old", "1"), False),
        ("services", KUBE_SYSTEM, Stamp("old", "1"), False),
    ],
)
def test_a_cluster_is_its_kube_system(resource: Resource, key: Key, known: Stamp | None, expected: bool) -> None:
    assert is_of_another_cluster(resource, Head(key, Stamp("new", "5")), known) is expected


def kube_system(uid: str, version: int = 3) -> dict[str, object]:
    return {"metadata": {"name": "kube-system", "uid": uid, "resourceVersion": str(version)}}


def test_a_probe_of_namespaces_asks_for_kube_system_and_sees_that_it_is_another() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, "namespaces")
    listed(cluster, reflector, 5, kube_system("old"))
    reflector.failed("reset by peer", 1.0)
    assert asked(reflector, 9.0) == "fieldSelector=metadata.name%3Dkube-system"
    assert list(reflector.page(page(900, kube_system("new")), 9.0)) == []
    assert reflector.moves == 1


def test_a_probe_of_the_same_cluster_goes_on() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, "namespaces")
    listed(cluster, reflector, 5, kube_system("old"))
    reflector.failed("reset by peer", 1.0)
    asked(reflector, 9.0)
    list(reflector.page(page(900, kube_system("old")), 9.0))
    assert (reflector.moves, asked(reflector, 9.0)) == (0, "resourceVersion=5")


def test_a_list_of_another_cluster_is_seen_too() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, "namespaces")
    listed(cluster, reflector, 5, kube_system("old"))
    reflector.line(event("ERROR", {"kind": "Status", "code": 410}), 1.0)
    listed(cluster, reflector, 900, kube_system("new"), now=20.0)
    assert reflector.moves == 1


def test_who_begins_anew_trusts_nothing_of_what_is_known_and_takes_older_versions() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    same: dict[str, object] = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "3"},
        "spec": {},
    }
    listed(cluster, reflector, 5, same)
    reflector.start_over(1.0)
    assert not reflector.streaming
    assert asked(reflector, 1.0) == "limit=500"
    listed(cluster, reflector, 2, same, now=2.0)
    assert cluster.resets[-1].unchanged == frozenset()
    assert len(cluster.resets[-1].objects) == 1
