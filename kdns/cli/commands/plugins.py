"""The command plugins."""

import click

from kdns.cli.declaring import Command, output


@click.command(
    cls=Command,
    no_args_is_help=False,
    statuses={"0": "it was told", "2": "there is no directive of that name; or the flags are wrong"},
    examples=("kdns plugins", "kdns plugins cache"),
)
@output
@click.argument("name", metavar="[NAME]", required=False)
def plugins(name: str | None, output: str) -> int:
    """List the directives of a Corefile, or the options of one.

    Those that CoreDNS has and kdns hasn't are there, too, with what to write instead.
    """
    from kdns.cli.plugins import plugins

    return plugins(name, output)
