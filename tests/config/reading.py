"""Corefiles in tests: files in a dictionary, and what was read as plain texts."""

import fnmatch
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from kdns.config.lexer import Row
from kdns.config.parser import Corefile, parse
from kdns.config.syntax import Line

Tree: TypeAlias = list["str | Tree"]


class Given:
    """The files of a test, as kdns.config.imports.Files has them; None is a folder."""

    def __init__(self, files: Mapping[str, str | bytes | None]) -> None:
        self._files = files
        self.read_paths: list[str] = []

    def read(self, path: str) -> bytes:
        self.read_paths.append(path)
        if path not in self._files:
            raise FileNotFoundError(2, "No such file or directory", path)
        content = self._files[path]
        if content is None:
            raise IsADirectoryError(21, "Is a directory", path)
        return content.encode() if isinstance(content, str) else content

    def glob(self, pattern: str) -> Sequence[str]:
        slashes = pattern.count("/")
        return sorted(path for path in self._files if path.count("/") == slashes and fnmatch.fnmatchcase(path, pattern))


def read(
    text: str | bytes,
    files: Mapping[str, str | bytes | None] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str = "Corefile",
) -> Corefile:
    octets = text.encode() if isinstance(text, str) else text
    return parse(octets, file, Given(files or {}), environment or {})


def texts(corefile: Corefile) -> list[tuple[list[str], Tree]]:
    """The blocks, each with the texts of its keys and its directives."""
    return [([key.text for key in block.keys], tree(block.directives)) for block in corefile.blocks]


def tree(lines: Sequence[Line]) -> Tree:
    """The lines, each as its words joined by spaces, followed by the list of its block's lines if it opens one."""
    whole: Tree = []
    for line in lines:
        whole.append(" ".join(token.text for token in line.tokens))
        if line.block is not None:
            whole.append(tree(line.block))
    return whole


def said(corefile: Corefile) -> list[str]:
    """The problems, each with its place and kind."""
    return [f"{each.place}: {each.severity}: {each.message}" for each in corefile.problems]


def words(rows: Sequence[Row]) -> list[list[str]]:
    return [[token.text for token in row] for row in rows]
