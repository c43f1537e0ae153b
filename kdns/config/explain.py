"""What a server block comes to: its directives in their order with every option, those left out as they are by default.

As text it is a Corefile again, which says the same: what is by default is marked in comments, what there is no way to
write down as being off is listed in one.
"""

import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from kdns.config.declarations import REQUIRED, Declared, Settings
from kdns.config.forms import Form
from kdns.config.reading import usage_of
from kdns.config.syntax import Place, Token
from kdns.config.table import Stated
from kdns.dns import names
from kdns.dns.names import Name

_WIDTH: Final = 110
_INDENT: Final = "    "
_TO_QUOTE: Final = ('"', "{", "}")


class Option(NamedTuple):
    """An option of a directive's block and the lines that say it, none where it is off."""

    usage: str
    name: str
    lines: tuple[str, ...]
    is_default: bool


class Explained(NamedTuple):
    """A directive: its line, those of its variables that were left out, and its options."""

    name: str
    place: Place
    line: str
    defaults: tuple[str, ...]
    options: tuple[Option, ...]
    differs: tuple[str, ...]


class Block(NamedTuple):
    """A server block: its keys with their ports, its zones, the labels of its listeners, its directives."""

    place: Place
    keys: tuple[str, ...]
    zones: tuple[Name, ...]
    listeners: tuple[str, ...]
    directives: tuple[Explained, ...]


def explained(stated: Stated, settings: Settings) -> Explained:
    """What a directive with these settings comes to."""
    raw, whole = dict(settings.items()), dict(settings.complete().items())
    given = stated.outcome.given
    fields = stated.directive.settings.fields
    arguments: dict[str, Sequence[str]] = {}
    defaults: list[str] = []
    options: list[Option] = []
    for name, declared in fields.items():
        rows = given.get(name, ()) if raw[name] == whole[name] else ()
        if declared.option is None:
            arguments.update(_argument(declared, rows, whole[name]))
            # Without a text there is nothing to mark.
            defaults += [each for each in declared.variables if name not in given and arguments.get(each)]
        else:
            options.append(_option(declared, declared.option, rows, whole[name], is_default=name not in given))
    line = " ".join(map(quoted, stated.directive.form.written(arguments)))
    place = stated.line.name.place
    return Explained(stated.directive.name, place, line, tuple(defaults), tuple(options), stated.directive.differs)


def _argument(declared: Declared, rows: Sequence[Sequence[Token]], value: object) -> Mapping[str, Sequence[str]]:
    """The texts of an argument's variables."""
    if rows:
        return dict.fromkeys(declared.variables, tuple(token.text for token in rows[0]))
    return {} if _is_nothing(value) else declared.shape.texts(value, declared.variables)


def _option(
    declared: Declared, form: Form, rows: Sequence[Sequence[Token]], value: object, *, is_default: bool
) -> Option:
    lines: list[list[str]] = [[token.text for token in row] for row in rows]
    texts = {} if _is_nothing(value) else declared.shape.texts(value, declared.variables)
    # Of a record's parts some may have been left out.
    if texts and not (rows and declared.shape.plain):
        lines = [form.written(texts)]
    usage = usage_of(form, declared.shape.kinds(declared.variables))
    name = " ".join(itertools.takewhile(str.islower, form.text.split())) or usage
    return Option(usage, name, tuple(" ".join(map(quoted, line)) for line in lines), is_default)


def _is_nothing(value: object) -> bool:
    """Whether a value is that of what isn't there; zero is a value."""
    return value is None or value is REQUIRED or value is False or value in ((), "")


def quoted(text: str) -> str:
    """The text as one word of a Corefile."""
    if (
        text
        and not text.startswith('"')
        and text not in _TO_QUOTE
        and "#" not in text
        and not any(map(str.isspace, text))
    ):
        return text
    return '"' + text.replace('"', '\\"') + '"'


def text(blocks: Iterable[Block]) -> str:
    """The server blocks as a Corefile with comments."""
    return "\n".join("\n".join(_lines(block)) + "\n" for block in blocks)


def _lines(block: Block) -> list[str]:
    lines = [
        f"# {block.place}",
        f"# listens on {', '.join(block.listeners) or 'nothing'}",
        f"# zones: {' '.join(map(names.to_text, block.zones))}",
        " ".join(map(quoted, block.keys)) + " {",
    ]
    for each in block.directives:
        lines += (f"{_INDENT}{line}" for line in _directive(each))
    return [*lines, "}"]


def _directive(each: Explained) -> list[str]:
    mark = f"  # default: {', '.join(each.defaults)}" if each.defaults else ""
    if not each.options:
        return [each.line + mark]
    lines = [f"{each.line} {{{mark}"]
    for option in each.options:
        default = "  # default" if option.is_default else ""
        lines += (f"{_INDENT}{line}{default}" for line in option.lines)
    off = [option.name for option in each.options if not option.lines]
    if off:
        first, rest = f"{_INDENT}# not set: ", f"{_INDENT}#   "
        lines += textwrap.wrap(
            ", ".join(off), _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
        )
    return [*lines, "}"]
