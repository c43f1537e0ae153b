"""loadbalance: which addresses come first, and what is remembered of it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from kdns.dns.names import from_text
from kdns.steps.chain import Answered, Done, Failed, Outcome, Relayed, Request, Rest
from kdns.steps.loadbalance import rank_of, weights_of
from kdns.steps.watched import DamagedError
from kdns.zone.entry import STATIC
from tests.config.directives import settings
from tests.steps.cached import running_or_stopped
from tests.steps.telling import CLIENT, PASSED, answered, asked, never, query, relayed, step, told
from tests.virtual_time import run

QUESTION = "www.example.com. A"


def addresses(*last: str, owner: str = "www.example.com.") -> str:
    return "; ".join(f"{owner} 60 A 10.0.{each}" for each in last)


def rest(said: str, *, foreign: bool, **more: Any) -> Rest:
    def here(request: Request, _done: Done) -> Outcome:
        outcome: Outcome = relayed(said, request.query) if foreign else answered(said)
        return outcome._replace(**more)

    return here


def first(one: Any, said: str, *, foreign: bool, **more: Any) -> Outcome:
    outcome = one.ask(Request(query(QUESTION), CLIENT, "udp"), rest(said, foreign=foreign, **more), never)
    assert outcome is not None
    return outcome  # type: ignore[no-any-return]  # steps are made by name


def test_round_robin_alone_needs_no_step() -> None:
    assert step("loadbalance") is None
    assert step("loadbalance round_robin") is None


PREFER = "loadbalance {\n    prefer 10.0.2.0/24 10.0.1.128/25\n    prefer 2001:db8:1::/48\n}"
PREFERRED = (
    (("0.1", "1.200", "2.1", "2.2"), ("2.1", "2.2", "1.200", "0.1")),
    (("0.1", "1.1", "0.2"), ("0.1", "1.1", "0.2")),
    (("2.3", "2.1"), ("2.3", "2.1")),
    (("1.200", "2.1"), ("2.1", "1.200")),
    (("0.1",), ("0.1",)),
)


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize(("before", "after"), PREFERRED)
def test_addresses_of_the_ranges_come_first(before: tuple[str, ...], after: tuple[str, ...], foreign: bool) -> None:
    outcome = first(step(PREFER), f"NOERROR aa; {addresses(*before)}", foreign=foreign)
    said = told(outcome, query(QUESTION))
    assert said == f"NOERROR{'' if foreign else ' aa'}; {addresses(*after)}"


def test_ranges_of_both_families_are_told_apart() -> None:
    rank = rank_of(settings(PREFER).preferred)  # type: ignore[attr-defined]  # those of loadbalance
    assert [rank(bytes(each)) for each in ((10, 0, 2, 9), (10, 0, 1, 128), (10, 0, 1, 127), (32, 1, 13, 184))] == [
        *(0, 1, 3, 3)
    ]
    assert rank(bytes((0x20, 1, 0x0D, 0xB8, 0, 1)) + bytes(10)) == 2
    assert rank(bytes((0x20, 1, 0x0D, 0xB8, 0, 2)) + bytes(10)) == 3
    assert rank(bytes(12) + bytes((10, 0, 2, 1))) == 3


def test_what_prefers_may_be_remembered_and_the_first_take_turns() -> None:
    said = f"NOERROR aa; {addresses('0.1', '2.1', '2.2')}"
    own = first(step(PREFER), said, foreign=False)
    assert isinstance(own, Answered)
    assert own.owners == (STATIC,)
    assert [len(records.rdatas) for records in own.answer.answers] == [2, 1]
    foreign = first(step(PREFER), said, foreign=True, until=9.0)
    assert isinstance(foreign, Relayed)
    assert (foreign.until, foreign.lasting) == (9.0, None)
    assert foreign.rotation is not None
    turned = foreign._replace(octets=foreign.rotation.turn(foreign.octets, 1))
    assert told(turned, query(QUESTION)) == f"NOERROR; {addresses('2.2', '2.1', '0.1')}"


@pytest.mark.parametrize("said", ["NXDOMAIN aa; ns . 60 NS .", "NOERROR aa", 'NOERROR aa; www.example.com. 60 TXT "x"'])
@pytest.mark.parametrize("foreign", [False, True])
def test_what_has_no_addresses_stays_as_it_is(said: str, foreign: bool) -> None:
    assert told(first(step(PREFER), said, foreign=foreign), query(QUESTION)) == said.replace(
        " aa", "" if foreign else " aa"
    )


def test_failures_and_other_types_are_passed_on(tmp_path: Path) -> None:
    for one in (step(PREFER), weighted(tmp_path)):
        assert one.ask(Request(query(QUESTION), CLIENT, "udp"), lambda request, done: PASSED, never) is PASSED
        assert asked(one, "www.example.com. MX") == "passed"
    assert isinstance(PASSED, Failed)


WEIGHTS = "# who gets what\n\nWWW.example.com\n10.0.0.1 3\n10.0.0.2 1\n\nsix.example.com.\n2001:db8::1 255\n"


def weighted(tmp_path: Path, text: str = WEIGHTS, reload: str = "0s", **around: Any) -> Any:
    path = tmp_path / "weights"
    path.write_text(text)
    return step(f"loadbalance weighted {path} {{\n    reload {reload}\n}}", **around)


@pytest.mark.parametrize("foreign", [False, True])
def test_each_address_is_first_as_often_as_its_weight_says(foreign: bool, tmp_path: Path) -> None:
    one = weighted(tmp_path)
    said = f"NOERROR aa; {addresses('0.1', '0.2', '0.3')}"
    seen: Counter[str] = Counter()
    for _ in range(2000):
        outcome = first(one, said, foreign=foreign)
        text = told(outcome, query(QUESTION))
        lines = text.split("; ")[1:]
        assert sorted(lines) == said.split("; ")[1:]
        seen[lines[0].rpartition(".")[2]] += 1
    # 3 : 1 : 1, an address without a weight having 1; of 2000 the deviation is 22 and less
    assert abs(seen["1"] - 1200) < 110
    assert abs(seen["2"] - 400) < 90
    assert seen.total() == 2000


@pytest.mark.parametrize("foreign", [False, True])
def test_what_chance_decides_is_not_remembered_and_all_else_is(foreign: bool, tmp_path: Path) -> None:
    one = weighted(tmp_path)
    more = {"until": 9.0} if foreign else {}
    mine = first(one, f"NOERROR aa; {addresses('0.1', '0.2')}", foreign=foreign, **more)
    other = first(one, f"NOERROR aa; {addresses('0.1', '0.2', owner='x.')}", foreign=foreign, **more)
    single = first(one, f"NOERROR aa; {addresses('0.1')}", foreign=foreign, **more)
    for outcome, remembered in ((mine, False), (other, True), (single, True)):
        if isinstance(outcome, Relayed):
            assert outcome.until == (9.0 if remembered else 0.0)
        else:
            assert isinstance(outcome, Answered)
            assert outcome.owners == ((STATIC,) if remembered else ())


def test_new_weights_count_and_whoever_remembers_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        told_of: list[int] = []
        one = weighted(tmp_path, "other.example.com\n10.0.0.1 1\n", "30s", forget_all=lambda: told_of.append(1))
        outcome = first(one, f"NOERROR aa; {addresses('0.1', '0.2')}", foreign=False)
        assert isinstance(outcome, Answered)
        assert outcome.owners == (STATIC,)
        write(tmp_path / "weights", WEIGHTS)
        await later(31)
        outcome = first(one, f"NOERROR aa; {addresses('0.1', '0.2')}", foreign=False)
        assert isinstance(outcome, Answered)
        assert (outcome.owners, told_of) == ((), [1, 1])
        with capture_logs() as logged:
            write(tmp_path / "weights", "www.example.com\n10.0.0.1 0\n")
            await later(31)
        assert [entry["event"] for entry in logged] == ["file_unusable"]
        outcome = first(one, f"NOERROR aa; {addresses('0.1', '0.2')}", foreign=False)
        assert isinstance(outcome, Answered)
        assert (outcome.owners, told_of) == ((), [1, 1])  # the weights from before hold
        one.close()

    run(scene())


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def later(seconds: float) -> None:
    loop = running_or_stopped()
    future = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    await future


def test_weights_are_by_name_and_address() -> None:
    assert read(WEIGHTS) == {
        from_text("www.example.com."): {bytes((10, 0, 0, 1)): 3, bytes((10, 0, 0, 2)): 1},
        from_text("six.example.com."): {bytes((0x20, 1, 0x0D, 0xB8)) + bytes(11) + b"\1": 255},
    }
    assert read("") == {}
    assert read("x\n::ffff:10.0.0.1 2\nx.\n10.0.0.2 3") == {
        from_text("x."): {bytes((10, 0, 0, 1)): 2, bytes((10, 0, 0, 2)): 3}
    }


def read(text: str) -> object:
    kept: list[object] = []

    def keep() -> Any:
        kept.append((yield from weights_of(text.encode())))

    for _ in keep():
        pass
    return kept[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.0.0.1 3", "line 1: found '10.0.0.1 3', expected a name in a line before"),
        ("10.0.0.1", "line 1: found '10.0.0.1', expected a name, or an address and its weight"),
        ("x\n10.0.0.1 0", "line 2: found the weight '0', expected 1 to 255"),
        ("x\n10.0.0.1 256", "line 2: found the weight '256', expected 1 to 255"),
        ("x\n10.0.0.1 ٣", "line 2: found the weight '٣', expected 1 to 255"),
        ("x\ny 3", "line 2: found 'y', expected an IP address"),
        ("x\n\n10.0.0.1 3 4", "line 3: found '10.0.0.1 3 4', expected a name, or an address and its weight"),
        ("a..b", "line 1: found 'a..b', expected a domain name (a label has 0 octets, expected 1 to 63)"),
    ],
)
def test_what_is_no_file_of_weights_says_where(text: str, said: str) -> None:
    with pytest.raises(DamagedError) as raised:
        read(text)
    assert str(raised.value) == said
