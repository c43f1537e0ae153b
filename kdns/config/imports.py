"""The rows of a Corefile with every import put in its place: of snippets, and of other files.

Pure: files are read by what is handed in, each once. Bounds and cycles are problems, not endless work; CoreDNS' bounds
are kept, and a total of tokens and a depth are kdns' own.
Source: coredns/caddy, caddyfile/parse.go, doImport (CoreDNS 1.14).
"""

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from kdns.config.lexer import Row, lex, source_text
from kdns.config.syntax import WARNING, Problem, Token

SNIPPETS_MAX: Final = 10_000
FILES_MAX: Final = 100_000
DEPTH_MAX: Final = 100
TOKENS_MAX: Final = 1_000_000  # what a Corefile of a ConfigMap's size, 1 MiB, can't reach without imports


class Files(Protocol):
    """The files around a Corefile."""

    def read(self, path: str) -> bytes:
        """The file's octets. Raises OSError: FileNotFoundError where there is none, also for folders."""

    def glob(self, pattern: str) -> Sequence[str]:
        """The paths that fit a pattern, sorted; a folder that can't be read has none.

        `*` stands for any characters but a slash, also for a dot at the beginning, `?` for one of them.
        """


class Source(NamedTuple):
    """A file that was read."""

    path: str
    octets: bytes

    @property
    def digest(self) -> str:
        """SHA-512 of the octets, in hexadecimal."""
        return hashlib.sha512(self.octets).hexdigest()

    @property
    def text(self) -> str:
        """The text that places count in."""
        return source_text(self.octets)


class Origin(NamedTuple):
    """The import that a row came by, and the one that this came by."""

    name: str  # of a file, or (of a snippet)
    above: "Origin | None" = None
    depth: int = 0

    def chain(self) -> list[str]:
        """The names, the outermost first."""
        return [*(self.above.chain() if self.above else ()), self.name]


class Placed(NamedTuple):
    """A row and where it came from."""

    row: Row
    origin: Origin


class Rows:
    """A stream of rows; whoever reads may put rows back, and defines snippets on the way."""

    def __init__(
        self,
        octets: bytes,
        file: str,
        files: Files,
        substitute: Callable[[Token], str],
        report: Callable[[Problem], None],
    ) -> None:
        self.sources: list[Source] = []
        self._files = files
        self._substitute = substitute
        self._report = report
        self._lexed: dict[str, tuple[Row, ...]] = {}
        self._snippets: dict[str, tuple[Row, ...]] = {}
        self._expanded = {"snippet": 0, "file": 0}
        self._tokens = 0
        self._stack: list[Placed] = []  # the next row is the last
        self._push(self._rows_of(file, octets), Origin(file))

    def next(self, *, raw: bool = False) -> Placed | None:
        """The next row, None at the end; with raw, imports aren't followed."""
        while self._stack:
            placed = self._stack.pop()
            if raw or placed.row[0].text != "import":
                return placed
            self._import(placed)
        return None

    def begins_with(self, is_it: Callable[[Token], bool]) -> bool:
        """Whether the next row, imports not followed, begins with such a token."""
        return bool(self._stack) and is_it(self._stack[-1].row[0])

    def put_back(self, tokens: Iterable[Token], origin: Origin) -> None:
        """What is left of a row is the next row; nothing happens where nothing is left."""
        if row := tuple(tokens):
            self._stack.append(Placed(row, origin))

    def define(self, name: Token, rows: tuple[Row, ...]) -> None:
        """Keeps a snippet, named as (name), for imports below."""
        text = name.text
        if text in self._snippets:
            self._complain(name, f'found another snippet "{text}", expected each name once')
            return
        for row in rows:
            if row[0].text == "import" and len(row) > 1 and f"({self._substitute(row[1])})" == text:
                self._complain(row[1], f'found an import of the snippet "{text}" in itself, expected none')
                return
        self._snippets[text] = rows

    def _push(self, rows: Sequence[Row], origin: Origin) -> None:
        self._tokens += sum(map(len, rows))
        self._stack += (Placed(row, origin) for row in reversed(rows))

    def _rows_of(self, path: str, octets: bytes) -> tuple[Row, ...]:
        self.sources.append(Source(path, octets))
        rows, problems = lex(octets, path)
        for problem in problems:
            self._report(problem)
        self._lexed[path] = rows
        return rows

    def _complain(self, token: Token, message: str, hint: str = "") -> None:
        self._report(Problem(token.place, message, hint, width=token.width))

    def _import(self, placed: Placed) -> None:
        if len(placed.row) != 2:
            stray = placed.row[2] if len(placed.row) > 2 else placed.row[0]
            found = "more than one word" if len(placed.row) > 2 else "nothing"
            self._complain(stray, f"found {found} behind import, expected a snippet, a file or a pattern of files")
            return
        token = placed.row[1]
        name = self._substitute(token)
        if not name or "\0" in name:
            found = "a zero octet in the word" if name else "an empty word"
            self._complain(token, f"found {found} behind import, expected a snippet or a file")
        elif (rows := self._snippets.get(f"({name})")) is not None:
            if self._may_expand("snippet", SNIPPETS_MAX, f"({name})", placed, token):
                self._push(rows, Origin(f"({name})", placed.origin, placed.origin.depth + 1))
        else:
            self._import_files(name, placed, token)

    def _import_files(self, name: str, placed: Placed, token: Token) -> None:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(token.place.file), name))
        if path.count("*") > 1 or path.count("?") > 1 or "[" in path:
            self._complain(
                token, f'found the pattern "{path}", expected at most one * and one ?, and no [', "import more often"
            )
            return
        paths = [path]
        if "*" in path or "?" in path:
            paths = list(self._files.glob(path))
            if not paths:
                self._report(
                    Problem(token.place, f'no file fits "{path}": nothing is imported', "", WARNING, token.width)
                )
        found = [
            (self._read(each, token), Origin(each, placed.origin, placed.origin.depth + 1))
            for each in paths
            if self._may_expand("file", FILES_MAX, each, placed, token)
        ]
        for rows, origin in reversed(found):
            self._push(rows, origin)

    def _read(self, path: str, token: Token) -> tuple[Row, ...]:
        """The rows of a file; none, and a problem, where it can't be read."""
        if path in self._lexed:
            return self._lexed[path]
        try:
            octets = self._files.read(path)
        except FileNotFoundError:
            hint = "a snippet has to stand above its first import" if "/" not in token.text else ""
            self._complain(token, f'found no snippet and no file "{path}"', hint)
        except OSError as error:
            self._complain(token, f'can\'t read "{path}": {error.strerror or error}')
        else:
            return self._rows_of(path, octets)
        return ()

    def _may_expand(self, kind: str, most: int, name: str, placed: Placed, token: Token) -> bool:
        """Whether one more import is within bounds; a problem where it isn't."""
        self._expanded[kind] += 1
        chain = placed.origin.chain()
        if name in chain:
            circle = " -> ".join([*chain[chain.index(name) :], name])
            self._complain(token, f"found an import in a circle: {circle}")
        elif placed.origin.depth >= DEPTH_MAX:
            self._complain(token, f"found imports in imports, more than {DEPTH_MAX} deep")
        elif self._expanded[kind] > most:
            self._complain(token, f"found more than {most} imports of {kind}s")
        elif self._tokens > TOKENS_MAX:
            self._complain(token, f"found more than {TOKENS_MAX} words, imports counted as often as they are used")
        else:
            return True
        return False
