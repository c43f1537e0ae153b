"""Commands with kdns for their name server: `kdns dev -f … -- COMMAND`, by real programs, as who runs the tests.

What is left behind is looked for in the machine's own files
and processes.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import NOBODY, REPOSITORY, alive, until

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.1.1, ports: [{port: 80}]}
"""
POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop}
spec:
  dnsPolicy: None
  dnsConfig: {nameservers: [192.0.2.1], searches: [x.example, shop.svc.cluster.local], options: [{name: ndots, value: "2"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop}
spec: {dnsConfig: {nameservers: [192.0.2.1], searches: [x.example]}}
"""
CHANGED = MANIFESTS.replace("10.96.1.1", "10.96.1.2")
WHOLE = "web.shop.svc.cluster.local"
PYTHON = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"
UNCONNECTED = """
import socket, sys
import dns.message
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(20)
question = dns.message.make_query(sys.argv[1], "A")
asker.sendto(question.to_wire(), ("127.0.54.53", 53))
reply, server = asker.recvfrom(4096)
print(server, dns.message.from_wire(reply).answer[0][0])
"""
# Namespaces as they are asked for, by who hasn't root's rights.
ALLOWED = (
    shutil.which("unshare")
    and not subprocess.run(
        ["unshare", "--user", "--mount", "--net", "true"], capture_output=True, check=False
    ).returncode
)
pytestmark = pytest.mark.skipif(not ALLOWED, reason="needs Linux that lets one make user namespaces")


def written(folder: Path) -> Path:
    path = folder / "shop.yaml"
    path.write_text(MANIFESTS)
    return path


def line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kdns", "dev", "--upstream", NOBODY, *arguments]


def ran(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    standard = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    return subprocess.run(
        line(*arguments), cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False, **standard
    )


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        line(*arguments),
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def descendants(pid: int) -> set[int]:
    try:
        children = [each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return set()
    found = {int(each) for line in children for each in line}
    return found.union(*(descendants(each) for each in found))


CLIENTS = {
    "python": [sys.executable, "-c", PYTHON, WHOLE],
    "unconnected": [sys.executable, "-c", UNCONNECTED, WHOLE],
    "getent": ["getent", "ahostsv4", WHOLE],
    "dig": ["dig", "+short", WHOLE],
    "dig by TCP": ["dig", "+tcp", "+short", WHOLE],
    "busybox": ["busybox", "nslookup", WHOLE],
    "curl": ["curl", "--verbose", "--max-time", "1", f"telnet://{WHOLE}:1"],
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS.keys())
def test_programs_ask_kdns(client: list[str], tmp_path: Path) -> None:
    if shutil.which(client[0]) is None:
        pytest.skip(f"needs {client[0]}")
    done = ran("-f", str(written(tmp_path)), "--", *client)
    assert "10.96.1.1" in done.stdout + done.stderr


def test_a_command_is_told_what_a_pod_is(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(MANIFESTS + POD)
    look = ["--", "sh", "-c", "cat /etc/resolv.conf; getent ahostsv4 web"]
    done = ran("-f", str(path), "--from", "shop/web-0", *look)
    assert done.stdout.splitlines()[:3] == [
        "nameserver 127.0.54.53",
        "search x.example shop.svc.cluster.local",
        "options ndots:2",
    ]
    assert "10.96.1.1" in done.stdout or shutil.which("getent") is None
    assert "dnsPolicy None: it asks 192.0.2.1; here kdns is asked first" in done.stderr
    done = ran("-f", str(path), "--from", "shop/web-1", *look)
    first, second, search, options = done.stdout.splitlines()[:4]
    assert [first, second, options] == ["nameserver 127.0.54.53", "nameserver 192.0.2.1", "options ndots:5"]
    assert search.startswith("search shop.svc.cluster.local svc.cluster.local cluster.local ")
    assert search.endswith(" x.example")
    done = ran("-f", "-", "--from", "shop/web-2", "--", "true", given=MANIFESTS + POD)
    assert (done.returncode, done.stderr) == (
        1,
        "kdns: --from shop/web-2: found no such pod; did you mean shop/web-1, shop/web-0?\n",
    )


def test_a_static_program_of_go_asks_kdns(tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs go")
    source = 'package main\nimport ("fmt"; "net"; "os")\nfunc main() { fmt.Println(net.LookupHost(os.Args[1])) }\n'
    (tmp_path / "main.go").write_text(source)
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    subprocess.run(["go", "build", "-o", "look", "main.go"], cwd=tmp_path, env=environment, check=True)
    done = ran("-f", str(written(tmp_path)), "--", str(tmp_path / "look"), WHOLE)
    assert done.stdout == "[10.96.1.1] <nil>\n"


def test_short_names_are_those_of_the_namespace(tmp_path: Path) -> None:
    path = str(written(tmp_path))
    assert ran("-f", path, "--search", "shop", "--", sys.executable, "-c", PYTHON, "web").stdout == "10.96.1.1\n"
    assert ran("-f", path, "--search", "other", "--", "getent", "hosts", "web").returncode == 2
    assert ran("-f", path, "--", "getent", "hosts", "web").returncode == 2


def test_a_mapped_service_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    path, asked = str(written(tmp_path)), ["sh", "-c", f"getent hosts {WHOLE} new.shop.svc.cluster.local"]
    done = ran("-f", path, "--map", "web.shop=127.0.0.9", "--map", "new.shop=127.0.0.8", "--", *asked)
    assert done.stdout.split()[::2] == ["127.0.0.9", "127.0.0.8"]


def test_a_mapped_service_is_spoken_to_by_its_name(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done: list[subprocess.CompletedProcess[str]] = []
        flags = ("-f", str(written(tmp_path)), "--search", "shop", "--map", "web.shop=127.0.0.1")
        asking = threading.Thread(target=lambda: done.append(ran(*flags, "--", "curl", "-s", f"http://web:{port}/")))
        asking.start()
        listener.settimeout(60)
        connection, _ = listener.accept()
        with connection:
            asked = connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhi\n")
        asking.join()
    assert f"Host: web:{port}\r\n".encode() in asked
    assert (done[0].returncode, done[0].stdout) == (0, "hi\n")


def test_standard_output_and_status_are_the_commands(tmp_path: Path) -> None:
    done = ran("-f", str(written(tmp_path)), "--", "sh", "-c", "echo one; echo two >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "one\n", "two\n")


def test_a_signal_is_128_and_its_number(tmp_path: Path) -> None:
    assert ran("-f", str(written(tmp_path)), "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_arguments_reach_the_command_as_they_are(tmp_path: Path) -> None:
    echo = [sys.executable, "-c", "import sys; print(sys.argv[1:])", "-p=1", "--quiet=false", "-f", "--", "-h"]
    done = ran("-f", str(written(tmp_path)), "--", *echo)
    assert done.stdout == "['-p=1', '--quiet=false', '-f', '--', '-h']\n"


def test_one_stays_who_one_is_and_where_one_is(tmp_path: Path) -> None:
    here = subprocess.run(
        ["sh", "-c", "id -u; pwd; readlink /proc/self/ns/net"], capture_output=True, cwd=REPOSITORY, check=True
    )
    done = ran("-f", str(written(tmp_path)), "--", "sh", "-c", "id -u; pwd; readlink /proc/self/ns/net")
    assert done.stdout == here.stdout.decode()


def test_a_command_that_is_not_there_is_127(tmp_path: Path) -> None:
    done = ran("-f", str(written(tmp_path)), "--", "no-such-command")
    assert (done.returncode, done.stderr) == (127, "kdns: no-such-command: No such file or directory\n")


def test_a_file_that_can_not_be_executed_is_126(tmp_path: Path) -> None:
    path = str(written(tmp_path))
    done = ran("-f", path, "--", path)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (126, f"kdns: {path}: Permission denied")


def test_manifests_that_can_not_be_read_keep_the_command_from_running(tmp_path: Path) -> None:
    done = ran("-f", str(tmp_path / "none.yaml"), "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "none.yaml" in done.stderr
    assert done.stderr.endswith("kdns: the command was not run: kdns has ended\n")


def test_manifests_come_from_standard_input() -> None:
    assert ran("-f", "-", "--", sys.executable, "-c", PYTHON, WHOLE, given=MANIFESTS).stdout == "10.96.1.1\n"


def test_a_command_sees_changes_of_the_files(tmp_path: Path) -> None:
    path = written(tmp_path)
    loop = f"while ! getent ahostsv4 {WHOLE} | grep -q 10.96.1.2; do echo waits; done; echo came"
    with running("-f", str(path), "--", "sh", "-c", loop) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        path.write_text(CHANGED)
        until(lambda: "came" in process.stdout.readline() if process.stdout else False)
        assert process.wait(timeout=20) == 0


def test_signals_reach_the_command(tmp_path: Path) -> None:
    script = "trap 'echo got; exit 3' TERM; echo up; while :; do read -r _; done"
    with running("-f", str(written(tmp_path)), "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        process.stdin and process.stdin.write("\n")
        assert process.communicate(timeout=20)[0] == "got\n"
        assert process.returncode == 3


def test_what_is_typed_at_the_terminal_is_the_commands_to_obey(tmp_path: Path) -> None:
    script = f"trap 'echo got' INT; echo up; read -r _; getent ahostsv4 {WHOLE} | head -c 9; exit 4"
    with running("-f", str(written(tmp_path)), "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, _ = process.communicate("\n", timeout=20)
        assert (out, process.returncode) == ("got\n10.96.1.1", 4)


def gone(pid: int) -> None:
    until(lambda: not alive(pid))


def family(pid: int, least: int) -> set[int]:
    """Its processes, once there are so many."""

    def found() -> set[int]:
        processes = descendants(pid)
        return processes if len(processes) >= least else set()

    return until(found) if least else set()


def test_killed_at_any_moment_it_leaves_nothing(tmp_path: Path) -> None:
    files = {path: path.read_bytes() for path in map(Path, ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"))}
    mounts = Path("/proc/self/mountinfo").read_text()
    left: set[int] = set()
    for least in range(5):  # no process, the server, its own, the command
        with running("-f", str(written(tmp_path)), "--", "sleep", "60") as process:
            left |= family(process.pid, least)
            process.kill()
            process.wait()
        for each in left:
            gone(each)
    assert len(left) > 4
    assert {path: path.read_bytes() for path in files} == files
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_where_namespaces_are_not_allowed_it_says_what_else_can_be_done(tmp_path: Path) -> None:
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; echo 0 > /proc/sys/user/max_mnt_namespaces; exec "$@"'
    within = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh"]
    command = [*within, *line("-f", str(written(tmp_path)), "--", "echo", "ran")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "without -- COMMAND kdns answers on a port" in done.stderr
