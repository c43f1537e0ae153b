"""The command explain."""

from typing import Any

import click

from kdns.cli.declaring import FILE, Command, is_plugin, kubeconfig, manifests, output
from kdns.config import defaults


def _types(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    from kdns.cli import suggestions

    return [each for each in suggestions.record_types() if each.startswith(incomplete.upper())]


@click.command(
    cls=Command,
    no_args_is_help=False,
    statuses={
        "0": "there is an answer",
        "1": "the cluster has none",
        "2": "it can't be told: the source can't be read, or isn't ready, or others than the cluster are asked for the name;"
        " or the flags are wrong",
    },
    examples=(
        "kdns explain web --from shop --manifests examples",
        "kdns explain web.shop --from office/till-0 --kubeconfig ~/.kube/config",
    ),
)
@click.option(
    *("--from", "whose"), metavar="NS[/POD]", help="Who asks.  [a pod in the context's namespace, or in default]"
)
@click.option("-n", "--namespace", metavar="NS", help="The same of any pod in a namespace, as kubectl has it.")
@click.option(
    *("--type", "rtype"),
    metavar="TYPE",
    default="",
    shell_complete=_types,
    help="A, SRV, PTR, …  [as programs ask: A and AAAA, or SRV, PTR]",
)
@output
@click.option(
    "--server",
    metavar="ADDR[:PORT]",
    help=f"A running server's address of /ready.  [127.0.0.1:{defaults.READY_PORT}]",
)
@kubeconfig("Look at the cluster of this kubeconfig.")
@manifests(said="Look at YAML")
@click.option("--zone", metavar="ZONE", help=f"The cluster's zone.  [{defaults.ZONE}]")
@click.option("--pods", type=click.Choice(defaults.PODS), help=f"Names of pods.  [{defaults.PODS_DEFAULT}]")
@click.option(
    "-conf", "--conf", metavar="FILE", type=FILE, help="A Corefile whose kubernetes says how names are answered."
)
@click.argument("name", metavar="NAME")
def explain(output: str, **given: Any) -> int:
    """Tell why a name is answered as it is.

    NAME is looked for as a pod does, along its search path; with a final dot it is asked for as it is. An address is its
    reverse name. A running server is asked, or a cluster or manifests are looked at, by the same code; kubectl kdns explain looks
    at kubectl's cluster. Beside --server, a kubeconfig tells what servers don't keep: since when endpoints are ready.
    """
    from kdns.cli.explain import Asked, explain

    return explain(Asked(**given, plugin=is_plugin()), output)
