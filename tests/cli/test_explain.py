"""kdns explain as a shell sees it: what it prints where, and its status."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdns.cli import arguments, explain
from kdns.config.settings import ClusterSource

EXAMPLES = str(Path(__file__).parents[2] / "examples")
MANIFESTS = ("--manifests", EXAMPLES)


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    return (arguments.run(["explain", *args]), *capsys.readouterr())


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (("web", "--from", "shop"), 0, "1 ✔ web.shop.svc.cluster.local.  answered"),
        (("web", "--from", "shop"), 0, f"Service shop/web  {EXAMPLES}/web.yaml:"),
        (("db.shop",), 0, "db.shop.svc.cluster.local. 5 IN A 10.244.147.64"),
        (("webb", "--from", "shop"), 1, "did you mean web.shop.svc.cluster.local?"),
        (("_http._tcp.web.shop.svc.cluster.local.",), 0, "5 IN SRV 0 100 80 web.shop.svc.cluster.local."),
        (("web", "--from", "shop", "--type", "PTR"), 1, "shop/web is there, but has no PTR records"),
        (("example.com",), 2, "? example.com."),
        (("web.shop.svc.corp.", "--zone", "corp"), 0, "answered"),
        (("mail.shop.svc.cluster.local.",), 0, "and what upstreams say of smtp.example.com., who weren't asked"),
    ],
)
def test_the_status_says_whether_there_is_an_answer(
    capsys: pytest.CaptureFixture[str], args: tuple[str, ...], status: int, words: str
) -> None:
    done, out, error = run(capsys, *args, *MANIFESTS)
    assert (done, error) == (status, "")
    assert words in out
    assert "\x1b" not in out


def test_programs_read_it_as_json_or_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "web.shop", "-o", "json", *MANIFESTS)
    told = json.loads(out)
    _, text, _ = run(capsys, "web.shop", "-o", "yaml", *MANIFESTS)
    told["freshness"] = yaml.safe_load(text)["freshness"]  # of another moment
    assert yaml.safe_load(text) == told
    assert (told["answered"], told["verdict"]) == ("web.shop.svc.cluster.local.", "answered")


POD = """\
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: shop}
spec:
  dnsPolicy: None
  dnsConfig:
    nameservers: [192.0.2.1]
    searches: [svc.cluster.local]
    options: [{name: ndots, value: "1"}]
"""


def test_a_pods_own_search_path_is_walked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    args = ("web.shop", "--from", "shop/one", *MANIFESTS, "--manifests", str(tmp_path), "-o", "json")
    status, out, _ = run(capsys, *args)
    told = json.loads(out)
    assert [each["name"] for each in told["candidates"]] == ["web.shop.", "web.shop.svc.cluster.local."]
    assert (status, told["path"]["whose"], told["notes"]) == (0, "pod shop/one", ["dnsPolicy None: it asks 192.0.2.1"])


def test_a_corefile_says_how_names_are_answered(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    corefile = tmp_path / "Corefile"
    corefile.write_text(".:53 {\n    hosts {\n    }\n    kubernetes corp {\n        namespaces office\n    }\n}\n")
    status, out, _ = run(capsys, "web.shop.svc.corp.", "-conf", str(corefile), *MANIFESTS)
    assert status == 1
    assert "this zone shows some namespaces only, and shop is none of them" in out
    assert "before kubernetes come hosts" in out


KUBECONFIG = """
current-context: shop
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts:
- {name: shop, context: {cluster: c, namespace: shop}}
- {name: plain, context: {cluster: c}}
"""


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "shop"),
        ({"context": "plain"}, "default"),
        ({"namespace": "office"}, "office"),
        ({"whose": "office/till-0"}, "office/till-0"),
    ],
)
def test_who_asks_is_by_default_in_the_contexts_namespace(
    flags: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    none: dict[str, Any] = dict.fromkeys(explain.Asked._fields)
    asked = explain.Asked(**{**none, "manifests": (), "plugin": True, **flags})
    source = explain._cluster(asked)
    assert source == ClusterSource(str(tmp_path / "config"), flags.get("context"))
    assert explain._whose(asked, source) == expected


def test_without_a_cluster_who_asks_is_in_default() -> None:
    none: dict[str, Any] = dict.fromkeys(explain.Asked._fields)
    asked = explain.Asked(**{**none, "manifests": ("a",), "plugin": False})
    assert (explain._cluster(asked), explain._whose(asked, None)) == (None, "default")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("a..b", *MANIFESTS), 'found "a..b", expected a name'),
        (("web", "--type", "AXFR", *MANIFESTS), 'found type "AXFR"'),
        (("web", "--from", "shop/", *MANIFESTS), '--from: found "shop/", expected NAMESPACE or NAMESPACE/POD'),
        (("web", "--from", "shop/gone", *MANIFESTS), "shop/gone: found no such pod"),
        (("web", "--manifests", "/nowhere"), "/nowhere"),
        (("web", "--kubeconfig", "/nowhere"), "/nowhere"),
        (("web", "--server", "127.0.0.1:9", *MANIFESTS), "--server: found it beside --manifests"),
        (("web", "--server", "127.0.0.1:9", "--pods", "verified"), "--pods: found it for a running server"),
        (("web", "--server", "127.0.0.1:9"), "expected a running kdns"),
        (("web", "--from", "shop", "-n", "office", *MANIFESTS), "--namespace: found it beside --from"),
        ((), "Missing argument 'NAME'"),
    ],
)
def test_what_cant_be_told_is_status_2_and_one_line(
    capsys: pytest.CaptureFixture[str], args: tuple[str, ...], words: str
) -> None:
    status, out, error = run(capsys, *args)
    assert (status, out) == (2, "")
    assert error.count("\n") == 1
    assert words in error
