"""What rules make of names: the octets that are looked at first never change what the text alone would say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.patterns import Pattern
from kdns.config.rewriting import Match
from kdns.dns import names
from kdns.dns.names import Name, NameTextError
from kdns.steps.renaming import absolute, ending, filling, fits, renamer, text_change
from tests.dns.octets import named

MATCHES: list[Match] = ["exact", "prefix", "suffix", "substring"]
LABELS = st.sampled_from([b"a", b"ab", b"b", b"a.b", b"A", b"\\", b"\3a", b"x" * 63, b"\xff"])
NAMES = st.lists(LABELS, max_size=3).map(lambda labels: names.fold(names.from_labels(labels)))
SOURCES = st.lists(
    st.sampled_from(["a", "b", "ab", ".", ".", "\\.", "\\003", "x" * 63, "é"]), min_size=1, max_size=5
).map("".join)


@given(NAMES, SOURCES, st.sampled_from(MATCHES))
def test_a_name_fits_if_its_text_does(name: Name, source: str, match: Match) -> None:
    by_text = text_change(absolute(source), "", match)(names.to_text(name)) is not None
    if match != "exact":
        assert fits(source, match)(name) == by_text
    end = ending(absolute(source))
    assert not by_text or match != "suffix" or end is None or name.endswith(end)


@given(NAMES, SOURCES, st.sampled_from(MATCHES[1:]))
def test_a_name_becomes_what_its_text_becomes(name: Name, source: str, match: Match) -> None:
    changed = text_change(absolute(source), "c.d.", match)(names.to_text(name))
    try:
        expected = None if changed is None else named(changed)
    except NameTextError:
        with pytest.raises(NameTextError):
            renamer(source, "c.d", match)(name)
        return
    assert renamer(source, "c.d", match)(name) == expected


@pytest.mark.parametrize("name", ["a.b", r"a\.b", r"\003"])
def test_an_exact_name_may_have_any_octets(name: str) -> None:
    assert renamer(name, "c", "exact")(named(name)) == named("c")
    assert renamer(name, "c", "exact")(named("c")) is None
    assert fits(name, "exact")(named(name))


def test_what_is_no_name_fits_none() -> None:
    assert not fits("a..b", "exact")(named("a.b"))


def test_a_name_that_is_to_be_put_there_must_be_one() -> None:
    with pytest.raises(NameTextError):
        renamer("a", "a..b", "exact")


@pytest.mark.parametrize(
    ("target", "said"),
    [("x", "x"), ("{1}.{2}", "b.c"), ("{0}", "a"), ("{3}{1}", "{3}b"), ("{01}{", "{01}{"), ("{-1}{}{1", "{-1}{}{1")],
)
def test_groups_are_put_where_their_numbers_are(target: str, said: str) -> None:
    assert filling(target)(("a", "b", "c")) == said


def test_what_a_client_asks_is_never_read_as_a_group() -> None:
    assert filling("{1}{2}")(("", "{2}", "x")) == "{2}x"


def test_a_pattern_sees_the_final_dot() -> None:
    assert fits(Pattern.compiled(r"^a\.b\.$"), "exact")(named("a.b"))
    assert not fits(Pattern.compiled(r"^a\.b$"), "exact")(named("a.b"))
