"""Never cold: a server that starts while the API server is away answers from what was last known, and says so.

Each test has a lab of its own, as those of outages. Covers robustness rules K01, K04, K39-K41, K53 and K54.
"""

import signal
from collections.abc import Callable
from pathlib import Path

import dns.flags
import dns.message
import pytest

from kdns.cluster.snapshot import FORMAT
from tests.integration.asking import Ask, Asking
from tests.integration.test_outages import FRESH, GHOST, MOVED, STEADY, change_all, expect_all, own_lab, put
from tests.lab import Lab
from tests.server import Server, extended_errors, short, until

pytestmark = pytest.mark.lab

__all__ = ["own_lab"]  # a fixture

WHY = "the cluster can't be read; this was last known of it"
STALE, STALE_DENIAL = f"3 (Stale Answer): {WHY}", f"19 (Stale NXDOMAIN Answer): {WHY}"
GONE = "gone.outage.svc.cluster.local"


def serve(lab: Lab, folder: Path, *flags: str, workers: int = 1) -> Server:
    return Server(
        "--kubeconfig",
        str(lab.kubeconfig()),
        "--snapshot",
        str(folder / "state"),
        *flags,
        folder=folder,
        workers=workers,
    )


def saved(server: Server) -> None:
    until(lambda: server.metric("kdns_snapshot_writes_total") >= 1)


def leave_a_snapshot(lab: Lab, folder: Path) -> None:
    """A server has been there, and has ended."""
    with serve(lab, folder) as server:
        assert server.said(STEADY) == {"10.98.0.1"}
        assert server.metric("kdns_snapshot_enabled") == 1
    assert (folder / "state" / "cluster.snapshot").exists()


def ttls(reply: dns.message.Message) -> set[int]:
    return {each.ttl for section in (reply.answer, reply.authority) for each in section}


def test_without_an_api_server_at_the_start_the_last_state_is_served_and_says_so(
    own_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = own_lab()
    leave_a_snapshot(lab, tmp_path)
    lab.kill()
    with serve(lab, tmp_path, workers=2) as server:
        reply, denial = server.ask(STEADY), server.ask(GONE)
        assert (short(reply), extended_errors(reply)) == ({"10.98.0.1"}, [STALE])
        assert (short(denial), extended_errors(denial)) == ({"NXDOMAIN"}, [STALE_DENIAL])
        assert ttls(reply) | ttls(denial) == {5}
        assert denial.flags & dns.flags.AA
        assert short(server.ask("1.0.98.10.in-addr.arpa", "PTR")) == {f"{STEADY}."}
        status, body = server.ready()
        assert (status, body.partition(" s old")[0].rstrip("0123456789")) == (200, "OK, stale: from a snapshot ")
        assert f"services: not synced, served from a snapshot {body.partition('snapshot ')[2][:1]}" in body
        assert server.metric("kdns_snapshot_serving") == 1
        assert server.metric('kdns_freshness_seconds{resource="services"}') > 0
        assert server.metric('kdns_synced{resource="services"}') == 0
        (line,) = server.events("answers_from_snapshot", level="warning")
        assert "Connect call failed" in line["reason"]
        lab.start()
        change_all(lab)
        expect_all(server)
        until(lambda: server.metric("kdns_snapshot_serving") == 0)
        assert (short(server.ask(STEADY)), extended_errors(server.ask(STEADY))) == ({"10.98.0.1"}, [])
        assert extended_errors(server.ask(GONE)) == []
        assert server.ready()[1].startswith("OK\n")
        assert len(server.events("answers_current_again")) == 1
        saved(server)


def test_what_vanished_meanwhile_is_gone_and_nothing_was_ever_wrong(
    own_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = own_lab()
    leave_a_snapshot(lab, tmp_path)
    change_all(lab)
    lab.kill()
    with (
        serve(lab, tmp_path) as server,
        Asking(
            server,
            Ask(STEADY, "A", ({"10.98.0.1"},)),
            Ask(MOVED, "A", ({"10.98.0.2"}, {"10.98.0.12"})),
            Ask(GHOST, "A", ({"10.98.0.3"}, {"NXDOMAIN"})),
            Ask(FRESH, "A", ({"NXDOMAIN"}, {"10.98.0.4"})),
        ) as asking,
    ):
        assert server.said(GHOST) == {"10.98.0.3"}
        lab.start()
        expect_all(server)
    asking.check()


def test_an_api_server_that_answers_comes_first(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    leave_a_snapshot(lab, tmp_path)
    change_all(lab)
    with serve(lab, tmp_path) as server:
        assert server.said(MOVED) == {"10.98.0.12"}
        assert server.events("answers_from_snapshot") == []


def test_an_api_server_that_stalls_is_not_waited_for(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    leave_a_snapshot(lab, tmp_path)
    with lab.freeze(), serve(lab, tmp_path) as server:
        assert extended_errors(server.ask(STEADY)) == [STALE]
        (line,) = server.events("answers_from_snapshot")
        assert line["reason"] == "the API server hasn't listed anything within 0.4 s"


def test_who_is_not_to_be_ready_by_a_snapshot_is_not(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    leave_a_snapshot(lab, tmp_path)
    lab.kill()
    server = serve(lab, tmp_path, "--snapshot-ready", "no")
    server.start(ready=False)
    try:
        assert short(server.ask(STEADY)) == {"10.98.0.1"}
        status, body = server.ready()
        assert (status, body.splitlines()[0]) == (503, "kubernetes")
        assert "namespaces: not synced, served from a snapshot" in body
    finally:
        server.close()


@pytest.mark.parametrize("octets", [b"", b"kdnssnap" + FORMAT.to_bytes(2, "big") + b"half"])
def test_with_a_damaged_snapshot_it_starts_clean(own_lab: Callable[..., Lab], tmp_path: Path, octets: bytes) -> None:
    lab = own_lab()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "cluster.snapshot").write_bytes(octets)
    lab.kill()
    server = serve(lab, tmp_path)
    server.start(ready=False)
    try:
        assert short(server.ask(STEADY, timeout_s=10.0)) == {"SERVFAIL"}
        assert server.metric('kdns_snapshot_rejected_total{reason="damaged"}') == 1
        (line,) = server.events("snapshot_rejected", level="warning")
        assert (line["path"], line["reason"]) == (str(tmp_path / "state" / "cluster.snapshot"), "damaged")
        lab.start()
        server.until_ready()
        saved(server)
    finally:
        server.close()


def test_a_folder_of_no_use_is_told_and_does_no_harm(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    (tmp_path / "state").write_text("a file")
    with serve(lab, tmp_path) as server:
        assert server.said(STEADY) == {"10.98.0.1"}
        until(lambda: server.metric("kdns_snapshot_write_failures_total") == 1)
        (line,) = server.events("snapshot_not_written", level="warning")
        assert "emptyDir" in line["add"]
        assert server.metric("kdns_snapshot_writes_total") == 0


def test_what_changed_last_is_saved_at_the_end_whoever_says_stop_twice(
    own_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = own_lab()
    with serve(lab, tmp_path) as server:
        saved(server)
        put(lab, "fresh", "10.98.0.4")
        server.comes_to(FRESH, "A", {"10.98.0.4"})
        server.send(signal.SIGTERM)
        assert server.stop() == 0
    lab.kill()
    with serve(lab, tmp_path) as server:
        assert (server.said(FRESH), extended_errors(server.ask(FRESH))) == ({"10.98.0.4"}, [STALE])


def test_a_controller_that_is_replaced_takes_nothing_newer_from_its_workers(
    own_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = own_lab()
    leave_a_snapshot(lab, tmp_path)
    with serve(lab, tmp_path, workers=2) as server:
        # What is on disk is from before this change: the next one is written a minute later.
        saved(server)
        put(lab, "fresh", "10.98.0.4")
        server.comes_to(FRESH, "A", {"10.98.0.4"})
        lab.kill()
        server.send(signal.SIGKILL, "controller")
        until(lambda: server.events("answers_from_snapshot"))
        server.until_ready()
        assert server.said(FRESH) == {"10.98.0.4"}
        assert extended_errors(server.ask(FRESH)) == []
        # A worker that has nothing gets what there is.
        server.send(signal.SIGKILL, "worker-0")
        server.send(signal.SIGKILL, "worker-1")
        until(lambda: len(server.events("process_died")) == 3)
        server.until_ready()
        server.comes_to(STEADY, "A", {"10.98.0.1"})
        assert extended_errors(server.ask(STEADY)) == [STALE]
        lab.start()
        server.comes_to(FRESH, "A", {"10.98.0.4"})
        until(lambda: extended_errors(server.ask(STEADY)) == [])


def test_who_is_killed_again_and_again_starts_from_the_last_state_each_time(
    own_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = own_lab()
    leave_a_snapshot(lab, tmp_path)
    with lab.freeze():
        for _ in range(3):
            with serve(lab, tmp_path) as server, Asking(server, Ask(STEADY, "A", ({"10.98.0.1"},))) as asking:
                until(lambda: asking.replies > 1000)
                for process in ("controller", "worker-0", "supervisor"):
                    server.send(signal.SIGKILL, process)
                server.wait()
    with serve(lab, tmp_path) as server:
        assert extended_errors(server.ask(STEADY)) == []
        assert [each.name for each in (tmp_path / "state").iterdir()] == ["cluster.snapshot"]
