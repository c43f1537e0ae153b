"""What an argument may be that isn't known before: looked up when a shell asks for completions, and never an error there."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def directives() -> Iterable[tuple[str, str]]:
    """Their names, with what each does."""
    from kdns.config.table import BY_NAME  # noqa: PLC0415 - asked one by one

    return [(name, entry.doc) for name, entry in sorted(BY_NAME.items())]


def record_types() -> Iterable[str]:
    """The mnemonics of RR types."""
    from kdns.config.mnemonics import TYPES  # noqa: PLC0415 - as above

    return sorted(TYPES)


def contexts(given: str | None) -> Iterable[str]:
    """Of the kubeconfig that is given, or that kubectl would take."""
    from kdns.sources.api import kubeconfig  # noqa: PLC0415 - as above
    from kdns.sources.errors import SourceError  # noqa: PLC0415

    with suppress(SourceError):
        return kubeconfig.contexts(kubeconfig.locate(given, os.environ))
    return ()


def programs() -> Iterator[str]:
    """The commands of the search path."""
    for folder in dict.fromkeys(os.environ.get("PATH", "").split(os.pathsep)):
        with suppress(OSError):
            for each in Path(folder or ".").iterdir():
                if os.access(each, os.X_OK):
                    yield each.name
