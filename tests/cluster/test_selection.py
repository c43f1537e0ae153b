"""Selectors: what they take, and that what is sent to the API says the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.cluster.selection import Requirement, Selector, matches, written
from kdns.config import labels as read

KEYS = ("app", "a.b/c", "x")
VALUES = ("", "web", "a.b_c-d")
requirements = st.one_of(
    st.tuples(
        st.sampled_from(KEYS),
        st.sampled_from(["In", "NotIn"]),
        st.lists(st.sampled_from(VALUES), min_size=1, max_size=2, unique=True).map(tuple),
    ),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["Exists", "DoesNotExist"]), st.just(())),
)
selectors = st.lists(requirements, max_size=3).map(tuple)
labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))


@given(selectors.filter(bool))
def test_what_is_written_is_read_as_the_same(selector: Selector) -> None:
    assert read.parse(written(selector)) == selector


@given(selectors, labels)
def test_every_requirement_has_to_hold(selector: Selector, there: dict[str, str]) -> None:
    assert matches(selector, there) == all(matches((each,), there) for each in selector)


@pytest.mark.parametrize(
    ("requirement", "taken", "left_out"),
    [
        (("app", "In", ("web", "db")), [{"app": "web"}, {"app": "db", "x": ""}], [{}, {"app": ""}, {"x": "web"}]),
        (("app", "In", ("",)), [{"app": ""}], [{}, {"app": "web"}]),
        (("app", "NotIn", ("web",)), [{}, {"app": "db"}], [{"app": "web"}]),
        (("app", "Exists", ()), [{"app": ""}, {"app": "web"}], [{}, {"x": "app"}]),
        (("app", "DoesNotExist", ()), [{}, {"x": "app"}], [{"app": ""}]),
    ],
)
def test_a_requirement_is_held_to_as_the_api_does(
    requirement: Requirement, taken: list[dict[str, str]], left_out: list[dict[str, str]]
) -> None:
    assert [matches((requirement,), each) for each in (*taken, *left_out)] == [True] * len(taken) + [False] * len(
        left_out
    )


def test_without_requirements_everything_is_taken_and_nothing_asked() -> None:
    assert matches((), {})
    assert not written(())
