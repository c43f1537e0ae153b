"""JSON schemas of what the manifests hold, made of what Kubernetes and the Prometheus operator publish in their Go modules.

`python -m tests.kit.schemas KUBERNETES OPERATOR FOLDER` reads the modules' folders (OpenAPI 3 of each group, and the custom
resource definitions) and writes a schema for each kind, by the name that LOCATION gives to kubeconform. Strict: a field
that the schema doesn't know is an error.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

LOCATION: Final = "{{.ResourceKind}}{{.KindSuffix}}.json"
_GROUPS: Final = (
    *("api__v1", "apis__apps__v1", "apis__policy__v1", "apis__autoscaling__v2", "apis__networking.k8s.io__v1"),
    "apis__rbac.authorization.k8s.io__v1",
)
_CUSTOM: Final = ("servicemonitors", "prometheusrules")


def kubernetes(module: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and schema of every kind of the groups in use."""
    for group in _GROUPS:
        text = (module / "api" / "openapi-spec" / "v3" / f"{group}_openapi.json").read_text()
        found = _strict(json.loads(text.replace("#/components/schemas/", "#/definitions/")))["components"]["schemas"]
        for schema in found.values():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                yield _name(kind["group"], kind["version"], kind["kind"]), {**schema, "definitions": found}


def operator(module: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and schema of the operator's kinds in use."""
    for plural in _CUSTOM:
        path = module / "example" / "prometheus-operator-crd" / f"monitoring.coreos.com_{plural}.yaml"
        definition = yaml.safe_load(path.read_text())["spec"]
        for version in definition["versions"]:
            name = _name(definition["group"], version["name"], definition["names"]["kind"])
            yield name, _strict(version["schema"]["openAPIV3Schema"])


def _name(group: str, version: str, kind: str) -> str:
    return "-".join(filter(None, (kind.lower(), group.partition(".")[0], version))) + ".json"


def _strict(schema: Any) -> Any:
    """The schema in which what isn't named isn't allowed; JSON knows nothing of null fields or of the API's own formats."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value) for key, value in schema.items() if key != "format"}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def main(arguments: list[str]) -> None:
    cluster, monitoring, folder = map(Path, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in (*kubernetes(cluster), *operator(monitoring)):
        (folder / name).write_text(json.dumps(schema))


if __name__ == "__main__":
    main(sys.argv[1:])
