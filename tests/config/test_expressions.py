"""Expressions: what they mean, what is wrong with one and where, and what of them the client's address decides.

The truth of each row is what expr-lang 1.17.8 says of the same text and question.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.expressions import DEPTH_MAX, LENGTH_MAX, OPERATORS_MAX, Expression
from kdns.config.words import ExpressionError

QUESTION: dict[str, str | int | bool] = {
    "type": "A",
    "name": "www.example.org.",
    "class": "IN",
    "proto": "udp",
    "size": 40,
    "id": 7,
    "opcode": 0,
    "client_ip": "10.1.2.3",
    "port": "4000",
    "do": False,
    "bufsize": 1232,
    "server_ip": "127.0.0.1",
    "server_port": "53",
}


class Known:
    """A question whose facts are written down."""

    def __init__(self, **facts: str | int | bool) -> None:
        self.facts = QUESTION | facts

    def fact(self, name: str) -> str | int | bool:
        return self.facts[name]

    def label(self, name: str) -> str:
        return {"kubernetes/namespace": "default"}.get(name, "")


HOLD = [
    "type() == 'A'",
    "type() in ['A', 'AAAA']",
    "type() not in ['TXT']",
    "!(type() == 'TXT') && name() == 'www.example.org.'",
    "not do() and opcode() == 0",
    "false || true",
    "true or false and false",
    "incidr(client_ip(), '10.0.0.0/8')",
    "incidr(client_ip(), '::/0') == false",
    "incidr('::ffff:10.0.0.1', '10.0.0.0/8')",
    "name() matches '^www\\\\..*\\\\.org\\\\.$'",
    "name() matches `^www\\..*\\.org\\.$`",
    "name() not matches 'net'",
    "name() startsWith 'www.' && name() endsWith \"org.\" && name() contains 'example'",
    "hasPrefix(name(), 'www') and hasSuffix(name(), '.')",
    "metadata('kubernetes/namespace') == 'default'",
    "metadata('none') == ''",
    "size() in 1..64",
    "size() + 2 * 3 == 46",
    "10 - 2 - 3 == 5",
    "2 ** 3 ** 2 == 512",
    "-2 ** 2 == -4",
    "7 % 4 == 3",
    "0x28 == size() and 1_000 < bufsize()",
    "1 == 1.0",
    "upper(proto()) == 'UDP'",
    "len(split(name(), '.')) == 4",
    "split(name(), '.')[0] == 'www'",
    "split(name(), '.')[-2] == 'org'",
    "any(['net.', 'org.'], {name() endsWith #})",
    "none(['a', 'b'], # == type())",
    "one(['A', 'B'], # == type())",
    "all(split('a.a', '.'), {# == 'a'})",
    "do() ? false : true",
    "(true ? 'a' : 1) == 'a'",
    "'\\u0041' == type() and '\\x41' == \"A\" and 'it\\'s' == \"it's\"",
    "true // a comment",
    "nil == nil",
    "port() + ':' + server_port() == '4000:53'",
]
HOLD_NOT = [
    "type() == 'TXT'",
    "class() in []",
    "id() > 7",
    "incidr(name(), '10.0.0.0/8')",
    "!incidr(name(), '10.0.0.0/8')",
    "split(name(), '.')[9] == ''",
    "split(name(), '.')[9] != ''",
    "int(name()) == 1",
    "size() in 41..64",
    "server_ip() == client_ip()",
    "7 / 0 == 1",
]


@pytest.mark.parametrize("text", HOLD)
def test_a_condition_holds(text: str) -> None:
    assert Expression(text).holds(Known())


@pytest.mark.parametrize("text", HOLD_NOT)
def test_a_condition_does_not_hold_nor_does_one_with_a_fault(text: str) -> None:
    assert not Expression(text).holds(Known())


WRONG = [
    ("", 0, "found the end, expected a value"),
    ("type()", 0, "found a text, expected true or false"),
    ("type() == 1", 7, "found a text and a whole number around ==, expected the same"),
    ("type() = 'A'", 7, 'found "=", expected an operator or the end'),
    ("type", 0, 'found the name "type", expected a value: write "type()"'),
    ("nam() == 'a'", 0, 'found the function "nam"'),
    ("type(1) == 'A'", 0, "type: found 1 arguments, expected 0"),
    ("incidr(client_ip()) ", 0, "incidr: found 1 arguments, expected 2"),
    ("incidr(client_ip(), '10.0.0.0')", 20, 'found "10.0.0.0", expected a range of addresses such as 10.0.0.0/8'),
    ("name() matches '('", 15, "found no regular expression as Go has them"),
    (
        "name() matches '\\.'",
        16,
        'found "\\." in a text, expected an escape; a backslash in a pattern is written twice',
    ),
    ("type() == 'A", 10, "found a text without its closing quote, expected a value or an operator"),
    ("(true", 5, 'found the end, expected ")"'),
    ("true true", 5, 'found "true", expected an operator or the end'),
    ("true @ false", 5, 'found "@", expected a value or an operator'),
    ("size() in ['A']", 7, "found a whole number and a list of texts around in, expected the same"),
    ("# == 1", 0, 'found "#", expected a value'),
    ("let a = 1; true", 0, 'found the name "let", expected a value'),
    ("('a' ?? 'b') == 'a'", 5, 'found "??", expected ")"'),
    ("1..99999999 == 1", 1, "found a range of more than 65536 numbers"),
    ("99999999999999999999 == 1", 0, 'found "99999999999999999999", expected a whole number of 64 bits'),
    ("(" * (DEPTH_MAX + 1), DEPTH_MAX, f"found more than {DEPTH_MAX} expressions in each other"),
    ("true" + "&&true" * (OPERATORS_MAX + 1), 4 + 6 * OPERATORS_MAX, f"found more than {OPERATORS_MAX} operators"),
    (" " * (LENGTH_MAX + 1), LENGTH_MAX, f"found {LENGTH_MAX + 1} characters, expected at most {LENGTH_MAX}"),
]


@pytest.mark.parametrize(("text", "position", "message"), WRONG)
def test_what_is_wrong_is_said_with_its_place(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text)
    assert (caught.value.position, str(caught.value)[: len(message)]) == (position, message)


def test_the_longest_chain_of_operators_can_be_gone_through() -> None:
    assert Expression("true" + "&&true" * OPERATORS_MAX).holds(Known())


def test_an_expression_says_what_it_reads() -> None:
    expression = Expression("type() == 'A' && any(['10.0.0.0/8'], incidr(client_ip(), #)) || metadata('a/b') == ''")
    assert expression.reads == {"type", "client_ip", "metadata"}
    assert Expression("true").reads == frozenset()


KINDS = [
    ("type() == 'A'", ()),
    ("incidr(client_ip(), '10.0.0.0/8')", (True,)),
    ("incidr(client_ip(), '10.0.0.0/8') && type() == 'A'", (True,)),
    ("type() == 'A' ? incidr(client_ip(), '192.0.2.0/24') : client_ip() == '10.1.2.3'", (False, True)),
    ("client_ip() == name()", ("10.1.2.3",)),
    ("split(client_ip(), '.')[7] == name()", (None,)),
    ("any(['10.0.0.0/8'], incidr(client_ip(), #)) && do()", (True,)),
    ("any(['10.0.0.0/8'], incidr(client_ip(), #) && do())", ("10.1.2.3",)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_the_kind_of_a_client_is_what_its_address_decides(text: str, kind: tuple[object, ...]) -> None:
    assert Expression(text).kind(Known()) == kind


ATOMS = st.sampled_from(
    (
        *("incidr(client_ip(), '10.0.0.0/9')", "incidr(client_ip(), '10.128.0.0/9')", "client_ip() endsWith '.1'"),
        *("type() == 'A'", "name() startsWith client_ip()", "do()", "true"),
        "any(['10.1.0.0/16', '10.200.0.0/16'], {incidr(client_ip(), #) && type() == 'A'})",
    )
).map(lambda each: f"({each})")
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(("&&", "or", "==", "!=")), inner).map(lambda each: f"({' '.join(each)})"),
        inner.map(lambda each: f"!({each})"),
        st.tuples(inner, inner, inner).map(lambda each: f"({each[0]} ? {each[1]} : {each[2]})"),
    ),
    max_leaves=6,
)
ADDRESSES = st.sampled_from(("10.1.0.1", "10.1.0.2", "10.200.0.1", "10.200.0.2", "192.0.2.1", "fd00::1", "fd00::2"))


@given(CONDITIONS, ADDRESSES, ADDRESSES, st.sampled_from(("A", "TXT")), st.booleans())
def test_clients_of_one_kind_meet_the_same_conditions(text: str, one: str, other: str, qtype: str, do: bool) -> None:
    expression = Expression(text)
    first, second = (Known(client_ip=each, type=qtype, do=do) for each in (one, other))
    if expression.kind(first) == expression.kind(second):
        assert expression.holds(first) == expression.holds(second)


@given(st.text(alphabet="()[]{}'\"`\\!&|=<>.#,?:+-*/% 1aA\n") | st.text())
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    try:
        verdict: bool | int = Expression(text).holds(Known())
    except ExpressionError as error:
        verdict = error.position
    assert 0 <= verdict <= len(text)
