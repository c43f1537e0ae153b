r"""From a Corefile's octets to its lines of tokens.

Reads words exactly as CoreDNS does, with the exceptions that docs/reference/corefile.md lists. Environment variables and
braces are the parser's. Any octets give lines and problems, nothing else comes out.
Source: coredns/caddy, caddyfile/lexer.go (CoreDNS 1.14): words end at Unicode white space, `\r` is dropped, a word that
begins with a quote runs to the next one, over lines if need be, and only `\"` is an escape in it.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from kdns.config.syntax import WARNING, Place, Problem, Token

Row: TypeAlias = tuple[Token, ...]  # the tokens of a line, at least one; a quoted token's line goes on where it ends

_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
_BOM_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
# What Go's unicode.IsSpace takes for white space, without the carriage return.
_SPACE: Final = r"\t\n\v\f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_BETWEEN: Final = re.compile(rf"(?:[{_SPACE}\r]+|#[^\n]*)+")
_BARE: Final = re.compile(rf"[^{_SPACE}#]+")
_QUOTED: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_REST_OF_LINE: Final = re.compile(r"[^\n]*")


class Lexed(NamedTuple):
    """What a file is made of, and what is wrong with it."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def lex(octets: bytes, file: str) -> Lexed:
    """The rows of the file and the problems found; whatever can be read in spite of a problem is read."""
    if octets.startswith(_BOM_UTF16):
        return Lexed((), (Problem(Place(file, 1, 1), "found UTF-16, expected UTF-8", "save the file as UTF-8"),))
    text = source_text(octets)
    reading = _Reading(text, file)
    rows = tuple(reading.rows())
    return Lexed(rows, (*_bad_octets(octets, file), *reading.problems))


def source_text(octets: bytes) -> str:
    """The file's text as places count in it: without byte order mark, octets that aren't UTF-8 replaced."""
    return octets.decode("utf-8", "replace").removeprefix(_BOM)


def _bad_octets(octets: bytes, file: str) -> tuple[Problem, ...]:
    """The first octets that aren't UTF-8; more of them are seldom another mistake."""
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError as error:
        before = octets[: error.start].decode("utf-8").removeprefix(_BOM)
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        found = octets[error.start : error.end].hex(" ")
        return (Problem(place, f"found the octets {found}, expected UTF-8", "save the file as UTF-8"),)
    return ()


class _Reading:
    """One pass over a text; position is where the next token may begin."""

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._file = file
        self._position = 0
        self._line = 1
        self._line_start = 0
        self._long: Token | None = None  # the first quoted token of several lines: perhaps its quote is missing

    def rows(self) -> Iterator[Row]:
        row: list[Token] = []
        row_line = self._line
        while self._skip():
            if row and self._line != row_line:
                yield tuple(row)
                row.clear()
            row.append(self._token())
            row_line = self._line
        if row:
            yield tuple(row)

    def _skip(self) -> bool:
        """Goes on to the next token; False where there is none."""
        if between := _BETWEEN.match(self._text, self._position):
            self._go_to(between.end())
        return self._position < len(self._text)

    def _go_to(self, position: int) -> None:
        lines = self._text.count("\n", self._position, position)
        if lines:
            self._line += lines
            self._line_start = self._text.rindex("\n", self._position, position) + 1
        self._position = position

    def _token(self) -> Token:
        return self._quoted() if self._text[self._position] == '"' else self._bare()

    def _bare(self) -> Token:
        found = _BARE.match(self._text, self._position)
        assert found, "what is skipped and what a word is made of leave nothing between them"
        token = Token(found[0].replace("\r", ""), self._place(), width=len(found[0].rstrip("\r")))
        self._go_to(found.end())
        if self._text.startswith("#", self._position):
            self._comment()
        return token

    def _comment(self) -> None:
        """Skips the comment that begins in a word, which CoreDNS ends at the next space."""
        found = _REST_OF_LINE.match(self._text, self._position)
        assert found, "an empty rest is found, too"
        width = len(found[0].rstrip())
        message = "found # within a word: all from here to the end of the line is a comment"
        hint = "put a space before the #, or quotes around the word if the # belongs to it"
        self.problems.append(Problem(self._place(), message, hint, WARNING, width))
        self._go_to(found.end())

    def _quoted(self) -> Token:
        place = self._place()
        found = _QUOTED.match(self._text, self._position)
        rest = _REST_OF_LINE.match(self._text, self._position)
        assert rest, "the quote at least is found"
        if found is None:
            return self._open_quote(place, rest[0].rstrip())
        width = min(len(found[0]), len(rest[0].rstrip("\r")))
        token = Token(found[1].replace('\\"', '"'), place, quoted=True, width=width)
        self._go_to(found.end())
        if self._line > place.line and self._long is None:
            self._long = token
        return token

    def _open_quote(self, place: Place, rest: str) -> Token:
        """What stands behind a quote that nothing closes, up to the line's end: it was meant to close there."""
        hint = "close the word with another quote"
        if self._long is not None:
            hint = f"or one is missing above: the quoted word of line {self._long.place.line} runs over several lines"
        self.problems.append(Problem(place, "found a quote that is never closed", hint, width=len(rest)))
        self._go_to(self._position + len(rest))
        return Token(rest[1:], place, quoted=True, width=len(rest))

    def _place(self) -> Place:
        return Place(self._file, self._line, self._position - self._line_start + 1)
