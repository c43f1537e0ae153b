"""The arguments of `kdns`: which command they name, and what is said of wrong ones.

Wrong arguments are one line on standard error and status 2; what goes wrong later is one
line and status 1. Arguments as CoreDNS takes them are understood: flags with one dash,
values behind =, and no command at all where flags alone say what to serve.
"""

import sys
from collections.abc import Sequence
from typing import Final

import click

from kdns import __version__
from kdns.cli.check import check
from kdns.cli.plugins import plugins
from kdns.cli.serve import serve

USAGE: Final = 2
FAILURE: Final = 1

# What the command line itself answers; any other flag in the first place means serve.
_OWN: Final = frozenset(("-h", "--help", "--version"))


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, prog_name="kdns", message="%(prog)s %(version)s")
@click.pass_context
def kdns(context: click.Context) -> None:
    """The DNS server inside a Kubernetes cluster."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (serve, check, plugins):
    kdns.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Runs the command that the arguments name; the exit status."""
    try:
        status = kdns.main(_understood(arguments), prog_name="kdns", standalone_mode=False)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except click.Abort:
        return 130  # as a shell reports SIGINT
    return status if isinstance(status, int) else 0


def _understood(arguments: Sequence[str]) -> list[str]:
    """The arguments in the form that click reads: a command first, and -p with its value apart."""
    command = ["serve"] if arguments and arguments[0].startswith("-") and arguments[0] not in _OWN else []
    separate = [part for each in arguments for part in (each.split("=", 1) if each.startswith("-p=") else [each])]
    return command + separate


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"kdns: {' '.join(message.split())}\n")
    return status
