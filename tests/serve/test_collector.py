"""When a worker's garbage is collected, and that questions leave none that needs it. Sockets are real, time is virtual."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kdns.serve.collector import Collector
from kdns.steps.chain import Peer
from kdns.zone.index import Index
from tests import virtual_time
from tests.serve.conversation import virtually
from tests.serve.served import Served, question
from tests.steps.upstream_of_sins import UpstreamOfSins

_MANY = 2_000  # more than are worth a walk


@pytest.fixture(autouse=True)
def _collection() -> Iterator[None]:
    """The collector as it was, and nothing left of others' garbage."""
    thresholds = gc.get_threshold()
    gc.collect()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


class Knot:
    """What reference counts never free."""

    def __init__(self) -> None:
        self.self = self


def knots(count: int) -> list["weakref.ref[Knot]"]:
    """So many, which nobody has any more."""
    return [weakref.ref(Knot()) for _ in range(count)]


def left(made: list["weakref.ref[Knot]"]) -> int:
    return sum(each() is not None for each in made)


@virtually
async def test_garbage_is_collected_within_a_second_once_few_questions_wait() -> None:
    waiting = 5_000
    Collector(asyncio.get_running_loop(), lambda: waiting).begin()
    made = knots(_MANY)
    await asyncio.sleep(60)
    assert left(made) == _MANY
    waiting = 20
    await asyncio.sleep(1)
    assert left(made) == 0


@virtually
async def test_no_walk_comes_by_itself_while_questions_wait() -> None:
    Collector(asyncio.get_running_loop(), lambda: 5_000).begin()
    walks: list[str] = []
    gc.callbacks.append(lambda phase, _info: walks.append(phase))
    try:
        living = [[each] for each in range(50_000)]
    finally:
        gc.callbacks.pop()
    assert (len(living), walks) == (50_000, [])


@virtually
async def test_garbage_doesnt_grow_without_end_though_questions_wait() -> None:
    Collector(asyncio.get_running_loop(), lambda: 5_000).begin()
    assert left(knots(300_000)) < 300_000


@pytest.mark.parametrize(("waiting", "walked"), [(0, True), (5_000, False)])
@virtually
async def test_what_was_settled_is_in_no_later_walk(waiting: int, walked: bool) -> None:
    living, made = [[each] for each in range(1_000)], knots(10)
    before = gc.get_freeze_count()
    Collector(asyncio.get_running_loop(), lambda: waiting).settle()
    assert gc.get_freeze_count() >= before + len(living)
    assert (left(made) == 0) == walked


@virtually
async def test_what_lives_is_walked_over_once_and_not_each_second() -> None:
    Collector(asyncio.get_running_loop(), lambda: 0).begin()
    living = [[[each]] for each in range(150_000)]
    await asyncio.sleep(1)
    assert gc.get_freeze_count() > len(living)


@contextmanager
def keeping() -> Iterator[list[object]]:
    """Meanwhile all that only a walk frees is kept, and is in the list in the end."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    "sins",
    [
        *(
            (sin, "honest")
            for sin in ("honest", "gone", "servfail", "refused", "nxdomain", "wrong id", "garbage", "no edns")
        ),
        *(("silent", sin) for sin in ("silent", "closed", "half", "in pieces")),
        *(("truncated", sin) for sin in ("honest", "silent", "closed")),
    ],
    ids=" ".join,
)
def test_no_question_leaves_what_only_a_walk_would_free(sins: tuple[str, str]) -> None:
    """However it ends: answered at once, by an upstream, from the cache, by nobody, or with its client gone."""

    async def scene() -> None:
        async with UpstreamOfSins(*sins, number=1) as upstream:
            text = f".:53 {{\n    kubernetes cluster.local\n    forward . {upstream.address}\n    cache 30\n}}"
            served = Served(text, Index(), loop=asyncio.get_running_loop())
            replies: list[bytes] = []
            names = ["www.example.com.", "a.b.svc.cluster.local.", "www.example.com.", "kubernetes.default.", "."]
            with keeping() as found:
                for number, name in enumerate(names):
                    for door in (served.udp, served.tcp):
                        asked = question(name, ident=number)
                        reply = door.converse_unmarked(asked, Peer("127.0.0.1", 4053), replies.append)
                        replies.extend(() if reply is None else (reply,))
                    await asyncio.sleep(20)
            served.close()
            assert [each[1] for each in replies] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
            assert [each for each in found if type(each).__module__.startswith("kdns.")] == []

    virtual_time.run(scene())
