r"""Expressions: conditions that a question meets or doesn't, in a part of the language expr-lang, which CoreDNS uses.

    type() in ['A', 'AAAA'] && (incidr(client_ip(), '10.0.0.0/8') || name() matches '\\.internal\\.$')

An expression is read once into functions; nothing of it is ever given to Python's own evaluation. Types are checked while
reading, so what couldn't hold for any question is an error with its place, and not a condition that never holds.
What goes wrong only with a question at hand (an index past the end) means that the condition doesn't hold, as in CoreDNS.

Order of operators, loosest first: ?: , or ||, and &&, comparisons and in matches contains startsWith endsWith (also behind
not), .., + -, not !, * / %, the signs, ** ^. Source: expr-lang 1.17, docs/language-definition.md; CoreDNS, plugin/view.
"""

from typing import Any, Final, NoReturn

from kdns.config.operations import (
    CLIENT,
    FACTS,
    FUNCTIONS,
    GROUP,
    LABELS,
    NUMBERS,
    OVER,
    Facts,
    Node,
    Run,
    Sort,
    binary,
    called,
    check,
    constant,
    count,
    element,
    fact,
    group,
    in_range,
    joined,
    label,
    negation,
    variable,
)
from kdns.config.words import SUFFIXES, ExpressionError, Token, tokens

LENGTH_MAX: Final = 10_000  # characters
DEPTH_MAX: Final = 50  # of parentheses and the like
OPERATORS_MAX: Final = 300


# What no variable may be called.
RESERVED: Final = frozenset(
    (*FACTS, *FUNCTIONS, *OVER, *SUFFIXES, "incidr", LABELS, GROUP, "true", "false", "nil", "and", "or", "not")
)


class Expression:
    """A condition, or where named is set also any value. Immutable; equal to any other of the same text."""

    __slots__ = ("_parts", "_run", "reads", "text")

    def __init__(self, text: str, *, named: bool = False, condition: bool = True) -> None:
        """With named, there are variables, and groups of a pattern. Raises ExpressionError."""
        found = _Reading(text, named=named).whole(condition=condition)
        self.text: Final = text
        self.reads: Final = found.reads  # the facts that decide, and LABELS
        self._run: Final = found.run
        self._parts: Final = found.parts

    def holds(self, facts: Facts) -> bool:
        """Whether the question meets the condition."""
        try:
            return self._run(facts, None) is True
        except _UNFIT:
            return False

    def value(self, facts: Facts) -> object:
        """What it says of the question. Raises ValueError where that isn't anything."""
        try:
            return self._run(facts, None)
        except _UNFIT as error:
            raise ValueError(f"{self.text}: {error}") from error

    def kind(self, facts: Facts) -> tuple[object, ...]:
        """All that the client's address decides: two clients of equal kinds meet the condition with the same questions.

        Of the facts it asks for client_ip alone.
        """
        return tuple(_settled(part, facts) for part in self._parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


_UNFIT: Final = (ArithmeticError, LookupError, TypeError, ValueError)


def _settled(run: Run, facts: Facts) -> object:
    try:
        value = run(facts, None)
    except _UNFIT:
        return None
    return tuple(value) if isinstance(value, list) else value


_LEVELS: Final = {
    **dict.fromkeys(("or", "||"), 10),
    **dict.fromkeys(("and", "&&"), 15),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">=", *SUFFIXES), 20),
    "..": 25,
    **dict.fromkeys(("+", "-"), 30),
    **dict.fromkeys(("*", "/", "%"), 60),
    **dict.fromkeys(("**", "^"), 100),
}
_NOT_LEVEL: Final = 50
_SIGN_LEVEL: Final = 90

_SAME: Final[dict[str, str]] = {"||": "or", "&&": "and", "^": "**"}


class _Reading:
    """A text on its way to functions."""

    def __init__(self, text: str, *, named: bool) -> None:
        self._named = named
        if len(text) > LENGTH_MAX:
            raise ExpressionError(f"found {len(text)} characters, expected at most {LENGTH_MAX}", LENGTH_MAX)
        self._tokens = tuple(tokens(text))
        self._at = 0
        self._depth = self._operators = 0
        self._elements: list[Sort] = []  # of the lists that are gone over

    def whole(self, *, condition: bool) -> Node:
        node = self._expression()
        if self._token.sort != "end":
            self._unexpected("an operator or the end")
        if condition and node.sort not in {"truth value", "value"}:
            raise ExpressionError(f"found a {node.sort}, expected true or false", node.position)
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._token
        self._at += token.sort != "end"
        return token

    def _is(self, *marks: str) -> bool:
        return self._token.sort in {"mark", "operator"} and self._token.text in marks

    def _expect(self, mark: str) -> None:
        if not self._is(mark):
            self._unexpected(f'"{mark}"')
        self._next()

    def _unexpected(self, expected: str) -> NoReturn:
        token = self._token
        found = f'"{token.text}"' if token.sort != "end" else "the end"
        raise ExpressionError(f"found {found}, expected {expected}", token.position)

    def _expression(self, level: int = 0) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ExpressionError(f"found more than {DEPTH_MAX} expressions in each other", self._token.position)
        left = self._unary()
        while True:
            negated = self._is("not")
            token = self._tokens[self._at + 1] if negated else self._token
            its_level = _LEVELS.get(token.text, -1) if token.sort in {"mark", "operator"} else -1
            if its_level < level or (negated and token.text not in SUFFIXES):
                break
            self._operators += 1
            if self._operators > OPERATORS_MAX:
                raise ExpressionError(f"found more than {OPERATORS_MAX} operators", token.position)
            self._at += 1 + negated
            name = _SAME.get(token.text, token.text)
            right = self._expression(its_level if name == "**" else its_level + 1)
            left = binary(name, token.position, left, right)
            if negated:
                left = negation(left, token.position)
        if level == 0:
            left = self._choice(left)
        self._depth -= 1
        return left

    def _choice(self, condition: Node) -> Node:
        if not self._is("?"):
            return condition
        check(condition, "truth value")
        self._next()
        yes = self._expression()
        self._expect(":")
        no = self._expression()

        def run(facts: Facts, item: Any) -> Any:
            return yes.run(facts, item) if condition.run(facts, item) else no.run(facts, item)

        sort: Sort = yes.sort if yes.sort == no.sort else "value"
        return joined(sort, run, condition.position, (condition, yes, no))

    def _unary(self) -> Node:
        token = self._token
        if self._is("not", "!"):
            self._next()
            return negation(self._expression(_NOT_LEVEL), token.position)
        if self._is("-", "+"):
            self._next()
            inner = check(self._expression(_SIGN_LEVEL), *NUMBERS)
            if token.text == "+":
                return inner
            return joined(inner.sort, lambda facts, item: -inner.run(facts, item), token.position, (inner,))
        return self._indexed(self._primary())

    def _indexed(self, node: Node) -> Node:
        while self._is("["):
            position = self._next().position
            check(node, "list")
            index = check(self._expression(), "whole number")
            self._expect("]")
            node = element(node, index, position)
        return node

    def _primary(self) -> Node:
        token = self._next()
        if token.sort == "text":
            return constant("text", token.value, token.position)
        if token.sort == "number":
            return constant("number" if isinstance(token.value, float) else "whole number", token.value, token.position)
        if token.sort == "word":
            return self._word(token)
        if token.sort == "mark":
            if token.text == "(":
                inner = self._expression()
                self._expect(")")
                return inner
            if token.text == "[":
                return self._list(token)
            if token.text == "#" and self._elements:
                return Node(self._elements[-1], lambda _facts, item: item, token.position, frozenset("#"))
        self._at -= token.sort != "end"
        return self._unexpected("a value")

    def _word(self, token: Token) -> Node:
        if token.text in {"true", "false"}:
            return constant("truth value", token.text == "true", token.position)
        if token.text == "nil":
            return constant("nothing", None, token.position)
        if self._named and token.text not in RESERVED and not self._is("("):
            return variable(token)
        if not self._is("("):
            call = f': write "{token.text}()"' if token.text in FACTS else ""
            raise ExpressionError(f'found the name "{token.text}", expected a value{call}', token.position)
        self._next()
        if token.text in OVER:
            return self._over(token)
        arguments = self._listed(")")
        if token.text in FACTS:
            count(token, arguments, 0, 0)
            return fact(token)
        if token.text == "incidr":
            count(token, arguments, 2, 2)
            return in_range(token, *arguments)
        if token.text == LABELS:
            count(token, arguments, 1, 1)
            return label(token, arguments[0])
        if token.text == GROUP and self._named:
            count(token, arguments, 1, 1)
            return group(token, arguments[0])
        if token.text not in FUNCTIONS:
            known = ", ".join(sorted((*FACTS, *FUNCTIONS, *OVER, "incidr", LABELS)))
            raise ExpressionError(f'found the function "{token.text}", expected one of {known}', token.position)
        return called(token, arguments)

    def _over(self, token: Token) -> Node:
        """any, all, none and one: of a list and of a condition, in which # is an element."""
        found = check(self._expression(), "list")
        self._expect(",")
        braced = self._is("{")
        self._at += braced
        self._elements.append(found.elements)
        body = check(self._expression(), "truth value")
        self._elements.pop()
        if braced:
            self._expect("}")
        self._expect(")")
        join = OVER[token.text]

        def run(facts: Facts, item: Any) -> bool:
            return join(body.run(facts, each) for each in found.run(facts, item))

        node = joined("truth value", run, token.position, (found, body))
        reads = found.reads | (body.reads - {"#"})
        parts = (run,) if reads == {CLIENT} else node.parts
        return node._replace(reads=reads, parts=parts)

    def _list(self, token: Token) -> Node:
        elements = self._listed("]")
        sorts = {each.sort for each in elements}
        sort: Sort = sorts.pop() if len(sorts) == 1 else "value"
        runs = tuple(each.run for each in elements)
        if all(each.constant is not None or each.sort == "nothing" for each in elements):
            values = [each.constant for each in elements]
            return constant("list", values, token.position)._replace(elements=sort)

        def run(facts: Facts, item: Any) -> list[Any]:
            return [each(facts, item) for each in runs]

        return joined("list", run, token.position, elements)._replace(elements=sort)

    def _listed(self, end: str) -> list[Node]:
        """Expressions with commas between, up to the mark."""
        found: list[Node] = []
        while not self._is(end):
            found.append(self._expression())
            if not self._is(end):
                self._expect(",")
        self._next()
        return found
