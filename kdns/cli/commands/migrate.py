"""The command migrate."""

from typing import Any

import click

from kdns.cli.declaring import FILE, Command, kubeconfig, output


@click.command(
    cls=Command,
    no_args_is_help=False,
    statuses={
        "0": "there is nothing to do",
        "1": "something differs and is worth reading, or couldn't be looked at",
        "2": "something isn't supported; or there is no Corefile to read, or the flags are wrong",
    },
    examples=("kdns migrate", "kdns migrate Corefile"),
)
@kubeconfig("Look at the cluster of this kubeconfig.  [that of kubectl]")
@click.option("-n", "--namespace", metavar="NAME", default="kube-system", help="Where CoreDNS is.  [kube-system]")
@click.option("--configmap", metavar="NAME", default="coredns", help="What has its Corefile.  [coredns]")
@output
@click.argument("file", metavar="[FILE]", type=FILE, required=False)
def migrate(**given: Any) -> int:
    """Tell what goes on under kdns, and what to change.

    FILE is a Corefile, or - for standard input; without one it is that of the cluster's ConfigMap, and the cluster's Service,
    pods, role and caches are looked at, too. Nothing is changed.
    """
    from kdns.cli.commands.serve import serve
    from kdns.cli.migrate import migrate

    return migrate(flags=frozenset(flag for each in serve.params for flag in each.opts), **given)
