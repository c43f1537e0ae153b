"""Changes of the machine: made, tested, taken back, and never left behind. The change here is a folder, the shell is real."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kdns.dev import holder, journal, plans, split
from kdns.dev.holder import Holder, HolderError
from kdns.dev.journal import Entry, JournalError
from kdns.dev.plans import Plan, Target
from tests.server import until


@pytest.fixture(autouse=True)
def _as_oneself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "as_root", lambda script: ["sh", "-c", script])


TARGET = Target("cluster.local", "127.0.0.1", 5354)


def plan(folder: Path) -> Plan:
    made = folder / "made"
    return Plan("a folder", (f"mkdir {made}", f"mkdir {made}/inner"), (f"rm -r {made}",), str(made))


def test_resolved_gets_a_link_with_a_routing_domain() -> None:
    made = plans.resolved(TARGET)
    assert made.install[3:5] == ("resolvectl dns kdns0 127.0.0.1:5354", "resolvectl domain kdns0 '~cluster.local'")
    assert made.undo == ("ip link delete kdns0",)
    searched = plans.resolved(TARGET._replace(search=("shop.svc.cluster.local", "svc.cluster.local")))
    assert searched.install[4] == "resolvectl domain kdns0 shop.svc.cluster.local svc.cluster.local '~cluster.local'"
    also = plans.resolved(TARGET._replace(search=("shop.svc.cluster.local", "cluster.local")))
    assert also.install[4] == "resolvectl domain kdns0 shop.svc.cluster.local cluster.local"


def test_macos_gets_a_file_for_the_zone_if_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_FOLDER", str(tmp_path / "resolver"))
    made = plans.macos(TARGET)
    file = tmp_path / "resolver" / "cluster.local"
    script = " && ".join(made.install[:3])
    assert subprocess.run(["sh", "-c", script], check=False).returncode == 0
    assert file.read_text() == "# kdns dev\nnameserver 127.0.0.1\nport 5354\n"
    assert subprocess.run(["sh", "-c", script], check=False).returncode == 1
    subprocess.run(["sh", "-c", made.undo[0]], check=True)
    assert not file.exists()


NMCLI = """#!/bin/sh
echo "nmcli $*: $(cat {folder}/kdns.conf 2>/dev/null)" >> {folder}/called
test ! -e {folder}/broken
"""


@pytest.fixture
def networkmanager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Its plan, with a folder and an nmcli of our own, which notes what it finds when it is called."""
    (tmp_path / "nmcli").write_text(NMCLI.format(folder=tmp_path))
    (tmp_path / "nmcli").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(plans, "_DNSMASQ_FOLDER", str(tmp_path))
    return plans.networkmanager(TARGET)


def test_networkmanagers_dnsmasq_gets_a_file_and_reads_it(tmp_path: Path, networkmanager: Plan) -> None:
    held = Holder.install(networkmanager)
    file = tmp_path / "kdns.conf"
    assert file.read_text() == "server=/cluster.local/127.0.0.1#5354\n"
    held.undo()
    assert not file.exists()
    line = "nmcli general reload dns-full:"
    assert (tmp_path / "called").read_text() == f"{line} server=/cluster.local/127.0.0.1#5354\n{line} \n"


def test_where_networkmanager_does_not_reload_nothing_is_left(tmp_path: Path, networkmanager: Plan) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(HolderError, match="nothing is changed"):
        Holder.install(networkmanager)
    assert not (tmp_path / "kdns.conf").exists()


def test_a_file_of_somebody_else_is_left_to_networkmanager(tmp_path: Path, networkmanager: Plan) -> None:
    (tmp_path / "kdns.conf").write_text("mine\n")
    with pytest.raises(HolderError, match="status 3"):
        Holder.install(networkmanager)
    assert (tmp_path / "kdns.conf").read_text() == "mine\n"


def test_a_change_is_made_and_taken_back(tmp_path: Path) -> None:
    held = Holder.install(plan(tmp_path))
    assert (tmp_path / "made" / "inner").is_dir()
    held.undo()
    assert not (tmp_path / "made").exists()


def test_of_a_change_that_fails_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(HolderError, match="nothing is changed"):
        Holder.install(plan(tmp_path)._replace(install=(f"mkdir {tmp_path}/made", "false")))
    assert not (tmp_path / "made").exists()


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with pytest.raises(HolderError, match="status 3"):
        Holder.install(plan(tmp_path))
    assert (tmp_path / "made").is_dir()


HOLDING = """
import os, sys, time
from kdns.dev import holder, journal
from kdns.dev.journal import Entry
from kdns.dev.plans import Plan
from pathlib import Path
holder.as_root = lambda script: ["sh", "-c", script]
folder = Path(sys.argv[1])
plan = Plan("a folder", (f"mkdir {folder}/made",), (f"rm -r {folder}/made",), f"{folder}/made")
with journal.held(folder / "dev.json"):
    journal.write(folder / "dev.json", Entry(plan, os.getpid()))
    held = holder.Holder.install(plan)
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def killed(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_who_is_killed_has_the_change_taken_back_all_the_same(tmp_path: Path) -> None:
    with holding(tmp_path) as process:
        assert split.status(tmp_path / "dev.json")[0].startswith(f"a folder: held by process {process.pid}")
        with pytest.raises(split.SplitError, match="end it first"):
            split.repair(tmp_path / "dev.json")
        killed(process)
    until(lambda: not (tmp_path / "made").exists())
    assert split.status(tmp_path / "dev.json")[-1] == "kdns dev --undo takes it back"
    assert split.repair(tmp_path / "dev.json")
    assert split.status(tmp_path / "dev.json") == ("nothing is changed",)


STEPS = 3
AT = ["journal", *(f"step {number}" for number in range(STEPS)), "installed"]
STEPPING = """
import os, sys, time
from kdns.dev import holder, journal
from kdns.dev.journal import Entry
from kdns.dev.plans import Plan
from pathlib import Path
holder.as_root = lambda script: ["sh", "-c", script]
folder, at = Path(sys.argv[1]), sys.argv[2]
def stop(name):
    wait = f"echo {name}; while test ! -e {folder}/go; do sleep 0.01; done"
    return f"{{ {wait}; }} >&2" if name == at else "true"
made = [f"mkdir -p {folder}/made/{number} && {stop(f'step {number}')}" for number in range(3)]
plan = Plan("folders", tuple(made), (f"rm -r {folder}/made",), f"{folder}/made")
with journal.held(folder / "dev.json"):
    journal.write(folder / "dev.json", Entry(plan, os.getpid()))
    if at == "journal":
        print(at, file=sys.stderr, flush=True)
        time.sleep(60)
    held = holder.Holder.install(plan)
    print("installed", file=sys.stderr, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("at", AT)
def test_whoever_is_killed_at_any_step_leaves_nothing(at: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", STEPPING, str(tmp_path), at]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"{at}\n"
        process.kill()
        process.wait()
        (tmp_path / "go").touch()
        process.stderr.read()  # as long as the shell lives
    assert not (tmp_path / "made").exists()
    split.repair(tmp_path / "dev.json")
    assert split.status(tmp_path / "dev.json") == ("nothing is changed",)


def test_what_a_killed_shell_has_left_the_next_takes_back(tmp_path: Path) -> None:
    with holding(tmp_path) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            killed(process)
            pytest.skip("needs /proc")
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
        killed(process)
    assert (tmp_path / "made").is_dir()
    assert split.repair(tmp_path / "dev.json")
    assert not (tmp_path / "made").exists()
    assert not split.repair(tmp_path / "dev.json")


def test_a_journal_says_what_was_written(tmp_path: Path) -> None:
    path = journal.place({"XDG_STATE_HOME": str(tmp_path)})
    assert path == tmp_path / "kdns" / "dev.json"
    assert journal.read(path) is None
    journal.write(path, Entry(plan(tmp_path), 7))
    assert journal.read(path) == Entry(plan(tmp_path), 7)
    journal.clear(path)
    journal.clear(path)
    assert journal.read(path) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": 1}'])
def test_a_journal_that_can_not_be_read_is_named_and_kept(text: str, tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text(text)
    with pytest.raises(JournalError, match=r"dev\.json: can't be read"):
        journal.read(tmp_path / "dev.json")
    assert (tmp_path / "dev.json").read_text() == text
