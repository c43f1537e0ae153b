"""The image's stage `build`: kdns with what it needs, and nothing else, in a folder; run by the interpreter of the image.

`python image/build.py SOURCE FOLDER`. A virtual environment with an interpreter of its own (a copy, which may be given a
capability), without pip, with what every question goes through compiled (setup.py), and with bytecode of everything, since the
image's file system is read-only. Of the Kubernetes client only what reads kubeconfigs stays: its models and its asynchronous
twin are 125 MB.
"""

import compileall
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

# Below site-packages: what nothing of kdns imports.
_UNUSED: Final = (
    *(f"kubernetes/{part}" for part in ("aio", "dynamic", "informer", "leaderelection", "stream", "watch")),
    *(f"kubernetes/client/{part}" for part in ("api", "apis", "models")),
    *("aiohttp", "aiosignal", "aiohappyeyeballs", "attr", "attrs", "frozenlist", "multidict", "propcache", "yarl"),
    *("websocket", "dns/quic"),
)
# What packages import of these when they are imported themselves, left as it is needed.
_LEFT: Final = {
    "kubernetes/__init__.py": "",
    "kubernetes/client/__init__.py": (
        "from kubernetes.client.api_client import ApiClient\n"
        "from kubernetes.client.configuration import Configuration\n"
        "from kubernetes.client.exceptions import ApiException\n"
    ),
    "kubernetes/client/models/__init__.py": "",
}


def build(source: Path, folder: Path) -> None:
    """Makes the folder. Raises CalledProcessError where pip does."""
    venv.EnvBuilder(symlinks=False, with_pip=False).create(folder)
    interpreter = folder / "bin" / "python"
    _one_interpreter(interpreter)
    environment = {**os.environ, "KDNS_COMPILED": "1"}
    pip = (sys.executable, "-m", "pip", "--python", str(interpreter), "--disable-pip-version-check", "--no-cache-dir")
    subprocess.run([*pip, "install", "--quiet", "--no-compile", str(source)], check=True, env=environment)  # noqa: S603 - as it is given
    (packages,) = folder.glob("lib/python*/site-packages")
    prune(packages)
    for script in set((folder / "bin").iterdir()) - {interpreter, *(folder / "bin").glob("python*")}:
        script.unlink()
    _launcher(folder / "bin" / "kdns", interpreter)
    compile_all(packages)


def _one_interpreter(interpreter: Path) -> None:
    """Makes links of its further copies."""
    for copy in interpreter.parent.glob("python*"):
        if copy != interpreter:
            copy.unlink()
            copy.symlink_to(interpreter.name)


def prune(packages: Path) -> None:
    """Takes out what is never imported, and tests of libraries."""
    for name in _UNUSED:
        shutil.rmtree(packages / name, ignore_errors=True)
    for path in (*packages.rglob("*_test.py"), *packages.rglob("test_*.py")):
        path.unlink()
    for folder in [path for path in packages.rglob("tests") if path.is_dir()]:
        shutil.rmtree(folder)
    for name, text in _LEFT.items():
        (packages / name).parent.mkdir(exist_ok=True)
        (packages / name).write_text(text)


def _launcher(path: Path, interpreter: Path) -> None:
    text = (Path(__file__).parent / "launch.py").read_text()
    path.write_text(f"#!{interpreter} -I\n{text}")
    path.chmod(0o755)


def compile_all(folder: Path) -> None:
    """Bytecode beside every module, which is believed whatever the time of its source says: layers may change it."""
    done = compileall.compile_dir(folder, quiet=2, force=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    if not done:
        raise SystemExit(f"{folder}: a module can't be compiled")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
