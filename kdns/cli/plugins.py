"""The command plugins: the table of directives, for people and programs."""

import sys
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from kdns.config.table import Entry

_UNKNOWN: Final = 2


@click.command(no_args_is_help=False)
@click.option("-o", "output", type=click.Choice(("text", "json")), default="text", help="How it is told.  [text]")
@click.argument("name", metavar="[NAME]", required=False)
def plugins(name: str | None, output: str) -> int:
    """List the directives of a Corefile, or the options of one.

    Those that CoreDNS has and kdns hasn't are there, too, with what to write instead.
    """
    from kdns.config import table  # noqa: PLC0415 - help is quicker without

    if name is not None and name not in table.BY_NAME:
        return _unknown(name)
    if output == "json":
        import json  # noqa: PLC0415

        found: object = _described(table.BY_NAME[name]) if name else list(map(_described, table.BY_NAME.values()))
        sys.stdout.write(f"{json.dumps(found, indent=2)}\n")
    else:
        sys.stdout.write(_text(name))
    return 0


def _unknown(name: str) -> int:
    from kdns.config import table  # noqa: PLC0415
    from kdns.config.complaints import did_you_mean  # noqa: PLC0415

    hint = did_you_mean(name, table.BY_NAME) or "kdns plugins lists those there are"
    sys.stderr.write(f'kdns: found no directive "{name}"; {hint}\n')
    return _UNKNOWN


def _text(name: str | None) -> str:
    from kdns.config import manual, table  # noqa: PLC0415
    from kdns.config.declarations import Directive  # noqa: PLC0415

    if name is None:
        return manual.overview()
    entry = table.BY_NAME[name]
    return manual.text(entry) if isinstance(entry, Directive) else f"{name} {entry.doc}; {entry.instead}\n"


def _described(entry: "Entry") -> dict[str, Any]:
    from kdns.config import manual, table  # noqa: PLC0415
    from kdns.config.declarations import Directive  # noqa: PLC0415
    from kdns.config.syntax import WARNING  # noqa: PLC0415

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
