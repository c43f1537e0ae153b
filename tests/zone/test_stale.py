"""Stale answers: no TTL is more than five seconds, nothing else of the records changes, and the reply says what it is."""

from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.names import from_text
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.zone.stale import WHY, marked

NAME = from_text("web.shop.svc.cluster.local.")
sets = st.lists(
    st.builds(
        RecordSet, st.just(NAME), st.sampled_from([types.A, types.SRV]), st.integers(0, 3600), st.just((b"data",))
    ),
    max_size=2,
).map(tuple)
answers = st.builds(Answer, st.sampled_from([types.NOERROR, types.NXDOMAIN]), sets, sets, sets, error=st.none())


@given(answers)
def test_ttls_are_cut_and_all_else_stays(answer: Answer) -> None:
    made = marked(answer)
    for before, after in zip(
        (*answer.answers, *answer.authority, *answer.additional),
        (*made.answers, *made.authority, *made.additional),
        strict=True,
    ):
        assert after == before._replace(ttl=min(5, before.ttl))
    assert made._replace(answers=(), authority=(), additional=(), error=None) == answer._replace(
        answers=(), authority=(), additional=()
    )


def test_an_answer_and_a_denial_say_so_each_by_its_own_code() -> None:
    assert marked(Answer()).error == ExtendedError(types.EDE_STALE_ANSWER, WHY)
    assert marked(Answer(types.NXDOMAIN)).error == ExtendedError(types.EDE_STALE_NXDOMAIN, WHY)


def test_what_already_says_that_something_is_wrong_goes_on_saying_that() -> None:
    wrong = ExtendedError(types.EDE_OTHER, "too many steps")
    assert marked(Answer(types.SERVFAIL, error=wrong)).error == wrong
