"""What belongs together in a cluster: the pods that serve by a ConfigMap, and the files that they see."""

import pytest

from tests.migration.kubeadm import installed, lists


def test_the_workload_is_who_mounts_the_config_map() -> None:
    seen = installed(lists())
    found = seen.workload("coredns")
    assert found is not None
    assert (found.kind, found.name, found.conf) == ("Deployment", "coredns", "/etc/coredns/Corefile")
    assert seen.workload("other") is None


def test_a_daemon_set_by_another_name_is_found() -> None:
    given = lists()
    given["daemonsets"] = given.pop("deployments")
    given["deployments"] = "403, no"
    given["daemonsets"][0]["metadata"]["name"] = "dns-default"
    found = installed(given).workload("coredns")
    assert found is not None
    assert (found.kind, found.name) == ("DaemonSet", "dns-default")


@pytest.mark.parametrize(
    ("args", "path"),
    [
        ([], "/etc/coredns/Corefile"),
        (["-conf", "/a/b"], "/a/b"),
        (["--conf=/a/b"], "/a/b"),
        (["-quiet", "-conf", "b"], "/b"),
    ],
)
def test_where_the_corefile_is(args: list[str], path: str) -> None:
    given = lists()
    given["deployments"][0]["spec"]["template"]["spec"]["containers"][0]["args"] = args
    found = installed(given).workload("coredns")
    assert found is not None
    assert found.conf == path


def test_files_are_those_of_all_config_maps_that_are_mounted() -> None:
    given = lists("a")
    pod = given["deployments"][0]["spec"]["template"]["spec"]
    pod["volumes"].append({"name": "custom", "configMap": {"name": "coredns-custom", "optional": True}})
    pod["containers"][0]["volumeMounts"].append({"name": "custom", "mountPath": "/etc/coredns/custom"})
    given["configmaps"].append({"metadata": {"name": "coredns-custom"}, "data": {"a.override": "b", "c.server": "d"}})
    given["configmaps"][0]["data"]["NodeHosts"] = "not among the volume's items"
    seen = installed(given)
    assert seen.files(seen.workload("coredns"), "coredns") == {
        "/etc/coredns/Corefile": "a",
        "/etc/coredns/custom/a.override": "b",
        "/etc/coredns/custom/c.server": "d",
    }
    assert seen.files(None, "coredns-custom") == {"/etc/coredns/a.override": "b", "/etc/coredns/c.server": "d"}
