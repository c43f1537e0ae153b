"""Forms: how a line may be written, as the text that also stands in the documents.

    success CAPACITY [TTL [MINTTL]]
    forward FROM TO...
    ACTION [type TYPE... | net NET...]...

Words in lower case stand for themselves, words in upper case (variables) for a token that their kind reads; [ ] may be
left out, ( ) groups, | separates alternatives, ... repeats what it follows, once at least. A form becomes a program of a
few instructions, run over the tokens with the alternatives tried in the order in which they are written. No pair of
instruction and token is tried twice, so the time is the product of their numbers at the most, whatever the tokens are.
Says how far it came where nothing fits. Knows neither kinds of values nor directives.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, Literal, NamedTuple, TypeAlias

from kdns.config.syntax import Token

Operation: TypeAlias = Literal["word", "variable", "fork", "end"]


class Instruction(NamedTuple):
    """A word or variable, and the instruction behind it; or a fork to two, the first tried first."""

    operation: Operation
    text: str = ""
    then: int = 0
    other: int = 0


class Bound(NamedTuple):
    """A token, the word or variable of the form that it stands for, and its value; None for a word."""

    name: str
    token: Token
    value: object


class Misfit(NamedTuple):
    """How far tokens fit: those before position do; expected is what could stand there, none if nothing could."""

    position: int
    expected: tuple[str, ...]
    why: str = ""  # what the reader of the only variable expected said of the token
    may_end: bool = False  # whether the line could end there


class UnfitError(ValueError):
    """A token isn't of a kind; the message says what is expected, or is empty where the kind's own words do."""


Reader: TypeAlias = Callable[[Token], object]  # raises UnfitError


class Form:
    """A form by its text; see the module for how it is written. Read when it is used first."""

    __slots__ = ("any_case", "text")

    def __init__(self, text: str, *, any_case: bool = False) -> None:
        self.text = text
        self.any_case = any_case  # whether words may be in upper case, too

    def __repr__(self) -> str:
        return f"Form({self.text!r})"

    @property
    def words(self) -> tuple[str, ...]:
        """Its words, each once, in order."""
        return tuple(dict.fromkeys(each for each in _split(self.text) if each not in _MARKS and not _is_variable(each)))

    @property
    def variables(self) -> tuple[str, ...]:
        """Its variables, each once, in order."""
        return tuple(dict.fromkeys(each for each in _split(self.text) if _is_variable(each)))

    @property
    def name(self) -> str:
        """The first word, by which a line of the form is found; empty where a variable is first."""
        first = self.text.split(maxsplit=1)[0]
        return "" if _is_variable(first.strip("[(.")) else first

    def match(self, tokens: Sequence[Token], readers: Mapping[str, Reader]) -> tuple[Bound, ...] | Misfit:
        """The tokens bound to words and variables, or how far they fit. Readers are those of the variables."""
        return _Run(self, tokens, readers).result()

    def written(self, texts: Mapping[str, Sequence[str]]) -> list[str]:
        """A line of the form that says these texts; empty where one is missing that it can't be without.

        Texts are by variable, and by those words that say something by being there: none where they aren't.
        """
        node, _ = _alternatives(_split(self.text), 0)
        return _written(node, texts) or []

    def examples(self, values: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
        """Lines of the form with these values for its variables: the shortest and the longest without repetition."""
        return tuple(dict.fromkeys(_walk(program(self.text), values, longest=longest) for longest in (False, True)))


class _Run:
    """One match: threads of instruction, position and what was bound so far, the last one opened tried first."""

    def __init__(self, form: Form, tokens: Sequence[Token], readers: Mapping[str, Reader]) -> None:
        self.start, self.code = program(form.text)
        self.any_case = form.any_case
        self.tokens = tokens
        self.readers = readers
        self.values: dict[tuple[str, int], object] = {}
        self.furthest = 0
        self.expected: dict[str, str] = {}

    def result(self) -> tuple[Bound, ...] | Misfit:
        tried: set[tuple[int, int]] = set()
        threads: list[tuple[int, int, _Chain | None]] = [(self.start, 0, None)]
        while threads:
            at, position, bound = threads.pop()
            if (at, position) in tried:
                continue
            tried.add((at, position))
            step = self.code[at]
            if step.operation == "fork":
                threads += ((step.other, position, bound), (step.then, position, bound))
            elif step.operation == "end":
                if position == len(self.tokens):
                    return _bindings(bound)
                self._missed(position, "")
            elif fitting := self._bind(step, position):
                threads.append((step.then, position + 1, _Chain(fitting, bound)))
        expected = tuple(filter(None, self.expected))
        why = self.expected[expected[0]] if len(expected) == 1 else ""
        return Misfit(self.furthest, expected, why, may_end="" in self.expected)

    def _bind(self, step: Instruction, position: int) -> Bound | None:
        """The token at position as what the instruction asks for, or None if it isn't."""
        if position == len(self.tokens):
            self._missed(position, step.text)
            return None
        token = self.tokens[position]
        if step.operation == "word":
            if step.text == (token.text.lower() if self.any_case else token.text):
                return Bound(step.text, token, None)
            self._missed(position, step.text)
            return None
        key = (step.text, position)
        try:
            if key not in self.values:
                self.values[key] = self.readers[step.text](token)
        except UnfitError as error:
            self._missed(position, step.text, str(error))
            return None
        return Bound(step.text, token, self.values[key])

    def _missed(self, position: int, expected: str, why: str = "") -> None:
        if position > self.furthest:
            self.furthest = position
            self.expected.clear()
        if position == self.furthest:
            self.expected.setdefault(expected, why)


class _Chain(NamedTuple):
    bound: Bound
    before: "_Chain | None"


def _bindings(chain: _Chain | None) -> tuple[Bound, ...]:
    found: list[Bound] = []
    while chain is not None:
        found.append(chain.bound)
        chain = chain.before
    return tuple(reversed(found))


# From text to instructions. They are made from the last one back, since each names the one behind it.

_MARKS: Final = ("...", "[", "]", "(", ")", "|")


class _Node(NamedTuple):
    """A part of a form: a word or variable, or a sequence, an alternative, a repetition or an option of parts."""

    sort: Literal["atom", "all", "one", "repeat", "maybe"]
    text: str = ""
    parts: tuple["_Node", ...] = ()


class Program(NamedTuple):
    """Instructions, and which of them is run first."""

    start: int
    code: tuple[Instruction, ...]


@cache
def program(text: str) -> Program:
    """The program of a form. Raises ValueError for a text that is no form."""
    words = _split(text)
    node, position = _alternatives(words, 0)
    if position != len(words):
        raise ValueError(f"form {text!r}: found {words[position]!r} without its opening mark")
    code: list[Instruction] = [Instruction("end")]
    start = _emit(node, code, 0)
    return Program(start, tuple(code))


def _split(text: str) -> list[str]:
    for mark in _MARKS:
        text = text.replace(mark, f" {mark} ")
    return text.split()


def _is_variable(word: str) -> bool:
    return word.isupper()


def _alternatives(words: list[str], position: int) -> tuple[_Node, int]:
    found: list[_Node] = []
    while True:
        node, position = _sequence(words, position)
        found.append(node)
        if position == len(words) or words[position] != "|":
            return (found[0] if len(found) == 1 else _Node("one", parts=tuple(found))), position
        position += 1


def _sequence(words: list[str], position: int) -> tuple[_Node, int]:
    parts: list[_Node] = []
    while position < len(words) and words[position] not in {"|", "]", ")"}:
        word = words[position]
        if word == "...":
            parts[-1] = _Node("repeat", parts=(parts[-1],))
        elif word in {"[", "("}:
            node, position = _alternatives(words, position + 1)
            if position == len(words) or words[position] != {"[": "]", "(": ")"}[word]:
                raise ValueError(f"form {' '.join(words)!r}: found {word!r} without its closing mark")
            parts.append(_Node("maybe", parts=(node,)) if word == "[" else node)
        else:
            parts.append(_Node("atom", word))
        position += 1
    return _Node("all", parts=tuple(parts)), position


def _emit(node: _Node, code: list[Instruction], then: int) -> int:
    """Adds a part's instructions, which go on at then; returns where the part begins."""
    match node.sort:
        case "all":
            for part in reversed(node.parts):
                then = _emit(part, code, then)
            return then
        case "one":
            starts = [_emit(part, code, then) for part in node.parts]
            first = starts[-1]
            for start in reversed(starts[:-1]):
                first = _add(code, Instruction("fork", "", start, first))
            return first
        case "maybe":
            return _add(code, Instruction("fork", "", _emit(node.parts[0], code, then), then))
        case "repeat":
            fork = _add(code, Instruction("fork"))
            start = _emit(node.parts[0], code, fork)
            code[fork] = Instruction("fork", "", start, then)
            return start
        case "atom":
            return _add(code, Instruction("variable" if _is_variable(node.text) else "word", node.text, then))


def _add(code: list[Instruction], step: Instruction) -> int:
    code.append(step)
    return len(code) - 1


def _written(node: _Node, texts: Mapping[str, Sequence[str]]) -> list[str] | None:
    """The words of a part; None where a text is missing."""
    match node.sort:
        case "atom":
            return list(texts.get(node.text, () if _is_variable(node.text) else (node.text,)))[:1] or None
        case "all":
            parts = [_written(part, texts) for part in node.parts]
            return None if None in parts else [word for part in parts for word in part or ()]
        case "one":
            return max((found for part in node.parts if (found := _written(part, texts))), key=len, default=None)
        case "maybe":
            return (_written(node.parts[0], texts) or []) if _is_said(node, texts) else []
        case "repeat":
            return _repeated(node.parts[0], texts)


def _repeated(node: _Node, texts: Mapping[str, Sequence[str]]) -> list[str] | None:
    """All texts of a variable, or every alternative that says something."""
    if node.sort == "atom":
        return list(texts.get(node.text, ())) or None
    while node.sort in {"maybe", "all"} and len(node.parts) == 1:
        node = node.parts[0]
    said = [part for part in (node.parts if node.sort == "one" else (node,)) if _is_said(part, texts)]
    return [word for part in said for word in _written(part, texts) or ()]


def _is_said(node: _Node, texts: Mapping[str, Sequence[str]]) -> bool:
    """Whether there is a text of anything in it."""
    return bool(texts.get(node.text)) or any(_is_said(part, texts) for part in node.parts)


def _walk(run: Program, values: Mapping[str, str], *, longest: bool) -> tuple[str, ...]:
    """The texts on one way through: at a fork that way which is longer, or shorter, without coming back to it."""

    def way(at: int, passed: frozenset[int]) -> tuple[str, ...] | None:
        step = run.code[at]
        if step.operation == "end":
            return ()
        if step.operation == "fork":
            if at in passed:
                return None
            ways = [
                found for next_one in (step.then, step.other) if (found := way(next_one, passed | {at})) is not None
            ]
            return (max if longest else min)(ways, key=len) if ways else None
        rest = way(step.then, passed)
        return None if rest is None else (values.get(step.text, step.text), *rest)

    return way(run.start, frozenset()) or ()


__all__ = ["Bound", "Form", "Misfit", "Reader", "UnfitError"]
