"""Which server block a question goes to: a table, and the law that the longest zone decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns import types
from kdns.dns.names import Name, fold, from_text, is_below
from kdns.dns.query import Query
from kdns.serve.routes import NOBODY, Block, Manner, Routes
from kdns.steps.chain import Client, Failed, Peer

CLIENT = Peer("192.0.2.1", 5353)


def block(zone: str, *, only: str = "") -> Block:
    def takes(_query: Query, client: Client) -> bool:
        return client.host == only

    return Block((zone, ""), lambda _request, _done: Failed(0), Manner(), takes=takes if only else None)


def routes(*blocks: Block) -> Routes:
    return Routes(sorted(((from_text(each.where[0]), each) for each in blocks), key=lambda each: -len(each[0])))


@pytest.mark.parametrize(
    ("zones", "name", "qtype", "expected"),
    [
        ([".", "org.", "example.org."], "www.Example.org.", types.A, "example.org."),
        ([".", "org.", "example.org."], "example.org.", types.A, "example.org."),
        ([".", "org.", "example.org."], "example.org.", types.DS, "org."),
        (["example.org."], "example.org.", types.DS, "example.org."),
        (["example.org."], "anexample.org.", types.A, "dropped"),
        (["example.org."], "org.", types.A, "dropped"),
        (["."], ".", types.DS, "."),
        ([], "a.", types.A, "dropped"),
    ],
)
def test_longest_zone_decides(zones: list[str], name: str, qtype: int, expected: str) -> None:
    assert routes(*map(block, zones)).find(Query(from_text(name), qtype), CLIENT).where[0] == expected


def test_first_view_that_takes_a_question_has_it() -> None:
    first, second, third = block("a.", only="192.0.2.9"), block("a.", only="192.0.2.1"), block("a.")
    found = routes(first, second, third, block("."))
    query = Query(from_text("x.a."), types.A)
    assert found.find(query, CLIENT) is second
    assert found.find(query, Peer("192.0.2.9", 1)) is first
    assert found.find(query, Peer("192.0.2.2", 1)) is third
    assert routes(first).find(query, CLIENT) is NOBODY


NAMES = st.lists(st.sampled_from(["a", "b", "A", "ab"]), max_size=4).map(lambda labels: ".".join([*labels, ""]) or ".")


@given(st.lists(NAMES.map(str.lower), unique=True, max_size=5), NAMES)
def test_no_block_has_a_longer_zone_of_the_name(zones: list[str], name: str) -> None:
    found = routes(*map(block, zones)).find(Query(from_text(name), types.A), CLIENT)
    folded = fold(from_text(name))
    fitting: list[Name] = [from_text(zone) for zone in zones if is_below(folded, from_text(zone))]
    assert found is NOBODY if not fitting else from_text(found.where[0]) == max(fitting, key=len)
