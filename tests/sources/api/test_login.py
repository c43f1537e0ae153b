"""Login in this process: what a kubeconfig's user and cluster come to, and how plugins fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdns.sources.api.answer import Answer
from kdns.sources.api.kubeconfig import plain_answer
from kdns.sources.api.login import log_in
from kdns.sources.errors import SourceError
from tests.sources.api.kubeconfigs import PEM, PEM_DATA, V1, add_plugin, says, write

Given = Callable[..., Answer]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """What is given for a kubeconfig with this user and these fields of its cluster."""

    def log_in_with(user: dict[str, Any] | None = None, **cluster: Any) -> Answer:
        return log_in([write(tmp_path, user, **cluster)], None)

    return log_in_with


def test_a_token_is_given_with_all_that_the_cluster_says(given: Given) -> None:
    cluster = {"insecure-skip-tls-verify": True, "tls-server-name": "api.example.com"}
    assert given({"token": "t"}, **cluster) == Answer(
        server="https://10.0.0.1:6443", authorization="Bearer t", server_name="api.example.com", insecure=True
    )


def test_a_user_by_name_and_password_is_given_so(given: Given) -> None:
    assert given({"username": "me", "password": "secret"}).authorization == "Basic bWU6c2VjcmV0"


def test_a_context_without_user_has_no_authorization(given: Given) -> None:
    assert given() == Answer(server="https://10.0.0.1:6443")


def test_a_token_file_is_given_by_its_name_beside_the_kubeconfig(given: Given, tmp_path: Path) -> None:
    answer = given({"tokenFile": "token"})
    assert (answer.token_file, answer.authorization) == (str(tmp_path / "token"), "")


def test_certificates_are_given_as_text_where_they_are_data(given: Given) -> None:
    user = {"client-certificate-data": PEM_DATA, "client-key-data": PEM_DATA}
    answer = given(user, **{"certificate-authority-data": PEM_DATA})
    assert (answer.ca, answer.certificate, answer.key) == (PEM, PEM, PEM)


def test_certificates_are_given_by_name_beside_the_kubeconfig_where_they_are_files(
    given: Given, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("ca", "crt", "key")]
    for file in files:
        file.write_text(PEM)
    answer = given({"client-certificate": "crt", "client-key": "key"}, **{"certificate-authority": "ca"})
    assert [answer.ca, answer.certificate, answer.key] == [str(file) for file in files]


def test_a_certificate_that_isnt_there_is_an_error_that_names_it(given: Given, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"^{tmp_path}/config: File does not exist: {tmp_path}/ca$"):
        given({"token": "t"}, **{"certificate-authority": "ca"})


@pytest.mark.parametrize(
    "user",
    [
        None,
        {},
        {"token": "t"},
        {"token": "t", "tokenFile": "token"},
        {"tokenFile": "token"},
        {"username": "me", "password": "secret"},
        {"username": "me"},
        {"token": "t", "username": "me", "password": "secret"},
        {"client-certificate-data": PEM_DATA, "client-key-data": PEM_DATA},
        {"client-certificate": "crt", "client-key": "key"},
        {"client-certificate": "crt", "client-certificate-data": PEM_DATA, "client-key-data": PEM_DATA, "token": "t"},
    ],
)
@pytest.mark.parametrize(
    "cluster",
    [
        {},
        {"certificate-authority": "ca", "tls-server-name": "api.example.com"},
        {"certificate-authority-data": PEM_DATA, "insecure-skip-tls-verify": True},
        {"server": "https://10.0.0.1:6443/path/"},
    ],
)
def test_a_plain_user_comes_to_the_same_without_the_library(
    user: dict[str, Any] | None, cluster: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("ca", "crt", "key"):
        (tmp_path / name).write_text(PEM)
    paths = [write(tmp_path, user, **cluster)]
    assert plain_answer(paths, None) == log_in(paths, None)


def test_who_needs_a_plugin_is_not_plain(tmp_path: Path) -> None:
    assert plain_answer([write(tmp_path, add_plugin(tmp_path, says({"token": "t"})))], None) is None


def test_a_file_of_a_plain_user_that_isnt_there_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, {"token": "t"}, **{"certificate-authority": "ca"})
    with pytest.raises(SourceError) as error:
        plain_answer([path], None)
    assert str(error.value) == (
        f"{path}: clusters[0].cluster.certificate-authority: found {tmp_path}/ca, expected a file that is there"
    )


def test_a_plugin_gives_a_token_and_for_how_long(given: Given, tmp_path: Path) -> None:
    status = {"token": "t", "expirationTimestamp": "2999-01-01T00:00:00Z"}
    answer = given(add_plugin(tmp_path, says(status)))
    assert answer.authorization == "Bearer t"
    assert answer.lifetime_s is not None
    assert answer.lifetime_s > 1e9


def test_a_plugin_gives_a_certificate(given: Given, tmp_path: Path) -> None:
    status = {"clientCertificateData": PEM, "clientKeyData": PEM}
    answer = given(add_plugin(tmp_path, says(status)))
    assert (answer.certificate, answer.key, answer.lifetime_s) == (PEM, PEM, None)


def test_a_plugin_gets_its_arguments_and_variables(given: Given, tmp_path: Path) -> None:
    user = add_plugin(tmp_path, says({"token": "T"}).replace("'END'", "END").replace("T", "$WHO$1", 1))
    user["exec"] |= {"args": ["b"], "env": [{"name": "WHO", "value": "a"}]}
    assert given(user).authorization == "Bearer ab"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo no session >&2; echo more >&2; exit 3", "process returned 3. no session, expected credentials; brew install it"),
        ("exit 1", "process returned 1, expected credentials; brew install it"),
        ("echo '{'", "failed to decode process output: Expecting property name enclosed in double quotes: line 2 column 1 (char 2), expected credentials; brew install it"),
        ("echo '{}'", "malformed response. missing key 'apiVersion', expected credentials; brew install it"),
        (says({}), "its status has nothing, expected token, or clientCertificateData and its key"),
        (says({"clientCertificateData": "c"}), "its status has clientCertificateData, expected token, or clientCertificateData and its key"),
        (says({"token": "t", "expirationTimestamp": "soon"}), "expirationTimestamp is 'soon', expected a time as RFC 3339 has it"),
    ],
)  # fmt: skip
def test_a_plugin_that_fails_is_one_clear_line(given: Given, tmp_path: Path, script: str, expected: str) -> None:
    with pytest.raises(SourceError) as error:
        given(add_plugin(tmp_path, script, installHint="brew\ninstall it"))
    assert str(error.value) == f"{tmp_path}/config: users[u].user.exec: ./plugin: {expected}"


def test_a_plugin_that_isnt_installed_is_one_clear_line(given: Given, tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": V1, "command": "kdns-no-such-plugin", "installHint": "see example.com"}}
    with pytest.raises(SourceError) as error:
        given(user)
    assert str(error.value) == (
        f"{tmp_path}/config: users[u].user.exec: kdns-no-such-plugin: No such file or directory,"
        " expected credentials; see example.com"
    )
