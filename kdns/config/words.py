"""The words of expressions: numbers, texts, names and marks, each with its place."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple


class ExpressionError(ValueError):
    """A text that is no expression; position counts its characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class Token(NamedTuple):
    sort: str  # number, text, word, mark, end
    text: str
    position: int
    value: Any = None


_PATTERN: Final = (
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<number>0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<word>[^\W\d][\w$]*)"
    r"|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`]|``)*`)"
    r"|(?P<mark>\|\||&&|==|!=|<=|>=|\*\*|\.\.|\?\?|\?\.|[-+*/%^<>!?:,;()\[\]{}#|.=])"
)
_ESCAPE: Final = r"\\(?:([abfnrtv\\'\"`?])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]{1,6})\}|([0-3][0-7]{2})|(.?))"
_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
SUFFIXES: Final = frozenset(("in", "matches", "contains", "startsWith", "endsWith"))
_WORDS: Final = frozenset(("and", "or", "not", *SUFFIXES))


def tokens(text: str) -> Iterator[Token]:
    """The words of a text, and its end. Raises ExpressionError."""
    pattern = re.compile(_PATTERN, re.DOTALL)
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            what = "a text without its closing quote" if text[position] in "'\"`" else f'"{text[position]}"'
            raise ExpressionError(f"found {what}, expected a value or an operator", position)
        sort, word = str(match.lastgroup), match[0]
        if sort == "number":
            yield Token(sort, word, position, _number(word, position))
        elif sort == "text":
            yield Token(sort, word, position, _text(word, position))
        elif sort == "word" and word in _WORDS:
            yield Token("operator", word, position)
        elif sort != "space":
            yield Token(sort, word, position)
        position = match.end()
    yield Token("end", "", len(text))


def _number(text: str, position: int) -> int | float:
    digits = text.replace("_", "")
    try:
        if digits[:2].lower() in {"0x", "0o", "0b"}:
            value: int | float = int(digits, 0)
        else:
            value = float(digits) if set(digits) & set(".eE") else int(digits)
    except ValueError:
        raise ExpressionError(f'found "{text}", expected a number', position) from None
    if isinstance(value, int) and value >= 1 << 63:
        raise ExpressionError(f'found "{text}", expected a whole number of 64 bits', position)
    return value


def _text(quoted: str, position: int) -> str:
    if quoted[0] == "`":
        return quoted[1:-1].replace("``", "`")

    def character(match: re.Match[str]) -> str:
        plain, *numbers, octal, other = match.groups()
        if plain is not None:
            return _ESCAPES.get(plain, plain)
        if octal is not None:
            return chr(int(octal, 8))
        code = next((each for each in numbers if each is not None), None)
        if code is None or int(code, 16) > 0x10FFFF:
            found = f"\\{other or ''}" if code is None else match[0]
            hint = "; a backslash in a pattern is written twice" if code is None else ""
            raise ExpressionError(f'found "{found}" in a text, expected an escape{hint}', position + 1 + match.start())
        return chr(int(code, 16))

    return re.sub(_ESCAPE, character, quoted[1:-1], flags=re.DOTALL)
