"""The manual: what the table says of a directive, as a Markdown table for docs/reference and as text for a terminal."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from kdns.config.declarations import Absent, Declared, Directive
from kdns.config.reading import usage_of
from kdns.config.shapes import Kind
from kdns.config.syntax import WARNING
from kdns.config.table import DIRECTIVES, REMOVED, SUPPORTED

_REPEATS: Final = {
    "once": "It may stand in a server block once.",
    "first": "Of several in a server block the first counts.",
    "last": "Of several in a server block the last counts.",
    "each": "It may stand in a server block several times.",
}


class Row(NamedTuple):
    """A way to write something, what it means, its default where that is a plain value, and whether it comes again."""

    usage: str
    doc: str
    default: str = ""
    repeat: str = ""


def usage(directive: Directive[Any]) -> str:
    """How the directive's line is written."""
    kinds: dict[str, Kind[object]] = {}
    for declared in _arguments(directive):
        kinds.update(declared.shape.kinds(declared.variables))
    return usage_of(directive.form, kinds)


def rows(directive: Directive[Any]) -> Iterator[Row]:
    """The variables of the directive's line, its rules, and the options of its block."""
    for name, declared in directive.settings.fields.items():
        if declared.option is not None:
            continue
        if not declared.rules:
            yield Row(" ".join(declared.variables), declared.doc, _default(name, declared))
        for rule in declared.rules:
            yield Row(usage_of(rule.form, rule.shape.kinds(rule.form.variables)), rule.doc)
    for name, declared in directive.settings.fields.items():
        if declared.option is not None:
            repeat = {"each": "Each line counts.", "once": "At most once."}.get(declared.repeat, "")
            kinds = declared.shape.kinds(declared.variables)
            yield Row(usage_of(declared.option, kinds), declared.doc, _default(name, declared), repeat)
    for name, why in directive.accepted.items():
        yield Row(name, f"Accepted without effect: {why}.")


def _default(name: str, declared: Declared) -> str:
    """The default as one would write it, where it is one value; the sentence of a field tells of others."""
    value = declared.default
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        words = value if isinstance(value, tuple) and all(type(each) is str for each in value) else ()
        return " ".join(words)
    return f"{value:g}s" if isinstance(value, float) and name.endswith("_s") else f"{value}"


def markdown(directive: Directive[Any]) -> str:
    """The directive's part of its page that is made from the table: usage, options, known differences."""
    lines = ["```text", usage(directive) + (" {" if _has_options(directive) else "")]
    if _has_options(directive):
        lines += [f"    {row.usage}" for row in rows(directive) if row.usage not in _variables(directive)] + ["}"]
    lines += ["```", "", f"{directive.doc} {_REPEATS[directive.repeat]}"]
    table = [_markdown(row) for row in rows(directive)]
    if table:
        lines += ["", "| written | means | default |", "|---|---|---|", *table]
    if directive.gone or directive.missing:
        lines += ["", "| not in kdns | instead |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(hint)} |" for name, hint in {**directive.gone, **directive.missing}.items()]
    lines += ["", "## Known differences", ""]
    lines += [f"- {sentence}" for sentence in directive.differs] or ["None."]
    return "\n".join(lines) + "\n"


def text(directive: Directive[Any]) -> str:
    """The same for a terminal."""
    lines = [usage(directive), f"    {directive.doc}"]
    lines += [f"    {row.usage}\n        {_sentences(row)}" for row in rows(directive)]
    lines += [f"    differs from CoreDNS: {sentence}" for sentence in directive.differs]
    return "\n".join(lines) + "\n"


def overview() -> str:
    """All directives, a line each: those there are, those accepted without effect, those there aren't."""
    width = max(len(each.name) for each in (*DIRECTIVES, *REMOVED))
    sections: list[tuple[str, list[str]]] = [
        ("Directives, in the order in which questions go through them:", [_line(each, width) for each in SUPPORTED]),
        ("Accepted without effect:", [_line(each, width) for each in _absent() if each.severity == WARNING]),
        ("Not in kdns:", [_line(each, width) for each in _absent() if each.severity != WARNING]),
    ]
    return "\n".join(f"{title}\n{''.join(lines)}" for title, lines in sections)


def _line(entry: Directive[Any] | Absent, width: int) -> str:
    doc = entry.doc if isinstance(entry, Directive) else f"{entry.doc}; {entry.instead}"
    return f"  {entry.name:<{width}}  {doc}\n"


def _absent() -> Iterator[Absent]:
    return (each for each in (*DIRECTIVES, *REMOVED) if isinstance(each, Absent))


def _arguments(directive: Directive[Any]) -> Iterator[Declared]:
    return (each for each in directive.settings.fields.values() if each.option is None)


def _variables(directive: Directive[Any]) -> set[str]:
    return {" ".join(each.variables) for each in _arguments(directive)}


def _has_options(directive: Directive[Any]) -> bool:
    return bool(directive.accepted) or any(each.option for each in directive.settings.fields.values())


def _markdown(row: Row) -> str:
    default = f"`{_cell(row.default)}`" if row.default else ""
    return f"| `{_cell(row.usage)}` | {_cell(' '.join(filter(None, (row.doc, row.repeat))))} | {default} |"


def _sentences(row: Row) -> str:
    default = f"Default: {row.default}." if row.default else ""
    return " ".join(filter(None, (row.doc, row.repeat, default)))


def _cell(text_: str) -> str:
    return text_.replace("|", "\\|")


__all__ = ["Row", "markdown", "overview", "rows", "text", "usage"]
