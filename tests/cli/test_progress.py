"""Progress on a real terminal: shown while something lasts, gone afterwards, and nowhere else."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from kdns.cli.progress import bar

REPOSITORY = Path(__file__).parents[2]
# It works until it is told to end: no time is measured.
WORK = """
import sys
from kdns.cli.progress import progress
with progress("reading", after_s=float(sys.argv[1])) as shown:
    sys.stdin.readline()
    shown.text = "reading 2 of 3"
    sys.stdin.readline()
print("done")
"""


def working(after_s: float, stderr: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", WORK, str(after_s)]
    environment = {**os.environ, "TERM": "xterm"}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
    )


def test_a_terminal_sees_it_until_the_end() -> None:
    terminal, other = pty.openpty()
    seen = b""

    def until(words: bytes) -> None:
        nonlocal seen
        while words not in seen:
            seen += os.read(terminal, 1024)

    with working(0.01, other) as process:
        os.close(other)
        assert process.stdin is not None
        until(b"| reading")
        until(b"/ reading")
        process.stdin.write(b"\n")
        process.stdin.flush()
        until(b" reading 2 of 3")
        out, _ = process.communicate(b"\n")
    try:
        until(b"no such words")
    except OSError:  # EIO: nobody has the other side any more
        os.close(terminal)
    assert (out, process.returncode) == (b"done\n", 0)
    assert seen.endswith(b"\r\x1b[K")


@pytest.mark.parametrize("after_s", [0.01, 3600.0])
def test_a_pipe_sees_nothing(after_s: float) -> None:
    with working(after_s, subprocess.PIPE) as process:
        assert process.communicate(b"\n\n") == (b"done\n", b"")


def test_what_is_over_soon_shows_nothing() -> None:
    terminal, other = pty.openpty()
    with working(3600.0, other) as process:
        os.close(other)
        assert process.communicate(b"\n\n")[0] == b"done\n"
    with pytest.raises(OSError, match="Input/output error"):
        os.read(terminal, 1)
    os.close(terminal)


def test_a_bar_says_how_far_it_is() -> None:
    assert bar(0, 3, "questions") == f"[{'.' * 40}]   0 % of 3 questions"
    assert bar(3, 3, "questions") == f"[{'#' * 40}] 100 % of 3 questions"
