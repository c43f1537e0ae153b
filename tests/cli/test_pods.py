"""Pods that commands look as: found in manifests, or near ones named. Against an API server: tests/integration."""

from pathlib import Path

import pytest

from kdns.cli.pods import key_of, pod_of, told
from kdns.cluster.objects import Key
from kdns.config.settings import ClusterSource, SettingsError
from kdns.sources.errors import SourceError

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop}
spec: {dnsPolicy: Default}
---
apiVersion: v1
kind: Pod
metadata: {name: till-0, namespace: office}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec: {serviceName: db, template: {metadata: {labels: {app: db}}, spec: {dnsPolicy: None}}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "pods.yaml").write_text(PODS)
    return (str(tmp_path),)


@pytest.mark.parametrize(("name", "policy"), [("web-0", "Default"), ("db-0", "None")])
def test_a_pod_is_found_as_written_and_as_a_stateful_set_makes_it(
    name: str, policy: str, paths: tuple[str, ...]
) -> None:
    assert pod_of(told(Key("shop", name), paths))["spec"]["dnsPolicy"] == policy


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (Key("shop", "wbe-0"), "--from shop/wbe-0: found no such pod; did you mean shop/web-0"),
        (Key("office", "web-0"), "--from office/web-0: found no such pod; did you mean shop/web-0?"),
        (Key("shp", "web-1"), "--from shp/web-1: there is no namespace shp; did you mean shop/web-0?"),
        (Key("office", "zzz"), "--from office/zzz: found no such pod; there is office/till-0"),
        (Key("zzz", "zzz"), "--from zzz/zzz: there is no namespace zzz"),
    ],
)
def test_of_a_pod_that_is_not_there_near_ones_are_named(key: Key, expected: str, paths: tuple[str, ...]) -> None:
    with pytest.raises(SourceError) as error:
        pod_of(told(key, paths))
    assert str(error.value).startswith(expected)


def test_what_can_not_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        pod_of(told(Key("shop", "web-0"), (str(tmp_path / "nowhere"),)))
    with pytest.raises(SourceError, match="no such file, expected a kubeconfig"):
        pod_of(told(Key("shop", "web-0"), ClusterSource(str(tmp_path / "nowhere"))))
    with pytest.raises(SourceError, match="couldn't be read"):
        pod_of("")


@pytest.mark.parametrize("text", ["shop", "shop/", "/web-0", "a/b/c", ""])
def test_a_pod_is_named_with_its_namespace(text: str) -> None:
    with pytest.raises(SettingsError, match="expected NAMESPACE/POD"):
        key_of(text)
