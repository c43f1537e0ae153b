"""The image without a container engine: the Dockerfile's stages in plain folders, by the commands that stand there.

Each RUN is done by a shell in a root directory of its own, in which /usr/local is a copy of this interpreter's folder and the rest
is this machine's, read-only. So the commands are what a builder would do, but for those that concern the base image's own files
(apt-get, rm), which are left out.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.kit.kit import REPOSITORY

DOCKERFILE: Final = REPOSITORY / "Dockerfile"
_RUNTIME: Final = Path(__file__).with_name("runtime.py")
_ETC: Final = (
    "ssl",
    "ld.so.cache",
    "passwd",
    "group",
    "nsswitch.conf",
    "hosts",
    "resolv.conf",
    "pip.conf",
    "alternatives",
)
_SYSTEM: Final = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/proc",
    "/dev",
    "/sys",
    *(f"/etc/{each}" for each in _ETC),
)
# Of an interpreter's folder: what isn't there in Python's images either.
_NOT_COPIED: Final = shutil.ignore_patterns("test", "tests", "__pycache__", "*.a", "config-*", "site-packages")


class Instruction(NamedTuple):
    """A line of a Dockerfile."""

    name: str
    rest: str


def instructions(text: str) -> list[Instruction]:
    """The lines of a Dockerfile; continued ones as one."""
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip() and not line.startswith("#")]


def config(name: str) -> Any:
    """What the last stage says: ENTRYPOINT and USER as they stand, ENV as a dictionary."""
    found = [each.rest for each in instructions(DOCKERFILE.read_text()) if each.name == name]
    if name == "ENV":
        return dict(part.split("=", 1) for line in found for part in shlex.split(line))
    return json.loads(found[-1]) if found[-1].startswith("[") else found[-1]


class Stages:
    """The stages' folders, each by its name; that of the last is called image."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, Path] = {}

    def build(self) -> Path:
        """Does all that the Dockerfile says; the folder that the image would have."""
        stage = self.folder
        for name, rest in instructions(DOCKERFILE.read_text()):
            if name == "FROM":
                base, _, called = rest.partition(" AS ")
                stage = self.folder / (called or "image")
                self._begin(stage, empty=base == "scratch")
            elif name == "COPY":
                self._copy(stage, rest)
            elif name == "RUN":
                self._run(stage, rest)
        return stage

    def _begin(self, stage: Path, *, empty: bool) -> None:
        for each in ("opt", "tmp", "usr"):
            (stage / each).mkdir(parents=True)
        if not empty:
            _copy_interpreter(stage / "usr" / "local")

    def _copy(self, stage: Path, rest: str) -> None:
        words = rest.split()
        origin = REPOSITORY
        if words[0].startswith("--from="):
            origin = self.folder / words.pop(0).removeprefix("--from=")
        source, target = words
        to = stage / target.strip("/")
        if source == ".":
            _copy_context(to)
        elif (from_ := origin / source.strip("/")).is_dir():
            # With its capabilities, which a copy by Python would lose.
            subprocess.run(["cp", "--archive", f"{from_}/.", to], check=True)
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(from_, to)

    def _run(self, stage: Path, rest: str) -> None:
        parts = [part for part in rest.split(" && ") if part.split()[0] not in {"apt-get", "rm"}]
        for part in parts:
            if part.startswith("ln -s "):
                target, link = part.split()[2:]
                (stage / link.strip("/")).symlink_to(target)
            else:
                self._shell(stage, part)

    def _shell(self, stage: Path, command: str) -> None:
        spec = self.folder / "spec.json"
        writable = [
            [str(path), f"/{path.name}", True] for path in stage.iterdir() if path.is_dir() and path.name != "usr"
        ]
        root = self.folder / "mounted"
        root.mkdir(exist_ok=True)
        made = {
            "root": str(root),
            "binds": [*system(), *writable, *interpreter(stage, writable=True)],
            "links": [],
            "read_only": False,
            "cgroups": [],
            "uid": None,
            "argv": ["/bin/sh", "-ec", command],
            "env": {**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp"},
        }
        spec.write_text(json.dumps(made))
        done = subprocess.run([*contained(), str(spec)], capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def contained(*namespaces: str) -> Sequence[str]:
    """The command that starts what a specification says."""
    return ("unshare", "--mount", "--propagation", "private", *namespaces, "--", sys.executable, str(_RUNTIME))


def system() -> list[list[object]]:
    """Binds of this machine's own folders, which stand in for the base image's."""
    return [[each, each, each == "/dev"] for each in _SYSTEM if Path(each).exists()]


def interpreter(stage: Path, *, writable: bool = False) -> list[list[object]]:
    """Binds of the stage's interpreter: where images have it, and where it believes to be."""
    own = str(stage / "usr" / "local")
    return [[own, "/usr/local", writable], [own, sys.base_prefix, writable]]


def size_mb(folder: Path) -> float:
    """What a folder takes, in MB, links counted as nothing."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def _copy_interpreter(to: Path) -> None:
    """A copy of the interpreter of these tests, as Python's images have one, with pip."""
    prefix = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (to / "bin").mkdir(parents=True)
    shutil.copy(prefix / "bin" / name, to / "bin" / name)
    for link in ("python", "python3"):
        (to / "bin" / link).symlink_to(name)
    (to / "lib").mkdir()
    for library in (prefix / "lib").glob("libpython*"):
        shutil.copy(library, to / "lib" / library.name, follow_symlinks=False)
    shutil.copytree(prefix / "include" / name, to / "include" / name)
    shutil.copytree(prefix / "lib" / name, to / "lib" / name, ignore=_NOT_COPIED, symlinks=True)
    for package in (prefix / "lib" / name / "site-packages").glob("pip*"):
        shutil.copytree(package, to / "lib" / name / "site-packages" / package.name)


def _copy_context(to: Path) -> None:
    """What .dockerignore lets through: only what it names with a ! in front."""
    lines = (REPOSITORY / ".dockerignore").read_text().split()
    kept = [line.removeprefix("!") for line in lines if line.startswith("!")]
    dropped = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    to.mkdir(parents=True)
    for name in kept:
        source = REPOSITORY / name
        if source.is_dir():
            ignore = lambda _, names: {each for each in names if any(fnmatch(each, pattern) for pattern in dropped)}  # noqa: E731
            shutil.copytree(source, to / name, ignore=ignore)
        else:
            shutil.copy(source, to / name)


def run(
    image: Path, folder: Path, *command: str, binds: Sequence[Sequence[object]] = ()
) -> subprocess.CompletedProcess[str]:
    """Runs a command in the image as a container of no privileges would."""
    (root := folder / "root").mkdir(exist_ok=True)
    made = {
        "root": str(root),
        "binds": [*system(), *interpreter(image), [str(image / "opt" / "kdns"), "/opt/kdns", False], *binds],
        "links": [[link, "/opt/kdns/bin/kdns"] for link in config("ENTRYPOINT")],
        "read_only": True,
        "cgroups": [],
        "uid": int(config("USER").partition(":")[0]),
        "capabilities": [],
        "no_new_privs": True,
        "argv": command,
        "env": config("ENV"),
    }
    (spec := folder / "spec.json").write_text(json.dumps(made))
    return subprocess.run([*contained(), str(spec)], capture_output=True, text=True, check=False, timeout=60)
