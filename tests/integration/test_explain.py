"""kdns explain of a real cluster: by its kubeconfig, and by a server that reads it, which answers what it says."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ADMIN, Lab
from tests.server import ZONE, Server

pytestmark = pytest.mark.lab

SPACE = "explained"
SINCE = "2026-01-02T03:04:05Z"
NAME = f"db.{SPACE}.{ZONE}"


def explained(*args: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "kdns", "explain", "-o", "json", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def records(told: dict[str, Any]) -> set[str]:
    return {record["data"] for each in told["candidates"] for reply in each["replies"] for record in reply["records"]}


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Lab]:
    """A headless Service of two pods, one of which is ready; pods by their own DNS settings."""
    lab.create("namespaces", "", SPACE)
    lab.create(
        "services",
        SPACE,
        "db",
        spec={"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"name": "sql", "port": 5432}]},
    )
    for name, status in (("db-0", "True"), ("db-1", "False")):
        spec = {
            "containers": [{"name": "db", "image": "db"}],
            "dnsConfig": {"searches": ["corp.example"], "options": [{"name": "ndots", "value": "2"}]},
        }
        lab.create("pods", SPACE, name, labels={"app": "db"}, spec=spec)
        condition = {"type": "Ready", "status": status, "lastTransitionTime": SINCE, "reason": "Tested"}
        lab.request("PATCH", f"/api/v1/namespaces/{SPACE}/pods/{name}/status", {"status": {"conditions": [condition]}})
    endpoints = [
        {
            "addresses": [f"10.0.7.{last}"],
            "conditions": {"ready": not last},
            "targetRef": {"kind": "Pod", "name": f"db-{last}"},
        }
        for last in range(2)
    ]
    lab.create(
        "endpointslices",
        SPACE,
        "db-x",
        labels={"kubernetes.io/service-name": "db"},
        addressType="IPv4",
        ports=[{"name": "sql", "port": 5432}],
        endpoints=endpoints,
    )
    yield lab
    for resource, name in (("services", "db"), ("endpointslices", "db-x"), ("pods", "db-0"), ("pods", "db-1")):
        lab.delete(resource, SPACE, name)


def test_an_api_server_tells_who_is_ready_and_since_when(cluster: Lab) -> None:
    kubeconfig = str(cluster.kubeconfig({"token": ADMIN}))
    status, told = explained("db", "--from", f"{SPACE}/db-0", "--kubeconfig", kubeconfig)
    assert (status, told["answered"], records(told)) == (0, f"{NAME}.", {"10.0.7.0"})
    assert (told["path"]["ndots"], told["path"]["search"][-1]) == (2, "corp.example")
    service, part = told["candidates"][0]["objects"]
    assert (service["kind"], part["name"]) == ("Service", "db-x")
    assert service["resourceVersion"].isdigit()
    said = [(each["pod"], each["ready"], each["since"], each["why"]) for each in part["endpoints"]]
    assert said == [("db-0", True, SINCE, ""), ("db-1", False, SINCE, "Tested")]
    status, told = explained(f"dbb.{SPACE}.{ZONE}.", "--kubeconfig", kubeconfig)
    assert (status, [each["code"] for each in told["reasons"]]) == (1, ["near-service"])


def test_a_running_server_explains_what_it_answers(cluster: Lab, tmp_path: Path) -> None:
    with Server("--kubeconfig", str(cluster.kubeconfig()), folder=tmp_path) as server:
        server.comes_to(NAME, "A", {"10.0.7.0"})
        address = server.events("listening")[-1]["ready"]
        status, told = explained("db", "--from", SPACE, "--server", address)
        assert (status, records(told)) == (0, server.said(NAME))
        assert told["freshness"]["workers"] == [told["freshness"]["revision"]] * len(told["freshness"]["workers"])
        part = told["candidates"][0]["objects"][1]
        assert (part["notReady"], [each["since"] for each in part["endpoints"]]) == (1, [None])
        kubeconfig = str(cluster.kubeconfig({"token": ADMIN}))
        _, told = explained("db", "--from", f"{SPACE}/db-0", "--server", address, "--kubeconfig", kubeconfig)
        assert told["path"]["search"][-1] == "corp.example"
        part = told["candidates"][0]["objects"][1]
        said = [(each["pod"], each["ready"], each["counts"], each["since"]) for each in part["endpoints"]]
        assert said == [("db-0", True, True, SINCE), ("db-1", False, False, SINCE)]
        assert told["notes"] == []
