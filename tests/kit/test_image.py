"""The image, made by the Dockerfile's own commands: what is in it, what isn't, and that it runs as nobody with nothing to write."""

import importlib.util
import json
import os
import re
import struct
from pathlib import Path

import pytest

import kdns
from tests.kit import image as images
from tests.kit.image import DOCKERFILE, config, instructions
from tests.kit.kit import REPOSITORY

pytestmark = pytest.mark.image
PLUGIN = """#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "given"}}'
"""
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "a",
    "clusters": [{"name": "a", "cluster": {"server": "https://192.0.2.1"}}],
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    "users": [
        {
            "name": "a",
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "/account/plugin",
                    "interactiveMode": "Never",
                }
            },
        }
    ],
}


def test_the_entry_point_takes_coredns_arguments(image: Path, tmp_path: Path) -> None:
    (entry,) = config("ENTRYPOINT")
    assert entry == "/coredns"
    assert images.run(image, tmp_path, entry, "-version").stdout == f"kdns {kdns.__version__}\n"
    links = [image / "coredns", *(image / "usr" / "local" / "bin" / name for name in ("coredns", "kdns"))]
    assert {str(link.readlink()) for link in links} == {"/opt/kdns/bin/kdns"}


def test_the_path_of_a_question_is_compiled(image: Path, tmp_path: Path) -> None:
    where = "import kdns.serve.responder, kdns.serve.udp; print(kdns.serve.responder.__file__, kdns.serve.udp.__file__)"
    compiled, interpreted = images.run(image, tmp_path, "/opt/kdns/bin/python", "-c", where).stdout.split()
    assert (Path(compiled).suffix, Path(interpreted).suffix) == (".so", ".py")


def test_credentials_by_a_plugin_come_through_what_is_left_of_the_client(image: Path, tmp_path: Path) -> None:
    (account := tmp_path / "account").mkdir()
    (scratch := tmp_path / "scratch").mkdir()
    scratch.chmod(0o777)  # the one thing that the library needs: where to write for a moment
    (account / "plugin").write_text(PLUGIN)
    (account / "plugin").chmod(0o755)
    (account / "config").write_text(json.dumps(KUBECONFIG))
    login = ("/opt/kdns/bin/python", "-P", "-m", "kdns.sources.api.login", "", "/account/config")
    done = images.run(image, tmp_path, *login, binds=[[str(account), "/account", False], [str(scratch), "/tmp", True]])
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["server"], answer["authorization"]) == ("https://192.0.2.1", "Bearer given")


def test_there_is_no_pip_and_nothing_that_kdns_never_imports(image: Path) -> None:
    found = {path.name for path in image.rglob("*") if path.is_dir()}
    assert (
        found & {"pip", "ensurepip", "idlelib", "tkinter", "aiohttp", "aio", "leaderelection", "test", "tests"} == set()
    )
    assert list((image / "usr" / "local" / "bin").glob("pip*")) == []


def test_every_module_has_its_bytecode(image: Path) -> None:
    modules = [path for path in image.rglob("*.py") if "/lib/python" in str(path)]
    assert len(modules) > 500
    tag = f"cpython-{config_version()}"
    assert [path for path in modules if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists()] == []
    header = (image / "opt/kdns/lib").rglob("responder*.pyc")
    assert {struct.unpack("<I", path.read_bytes()[4:8])[0] for path in header} == {1}  # PEP 552: a hash, not looked at


def config_version() -> str:
    """The tag of the interpreter that the tests run by, which is the one the stages are made with."""
    return Path(importlib.util.cache_from_source("a.py")).name.split(".")[1].removeprefix("cpython-")


def test_port_53_is_permitted_and_not_in_effect_by_the_file(image: Path) -> None:
    data = os.getxattr(image / "opt" / "kdns" / "bin" / "python", "security.capability")
    magic, permitted = struct.unpack("<II", data[:8])
    assert (magic & 1, permitted) == (0, 1 << 10)  # the bit of effect; capabilities(7)


def test_the_size_in_the_documents_is_what_there_is(image: Path) -> None:
    text = (REPOSITORY / "docs" / "image.md").read_text()
    for folder, row in (("opt/kdns", "kdns and its libraries"), ("usr/local", "the interpreter")):
        (said,) = re.findall(rf"^\| {row}, `/{folder}` \| (\d+) \|$", text, re.MULTILINE)
        assert images.size_mb(image / folder) == pytest.approx(float(said), rel=0.2), row


def test_the_dockerfile_ends_as_nobody_with_one_layer() -> None:
    lines = instructions(DOCKERFILE.read_text())
    last = [each.rest for each in lines if each.name == "FROM"][-1]
    assert last == "scratch"
    assert config("USER") == "65532:65532"
    assert [each.rest for each in lines if each.name == "WORKDIR"] == ["/"]  # where a Corefile is looked for


def test_a_continued_line_is_one() -> None:
    assert instructions("# a\nRUN a \\\n  b\nUSER 1\n") == [("RUN", "a    b"), ("USER", "1")]
