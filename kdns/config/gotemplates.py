r"""Go templates, as far as records are written by them: text, and actions between {{ and }}.

An action is a pipeline, which stands for a text, or if, else and end; comments and the marks that trim white space are
read, too. A template is read once, with its settings: what isn't known here is an error there. It is filled per question;
what can't be filled then raises FillError, and nothing else. Neither loops nor variables are known, so a template takes
no longer than it is.
Source: the documentation of Go's text/template.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, NoReturn, TypeAlias

from kdns.config.gofunctions import FUNCTIONS, FillError, Value, check_form, is_true, shown

Scope: TypeAlias = Mapping[str, Value]
Expression: TypeAlias = Callable[[Scope], Value]
Node: TypeAlias = str | Expression
Fields: TypeAlias = Mapping[str, "Fields | None"]  # the fields that there are; None for what has any or none

DEPTH_MAX: Final = 20  # of parentheses, and of ifs
LENGTH_MAX: Final = 65535  # characters of what comes of a template

_QUESTION: Final[Fields] = dict.fromkeys(("Name", "Qtype", "Qclass"))
FIELDS: Final[Fields] = {
    **dict.fromkeys(("Zone", "Name", "Class", "Type", "Regex", "Remote", "Match", "Group", "Var", "Meta")),
    "Question": _QUESTION,
    "Message": dict.fromkeys(
        ("Id", "Response", "Opcode", "RecursionDesired", "AuthenticatedData", "CheckingDisabled", "Question")
    ),
}

_ACTION: Final = (
    r"\{\{(?:- )?(?P<comment>\s*/\*.*?\*/)?(?P<inside>(?:\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`|(?!\}\})[^\"`])*?)(?: -)?\}\}"
)
_LEXEME: Final = (
    r"(?P<space>\s+)|(?P<text>\"(?:[^\"\\\n]|\\.)*\")|(?P<raw>`[^`]*`)|(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+))"
    r"|(?P<field>(?:\.[A-Za-z_][A-Za-z0-9_]*)+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<mark>[()|])"
)


class TemplateError(ValueError):
    """A text that is no template as known here; the message says what was found and expected."""


class Template(NamedTuple):
    """A template that has been read."""

    nodes: tuple[Node, ...]
    fields: frozenset[str]  # those of the data that it looks at, as in "Group.a"

    @property
    def fixed(self) -> str | None:
        """What always comes of it, None if that depends on the question."""
        return "".join(map(str, self.nodes)) if all(isinstance(node, str) for node in self.nodes) else None

    def fill(self, scope: Scope) -> str:
        """What comes of it for a question. Raises FillError."""
        text = "".join(node if isinstance(node, str) else shown(node(scope)) for node in self.nodes)
        if len(text) > LENGTH_MAX:
            raise FillError(f"{len(text)} characters, expected {LENGTH_MAX} at the most")
        return text


def read(text: str) -> Template:
    """The template that a text is. Raises TemplateError."""
    parser = _Parser(text)
    nodes = parser.nodes(0, ())
    return Template(nodes, frozenset(parser.fields))


class _Action(NamedTuple):
    """What stands between braces, and at which character."""

    inside: str
    at: int


class _Parser:
    """A template's parts, read from the first to the last."""

    def __init__(self, text: str) -> None:
        self.fields: set[str] = set()
        self._parts = _split(text)
        self._next = 0
        self._ended = _Action("", 0)  # what ended the nodes read last

    def nodes(self, depth: int, until: Sequence[str]) -> tuple[Node, ...]:
        """What comes up to one of the words, or to the end where there are none."""
        found: list[Node] = []
        while self._next < len(self._parts):
            part = self._parts[self._next]
            self._next += 1
            if isinstance(part, str):
                found.append(part)
                continue
            word = part.inside.split(maxsplit=1)[0] if part.inside.strip() else ""
            if word in until:
                self._ended = part
                return tuple(found)
            found.append(self._condition(part, depth) if word == "if" else self._pipeline(part, part.inside))
        if until:
            raise TemplateError("found the end of the template, expected {{ end }}")
        return tuple(found)

    def _condition(self, part: _Action, depth: int) -> Expression:
        if depth >= DEPTH_MAX:
            _fail("if", part, f"at most {DEPTH_MAX} within each other")
        test = self._pipeline(part, part.inside.split(maxsplit=1)[1] if part.inside.strip() != "if" else "")
        then = self.nodes(depth + 1, ("else", "end"))
        other: tuple[Node, ...] = ()
        end = self._ended
        ended = end.inside.split(maxsplit=1)
        if ended[0] == "else" and len(ended) > 1:
            if ended[1].split(maxsplit=1)[0] != "if":
                _fail(end.inside.strip(), end, "else, or else if")
            other = (self._condition(_Action(ended[1], end.at), depth + 1),)
        elif ended[0] == "else":
            other = self.nodes(depth + 1, ("end",))

        def choose(scope: Scope) -> Value:
            return Template(then if is_true(test(scope)) else other, frozenset()).fill(scope)

        return choose

    def _pipeline(self, part: _Action, inside: str) -> Expression:
        tokens = _tokens(part, inside)
        pipeline, position = self._commands(part, tokens, 0, 0)
        if position < len(tokens):
            _fail(tokens[position].text, part, "the end of the action")
        return pipeline

    def _commands(self, part: _Action, tokens: Sequence["_Token"], position: int, depth: int) -> tuple[Expression, int]:
        """A pipeline: commands with | between, each of which gets what the one before it gives."""
        if depth > DEPTH_MAX:
            _fail("(", part, f"at most {DEPTH_MAX} within each other")
        given: Expression | None = None
        while True:
            operands: list[Expression] = []
            function: str | None = None
            while position < len(tokens) and tokens[position].text not in {"|", ")"}:
                token = tokens[position]
                if token.kind == "word" and token.text not in {"true", "false"}:
                    if operands or function:
                        _fail(token.text, part, "a value")
                    function = token.text
                    position += 1
                    continue
                operand, position = self._operand(part, tokens, position, depth)
                operands.append(operand)
            given = _command(part, function, operands, given)
            if position < len(tokens) and tokens[position].text == "|":
                position += 1
                continue
            return given, position

    def _operand(self, part: _Action, tokens: Sequence["_Token"], position: int, depth: int) -> tuple[Expression, int]:
        token = tokens[position]
        if token.kind == "field":
            return self._field(part, token.text[1:].split(".")), position + 1
        if token.text != "(":
            return _Constant(_literal(part, token)), position + 1
        inner, position = self._commands(part, tokens, position + 1, depth + 1)
        if position >= len(tokens) or tokens[position].text != ")":
            _fail("the end of the action", part, "a closing parenthesis")
        position += 1
        if position < len(tokens) and tokens[position].kind == "field":
            inner = _looked_up(inner, tokens[position].text[1:].split("."))
            position += 1
        return inner, position

    def _field(self, part: _Action, path: Sequence[str]) -> Expression:
        known: Fields | None = FIELDS
        for name in path:
            if known is not None and name not in known:
                _fail(f".{'.'.join(path)}", part, f"one of {', '.join(f'.{each}' for each in known)}")
            known = None if known is None else known[name]
        self.fields.add(".".join(path))
        first, rest = path[0], path[1:]
        return _looked_up(lambda scope: scope[first], rest)


class _Constant:
    """The expression of a value that is written down."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __call__(self, _scope: Scope) -> Value:
        return self.value


class _Token(NamedTuple):
    kind: str
    text: str


def _fail(found: str, part: _Action, expected: str) -> NoReturn:
    raise TemplateError(f"found {found} in the action at character {part.at + 1}, expected {expected}")


def _split(text: str) -> list[str | _Action]:
    """Texts and actions, white space trimmed where the braces say so."""
    action = re.compile(_ACTION, re.DOTALL)
    parts: list[str | _Action] = []
    position, trim = 0, False
    while (start := text.find("{{", position)) >= 0:
        match = action.match(text, start)
        if match is None:
            raise TemplateError(f"found {{{{ at character {start + 1} without }}}} behind it")
        before = text[position:start].lstrip() if trim else text[position:start]
        parts.append(before.rstrip() if match.group().startswith("{{- ") else before)
        if not match["comment"] or match["inside"].strip():
            parts.append(_Action(match["inside"], start))
        trim = match.group().endswith(" -}}")
        position = match.end()
    parts.append(text[position:].lstrip() if trim else text[position:])
    return [part for part in parts if part != ""]


def _tokens(part: _Action, inside: str) -> list[_Token]:
    token = re.compile(_LEXEME, re.DOTALL)
    tokens: list[_Token] = []
    position = 0
    while position < len(inside):
        match = token.match(inside, position)
        if match is None or match.lastgroup is None:
            _fail(
                inside[position : position + 20].strip(), part, "a field such as .Name, a text, a number or a function"
            )
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup, match.group()))
        position = match.end()
    return tokens


_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _literal(part: _Action, token: _Token) -> Value:
    if token.kind == "raw":
        return token.text[1:-1]
    if token.kind == "number":
        try:
            return int(token.text, 0)
        except ValueError:
            _fail(token.text[:20], part, "a number")
    if token.kind == "word":
        return token.text == "true"
    if token.kind != "text":
        _fail(token.text, part, "a value")

    def escaped(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            _fail(match[0], part, "an escape such as \\n")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", escaped, token.text[1:-1])


def _looked_up(inner: Expression, path: Sequence[str]) -> Expression:
    """The field of a field of a value."""
    if not path:
        return inner

    def look(scope: Scope) -> Value:
        value = inner(scope)
        for name in path:
            if not isinstance(value, Mapping):
                raise FillError(f"found no .{name} in {shown(value)!r}")
            value = value.get(name)
        return value

    return look


def _command(
    part: _Action, function: str | None, operands: Sequence[Expression], given: Expression | None
) -> Expression:
    """A value, or a function of values; what was given by the command before comes last."""
    arguments = [*operands, *([given] if given is not None else [])]
    if function is None:
        if not operands:
            _fail("no value", part, "one")
        if len(arguments) == 1:
            return arguments[0]
        return _called(arguments)
    known = FUNCTIONS.get(function)
    if known is None:
        _fail(function, part, f"a function: {', '.join(sorted(FUNCTIONS))}; or if, else, end")
    if not known.least <= len(arguments) <= known.most:
        _fail(f"{len(arguments)} values for {function}", part, known.usage)
    if function == "printf" and isinstance(arguments[0], _Constant):
        try:
            check_form(arguments[0].value)
        except FillError as error:
            raise TemplateError(f"{error} in the action at character {part.at + 1}") from error
    apply = known.apply
    return lambda scope: apply([argument(scope) for argument in arguments])


def _called(arguments: Sequence[Expression]) -> Expression:
    """A method, as .Meta is, of one text."""

    def call(scope: Scope) -> Value:
        method, *values = [argument(scope) for argument in arguments]
        if not callable(method) or len(values) != 1 or not isinstance(values[0], str):
            raise FillError("found values behind what is no function of a text")
        return method(values[0])

    return call
