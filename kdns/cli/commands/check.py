"""The command check."""

from typing import Any

import click

from kdns.cli.declaring import FILE, PORT, Command, output


@click.command(
    cls=Command,
    no_args_is_help=False,
    statuses={
        "0": "nothing is wrong",
        "1": "there are warnings: the file can be served, and may not do what it seems to",
        "2": "there are errors: the file can't be served; or it can't be read, or the flags are wrong",
    },
    examples=(
        "kdns check Corefile",
        "kubectl -n kube-system get configmap coredns -o 'jsonpath={.data.Corefile}' | kdns check -",
    ),
)
@output
@click.option("--explain", is_flag=True, help="Print the configuration that the file comes to, with all defaults.")
@click.option("-p", "-dns.port", "--dns.port", "port", type=PORT, default=53, help="Of keys that name none.  [53]")
@click.argument("file", metavar="FILE", type=FILE)
def check(**given: Any) -> int:
    """Find what is wrong with a Corefile.

    FILE is a Corefile, or - for standard input. Files that it imports are read, too.
    """
    from kdns.cli.check import check

    return check(**given)
