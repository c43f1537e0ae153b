"""The command doctor."""

import click

from kdns.cli.declaring import Command, output


@click.command(cls=Command, statuses={"0": "all of it works", "1": "something doesn't", "2": "wrong flags"})
@output
def doctor(output: str) -> int:
    """Say what of kdns dev works on this machine.

    Nothing is changed.
    """
    from kdns.cli.doctor import doctor

    return doctor(output)
