"""The manifests: what must not change in a cluster is so, what needs no privilege has none, and the schemas know every field."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import kdns
from kdns.cluster.targets import role_rule
from kdns.config.settings import ReadSettings
from kdns.config.workers import Limits, automatic
from kdns.sources.demand import demand_of
from tests.kit import kit, render
from tests.kit.kit import MANIFESTS, OVERLAYS, one

KDNS = (sys.executable, "-m", "kdns")
POD_LABELS = {"base": "kube-dns", "overlays/replace-coredns": "kube-dns", "overlays/node-local": "node-local-dns"}


@pytest.mark.parametrize("folder", [*OVERLAYS, "monitoring"])
def test_kubernetes_knows_every_field(folder: str) -> None:
    kit.validate(kit.kustomize(folder))


def test_a_field_that_nobody_knows_is_seen() -> None:
    with pytest.raises(AssertionError, match="dnsPolicyy"):
        kit.validate(kit.kustomize("base").replace("dnsPolicy:", "dnsPolicyy:"))


@pytest.mark.parametrize("folder", OVERLAYS)
def test_kustomize_and_kubectl_render_the_same(folder: str) -> None:
    rendered = kit.run(kit.tool("kustomize"), "build", str(MANIFESTS / folder))
    assert kit.objects(rendered) == kit.objects(kit.kustomize(folder))


def test_what_is_made_of_other_files_is_up_to_date() -> None:
    stale = [str(path) for path, text in render.made().items() if path.read_text() != text]
    assert stale == [], "make kit writes them"


def test_the_image_is_of_this_version_in_every_overlay() -> None:
    files = MANIFESTS.rglob("kustomization.yaml")
    tags = {str(path): tag for path in files for tag in re.findall(r"newTag: (\S+)", path.read_text())}
    assert set(tags.values()) == {kdns.__version__, "dev"}


def test_the_names_are_those_that_clusters_know() -> None:
    found = kit.objects(kit.kustomize("base"))
    service, deployment = one("Service", found), one("Deployment", found)
    assert (service["metadata"]["name"], service["metadata"]["namespace"]) == ("kube-dns", "kube-system")
    assert service["metadata"]["labels"] == {
        "k8s-app": "kube-dns",
        "kubernetes.io/cluster-service": "true",
        "kubernetes.io/name": "CoreDNS",
        "app.kubernetes.io/name": "kdns",
    }
    assert service["metadata"]["annotations"] == {"prometheus.io/scrape": "true", "prometheus.io/port": "9153"}
    ports = [(each["name"], each["port"], each["protocol"]) for each in service["spec"]["ports"]]
    assert ports == [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")]
    assert service["spec"]["selector"] == {"k8s-app": "kube-dns"}
    assert deployment["metadata"]["name"] == "coredns"
    assert deployment["spec"]["selector"] == {"matchLabels": {"k8s-app": "kube-dns"}}  # it can't be changed later
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    assert names >= {("ServiceAccount", "coredns"), ("ConfigMap", "coredns"), ("ClusterRole", "system:coredns")}
    assert list(one("ConfigMap", found)["data"]) == ["Corefile"]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_it_runs_as_coredns_manifest_runs_it(folder: str) -> None:
    ((pod, container),) = kit.containers(kit.objects(kit.kustomize(folder)))
    assert container["args"][:2] == ["-conf", "/etc/coredns/Corefile"]
    assert "command" not in container
    assert (pod["dnsPolicy"], pod["enableServiceLinks"]) == ("Default", False)
    assert container["resources"]["limits"] == {"memory": "170Mi"}
    assert automatic(64, Limits(None, 170 << 20)) >= 2  # workers that fit below it
    assert {each["mountPath"] for each in container["volumeMounts"]} == {"/etc/coredns", "/var/lib/kdns"}
    paths = [container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")]
    assert paths == ["/health", "/ready"]
    probe = container["livenessProbe"]
    assert (probe["timeoutSeconds"], probe["failureThreshold"]) == (5, 5)


@pytest.mark.parametrize("folder", OVERLAYS)
def test_it_has_no_privilege_but_for_port_53_where_that_is_the_port(folder: str) -> None:
    ((pod, container),) = kit.containers(kit.objects(kit.kustomize(folder)))
    context = {**pod.get("securityContext", {}), **container["securityContext"]}
    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 65532)
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    port = next(each["containerPort"] for each in container["ports"] if each["name"] == "dns")
    bind = {"add": ["NET_BIND_SERVICE"]} if port == 53 else {}
    assert context["capabilities"] == {"drop": ["ALL"], **bind}
    assert (port == 53) == (folder in {"overlays/replace-coredns", "overlays/node-local"})


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_ports_of_the_corefile_are_those_of_the_container(folder: str) -> None:
    found = kit.objects(kit.kustomize(folder))
    ((_, container),) = kit.containers(found)
    corefiles = [
        each["data"]["Corefile"] for each in found if each["kind"] == "ConfigMap" and "Corefile" in each["data"]
    ]
    if folder == "overlays/replace-coredns":
        assert corefiles == []  # it is the cluster's
        return
    (corefile,) = corefiles
    kit.checked(corefile, KDNS)
    numbers = {each["name"]: str(each["containerPort"]) for each in container["ports"]}
    assert corefile.startswith(f".:{numbers['dns']} {{")
    assert f"prometheus :{numbers['metrics']}\n" in corefile


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_selector_finds_the_pods(folder: str) -> None:
    found = kit.objects(kit.kustomize(folder))
    (template,) = [each["spec"]["template"] for each in found if each["kind"] in {"Deployment", "DaemonSet"}]
    labels = template["metadata"]["labels"]
    assert labels["k8s-app"] == POD_LABELS.get(folder, "kdns")
    selectors = list(_selectors(found)) + [
        each["labelSelector"]["matchLabels"] for each in template["spec"].get("topologySpreadConstraints", ())
    ]
    assert selectors
    assert [each for each in selectors if not each.items() <= labels.items()] == []


def _selectors(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    selectors = []
    for each in found:
        spec = each.get("spec", {})
        selector = spec.get("podSelector" if each["kind"] == "NetworkPolicy" else "selector")
        if selector is not None:
            selectors.append(selector.get("matchLabels", selector))
    return selectors


@pytest.mark.parametrize("folder", [each for each in OVERLAYS if each != "overlays/replace-coredns"])
def test_the_role_allows_what_the_api_is_asked_for_and_no_more(folder: str) -> None:
    role = one("ClusterRole", kit.objects(kit.kustomize(folder)))
    binding = one("ClusterRoleBinding", kit.objects(kit.kustomize(folder)))
    asked = [yaml.safe_load(role_rule(resource)) for resource in demand_of(ReadSettings(pods=True)).resources]
    assert kit.granted(role["rules"]) == kit.granted(asked)
    ((pod, _),) = kit.containers(kit.objects(kit.kustomize(folder)))
    assert binding["subjects"][0]["name"] == pod["serviceAccountName"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_taking_the_place_of_coredns_touches_what_answers_and_nothing_else() -> None:
    kinds = {each["kind"] for each in kit.objects(kit.kustomize("overlays/replace-coredns"))}
    assert kinds == {"Deployment", "PodDisruptionBudget"}


def test_side_by_side_shares_no_name_with_coredns() -> None:
    found = kit.objects(kit.kustomize("overlays/side-by-side"))
    base = {(each["kind"], each["metadata"]["name"]) for each in kit.objects(kit.kustomize("base"))}
    assert {(each["kind"], each["metadata"]["name"]) for each in found} & base == set()
    service = one("Service", found)
    assert "clusterIP" not in service["spec"]
    assert "kubernetes.io/cluster-service" not in service["metadata"]["labels"]
    assert "kube-dns" not in yaml.safe_dump_all(found)


ADDRESS = MANIFESTS / "overlays" / "node-local" / "address.py"


def test_the_node_gets_its_address_and_gets_it_twice_without_harm() -> None:
    inside = ["unshare", "--map-root-user", "--net", "sh", "-ec"]
    if shutil.which("ip") is None or subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs ip, and network namespaces")
    script = (
        f"ip link set lo up; for i in 1 2; do {sys.executable} -I {ADDRESS} 169.254.20.10; done; ip -br address show lo"
    )
    assert "169.254.20.10/32" in kit.run(*inside, script)


def test_an_address_that_cant_be_had_is_one_line() -> None:
    done = subprocess.run([sys.executable, "-I", ADDRESS, "here"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("address here: ")


def test_the_one_file_says_where_it_comes_from() -> None:
    assert Path(kit.RENDERED).read_text().startswith("# kdns beside the DNS")
