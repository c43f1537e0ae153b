"""What an API server serves of the kit's kinds, applied by kubectl; and the steps of docs/install.md from CoreDNS' Service to kdns and back."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit import kit
from tests.kit.kit import OVERLAYS, REPOSITORY, one
from tests.lab import ADMIN, Lab

pytestmark = pytest.mark.lab
SERVED = {"ConfigMap", "Service"}
ADDRESS = "10.96.0.10"  # that the kit's Service is to have
INSTALL = REPOSITORY / "docs" / "install.md"


@pytest.fixture
def kubectl(lab: Lab) -> Iterator[tuple[str, ...]]:
    """The command as an administrator of the lab, without Services of other tests that have its address; what it has made goes."""
    command = (kit.tool("kubectl"), "--kubeconfig", str(lab.kubeconfig({"token": ADMIN}, "admin")))
    for each in json.loads(kit.run(*command, "get", "services", "--all-namespaces", "-o", "json"))["items"]:
        name, space = each["metadata"]["name"], each["metadata"]["namespace"]
        if (name, space) == ("kube-dns", "kube-system") or ADDRESS in each["spec"].get("clusterIPs", ()):
            kit.run(*command, "-n", space, "delete", "service", name)
    yield command
    mine = ("--selector", "app.kubernetes.io/name=kdns", "--ignore-not-found")
    kit.run(*command, "-n", "kube-system", "delete", "services,configmaps", *mine)


def apply(kubectl: tuple[str, ...], text: str) -> list[dict[str, Any]]:
    """Applies what the lab serves of some YAML; it as the server has it then."""
    served = [each for each in kit.objects(text) if each["kind"] in SERVED]
    if not served:
        return []
    out = kit.run(*kubectl, "apply", "-f", "-", "-o", "json", given=yaml.safe_dump_all(served))
    found = json.loads(out)
    items: list[dict[str, Any]] = found["items"] if found["kind"] == "List" else [found]
    return items


@pytest.mark.parametrize("folder", [*OVERLAYS, "monitoring"])
def test_the_server_takes_it_and_nothing_changes_by_the_second_time(kubectl: tuple[str, ...], folder: str) -> None:
    text = kit.kustomize(folder)
    first = apply(kubectl, text)
    names = {(each["kind"], each["metadata"]["name"]) for each in first}
    assert names == {(each["kind"], each["metadata"]["name"]) for each in kit.objects(text) if each["kind"] in SERVED}
    versions = [each["metadata"]["resourceVersion"] for each in first]
    assert [each["metadata"]["resourceVersion"] for each in apply(kubectl, text)] == versions


@pytest.mark.parametrize("values", [None, "takeover-values.yaml"])
def test_the_server_takes_the_chart(kubectl: tuple[str, ...], values: str | None) -> None:
    assert {each["kind"] for each in apply(kubectl, kit.helm(values))} == SERVED


def steps() -> list[str]:
    """The commands of docs/install.md that patch the Service, the last being the way back."""
    text = re.sub(r"\\\n", " ", Path(INSTALL).read_text())
    return re.findall(r"kubectl (-n kube-system patch service kube-dns .*?'[^']*')", text, re.DOTALL)


def test_the_service_is_led_to_kdns_and_back_as_the_documents_say(kubectl: tuple[str, ...]) -> None:
    base = kit.objects(kit.kustomize("base"))
    service = one("Service", base)
    for port in service["spec"]["ports"]:
        del port["targetPort"]  # as kubeadm makes it
    apply(kubectl, yaml.safe_dump(service))
    ports, there, back = steps()
    kit.run(*kubectl, *shlex.split(ports))
    ((_, kdns),) = kit.containers(kit.objects(kit.kustomize("overlays/side-by-side")))
    names = {(each["name"], each["protocol"]) for each in kdns["ports"]}
    seen = _service(kubectl)
    assert {(each["targetPort"], each["protocol"]) for each in seen["ports"] if each["port"] == 53} <= names
    kit.run(*kubectl, *shlex.split(there))
    assert _service(kubectl)["selector"] == {"k8s-app": "kdns"}
    kit.run(*kubectl, *shlex.split(back))
    assert _service(kubectl)["selector"] == {"k8s-app": "kube-dns"}


def _service(kubectl: tuple[str, ...]) -> dict[str, Any]:
    found = json.loads(kit.run(*kubectl, "-n", "kube-system", "get", "service", "kube-dns", "-o", "json"))
    spec: dict[str, Any] = found["spec"]
    return spec
