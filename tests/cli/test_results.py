"""Results of commands as JSON and YAML: any plain value is read back as it was."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kdns.cli import arguments, results

texts = st.text(max_size=12) | st.sampled_from(
    ("no", "1e3", "~", "a: b", "- a", "#", "\x85", "\u2028", "\U0001f600\x7f")
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)


@given(values)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert json.loads(results.as_json(value)) == value
    assert yaml.safe_load(results.as_yaml(value)) == value


def test_yaml_is_in_blocks() -> None:
    value: dict[str, object] = {"a": [{"b": 1, "c": []}, "d"], "e": {}, "no": None, "f": ("x", ("y",))}
    expected = """a:
  - b: 1
    c: []
  - "d"
e: {}
"no": null
f:
  - "x"
  - - "y"
"""
    assert results.as_yaml(value) == expected


@pytest.mark.parametrize(
    "args",
    [
        ("plugins",),
        ("plugins", "cache"),
        ("check", "/dev/null"),
        ("migrate", "/dev/null"),
        ("version",),
        ("doctor",),
        ("dev", "status"),
        ("explain", "web.shop", "--manifests", "examples"),
    ],
    ids=" ".join,
)
def test_json_and_yaml_have_the_same_fields(
    args: tuple[str, ...], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = []
    for output, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        status = arguments.run([*args, "--output", output])
        found.append((status, _shape(read(capfd.readouterr().out))))
    assert found[0] == found[1]


def _shape(value: Any) -> Any:
    """Without numbers, which are of a moment."""
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shape(each) for each in value]
    return value if isinstance(value, str | bool | None) else 0
