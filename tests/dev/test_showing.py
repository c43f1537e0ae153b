"""kdns dev as a person sees it: on a terminal the table of the last questions, in a pipe lines; and what is left of it."""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dns.message
import dns.query
import pytest

from kdns.dev.showing import Screen
from tests.server import DEADLINE_S, NOBODY, REPOSITORY, alive, until

SHOP = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.1.1, ports: [{port: 80}]}
"""
QUESTION = "[INFO] \x1fweb.\x1fA\x1fNOERROR\x1fNOERROR\x1f0.000012s\x1fkubernetes\x1f-"
_SIZE = struct.pack("HHHH", 24, 100, 0, 0)


class Terminal:
    """A process on a terminal of 100 columns, and what one sees there."""

    def __init__(self, command: list[str]) -> None:
        self.fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, _SIZE)
        self.modes = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else does it
        )
        self.slave = slave  # kept, so that the terminal outlives who is on it
        self.text = ""

    @property
    def screen(self) -> list[str]:
        """The lines, of all that has been written; the last is that of the cursor."""
        while select.select([self.fd], [], [], 0)[0]:
            self.text += os.read(self.fd, 1 << 16).decode()
        lines, row = [""], 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", self.text):
            if part == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif part.endswith("A") and part.startswith("\x1b["):
                row -= int(part[2:-1])
            elif part == "\x1b[J":
                lines = [*lines[:row], ""]
            elif part != "\r" and not part.startswith("\x1b"):
                lines[row] += part
        assert row == len(lines) - 1, "the cursor is below everything"
        return lines

    def has(self, text: str) -> bool:
        return any(text in line for line in self.screen)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.fd)
        os.close(self.slave)


def line(folder: Path, *more: str) -> list[str]:
    (folder / "shop.yaml").write_text(SHOP)
    own = ["-f", str(folder), "--listen", "127.0.0.1:0", "--upstream", NOBODY, "--search", "shop", "--no-split-dns"]
    return [sys.executable, "-m", "kdns", "dev", *own, *more]


def port_in(text: str) -> int | None:
    found = re.search(r"on 127\.0\.0\.1:(\d+)", text)
    return int(found[1]) if found else None


def answer(name: str, port: int) -> list[str]:
    reply = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", timeout=DEADLINE_S, port=port)
    return [each.to_text() for records in reply.answer for each in records]


@contextmanager
def terminal(folder: Path) -> Iterator[tuple[Terminal, int]]:
    seen = Terminal(line(folder))
    try:
        yield seen, until(lambda: port_in("\n".join(seen.screen)) or 0)
    finally:
        seen.close()


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [each for child in map(int, text.split()) for each in (child, *children(child))]


def test_a_terminal_shows_what_was_asked_last_and_is_left_as_it_was(tmp_path: Path) -> None:
    with terminal(tmp_path) as (seen, port):
        assert answer("web", port) == ["web.shop.svc.cluster.local.", "10.96.1.1"]
        assert answer("web.shop.svc", port) == ["web.shop.svc.cluster.local.", "10.96.1.1"]
        for _ in range(3):
            answer("wbe.shop.svc.cluster.local", port)
        until(
            lambda: (
                seen.has("web.shop.svc. ")
                and re.search(r"wbe\S+ +A +NXDOMAIN .* 3 +kubernetes", "\n".join(seen.screen))
            )
        )
        assert sum("NAME" in line for line in seen.screen) == 1
        (tmp_path / "shop.yaml").write_text("a: [")  # a line of the log comes above the table
        until(lambda: seen.has("shop.yaml:"))
        until(lambda: seen.screen[-5].startswith("NAME"))
        answer("web", port)
        until(lambda: seen.screen[-4].startswith("web. ") and seen.screen[-4].split()[-2] == "2")
        os.write(seen.fd, b"\x03")
        assert seen.process.wait(DEADLINE_S) == 0
        assert [each.split()[0] if each else "" for each in seen.screen[-5:]] == [
            "NAME",
            "web.",
            "wbe.shop.svc.cluster.local.",
            "web.shop.svc.",
            "",
        ]
        assert termios.tcgetattr(seen.fd) == seen.modes
        assert not re.search(r"\x1b\[\?", seen.text)  # no mode of the terminal was changed


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_of_a_killed_one_no_process_is_left(tmp_path: Path) -> None:
    with terminal(tmp_path) as (seen, port):
        answer("web", port)
        until(lambda: seen.has("web. "))
        left = children(seen.process.pid)
        assert left
        seen.process.send_signal(signal.SIGKILL)
        seen.process.wait()
        until(lambda: not any(map(alive, left)))
        assert seen.screen[-1] == ""


def test_nothing_stays_behind_a_terminal_that_is_closed(tmp_path: Path) -> None:
    seen = Terminal(line(tmp_path))
    try:
        until(lambda: any(map(port_in, seen.screen)))
        started = children(seen.process.pid)
        assert started
    finally:
        os.close(seen.fd)
        os.close(seen.slave)
    assert seen.process.wait(DEADLINE_S) == 0
    until(lambda: not any(map(alive, started)))


def test_a_terminal_that_does_not_know_its_size_has_a_table() -> None:
    master, slave = pty.openpty()
    try:
        screen = Screen(slave, "")
        screen.take("above")
        screen.take(QUESTION)
        screen.paint()
        os.close(slave)
        text = b"".join(_until_closed(master)).decode()
    finally:
        os.close(master)
    assert text.startswith("above\r\n")
    assert "web.  A     NOERROR  12 µs      1  kubernetes\r\n" in text


def test_what_is_waited_for_is_the_last_line_until_the_server_answers() -> None:
    master, slave = pty.openpty()
    try:
        screen = Screen(slave, "reading the cluster")
        painted_by_itself = [screen.wait_s is not None]
        screen.paint()
        screen.take("a warning")
        screen.paint()
        screen.take("kdns serves 2 Services of cluster.local on 127.0.0.1:53")
        painted_by_itself.append(screen.wait_s is not None)
        screen.paint()
        os.close(slave)
        text = b"".join(_until_closed(master)).decode()
    finally:
        os.close(master)
    assert painted_by_itself == [True, False]
    clear = "\r\x1b[1A\x1b[J"
    assert text.split("\r\n") == [
        "\r\x1b[J| reading the cluster",
        f"{clear}a warning",
        "\r\x1b[J/ reading the cluster",
        f"{clear}kdns serves 2 Services of cluster.local on 127.0.0.1:53",
        "",
    ]


def test_an_api_server_that_says_nothing_is_waited_for_in_sight(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "config").write_text(
            f"clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n"
            "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"
        )
        own = ["--kubeconfig", str(tmp_path / "config"), "--listen", "127.0.0.1:0", "--upstream", NOBODY]
        seen = Terminal([sys.executable, "-m", "kdns", "dev", *own, "--no-split-dns"])
        try:
            until(lambda: seen.has("reading the cluster"))
            seen.process.send_signal(signal.SIGINT)
            assert seen.process.wait(DEADLINE_S) == 0
            until(lambda: not seen.has("reading the cluster"))
            assert seen.screen[-1] == ""
        finally:
            seen.close()


def _until_closed(master: int) -> Iterator[bytes]:
    """What a terminal shows; Linux says that nobody has it open any more by EIO."""
    with suppress(OSError):
        while octets := os.read(master, 4096):
            yield octets


def test_in_a_pipe_each_question_is_a_line(tmp_path: Path) -> None:
    process = subprocess.Popen(
        line(tmp_path), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        port = next(found for each in process.stdout if (found := port_in(each.decode())) is not None)
        answer("web", port)
        told = next(text for each in process.stdout if (text := each.decode()).startswith("web. "))
        assert re.fullmatch(r"web\. A NOERROR searchpath \d\S* (µs|ms|s)\n", told)
        assert "\x1b" not in told
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0
