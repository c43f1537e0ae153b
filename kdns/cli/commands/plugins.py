"""The command plugins."""

from typing import Any

import click

from kdns.cli.declaring import Command, output


def _directives(_: click.Context, __: click.Parameter, incomplete: str) -> Any:
    from click.shell_completion import CompletionItem

    from kdns.cli import suggestions

    return [CompletionItem(name, help=doc) for name, doc in suggestions.directives() if name.startswith(incomplete)]


@click.command(
    cls=Command,
    no_args_is_help=False,
    statuses={"0": "it was told", "2": "there is no directive of that name; or the flags are wrong"},
    examples=("kdns plugins", "kdns plugins cache"),
)
@output
@click.argument("name", metavar="[NAME]", required=False, shell_complete=_directives)
def plugins(name: str | None, output: str) -> int:
    """List the directives of a Corefile, or the options of one.

    Those that CoreDNS has and kdns hasn't are there, too, with what to write instead.
    """
    from kdns.cli.plugins import plugins

    return plugins(name, output)
