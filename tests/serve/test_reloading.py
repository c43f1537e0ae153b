"""Reloads with real processes: the new generation beside the old, at the same sockets, and whatever can go wrong on the way."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdns.config.settings import Address
from kdns.serve.configuration import Attempt, Configuration
from kdns.serve.control import CHANGED, PREPARED, ControllerStart, WorkerStart
from kdns.serve.seats import Limits
from tests.serve.children import (
    BEGUN,
    HERE,
    PATIENT,
    Child,
    Journal,
    Running,
    answer,
    ask,
    client,
    run_worker,
    supervised,
)

NEW = BEGUN._replace(seen="two", digest="d2")


def gives(configuration: Configuration | None, problems: str = "") -> Callable[[], Attempt]:
    seen = configuration.seen if configuration is not None else "broken"
    return lambda: Attempt(seen, configuration, problems)


def some(running: Running, event: str, **keys: object) -> dict[str, Any]:
    """Such an event, whenever it was."""
    running.seen = 0
    return running.wait(event, **keys)


def news(running: Running) -> dict[str, object]:
    """What the controller is told next."""
    said = running.wait("ordered", kind="n")["news"]
    return {key: said[key] for key in ("done", "failed", "trouble", "digest", "seen")}


def waits_for(gone: Path) -> Callable[[WorkerStart, Journal], int]:
    """A worker of a new configuration that does nothing as long as there is such a file."""

    def worker(start: WorkerStart, journal: Journal) -> int:
        while start.generation > 1 and gone.exists():
            time.sleep(0.01)
        return run_worker(start, journal)

    return worker


def test_new_workers_answer_once_all_are_warm_and_the_old_ones_finish() -> None:
    with supervised(workers=2, read=gives(NEW)) as running, client(running) as sock:
        controller, old = running.start(2)
        sock.send(b"slow")
        pid = ask(sock, "hello")  # the slow one came before it
        running.kill(signal.SIGUSR1)
        done = running.wait("reloaded")
        assert done.items() >= {"generation": 2, "sha512": "d2"}.items()
        serving = [some(running, "serves", generation=2, slot=slot) for slot in range(2)]
        assert {(each["seen"], each["at_once"]) for each in serving} == {("two", False)}
        assert answer(sock, "slow") == pid
        for each in old:
            some(running, "finished", pid=each)
        assert ask(sock, "hello again") in {each["pid"] for each in serving}
        assert running.have("process_died") == []
        assert len(running.have("process_started", child="controller")) == 1
        assert running.have("ordered", kind="t")[0]["pid"] == controller


def test_the_controller_is_handed_what_is_to_come_and_told_what_became_of_it() -> None:
    with supervised(read=gives(NEW)) as running:
        running.start()
        running.kill(signal.SIGUSR1)
        coming = some(running, "ordered", kind="g")["coming"]
        assert coming == {"generation": 2, "seen": "two", "listen": [["127.0.0.1", running.port]]}
        some(running, "ordered", kind="o", generation=2)
        some(running, "channel", channel=100)
        running.seen = 0
        assert news(running) == {"done": 1, "failed": 0, "trouble": "", "digest": "d2", "seen": "two"}


def test_a_configuration_that_cannot_be_served_changes_nothing() -> None:
    with supervised(read=gives(None, "Corefile:3:5: error: no\nCorefile:4:1: error: nor this")) as running:
        _, (pid,) = running.start()
        running.kill(signal.SIGUSR1)
        failed = running.wait("reload_failed")
        assert failed.items() >= {"reason": "Corefile:3:5: error: no", "further": 1, "goes_on_with": 1}.items()
        said = news(running)
        assert (said["failed"], said["digest"], said["seen"]) == (1, "d1", "broken")
        assert said["trouble"] == "Corefile:3:5: error: no\nCorefile:4:1: error: nor this"
        with client(running) as sock:
            assert ask(sock, "hello") == pid
        assert len(running.have("process_started", child="worker")) == 1


def test_a_change_that_is_told_of_twice_counts_once_and_a_signal_each_time(tmp_path: Path) -> None:
    """The controller says that there is a change whenever the test makes a file."""
    content, change = tmp_path / "content", tmp_path / "change"
    content.write_text("broken")

    def controller(start: ControllerStart, journal: Journal) -> int:
        async def run() -> int:
            child = Child(start.control, None, journal)
            while not child.stopped.is_set():
                await asyncio.sleep(0.01)
                if change.exists():
                    change.unlink()
                    child.control.say(CHANGED)
            return await child.finished()

        return asyncio.run(run())

    def read() -> Attempt:
        seen = content.read_text()
        return Attempt(seen, None, "no") if seen == "broken" else Attempt(seen, NEW._replace(seen=seen))

    with supervised(controller=controller, read=read) as running:
        running.start()
        for failed in (1, 1):
            change.touch()
            assert news(running)["failed"] == failed
        running.kill(signal.SIGUSR1)
        assert news(running)["failed"] == 2
        assert len(running.have("reload_failed")) == 1  # the same as before is no news for the log
        content.write_text("one")  # as served
        change.touch()
        running.wait("configuration_as_before")
        content.write_text("two")
        change.touch()
        assert running.wait("reloaded")["generation"] == 2


def test_an_address_that_cannot_be_had_is_tried_again(tmp_path: Path) -> None:
    port = tmp_path / "port"

    def read() -> Attempt:
        there = Address("127.0.0.1", int(port.read_text()))
        return Attempt("two", NEW._replace(listen=(HERE, there)))

    limits = Limits(worker_silence_s=60, controller_silence_s=60, stop_s=60, retry_s=0.2)
    with supervised(limits, read=read) as running:
        running.start()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            there = Address("127.0.0.1", taken.getsockname()[1])
            port.write_text(str(there.port))
            running.kill(signal.SIGUSR1)
            assert f"listen on {there} (TCP): another process has the port" in running.wait("reload_failed")["reason"]
        assert running.wait("reloaded")["dns"] == f"127.0.0.1:{running.port} {there}"
        running.seen = running.happened.index(some(running, "ordered", kind="t"))
        said = news(running)
        assert (said["done"], said["trouble"]) == (1, "")


def test_a_new_worker_that_ends_leaves_the_old(tmp_path: Path) -> None:
    def worker(start: WorkerStart, journal: Journal) -> int:
        return 3 if start.generation > 1 else run_worker(start, journal)

    with supervised(worker=worker, read=gives(NEW)) as running, client(running) as sock:
        _, (pid,) = running.start()
        running.kill(signal.SIGUSR1)
        assert running.wait("reload_failed")["reason"] == "worker 0 of the new configuration ended with status 3"
        some(running, "ordered", kind="x", generation=2)
        assert ask(sock, "hello") == pid
        assert running.have("process_died") == []


def test_new_workers_that_do_not_get_warm_as_the_old_were_leave_the_old() -> None:
    def worker(start: WorkerStart, journal: Journal) -> int:
        if start.generation == 1:
            return run_worker(start, journal)
        start.control.send(PREPARED)
        signal.pause()
        return 0

    limits = Limits(worker_silence_s=60, controller_silence_s=60, stop_s=60, warm_s=0.2)
    with supervised(limits, worker=worker, read=gives(NEW)) as running, client(running) as sock:
        _, (pid,) = running.start()
        some(running, "serves")
        running.kill(signal.SIGUSR1)
        assert running.wait("reload_failed")["reason"] == "worker 0 didn't get ready within 0.2 s"
        assert ask(sock, "hello") == pid


def test_where_the_old_are_cold_the_new_may_be() -> None:
    def worker(start: WorkerStart, journal: Journal) -> int:
        async def run() -> int:
            child = Child(start.control, start.slot, journal)
            child.control.say(PREPARED)
            if not start.at_once:
                await child.ordered.wait()
            child.tell("serves", generation=start.generation)
            return await child.finished()

        return asyncio.run(run())

    with supervised(worker=worker, read=gives(NEW)) as running:
        running.wait("serves", generation=1)
        running.kill(signal.SIGUSR1)
        running.wait("reloaded")
        some(running, "serves", generation=2)


@pytest.mark.parametrize("how", ["dies", "hangs", "raises"])
def test_a_reader_that_says_nothing_leaves_everything(how: str) -> None:
    def read() -> Attempt:
        if how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "hangs":
            signal.pause()
        raise ValueError("inside")

    reasons = {
        "dies": "the process that reads the configuration ended by SIGKILL",
        "hangs": "the configuration wasn't read within 0.2 s",
        "raises": "the process that reads the configuration ended with status 1",
    }
    limits = Limits(worker_silence_s=60, controller_silence_s=60, stop_s=60, read_s=0.2 if how == "hangs" else 60)
    with supervised(limits, read=read) as running, client(running) as sock:
        _, (pid,) = running.start()
        running.kill(signal.SIGUSR1)
        assert running.wait("reload_failed")["reason"] == reasons[how]
        assert ask(sock, "hello") == pid


def test_a_controller_that_ends_in_the_middle_ends_the_attempt_and_the_next_goes_well(tmp_path: Path) -> None:
    wait = tmp_path / "wait"
    wait.touch()
    with supervised(worker=waits_for(wait), read=gives(NEW)) as running:
        controller, _ = running.start()
        running.kill(signal.SIGUSR1)
        running.wait("process_started", generation=2)
        os.kill(controller, signal.SIGKILL)
        assert running.wait("reload_failed")["reason"] == "the controller ended meanwhile"
        wait.unlink()
        running.wait("reloaded")
        news = running.have("ops")[-1]["news"]
        assert (news["failed"], news["trouble"]) == (1, "the controller ended meanwhile")


def test_what_a_later_controller_and_later_workers_are_given_is_the_new_configuration() -> None:
    with supervised(read=gives(NEW)) as running, client(running) as sock:
        controller, _ = running.start()
        running.kill(signal.SIGUSR1)
        running.wait("reloaded")
        os.kill(controller, signal.SIGKILL)
        told = running.wait("ops")
        assert (told["seen"], told["news"]["done"]) == ("two", 1)
        os.kill(ask(sock, "hello"), signal.SIGKILL)
        assert (
            some(running, "serves", at_once=True, generation=2).items()
            >= {"seen": "two", "generation": 2, "at_once": True}.items()
        )


def test_children_of_a_later_generation_hold_only_what_is_theirs() -> None:
    def worker(start: WorkerStart, journal: Journal) -> int:
        own = sorted(os.fstat(sock.fileno()).st_ino for sock in (start.control, *start.udp, *start.tcp))
        names = [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.exists()]
        found = sorted(int(each[8:-1]) for each in names if each.startswith("socket:"))
        journal.write("holds", generation=start.generation, own=own, found=found)
        return run_worker(start, journal)

    with supervised(workers=2, worker=worker, read=gives(NEW)) as running:
        running.start(2)
        running.kill(signal.SIGUSR1)
        running.wait("reloaded")
        later = running.have("holds", generation=2)
        assert len(later) == 2
        assert all(each["own"] == each["found"] for each in later)


def test_told_to_stop_in_the_middle_nothing_has_failed(tmp_path: Path) -> None:
    wait = tmp_path / "wait"
    wait.touch()
    with supervised(worker=waits_for(wait), read=gives(NEW)) as running:
        _, (pid,) = running.start()
        running.kill(signal.SIGUSR1)
        running.wait("process_started", generation=2)
        running.kill(signal.SIGTERM)
        assert running.exit_status() == 0
        assert running.have("finished")[0]["pid"] == pid
        assert running.have("reload_failed") == running.have("process_died") == []


def test_a_second_reload_waits_its_turn(tmp_path: Path) -> None:
    content, wait = tmp_path / "content", tmp_path / "wait"
    content.write_text("two")
    wait.touch()

    def read() -> Attempt:
        seen = content.read_text()
        return Attempt(seen, BEGUN._replace(seen=seen))

    with supervised(worker=waits_for(wait), read=read) as running:
        running.start()
        running.kill(signal.SIGUSR1)
        running.wait("process_started", generation=2)
        for text in ("three", "four"):
            content.write_text(text)
            running.kill(signal.SIGUSR1)
        wait.unlink()
        assert running.wait("reloaded")["generation"] == 2
        assert running.wait("reloaded")["generation"] == 3
        assert some(running, "serves", generation=3)["seen"] == "four"


def test_without_a_file_to_read_a_signal_changes_nothing() -> None:
    with supervised(PATIENT, read=None) as running, client(running) as sock:
        _, (pid,) = running.start()
        running.kill(signal.SIGUSR1)
        running.wait("reload_ignored")
        assert ask(sock, "hello") == pid
