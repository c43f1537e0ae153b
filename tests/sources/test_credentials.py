import asyncio
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kdns.sources.credentials import ClientCertificate, Credentials, InPod, TokenFile
from kdns.sources.errors import SourceError

ENVIRONMENT = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("one.two.three\n")
    return path


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> ClientCertificate:
    """Files with a certificate and its key."""
    folder = tmp_path_factory.mktemp("pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=kdns", "-keyout", "key.pem", "-out", "crt.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return ClientCertificate(str(folder / "crt.pem"), str(folder / "key.pem"))


def replaced(path: Path, content: bytes) -> None:
    """As a kubelet does it: another file takes the name."""
    other = path.with_suffix(".new")
    other.write_bytes(content)
    other.rename(path)


def test_a_pod_has_server_token_and_ca(token: Path) -> None:
    assert asyncio.run(InPod(ENVIRONMENT, token.parent).credentials()) == Credentials(
        "https://10.96.0.1:443", "Bearer one.two.three", ca=str(token.parent / "ca.crt")
    )


def test_a_server_by_ipv6_is_written_in_brackets(token: Path) -> None:
    credentials = asyncio.run(InPod({"KUBERNETES_SERVICE_HOST": "fd00:96::1"}, token.parent).credentials())
    assert credentials.server == "https://[fd00:96::1]:443"
    assert credentials.peer().host == "fd00:96::1"


def test_outside_of_a_pod_the_error_says_what_else_there_is() -> None:
    with pytest.raises(
        SourceError, match=r"KUBERNETES_SERVICE_HOST isn't set, so this is no pod; .* --kubeconfig FILE"
    ):
        InPod({})


def test_a_pod_without_token_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"/token: No such file or directory, expected a bearer token"):
        asyncio.run(InPod(ENVIRONMENT, tmp_path).credentials())


def test_a_rotated_token_is_read_again(token: Path) -> None:
    file = TokenFile(token)
    assert file.authorization() == "Bearer one.two.three"
    replaced(token, b"four.five.six")
    assert file.authorization() == "Bearer four.five.six"


def test_a_token_is_read_again_after_a_401_even_if_its_file_seems_the_same(token: Path) -> None:
    file = TokenFile(token)
    file.authorization()
    state = token.stat()
    token.write_text("six.two.three\n")
    os.utime(token, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file.authorization() == "Bearer one.two.three"
    file.refused()
    assert file.authorization() == "Bearer six.two.three"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: replaced(path, b""),
        lambda path: replaced(path, b"\n"),
        lambda path: replaced(path, b"one.tw"),
        lambda path: replaced(path, b"two words"),
        lambda path: replaced(path, b"\0\0\0\0"),
        lambda path: replaced(path, b"\xff\xfe"),
    ],
    ids=["missing", "empty", "blank", "partial", "words", "zeros", "no text"],
)
def test_a_spoiled_token_leaves_the_last_one_until_it_is_whole_again(
    token: Path, spoil: Callable[[Path], None]
) -> None:
    file = TokenFile(token)
    file.authorization()
    spoil(token)
    assert file.authorization() == "Bearer one.two.three"
    file.refused()
    assert file.authorization() == "Bearer one.two.three"
    replaced(token, b"four.five.six")
    assert file.authorization() == "Bearer four.five.six"


@pytest.mark.parametrize(
    ("server", "host", "port", "base"),
    [
        ("https://10.0.0.1:6443", "10.0.0.1", 6443, ""),
        ("https://api.example.com", "api.example.com", 443, ""),
        ("https://rancher.example.com/k8s/clusters/c-1/", "rancher.example.com", 443, "/k8s/clusters/c-1"),
        ("http://127.0.0.1:8001", "127.0.0.1", 8001, ""),
    ],
)
def test_a_server_is_a_host_a_port_and_perhaps_a_path(server: str, host: str, port: int, base: str) -> None:
    credentials = Credentials(server)
    peer = credentials.peer()
    assert (peer.host, peer.port, credentials.base) == (host, port, base)
    assert (peer.tls is not None) == server.startswith("https")


@pytest.mark.parametrize("server", ["", "10.0.0.1:6443", "ftp://x", "https://", "https://x:port", "https://x:99999"])
def test_a_server_that_is_no_url_is_an_error(server: str) -> None:
    with pytest.raises(SourceError, match="the server is "):
        Credentials(server).peer()


def test_peers_are_equal_as_long_as_their_credentials_connect_alike() -> None:
    first, second, third = (Credentials("https://x", auth, ca=ca) for auth, ca in (("a", "f"), ("b", "f"), ("a", "g")))
    assert first.peer() == second.peer()
    assert first.peer() != third.peer()


def context_of(**fields: object) -> ssl.SSLContext:
    tls = Credentials("https://x", **fields).peer().tls  # type: ignore[arg-type] # fields of several types
    assert tls is not None
    return tls()


def test_a_ca_may_be_a_file_or_text(pem: ClientCertificate) -> None:
    from_file = context_of(ca=pem.certificate)
    from_text = context_of(ca=Path(pem.certificate).read_text())
    assert from_file.get_ca_certs() == from_text.get_ca_certs() != []
    assert from_file.verify_mode is ssl.CERT_REQUIRED
    assert from_file.check_hostname


def test_a_ca_that_changes_counts_for_the_next_connection(pem: ClientCertificate, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("")
    tls = Credentials("https://x", ca=str(ca)).peer().tls
    assert tls is not None
    with pytest.raises(SourceError, match=f"{ca}: .*, expected certificates in PEM"):
        tls()
    ca.write_text(Path(pem.certificate).read_text())
    assert tls().get_ca_certs() != []


def test_a_client_certificate_may_be_files_or_text(pem: ClientCertificate) -> None:
    context_of(client=pem)
    context_of(client=ClientCertificate(*(Path(each).read_text() for each in pem)))


def test_a_client_key_that_is_none_is_an_error_that_doesnt_show_it(pem: ClientCertificate) -> None:
    with pytest.raises(
        SourceError, match=r"client certificate and key from .*crt.pem and text: .*, expected PEM"
    ) as error:
        context_of(client=ClientCertificate(pem.certificate, "-----BEGIN SECRET-----"))
    assert "SECRET" not in str(error.value)


def test_a_missing_ca_file_is_an_error_that_names_it() -> None:
    with pytest.raises(SourceError, match=r"^/nowhere/ca\.crt: No such file"):
        context_of(ca="/nowhere/ca.crt")


def test_insecure_takes_any_certificate() -> None:
    assert context_of(insecure=True).verify_mode is ssl.CERT_NONE
