"""The command diff."""

from typing import Any

import click

from kdns.cli.declaring import FILE, Command, kubeconfig, manifests, output
from kdns.config import defaults

_ADDRESS = "ADDR[:PORT]"


@click.command(
    cls=Command,
    no_args_is_help=False,
    statuses={
        "0": "all replies are the same, or differ as intended",
        "1": "there are other differences",
        "2": "a server or the cluster can't be asked; or the flags are wrong",
    },
    examples=("kdns diff --against 10.96.0.10 --server 10.96.0.99",),
)
@click.option("--against", metavar=_ADDRESS, required=True, help="The server to compare with, such as CoreDNS.")
@click.option("--server", metavar=_ADDRESS, default="127.0.0.1:53", help="The kdns to compare.  [127.0.0.1:53]")
@kubeconfig("Ask for the names of this cluster.  [that of kubectl]")
@manifests(said="Ask for the names of YAML instead")
@click.option("--zone", metavar="ZONE", default=defaults.ZONE, help=f"The cluster's zone.  [{defaults.ZONE}]")
@click.option(
    "--names", metavar="FILE", type=FILE, help="Ask for these names, too: NAME [TYPE...] a line; - for standard input."
)
@click.option("--types", metavar="TYPE,...", help="Ask for these types alone.")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Ask N questions at most, from all over.")
@click.option("--rate", metavar="N", type=click.IntRange(1, 100_000), default=1000, help="Questions a second.  [1000]")
@click.option(
    *("-conf", "--conf"),
    metavar="FILE",
    type=FILE,
    help="The Corefile of both: known differences of its directives count.",
)
@output
def diff(output: str, **given: Any) -> int:
    """Compare the replies of two servers, name by name.

    Both are asked for all names of the cluster over UDP, and by TCP for what is truncated.
    """
    from kdns.cli.diff import Asked, diff

    return diff(Asked(**given), output)
