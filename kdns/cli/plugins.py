"""Listing the table of directives, for people and programs."""

import sys
from typing import Any, Final

from kdns.cli import results
from kdns.config import manual, table
from kdns.config.complaints import did_you_mean
from kdns.config.declarations import Directive
from kdns.config.syntax import WARNING
from kdns.config.table import Entry

_UNKNOWN: Final = 2


def plugins(name: str | None, output: str) -> int:
    """Tells of all, or of one; the exit status."""
    if name is not None and name not in table.BY_NAME:
        return _unknown(name)
    results.show(output, lambda: _value(name), lambda: _text(name))
    return 0


def _value(name: str | None) -> Any:
    return _described(table.BY_NAME[name]) if name else list(map(_described, table.BY_NAME.values()))


def _unknown(name: str) -> int:
    hint = did_you_mean(name, table.BY_NAME) or "kdns plugins lists those there are"
    sys.stderr.write(f'kdns: found no directive "{name}"; {hint}\n')
    return _UNKNOWN


def _text(name: str | None) -> str:
    if name is None:
        return manual.overview()
    entry = table.BY_NAME[name]
    return manual.text(entry) if isinstance(entry, Directive) else f"{name} {entry.doc}; {entry.instead}\n"


def _described(entry: Entry) -> dict[str, Any]:
    if isinstance(entry, Directive):
        return {
            "name": entry.name,
            "state": "supported",
            "usage": manual.usage(entry),
            "means": entry.doc,
            "repeat": entry.repeat,
            "options": [row._asdict() for row in manual.rows(entry)],
            "differs": entry.differs,
            "instead": {**entry.gone, **entry.missing},
        }
    state = "removed" if entry in table.REMOVED else "accepted" if entry.severity == WARNING else "missing"
    return {"name": entry.name, "state": state, "means": entry.doc, "instead": entry.instead}


__all__ = ["plugins"]
