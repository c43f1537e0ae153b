"""Serving: flags in, a running server out.

What the flags mean is config.flags' to say. What serves is imported last, so that a wrong flag is told at once.
"""

import sys
from pathlib import Path
from typing import Final

import click

from kdns.cli.surroundings import keep_standard_input, surroundings
from kdns.config import flags
from kdns.config.flags import Flags
from kdns.config.settings import ManifestSource, SettingsError

_FAILURE: Final = 1
_STDIN: Final = "-"  # of manifests
_COREFILE_STDIN: Final = "stdin"  # as CoreDNS calls it


def serve(asked: Flags) -> int:
    """Serves until told to stop; the exit status. Raises click.UsageError."""
    corefile = None
    try:
        if asked.conf is not None:
            flags.check_combination(asked)
            from kdns.cli import corefiles  # noqa: PLC0415 - what reads one is much

            corefile = corefiles.Corefile(asked, surroundings())
            try:
                found = corefile.read()
            except corefiles.UnreadableError as error:
                return _fail(str(error))
            sys.stderr.write(found.problems)
            if found.servers is None:
                return _FAILURE
            settings = corefile.settings(found.servers)
        else:
            settings, warnings = flags.serving(asked, surroundings())
            for warning in warnings:
                sys.stderr.write(f"kdns: warning: {warning}\n")
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    if isinstance(settings.source, ManifestSource):
        if missing := _missing(settings.source):
            return _fail(f"{missing}: found no such file or directory, expected a file or folder that can be read")
        if _STDIN in settings.source.paths:
            keep_standard_input()
    from kdns import app  # noqa: PLC0415 - all that serves comes with it

    try:
        return app.serve(settings, corefile if asked.conf != _COREFILE_STDIN else None)
    except SettingsError as error:
        return _fail(str(error))


def _missing(source: ManifestSource) -> str:
    """A path of manifests that isn't there, before anything is started; empty if they all are."""
    return next((path for path in source.paths if path != _STDIN and not Path(path).exists()), "")


def _fail(message: str) -> int:
    sys.stderr.write(f"kdns: {message}\n")
    return _FAILURE
