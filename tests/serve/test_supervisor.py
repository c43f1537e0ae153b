"""The supervisor with real processes, sockets and signals: who dies is replaced, nothing queued is lost, all ends well."""

import mmap
import os
import signal
import struct
import time
from pathlib import Path

import pytest

from kdns.serve.control import ControllerStart, WorkerStart
from kdns.serve.seats import Limits, Seat
from tests.serve.children import Journal, answer, ask, client, run_controller, run_worker, supervised

QUICK = Limits(worker_silence_s=1.0, controller_silence_s=1.0, stop_s=10.0)

# Workers


def test_what_is_queued_while_a_worker_is_killed_is_answered_by_its_successor() -> None:
    with supervised() as running, client(running) as sock:
        _, (pid,) = running.start()
        assert ask(sock, "hello") == pid
        os.kill(pid, signal.SIGSTOP)
        for number in range(20):
            sock.send(b"queued %d" % number)
        os.kill(pid, signal.SIGKILL)
        answered = {answer(sock, f"queued {number}") for number in range(20)}
        died = running.wait("process_died", child="worker")
        assert died.items() >= {"slot": 0, "pid": pid, "signal": "SIGKILL", "again_in_s": 0.0, "restarts": 1}.items()
        assert answered == {running.wait("process_started", child="worker", restarts=1)["pid"]} != {pid}


@pytest.mark.parametrize("how", ["stop", "hang"])
def test_a_worker_without_progress_is_replaced(how: str) -> None:
    with supervised(QUICK, workers=2) as running, client(running) as sock:
        _, pids = running.start(2)
        pid = ask(sock, "hello")
        if how == "stop":
            os.kill(pid, signal.SIGSTOP)
        else:
            sock.send(b"hang")
        silent = running.wait("process_silent", pid=pid)
        assert silent["silent_s"] >= 1.0
        assert running.wait("process_died", pid=pid)["signal"] == "SIGKILL"
        successor = ask(sock, "hello again")
        assert successor == running.wait("process_started", slot=pids.index(pid))["pid"]
        assert ask(sock, "and again") == successor


def test_a_worker_is_left_alone_while_its_neighbour_crashes() -> None:
    with supervised(workers=2) as running, client(running) as sock:
        _, pids = running.start(2)
        mortal = ask(sock, "hello")
        sock.send(b"exit 3")
        assert running.wait("process_died")["status"] == 3
        running.wait("channel", slot=pids.index(mortal))
        assert [each["pid"] for each in running.have("process_died")] == [mortal]
        assert len(running.have("channel", slot=1 - pids.index(mortal))) == 1


def test_a_worker_that_raises_is_logged_and_replaced() -> None:
    def broken(start: WorkerStart, journal: Journal) -> int:
        raise ValueError(f"worker {start.slot}")

    with supervised(worker=broken) as running:
        running.wait("process_failed", child="worker", slot=0)
        assert running.wait("process_died", child="worker")["status"] == 1
        pauses = [running.wait("process_died")["again_in_s"] for _ in range(3)]
        assert pauses == [0.05, 0.1, 0.2]


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        ([0.0] * 8, [0, 0.05, 0.1, 0.2, 0.4, 0.8, 1, 1]),
        ([60, 60, 60], [0, 0, 0]),
        ([0, 1, 2, 60, 1], [0, 0.05, 0.1, 0, 0.05]),
        ([0.0] * 2000, [0, 0.05, 0.1, 0.2, 0.4, 0.8] + [1] * 1994),
    ],
)
def test_who_dies_young_again_and_again_is_replaced_ever_later(lives: list[float], pauses: list[float]) -> None:
    seat = Seat("worker", 0, 3.0, (), lambda *_: 0)
    assert [seat.pause(lived, Limits()) for lived in lives] == pauses


# Channels


def test_a_killed_controller_is_replaced_while_workers_go_on_answering() -> None:
    with supervised(workers=2) as running, client(running) as sock:
        controller, pids = running.start(2)
        pid = ask(sock, "before")
        os.kill(controller, signal.SIGKILL)
        for slot in range(2):
            running.seen = 0
            running.wait("channel_ended", slot=slot)
            assert ask(sock, "between") == pid
            joined = running.wait("channel", slot=slot)
            assert joined["peer"] != controller
            assert joined["pid"] == pids[slot]
        assert ask(sock, "after") == pid
        assert len(running.have("process_started", child="worker")) == 2


def test_a_controller_without_progress_is_replaced() -> None:
    with supervised(QUICK) as running:
        controller, _ = running.start()
        os.kill(controller, signal.SIGSTOP)
        running.wait("process_silent", child="controller", pid=controller)
        assert running.wait("process_started", child="controller")["pid"] != controller
        running.wait("channel", slot=0)


def test_the_controller_sees_a_worker_s_end_and_gets_a_channel_to_its_successor() -> None:
    with supervised(workers=2) as running:
        controller, pids = running.start(2)
        os.kill(pids[1], signal.SIGKILL)
        running.wait("channel_ended", pid=controller, channel=1)
        joined = running.wait("channel", pid=controller, channel=1)
        assert (joined["peer"] in pids, joined["restarts"]) == (False, 1)
        assert running.have("channel_ended", channel=0) == []


def test_a_channel_that_its_worker_gave_up_is_renewed() -> None:
    with supervised() as running, client(running) as sock:
        controller, (pid,) = running.start()
        ask(sock, "renew")
        running.wait("channel_ended", pid=controller, channel=0)
        joined = running.wait("channel", pid=pid)
        assert (joined["peer"], joined["restarts"]) == (controller, 0)
        assert len(running.have("process_started")) == 2


def test_children_hold_only_what_is_theirs() -> None:
    def look(journal: Journal, name: str, slot: int) -> None:
        names = [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.exists()]
        journal.write(name, slot=slot, sockets=sorted(each for each in names if each.startswith("socket:")))

    def worker(start: WorkerStart, journal: Journal) -> int:
        own = [os.fstat(sock.fileno()).st_ino for sock in (start.control, *start.udp, *start.tcp)]
        journal.write("own", slot=start.slot, sockets=sorted(f"socket:[{inode}]" for inode in own))
        look(journal, "all", start.slot)
        return run_worker(start, journal)

    def controller(start: ControllerStart, journal: Journal) -> int:
        own = [os.fstat(sock.fileno()).st_ino for sock in (start.control, *start.ops.values())]
        journal.write("own", slot=-1, sockets=sorted(f"socket:[{inode}]" for inode in own))
        look(journal, "all", -1)
        return run_controller(start, journal)

    with supervised(workers=2, worker=worker, controller=controller) as running:
        controller_pid, _ = running.start(2)
        os.kill(controller_pid, signal.SIGKILL)  # its successor is forked when all the others are there
        running.wait("ops")
        for slot in (-1, 0, 1):
            own, everything = running.have("own", slot=slot)[-1], running.have("all", slot=slot)[-1]
            assert own["sockets"] == everything["sockets"]


def test_the_controller_gets_the_ops_sockets_and_the_number_of_workers() -> None:
    with supervised(workers=2) as running:
        assert running.wait("ops").items() >= {"names": ["health"], "workers": 2}.items()


def test_what_workers_share_is_prepared_once_while_the_controller_is_at_work() -> None:
    with supervised(workers=2) as running:
        running.start(workers=2)
        events = [(each["event"], each.get("child")) for each in running.happened]
        order = [each for each in events if each[0] in {"process_started", "prepared"}]
        assert order == [
            ("process_started", "controller"),
            ("prepared", None),
            ("process_started", "worker"),
            ("process_started", "worker"),
        ]
        with client(running) as sock:
            pid = ask(sock, "hello")
        os.kill(pid, signal.SIGKILL)
        running.wait("process_started", child="worker", restarts=1)
        assert len(running.have("prepared")) == 1


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_workers_finish_what_is_in_flight_and_then_the_controller_ends(number: int) -> None:
    with supervised(workers=2) as running, client(running) as sock:
        controller, pids = running.start(2)
        sock.send(b"slow")
        pid = ask(sock, "hello")  # the slow one came before it
        running.kill(number)
        assert answer(sock, "slow") == pid
        assert running.exit_status() == 0
        ended = [each["pid"] for each in running.have("finished")]
        assert (set(ended[:2]), ended[2:]) == (set(pids), [controller])
        assert running.have("process_died") == []


def test_who_does_not_stop_is_killed_at_the_deadline() -> None:
    with supervised(Limits(worker_silence_s=60, stop_s=0.2)) as running, client(running) as sock:
        _, (pid,) = running.start()
        ask(sock, "deaf")
        running.kill(signal.SIGTERM)
        assert running.exit_status() == 0
        killed = [each["pid"] for each in running.have("process_killed_at_stop")]
        assert pid in killed
        assert len(killed) == len(set(killed))


def test_a_second_interrupt_ends_at_once() -> None:
    with supervised() as running, client(running) as sock:
        running.start()
        ask(sock, "deaf")
        running.kill(signal.SIGINT)
        running.wait("stopping")
        running.kill(signal.SIGINT)
        assert running.exit_status() == 2


def test_quit_ends_at_once() -> None:
    with supervised() as running, client(running) as sock:
        running.start()
        ask(sock, "deaf")
        running.kill(signal.SIGQUIT)
        assert running.exit_status() == 0
        assert running.have("stopping") == []


def test_other_signals_change_nothing() -> None:
    with supervised() as running, client(running) as sock:
        controller, (pid,) = running.start()
        for process in (running.pid, controller, pid):
            os.kill(process, signal.SIGHUP)
        for process in (controller, pid):  # from a terminal the first two come to all; the supervisor's word counts
            os.kill(process, signal.SIGINT)
            os.kill(process, signal.SIGQUIT)
            os.kill(process, signal.SIGUSR1)
        assert ask(sock, "hello") == pid
        running.kill(signal.SIGTERM)
        assert running.exit_status() == 0
        assert running.have("process_died") == []


@pytest.mark.parametrize("who", ["worker", "controller"])
def test_a_child_that_gives_up_ends_all_with_status_1(who: str) -> None:
    def give_up(start: object, journal: Journal) -> int:
        return os.EX_CONFIG

    with supervised(**{who: give_up}) as running:  # type: ignore[arg-type]
        assert running.exit_status() == 1
        assert [each["child"] for each in running.have("process_gave_up")] == [who]
        assert running.have("process_died") == []


def test_the_children_end_with_their_supervisor() -> None:
    with supervised(workers=2) as running:
        running.start(2)
        running.kill(signal.SIGKILL)
        assert running.exit_status() == -signal.SIGKILL
        assert len(running.have("supervisor_lost")) == 3


def test_time_in_which_the_supervisor_was_kept_from_running_is_held_against_nobody() -> None:
    ahead = mmap.mmap(-1, 8)  # shared with the processes forked later

    def clock() -> float:
        return time.monotonic() + float(struct.unpack("d", ahead[:8])[0])

    limits = Limits(worker_silence_s=30, controller_silence_s=30, clock=clock)
    with supervised(limits) as running, client(running) as sock:
        _, (pid,) = running.start()
        ahead[:8] = struct.pack("d", 3600.0)
        assert running.wait("supervisor_was_kept_waiting")["late_s"] > 3500
        assert ask(sock, "hello") == pid
        assert running.have("process_silent") == []
