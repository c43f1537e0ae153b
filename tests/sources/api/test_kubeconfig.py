from pathlib import Path

import pytest

from kdns.sources.api.kubeconfig import check, locate
from kdns.sources.errors import SourceError

GOOD = """\
current-context: lab
clusters:
- {name: c, cluster: {server: "https://x"}}
contexts:
- {name: lab, context: {cluster: c, user: u}}
users:
- {name: u, user: {token: t}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(GOOD)
    return path


def complaint(path: Path, text: str, context: str | None = None) -> str:
    """What is wrong, without the file's folder."""
    path.write_text(text)
    with pytest.raises(SourceError) as error:
        check([path], context)
    return str(error.value).replace(f"{path.parent}/", "")


def test_a_good_file_passes(file: Path) -> None:
    check([file], None)
    check([file], "lab")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1\nb: 2\n", "config:2:2: expected ',' or ']', but got ':', expected YAML"),
        ("a: b: c\n", "config:1:5: mapping values are not allowed here, expected YAML"),
        ("a:\n\t- b\n", "config:2:1: found character '\\t' that cannot start any token, expected YAML"),
        ("", "config: found nothing, expected a kubeconfig: a mapping with clusters and users"),
        ("- a\n", "config: found a list, expected a kubeconfig: a mapping with clusters and users"),
        ("secret", "config: found a text, expected a kubeconfig: a mapping with clusters and users"),
        ("clusters: {}\n", "config: no current-context, expected one or --context NAME; contexts there are: none"),
        ("current-context: 7\n", "config: current-context: found a number, expected a text"),
        ("clusters: 7\n", "config: clusters: found a number, expected a list"),
        ("users: [7]\n", "config: users[0]: found a number, expected a mapping with name and user"),
        ("users: [{user: {}}]\n", "config: users[0].name: found nothing, expected a text"),
        ("users: [{name: u, user: [a]}]\n", "config: users[0].user: found a list, expected a mapping"),
    ],
)
def test_what_is_no_kubeconfig_is_named_with_its_place(file: Path, text: str, expected: str) -> None:
    assert complaint(file, text) == expected


@pytest.mark.parametrize(
    ("found", "instead", "expected"),
    [
        ("current-context: lab", "current-context: other", "config: found 'other', expected the name of one of the contexts there are: lab"),
        ("cluster: c,", "cluster: d,", "config: contexts[0].context.cluster: found 'd', expected the name of one of the clusters there are: c"),
        ("user: u}", "user: v}", "config: contexts[0].context.user: found 'v', expected the name of one of the users there are: u"),
        ("cluster: c,", "", "config: contexts[0].context.cluster: found nothing, expected a text"),
        ('server: "https://x"', "", "config: clusters[0].cluster.server: found nothing, expected a text"),
        ('server: "https://x"', "server: [x]", "config: clusters[0].cluster.server: found a list, expected a text"),
        ('"https://x"', "x, certificate-authority-data: '%%%'", "config: clusters[0].cluster.certificate-authority-data: found a text, expected PEM in base64"),
        ('"https://x"', "x, insecure-skip-tls-verify: 'yes'", "config: clusters[0].cluster.insecure-skip-tls-verify: found a text, expected true or false"),
        ('"https://x"', "x, proxy-url: socks5://y", "config: clusters[0].cluster.proxy-url: found a text, expected no proxy: kdns connects to API servers directly"),
        ("token: t", "token: 7", "config: users[0].user.token: found a number, expected a text"),
        ("token: t", "as: somebody", "config: users[0].user.as: found a text, expected no such field: kdns doesn't know it"),
        ("token: t", "client-key: k", "config: users[0].user.client-certificate: found nothing, expected a file, or client-certificate-data"),
        ("token: t", "client-certificate: c", "config: users[0].user.client-key: found nothing, expected a file, or client-key-data"),
        ("token: t", "exec: {apiVersion: a}", "config: users[0].user.exec.command: found nothing, expected a text"),
        ("token: t", "exec: {apiVersion: a, command: c, args: x}", "config: users[0].user.exec.args: found a text, expected a list of texts"),
        ("token: t", "exec: {apiVersion: a, command: c, env: [{name: N}]}", "config: users[0].user.exec.env[0].value: found nothing, expected a text"),
        ("token: t", "auth-provider: {name: azure}", 'config: users[0].user.auth-provider.name: found a text, expected "gcp" or "oidc"; others have become exec plugins'),
    ],
)  # fmt: skip
def test_what_a_field_should_be_is_said_and_no_secret_shown(
    file: Path, found: str, instead: str, expected: str
) -> None:
    assert found in GOOD
    assert complaint(file, GOOD.replace(found, instead)) == expected


def test_a_context_that_isnt_there_is_named_with_those_that_are(file: Path) -> None:
    assert complaint(file, GOOD, "prod") == (
        "config: found 'prod', expected the name of one of the contexts there are: lab"
    )


def test_only_what_the_context_uses_must_be_right(file: Path) -> None:
    file.write_text(GOOD + "- {name: unused, user: {token: 7}}\n")
    check([file], None)


def test_of_two_files_the_first_counts(file: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.write_text(GOOD.replace("token: t", "token: 7").replace("current-context: lab", "current-context: other"))
    check([file, second], None)


def test_files_are_found_where_kubectl_finds_them(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    (file.parent / ".kube").mkdir()
    home = file.parent / ".kube" / "config"
    home.write_text(GOOD)
    assert locate(str(file), {"KUBECONFIG": "/nowhere"}) == [file]
    assert locate(None, {"KUBECONFIG": f"/nowhere:{file}::{home}"}) == [file, home]
    assert locate(None, {}) == [home]


def test_no_file_at_all_is_an_error_that_says_where_it_was_looked_for() -> None:
    with pytest.raises(SourceError, match=r"^/nowhere: no such file, expected a kubeconfig$"):
        locate("/nowhere", {})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"^{tmp_path}: Is a directory, expected a kubeconfig$"):
        check([tmp_path], None)
