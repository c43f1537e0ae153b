"""The memo: bounded, forgotten by owner exactly, and what is hot stays."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kdns.dns.reply import Reply
from kdns.serve.memo import Memo, Remembered
from kdns.zone.entry import Owner

owners = st.sampled_from([Owner(b"a"), Owner(b"b"), Owner(b"c")])
keys = st.integers(0, 20).map(lambda i: b"question %d" % i)
operations = st.one_of(
    st.tuples(st.just("remember"), keys, st.lists(owners, min_size=1, max_size=3, unique=True).map(tuple)),
    st.tuples(st.just("forget"), owners, st.none()),
    st.tuples(st.just("ask"), keys, st.none()),
)


def reply(*of: Owner, octets: bytes = b"reply") -> Remembered:
    return Remembered(Reply(octets, truncated=False, rotation=None), of, [0])


def find(memo: Memo, key: bytes) -> Remembered | None:
    return memo.replies.get(key) or memo.recover(key)


@given(st.lists(operations, max_size=120), st.sampled_from([2_000, 5_000, 1_000_000]))
def test_nothing_forgotten_or_replaced_is_ever_found_again(steps: list[tuple[str, Any, Any]], limit: int) -> None:
    memo = Memo(limit)
    model: dict[bytes, Remembered] = {}
    for what, subject, of in steps:
        if what == "remember":
            model[subject] = reply(*of)
            memo.remember(subject, model[subject])
        elif what == "forget":
            memo.forget(subject)
            model = {key: kept for key, kept in model.items() if subject not in kept.owners}
        else:
            found = find(memo, subject)
            assert found is None or found is model[subject]
            if limit == 1_000_000:
                assert found is model.get(subject)


def test_the_limit_holds_whatever_is_remembered() -> None:
    memo = Memo(100_000)
    for i in range(10_000):
        memo.remember(b"%d" % i, reply(Owner(b"a"), octets=bytes(200)))
    assert len(memo) * 550 <= 100_000
    assert memo.evicted > 9_000


def test_a_scan_leaves_what_is_asked_for_again_and_again() -> None:
    memo = Memo(100_000)
    hot = [b"hot %d" % i for i in range(20)]
    for key in hot:
        memo.remember(key, reply(Owner(b"a")))
    for i in range(5_000):
        memo.remember(b"scan %d" % i, reply(Owner(b"b")))
        assert find(memo, hot[i % 20]) is not None


def test_clear_leaves_nothing() -> None:
    memo = Memo(100_000)
    memo.remember(b"q", reply(Owner(b"a")))
    memo.clear()
    assert (find(memo, b"q"), len(memo)) == (None, 0)


def test_a_question_is_known_on_second_sight() -> None:
    memo = Memo(100_000)
    assert [memo.seen(b"q"), memo.seen(b"q"), memo.seen(b"r")] == [False, True, False]
