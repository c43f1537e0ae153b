"""The command version."""

import click

from kdns.cli.declaring import Command, output


@click.command(cls=Command, statuses={"0": "it was told", "2": "wrong flags"})
@output
def version(output: str) -> int:
    """Say which kdns this is, and what it runs on."""
    from kdns.cli.version import version

    return version(output)
