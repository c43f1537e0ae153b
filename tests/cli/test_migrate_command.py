"""kdns migrate: a Corefile, or a cluster over HTTP as an API server lists it."""

import json
from pathlib import Path

import pytest

from kdns.cli import arguments
from tests.migration.kubeadm import Api, Lists, lists

Captured = pytest.CaptureFixture[str]


def of_cluster(given: Lists, folder: Path, capsys: Captured, *args: str) -> tuple[int, str, str]:
    with Api(given, folder) as api:
        status = arguments.run(["migrate", "--kubeconfig", str(api.kubeconfig), *args])
    return (status, *capsys.readouterr())


def of_file(text: str, folder: Path, capsys: Captured) -> tuple[int, str, str]:
    path = folder / "Corefile"
    path.write_text(text)
    return (arguments.run(["migrate", str(path)]), *capsys.readouterr())


def test_kubeadms_cluster_is_told_with_the_way_there_and_back(tmp_path: Path, capsys: Captured) -> None:
    status, out, err = of_cluster(lists(), tmp_path, capsys)
    assert (status, err) == (1, "")
    assert "✔ 12      prometheus :9153\n" in out
    assert "≈ 14         max_concurrent 1000\n" in out
    assert "✘ " not in out.replace("✘ 0 unsupported", "")
    assert "  kubectl -n kube-system set image deployment/coredns coredns=IMAGE\n" in out
    assert "  kubectl -n kube-system rollout undo deployment/coredns\n" in out
    assert "mountPath" in out


def test_status_follows_the_worst_line(tmp_path: Path, capsys: Captured) -> None:
    assert of_file(". {\n    prometheus\n    whoami\n}\n", tmp_path, capsys)[0] == 0
    assert of_file(". {\n    loop\n}\n", tmp_path, capsys)[0] == 1
    status, out, _ = of_file(". {\n    etcd\n    loop\n}\n", tmp_path, capsys)
    assert status == 2
    assert '✘ 2      etcd\n       kdns has no directive "etcd": it answers from etcd; write forward' in out


def test_files_and_interfaces_of_elsewhere_are_no_matter(tmp_path: Path, capsys: Captured) -> None:
    text = ". {\n    bind nodelocal\n    tls a.pem b.pem\n    whoami\n}\n"
    status, out, _ = of_file(text, tmp_path, capsys)
    assert "here" not in out
    assert status < 2


def test_json_has_lines_findings_and_commands(tmp_path: Path, capsys: Captured) -> None:
    status, out, _ = of_cluster(lists(), tmp_path, capsys, "-o", "json")
    told = json.loads(out)
    assert (status, told["status"], told["unread"]) == (1, 1, "")
    assert told["corefile"][0] == {
        "file": "/etc/coredns/Corefile",
        "number": 1,
        "text": ".:53 {",
        "mark": "supported",
        "sentences": [],
        "page": "",
    }
    assert {each["subject"] for each in told["cluster"]} >= {"Service kube-system/kube-dns"}
    assert told["commands"]["back"] == ["kubectl -n kube-system rollout undo deployment/coredns"]


def test_another_config_map_is_named(tmp_path: Path, capsys: Captured) -> None:
    status, out, err = of_cluster(lists(), tmp_path, capsys, "--configmap", "dns-default")
    told = "kdns: ConfigMap kube-system/dns-default: found no Corefile in it; --configmap names another: coredns\n"
    assert (status, out, err) == (2, "", told)


def test_what_may_not_be_read_is_said(tmp_path: Path, capsys: Captured) -> None:
    refused = 'deployments.apps is forbidden: User "a" cannot list'
    status, out, _ = of_cluster({**lists(), "deployments": refused, "daemonsets": refused}, tmp_path, capsys)
    assert status == 1
    assert f"Nothing is said of the cluster: 403, {refused}\n" in out
    status, out, err = of_cluster({**lists(), "configmaps": "no"}, tmp_path, capsys)
    assert (status, out, err) == (2, "", "kdns: ConfigMap kube-system/coredns can't be read: 403, no\n")


def test_a_file_that_is_not_there_is_one_line(capsys: Captured) -> None:
    assert arguments.run(["migrate", "/nonexistent/Corefile"]) == 2
    assert capsys.readouterr().err == ("kdns: /nonexistent/Corefile: No such file or directory, expected a Corefile\n")


def test_an_api_server_that_is_not_there_is_one_line(tmp_path: Path, capsys: Captured) -> None:
    with Api(lists(), tmp_path) as api:
        pass
    assert arguments.run(["migrate", "--kubeconfig", str(api.kubeconfig)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("kdns: http://127.0.0.1:")
    assert err.count("\n") == 1
