"""serve up to the moment where it hands its settings to what serves."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import kdns
from kdns.cli import arguments
from kdns.config.directives.forward import Forward
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.serving import Probes, Serving
from kdns.config.settings import Address, ClusterSource, ManifestSource, SettingsError


def put_in_place(serve: Callable[[Serving, object], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes this what serves, instead of kdns.app with its sockets and processes."""
    app = SimpleNamespace(serve=serve)
    monkeypatch.setitem(sys.modules, "kdns.app", app)
    monkeypatch.setattr(kdns, "app", app, raising=False)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Serving]:
    """The settings that would be served; serving them ends at once with status 7."""
    seen: list[Serving] = []

    def serve(settings: Serving, _corefile: object) -> int:
        seen.append(settings)
        return 7

    put_in_place(serve, monkeypatch)
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    return seen


def test_the_status_is_that_of_serving(served: list[Serving]) -> None:
    assert arguments.run(["serve", "--manifests", "/", "--manifests", "/dev/null", "--upstream", "192.0.2.1"]) == 7
    assert served[0].source == ManifestSource(("/", "/dev/null"))


def test_every_flag_reaches_its_setting(served: list[Serving]) -> None:
    line = """serve --kubeconfig k --context c --zone z.example --listen 127.0.0.1 --listen [::1]:54 -p 1053
        --upstream 192.0.2.1 --pods verified --ttl 30 --workers 3 --log-level debug
        --health 127.0.0.1:0 --ready :1 --metrics [::1]:2 -pidfile kdns.pid -quiet"""
    assert arguments.run(line.split()) == 7
    (made,) = served
    assert made.source == ClusterSource("k", "c")
    assert [str(each.address) for each in made.servers.listeners] == ["127.0.0.1:1053", "[::1]:54"]
    (block,) = made.servers.blocks
    (cluster,), (forward,) = block.each(Kubernetes), block.each(Forward)
    assert (cluster.zones[0], cluster.pods, cluster.ttl_s) == (b"\x01z\x07example\0", "verified", 30)
    assert [(each.host, each.port) for each in forward.upstreams] == [("192.0.2.1", 53)]
    assert made.probes == Probes((Address("127.0.0.1", 0),), (Address("", 1),), (Address("::1", 2),))
    assert (made.workers, made.log_level) == (3, "debug")
    assert (made.pidfile, made.quiet) == ("kdns.pid", True)


def test_kubeconfig_of_the_environment_is_honoured(served: list[Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/home/me/config")
    assert arguments.run(["serve", "--upstream", "192.0.2.1"]) == 7
    assert served[0].source == ClusterSource("/home/me/config")


def test_an_own_loopback_upstream_is_seen(served: list[Serving], capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments.run(["serve", "--manifests", "a", "--upstream", "127.0.0.1"]) == 2
    assert "found an address this server listens on" in capsys.readouterr().err
    assert served == []


def test_what_cant_be_served_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(_: Serving, _corefile: object) -> int:
        raise SettingsError("127.0.0.1:53: found it taken, expected a free port")

    put_in_place(serve, monkeypatch)
    assert arguments.run(["serve", "--manifests", "/", "--upstream", "192.0.2.1"]) == 1
    assert capsys.readouterr() == ("", "kdns: 127.0.0.1:53: found it taken, expected a free port\n")


def test_manifests_that_are_not_there_are_told_before_anything_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments.run(["serve", "--manifests", "/", "--manifests", "/nowhere", "--upstream", "192.0.2.1"]) == 1
    expected = "kdns: /nowhere: found no such file or directory, expected a file or folder that can be read\n"
    assert capsys.readouterr() == ("", expected)


TWICE = """
import os, sys
from kdns.cli.surroundings import keep_standard_input
keep_standard_input()
for _ in range(2):
    if os.fork() == 0:
        from kdns.sources import files
        sys.stdout.write(files.read("-").decode())
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_standard_input_can_be_read_again_by_a_controller_that_is_replaced() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], input=b"kind: Service\n", capture_output=True, check=True)
    assert done.stdout == b"kind: Service\n" * 2


def test_standard_input_that_is_a_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"kind: Pod\n")
    with (tmp_path / "in").open("rb") as file:
        done = subprocess.run([sys.executable, "-c", TWICE], stdin=file, capture_output=True, check=True)
    assert done.stdout == b"kind: Pod\n" * 2


def test_a_corefile_reaches_its_servers(served: list[Serving], tmp_path: Path) -> None:
    corefile = tmp_path / "Corefile"
    corefile.write_text("import *.server\n")
    (tmp_path / "a.server").write_text("example.org:54 {\n    forward . 192.0.2.1\n}\n")
    assert arguments.run(["-conf", str(corefile), "--workers", "1"]) == 7
    (made,) = served
    assert [each.label for each in made.servers.listeners] == ["dns://:54"]
    assert (made.source, made.workers) == (None, 1)


def test_an_empty_corefile_answers_who_asks(served: list[Serving], tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text("")
    assert arguments.run(["-conf", str(tmp_path / "Corefile"), "-dns.port=1053"]) == 7
    assert [each.label for each in served[0].servers.listeners] == ["dns://:1053"]


def test_whatever_is_wrong_in_a_corefile_is_shown_where_it_is(
    served: list[Serving], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corefile = tmp_path / "Corefile"
    corefile.write_text(". {\n    kuberntes\n    cache 30 nothing {\n        nonsense\n    }\n}\n")
    assert arguments.run(["-conf", str(corefile)]) == 1
    assert served == []
    error = capsys.readouterr().err
    assert f'{corefile}:2:5: error: unknown directive "kuberntes"; did you mean "kubernetes"?' in error
    assert "    kuberntes\n    ^^^^^^^^^\n" in error
    assert f"{corefile}:4:9: error: " in error
