"""The command dev."""

from typing import Any

import click

from kdns.cli.declaring import ADDRESS, Command, kubeconfig, manifests, output
from kdns.config import defaults


def _command(context: click.Context, _: click.Parameter, incomplete: str) -> Any:
    """Programs first, then files, which are the shell's to complete."""
    from click.shell_completion import CompletionItem

    from kdns.cli import suggestions

    given = [] if context.params.get("command") or "/" in incomplete or not incomplete else suggestions.programs()
    found = sorted(each for each in given if each.startswith(incomplete))
    return [CompletionItem(each) for each in found] or [CompletionItem(incomplete, type="file")]


class _Dev(Command):
    """The command, with the word status for its flag."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--status", *args[1:]] if args[:1] == ["status"] else args)


@click.command(
    cls=_Dev,
    context_settings={"allow_interspersed_args": False},
    statuses={
        "COMMAND's": "it has ended; 128 and the signal's number where a signal ended it",
        "126, 127": "COMMAND can't be executed, or isn't there",
        "0": "without COMMAND: told to stop",
        "1": "kdns can't serve, COMMAND can't have a name server of its own here, the context sounds like production, or"
        " split DNS can't be had: nothing was run",
        "2": "wrong flags",
    },
    examples=(
        "kdns dev -f k8s/ -- pytest",
        "kdns dev --context kind-shop --search shop -- curl http://web/",
        "kdns dev --split-dns",
    ),
)
@manifests("-f", said="YAML")
@kubeconfig(f"The cluster of this kubeconfig.  [KUBECONFIG, {defaults.KUBECONFIG}]")
@click.option("--yes", is_flag=True, help="Even if the context sounds like production.")
@click.option("--zone", metavar="ZONE", help=f"The cluster's zone.  [{defaults.ZONE}]")
@click.option("--search", "namespace", metavar="NS", help="Short names as in this namespace.  [the context's]")
@click.option("--from", "whose", metavar="NS/POD", help="Names as in this pod, by its search path.")
@click.option("--map", "mapped", metavar="SVC.NS=ADDR", multiple=True, help="A Service is there (repeatable).")
@click.option("--forward", is_flag=True, help="Ways to Services, by loopback addresses and port-forwards.")
@click.option("--listen", metavar=ADDRESS, help=f"Where to answer; without COMMAND.  [{defaults.DEV_LISTEN}]")
@click.option("--upstream", metavar="ADDR[:PORT]", multiple=True, help="Who knows other names.  [/etc/resolv.conf]")
@click.option(
    "--split-dns/--no-split-dns",
    default=None,
    help="Have this machine ask kdns for the zone; asks for root's rights.  [on a terminal: asks]",
)
@click.option("--undo", is_flag=True, help="Take back what a killed kdns dev has left, and end.")
@click.option("--status", is_flag=True, help="Say what of this machine is changed, and end; also: kdns dev status.")
@output
@click.option(
    "--log-level", type=click.Choice(defaults.LEVELS), default="warning", help="How much is logged.  [warning]"
)
@click.argument("command", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED, shell_complete=_command)
def dev(**given: Any) -> int:
    """Answer a cluster's names on your own machine.

    The cluster is YAML, named by -f, or else the one that kubectl talks to. Changes take effect at once. Without
    COMMAND kdns answers on a port of 127.0.0.1 until it is ended. With it the command runs, and it alone, with kdns for its
    name server; its exit status is passed on. Neither needs root, nor is anything of the machine changed but by split DNS.
    """
    from kdns.cli.dev import Asked, dev

    return dev(Asked(**given))
