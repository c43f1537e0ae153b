"""The operations of expressions: what operators and functions make of values, as functions of a question.

Each checks the sorts of what it is given, and raises ExpressionError at its place; what only a question can tell raises when
it runs. Of every value is kept which facts decide it, and what of it the client's address alone decides: by that clients
can be sorted.
"""

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from kdns.config.patterns import Pattern, PatternError
from kdns.config.words import ExpressionError, Token

Sort: TypeAlias = Literal["text", "whole number", "number", "truth value", "list", "nothing", "value"]

# What is known of a question, and of which sort it is.
FACTS: Final[dict[str, Sort]] = {
    "bufsize": "whole number",
    "class": "text",
    "client_ip": "text",
    "do": "truth value",
    "id": "whole number",
    "name": "text",
    "opcode": "whole number",
    "port": "text",
    "proto": "text",
    "server_ip": "text",
    "server_port": "text",
    "size": "whole number",
    "type": "text",
}
CLIENT: Final = "client_ip"
LABELS: Final = "metadata"  # reads labels; in reads as a fact is
GROUP: Final = "group"  # reads what a pattern's group fits; as a fact it has the group's number or name behind it
VARIABLE: Final = "$"  # in front of a variable's name where that is a fact


class Facts(Protocol):
    """A question, as far as expressions ask."""

    def fact(self, name: str) -> object:
        """One of FACTS; where there are any, a variable ("$ip") or a group ("group:1")."""
        ...

    def label(self, name: str) -> str:
        """What a label of metadata says; empty if nothing."""
        ...


Run: TypeAlias = Callable[[Facts, Any], Any]  # of a question, and of the element that # stands for


class Node(NamedTuple):
    """Something with a value."""

    sort: Sort
    run: Run
    position: int
    reads: frozenset[str] = frozenset()
    parts: tuple[Run, ...] = ()  # what of it the client's address alone decides
    constant: Any = None
    elements: Sort = "value"  # of a list


_RANGE_MAX: Final = 65536  # elements
_COMPARED: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_OF_TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "contains": lambda text, part: part in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
_CALCULATED: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "**": math.pow,
}
NUMBERS: Final = frozenset(("whole number", "number"))


class _Function(NamedTuple):
    """A function of constants and facts: what it takes, what it gives."""

    takes: tuple[Sort, ...]
    gives: Sort
    run: Callable[..., Any]
    least: int = -1  # arguments, where some may be left out
    elements: Sort = "value"


def _trimmed(text: str, characters: str | None = None) -> str:
    return text.strip(characters)


FUNCTIONS: Final[dict[str, _Function]] = {
    "hasPrefix": _Function(("text", "text"), "truth value", str.startswith),
    "hasSuffix": _Function(("text", "text"), "truth value", str.endswith),
    "int": _Function(("value",), "whole number", int),
    "len": _Function(
        ("value",), "whole number", lambda value: len(value.encode() if isinstance(value, str) else value)
    ),
    "lower": _Function(("text",), "text", str.lower),
    "replace": _Function(("text", "text", "text"), "text", str.replace),
    "split": _Function(("text", "text"), "list", str.split, elements="text"),
    "trim": _Function(("text", "text"), "text", _trimmed, least=1),
    "trimPrefix": _Function(("text", "text"), "text", str.removeprefix),
    "trimSuffix": _Function(("text", "text"), "text", str.removesuffix),
    "upper": _Function(("text",), "text", str.upper),
}
OVER: Final[dict[str, Callable[[Iterable[bool]], bool]]] = {
    "all": all,
    "any": any,
    "none": lambda found: not any(found),
    "one": lambda found: sum(found) == 1,
}


def constant(sort: Sort, value: Any, position: int) -> Node:
    return Node(sort, lambda _facts, _item: value, position, constant=value)


def joined(sort: Sort, run: Run, position: int, children: Sequence[Node]) -> Node:
    """A node of others: what decides them decides it."""
    reads = frozenset[str]().union(*(child.reads for child in children))
    if reads == {CLIENT}:
        return Node(sort, run, position, reads, (run,))
    parts = dict.fromkeys(part for child in children for part in child.parts)
    if CLIENT in reads and "#" in reads:  # what is decided by address and element has no value without an element
        parts = {_client: None}
    return Node(sort, run, position, reads, tuple(parts))


def _client(facts: Facts, _item: Any) -> Any:
    return facts.fact(CLIENT)


def fact(token: Token) -> Node:
    name = token.text

    def run(facts: Facts, _item: Any) -> Any:
        return facts.fact(name)

    return Node(FACTS[name], run, token.position, frozenset((name,)), (run,) if name == CLIENT else ())


def label(token: Token, label: Node) -> Node:
    check(label, "text")

    def run(facts: Facts, item: Any) -> str:
        return facts.label(label.run(facts, item))

    node = joined("text", run, token.position, (label,))
    return node._replace(reads=node.reads | {LABELS}, parts=label.parts)


def variable(token: Token) -> Node:
    """A value that was given a name before."""
    name = VARIABLE + token.text
    return Node("value", lambda facts, _item: facts.fact(name), token.position, frozenset((name,)))


def group(token: Token, key: Node) -> Node:
    """What a group of the pattern fits, by its number or name; empty where there is none."""
    check(key, "text", "whole number")

    def run(facts: Facts, item: Any) -> Any:
        return facts.fact(f"{GROUP}:{key.run(facts, item)}")

    node = joined("text", run, token.position, (key,))
    return node._replace(reads=node.reads | {GROUP}, parts=key.parts)


def in_range(token: Token, address: Node, network: Node) -> Node:
    check(address, "text")
    check(network, "text")
    if network.reads:

        def run(facts: Facts, item: Any) -> bool:
            return _is_in(address.run(facts, item), _network(network.run(facts, item)))

        return joined("truth value", run, token.position, (address, network))
    try:
        known = _network(network.constant)
    except ValueError:
        message = f'found "{network.constant}", expected a range of addresses such as 10.0.0.0/8'
        raise ExpressionError(message, network.position) from None
    return joined(
        "truth value", lambda facts, item: _is_in(address.run(facts, item), known), token.position, (address,)
    )


def _network(text: str) -> IPv4Network | IPv6Network:
    if "/" not in text or "%" in text:
        raise ValueError(text)
    return ip_network(text, strict=False)


def _is_in(text: str, network: IPv4Network | IPv6Network) -> bool:
    if "%" in text:
        raise ValueError(text)
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address in network


def called(token: Token, arguments: Sequence[Node]) -> Node:
    function = FUNCTIONS[token.text]
    count(token, arguments, len(function.takes) if function.least < 0 else function.least, len(function.takes))
    for argument, sort in zip(arguments, function.takes, strict=False):
        if sort != "value":
            check(argument, sort)
    call, runs = function.run, tuple(each.run for each in arguments)

    def run(facts: Facts, item: Any) -> Any:
        return call(*(each(facts, item) for each in runs))

    return joined(function.gives, run, token.position, arguments)._replace(elements=function.elements)


def count(token: Token, arguments: Sequence[Node], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        raise ExpressionError(f"{token.text}: found {len(arguments)} arguments, expected {expected}", token.position)


def element(found: Node, index: Node, position: int) -> Node:
    return joined(
        found.elements, lambda facts, item: found.run(facts, item)[index.run(facts, item)], position, (found, index)
    )


def negation(inner: Node, position: int) -> Node:
    check(inner, "truth value")

    def run(facts: Facts, item: Any) -> bool:
        value = inner.run(facts, item)
        if not isinstance(value, bool):
            raise TypeError(value)
        return not value

    return joined("truth value", run, position, (inner,))


def check(node: Node, *sorts: str) -> Node:
    if node.sort != "value" and node.sort not in sorts:
        raise ExpressionError(f"found a {node.sort}, expected a {' or '.join(sorted(sorts))}", node.position)
    return node


def alike(one: Sort, other: Sort) -> bool:
    return one == other or "value" in {one, other} or "nothing" in {one, other} or {one, other} <= NUMBERS


def binary(name: str, position: int, left: Node, right: Node) -> Node:
    """What an operator makes of both sides."""
    if name in {"and", "or"}:
        return _logic(name, position, left, right)
    if name in {"==", "!="}:
        if not alike(left.sort, right.sort):
            raise ExpressionError(f"found a {left.sort} and a {right.sort} around {name}, expected the same", position)
        return _apply(operator.eq if name == "==" else operator.ne, "truth value", position, left, right)
    if name in _COMPARED:
        check(left, "text", *NUMBERS)
        check(right, "text", *NUMBERS)
        if not alike(left.sort, right.sort):
            raise ExpressionError(f"found a {left.sort} and a {right.sort} around {name}, expected the same", position)
        return _apply(_COMPARED[name], "truth value", position, left, right)
    if name == "in":
        return _membership(position, left, right)
    if name == "matches":
        return _match(position, left, right)
    if name in _OF_TEXTS:
        return _apply(_OF_TEXTS[name], "truth value", position, check(left, "text"), check(right, "text"))
    if name == "..":
        return _range(position, left, right)
    return _calculation(name, position, left, right)


def _apply(function: Callable[[Any, Any], Any], sort: Sort, position: int, left: Node, right: Node) -> Node:
    first, second = left.run, right.run
    return joined(sort, lambda facts, item: function(first(facts, item), second(facts, item)), position, (left, right))


def _logic(name: str, position: int, left: Node, right: Node) -> Node:
    first, second = check(left, "truth value").run, check(right, "truth value").run
    if name == "and":
        return joined(
            "truth value", lambda facts, item: first(facts, item) and second(facts, item), position, (left, right)
        )
    return joined("truth value", lambda facts, item: first(facts, item) or second(facts, item), position, (left, right))


def _membership(position: int, left: Node, right: Node) -> Node:
    check(right, "list")
    if right.sort == "list" and not alike(left.sort, right.elements):
        message = f"found a {left.sort} and a list of {right.elements}s around in, expected the same"
        raise ExpressionError(message, position)
    if right.constant is not None:
        first, known = left.run, right.constant
        return joined("truth value", lambda facts, item: first(facts, item) in known, position, (left,))
    return _apply(lambda value, found: value in found, "truth value", position, left, right)


def _match(position: int, left: Node, right: Node) -> Node:
    check(left, "text")
    check(right, "text")
    if right.reads or right.constant is None:
        raise ExpressionError("found a pattern that differs from question to question, expected a text", right.position)
    try:
        pattern = Pattern.compiled(right.constant)
    except PatternError as error:
        raise ExpressionError(f"found no regular expression as Go has them ({error})", right.position) from error
    first = left.run
    return joined("truth value", lambda facts, item: pattern.search(first(facts, item)) is not None, position, (left,))


def _range(position: int, left: Node, right: Node) -> Node:
    check(left, "whole number")
    check(right, "whole number")
    if left.constant is None or right.constant is None:
        raise ExpressionError("found a range that differs from question to question, expected numbers", position)
    if right.constant - left.constant >= _RANGE_MAX:
        raise ExpressionError(f"found a range of more than {_RANGE_MAX} numbers", position)
    numbers = range(left.constant, right.constant + 1)
    return constant("list", numbers, position)._replace(elements="whole number")


def _calculation(name: str, position: int, left: Node, right: Node) -> Node:
    if name == "+" and "text" in {left.sort, right.sort}:
        return _apply(operator.add, "text", position, check(left, "text"), check(right, "text"))
    check(left, *NUMBERS)
    check(right, *NUMBERS)
    if name == "%":
        check(left, "whole number")
        check(right, "whole number")
        return _apply(lambda a, b: int(math.fmod(a, b)), "whole number", position, left, right)
    whole = {left.sort, right.sort} == {"whole number"} and name in {"+", "-", "*"}
    return _apply(_CALCULATED[name], "whole number" if whole else "number", position, left, right)
