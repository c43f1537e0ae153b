"""The C programs of the benchmark: built on the spot from what lies beside this file.

They are measures, not parts of kdns: the limit that any server has, and an upstream that is never
what is slow. Built again only when their source is newer.
"""

import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("answer.c")
FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-Werror")


def build(folder: Path) -> Path:
    """The program `answer` in the folder. Raises CalledProcessError where gcc fails, FileNotFoundError without one."""
    program = folder / "answer"
    if not program.exists() or program.stat().st_mtime < _SOURCE.stat().st_mtime:
        subprocess.run(["gcc", *FLAGS, "-o", program, _SOURCE], check=True, timeout=60)
    return program
