"""The C programs of the benchmark: built on the spot from what lies beside this file.

They are measures, not parts of kdns: the limit that any server has, an upstream that is never what is
slow, and more load than a server can carry. Built again only when their source is newer.
"""

import subprocess
from pathlib import Path
from typing import Final

FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-Werror")


def build(folder: Path, name: str = "answer") -> Path:
    """The program of that name in the folder. Raises CalledProcessError where gcc fails, FileNotFoundError without one."""
    program, source = folder / name, Path(__file__).with_name(f"{name}.c")
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", *FLAGS, "-o", program, source], check=True, timeout=60)
    return program
