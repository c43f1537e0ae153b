"""Whether this machine is to ask kdns for the zone, for every program: by a flag, or by who sits before it.

How it is changed and taken back is kdns.dev's to say.
"""

import os
import sys
from collections.abc import Callable
from typing import Final

import click

from kdns.cli.devpaths import Looks
from kdns.config.settings import Address
from kdns.dev import backends, journal, plans, split
from kdns.dev.plans import Plan, Target

_FAILURE: Final = 1


def wanted(given: bool | None, looks: Looks, server: Address) -> Plan | None:
    """How the machine is changed, once that has been shown; None where it isn't. Who gives no flag is asked.

    Raises split.SplitError where the flag asks for what can't be had.
    """
    if given is False or not (given or _is_someone_there()):
        return None
    target = Target(looks.told.zone, server.host, server.port, looks.searched)
    found = backends.found()
    if found.plan is None:
        if given:
            raise split.SplitError(f"--split-dns: {found.why}; by hand:\n{plans.advice(target).rstrip()}")
        sys.stderr.write(
            f"kdns dev: programs of this machine don't ask kdns by themselves, since {found.why}; -- COMMAND has one ask\n"
        )
        return None
    plan = found.plan(target)
    split.show(plan)
    if given is None and not click.confirm("Shall this machine ask kdns so?", default=True, err=True):
        return None
    return plan


def run(plan: Plan, zone: str, server: Address, serve: Callable[[], int]) -> int:
    """Serves, while the machine is changed. Raises split.SplitError."""
    probe = f"kubernetes.default.svc.{zone}"
    place = journal.place(os.environ)
    return split.run(split.Wanted(plan, zone, (server.host, server.port), probe, place, os.getpid()), serve)


def tell_of_what_is_left() -> None:
    """Says so, if a killed one has left a change."""
    try:
        lines = split.status(journal.place(os.environ))
    except split.SplitError as error:
        lines = (str(error), "")
    if len(lines) > 1:
        sys.stderr.write("".join(f"kdns dev: {line}\n" for line in lines if line))


def _is_someone_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
