"""Alerts and dashboard: every expression is one, every metric is there, every alert fires on its case and has its page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdns.ops.metrics import FAMILIES
from tests.kit import kit
from tests.kit.kit import MANIFESTS, REPOSITORY

FOLDER = MANIFESTS / "monitoring"
CASES = Path(__file__).parent / "alerts.yaml"
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
METRIC = re.compile(r"\b(?:coredns|kdns|process)_[a-z_]+")


def groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / "prometheusrule.yaml").read_text())["spec"]["groups"]
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in groups() for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
    return found


def expressions() -> dict[str, str]:
    """Title and expression of everything that a panel asks for, with Grafana's variables as it would fill them."""
    found = {}
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
            found[f"{panel['id']} {panel['title']} {target['refId']}"] = text
    return found


def promtool(folder: Path, *arguments: str) -> str:
    return kit.run(kit.tool("promtool"), *arguments[:2], *(str(folder / each) for each in arguments[2:]))


def test_prometheus_reads_every_alert(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups()}))
    assert f"{len(rules())} rules found" in promtool(tmp_path, "check", "rules", "rules.yaml")


def test_every_alert_fires_on_its_case(tmp_path: Path) -> None:
    bare = [{**group, "rules": [_without_text(rule) for rule in group["rules"]]} for group in groups()]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": bare}))
    (tmp_path / "alerts.yaml").write_text(CASES.read_text())
    promtool(tmp_path, "test", "rules", "alerts.yaml")


def _without_text(rule: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != "annotations"}


def test_every_alert_has_a_case_and_none_fires_on_another_s(tmp_path: Path) -> None:
    cases = [case["name"] for case in yaml.safe_load(CASES.read_text())["tests"]]
    assert sorted(cases) == sorted({rule["alert"] for rule in rules()})


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    pages = {f"docs/runbooks/{path.name}" for path in RUNBOOKS.glob("Kdns*.md")}
    assert {rule["annotations"]["runbook"] for rule in rules()} == pages
    for rule in rules():
        text = (REPOSITORY / rule["annotations"]["runbook"]).read_text()
        assert text.startswith(f"# {rule['alert']}\n")
        assert rule["annotations"]["summary"] in " ".join(text.split())
        assert [each for each in ("## What it means", "## Look first", "## What to do") if each not in text] == []
    listed = set(re.findall(r"\]\((Kdns\w+\.md)\)", (RUNBOOKS / "README.md").read_text()))
    assert listed == {Path(page).name for page in pages}


def test_every_metric_in_use_is_one_that_kdns_has() -> None:
    texts = [*expressions().values(), *(rule["expr"] for rule in rules())]
    used = {re.sub(r"_(bucket|count|sum)$", "", name) for text in texts for name in METRIC.findall(text)}
    assert used <= set(FAMILIES)


def test_prometheus_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    made = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions().values())]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    assert f"{len(made)} rules found" in promtool(tmp_path, "check", "rules", "panels.yaml")


def test_the_dashboard_has_each_panel_once_and_none_over_another() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert taken & cells == set(), panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("name", ["job", "instance", "datasource"])
def test_every_panel_follows_the_variables(name: str) -> None:
    assert name in {each["name"] for each in dashboard()["templating"]["list"]}
    parts = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    if name == "datasource":
        assert {panel["datasource"]["uid"] for panel in parts} == {"${datasource}"}
    else:
        assert [panel["title"] for panel in parts for each in panel["targets"] if f"${name}" not in each["expr"]] == []
