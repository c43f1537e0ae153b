"""hosts: reloading, what passes and how, and what is counted; the table of questions and answers is in compared.py."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kdns.dns import types
from kdns.dns.names import Name, from_text
from kdns.dns.records import Answer
from kdns.steps.chain import Answered, Done, Failed, Outcome, Request
from kdns.zone.alike import Unowned
from kdns.zone.entry import STATIC
from kdns.zone.index import Index
from tests.steps.cached import running_or_stopped
from tests.steps.telling import CLIENT, asked, never, query, step
from tests.virtual_time import run

WEB = "NOERROR aa; web.example.com. 3600 A 10.0.0.1"


async def later(seconds: float = 6.0) -> None:
    loop = running_or_stopped()
    future = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    await future


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def remove(path: Path) -> None:
    path.unlink()


def test_a_changed_file_is_what_counts_and_whoever_remembers_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        path = write(tmp_path / "hosts", "10.0.0.1 web.example.com\n")
        told: list[str] = []
        one = step(f"hosts {path} {{\nfallthrough\n}}", forget_all=lambda: told.append(path.read_text()[:9]))
        await later()
        assert (asked(one, "web.example.com. A"), told) == (WEB, ["10.0.0.1 "])
        write(path, "10.0.0.22 web.example.com\n10.0.0.3 new.example.com\n")
        await later()
        assert told == ["10.0.0.1 ", "10.0.0.22"]
        assert asked(one, "web.example.com. A") == WEB.replace("10.0.0.1", "10.0.0.22")
        assert asked(one, "new.example.com. A") == "NOERROR aa; new.example.com. 3600 A 10.0.0.3"
        one.close()

    run(scene())


def test_the_last_good_state_holds_while_the_file_is_away_or_damaged(tmp_path: Path) -> None:
    async def scene() -> None:
        path = write(tmp_path / "hosts", "10.0.0.1 web.example.com\n")
        told: list[None] = []
        one = step(f"hosts {path} {{\nfallthrough\n}}", forget_all=lambda: told.append(None))
        for damage in ("\0\0\0\0\n10.0.0.9 web.example.com", "<html>\nnot found\n</html>\n"):
            write(path, damage)
            with capture_logs() as logged:
                await later()
            assert [entry["event"] for entry in logged] == ["file_unusable"]
            assert asked(one, "web.example.com. A") == WEB
        remove(path)
        await later()
        assert asked(one, "web.example.com. A") == WEB
        assert told == [None]  # of the first time
        one.close()

    run(scene())


def test_a_file_emptied_has_no_names_any_more(tmp_path: Path) -> None:
    async def scene() -> None:
        path = write(tmp_path / "hosts", "10.0.0.1 web.example.com\n")
        one = step(f"hosts {path} {{\n10.0.0.2 inline.example.com\nfallthrough\n}}")
        write(path, "# nothing\n")
        await later()
        assert asked(one, "web.example.com. A") == "passed"
        assert asked(one, "inline.example.com. A") == "NOERROR aa; inline.example.com. 3600 A 10.0.0.2"
        one.close()

    run(scene())


def test_lines_that_are_none_are_told_once_and_the_others_count(tmp_path: Path) -> None:
    path = write(tmp_path / "hosts", "10.0.0.1 web.example.com\nnonsense x\n10.0.0.2\n")
    with capture_logs() as logged:
        one = step(f"hosts {path} {{\nreload 0s\n}}")
    assert asked(one, "web.example.com. A") == WEB
    (entry,) = (each for each in logged if each["event"] == "file_lines_ignored")
    assert entry == {
        "event": "file_lines_ignored",
        "log_level": "warning",
        "path": str(path),
        "count": 2,
        "first": "line 2: found 'nonsense', expected an IP address",
    }


def test_lines_of_its_own_count_without_a_file(tmp_path: Path) -> None:
    one = step(f"hosts {tmp_path / 'none'} {{\n10.0.0.1 web.example.com\nreload 0s\n}}")
    assert asked(one, "web.example.com. A") == WEB


def test_entries_and_the_time_of_the_file_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "hosts", "10.0.0.1 web.example.com\n")
    one = step(f"hosts {path} {{\n10.0.0.2 inline.example.com\nreload 0s\n}}")
    assert one.counts_at("dns://:53", ".", "") == {
        ("coredns_hosts_entries", (str(path),)): 4.0,
        ("coredns_hosts_reload_timestamp_seconds", ()): pytest.approx(path.stat().st_mtime),
    }


def test_answers_may_be_remembered_and_refusals_are_not(tmp_path: Path) -> None:
    one = step(f"hosts {write(tmp_path / 'hosts', '10.0.0.1 a.b')} {{\nreload 0s\n}}")
    for question in ("a.b. A", "a.b. AAAA", "a.b. TXT", "1.0.0.10.in-addr.arpa. PTR"):
        outcome = one.ask(Request(query(question), CLIENT, "udp"), nobody, never)
        assert isinstance(outcome, Answered)
        assert (outcome.owners, outcome.by) == ((STATIC,), "hosts")
    assert isinstance(one.ask(Request(query("c. A"), CLIENT, "udp"), nobody, never), Failed)


def nobody(_request: Request, _done: Done) -> Outcome:
    raise AssertionError("the rest was asked")


DENIED = Answered(Answer(types.NXDOMAIN), (STATIC,), "kubernetes", Unowned(from_text("svc.cluster.local."), Index()))


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("names", "holds"),
    [
        ("web.example.com", True),
        ("node-1 node-2", True),
        ("x.cluster.local", True),
        ("web.shop.svc.cluster.local", False),
        ("*.svc.cluster.local", False),
        (" ".join(f"a.b{number}" for number in range(100)), True),
        (" ".join(["a.svc.cluster.local", *(f"a.b{number}" for number in range(100))]), False),
    ],
)
def test_a_denial_holds_for_others_unless_a_name_of_the_file_may_be_one(
    names: str, holds: bool, waits: bool, tmp_path: Path
) -> None:
    one = step(f"hosts {write(tmp_path / 'hosts', f'10.0.0.1 {names}')} {{\nreload 0s\nfallthrough\n}}")
    given = Request(query("www.none.svc.cluster.local. A"), CLIENT, "udp")
    came: list[Outcome] = []

    def rest(_request: Request, done: Done) -> Outcome | None:
        came.append(DENIED)
        if not waits:
            return DENIED
        waiting.append(done)
        return None

    waiting: list[Done] = []
    outcomes: list[Outcome] = []
    outcome = one.ask(given, rest, outcomes.append)
    if waits:
        waiting[0](DENIED)
        (outcome,) = outcomes
    assert outcome == (DENIED if holds else DENIED._replace(alike=None))


def test_names_are_those_of_the_server_blocks_zones_unless_others_are_given(tmp_path: Path) -> None:
    path = write(tmp_path / "hosts", "10.0.0.1 web.example.com web.other.test\n")
    one = step(f"hosts {path} example.com {{\nreload 0s\n}}")
    assert asked(one, "web.example.com. A") == WEB
    assert asked(one, "web.other.test. A") == "passed"


def test_any_name_as_it_was_asked_owns_its_records(tmp_path: Path) -> None:
    one = step(f"hosts {write(tmp_path / 'hosts', '10.0.0.1 web')} {{\nreload 0s\n}}")
    outcome = one.ask(Request(query("wEB. A"), CLIENT, "udp"), nobody, never)
    assert outcome.answer.answers[0].name == Name(b"\x03wEB\0")
