"""From a Corefile's rows to its server blocks.

What stands where is checked here: keys, braces, snippets, imports. What keys and directives mean is for others. After a
problem reading goes on at the next line, so that one pass finds all problems; any octets give a Corefile.
Source: coredns/caddy, caddyfile/parse.go (CoreDNS 1.14); docs/reference/corefile.md has each difference.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from kdns.config.environment import substitute
from kdns.config.imports import Files, Origin, Placed, Rows, Source
from kdns.config.lexer import Row
from kdns.config.syntax import ERROR, WARNING, Line, Problem, ServerBlock, Severity, Token

BLOCKS_MAX: Final = 50  # blocks within blocks; rewrite, the deepest of CoreDNS', needs two

_OWN_LINE: Final = "put it on a line of its own"


class Corefile(NamedTuple):
    """What was read. It can be served only if none of the problems is an error; without blocks it says nothing."""

    blocks: tuple[ServerBlock, ...]
    problems: tuple[Problem, ...]  # each once
    sources: tuple[Source, ...]  # every file that was read, in order, the Corefile first

    @property
    def digest(self) -> str:
        """SHA-512 of all files and their paths, in hexadecimal: another one where any of them has changed."""
        whole = hashlib.sha512()
        for source in self.sources:
            whole.update(f"{source.digest} {source.path}\n".encode("utf-8", "surrogateescape"))
        return whole.hexdigest()


def parse(octets: bytes, file: str, files: Files, environment: Mapping[str, str]) -> Corefile:
    """The Corefile that the octets are; file is its path, which imports are relative to, and its name in problems."""
    reading = _Reading(octets, file, files, environment)
    blocks = tuple(reading.blocks())
    return Corefile(blocks, tuple(reading.problems), tuple(reading.rows.sources))


class _Reading:
    """One pass over the rows."""

    def __init__(self, octets: bytes, file: str, files: Files, environment: Mapping[str, str]) -> None:
        self.problems: dict[Problem, None] = {}  # in order, each once: an import may bring the same one often
        self._environment = environment
        self._ends_closed = False  # whether the last row that was read closed a directive's block
        self.rows = Rows(octets, file, files, self._text, self._report)

    def blocks(self) -> list[ServerBlock]:
        blocks: list[ServerBlock] = []
        while placed := self.rows.next():
            block = self._block(placed)
            if block is not None:
                blocks.append(block)
        return blocks

    def _block(self, placed: Placed) -> ServerBlock | None:
        """The server block that begins here; None for a snippet, or for what is no block."""
        first = placed.row[0]
        if _is_brace(first, "}"):
            self._complain(first, "found } without the { that it would close")
            self.rows.put_back(placed.row[1:], placed.origin)
            return None
        keys, opened = self._keys(placed)
        if len(keys) == 1 and keys[0].text.startswith("(") and keys[0].text.endswith(")"):
            self._snippet(keys[0], opened)
            return None
        directives = self._lines(opened, 0) if opened or keys else []
        if not keys:
            message = "found a server block without a key: it is left out"
            self._complain(first, message, "put a zone such as .:53 before it", WARNING)
            return None
        return ServerBlock(keys, tuple(directives))

    def _keys(self, placed: Placed) -> tuple[tuple[Token, ...], Token | None]:
        """The keys, and the brace that opens their block if one does."""
        keys: list[Token] = []
        comma: Token | None = None
        while True:
            row, origin = placed
            for position, token in enumerate(row):
                if _is_brace(token, "{"):
                    if comma:
                        self._complain(comma, "found a comma before {, expected another key behind it")
                    self.rows.put_back(row[position + 1 :], origin)
                    return tuple(keys), token
                if _is_brace(token, "}"):
                    self._complain(token, "found } among the keys of a server block")
                    continue
                text = self._text(token)
                comma = token if text.endswith(",") else None
                if token.text in {"{,", "},"} and not token.quoted:
                    self._complain(token, f"found {token.text[0]} among the keys of a server block")
                elif text:
                    keys.append(token._replace(text=text.removesuffix(",")))
            if comma is None:
                return tuple(keys), self._opening_below()
            following = self.rows.next()
            if following is None:
                self._complain(comma, "found the end of the file behind a comma, expected another key")
                return tuple(keys), None
            placed = following

    def _opening_below(self) -> Token | None:
        """The brace that opens the block of the keys on the line above it."""
        if not self.rows.begins_with(lambda token: _is_brace(token, "{")):
            return None
        placed = self.rows.next(raw=True)
        assert placed, "a row was seen"
        self.rows.put_back(placed.row[1:], placed.origin)
        return placed.row[0]

    def _snippet(self, name: Token, opened: Token | None) -> None:
        """Keeps the rows up to the brace that closes the snippet, as they stand."""
        if opened is None:
            self._complain(name, "found a snippet without a block", "put { behind its name")
            return
        body: list[Row] = []
        depth = 1
        while placed := self.rows.next(raw=True):
            for position, token in enumerate(placed.row):
                depth += _is_brace(token, "{") - _is_brace(token, "}")
                if depth == 0:
                    body += [placed.row[:position]] if position else []
                    self.rows.put_back(placed.row[position + 1 :], placed.origin)
                    self.rows.define(name, tuple(body))
                    return
            body.append(placed.row)
        self._never_closed(opened)

    def _lines(self, opened: Token | None, depth: int) -> list[Line]:
        """The lines of a block up to its closing brace; without an opening one, to the end of the file."""
        lines: list[Line] = []
        while placed := self.rows.next():
            row, origin = placed
            if _is_brace(row[0], "}"):
                if opened is None:
                    self._complain(row[0], "found } without the { that it would close")
                    self.rows.put_back(row[1:], origin)
                    continue
                self._close(row, origin, depth)
                self._ends_closed = depth > 0
                return lines
            if _is_brace(row[0], "{"):
                self._complain(row[0], "found { at the beginning of a line, expected it at the end of the directive's")
                self.rows.put_back(row[1:], origin)
                block = self._nested(row[0], depth)
                if lines and lines[-1].block is None:
                    lines[-1] = Line(lines[-1].tokens, block)
                continue
            self._ends_closed = False
            lines.append(self._line(row, origin, opened, depth))
        if opened and depth == 0 and self._ends_closed:
            message = "found a block that is never closed: the end of the file closes it"
            self._complain(opened, message, "put another } at the end", WARNING)
        elif opened:
            self._never_closed(opened)
        return lines

    def _line(self, row: Row, origin: Origin, opened: Token | None, depth: int) -> Line:
        """The line of a row that begins with a word, with the block that it opens."""
        for position, token in enumerate(row):
            if _is_brace(token, "{"):
                self.rows.put_back(row[position + 1 :], origin)
                return Line(self._words(row[:position]), self._nested(token, depth))
            if _is_brace(token, "}"):
                if opened:
                    self._complain(token, "found } at the end of a line", _OWN_LINE)
                self.rows.put_back(row[position:], origin)
                return Line(self._words(row[:position]))
        return Line(self._words(row))

    def _nested(self, opened: Token, depth: int) -> tuple[Line, ...]:
        """The block of a directive or of an option."""
        if depth < BLOCKS_MAX:
            return tuple(self._lines(opened, depth + 1))
        self._complain(opened, f"found blocks in blocks, more than {BLOCKS_MAX} deep")
        inside = 1
        while inside and (placed := self.rows.next(raw=True)):
            for position, token in enumerate(placed.row):
                inside += _is_brace(token, "{") - _is_brace(token, "}")
                if not inside:
                    self.rows.put_back(placed.row[position + 1 :], placed.origin)
                    break
        return ()

    def _close(self, row: Row, origin: Origin, depth: int) -> None:
        """Behind a server block's brace another one may begin; behind a directive's only the brace around it may follow."""
        if len(row) > 1 and depth and not (depth > 1 and _is_brace(row[1], "}")):
            self._complain(row[1], f"found {_shown(row[1])} behind }}", _OWN_LINE)
        self.rows.put_back(row[1:], origin)

    def _never_closed(self, opened: Token) -> None:
        self._complain(opened, "found a block that is never closed", "a } is missing below, perhaps further within it")

    def _words(self, row: Row) -> tuple[Token, ...]:
        return tuple(token._replace(text=self._text(token)) for token in row)

    def _text(self, token: Token) -> str:
        def unset(name: str) -> None:
            message = f"the environment variable {name} isn't set: an empty text takes its place"
            self._complain(token, message, severity=WARNING)

        return substitute(token.text, self._environment, unset)

    def _complain(self, token: Token, message: str, hint: str = "", severity: Severity = ERROR) -> None:
        self._report(Problem(token.place, message, hint, severity, token.width))

    def _report(self, problem: Problem) -> None:
        self.problems[problem] = None


def _is_brace(token: Token, brace: str) -> bool:
    return token.text == brace and not token.quoted


def _shown(token: Token) -> str:
    return token.text if _is_brace(token, "{") or _is_brace(token, "}") else f'"{token.text}"'
