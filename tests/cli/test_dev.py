"""The command dev: what is said of wrong flags, and which clusters are served. What commands see is in tests/dev."""

from pathlib import Path

import pytest

from kdns.cli import arguments
from tests.server import NOBODY

KUBECONFIG = """
current-context: {context}
clusters: [{{name: c, cluster: {{server: "https://127.0.0.1:1"}}}}]
contexts:
- {{name: {context}, context: {{cluster: c, user: u, namespace: shop}}}}
- {{name: kind, context: {{cluster: c, user: u}}}}
users: [{{name: u, user: {{token: t}}}}]
"""


def kubeconfig(folder: Path, context: str) -> str:
    path = folder / "config"
    path.write_text(KUBECONFIG.format(context=context))
    return str(path)


def said(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str]:
    status = arguments.run(["dev", *flags])
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("-f", "a", "--listen", ":1", "--", "true"), "--listen: found it beside a command"),
        (("-f", "a", "--split-dns", "--", "true"), "--split-dns: found it beside a command"),
        (("-f", "a", "--search", "shop", "--from", "shop/web-0"), "--search: found it beside --from"),
        (("-f", "a", "--from", "shop", "--upstream", NOBODY), '--from: found "shop", expected NAMESPACE/POD'),
        (("-f", "a", "--yes"), "--yes: found it beside -f"),
        (("-f", "a", "--forward"), "--forward: found it beside -f"),
        (("-f", "a", "--context", "b"), "--context: found it beside --manifests"),
        (("-f", "a", "--map", "web=127.0.0.1"), "--map web=127.0.0.1: expected SERVICE.NAMESPACE=ADDRESS"),
        (("-f", "a", "--map", "web.shop=here"), "--map web.shop=here: expected SERVICE.NAMESPACE=ADDRESS"),
        (("-f", "a", "--map", "a.b.c=127.0.0.1"), "--map a.b.c=127.0.0.1: expected SERVICE.NAMESPACE=ADDRESS"),
        (("-f", "a", "--zone", ".", "--", "true"), "--zone .: found the root"),
    ],
)
def test_flags_that_do_not_go_together_are_named(
    flags: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, error = said(capsys, *flags)
    assert (status, error.startswith(f"kdns: {expected}")) == (2, True), error


def test_a_context_that_sounds_like_production_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, error = said(capsys, "--kubeconfig", kubeconfig(tmp_path, "shop-prod"), "--upstream", NOBODY)
    first, second = error.splitlines()
    assert status == 1
    assert first == ("kdns dev: context shop-prod, cluster c (https://127.0.0.1:1), namespace shop, on 127.0.0.1:5354")
    assert second.startswith("kdns: shop-prod sounds like production; nothing was done")


def test_a_context_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = kubeconfig(tmp_path, "kind")
    status, error = said(capsys, "--kubeconfig", path, "--context", "none", "--upstream", NOBODY)
    assert (status, "found 'none', expected the name of one of the contexts" in error) == (1, True)


@pytest.mark.parametrize(
    ("flags", "expected"), [(("status",), "nothing is changed\n"), (("--undo",), "nothing was left\n")]
)
def test_of_a_machine_that_is_not_changed_it_says_so(
    flags: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert arguments.run(["dev", *flags]) == 0
    assert capsys.readouterr().out == expected
