"""The command doctor: what of kdns dev works on this machine, a line each."""

import os
import sys
from typing import Final

import click

from kdns.cli.dev import LISTEN
from kdns.dev import doctor as looks
from kdns.dev import journal, split

_FAILURE: Final = 1


@click.command
def doctor() -> int:
    """Say what of kdns dev works on this machine.

    Nothing is changed. The exit status is 1 where anything doesn't work.
    """
    host, _, port = LISTEN.rpartition(":")
    findings = looks.look((host, int(port)))
    try:
        changed = split.status(journal.place(os.environ))
    except split.SplitError as error:
        changed = (str(error),)
    sys.stdout.write("".join(f"{each}\n" for each in (*findings, *changed)))
    return _FAILURE if any(each.why for each in findings) else 0
