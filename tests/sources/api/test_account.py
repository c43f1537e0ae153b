"""Accounts of kubeconfigs, by way of the real child process and real plugins."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdns.config.settings import ApiEndpoint, ClusterSource
from kdns.sources.api import account as account_module
from kdns.sources.api.account import KubeconfigAccount, account_of
from kdns.sources.credentials import ClientCertificate, Credentials, InPod
from kdns.sources.errors import SourceError
from tests.sources.api.kubeconfigs import add_plugin, runs, says, write


def account(folder: Path, user: dict[str, object]) -> KubeconfigAccount:
    return KubeconfigAccount([write(folder, user)], None)


def test_a_token_file_is_read_again_without_another_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    used = account(tmp_path, {"tokenFile": "token"})

    async def both() -> list[str]:
        first = await used.credentials()
        monkeypatch.setattr(account_module, "_log_in", None)
        token.write_text("second")
        used.refused(first)
        return [first.authorization, (await used.credentials()).authorization]

    assert asyncio.run(both()) == ["Bearer first", "Bearer second"]


def test_what_is_wrong_comes_out_of_the_child_as_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        asyncio.run(account(tmp_path, add_plugin(tmp_path, "echo no session >&2; exit 3")).credentials())
    assert str(error.value) == (
        f"{tmp_path}/config: users[u].user.exec: ./plugin: process returned 3. no session, expected credentials"
    )


def test_a_plugin_that_hangs_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "never")
    used = account(tmp_path, add_plugin(tmp_path, f"echo $$ > {tmp_path}/pid; exec cat {tmp_path}/never"))
    monkeypatch.setattr(account_module, "LOGIN_LIMIT_S", 2.0)
    with pytest.raises(SourceError, match=r"/config: no credentials within 2 s; does an exec plugin wait for input\?"):
        asyncio.run(used.credentials())
    ps = ["ps", "-o", "stat=", "-p", (tmp_path / "pid").read_text().strip()]
    # Where nobody takes leave of it, what has ended stays as a zombie.
    assert subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip() in {"", "Z", "Zs"}


def test_a_plugin_is_run_again_after_a_401_but_once_for_all_who_got_it(tmp_path: Path) -> None:
    script = f"count=$(wc -l < {tmp_path}/runs)\n" + says({"token": "t-COUNT"}).replace("'END'", "END")
    used = account(tmp_path, add_plugin(tmp_path, script.replace("COUNT", "$((count))")))

    async def all_of_it() -> list[str]:
        first = await used.credentials()
        same = await used.credentials()
        used.refused(first)
        used.refused(same)
        second, third = await asyncio.gather(used.credentials(), used.credentials())
        used.refused(first)
        fourth = await used.credentials()
        return [each.authorization for each in (first, same, second, third, fourth)]

    assert asyncio.run(all_of_it()) == ["Bearer t-1", "Bearer t-1", "Bearer t-2", "Bearer t-2", "Bearer t-2"]
    assert runs(tmp_path) == 2


@pytest.mark.parametrize(("year", "expected"), [(2999, 1), (2001, 2)])
def test_a_plugin_is_run_again_once_what_it_gave_expires(tmp_path: Path, year: int, expected: int) -> None:
    status = {"token": "t", "expirationTimestamp": f"{year}-01-01T00:00:00Z"}
    used = account(tmp_path, add_plugin(tmp_path, says(status)))

    async def twice() -> None:
        await used.credentials()
        await used.credentials()

    asyncio.run(twice())
    assert runs(tmp_path) == expected


def test_what_is_still_good_is_used_while_the_plugin_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = account(tmp_path, add_plugin(tmp_path, says({"token": "t"})))

    async def both() -> list[str]:
        first = await used.credentials()
        # As if it expired within the minute.
        monkeypatch.setattr(used, "_expires", asyncio.get_running_loop().time() + 30)
        add_plugin(tmp_path, "exit 1")
        second = await used.credentials()
        used.refused(second)
        with pytest.raises(SourceError, match="process returned 1"):
            await used.credentials()
        return [first.authorization, second.authorization]

    assert asyncio.run(both()) == ["Bearer t", "Bearer t"]


def test_the_account_is_the_pods_unless_a_kubeconfig_or_context_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    pod = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBECONFIG": str(tmp_path / "config")}
    assert isinstance(account_of(ClusterSource(), pod), InPod)
    assert isinstance(account_of(ClusterSource(context="lab"), pod), KubeconfigAccount)
    assert isinstance(account_of(ClusterSource(kubeconfig=str(tmp_path / "config")), {}), KubeconfigAccount)


def test_an_endpoint_is_spoken_to_with_its_client_certificate(tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("certificate", "key", "authorities")}
    for path in files.values():
        Path(path).write_text("-")
    source = ClusterSource(endpoint=ApiEndpoint("https://192.0.2.1:6443/", **files))
    account = account_of(source, {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBECONFIG": "none"})
    assert asyncio.run(account.credentials()) == Credentials(
        "https://192.0.2.1:6443",
        ca=files["authorities"],
        client=ClientCertificate(files["certificate"], files["key"]),
    )


@pytest.mark.parametrize(
    ("url", "authorities", "server"),
    [
        ("192.0.2.1:8080", False, "http://192.0.2.1:8080"),
        ("192.0.2.1:6443", True, "https://192.0.2.1:6443"),
        ("http://192.0.2.1", True, "http://192.0.2.1"),
    ],
)
def test_an_endpoints_scheme_follows_from_its_tls(url: str, *, authorities: bool, server: str, tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("-")
    endpoint = ApiEndpoint(url, authorities=str(tmp_path / "ca") if authorities else "")
    assert asyncio.run(account_of(ClusterSource(endpoint=endpoint), {}).credentials()).server == server


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        (ApiEndpoint("ftp://192.0.2.1"), "expected https://HOST:PORT"),
        (ApiEndpoint("https://"), "expected https://HOST:PORT"),
        (ApiEndpoint("https://192.0.2.1", "/none/cert", "/none/key"), "/none/cert: no such file, expected PEM for"),
    ],
)
def test_an_endpoint_that_is_none_is_said_at_once(endpoint: ApiEndpoint, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        account_of(ClusterSource(endpoint=endpoint), {})


def test_the_client_library_stays_out_of_this_process_and_the_parser_out_of_a_pods() -> None:
    script = "import sys, kdns.sources.api; print(sorted({'kubernetes', 'yaml', 'requests'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
