"""Kubeconfigs and exec plugins for tests."""

import json
from pathlib import Path
from typing import Any, Final

PEM: Final = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
PEM_DATA: Final = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
V1: Final = "client.authentication.k8s.io/v1"


def write(folder: Path, user: dict[str, Any] | None, **cluster: Any) -> Path:
    """A kubeconfig with this user, or none, and these fields of its cluster."""
    content = {
        "current-context": "lab",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", **cluster}}],
        "contexts": [{"name": "lab", "context": {"cluster": "c", **({"user": "u"} if user else {})}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path = folder / "config"
    path.write_text(json.dumps(content))
    return path


def add_plugin(folder: Path, script: str, **fields: str) -> dict[str, Any]:
    """A user whose plugin is this shell script; each run leaves a line in the folder's file "runs"."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\necho run >> {folder}/runs\n{script}\n")
    path.chmod(0o755)
    return {"exec": {"apiVersion": V1, "command": "./plugin", "interactiveMode": "Never", **fields}}


def says(status: dict[str, Any]) -> str:
    """The script of a plugin that gives this."""
    content = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})
    return f"cat <<'END'\n{content}\nEND"


def runs(folder: Path) -> int:
    """How often the plugin has been run."""
    return (folder / "runs").read_text().count("run")
