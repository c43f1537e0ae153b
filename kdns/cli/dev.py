"""The command dev: a cluster's names on one's own machine, for a person or for one command.

Reads flags and says what is wrong with them. How a command is given a name server is kdns.dev's to say.
"""

import sys
from dataclasses import replace
from functools import partial
from typing import Final

import click

from kdns.cli.surroundings import keep_standard_input, surroundings
from kdns.config import flags
from kdns.config.flags import Flags
from kdns.config.serving import Probes, Serving
from kdns.config.settings import Address, SettingsError
from kdns.dev.command import NAMESERVER, CommandError, Told, run
from kdns.dev.network import Network

# Not mDNS' 5353; loopback alone, so that nobody else is answered.
LISTEN: Final = "127.0.0.1:5354"
_STDIN: Final = "-"
_FAILURE: Final = 1


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-f", "--manifests", metavar="PATH", multiple=True, help="YAML: a file, a folder or - (repeatable).")
@click.option("--zone", metavar="ZONE", help=f"The cluster's zone.  [{flags.ZONE}]")
@click.option("--search", "namespace", metavar="NS", help="Short names as in this namespace; with COMMAND.")
@click.option("--listen", metavar="ADDR:PORT", help=f"Where to answer; without COMMAND.  [{LISTEN}]")
@click.option("--upstream", metavar="ADDR[:PORT]", multiple=True, help="Who knows other names.  [/etc/resolv.conf]")
@click.option("--log-level", type=click.Choice(flags.LEVELS), default="warning", help="How much is logged.  [warning]")
@click.argument("command", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def dev(
    manifests: tuple[str, ...],
    zone: str | None,
    namespace: str | None,
    listen: str | None,
    upstream: tuple[str, ...],
    log_level: str,
    command: tuple[str, ...],
) -> int:
    """Answer a cluster's names on your own machine.

    The cluster is YAML, named by -f; changed files take effect at once. Without COMMAND kdns answers on a port of
    127.0.0.1 until it is ended. With it the command runs, and it alone, with kdns for its name server; its exit status is
    passed on. Neither needs root, and nothing of the machine is changed.
    """
    if not manifests:
        raise click.UsageError("found no cluster to serve, expected -f PATH, for YAML")
    if command and listen is not None:
        raise click.UsageError("--listen: found it beside a command, which has a name server of its own; take it out")
    if namespace is not None and not command:
        raise click.UsageError("--search: found it without a command; expected -- COMMAND, which it is for")
    asked = Flags(
        manifests=manifests,
        zone=zone,
        listen=(str(Address(*NAMESERVER)) if command else listen or LISTEN,),
        upstream=upstream,
        log_level=log_level,
        quiet=bool(command),
        workers="1",
    )
    try:
        settings, warnings = flags.serving(asked, surroundings())
        settings = replace(settings, probes=Probes())  # nobody looks in from outside
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    for warning in warnings:
        sys.stderr.write(f"kdns: warning: {warning}\n")
    if _STDIN in manifests:
        keep_standard_input()
    told = Told((zone or flags.ZONE).lower().rstrip("."), namespace)
    return _run(command, told, settings) if command else _serve(settings)


def _serve(settings: Serving, network: Network | None = None) -> int:
    from kdns import app  # noqa: PLC0415 - all that serves comes with it

    try:
        return app.serve(settings) if network is None else app.serve(settings, within=network.do)
    except SettingsError as error:
        return _fail(str(error))


def _run(command: tuple[str, ...], told: Told, settings: Serving) -> int:
    try:
        return run(command, told, partial(_serve, settings))
    except CommandError as error:
        return _fail(str(error), error.status)


def _fail(message: str, status: int = _FAILURE) -> int:
    sys.stderr.write(f"kdns: {message}\n")
    return status
